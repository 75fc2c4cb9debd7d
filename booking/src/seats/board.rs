//! The seat map of one event as everyone sees it: packed states, recent deltas, and those who watch.
//!
//! Shared by the event's lane, which alone changes it while it is loaded, and the readers. Versions only grow.

use super::{SeatDelta, SeatState, SeatStates, SeatUpdate, SeatsSince, Told};
use model::{LayoutHash, SeatNo};
use parking_lot::RwLock;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// Deltas kept for those who come back.
const DELTAS_MAX: usize = 256;
/// Deltas a watcher may fall behind before it starts from a snapshot again.
const BEHIND_MAX: usize = 64;

/// The board.
#[derive(Debug)]
pub(crate) struct Board {
    state: RwLock<State>,
    deltas: broadcast::Sender<Arc<Told<SeatDelta>>>,
}

#[derive(Debug)]
struct State {
    layout: LayoutHash,
    version: u64,
    states: Vec<u8>,
    recent: VecDeque<Arc<Told<SeatDelta>>>,
    /// Everything at this version, once somebody has asked.
    whole: OnceLock<Arc<Told<SeatStates>>>,
}

impl Board {
    /// A board with everything on it.
    pub(crate) fn new(layout: LayoutHash, version: u64, seats: &[SeatState]) -> Self {
        let state = State::new(layout, version, seats);
        Self { state: RwLock::new(state), deltas: broadcast::channel(BEHIND_MAX).0 }
    }

    /// The version shown.
    pub(crate) fn version(&self) -> u64 {
        self.state.read().version
    }

    /// Everything.
    pub(crate) fn snapshot(&self) -> Arc<Told<SeatStates>> {
        self.state.read().snapshot()
    }

    /// What changed since a version, if that is still known.
    pub(crate) fn since(&self, version: u64) -> SeatsSince {
        let state = self.state.read();
        if version == state.version {
            return SeatsSince::Delta(SeatDelta { version, from: version, changes: Vec::new() });
        }
        let Some(first) = state.recent.iter().position(|delta| delta.from == version) else {
            return SeatsSince::Full(state.snapshot());
        };
        let changes: BTreeMap<SeatNo, u8> =
            state.recent.iter().skip(first).flat_map(|delta| delta.changes.iter().copied()).collect();
        let changes = changes.into_iter().collect();
        SeatsSince::Delta(SeatDelta { version: state.version, from: version, changes })
    }

    /// Shows changes; nothing happens when there are none.
    pub(crate) fn advance(&self, version: u64, changes: Vec<(SeatNo, u8)>) {
        let mut state = self.state.write();
        if changes.is_empty() || version <= state.version {
            return;
        }
        for (seat, to) in &changes {
            put(&mut state.states, *seat as usize, *to);
        }
        let delta = Arc::new(Told::from(SeatDelta { version, from: state.version, changes }));
        state.version = version;
        state.whole = OnceLock::new();
        state.recent.push_back(Arc::clone(&delta));
        if state.recent.len() > DELTAS_MAX {
            state.recent.pop_front();
        }
        // Nobody may be watching.
        self.deltas.send(delta).ok();
    }

    /// Shows the whole state anew: what differs goes out as a delta.
    pub(crate) fn reset(&self, layout: &LayoutHash, version: u64, seats: &[SeatState]) {
        let changes = {
            let mut state = self.state.write();
            if state.layout != *layout {
                // Another plan: every delta before it is void, and watchers fall off the chain of versions.
                *state = State::new(layout.clone(), version, seats);
                let delta = SeatDelta { version, from: version, changes: Vec::new() };
                self.deltas.send(Arc::new(delta.into())).ok();
                return;
            }
            let numbered = (0..).zip(seats);
            let differ = numbered.filter(|(seat, to)| get(&state.states, *seat as usize) != **to as u8);
            differ.map(|(seat, to)| (seat, *to as u8)).collect()
        };
        self.advance(version, changes);
    }
}

impl State {
    fn new(layout: LayoutHash, version: u64, seats: &[SeatState]) -> Self {
        Self { layout, version, states: pack(seats), recent: VecDeque::new(), whole: OnceLock::new() }
    }

    fn snapshot(&self) -> Arc<Told<SeatStates>> {
        let whole = || {
            let states = SeatStates { version: self.version, layout: self.layout.clone(), states: self.states.clone() };
            Arc::new(states.into())
        };
        Arc::clone(self.whole.get_or_init(whole))
    }
}

/// A running seat map: a snapshot (or what was missed), then every change.
#[derive(Debug)]
pub struct Subscription {
    board: Arc<Board>,
    deltas: broadcast::Receiver<Arc<Told<SeatDelta>>>,
    first: Option<SeatUpdate>,
    version: u64,
    stop: CancellationToken,
}

impl Subscription {
    /// Watches from now, or from a version seen before.
    pub(crate) fn new(board: Arc<Board>, since: Option<u64>, stop: CancellationToken) -> Self {
        // Watch first, then look: a delta between the two is seen twice and told once.
        let deltas = board.deltas.subscribe();
        let first = match since.map(|version| board.since(version)) {
            Some(SeatsSince::Delta(delta)) if delta.changes.is_empty() => None,
            Some(SeatsSince::Delta(delta)) => Some(SeatUpdate::Delta(Arc::new(delta.into()))),
            Some(SeatsSince::Full(states)) => Some(SeatUpdate::Snapshot(states)),
            None => Some(SeatUpdate::Snapshot(board.snapshot())),
        };
        let version = match &first {
            Some(SeatUpdate::Delta(delta)) => delta.version,
            Some(SeatUpdate::Snapshot(states)) => states.version,
            None => since.unwrap_or_default(),
        };
        Self { board, deltas, first, version, stop }
    }

    /// The next message; `None` when the server stops. Cancel-safe.
    pub async fn next(&mut self) -> Option<SeatUpdate> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            let received = tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                received = self.deltas.recv() => received,
            };
            match received {
                Ok(delta) if delta.version < self.version => {}
                Ok(delta) if delta.version == self.version && delta.from < delta.version => {}
                Ok(delta) if delta.from == self.version && !delta.changes.is_empty() => {
                    self.version = delta.version;
                    return Some(SeatUpdate::Delta(delta));
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {
                    // From here on: what is kept of before is the next to be overwritten.
                    self.deltas = self.deltas.resubscribe();
                    let states = self.board.snapshot();
                    self.version = states.version;
                    return Some(SeatUpdate::Snapshot(states));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

fn pack(seats: &[SeatState]) -> Vec<u8> {
    let mut states = vec![0; seats.len().div_ceil(4)];
    for (at, seat) in seats.iter().enumerate() {
        put(&mut states, at, *seat as u8);
    }
    states
}

fn put(states: &mut [u8], at: usize, to: u8) {
    if let Some(byte) = states.get_mut(at / 4) {
        let shift = at % 4 * 2;
        *byte = *byte & !(3 << shift) | to << shift;
    }
}

fn get(states: &[u8], at: usize) -> u8 {
    states.get(at / 4).map_or(3, |byte| byte >> (at % 4 * 2) & 3)
}
