// The whole island: the map, its legend, the list, "best available" and the panel that leads to payment.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { call } from '../api';
import { money } from '../money';
import { signedIn } from '../session';
import type { Line } from './Basket';
import { Checkout } from './Checkout';
import { CodeField } from './CodeField';
import { follow } from './feed';
import { Legend, type Tier } from './Legend';
import { Listing } from './Listing';
import { MapView } from './MapView';
import { type Plan, type PlanJson, readPlan, rowAt, seatName, sectionOf } from './plan';
import { usePurchase } from './purchase';
import { nextPlace, toggled } from './selection';
import type { Target } from './stage';
import { FREE, freeByTier, HELD } from './states';
import { Waiting } from './Waiting';
import { WishForm } from './WishForm';

/** What the server writes into the page. */
export interface EventFacts {
  event_id: string;
  currency: string;
  tiers: Tier[];
  layout_hash: string;
  buyer_limit: number;
  hold_ttl_s: number;
  /** Prices are all there is to pay: no fee or tax is added to an order. */
  exact: boolean;
  /** Only members and those who have a code may buy yet. */
  presale: boolean;
}

export function Booth({ facts }: { facts: EventFacts }) {
  const [plan, setPlan] = useState<Plan>();
  const [states, setStates] = useState<Uint8Array>();
  const [failed, setFailed] = useState(false);

  useEffect(() => {
    let stop: (() => void) | undefined;
    let gone = false;
    const load = async () => {
      const read = readPlan(await call<PlanJson>(`/layout/${facts.layout_hash}`));
      setPlan(read);
      const stopFeed = await follow(facts.event_id, read.count, ({ of }) => setStates(of.slice()));
      if (gone) stopFeed();
      else stop = stopFeed;
    };
    load().catch(() => setFailed(true));
    return () => {
      gone = true;
      stop?.();
    };
  }, [facts]);

  if (failed) {
    return (
      <p class="notice bad" role="alert">
        The seat map could not be loaded.{' '}
        <button class="link" type="button" onClick={() => location.reload()}>
          Try again
        </button>
      </p>
    );
  }
  if (!plan || !states)
    return (
      <div class="booth">
        <div class="map" aria-busy="true" />
      </div>
    );
  return <Open facts={facts} plan={plan} states={states} />;
}

function Open({ facts, plan, states }: { facts: EventFacts; plan: Plan; states: Uint8Array }) {
  const { currency, tiers, buyer_limit: most } = facts;
  const purchase = usePurchase(facts.event_id);
  const { selection, held } = purchase;
  const [only, setOnly] = useState<number>();
  const [code, setCode] = useState('');
  const coded = code.trim() ? { code: code.trim() } : {};
  const [look, setLook] = useState<{ seat: number }>();
  const prices = useMemo(() => new Map(tiers.map(({ tier, price }) => [tier, price])), [tiers]);
  const priced = useMemo(() => new Set(prices.keys()), [prices]);
  const mine = useMemo(() => new Set(held ? held.seats.map(({ seat_no }) => seat_no) : selection), [held, selection]);
  const free = useMemo(() => freeByTier(states, plan.tier, plan.tiers.length), [states, plan]);
  const scene = useMemo(() => ({ states, mine, tier: only, priced }), [states, mine, only, priced]);
  useEffect(() => purchase.settle(states), [states]);
  useEffect(() => {
    const first = held?.seats[0];
    if (first) setLook({ seat: first.seat_no });
  }, [held?.reserve_id]);

  const price = (seat: number) => prices.get(plan.tier[seat] ?? 0);
  const toggle = (seat: number) => {
    if (held)
      return purchase.say({ kind: 'warn', text: 'You are holding seats already. Pay for them or let them go first.' });
    if (!mine.has(seat) && (states[seat] !== FREE || price(seat) === undefined)) {
      return purchase.say({ kind: 'warn', text: `${seatName(plan, seat)} is taken.` });
    }
    const next = toggled(selection, seat, most);
    purchase.choose(next);
    if (next === selection) purchase.say({ kind: 'warn', text: `One person may have ${most} seats of this concert.` });
  };
  const choose = (target: Target) => {
    if ('seat' in target) return toggle(target.seat);
    const floor = plan.sections[target.floor];
    const place = floor && nextPlace(floor.first, floor.end, selection, states);
    if (place === undefined) purchase.say({ kind: 'warn', text: 'This floor is sold out.' });
    else toggle(place);
  };
  const tell = (target: Target): [string, string] => {
    const seat = 'seat' in target ? target.seat : (plan.sections[target.floor]?.first ?? 0);
    const asked = price(seat);
    const cost =
      asked === undefined ? 'not for sale' : `${plan.tiers[plan.tier[seat] ?? 0]}, ${money(asked, currency)}`;
    if ('floor' in target) return [plan.sections[target.floor]?.name ?? '', `${cost}, any place`];
    const state = mine.has(seat) ? 'yours' : states[seat] === FREE ? 'free' : states[seat] === HELD ? 'held' : 'sold';
    const access = plan.accessible[seat] ? ', wheelchair accessible' : '';
    return [seatName(plan, seat), `${cost}, ${state}${access}`];
  };
  const line = (seat: number): Line => ({
    seat,
    title: sectionOf(plan, seat).general
      ? sectionOf(plan, seat).name
      : `Row ${rowAt(plan, seat).label}, seat ${plan.labels[seat]}`,
    detail: sectionOf(plan, seat).general ? 'General admission' : sectionOf(plan, seat).name,
    tier: plan.tier[seat] ?? 0,
    price: held?.seats.find(({ seat_no }) => seat_no === seat)?.price ?? price(seat) ?? 0,
    accessible: plan.accessible[seat] === 1,
  });
  return (
    <div class="booth">
      <div class="stack">
        <Legend tiers={tiers} currency={currency} free={free} only={only} choose={setOnly} />
        <MapView plan={plan} scene={scene} look={look} choose={choose} tell={tell} />
      </div>
      <div class="side">
        <section class="card panel stack checkout" aria-label="Your seats">
          <h3>{held ? 'Held for you' : 'Your seats'}</h3>
          <div aria-live="polite">
            {purchase.notice && <p class={`notice ${purchase.notice.kind}`}>{purchase.notice.text}</p>}
          </div>
          {!held && <CodeField code={code} presale={facts.presale} change={setCode} />}
          <Checkout
            lines={[...mine].map(line)}
            held={held}
            currency={currency}
            exact={facts.exact}
            lifetimeS={facts.hold_ttl_s}
            busy={purchase.busy}
            signedIn={signedIn()}
            extended={purchase.extended}
            remove={toggle}
            hold={() => purchase.hold({ seats: [...selection], ...coded })}
            pay={purchase.pay}
            extend={purchase.extend}
            release={purchase.release}
            over={purchase.over}
          />
        </section>
        {!held && (
          <Waiting
            event={facts.event_id}
            tiers={tiers}
            currency={currency}
            most={Math.min(most, 12)}
            soldOut={tiers.every(({ tier }) => !free[tier])}
            offered={purchase.look}
          />
        )}
        {!held && (
          <section class="card panel stack" aria-label="Other ways to choose">
            <h3>Best available</h3>
            <WishForm
              name="best"
              tiers={tiers}
              currency={currency}
              most={Math.min(most, 12)}
              busy={purchase.busy !== undefined}
              verb="Find the best seats"
              look="quiet"
              ask={(quantity, tier) => purchase.hold({ best_available: { quantity, tier }, ...coded })}
            />
            <Listing {...{ plan, states, mine, prices, currency, toggle }} />
          </section>
        )}
      </div>
    </div>
  );
}
