// Waiting for seats to come back: joining the line of a sold-out concert, one's place in it, leaving it.
import { useEffect, useState } from 'preact/hooks';
import { call } from '../api';
import { signedIn, signInAddress } from '../session';
import { sentence } from './booking';
import type { Tier } from './Legend';
import { WishForm } from './WishForm';

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

  const join = async (quantity: number, tier: number | undefined) => {
    if (!signedIn()) return location.assign(signInAddress(`/events/${event}#seats`));
    setTrouble(undefined);
    await call<Wait>(path, { method: 'POST', body: { quantity, tier } }).then(found, (error) =>
      setTrouble(sentence(error)),
    );
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
        <WishForm
          name="wait"
          tiers={tiers}
          currency={currency}
          most={most}
          verb={signedIn() ? 'Join the line' : 'Sign in to join the line'}
          ask={(quantity, tier) => void join(quantity, tier)}
        />
      )}
    </section>
  );
}

function ahead(count: number): string {
  if (count === 0) return 'You are next.';
  return count === 1 ? 'One person is before you.' : `${count} people are before you.`;
}
