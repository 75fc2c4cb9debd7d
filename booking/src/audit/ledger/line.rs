//! The line as the log has it: who stood where, for what, and what came of it.

use super::{Sheet, Why, text};
use crate::lane::PlaceState;
use crate::reservation::BestAvailable;
use model::UserId;
use std::collections::BTreeMap;

/// Every place ever given.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(BTreeMap<i64, Place>);

#[derive(Clone, Debug)]
struct Place {
    buyer: UserId,
    seq: i64,
    want: BestAvailable,
    state: PlaceState,
}

impl Places {
    pub(super) fn join(&mut self, (seq, place): (i64, i64), buyer: UserId, want: &BestAvailable) -> Result<(), Why> {
        if self.0.last_key_value().is_some_and(|(last, _)| *last >= place) {
            return Err("who comes later stands behind everyone before");
        }
        if self.0.values().any(|place| place.buyer == buyer && place.state == PlaceState::Waiting) {
            return Err("the buyer waits already");
        }
        self.0.insert(place, Place { buyer, seq, want: want.clone(), state: PlaceState::Waiting });
        Ok(())
    }

    pub(super) fn leave(&mut self, place: i64, buyer: UserId, state: PlaceState) -> Result<(), Why> {
        match self.0.get_mut(&place) {
            Some(place) if place.buyer == buyer && place.state == PlaceState::Waiting => {
                place.state = state;
                Ok(())
            }
            Some(_) | None => Err("nobody of that name waits at that place"),
        }
    }

    pub(super) fn sheet(&self) -> Sheet {
        let mut places = Sheet::new("waiting");
        for (number, place) in &self.0 {
            let columns = vec![
                ("user_id", place.buyer.to_string()),
                ("seq", place.seq.to_string()),
                ("want", text(&place.want)),
                ("state", place.state.as_str().to_owned()),
                ("hold_id", text(place.state.hold().map(|hold| hold.0))),
            ];
            places.add(&format!("place {number:06}"), columns);
        }
        places
    }
}
