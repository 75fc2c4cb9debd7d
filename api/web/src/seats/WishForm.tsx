// How many tickets, at which price: what the server finds seats for, now or when some come back.
import { useState } from 'preact/hooks';
import { money } from '../money';
import type { Tier } from './Legend';

interface Props {
  /** What the fields' ids begin with. */
  name: string;
  tiers: Tier[];
  currency: string;
  most: number;
  /** What the button says, and how it looks. */
  verb: string;
  look?: string;
  busy?: boolean;
  ask: (quantity: number, tier: number | undefined) => void;
}

export function WishForm({ name, tiers, currency, most, verb, look = '', busy = false, ask }: Props) {
  const [quantity, setQuantity] = useState(Math.min(2, most));
  const [tier, setTier] = useState('');
  return (
    <form
      class="best"
      onSubmit={(event) => {
        event.preventDefault();
        ask(quantity, tier === '' ? undefined : Number(tier));
      }}
    >
      <div class="field">
        <label for={`${name}-quantity`}>Tickets</label>
        <select
          id={`${name}-quantity`}
          value={String(quantity)}
          onChange={(event) => setQuantity(Number(event.currentTarget.value))}
        >
          {Array.from({ length: most }, (_, i) => (
            <option key={i + 1}>{i + 1}</option>
          ))}
        </select>
      </div>
      <div class="field">
        <label for={`${name}-tier`}>Price</label>
        <select id={`${name}-tier`} value={tier} onChange={(event) => setTier(event.currentTarget.value)}>
          <option value="">Any price</option>
          {tiers.map((one) => (
            <option key={one.tier} value={String(one.tier)}>
              {one.name}, {money(one.price, currency)}
            </option>
          ))}
        </select>
      </div>
      <button class={`button ${look}`} type="submit" disabled={busy}>
        {verb}
      </button>
    </form>
  );
}
