// The panel beside the map: what one has chosen, what one holds and for how long, and the way to pay.
import { Basket, type Line } from './Basket';
import type { Reservation } from './booking';
import { Clock } from './Clock';

interface Props {
  lines: Line[];
  held: Reservation | undefined;
  currency: string;
  exact: boolean;
  lifetimeS: number;
  busy: 'holding' | 'paying' | 'other' | undefined;
  signedIn: boolean;
  extended: boolean;
  remove: (seat: number) => void;
  hold: () => void;
  pay: () => void;
  extend: () => void;
  release: () => void;
  over: () => void;
}

export function Checkout(props: Props) {
  const { lines, held, currency, busy, remove } = props;
  if (held) return <Held {...props} held={held} />;
  if (lines.length === 0) {
    return (
      <p class="muted">
        Choose seats on the map, or let us find the best ones. Nothing is charged until you have paid.
      </p>
    );
  }
  return (
    <>
      <Basket lines={lines} currency={currency} exact={props.exact} remove={remove} />
      <button class="button wide" id="hold" type="button" disabled={busy !== undefined} onClick={props.hold}>
        {busy === 'holding'
          ? 'Holding your seats…'
          : props.signedIn
            ? holdWords(lines.length)
            : 'Sign in to hold these seats'}
      </button>
    </>
  );
}

function holdWords(count: number): string {
  return count === 1 ? 'Hold this seat' : `Hold these ${count} seats`;
}

function Held({
  lines,
  held,
  currency,
  lifetimeS,
  busy,
  extended,
  pay,
  extend,
  release,
  over,
}: Props & { held: Reservation }) {
  return (
    <>
      <Clock expiresAt={held.expires_at} lifetimeS={lifetimeS} over={over} />
      <Basket lines={lines} currency={currency} exact bill={held} />
      <button class="button wide" id="pay" type="button" disabled={busy !== undefined} onClick={pay}>
        {busy === 'paying' ? 'Opening the payment page…' : 'Go to payment'}
      </button>
      <div class="sum">
        {extended ? (
          <span class="muted">Extended once</span>
        ) : (
          <button class="link" type="button" disabled={busy !== undefined} onClick={extend}>
            I need more time
          </button>
        )}
        <button class="link" type="button" disabled={busy !== undefined} onClick={release}>
          Let them go
        </button>
      </div>
    </>
  );
}
