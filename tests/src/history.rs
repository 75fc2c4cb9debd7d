//! Recorded histories of an event's seats, and whether they could have come from seats that change hands one at a time.
//!
//! Each seat is a register: free, or somebody's. A history is linearizable when each operation can be given one instant between its
//! asking and its answer at which the register explains the answer (Herlihy and Wing); searched as Wing and Gong do, seat by seat,
//! which suffices since linearizability is local. An operation without an answer may have happened at any time from its asking
//! on, or never.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::time::Instant;

/// Who holds a seat: the reservation.
pub type Holder = String;

/// What one client did and was told.
#[derive(Clone, Debug)]
pub struct Operation {
    /// When it was asked for.
    pub asked: Instant,
    /// When the answer came; `None` when none ever did.
    pub answered: Option<Instant>,
    /// What was done, as far as is known.
    pub did: Did,
}

/// What an operation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Did {
    /// These seats were reserved, by entry `seq` of the log. Without an answer: they may have been.
    Took {
        /// The reservation.
        holder: Holder,
        /// All of them.
        seats: Vec<u32>,
        /// The receipt's number.
        seq: i64,
    },
    /// These seats were found to be somebody's.
    FoundTaken(Vec<u32>),
    /// A reservation was let go.
    Released {
        /// The reservation.
        holder: Holder,
        /// All its seats.
        seats: Vec<u32>,
    },
    /// What the tables say at the end of each seat.
    Read(BTreeMap<u32, Option<Holder>>),
}

/// Why a history cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// No order of the operations on this seat explains their answers.
    Seat(u32),
    /// Somebody asked only after another was answered, and stands before them in the log.
    Inversion {
        /// The receipt's number of who was answered first.
        earlier: i64,
        /// Of who asked then.
        later: i64,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seat(seat) => write!(f, "no order of what happened to seat {seat} explains the answers"),
            Self::Inversion { earlier, later } => {
                write!(f, "who asked after entry {earlier} was answered stands in entry {later}")
            }
        }
    }
}

/// Looks for a flaw.
#[must_use]
pub fn flaw(history: &[Operation]) -> Option<Flaw> {
    inversion(history).or_else(|| {
        let mut seats: BTreeMap<u32, Vec<Event>> = BTreeMap::new();
        for operation in history {
            for (seat, does) in effects(&operation.did) {
                seats.entry(seat).or_default().push(Event {
                    asked: operation.asked,
                    answered: operation.answered,
                    does,
                });
            }
        }
        seats.into_iter().find(|(_, events)| !is_linearizable(events)).map(|(seat, _)| Flaw::Seat(seat))
    })
}

/// What happened to a seat, in the order of asking, in milliseconds from the first: for whoever looks into a flaw.
#[must_use]
pub fn story(history: &[Operation], seat: u32) -> String {
    let mut on_it: Vec<&Operation> =
        history.iter().filter(|operation| effects(&operation.did).iter().any(|(of, _)| *of == seat)).collect();
    on_it.sort_by_key(|operation| operation.asked);
    let start = on_it.first().map(|operation| operation.asked);
    let ms = |at: Instant| start.map_or(0, |start| at.duration_since(start).as_millis());
    let line = |operation: &&Operation| {
        format!("{}..{:?} {:?}\n", ms(operation.asked), operation.answered.map(ms), operation.did)
    };
    on_it.iter().map(line).collect()
}

fn inversion(history: &[Operation]) -> Option<Flaw> {
    let mut took: Vec<(Instant, Instant, i64)> = history
        .iter()
        .filter_map(|operation| match (&operation.did, operation.answered) {
            (Did::Took { seq, .. }, Some(answered)) => Some((operation.asked, answered, *seq)),
            _ => None,
        })
        .collect();
    took.sort_by_key(|(asked, ..)| *asked);
    let mut answered: Vec<(Instant, i64)> = took.iter().map(|(_, answered, seq)| (*answered, *seq)).collect();
    answered.sort_unstable();
    let (mut at, mut highest) = (0, 0);
    for (asked, _, later) in took {
        while let Some((_, seq)) = answered.get(at).filter(|(answered, _)| *answered < asked) {
            highest = highest.max(*seq);
            at += 1;
        }
        if later < highest {
            return Some(Flaw::Inversion { earlier: highest, later });
        }
    }
    None
}

/// What an operation means for one seat.
#[derive(Clone, Debug)]
enum Does {
    Take(Holder),
    FindTaken,
    Free(Holder),
    Read(Option<Holder>),
}

#[derive(Debug)]
struct Event {
    asked: Instant,
    answered: Option<Instant>,
    does: Does,
}

fn effects(did: &Did) -> Vec<(u32, Does)> {
    match did {
        Did::Took { holder, seats, .. } => seats.iter().map(|seat| (*seat, Does::Take(holder.clone()))).collect(),
        Did::FoundTaken(seats) => seats.iter().map(|seat| (*seat, Does::FindTaken)).collect(),
        Did::Released { holder, seats } => seats.iter().map(|seat| (*seat, Does::Free(holder.clone()))).collect(),
        Did::Read(seats) => seats.iter().map(|(seat, holder)| (*seat, Does::Read(holder.clone()))).collect(),
    }
}

impl Does {
    /// Whether a register that holds this explains the answer.
    fn is_explained_by(&self, register: Option<&Holder>) -> bool {
        match self {
            Self::Take(_) => register.is_none(),
            Self::FindTaken => register.is_some(),
            Self::Free(holder) => register == Some(holder),
            Self::Read(holder) => register == holder.as_ref(),
        }
    }

    /// What the register holds afterwards.
    fn after(&self, register: Option<&Holder>) -> Option<Holder> {
        match self {
            Self::Take(holder) => Some(holder.clone()),
            Self::Free(_) => None,
            Self::FindTaken | Self::Read(_) => register.cloned(),
        }
    }
}

/// Whether some order of the events, each between its asking and its answer, explains all answers.
fn is_linearizable(events: &[Event]) -> bool {
    let mut seen = HashSet::new();
    let mut open = vec![(vec![false; events.len()], None::<Holder>)];
    while let Some((done, register)) = open.pop() {
        let left = || events.iter().zip(&done).filter(|(_, done)| !**done).map(|(event, _)| event);
        // Without an answer it need not have happened.
        if left().all(|event| event.answered.is_none()) {
            return true;
        }
        let first_answer = left().filter_map(|event| event.answered).min();
        for (at, event) in events.iter().enumerate().filter(|(at, _)| !done[*at]) {
            // What was answered before this was asked for comes before it.
            if first_answer.is_some_and(|first| first < event.asked) {
                continue;
            }
            if event.does.is_explained_by(register.as_ref()) {
                let (mut next, after) = (done.clone(), event.does.after(register.as_ref()));
                next[at] = true;
                if seen.insert((next.clone(), after.clone())) {
                    open.push((next, after));
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Operations on a clock of milliseconds: asked, answered (`None`: never), what.
    fn history(operations: &[(u64, Option<u64>, Did)]) -> Vec<Operation> {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let operation = |(asked, answered, did): &(u64, Option<u64>, Did)| Operation {
            asked: at(*asked),
            answered: answered.map(at),
            did: did.clone(),
        };
        operations.iter().map(operation).collect()
    }

    fn took(holder: &str, seats: &[u32], seq: i64) -> Did {
        Did::Took { holder: holder.into(), seats: seats.to_vec(), seq }
    }

    fn released(holder: &str, seats: &[u32]) -> Did {
        Did::Released { holder: holder.into(), seats: seats.to_vec() }
    }

    fn read(seat: u32, holder: Option<&str>) -> Did {
        Did::Read(BTreeMap::from([(seat, holder.map(str::to_owned))]))
    }

    #[test]
    fn what_can_be_is_let_be() {
        let fine = history(&[
            (0, Some(10), took("a", &[1, 2], 1)),
            // At the same time: refused, for it came second.
            (5, Some(9), Did::FoundTaken(vec![1])),
            (20, Some(30), released("a", &[1, 2])),
            (25, Some(40), took("b", &[1], 3)),
            // Never answered, and it happened.
            (50, None, took("c", &[2], 0)),
            (60, Some(61), Did::FoundTaken(vec![2])),
            // Never answered, and it did not happen.
            (50, None, took("d", &[1], 0)),
            (90, Some(91), read(1, Some("b"))),
        ]);
        assert_eq!(flaw(&fine), None);
    }

    #[test]
    fn a_seat_sold_twice_is_caught() {
        let twice = history(&[(0, Some(10), took("a", &[1], 1)), (5, Some(20), took("b", &[1], 2))]);
        assert_eq!(flaw(&twice), Some(Flaw::Seat(1)));
    }

    #[test]
    fn a_lost_acknowledgement_is_caught() {
        let lost = history(&[(0, Some(10), took("a", &[1], 1)), (20, Some(21), read(1, None))]);
        assert_eq!(flaw(&lost), Some(Flaw::Seat(1)));
        let given_away = history(&[(0, Some(10), took("a", &[1], 1)), (20, Some(21), read(1, Some("b")))]);
        assert_eq!(flaw(&given_away), Some(Flaw::Seat(1)));
    }

    #[test]
    fn half_a_group_is_caught() {
        let half = history(&[
            (0, None, took("a", &[1, 2], 1)),
            (20, Some(21), Did::Read(BTreeMap::from([(1, Some("a".into())), (2, Some("b".into()))]))),
        ]);
        assert_eq!(flaw(&half), Some(Flaw::Seat(2)));
    }

    #[test]
    fn a_refusal_of_a_free_seat_is_caught() {
        let stale = history(&[
            (0, Some(10), took("a", &[1], 1)),
            (20, Some(30), released("a", &[1])),
            (40, Some(50), Did::FoundTaken(vec![1])),
        ]);
        assert_eq!(flaw(&stale), Some(Flaw::Seat(1)));
    }

    #[test]
    fn a_release_that_comes_back_is_caught() {
        let back = history(&[
            (0, Some(10), took("a", &[1], 1)),
            (20, Some(30), released("a", &[1])),
            (40, Some(41), read(1, Some("a"))),
        ]);
        assert_eq!(flaw(&back), Some(Flaw::Seat(1)));
    }

    #[test]
    fn who_asked_later_and_stands_before_is_caught() {
        let before = history(&[(0, Some(10), took("a", &[1], 5)), (20, Some(30), took("b", &[2], 4))]);
        assert_eq!(flaw(&before), Some(Flaw::Inversion { earlier: 5, later: 4 }));
        let at_once = history(&[(0, Some(25), took("a", &[1], 5)), (20, Some(30), took("b", &[2], 4))]);
        assert_eq!(flaw(&at_once), None);
    }
}
