//! Takeovers, every story of them: owners that take the lane from each other at any time, pause between any two of their steps, die,
//! lose answers of Postgres whose commits come late or never; one stream of commands, which may be emptied.
//!
//! A lease only says when a lane may be taken, so here it may always be: what holds then holds by the fences, whatever clocks and
//! pauses do. What decides is the desk, what it writes to the simulation's tables. In each state the invariants hold, and from each an
//! owner that is left alone answers everything. Without a fence the same enumeration finds what goes wrong.

use super::desk::{Decided, Desk};
use super::loaded::Place;
use super::recall::{Told, keyed};
use super::sim::store::Store;
use crate::digest::Digest;
use crate::lane::fact::Fact;
use crate::lane::tests::{at, buyer, house, plan, terms};
use crate::lane::{Command, Done, Lane, Moment, Refusal};
use crate::reservation::{Ask, Receipt};
use model::HoldId;
use std::collections::HashSet;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use uuid::Uuid;

const OWNERS: usize = 2;
/// How often the lane is taken in one story, anew or again; `FRONTROW_MODEL_TAKES` makes the stories longer.
const TAKES_MAX: i64 = 3;
const BATCH_MAX: usize = 2;
const COMMANDS: usize = 4;

/// What keeps an owner that is none any more from doing harm.
#[derive(Clone, Copy, PartialEq)]
struct Fences {
    /// A batch says the epoch in which it was decided.
    epoch: bool,
    /// It says the entry it follows, too.
    seq: bool,
    /// Answers are told in the latest epoch that has read the stream.
    stream: bool,
}

const ALL: Fences = Fences { epoch: true, seq: true, stream: true };

/// A command in the stream: which, and after how many emptyings it was asked.
type Entry = (usize, u8);

type Answer = Result<Told, Refusal>;

#[derive(Clone)]
struct Owner {
    place: Place,
    desk: Desk,
    /// Its state may rest on what is not in the log.
    void: bool,
    hand: Vec<Entry>,
    writing: Option<Decided>,
    untold: Vec<(Entry, Answer)>,
}

/// A batch whose sender has given it up, on its way to the tables.
#[derive(Clone)]
struct Late {
    place: Place,
    lane: Lane,
    facts: Vec<Fact>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Takes the lane, or takes it again after trouble.
    Take(usize),
    /// Tells its answers and reads the stream.
    Exchange(usize),
    /// Looks whether the lane is still its own, and decides what it has in hand.
    Decide(usize),
    /// Writes what it decided, and knows it.
    Write(usize),
    /// Writes it without hearing so.
    WriteUnheard(usize),
    /// Gives it up while it is still on its way.
    GiveUp(usize),
    Die(usize),
    Arrive,
    Vanish,
    /// The stream is emptied; who was not answered asks again.
    Flush,
    /// The first was told of a hold: everybody else asks.
    Ask,
}

#[derive(Clone)]
struct World {
    fences: Fences,
    takes_max: i64,
    store: Store,
    owners: [Option<Owner>; OWNERS],
    late: Option<Late>,
    stream: Vec<Entry>,
    stream_epoch: i64,
    flushes: u8,
    told: [Option<Answer>; COMMANDS],
    /// What the first was told of.
    release: Vec<HoldId>,
    asked: usize,
}

impl World {
    fn new(fences: Fences) -> Self {
        let store = Store::new(house(&plan(&[(false, vec![vec![(0, false)]])])), terms());
        let takes_max = std::env::var("FRONTROW_MODEL_TAKES").map_or(TAKES_MAX, |text| text.parse().unwrap());
        Self {
            fences,
            takes_max,
            store,
            owners: [const { None }; OWNERS],
            late: None,
            stream: vec![(0, 0)],
            stream_epoch: 0,
            flushes: 0,
            told: [const { None }; COMMANDS],
            release: Vec::new(),
            asked: 1,
        }
    }

    /// One wants a seat and then another does; then the first lets it go, and asks once more under the first key.
    fn commands(&self) -> [Command; COMMANDS] {
        let (key, request) = ("k".to_owned(), Digest([0; 32]));
        let reserve = |who| {
            let ask = Ask::Seats(vec![0]);
            Command::Reserve { buyer: buyer(who), ask, code: None, key: key.clone(), request }
        };
        let release = Command::Release { buyer: buyer(1), holds: self.release.clone() };
        [reserve(1), reserve(2), release, reserve(1)]
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (who, owner) in self.owners.iter().enumerate() {
            let takes = self.store.place.epoch < self.takes_max;
            let Some(owner) = owner else {
                steps.extend(takes.then_some(Step::Take(who)));
                continue;
            };
            steps.push(Step::Die(who));
            if owner.writing.is_some() {
                steps.extend([Step::Write(who), Step::WriteUnheard(who)]);
                steps.extend(self.late.is_none().then_some(Step::GiveUp(who)));
            } else if owner.void {
                steps.extend(takes.then_some(Step::Take(who)));
            } else if !owner.hand.is_empty() {
                steps.push(Step::Decide(who));
            } else if !owner.untold.is_empty() || !self.stream.is_empty() {
                steps.push(Step::Exchange(who));
            }
        }
        steps.extend(self.late.is_some().then_some([Step::Arrive, Step::Vanish]).into_iter().flatten());
        steps.extend((self.asked < COMMANDS && self.told[0].is_some()).then_some(Step::Ask));
        steps.extend((self.flushes == 0 && !self.stream.is_empty()).then_some(Step::Flush));
        steps
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Take(who) => self.take(who),
            Step::Die(who) => self.owners[who] = None,
            Step::Arrive => {
                let Late { place, lane, facts } = self.late.take().unwrap();
                self.commit(&place, &lane, &facts);
            }
            Step::Vanish => self.late = None,
            Step::Ask => {
                if let Some(Ok(Told { done: Done::Held(hold), .. })) = &self.told[0] {
                    self.release = vec![hold.id];
                }
                self.stream.extend((self.asked..COMMANDS).map(|which| (which, self.flushes)));
                self.asked = COMMANDS;
            }
            Step::Flush => {
                self.flushes += 1;
                self.stream_epoch = 0;
                self.stream.iter_mut().for_each(|entry| entry.1 = self.flushes);
            }
            Step::Exchange(who) => self.with(who, Self::exchange),
            Step::Decide(who) => self.with(who, Self::decide),
            Step::Write(who) => self.with(who, |world, owner| {
                let decided = owner.writing.take().unwrap();
                match world.commit(&owner.place, &owner.desk.lane, &decided.facts) {
                    Some(place) => {
                        owner.place = place;
                        let entry = owner.place.receipt();
                        owner.desk.committed(&decided, entry);
                        owner.answer(decided.answers, Some(entry));
                    }
                    None => owner.trouble(decided),
                }
            }),
            Step::WriteUnheard(who) => self.with(who, |world, owner| {
                let decided = owner.writing.take().unwrap();
                world.commit(&owner.place, &owner.desk.lane, &decided.facts);
                owner.trouble(decided);
            }),
            Step::GiveUp(who) => self.with(who, |world, owner| {
                let decided = owner.writing.take().unwrap();
                let (place, lane) = (owner.place.clone(), owner.desk.lane.clone());
                world.late = Some(Late { place, lane, facts: decided.facts.clone() });
                owner.trouble(decided);
            }),
        }
    }

    fn with(&mut self, who: usize, act: impl FnOnce(&mut Self, &mut Owner)) {
        let mut owner = self.owners[who].take().unwrap();
        act(self, &mut owner);
        self.owners[who] = Some(owner);
    }

    /// As `LoadedLane::load`, or `reload` for one that had it before.
    fn take(&mut self, who: usize) {
        let (place, lane) = self.store.take(who, at(1)).expect("nobody's lease is renewed here");
        let recent = self.store.recalled(|_| true);
        self.owners[who] = Some(match self.owners[who].take() {
            Some(mut owner) if place.follows(&owner.place) => {
                let commands = self.commands();
                let open = owner.desk.open_keys(owner.hand.iter().map(|(which, _)| &commands[*which]));
                owner.desk.renew(lane, self.store.recalled(|key| open.contains(key)));
                Owner { place, void: false, ..owner }
            }
            // Another had it: what it had in hand and had not told is left.
            _ => {
                let (hand, untold) = (Vec::new(), Vec::new());
                Owner { place, desk: Desk::new(lane, recent), void: false, hand, writing: None, untold }
            }
        });
    }

    /// As the stream's script does it.
    fn exchange(&mut self, owner: &mut Owner) {
        if self.fences.stream && self.stream_epoch > owner.place.epoch {
            owner.untold.clear();
            owner.void = true;
            return;
        }
        self.stream_epoch = owner.place.epoch;
        for (entry, answer) in owner.untold.drain(..) {
            if let Some(at) = self.stream.iter().position(|waiting| *waiting == entry) {
                self.stream.remove(at);
                self.told[entry.0] = Some(answer);
            }
        }
        owner.hand = self.stream.iter().copied().take(BATCH_MAX).collect();
    }

    /// As `LoadedLane::batch`, whose look at the lane is here as fresh as it can be.
    fn decide(&mut self, owner: &mut Owner) {
        if owner.place != self.store.place {
            owner.void = true;
            return;
        }
        let commands = self.commands();
        let (place, mut minted) = (&owner.place, 0);
        let mut mint = || {
            minted += 1;
            let (epoch, seq) = (place.epoch.cast_unsigned(), place.seq.cast_unsigned());
            Uuid::from_u128(u128::from(epoch << 16 | seq << 8 | minted))
        };
        let mut moment = Moment { now: at(1), mint: &mut mint };
        let decided = owner.desk.decide(owner.hand.iter().map(|(which, _)| &commands[*which]), &mut moment);
        if decided.facts.is_empty() {
            owner.answer(decided.answers, None);
        } else {
            owner.writing = Some(decided);
        }
    }

    /// As the tables do it; a fence that is taken out compares nothing.
    fn commit(&mut self, place: &Place, lane: &Lane, facts: &[Fact]) -> Option<Place> {
        let mut place = place.clone();
        if !self.fences.epoch {
            place.epoch = self.store.place.epoch;
        }
        if !self.fences.seq {
            (place.seq, place.head) = (self.store.place.seq, self.store.place.head);
        }
        self.store.write(&place, lane, facts, at(1))
    }

    /// What holds in every state.
    fn check(&self) {
        self.store.check();
        let commands = self.commands();
        let mut first = None;
        for (command, told) in commands.iter().zip(&self.told) {
            let (Some((who, key, _)), Some(told)) = (keyed(command), told) else { continue };
            match told {
                Ok(Told { done: Done::Held(hold), receipt }) => {
                    let row = self.store.holds.get(&hold.id).expect("an acknowledged hold was lost");
                    assert_eq!(Some(row.receipt), *receipt, "the receipt is of the entry that made the hold");
                    let same = who == buyer(1) && *first.get_or_insert(hold.id) != hold.id;
                    assert!(!same, "the same key, another answer");
                }
                Ok(told) => panic!("{told:?} to who wants a seat"),
                Err(refusal) => assert!(!self.store.has_hold(who, key), "{refusal:?} to who has a hold"),
            }
        }
    }

    /// An owner that is left alone answers everything.
    fn settle(mut self) {
        self.owners = [const { None }; OWNERS];
        self.take(0);
        while self.told.iter().any(Option::is_none) {
            if self.stream.is_empty() {
                self.step(Step::Ask);
            }
            let before = self.stream.len();
            self.step(Step::Exchange(0));
            self.step(Step::Decide(0));
            if self.owners[0].as_ref().is_some_and(|owner| owner.writing.is_some()) {
                self.step(Step::Write(0));
            }
            self.step(Step::Exchange(0));
            assert!(self.stream.len() < before, "nothing was answered");
            self.owners[0].as_mut().unwrap().hand.clear();
            self.check();
        }
    }

    /// What makes a difference to what may follow.
    fn key(&self) -> String {
        let (place, log) = (&self.store.place, self.store.entries());
        let stream = (&self.stream, self.stream_epoch, self.flushes, self.asked);
        let commands = self.commands();
        let owner = |owner: &Owner| {
            let Owner { place, desk, void, hand, writing, untold } = owner;
            let known = commands.iter().filter_map(keyed).map(|(who, key, asked)| desk.recall.answer(who, key, asked));
            let known: Vec<_> = known.collect();
            let holds = [desk.lane.holds_of(buyer(1)), desk.lane.holds_of(buyer(2))];
            let (doubtful, facts) = (desk.open_keys(std::iter::empty()), writing.as_ref().map(|batch| &batch.facts));
            format!("{place:?} {void} {hand:?} {untold:?} {holds:?} {known:?} {doubtful:?} {facts:?}")
        };
        let owners: Vec<_> = self.owners.iter().flatten().map(owner).collect();
        let late = self.late.as_ref().map(|late| (&late.place, &late.facts));
        format!("{}/{log:?} {stream:?} {owners:?} {late:?} {:?}", place.epoch, self.told)
    }
}

impl Owner {
    fn answer(&mut self, answers: Vec<Answer>, entry: Option<Receipt>) {
        let told = |answer: Answer| answer.map(|told| Told { receipt: told.receipt.or(entry), ..told });
        let answers = answers.into_iter().map(told);
        self.untold = self.hand.drain(..).zip(answers).collect();
    }

    fn trouble(&mut self, decided: Decided) {
        self.desk.undone(decided);
        self.void = true;
    }
}

/// Goes through every story; gives the states and transitions there are.
fn explore(fences: Fences) -> (usize, u64) {
    let first = World::new(fences);
    let mut seen = HashSet::from([first.key()]);
    let (mut next, mut transitions) = (vec![first], 0);
    while let Some(world) = next.pop() {
        world.check();
        world.clone().settle();
        for step in world.steps() {
            let mut after = world.clone();
            after.step(step);
            transitions += 1;
            if seen.insert(after.key()) {
                next.push(after);
            }
        }
    }
    (seen.len(), transitions)
}

#[test]
fn no_takeover_loses_an_answer_or_gives_one_that_is_not_true() {
    let (states, transitions) = explore(ALL);
    writeln!(std::io::stderr(), "takeover: {states} states, {transitions} transitions").ok();
    assert!(states > 10_000, "only {states} states");
}

#[test]
fn without_its_fences_a_takeover_goes_wrong() {
    for fences in
        [Fences { epoch: false, seq: false, ..ALL }, Fences { epoch: false, ..ALL }, Fences { stream: false, ..ALL }]
    {
        assert!(catch_unwind(AssertUnwindSafe(|| explore(fences))).is_err());
    }
}
