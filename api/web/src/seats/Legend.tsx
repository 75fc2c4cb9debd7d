// What the colours cost: each tier is also a switch that leaves only its seats bright.
import { money } from '../money';
import { GoneMark, MineMark, SeatMark } from './Marks';

export interface Tier {
  tier: number;
  name: string;
  price: number;
}

interface Props {
  tiers: Tier[];
  currency: string;
  free: number[];
  only: number | undefined;
  choose: (tier: number | undefined) => void;
}

export function Legend({ tiers, currency, free, only, choose }: Props) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: switches of the map, not fields of a form
    <div class="legend" role="group" aria-label="Prices; choose one to see only its seats">
      {tiers.map(({ tier, name, price }) => (
        <button
          key={tier}
          type="button"
          aria-pressed={only === tier}
          onClick={() => choose(only === tier ? undefined : tier)}
        >
          <SeatMark tier={tier} />
          <span>
            {name} <strong class="figures">{money(price, currency)}</strong>
            <span class="muted">{free[tier] === 0 ? ' · sold out' : ''}</span>
          </span>
        </button>
      ))}
      <span class="key">
        <MineMark /> Yours
      </span>
      <span class="key">
        <GoneMark /> Taken
      </span>
      <span class="key">
        <SeatMark tier={7} accessible /> Wheelchair
      </span>
    </div>
  );
}
