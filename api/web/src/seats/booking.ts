// The calls of one purchase and how their refusals read: holds, extension, release, payment.
import { attemptKey, call, insist, Refusal } from '../api';

export interface HeldSeat {
  seat_no: number;
  label: string;
  section: string;
  row: string;
  tier: number;
  price: number;
}

/** A line of what a reservation comes to. */
export interface BillLine {
  kind: 'ticket' | 'discount' | 'fee' | 'tax';
  label: string;
  quantity: number;
  unit: number;
  amount: number;
  included?: number;
}

export interface Reservation {
  reserve_id: string;
  event_id: string;
  seats: HeldSeat[];
  lines: BillLine[];
  total: number;
  currency: string;
  expires_at: string;
  state: string;
}

export interface Checkout {
  order_id: string;
  state: string;
  portal_url?: string | null;
}

export type Wish = ({ seats: number[] } | { best_available: { quantity: number; tier?: number | undefined } }) & {
  code?: string;
};

/** One attempt to hold seats; its key lives as long as the wish is the same, over every retry. */
export class Attempt {
  readonly #key = attemptKey();
  readonly #event: string;
  readonly #wish: Wish;

  constructor(event: string, wish: Wish) {
    this.#event = event;
    this.#wish = wish;
  }

  hold(): Promise<Reservation> {
    const body = { event_id: this.#event, ...this.#wish };
    return insist<Reservation>('/ticket/reserve', { method: 'POST', body, key: this.#key });
  }
}

/** The buyer's live holds of an event, newest first. */
export async function liveHolds(event: string): Promise<Reservation[]> {
  const { reservations } = await call<{ reservations: Reservation[] }>(`/ticket/reserve/${event}`);
  return reservations.filter(({ state }) => state === 'held').reverse();
}

export function extend(event: string): Promise<unknown> {
  return call(`/ticket/reserve/${event}/extend`, { method: 'POST' });
}

export function release(event: string): Promise<void> {
  return call(`/ticket/reserve/${event}`, { method: 'DELETE' });
}

export function buy(event: string, reserve_id: string | undefined, key: string): Promise<Checkout> {
  const body = reserve_id ? { reserve_id } : {};
  return insist<Checkout>(`/ticket/buy/${event}`, { method: 'POST', body, key });
}

const codeSentences: Record<string, string> = {
  unknown: 'This concert knows no such code. Is it spelt right?',
  'not-yet': 'This code is not good yet.',
  over: 'The time of this code is over.',
  'used-up': 'This code was used as often as it may be.',
  'other-tier': 'This code is for seats at another price.',
  'too-many-seats': 'This code is not good for that many seats.',
};

/** What a refusal means to the person who asked. */
export function sentence(error: unknown): string {
  if (!(error instanceof Refusal)) return 'The connection broke. Nothing is lost: please try again.';
  const sentences: Record<string, string> = {
    'seats-taken': 'Somebody was quicker: the seats marked below are gone. Your other choices are still there.',
    'not-enough-seats': 'There are not that many seats together. Try fewer, or another price.',
    'limit-reached': `One person may have ${error.fields.limit ?? 'only so many'} seats of this concert.`,
    'not-on-sale':
      error.fields.closed === 'soon'
        ? 'You cannot buy yet: the presale is for members and for everybody who has its code.'
        : 'This concert is not on sale at the moment.',
    'code-refused': codeSentences[String(error.fields.reason)] ?? 'This code is of no use here.',
    'seats-left': 'These seats can be had right now: find them above.',
    'in-line': 'You wait for something else already. Leave the line first.',
    'line-full': 'So many people wait that nobody more is let in line.',
    'orphan-seat': 'That would leave a single seat alone between two parties. Please move by one.',
    'hold-expired': 'The time to pay was over and the seats went back on sale. Please choose again.',
    'other-price': 'That seat has another price than you paid for yours.',
    'not-refundable': 'The time in which tickets of this concert could be given back is over.',
    'tickets-gone': 'A ticket of it was used or passed on to somebody, so that this cannot be done any more.',
    busy: 'A great many people are here right now. Please try again in a few seconds.',
  };
  return sentences[error.kind] ?? error.message;
}
