// What one has chosen but not yet held: an ordered set under the buyer's limit, remembered over signing in. Pure but for its memory.
import { FREE } from './states';

export type Selection = readonly number[];

/** Adds a seat or takes it out; the same selection when the limit is reached. */
export function toggled(selection: Selection, seat: number, most: number): Selection {
  if (selection.includes(seat)) return selection.filter((other) => other !== seat);
  return selection.length < most ? [...selection, seat] : selection;
}

/** What is left of a selection when others have taken seats, and what was lost. */
export function stillFree(selection: Selection, states: Uint8Array): { kept: Selection; lost: number[] } {
  const lost = selection.filter((seat) => states[seat] !== FREE);
  return { kept: lost.length === 0 ? selection : selection.filter((seat) => states[seat] === FREE), lost };
}

/** The next free place of a floor that is not chosen yet. */
export function nextPlace(first: number, end: number, selection: Selection, states: Uint8Array): number | undefined {
  for (let place = first; place < end; place++) {
    if (states[place] === FREE && !selection.includes(place)) return place;
  }
  return undefined;
}

const slot = (event: string) => `selection:${event}`;

export function remember(event: string, selection: Selection): void {
  if (selection.length === 0) sessionStorage.removeItem(slot(event));
  else sessionStorage.setItem(slot(event), JSON.stringify(selection));
}

export function remembered(event: string): Selection {
  const kept: unknown = JSON.parse(sessionStorage.getItem(slot(event)) ?? '[]');
  return Array.isArray(kept) ? kept.filter((seat) => Number.isInteger(seat)) : [];
}
