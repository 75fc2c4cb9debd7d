// Speaks the HTTP contract: JSON in, JSON or a problem out, the server's clock beside it.

/** An RFC 9457 problem; `kind` is the last part of its `type`. */
export class Refusal extends Error {
  readonly kind: string;
  readonly status: number;
  readonly fields: Record<string, unknown>;
  readonly retryAfterS: number | undefined;

  constructor(status: number, fields: Record<string, unknown>, retryAfterS?: number) {
    super(String(fields.detail ?? fields.title ?? `HTTP ${status}`));
    this.status = status;
    this.fields = fields;
    this.kind =
      String(fields.type ?? '')
        .split('/')
        .at(-1) || `status-${status}`;
    this.retryAfterS = retryAfterS;
  }
}

/** How far the server's clock is ahead of this one, in milliseconds: hold times are the server's. */
export class ServerClock {
  #ahead: number | undefined;

  /** A response's Date header has whole seconds, so the truth is up to one later: the largest difference seen is nearest. */
  heard(date: string | null, local_ms: number = Date.now()): void {
    const told = date ? Date.parse(date) : Number.NaN;
    if (Number.isNaN(told)) return;
    this.#ahead = Math.max(this.#ahead ?? Number.NEGATIVE_INFINITY, told - local_ms);
  }

  now(local_ms: number = Date.now()): number {
    return local_ms + (this.#ahead ?? 0);
  }
}

export const serverClock = new ServerClock();

interface Call {
  method?: string;
  body?: unknown;
  key?: string;
  signal?: AbortSignal;
}

/** One request. Rejects with a {@link Refusal} for 4xx and 5xx, with a TypeError when the server cannot be reached. */
export async function call<T>(path: string, { method = 'GET', body, key, signal }: Call = {}): Promise<T> {
  const headers = new Headers({ accept: 'application/json' });
  if (body !== undefined) headers.set('content-type', 'application/json');
  if (key) headers.set('idempotency-key', key);
  const init: RequestInit = { method, headers };
  if (body !== undefined) init.body = JSON.stringify(body);
  if (signal) init.signal = signal;
  const response = await fetch(path, init);
  serverClock.heard(response.headers.get('date'));
  if (!response.ok) {
    const fields = (await response.json().catch(() => ({}))) as Record<string, unknown>;
    const retry = Number(response.headers.get('retry-after') ?? Number.NaN);
    throw new Refusal(response.status, fields, Number.isNaN(retry) ? undefined : retry);
  }
  return (response.status === 204 ? undefined : await response.json()) as T;
}

const TRIES_MAX = 4;
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** A write that is safe to repeat: the key stays the same over every try, so that the server acts once. */
export async function insist<T>(path: string, options: Call & { key: string }): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await call<T>(path, options);
    } catch (error) {
      const mayPass = error instanceof Refusal ? error.status === 503 || error.kind === 'in-progress' : true;
      if (!mayPass || tried >= TRIES_MAX) throw error;
      const wait_s = error instanceof Refusal ? (error.retryAfterS ?? 0.5 * tried) : 0.5 * tried;
      await pause(Math.min(wait_s, 5) * 1000);
    }
  }
}

/** A fresh key for one attempt. */
export function attemptKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
