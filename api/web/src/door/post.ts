// A door's own memory, and its post: whom it let in, told to the server when that can be reached, each under a name of its own, so that
// what is told twice is one admission.
import { call, Refusal } from '../api';
import type { Admission, DoorList } from './list';

const SHELF = 'door';

/** The admissions of this door at an event, kept in the browser. */
export class Memory {
  readonly #key: string;
  done: Admission[];

  constructor(event: string) {
    this.#key = `door-${event}`;
    this.done = JSON.parse(localStorage.getItem(this.#key) ?? '[]') as Admission[];
  }

  keep(admission: Admission): void {
    this.done.push(admission);
    this.save();
  }

  save(): void {
    localStorage.setItem(this.#key, JSON.stringify(this.done));
  }

  /** What the list says as well need not be remembered twice. */
  leaveTo(list: DoorList): void {
    const used = new Set(list.tickets.filter(({ used_at }) => used_at).map(({ sha256 }) => sha256));
    this.done = this.done.filter(({ code, conflict, sha256 }) => code || conflict || !used.has(sha256));
    this.save();
  }

  waiting(): Admission[] {
    return this.done.filter(({ code }) => code !== undefined);
  }

  forget(): void {
    localStorage.removeItem(this.#key);
    this.done = [];
  }
}

/** Tells the server what it does not know yet, oldest first; stops where it cannot be reached. */
export async function tell(event: string, memory: Memory): Promise<void> {
  for (const admission of memory.waiting()) {
    const { id, at, code } = admission;
    try {
      await call('/checkin', { method: 'POST', body: { code, event_id: event, admission: { id, at } } });
    } catch (error) {
      if (!isWord(error)) throw error;
      admission.conflict = against(error);
    }
    delete admission.code;
    memory.save();
  }
}

/** Whether the server has decided, rather than been out of reach, busy, or asked by nobody it knows. */
export function isWord(error: unknown): error is Refusal {
  return error instanceof Refusal && error.status < 500 && ![401, 403, 429].includes(error.status);
}

function against(refusal: Refusal): string {
  if (refusal.kind === 'already-used')
    return `another door let somebody in by it at ${clock(String(refusal.fields.at))}`;
  if (refusal.kind === 'dead-code') {
    return refusal.fields.reason === 'void' ? 'the ticket had been given back' : 'the ticket had been passed on';
  }
  return refusal.message;
}

export function clock(at: string): string {
  return new Date(at).toLocaleTimeString([], { hour: 'numeric', minute: '2-digit', second: '2-digit' });
}

const listOf = (event: string) => `/event/${event}/door`;

/** The event's list, anew or as it was last seen here. */
export async function fetchList(event: string): Promise<DoorList> {
  const path = listOf(event);
  const shelf = await caches.open(SHELF);
  const response = await fetch(path, { signal: AbortSignal.timeout(20_000) }).catch(() => undefined);
  if (response?.ok) {
    await shelf.put(path, response.clone());
    return (await response.json()) as DoorList;
  }
  const kept = await shelf.match(path);
  if (!kept) throw new Error('no list');
  return (await kept.json()) as DoorList;
}

/** Keeps this page and what it is made of, so that it opens without a network. */
export async function keepPage(): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  await navigator.serviceWorker.register('/door/worker.js', { scope: '/door/' });
  const parts = performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname);
  const shelf = await caches.open(SHELF);
  await shelf.addAll([location.pathname, ...new Set(parts.filter((path) => path.startsWith('/assets/')))]);
}

/** Leaves nothing of any event's door on this device. */
export async function clearAway(memory: Memory): Promise<void> {
  memory.forget();
  await caches.delete(SHELF);
}
