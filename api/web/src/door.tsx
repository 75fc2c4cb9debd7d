// The door's page: a code comes in by camera, scanner or hand; the answer is large, and heard. Without a network it judges by the list
// it has, and tells what it did when the network is back.
import { render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { call, Refusal } from './api';
import { canScan, watch } from './door/camera';
import { admitted, type DoorList, hashOf, judge, seatOf, type Verdict } from './door/list';
import { clearAway, clock, fetchList, isWord, keepPage, Memory, tell } from './door/post';

const ANSWER_MS = 3000;
const TELL_MS = 5000;
const LIST_MS = 120_000;

interface Admitted {
  holder: string;
  section: string;
  row: string;
  label: string;
  at: string;
}

/** What the server says of a code; `undefined` when it cannot be asked now. */
async function ask(event: string, code: string, { id, at }: { id: string; at: string }): Promise<Verdict | undefined> {
  const body = { code, event_id: event, admission: { id, at } };
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const inside = await call<Admitted>('/checkin', { method: 'POST', body, signal });
    return { kind: 'admitted', seat: seatOf(inside), holder: inside.holder, at: inside.at, offline: false };
  } catch (error) {
    if (error instanceof Refusal && error.status === 401)
      return { kind: 'refused', why: 'You are signed out. Sign in again.' };
    if (!isWord(error)) return undefined;
    if (error.kind === 'already-used') return { kind: 'used', seat: '', at: String(error.fields.at) };
    const reasons: Record<string, string> = {
      'dead-code':
        error.fields.reason === 'void' ? 'This ticket was given back.' : 'Passed on: its holder has a newer code.',
      'other-event': 'This ticket is for another event.',
      'bad-code': 'This is not the code of a ticket.',
    };
    return { kind: 'refused', why: reasons[error.kind] ?? error.message };
  }
}

function Door({ event }: { event: string }) {
  const memory = useRef(new Memory(event)).current;
  const [list, setList] = useState<DoorList>();
  const [verdict, setVerdict] = useState<Verdict>();
  const [online, setOnline] = useState(navigator.onLine);
  const [, redraw] = useState(0);
  const field = useRef<HTMLInputElement>(null);
  const busy = useRef(false);

  const refresh = () =>
    fetchList(event).then(
      (fresh) => {
        memory.leaveTo(fresh);
        setList(fresh);
      },
      () => undefined,
    );
  const post = () =>
    tell(event, memory).then(
      () => setOnline(true),
      (error) => setOnline(error instanceof Refusal),
    );
  useEffect(() => {
    void refresh();
    void keepPage().catch(() => undefined);
    const timers = [
      setInterval(() => void (memory.waiting().length > 0 && post().then(() => redraw((n) => n + 1))), TELL_MS),
      setInterval(() => void refresh(), LIST_MS),
    ];
    const back = () => void post().then(refresh);
    const away = () => setOnline(false);
    addEventListener('online', back);
    addEventListener('offline', away);
    return () => {
      for (const timer of timers) clearInterval(timer);
      removeEventListener('online', back);
      removeEventListener('offline', away);
    };
  }, [event]);

  /** The server's word, else the list's; who is let in is remembered, and told later if need be. */
  const decide = async (code: string): Promise<Verdict> => {
    const admission = { id: crypto.randomUUID(), at: new Date().toISOString(), sha256: await hashOf(code) };
    const said = navigator.onLine ? await ask(event, code, admission) : undefined;
    setOnline(said !== undefined);
    const verdict = said ?? (list && judge(list, memory.done, admission.sha256, admission.at));
    if (verdict?.kind === 'admitted') memory.keep(said ? admission : { ...admission, code });
    const known = list?.tickets.find(({ sha256 }) => sha256 === admission.sha256);
    if (verdict?.kind === 'used' && known) return { ...verdict, seat: seatOf(known) };
    return verdict ?? { kind: 'refused', why: 'No network, and no list of tickets here yet.' };
  };
  const show = async (text: string) => {
    const code = text.trim();
    if (!code || busy.current) return;
    busy.current = true;
    const verdict = await decide(code);
    busy.current = false;
    setVerdict(verdict);
    navigator.vibrate?.(verdict.kind === 'admitted' ? 80 : [80, 60, 80, 60, 80]);
    if (field.current) field.current.value = '';
    field.current?.focus();
  };

  const waiting = memory.waiting().length;
  const conflicts = memory.done.filter(({ conflict }) => conflict);
  return (
    <div class="door stack">
      <Word verdict={verdict} />
      <form
        class="field"
        onSubmit={(submit) => {
          submit.preventDefault();
          void show(field.current?.value ?? '');
        }}
      >
        <label for="code">Code of the ticket</label>
        <div class="entry">
          <input id="code" ref={field} autocomplete="off" autocapitalize="none" spellcheck={false} maxLength={1000} />
          <button class="button" type="submit">
            Check
          </button>
        </div>
        <p class="hint">Scan it with a reader, paste it, or use the camera.</p>
      </form>
      <Camera seen={show} />
      <dl class="facts tally">
        <div>
          <dt>Admitted</dt>
          <dd class="figures" id="admitted">
            {admitted(list, memory.done)} of {list?.tickets.length ?? '…'}
          </dd>
        </div>
        <div>
          <dt>Network</dt>
          <dd id="network">
            {online ? 'Here' : 'Away: judging by the list'}
            {waiting > 0 && `, ${waiting} to be told`}
          </dd>
        </div>
        <div>
          <dt>List</dt>
          <dd>{list ? `of ${clock(list.as_of)}` : 'none yet'}</dd>
        </div>
      </dl>
      {conflicts.length > 0 && (
        <section class="notice bad" aria-labelledby="conflicts">
          <h2 id="conflicts">Let in, but should not have been</h2>
          <ul>
            {conflicts.map(({ id, sha256, at, conflict }) => {
              const ticket = list?.tickets.find((known) => known.sha256 === sha256);
              return (
                <li key={id}>
                  {ticket ? seatOf(ticket) : 'A ticket'} at {clock(at)}: {conflict}.
                </li>
              );
            })}
          </ul>
        </section>
      )}
      <p>
        <button
          class="link"
          type="button"
          disabled={waiting > 0}
          onClick={() => void clearAway(memory).then(() => location.assign('/account'))}
        >
          Done here: clear this device
        </button>
      </p>
    </div>
  );
}

function Word({ verdict }: { verdict: Verdict | undefined }) {
  if (!verdict)
    return (
      <div class="verdict" role="status">
        <p class="word">Ready</p>
      </div>
    );
  const words = { admitted: 'Admitted', used: 'Already used', refused: 'Not valid' };
  return (
    <div class={`verdict ${verdict.kind}`} role="status">
      <p class="word">{words[verdict.kind]}</p>
      {verdict.kind === 'refused' ? (
        <p>{verdict.why}</p>
      ) : (
        <>
          <p class="seat">{verdict.seat}</p>
          <p>
            {verdict.kind === 'admitted' && verdict.holder && `${verdict.holder} · `}
            {clock(verdict.at)}
            {verdict.kind === 'admitted' && verdict.offline && ' · by the list'}
          </p>
        </>
      )}
    </div>
  );
}

function Camera({ seen }: { seen: (code: string) => void }) {
  const video = useRef<HTMLVideoElement>(null);
  const latest = useRef(seen);
  latest.current = seen;
  const [stop, setStop] = useState<() => void>();
  const [failed, setFailed] = useState(false);
  useEffect(() => stop, [stop]);
  if (!canScan()) return null;
  const start = async () => {
    if (!video.current) return;
    const stopWatching = await watch(video.current, (code) => latest.current(code)).catch(() => undefined);
    setFailed(!stopWatching);
    setStop(() => stopWatching);
  };
  return (
    <div class="camera">
      <video ref={video} muted playsInline hidden={!stop} />
      {failed && <p class="notice bad">The camera is not there, or not allowed.</p>}
      <button class="button quiet" type="button" onClick={() => (stop ? setStop(undefined) : void start())}>
        {stop ? 'Stop the camera' : 'Use the camera'}
      </button>
    </div>
  );
}

const place = document.getElementById('door');
if (place?.dataset.event) {
  place.replaceChildren();
  render(<Door event={place.dataset.event} />, place);
  document.getElementById('code')?.focus();
}
