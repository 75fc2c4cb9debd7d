// What is free: two bits a seat as the server packs them, brought forward by versioned changes.

export const FREE = 0;
export const HELD = 1;
export const SOLD = 2;
export const OFF_SALE = 3;

export interface Snapshot {
  version: number;
  layout?: string;
  states: string;
}

export interface Delta {
  version: number;
  from?: number;
  changes: [number, number][];
}

/** Unpacks base64 of 2 bits a seat: the first seat is in the lowest bits of the first byte. */
export function unpack(states: string, count: number): Uint8Array {
  const packed = atob(states);
  const out = new Uint8Array(count);
  for (let seat = 0; seat < count; seat++) {
    out[seat] = ((packed.charCodeAt(seat >> 2) || 0) >> ((seat & 3) * 2)) & 3;
  }
  return out;
}

/** The states at a version. */
export class SeatStates {
  version: number;
  readonly of: Uint8Array;

  constructor(snapshot: Snapshot, count: number) {
    this.version = snapshot.version;
    this.of = unpack(snapshot.states, count);
  }

  /** Takes changes that are newer; false when they do not follow what we have, so that a fresh snapshot is needed. */
  take(delta: Delta): boolean {
    if (delta.version <= this.version) return true;
    if (delta.from !== undefined && delta.from > this.version) return false;
    for (const [seat, state] of delta.changes) if (seat < this.of.length) this.of[seat] = state;
    this.version = delta.version;
    return true;
  }

  /** Replaces everything by a newer snapshot. */
  replace(snapshot: Snapshot): void {
    if (snapshot.version < this.version) return;
    this.version = snapshot.version;
    this.of.set(unpack(snapshot.states, this.of.length));
  }
}

/** Free seats of each tier. */
export function freeByTier(states: Uint8Array, tier: Uint16Array, tiers: number): number[] {
  const free = new Array<number>(tiers).fill(0);
  for (let seat = 0; seat < states.length; seat++) {
    const t = tier[seat] ?? 0;
    if (states[seat] === FREE) free[t] = (free[t] ?? 0) + 1;
  }
  return free;
}
