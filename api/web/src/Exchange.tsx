// Changing a seat of a paid order for a free one at the same price. The server does all of it or nothing; this only asks for one.
import { useState } from 'preact/hooks';
import { call } from './api';
import { sentence } from './seats/booking';
import { type Plan, type PlanJson, readPlan, seatName, sectionOf } from './seats/plan';
import { FREE, type Snapshot, unpack } from './seats/states';

interface Seat {
  seat_no: number;
  tier: number;
  price: number;
}

interface Order {
  state: string;
  event_id: string;
  seats: Seat[];
  lines: { kind: string }[];
}

interface Event {
  layout_hash: string;
  tiers: { tier: number; price: number }[];
}

interface Choice {
  plan: Plan;
  order: Order;
  /** Free seats that a seat of the order may go for. */
  forSeat: (seat: Seat) => number[];
}

const LOOK_MS = 500;
const LOOKS_MAX = 40;

/** The order once its money is here, which takes a moment after the buyer is back. */
async function paid(id: string): Promise<Order> {
  for (let looks = 1; ; looks++) {
    const order = await call<Order>(`/order/${id}`);
    if (order.state !== 'confirmed' || looks === LOOKS_MAX) return order;
    await new Promise((done) => setTimeout(done, LOOK_MS));
  }
}

async function look(id: string): Promise<Choice> {
  const order = await paid(id);
  const event = await call<Event>(`/event/${order.event_id}`);
  const plan = readPlan(await call<PlanJson>(`/layout/${event.layout_hash}`));
  const states = unpack((await call<Snapshot>(`/event/${order.event_id}/seats`)).states, plan.count);
  const prices = new Map(event.tiers.map(({ tier, price }) => [tier, price]));
  const discounted = order.lines.some(({ kind }) => kind === 'discount');
  const forSeat = ({ tier, price }: Seat) =>
    Array.from(states.keys()).filter((seat) => {
      const other = plan.tier[seat] ?? 0;
      return states[seat] === FREE && prices.get(other) === price && (!discounted || other === tier);
    });
  return { plan, order, forSeat };
}

export function Exchange({ id }: { id: string }) {
  const [choice, setChoice] = useState<Choice>();
  const [give, setGive] = useState<number>();
  const [section, setSection] = useState<number>();
  const [take, setTake] = useState<number>();
  const [failed, setFailed] = useState('');
  const [busy, setBusy] = useState(false);

  const during = async (work: () => Promise<void>) => {
    setBusy(true);
    setFailed('');
    await work().catch((error) => setFailed(sentence(error)));
    setBusy(false);
  };
  const open = () =>
    void during(async () => {
      const found = await look(id);
      setChoice(found);
      setGive(found.order.seats[0]?.seat_no);
    });
  const swap = () =>
    void during(async () => {
      await call(`/order/${id}/exchange`, { method: 'POST', body: { give: [give], take: [take] } });
      location.reload();
    });
  const alert = failed && (
    <p class="notice bad" role="alert">
      {failed}
    </p>
  );
  if (!choice) {
    return (
      <>
        {alert}
        <button class="button quiet wide" type="button" disabled={busy} onClick={open}>
          Change a seat
        </button>
      </>
    );
  }
  const { plan, order, forSeat } = choice;
  const own = order.seats.find(({ seat_no }) => seat_no === give);
  const free = own ? forSeat(own) : [];
  const sections = [...new Set(free.map((seat) => plan.sections.indexOf(sectionOf(plan, seat))))];
  const here = section !== undefined && sections.includes(section) ? section : sections[0];
  const seats = free.filter((seat) => plan.sections.indexOf(sectionOf(plan, seat)) === here);
  const chosen = take !== undefined && seats.includes(take) ? take : undefined;
  return (
    <>
      <div class="field">
        <label for="give">Your seat</label>
        <select id="give" value={String(give)} onChange={(event) => setGive(Number(event.currentTarget.value))}>
          {order.seats.map(({ seat_no }) => (
            <option key={seat_no} value={String(seat_no)}>
              {seatName(plan, seat_no)}
            </option>
          ))}
        </select>
      </div>
      {free.length === 0 ? (
        <p class="notice">No other seat is free at the price you paid.</p>
      ) : (
        <>
          <div class="field">
            <label for="section">Where to</label>
            <select
              id="section"
              value={String(here)}
              onChange={(event) => setSection(Number(event.currentTarget.value))}
            >
              {sections.map((at) => (
                <option key={at} value={String(at)}>
                  {plan.sections[at]?.name}
                </option>
              ))}
            </select>
          </div>
          <div class="field">
            <label for="take">Which seat</label>
            <select
              id="take"
              value={String(chosen ?? '')}
              onChange={(event) => setTake(Number(event.currentTarget.value))}
            >
              <option value="" disabled>
                Choose one of {seats.length}
              </option>
              {seats.map((seat) => (
                <option key={seat} value={String(seat)}>
                  {seatName(plan, seat)}
                </option>
              ))}
            </select>
          </div>
          <p class="muted">The price stays the same. The old ticket stops working at once, and you get a new one.</p>
          <button class="button wide" type="button" disabled={busy || chosen === undefined} onClick={swap}>
            Change it
          </button>
        </>
      )}
      {alert}
    </>
  );
}
