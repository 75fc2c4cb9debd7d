// "Best available": how many, at which price; the server finds them.
import { useState } from 'preact/hooks';
import { money } from '../money';
import type { Tier } from './Legend';

interface Props {
  tiers: Tier[];
  currency: string;
  most: number;
  busy: boolean;
  find: (quantity: number, tier: number | undefined) => void;
}

export function Best({ tiers, currency, most, busy, find }: Props) {
  const [quantity, setQuantity] = useState(Math.min(2, most));
  const [tier, setTier] = useState('');
  return (
    <form
      class="best"
      onSubmit={(event) => {
        event.preventDefault();
        find(quantity, tier === '' ? undefined : Number(tier));
      }}
    >
      <div class="field">
        <label for="quantity">Tickets</label>
        <select
          id="quantity"
          value={String(quantity)}
          onChange={(event) => setQuantity(Number(event.currentTarget.value))}
        >
          {Array.from({ length: most }, (_, i) => (
            <option key={i + 1}>{i + 1}</option>
          ))}
        </select>
      </div>
      <div class="field">
        <label for="tier">Price</label>
        <select id="tier" value={tier} onChange={(event) => setTier(event.currentTarget.value)}>
          <option value="">Any price</option>
          {tiers.map((one) => (
            <option key={one.tier} value={String(one.tier)}>
              {one.name}, {money(one.price, currency)}
            </option>
          ))}
        </select>
      </div>
      <button class="button quiet" type="submit" disabled={busy}>
        Find the best seats
      </button>
    </form>
  );
}
