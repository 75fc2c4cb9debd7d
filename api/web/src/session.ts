// What a page's script may know of the session: whether there is one. The token itself is out of its reach.

/** The server sets this mark beside the session cookie when it signs somebody in through a page. */
export function signedIn(cookies: string = document.cookie): boolean {
  return cookies.split('; ').includes('signed_in=1');
}

/** Where to sign in so that one comes back to the given place. */
export function signInAddress(back: string): string {
  return `/signin?next=${encodeURIComponent(back)}`;
}
