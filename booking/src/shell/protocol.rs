//! The payment protocol, every story of it: one order with a few attempts, a provider that does what providers do, a worker that may
//! die between the provider's act and its own note, messages in every order, any number of times or never, and time.
//!
//! Enumerated breadth first to the last state. In each the invariants hold, and from each the poller and the worker alone lead to
//! where the lane and the provider agree: money is here for seats that are sold, and nowhere else. `FRONTROW_MODEL_ATTEMPTS` makes
//! the stories longer.

use super::changes::Changes;
use crate::digest::Digest;
use crate::lane::fact::Fact;
use crate::lane::tests::{at, buyer, house, plan, terms};
use crate::lane::{AttemptState, Command, Done, Lane, Moment};
use crate::order::{EffectTopic, OrderState, RefundBy, Report};
use crate::reservation::Ask;
use crate::seats::SeatState;
use model::{OrderId, PaymentId};
use std::collections::{HashSet, VecDeque};
use std::io::Write as _;
use uuid::Uuid;

const ATTEMPTS_MAX: usize = 2;
/// Rounds in which poller and worker must come to rest.
const ROUNDS_MAX: usize = 8;

/// How a payment stands at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum There {
    Open,
    Declined,
    Authorized,
    Captured,
    Voided,
    Refunded,
}

impl There {
    fn report(self) -> Option<Report> {
        match self {
            Self::Open => None,
            Self::Declined => Some(Report::Declined { reason: "no".into() }),
            Self::Authorized => Some(Report::Authorized),
            Self::Captured => Some(Report::Captured),
            Self::Voided => Some(Report::Voided),
            Self::Refunded => Some(Report::Refunded),
        }
    }

    /// Where an act leads; `None` when it is refused. Repeating one that was done is no other.
    fn after(self, topic: EffectTopic) -> Option<Self> {
        match (topic, self) {
            (EffectTopic::Capture, Self::Authorized | Self::Captured) => Some(Self::Captured),
            (EffectTopic::Void, Self::Open | Self::Declined | Self::Authorized | Self::Voided) => Some(Self::Voided),
            (EffectTopic::Refund, Self::Captured | Self::Refunded) => Some(Self::Refunded),
            _ => None,
        }
    }
}

/// An attempt at the provider, what was ever said of it, and what the provider has still to be told.
#[derive(Clone, Debug)]
struct Attempt {
    payment: PaymentId,
    there: There,
    said: Vec<There>,
    due: Vec<EffectTopic>,
    ever_due: Vec<EffectTopic>,
}

/// What may happen next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The buyer goes to pay once more.
    Buy,
    /// The provider's side of an attempt: the buyer pays or is declined, or the provider does something unasked.
    Provider(usize, There),
    /// One of the messages about an attempt arrives, for the first time or again.
    Message(usize, There),
    /// The worker carries an effect out, and notes it.
    Worker(usize, EffectTopic),
    /// The worker carries an effect out and dies.
    WorkerDies(usize, EffectTopic),
    /// The hold's time is over.
    Expire,
    /// Somebody else takes one of the seats, or lets it go.
    Rival,
    /// The seller undoes the order.
    Undo,
}

#[derive(Clone)]
struct World {
    lane: Lane,
    minted: u128,
    late: bool,
    rival: u8,
    order: Option<OrderId>,
    attempts: Vec<Attempt>,
}

/// An attempt here, there, what was said of it, what is due and what ever was.
type Standing = (Option<&'static str>, There, Vec<There>, Vec<&'static str>, Vec<&'static str>);

/// A world without what makes no difference to what may follow.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    order: Option<OrderState>,
    attempts: Vec<Standing>,
    seats: Vec<u8>,
    late: bool,
    rival: u8,
}

impl World {
    fn new() -> Self {
        let plan = plan(&[(false, vec![vec![(0, false); 2]])]);
        let lane = Lane::new(house(&plan), terms());
        let mut world = Self { lane, minted: 0, late: false, rival: 0, order: None, attempts: Vec::new() };
        let seats = Command::Reserve {
            buyer: buyer(1),
            ask: Ask::Seats(vec![0, 1]),
            code: None,
            key: "k".into(),
            request: Digest([0; 32]),
        };
        world.run(&seats).unwrap();
        world
    }

    /// The lane decides; what it decided is due.
    fn run(&mut self, command: &Command) -> Option<Done> {
        let now = at(if self.late { 500 } else { 1 });
        let minted = &mut self.minted;
        let mut mint = || {
            *minted += 1;
            Uuid::from_u128(*minted)
        };
        let mut facts = Vec::new();
        let mut moment = Moment { now, mint: &mut mint };
        self.lane.expire(&mut moment, &mut facts);
        let done = self.lane.decide(command, &mut moment, &mut facts);
        self.write(&facts);
        done.ok()
    }

    fn write(&mut self, facts: &[Fact]) {
        let changes = Changes::of(facts);
        for (payment, topic) in &changes.effects {
            let attempt =
                self.attempts.iter_mut().find(|attempt| attempt.payment == *payment).expect("an attempt that is open");
            assert!(!attempt.ever_due.contains(topic), "outbox_dedup_key: {topic:?} twice");
            attempt.ever_due.push(*topic);
            attempt.due.push(*topic);
        }
    }

    fn order_state(&self) -> Option<OrderState> {
        Some(self.lane.order(self.order?)?.state)
    }

    fn here(&self, attempt: &Attempt) -> Option<AttemptState> {
        let order = self.lane.order(self.order?)?;
        Some(order.attempts.iter().find(|known| known.payment == attempt.payment)?.state)
    }

    fn is_awaited(&self, which: usize, topic: EffectTopic) -> bool {
        match (topic, self.here(&self.attempts[which])) {
            (EffectTopic::Capture, state) => state == Some(AttemptState::Capturing),
            (EffectTopic::Void, state) => state == Some(AttemptState::Voiding),
            (EffectTopic::Refund, Some(AttemptState::Captured)) => self.order_state() == Some(OrderState::Refunding),
            (EffectTopic::Refund, state) => state == Some(AttemptState::Returning),
        }
    }

    fn report(&mut self, which: usize, there: There) {
        let (Some(order), Some(report)) = (self.order, there.report()) else { return };
        let payment = self.attempts[which].payment;
        self.run(&Command::Settle { order, payment, report });
    }

    fn stands(&mut self, which: usize, there: There) {
        let attempt = &mut self.attempts[which];
        attempt.there = there;
        if !attempt.said.contains(&there) {
            attempt.said.push(there);
        }
    }

    /// As the worker does it; whoever dies in between has noted nothing.
    fn carry_out(&mut self, which: usize, topic: EffectTopic, dies: bool) {
        if !self.is_awaited(which, topic) {
            return self.attempts[which].due.retain(|due| *due != topic);
        }
        match self.attempts[which].there.after(topic) {
            Some(there) => {
                self.stands(which, there);
                if dies {
                    return;
                }
                self.report(which, there);
            }
            None => self.report(which, self.attempts[which].there),
        }
        assert!(!self.is_awaited(which, topic), "{topic:?} would be given up: {:?}", self.attempts);
        self.attempts[which].due.retain(|due| *due != topic);
    }

    fn steps(&self, attempts_max: usize) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.attempts.len() < attempts_max {
            steps.push(Step::Buy);
        }
        for (which, attempt) in self.attempts.iter().enumerate() {
            let there = match attempt.there {
                There::Open => &[There::Authorized, There::Declined, There::Voided][..],
                // On Stripe's page one may try again.
                There::Declined => &[There::Authorized],
                There::Authorized => &[There::Captured, There::Voided],
                There::Captured => &[There::Refunded],
                There::Voided | There::Refunded => &[],
            };
            steps.extend(there.iter().map(|there| Step::Provider(which, *there)));
            steps.extend(attempt.said.iter().map(|there| Step::Message(which, *there)));
            steps.extend(attempt.due.iter().map(|topic| Step::Worker(which, *topic)));
            steps.extend(attempt.due.iter().map(|topic| Step::WorkerDies(which, *topic)));
        }
        steps.extend((!self.late).then_some(Step::Expire));
        steps.extend((self.late && self.rival < 2).then_some(Step::Rival));
        steps.extend(
            matches!(self.order_state(), Some(OrderState::Confirmed | OrderState::Captured)).then_some(Step::Undo),
        );
        steps
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Buy => {
                let key = self.attempts.len().to_string();
                let bought = self.run(&Command::Buy { buyer: buyer(1), hold: None, key });
                let Some(Done::Checkout { order, payment }) = bought else { return };
                self.order = Some(order);
                if self.attempts.iter().all(|attempt| attempt.payment != payment) {
                    let (said, due, ever_due) = (Vec::new(), Vec::new(), Vec::new());
                    self.attempts.push(Attempt { payment, there: There::Open, said, due, ever_due });
                }
            }
            Step::Provider(which, there) => self.stands(which, there),
            Step::Message(which, there) => self.report(which, there),
            Step::Worker(which, topic) => self.carry_out(which, topic, false),
            Step::WorkerDies(which, topic) => self.carry_out(which, topic, true),
            Step::Expire => {
                self.late = true;
                self.run(&Command::Wake);
            }
            Step::Rival => {
                let seat = Ask::Seats(vec![1]);
                let (key, request) = (self.rival.to_string(), Digest([0; 32]));
                let take = Command::Reserve { buyer: buyer(2), ask: seat, code: None, key, request };
                self.run(&if self.rival == 0 {
                    take
                } else {
                    Command::Release { buyer: buyer(2), holds: self.lane.holds_of(buyer(2)) }
                });
                self.rival += 1;
            }
            Step::Undo => {
                let order = self.order.unwrap();
                self.run(&Command::Refund { order, by: RefundBy::Seller });
            }
        }
    }

    fn key(&self) -> Key {
        let sorted = |mut names: Vec<There>| {
            names.sort_by_key(|there| *there as u8);
            names
        };
        let topics = |topics: Vec<EffectTopic>| {
            let mut names: Vec<_> = topics.into_iter().map(EffectTopic::as_str).collect();
            names.sort_unstable();
            names
        };
        let attempt = |attempt: &Attempt| {
            let Attempt { there, said, due, ever_due, .. } = attempt.clone();
            (self.here(attempt).map(AttemptState::as_str), there, sorted(said), topics(due), topics(ever_due))
        };
        Key {
            order: self.order_state(),
            attempts: self.attempts.iter().map(attempt).collect(),
            seats: self.lane.seats().iter().map(|seat| *seat as u8).collect(),
            late: self.late,
            rival: self.rival,
        }
    }

    /// What holds in every state.
    fn check(&self) {
        let here: Vec<_> = self.attempts.iter().filter_map(|attempt| self.here(attempt)).collect();
        let paying = |state: &&AttemptState| matches!(state, AttemptState::Capturing | AttemptState::Captured);
        let paying = here.iter().filter(paying).count();
        let sold = matches!(self.order_state(), Some(OrderState::Confirmed | OrderState::Captured));
        assert!(paying <= 1, "payment_one_capture: {here:?}");
        assert!(!sold || paying == 1, "sold, and nothing pays for it: {here:?}");
        let asked = self.attempts.iter().filter(|attempt| attempt.ever_due.contains(&EffectTopic::Capture)).count();
        assert!(asked <= 1, "the money was asked for twice");
        let seats = self.lane.seats().iter().filter(|seat| **seat == SeatState::Sold).count();
        assert_eq!(seats, if sold { 2 } else { 0 }, "sold and paid for go together");
    }

    /// Poller and worker alone come to rest, and then money is there for what is sold, and for nothing else.
    fn settle(mut self) {
        for round in 0.. {
            assert!(round < ROUNDS_MAX, "no rest: {:?}", self.attempts);
            let before = self.key();
            for which in 0..self.attempts.len() {
                self.report(which, self.attempts[which].there);
                for topic in self.attempts[which].due.clone() {
                    self.carry_out(which, topic, false);
                }
            }
            self.check();
            if self.key() == before {
                break;
            }
        }
        let state = self.order_state();
        for attempt in &self.attempts {
            let here = self.here(attempt);
            assert_eq!(attempt.due, [], "{attempt:?}");
            assert_ne!(attempt.there, There::Authorized, "money is held for nothing: {here:?} {state:?}");
            let sold = state == Some(OrderState::Captured) && here == Some(AttemptState::Captured);
            assert_eq!(attempt.there == There::Captured, sold, "{attempt:?} here {here:?} of {state:?}");
        }
        let open = matches!(state, Some(OrderState::Authorized | OrderState::Confirmed | OrderState::Refunding));
        assert!(!open, "{state:?} is no end");
    }
}

#[test]
fn every_story_of_a_payment_ends_with_the_money_where_the_seats_are() {
    let attempts_max = std::env::var("FRONTROW_MODEL_ATTEMPTS").ok().map_or(ATTEMPTS_MAX, |text| text.parse().unwrap());
    let first = World::new();
    let mut seen = HashSet::from([first.key()]);
    let mut next = VecDeque::from([first]);
    let (mut transitions, mut ends) = (0_u64, HashSet::new());
    while let Some(world) = next.pop_front() {
        world.check();
        ends.extend(world.order_state());
        world.clone().settle();
        for step in world.steps(attempts_max) {
            let mut after = world.clone();
            after.step(step);
            transitions += 1;
            if seen.insert(after.key()) {
                next.push_back(after);
            }
        }
    }
    writeln!(std::io::stderr(), "payment protocol: {} states, {transitions} transitions", seen.len()).ok();
    assert!(seen.len() > 10_000, "only {} states", seen.len());
    assert_eq!(ends.len(), 7, "every state an order can rest in between commands: {ends:?}");
}
