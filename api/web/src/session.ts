// What a page's script may know of the session: whether there is one. The token itself is out of its reach.

const MARK = 'signed_in';
const MARK_AGE_S = 30 * 24 * 3600;

/** A mark beside the session cookie says whether somebody signed in here. */
export function signedIn(cookies: string = document.cookie): boolean {
  return cookies.split('; ').includes(`${MARK}=1`);
}

export function rememberSignedIn(): void {
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is not in every browser yet
  document.cookie = `${MARK}=1; path=/; max-age=${MARK_AGE_S}; samesite=lax`;
}

export function forgetSignedIn(): void {
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is not in every browser yet
  document.cookie = `${MARK}=; path=/; max-age=0; samesite=lax`;
}

/** Where to sign in so that one comes back to the given place. */
export function signInAddress(back: string): string {
  return `/signin?next=${encodeURIComponent(back)}`;
}

/** A path on this site, whatever was asked for: nobody is sent elsewhere after signing in. */
export function pathHere(asked: string | undefined): string {
  const base = 'http://here.invalid';
  if (!asked?.startsWith('/') || !URL.canParse(asked, base)) return '/';
  const { origin, pathname, search, hash } = new URL(asked, base);
  return origin === base && !pathname.startsWith('//') ? pathname + search + hash : '/';
}
