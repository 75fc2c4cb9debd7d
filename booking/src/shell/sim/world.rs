//! Processes, clients, the net and time between them. Every choice is the seed's.

use super::store::Store;
use crate::digest::Digest;
use crate::lane::tests::{CODE, at, buyer, house, plan, terms};
use crate::lane::{Command, Done, Moment, Refusal};
use crate::order::{OrderState, Report};
use crate::reservation::{Ask, BestAvailable, Receipt};
use crate::shell::desk::{Decided, Desk};
use crate::shell::loaded::Place;
use crate::shell::recall::Told;
use jiff::{SignedDuration, Timestamp};
use model::{OrderId, PaymentId, SeatNo};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::VecDeque;
use std::ops::AddAssign;
use uuid::Uuid;

const PROCESSES: usize = 3;
const BUYERS: u128 = 24;
const LEASE: SignedDuration = SignedDuration::from_secs(3);
const TERMS_AGE_MAX: SignedDuration = SignedDuration::from_millis(200);
const BATCH_MAX: usize = 6;
const INBOX_MAX: usize = 12;

/// What came to pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) handled: u64,
    held: u64,
    refused: u64,
    repeated: u64,
    sold: u64,
    exchanged: u64,
    batches: u64,
    takeovers: u64,
    fenced: u64,
    crashes: u64,
    answers_lost: u64,
    writes_lost: u64,
    given_up: u64,
}

impl Tally {
    /// Each count under its name.
    pub(super) fn by_name(&self) -> [(&'static str, u64); 12] {
        [
            ("holds", self.held),
            ("refusals", self.refused),
            ("repeats", self.repeated),
            ("sales", self.sold),
            ("exchanges", self.exchanged),
            ("batches", self.batches),
            ("takeovers", self.takeovers),
            ("batches fenced out", self.fenced),
            ("crashes", self.crashes),
            ("lost answers", self.answers_lost),
            ("lost writes", self.writes_lost),
            ("batches given up", self.given_up),
        ]
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.handled += other.handled;
        self.held += other.held;
        self.refused += other.refused;
        self.repeated += other.repeated;
        self.sold += other.sold;
        self.exchanged += other.exchanged;
        self.batches += other.batches;
        self.takeovers += other.takeovers;
        self.fenced += other.fenced;
        self.crashes += other.crashes;
        self.answers_lost += other.answers_lost;
        self.writes_lost += other.writes_lost;
        self.given_up += other.given_up;
    }
}

/// Something a client wants, and what it was told.
struct Request {
    command: Command,
    /// The last place in the log that anybody had been told of when this was first sent.
    floor: (i64, usize),
    told: Option<Told>,
}

/// A batch that is decided and on its way to the disk.
struct Batch {
    decided: Decided,
    requests: Vec<usize>,
}

#[derive(Default)]
struct Process {
    asleep_until: Option<Timestamp>,
    /// How far its clock is from the database's, in microseconds.
    skew_us: i64,
    serving: Option<Serving>,
    inbox: VecDeque<usize>,
}

struct Serving {
    place: Place,
    desk: Desk,
    seen_at: Timestamp,
    void: bool,
    writing: Option<Batch>,
}

/// How a write ends.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Done,
    /// Nothing was written, and the process knows that something is wrong.
    NotWritten,
    /// Written, but for all the process knows it was not.
    AnswerLost,
    /// The process dies before the write, or after it.
    Dies {
        written: bool,
    },
}

/// One simulated event.
pub(super) struct World {
    random: SmallRng,
    now: Timestamp,
    minted: u128,
    store: Store,
    processes: Vec<Process>,
    requests: Vec<Request>,
    /// Checkouts that clients know of.
    checkouts: Vec<(OrderId, PaymentId)>,
    floor: (i64, usize),
    tally: Tally,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let row = |tier, length| vec![(tier, false); length];
        let plan = plan(&[(false, vec![row(0, 8), row(1, 8)]), (true, vec![row(0, 10)])]);
        let processes = (0..PROCESSES).map(|_| Process::default()).collect();
        Self {
            random: SmallRng::seed_from_u64(seed),
            now: at(1),
            minted: 0,
            store: Store::new(house(&plan), terms()),
            processes,
            requests: Vec::new(),
            checkouts: Vec::new(),
            floor: (0, 0),
            tally: Tally::default(),
        }
    }

    fn one_in(&mut self, many: u32) -> bool {
        self.random.random_range(0..many) == 0
    }

    fn pick(&mut self, count: usize) -> usize {
        self.random.random_range(0..count)
    }

    /// Something happens.
    pub(super) fn step(&mut self) {
        let process = self.pick(PROCESSES);
        match self.random.random_range(0..100_u32) {
            0..40 => self.ask_anew(),
            40..50 if !self.requests.is_empty() => self.ask_again(),
            50..52 => self.sleep(process),
            52 => self.crash(process),
            53 if self.one_in(8) => self.change_terms(),
            54..60 => self.pass(),
            _ => self.turn(process),
        }
    }

    fn pass(&mut self) {
        // Mostly moments, at times what a hold lives for.
        let ms = if self.one_in(40) { 40_000 } else { self.random.random_range(1..80) };
        self.now += SignedDuration::from_millis(ms);
    }

    fn sleep(&mut self, process: usize) {
        let ms = self.random.random_range(100..6_000);
        self.processes[process].asleep_until = Some(self.now + SignedDuration::from_millis(ms));
        self.processes[process].skew_us = self.random.random_range(-3_000..1_000);
    }

    fn crash(&mut self, process: usize) {
        self.processes[process] = Process::default();
        self.tally.crashes += 1;
    }

    fn change_terms(&mut self) {
        let price = self.random.random_range(10..90);
        self.store.terms.prices.insert(1, price);
        self.store.place.terms += 1;
    }

    fn ask_anew(&mut self) {
        let command = self.command();
        self.requests.push(Request { command, floor: self.floor, told: None });
        self.send(self.requests.len() - 1);
    }

    fn ask_again(&mut self) {
        // Of late, mostly: who is not answered asks again.
        let reach = if self.one_in(10) { 2_000 } else { 40 };
        let back = self.pick(self.requests.len().min(reach));
        self.tally.repeated += 1;
        self.send(self.requests.len() - 1 - back);
    }

    /// Some have a code, which is good for so many only.
    fn code(&mut self) -> Option<String> {
        self.one_in(5).then(|| CODE.to_owned())
    }

    fn command(&mut self) -> Command {
        let who = buyer(self.random.random_range(0..BUYERS));
        let key = self.requests.len().to_string();
        let best = |quantity| BestAvailable { quantity, ..BestAvailable::default() };
        match self.random.random_range(0..22_u32) {
            20 => Command::Join { buyer: who, want: best(2), after: self.store.last_place(who) },
            21 => Command::Leave { buyer: who, place: self.store.last_place(who) },
            0..6 => {
                let first: SeatNo = self.random.random_range(0..26);
                let ask = Ask::Seats((first..(first + self.random.random_range(1..4)).min(26)).collect());
                Command::Reserve { buyer: who, ask, code: self.code(), key, request: Digest([1; 32]) }
            }
            6..10 => {
                let quantity = self.random.random_range(1..5);
                let ask = Ask::Best(best(quantity));
                Command::Reserve { buyer: who, ask, code: self.code(), key, request: Digest([2; 32]) }
            }
            10 => Command::Extend { buyer: who },
            11..14 => Command::Release { buyer: who, holds: self.store.live(who) },
            14..17 => Command::Buy { buyer: who, hold: None, key },
            _ if !self.checkouts.is_empty() => {
                let back = self.pick(self.checkouts.len().min(8));
                let (order, payment) = self.checkouts[self.checkouts.len() - 1 - back];
                if let Some(known) = self.store.order(order)
                    && known.state == OrderState::Captured
                    && !self.one_in(4)
                {
                    let (buyer, give) = (known.hold.buyer, vec![known.hold.seats[0]]);
                    return Command::Exchange { order, buyer, give, take: vec![self.random.random_range(0..26)] };
                }
                let report = match self.random.random_range(0..8_u32) {
                    0 => Report::Authorized,
                    1 => Report::Captured,
                    2 => Report::Voided,
                    _ => Report::Declined { reason: "no".into() },
                };
                Command::Settle { order, payment, report }
            }
            _ => Command::Wake,
        }
    }

    /// The net: a request arrives at some process, or at none, or twice.
    fn send(&mut self, request: usize) {
        if self.one_in(30) {
            return;
        }
        let serving = self.processes.iter().position(|process| process.serving.is_some());
        let astray = self.one_in(10);
        let process = match serving {
            Some(process) if !astray => process,
            _ => self.pick(PROCESSES),
        };
        let copies = if self.one_in(30) { 2 } else { 1 };
        for _ in 0..copies {
            let inbox = &mut self.processes[process].inbox;
            if inbox.len() < INBOX_MAX {
                inbox.push_back(request);
            }
        }
    }

    /// A process does its next thing, if it is awake.
    fn turn(&mut self, process: usize) {
        if self.processes[process].asleep_until.is_some_and(|until| until > self.now) {
            return;
        }
        self.processes[process].asleep_until = None;
        self.store.renew(process, self.now + LEASE);
        let Some(mut serving) = self.processes[process].serving.take().or_else(|| self.take(process)) else {
            // Another's: everyone is told to ask again.
            self.tally.handled += self.processes[process].inbox.len() as u64;
            self.processes[process].inbox.clear();
            return;
        };
        let goes_on = match serving.writing.take() {
            Some(batch) => self.write(process, &mut serving, batch),
            None => self.decide(process, &mut serving),
        };
        if goes_on {
            self.processes[process].serving = Some(serving);
        }
    }

    fn take(&mut self, process: usize) -> Option<Serving> {
        let (place, lane) = self.store.take(process, self.now)?;
        self.tally.takeovers += 1;
        self.store.check();
        let desk = Desk::new(lane, self.store.recalled(|_| true));
        Some(Serving { place, desk, seen_at: self.now, void: false, writing: None })
    }

    /// After trouble: reads the state anew, and decides the same requests again. When that fails too, everyone is told so, and the
    /// state stays void. False when another has the lane.
    fn recover(&mut self, process: usize, serving: &mut Serving, requests: Vec<usize>) -> bool {
        serving.void = true;
        if self.one_in(4) {
            self.tally.given_up += 1;
            return true;
        }
        let Some((place, lane)) = self.store.take(process, self.now) else { return false };
        if place.follows(&serving.place) {
            let open = serving.desk.open_keys(requests.iter().map(|request| &self.requests[*request].command));
            serving.desk.renew(lane, self.store.recalled(|key| open.contains(key)));
            (serving.place, serving.seen_at, serving.void) = (place, self.now, false);
            self.decide_these(process, serving, requests);
        } else {
            // Another had it: who asked is told to ask again.
            serving.desk = Desk::new(lane, self.store.recalled(|_| true));
            (serving.place, serving.seen_at, serving.void) = (place, self.now, false);
        }
        true
    }

    fn decide(&mut self, process: usize, serving: &mut Serving) -> bool {
        let count = self.pick(BATCH_MAX) + 1;
        let inbox = &mut self.processes[process].inbox;
        let requests: Vec<usize> = inbox.drain(..count.min(inbox.len())).collect();
        if serving.void {
            return self.recover(process, serving, requests);
        }
        if self.now.duration_since(serving.seen_at) >= TERMS_AGE_MAX {
            if serving.place != self.store.place {
                return self.recover(process, serving, requests);
            }
            serving.seen_at = self.now;
        }
        self.decide_these(process, serving, requests);
        true
    }

    fn decide_these(&mut self, process: usize, serving: &mut Serving, requests: Vec<usize>) {
        for request in &requests {
            let order = match &self.requests[*request].command {
                Command::Settle { order, .. } | Command::Exchange { order, .. }
                    if serving.desk.lane.order(*order).is_none() =>
                {
                    self.store.order(*order)
                }
                Command::Buy { hold: Some(hold), .. } => self.store.order_of(*hold),
                _ => None,
            };
            if let Some(order) = order {
                serving.desk.lane.adopt(order);
            }
        }
        let now = self.now + SignedDuration::from_micros(self.processes[process].skew_us);
        let minted = &mut self.minted;
        let mut mint = || {
            *minted += 1;
            Uuid::from_u128(*minted)
        };
        let commands = requests.iter().map(|request| &self.requests[*request].command);
        let decided = serving.desk.decide(commands, &mut Moment { now, mint: &mut mint });
        if decided.facts.is_empty() {
            self.answer(&requests, decided.answers, None);
        } else {
            serving.writing = Some(Batch { decided, requests });
        }
    }

    fn write(&mut self, process: usize, serving: &mut Serving, batch: Batch) -> bool {
        let fate = match self.random.random_range(0..60_u32) {
            0 => Fate::NotWritten,
            1 => Fate::AnswerLost,
            2 => Fate::Dies { written: false },
            3 => Fate::Dies { written: true },
            _ => Fate::Done,
        };
        let Batch { decided, requests } = batch;
        let reaches = !matches!(fate, Fate::NotWritten | Fate::Dies { written: false });
        let lane = &serving.desk.lane;
        let written = reaches.then(|| self.store.write(&serving.place, lane, &decided.facts, self.now)).flatten();
        self.tally.batches += u64::from(written.is_some());
        self.tally.fenced += u64::from(reaches && written.is_none());
        match (fate, written) {
            (Fate::Done, Some(place)) => {
                let receipt = place.receipt();
                (serving.place, serving.seen_at) = (place, self.now);
                serving.desk.committed(&decided, receipt);
                self.answer(&requests, decided.answers, Some(receipt));
                serving.desk.lane.forget_ended_orders();
                true
            }
            (Fate::Dies { .. }, _) => {
                self.crash(process);
                false
            }
            _ => {
                self.tally.writes_lost += u64::from(fate != Fate::Done);
                serving.desk.undone(decided);
                self.recover(process, serving, requests)
            }
        }
    }

    fn answer(&mut self, requests: &[usize], answers: Vec<Result<Told, Refusal>>, entry: Option<Receipt>) {
        assert_eq!(requests.len(), answers.len());
        for (request, answer) in requests.iter().zip(answers) {
            self.tally.handled += 1;
            if self.one_in(30) {
                self.tally.answers_lost += 1;
                continue;
            }
            match answer {
                Ok(told) => self.told(*request, &Told { receipt: told.receipt.or(entry), ..told }),
                Err(refusal) => self.refused(*request, &refusal),
            }
        }
    }

    /// A client is told no: then nothing was done under its key.
    fn refused(&mut self, request: usize, refusal: &Refusal) {
        if let Command::Reserve { buyer, key, .. } = &self.requests[request].command {
            assert!(!self.store.has_hold(*buyer, key), "{refusal:?} to a request whose hold is in the tables");
        }
        self.tally.refused += 1;
    }

    /// A client has its answer: it must be the first one to its key, and in the tables.
    fn told(&mut self, request: usize, told: &Told) {
        let Request { command, floor, .. } = &self.requests[request];
        match &told.done {
            Done::Held(hold) => {
                let row = self.store.holds.get(&hold.id).expect("an acknowledged hold was lost");
                let seats = row.first_seats.as_ref().unwrap_or(&row.hold.seats);
                assert_eq!((seats, row.first_expires_at), (&hold.seats, hold.expires_at));
                assert_eq!(Some(row.receipt), told.receipt, "the receipt is the entry's that made the hold");
                assert_eq!(row.receipt.hash, self.store.hash(row.receipt.seq));
                let place = self.store.places[&hold.id];
                assert!(place > *floor, "who asked after {floor:?} was answered stands at {place:?}");
                self.floor = self.floor.max(place);
                self.tally.held += 1;
            }
            Done::Checkout { order, payment } => {
                let is_there = self.store.order(*order).is_some() && self.store.has_payment(*payment);
                assert!(is_there, "an acknowledged order was lost");
                self.checkouts.push((*order, *payment));
            }
            Done::Released(_) | Done::Extended | Done::Noted => {}
        }
        if let Command::Exchange { order, take, .. } = command {
            let has = self.store.order(*order).is_some_and(|order| order.hold.seats.contains(&take[0]));
            self.tally.exchanged += u64::from(has);
        }
        if let Command::Settle { order, .. } = command {
            self.tally.sold += u64::from(self.store.is_sold(*order));
        }
        if let Command::Reserve { .. } = command {
            let first = self.requests[request].told.get_or_insert_with(|| told.clone());
            assert_eq!(first.done, told.done, "the same key, another answer");
        }
    }

    /// Everyone wakes, what is due is done, and all of it is looked at.
    pub(super) fn end(mut self) -> Tally {
        self.now += SignedDuration::from_secs(300);
        self.processes.iter_mut().for_each(|process| *process = Process::default());
        // Who waits is offered what comes back, and lets it go in turn.
        while self.store.load().first_expiry().is_some() {
            self.turn(0);
            self.now += SignedDuration::from_secs(60);
        }
        self.store.check();
        for request in &self.requests {
            if let Some(Told { done: Done::Held(hold), .. }) = &request.told {
                assert!(self.store.holds.contains_key(&hold.id), "an acknowledged hold was lost");
            }
        }
        self.tally
    }
}
