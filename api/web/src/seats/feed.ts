// Keeps the seats' states fresh: a stream of deltas, and a fresh snapshot whenever the stream cannot continue.
import { call } from '../api';
import { type Delta, SeatStates, type Snapshot } from './states';

/** Fetches the states, then follows their changes until stopped. `changed` is called after each. */
export async function follow(event: string, count: number, changed: (states: SeatStates) => void): Promise<() => void> {
  const address = `/event/${event}/seats`;
  const states = new SeatStates(await call<Snapshot>(address), count);
  changed(states);
  let source: EventSource | undefined;

  const afresh = async () => {
    const snapshot = await call<Snapshot>(address).catch(() => undefined);
    if (snapshot) {
      states.replace(snapshot);
      changed(states);
    }
  };
  const open = () => {
    source = new EventSource(`${address}/stream`);
    source.addEventListener('snapshot', (message) => {
      states.replace(JSON.parse(message.data) as Snapshot);
      changed(states);
    });
    source.addEventListener('delta', (message) => {
      if (states.take(JSON.parse(message.data) as Delta)) changed(states);
      else void afresh();
    });
  };
  // A hidden page needs no stream; browsers allow few connections to one host.
  const seen = () => {
    if (document.visibilityState === 'hidden') {
      source?.close();
      source = undefined;
    } else if (!source) {
      open();
    }
  };
  document.addEventListener('visibilitychange', seen);
  seen();
  return () => {
    document.removeEventListener('visibilitychange', seen);
    source?.close();
  };
}
