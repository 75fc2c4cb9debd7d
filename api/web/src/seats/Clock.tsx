// How long the seats are kept: by the server's clock, said in words and not only by colour.
import { useEffect, useRef, useState } from 'preact/hooks';
import { serverClock } from '../api';
import { remaining, spokenAt } from './time';

interface Props {
  expiresAt: string;
  lifetimeS: number;
  over: () => void;
}

export function Clock({ expiresAt, lifetimeS, over }: Props) {
  const [left_s, setLeft] = useState(() => secondsLeft(expiresAt));
  const spoken = useRef<HTMLParagraphElement>(null);
  const done = useRef(over);
  done.current = over;

  useEffect(() => {
    const tick = () => {
      const left = secondsLeft(expiresAt);
      setLeft(left);
      const words = spokenAt(left);
      if (words && spoken.current) spoken.current.textContent = words;
      if (left <= 0) {
        clearInterval(timer);
        done.current();
      }
    };
    const timer = setInterval(tick, 1000);
    tick();
    return () => clearInterval(timer);
  }, [expiresAt]);

  const soon = left_s <= 60;
  return (
    <div class={soon ? 'clock soon' : 'clock'}>
      <p>{soon ? 'Hurry: your seats go back on sale in' : 'Your seats are kept for'}</p>
      <p class="left" role="timer">
        {remaining(left_s)}
      </p>
      <progress max={lifetimeS} value={Math.min(left_s, lifetimeS)} aria-hidden="true" />
      <p class="unseen" aria-live="polite" ref={spoken} />
    </div>
  );
}

function secondsLeft(expiresAt: string): number {
  return Math.max(0, Math.ceil((Date.parse(expiresAt) - serverClock.now()) / 1000));
}
