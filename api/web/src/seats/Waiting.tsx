// Waiting for seats to come back: joining the line of a sold-out concert, one's place in it, leaving it.
import { useEffect, useState } from 'preact/hooks';
import { call } from '../api';
import { money } from '../money';
import { signedIn, signInAddress } from '../session';
import { sentence } from './booking';
import type { Tier } from './Legend';

const LOOK_MS = 5000;

interface Wait {
  state: 'waiting' | 'offered';
  ahead?: number;
  want: { quantity: number; tier?: number };
}

interface Props {
  event: string;
  tiers: Tier[];
  currency: string;
  most: number;
  soldOut: boolean;
  /** Seats are kept for this person now. */
  offered: () => void;
}

export function Waiting({ event, tiers, currency, most, soldOut, offered }: Props) {
  const path = `/event/${event}/waiting`;
  const [wait, setWait] = useState<Wait>();
  const [quantity, setQuantity] = useState(Math.min(2, most));
  const [tier, setTier] = useState('');
  const [trouble, setTrouble] = useState<string>();

  const found = (now: Wait | undefined) => {
    setWait(now);
    if (now?.state === 'offered') offered();
  };
  const look = () => call<Wait | undefined>(path).then(found, () => undefined);
  useEffect(() => {
    if (signedIn()) void look();
  }, [path]);
  const waits = wait?.state === 'waiting';
  useEffect(() => {
    if (!waits) return;
    const timer = setInterval(() => void look(), LOOK_MS);
    return () => clearInterval(timer);
  }, [waits]);

  const join = async () => {
    if (!signedIn()) return location.assign(signInAddress(`/events/${event}#seats`));
    setTrouble(undefined);
    const body = tier === '' ? { quantity } : { quantity, tier: Number(tier) };
    await call<Wait>(path, { method: 'POST', body }).then(found, (error) => setTrouble(sentence(error)));
  };
  const leave = () =>
    call(path, { method: 'DELETE' }).then(
      () => setWait(undefined),
      (error) => setTrouble(sentence(error)),
    );
  if (!waits && !soldOut) return null;
  return (
    <section class="card panel stack" id="waiting" aria-labelledby="waiting-title">
      <h3 id="waiting-title">{waits ? 'You are in line' : 'Sold out: join the line'}</h3>
      {!waits && (
        <p class="muted">
          Seats come back when somebody does not pay or returns a ticket. They go to who waits, in turn.
        </p>
      )}
      <div aria-live="polite">{trouble && <p class="notice bad">{trouble}</p>}</div>
      {waits ? (
        <>
          <p class="place">{ahead(wait.ahead ?? 0)}</p>
          <p class="muted">
            You wait for {wait.want.quantity} {wait.want.quantity === 1 ? 'ticket' : 'tickets'}. When seats come back,
            they are kept for you for a while; we tell you here, under Alerts and by mail.
          </p>
          <button class="link" type="button" onClick={() => void leave()}>
            Leave the line
          </button>
        </>
      ) : (
        <form
          class="best"
          onSubmit={(submit) => {
            submit.preventDefault();
            void join();
          }}
        >
          <div class="field">
            <label for="wait-quantity">Tickets</label>
            <select
              id="wait-quantity"
              value={quantity}
              onChange={(change) => setQuantity(Number(change.currentTarget.value))}
            >
              {Array.from({ length: most }, (_, i) => (
                <option key={i + 1}>{i + 1}</option>
              ))}
            </select>
          </div>
          <div class="field">
            <label for="wait-tier">Price</label>
            <select id="wait-tier" value={tier} onChange={(change) => setTier(change.currentTarget.value)}>
              <option value="">Any price</option>
              {tiers.map((one) => (
                <option key={one.tier} value={String(one.tier)}>
                  {one.name}, {money(one.price, currency)}
                </option>
              ))}
            </select>
          </div>
          <button class="button" type="submit">
            {signedIn() ? 'Join the line' : 'Sign in to join the line'}
          </button>
        </form>
      )}
    </section>
  );
}

function ahead(count: number): string {
  if (count === 0) return 'You are next.';
  return count === 1 ? 'One person is before you.' : `${count} people are before you.`;
}
