// The steps from a choice to the payment page, as one hook: choose, hold, extend, release, pay. The server decides; this remembers.
import { useEffect, useRef, useState } from 'preact/hooks';
import { attemptKey, Refusal } from '../api';
import { signedIn, signInAddress } from '../session';
import { Attempt, buy, extend, liveHolds, type Reservation, release, sentence, type Wish } from './booking';
import { remember, remembered, type Selection, stillFree } from './selection';

export interface Notice {
  kind: 'good' | 'warn' | 'bad';
  text: string;
}

export type Busy = 'holding' | 'paying' | 'other' | undefined;

export function usePurchase(event: string) {
  const [selection, setSelection] = useState<Selection>(() => remembered(event));
  const [held, setHeld] = useState<Reservation>();
  const [extended, setExtended] = useState(false);
  const [busy, setBusy] = useState<Busy>();
  const [notice, setNotice] = useState<Notice>();
  const attempt = useRef<{ wish: string; attempt: Attempt } | undefined>(undefined);
  const payKey = useRef(attemptKey());

  useEffect(() => remember(event, selection), [event, selection]);
  const look = () => void liveHolds(event).then((holds) => keep(holds[0]), ignored);
  useEffect(() => {
    if (signedIn()) look();
  }, [event]);

  const keep = (reservation: Reservation | undefined) => {
    setHeld(reservation);
    setExtended(false);
    if (!reservation) return;
    setSelection([]);
    payKey.current = attemptKey();
  };
  const refused = (error: unknown) => {
    setNotice({ kind: 'bad', text: sentence(error) });
    if (!(error instanceof Refusal)) return;
    if (error.status === 401) toSignIn(event);
    const taken = error.fields.seats;
    if (error.kind === 'seats-taken' && Array.isArray(taken)) {
      setSelection((chosen) => chosen.filter((seat) => !taken.includes(seat)));
    }
    if (error.kind === 'hold-expired') setHeld(undefined);
  };
  const during = async (what: Busy, work: () => Promise<void>) => {
    setBusy(what);
    setNotice(undefined);
    await work().catch(refused);
    setBusy(undefined);
  };

  return {
    selection,
    held,
    extended,
    busy,
    notice,
    choose: (next: Selection) => {
      setNotice(undefined);
      setSelection(next);
    },
    say: setNotice,
    /** Something may be held by now that was not held here. */
    look,
    /** Takes out what others took meanwhile; our own hold in flight is not others. */
    settle: (states: Uint8Array) => {
      if (busy) return;
      const { kept, lost } = stillFree(selection, states);
      if (lost.length === 0) return;
      setSelection(kept);
      setNotice({
        kind: 'warn',
        text: 'Somebody else just took a seat you had chosen. Your other choices are still there.',
      });
    },
    hold: (wish: Wish) => {
      if (!signedIn()) {
        toSignIn(event);
        return;
      }
      // The same wish again is the same attempt: a lost answer must not hold twice.
      const text = JSON.stringify(wish);
      if (attempt.current?.wish !== text) attempt.current = { wish: text, attempt: new Attempt(event, wish) };
      const { attempt: present } = attempt.current;
      void during('holding', async () => {
        const reservation = await present.hold().catch((error) => {
          if (error instanceof Refusal) attempt.current = undefined;
          throw error;
        });
        attempt.current = undefined;
        keep(reservation);
      });
    },
    extend: () =>
      void during('other', async () => {
        await extend(event);
        keep((await liveHolds(event))[0]);
        setExtended(true);
      }),
    release: () =>
      void during('other', async () => {
        await release(event);
        keep(undefined);
        setNotice({ kind: 'good', text: 'The seats are free for others again.' });
      }),
    pay: () =>
      void during('paying', async () => {
        const checkout = await buy(event, held?.reserve_id, payKey.current);
        location.assign(checkout.portal_url ?? `/orders/${checkout.order_id}`);
      }),
    over: () => {
      const seats = held?.seats.map(({ seat_no }) => seat_no) ?? [];
      keep(undefined);
      setSelection(seats);
      setNotice({
        kind: 'warn',
        text: 'Time is up, so the seats went back on sale. Nothing was charged. If they are still free you can hold them again.',
      });
    },
  };
}

function toSignIn(event: string): void {
  location.assign(signInAddress(`/events/${event}#seats`));
}

/** No hold to go on with is no error worth a word. */
function ignored(): void {}
