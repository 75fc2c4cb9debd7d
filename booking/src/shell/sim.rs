//! A deterministic simulation of lanes and their shell: processes that crash, sleep and take over from each other, a net that loses,
//! repeats and delays, a disk whose answers get lost, clocks that are wrong by a little. All of it follows from one seed.
//!
//! What decides is the real thing: the desk (lane and recall), the rows a batch comes to, the chain. What it writes to is a model of the
//! tables that holds their constraints (`store`); what it runs in is a model of the shell's steps (`world`). After each step the
//! invariants hold, or the seed is printed; `FRONTROW_SIM_SEED` runs that one again, `FRONTROW_SIM_STEPS` makes the run longer.

pub(super) mod store;
mod world;

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use world::{Tally, World};

/// Commands that are handled in the short run.
const STEPS: u64 = 1_000_000;
/// Steps of one world.
const WORLD_STEPS: u64 = 2_000;

/// Says which seed it was when a world ends in a panic.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            writeln!(std::io::stderr(), "the world that failed: FRONTROW_SIM_SEED={}", self.0).ok();
        }
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

fn run(seed: u64) -> Tally {
    let _seed = Seed(seed);
    let mut world = World::new(seed);
    for _ in 0..WORLD_STEPS {
        world.step();
    }
    world.end()
}

#[test]
fn no_fault_loses_an_answer_or_sells_a_seat_twice() {
    if let Some(seed) = setting("FRONTROW_SIM_SEED") {
        run(seed);
        return;
    }
    let steps = setting("FRONTROW_SIM_STEPS").unwrap_or(STEPS);
    let (next, handled) = (AtomicU64::new(0), AtomicU64::new(0));
    let worlds = || {
        let mut all = Tally::default();
        while handled.load(Ordering::Relaxed) < steps {
            let tally = run(next.fetch_add(1, Ordering::Relaxed));
            handled.fetch_add(tally.handled, Ordering::Relaxed);
            all += tally;
        }
        all
    };
    let all = std::thread::scope(|scope| {
        let other = scope.spawn(worlds);
        let mut all = worlds();
        all += other.join().unwrap();
        all
    });
    assert!(all.handled >= steps);
    // A simulation in which nothing goes wrong shows nothing.
    for (what, count) in all.by_name() {
        assert!(count > 100, "only {count} {what}");
    }
}

#[test]
fn a_seed_is_one_story() {
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}
