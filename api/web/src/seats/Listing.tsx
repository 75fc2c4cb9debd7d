// The seats as a list: section, row, seat. The way without a map, for keyboards and screen readers.
import { useState } from 'preact/hooks';
import { money } from '../money';
import type { Plan } from './plan';
import { FREE } from './states';

interface Props {
  plan: Plan;
  states: Uint8Array;
  mine: ReadonlySet<number>;
  prices: ReadonlyMap<number, number>;
  currency: string;
  toggle: (seat: number) => void;
}

export function Listing({ plan, states, mine, prices, currency, toggle }: Props) {
  const [sectionAt, setSection] = useState(0);
  const [rowAt, setRow] = useState(0);
  const section = plan.sections[sectionAt] ?? plan.sections[0];
  if (!section) return null;
  const rows = plan.rows.slice(section.firstRow, section.endRow);
  const row = rows[rowAt] ?? rows[0];
  const buyable = (seat: number) => states[seat] === FREE && prices.has(plan.tier[seat] ?? 0);
  const freeIn = (first: number, end: number) => {
    let free = 0;
    for (let seat = first; seat < end; seat++) if (buyable(seat)) free++;
    return free;
  };
  const seats = row ? Array.from({ length: row.end - row.first }, (_, i) => row.first + i) : [];
  return (
    <details class="listing">
      <summary>Choose from a list instead</summary>
      <div class="stack">
        <div class="field">
          <label for="section">Section</label>
          <select
            id="section"
            value={String(sectionAt)}
            onChange={(event) => {
              setSection(Number(event.currentTarget.value));
              setRow(0);
            }}
          >
            {plan.sections.map(({ name, first, end }, at) => (
              <option key={name} value={String(at)}>
                {name} ({freeIn(first, end).toLocaleString('en-US')} free)
              </option>
            ))}
          </select>
        </div>
        {!section.general && (
          <div class="field">
            <label for="row">Row</label>
            <select id="row" value={String(rowAt)} onChange={(event) => setRow(Number(event.currentTarget.value))}>
              {rows.map(({ label, first, end }, at) => (
                <option key={label} value={String(at)}>
                  Row {label} ({freeIn(first, end)} free)
                </option>
              ))}
            </select>
          </div>
        )}
        {section.general ? (
          <Places {...{ plan, section, mine, buyable, toggle }} />
        ) : (
          // biome-ignore lint/a11y/useSemanticElements: a row of toggles is no form of its own
          <div class="seats" role="group" aria-label={`Seats of ${section.name}, row ${row?.label}`}>
            {seats.map((seat) => (
              <button
                key={seat}
                type="button"
                aria-pressed={mine.has(seat)}
                disabled={!mine.has(seat) && !buyable(seat)}
                aria-label={`Seat ${plan.labels[seat]}, ${money(prices.get(plan.tier[seat] ?? 0) ?? 0, currency)}${
                  plan.accessible[seat] ? ', wheelchair accessible' : ''
                }`}
                onClick={() => toggle(seat)}
              >
                {plan.labels[seat]}
              </button>
            ))}
          </div>
        )}
      </div>
    </details>
  );
}

interface PlacesProps {
  plan: Plan;
  section: { name: string; first: number; end: number };
  mine: ReadonlySet<number>;
  buyable: (seat: number) => boolean;
  toggle: (seat: number) => void;
}

/** General admission: more or fewer, for one place is like another. */
function Places({ section, mine, buyable, toggle }: PlacesProps) {
  const places = Array.from({ length: section.end - section.first }, (_, i) => section.first + i);
  const chosen = places.filter((place) => mine.has(place));
  const next = places.find((place) => !mine.has(place) && buyable(place));
  const last = chosen.at(-1);
  return (
    // biome-ignore lint/a11y/useSemanticElements: two buttons are no form of their own
    <div class="seats" role="group" aria-label={`Places in ${section.name}: ${chosen.length} chosen`}>
      <button
        type="button"
        aria-label="One place fewer"
        disabled={last === undefined}
        onClick={() => last !== undefined && toggle(last)}
      >
        −
      </button>
      <button
        type="button"
        aria-label="One place more"
        disabled={next === undefined}
        onClick={() => next !== undefined && toggle(next)}
      >
        +
      </button>
    </div>
  );
}
