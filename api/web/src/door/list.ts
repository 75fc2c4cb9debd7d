// What a door knows of an event's tickets, and what it makes of a code without asking anybody. Pure.

/** A ticket that is good, or was. */
export interface Expected {
  /** Of its code, in unpadded base64url. */
  sha256: string;
  holder: string;
  section: string;
  row: string;
  label: string;
  used_at?: string;
}

export interface DoorList {
  as_of: string;
  tickets: Expected[];
}

/** Somebody this door let in; kept until the server has it, and after that so that nobody comes twice. */
export interface Admission {
  id: string;
  sha256: string;
  at: string;
  /** Only while it is to be told. */
  code?: string;
  /** What the server said against it. */
  conflict?: string;
}

export type Verdict =
  | { kind: 'admitted'; seat: string; holder: string; at: string; offline: boolean }
  | { kind: 'used'; seat: string; at: string }
  | { kind: 'refused'; why: string };

/** `Row 3, seat 12 · Stalls`, or the section alone where places have no number. */
export function seatOf({ section, row, label }: { section: string; row: string; label: string }): string {
  return row ? `Row ${row}, seat ${label} · ${section}` : `${section} · General admission`;
}

/** A code judged by the list and by what this door did since. */
export function judge(list: DoorList, done: readonly Admission[], sha256: string, at: string): Verdict {
  const ticket = list.tickets.find((known) => known.sha256 === sha256);
  if (!ticket)
    return { kind: 'refused', why: 'Not on this door’s list: passed on, given back, or no ticket of tonight.' };
  const before = done.find((admission) => admission.sha256 === sha256)?.at ?? ticket.used_at;
  if (before) return { kind: 'used', seat: seatOf(ticket), at: before };
  return { kind: 'admitted', seat: seatOf(ticket), holder: ticket.holder, at, offline: true };
}

/** How many went in, by the list and by this door since. */
export function admitted(list: DoorList | undefined, done: readonly Admission[]): number {
  const known = new Set(list?.tickets.filter(({ used_at }) => used_at).map(({ sha256 }) => sha256));
  for (const { sha256, conflict } of done) if (!conflict) known.add(sha256);
  return known.size;
}

export async function hashOf(code: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(code)));
  return btoa(String.fromCharCode(...digest))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');
}
