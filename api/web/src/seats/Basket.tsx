// The seats chosen or held, one a line, with what is added to them and their sum.
import { money } from '../money';
import type { Reservation } from './booking';
import { SeatMark } from './Marks';

export interface Line {
  seat: number;
  title: string;
  detail: string;
  tier: number;
  price: number;
  accessible: boolean;
}

interface Props {
  lines: Line[];
  currency: string;
  /** The prices are all there is to pay. */
  exact: boolean;
  /** What is held, as the server reckons it. */
  bill?: Reservation;
  remove?: (seat: number) => void;
}

export function Basket({ lines, currency, exact, bill, remove }: Props) {
  const total = bill?.total ?? lines.reduce((sum, { price }) => sum + price, 0);
  const extras = bill?.lines.filter(({ kind }) => kind !== 'ticket') ?? [];
  return (
    <div>
      <ul class="basket">
        {lines.map(({ seat, title, detail, tier, price, accessible }) => (
          <li key={seat}>
            <SeatMark tier={tier} accessible={accessible} />
            <span>
              {title}
              <small>{detail}</small>
            </span>
            <span class="figures">{money(price, currency)}</span>
            {remove ? (
              <button type="button" aria-label={`Remove ${title}`} onClick={() => remove(seat)}>
                ×
              </button>
            ) : (
              <span />
            )}
          </li>
        ))}
      </ul>
      {extras.length > 0 && (
        <ul class="bill">
          {extras.map(({ kind, label, quantity, unit, amount, included }) => (
            <li key={`${kind} ${label} ${unit}`}>
              <span>
                {label}
                {quantity > 1 && ` × ${quantity}`}
                {included !== undefined && ' (included)'}
              </span>
              <span class="figures">{money(included ?? amount, currency)}</span>
            </li>
          ))}
        </ul>
      )}
      <p class="sum">
        <span>{exact ? 'Total' : 'About, with all fees'}</span>
        <strong class="figures">{money(total, currency)}</strong>
      </p>
    </div>
  );
}
