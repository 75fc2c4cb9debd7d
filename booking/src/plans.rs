//! Seat plans prepared once and shared: bounded by how many seats they have together.

use crate::failure::Failure;
use crate::lane::house::House;
use model::{LayoutHash, SeatPlan};
use std::sync::Arc;

/// Seats of all the plans kept; a plan takes about 60 bytes a seat.
const SEATS_KEPT_MAX: u64 = 2_000_000;

/// The plans in use.
#[derive(Clone, Debug)]
pub(crate) struct Plans(moka::sync::Cache<LayoutHash, Arc<House>>);

impl Plans {
    pub(crate) fn new() -> Self {
        let seats = |_: &LayoutHash, house: &Arc<House>| u32::try_from(house.capacity()).unwrap_or(u32::MAX);
        Self(moka::sync::Cache::builder().max_capacity(SEATS_KEPT_MAX).weigher(seats).build())
    }

    /// A plan that is here.
    pub(crate) fn get(&self, layout: &str) -> Option<Arc<House>> {
        self.0.get(layout)
    }

    /// Prepares a plan's bytes.
    pub(crate) fn add(&self, layout: LayoutHash, plan: &[u8]) -> Result<Arc<House>, Failure> {
        let house = Arc::new(House::new(layout.clone(), &SeatPlan::parse(plan).map_err(Failure::new)?));
        self.0.insert(layout, Arc::clone(&house));
        Ok(house)
    }
}
