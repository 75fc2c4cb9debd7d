// Opens the door's page where there is no network: the network's answer if it comes soon, else what the page put by.
interface Fetching extends Event {
  request: Request;
  respondWith(answer: Promise<Response>): void;
}

const PATIENCE_MS = 4000;

addEventListener('install', () => (self as unknown as { skipWaiting(): void }).skipWaiting());

addEventListener('activate', (event) => {
  const { clients } = self as unknown as { clients: { claim(): Promise<void> } };
  (event as unknown as { waitUntil(done: Promise<void>): void }).waitUntil(clients.claim());
});

addEventListener('fetch', (event) => {
  const { request, respondWith } = event as Fetching;
  const path = new URL(request.url).pathname;
  if (request.method !== 'GET' || !(request.mode === 'navigate' || path.startsWith('/assets/'))) return;
  respondWith.call(event, answer(request));
});

async function answer(request: Request): Promise<Response> {
  const kept = await caches.match(request, { ignoreSearch: true, ignoreVary: true });
  const late = new Promise<undefined>((done) => setTimeout(done, PATIENCE_MS, undefined));
  const fresh = fetch(request).catch(() => undefined);
  return (await (kept ? Promise.race([fresh, late]) : fresh)) ?? kept ?? Response.error();
}
