// The seats chosen or held, one a line, with their sum.
import { money } from '../money';
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
  remove?: (seat: number) => void;
}

export function Basket({ lines, currency, remove }: Props) {
  const total = lines.reduce((sum, { price }) => sum + price, 0);
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
      <p class="sum">
        <span>Total</span>
        <strong class="figures">{money(total, currency)}</strong>
      </p>
    </div>
  );
}
