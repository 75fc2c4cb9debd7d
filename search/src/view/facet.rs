//! Counts of hits by value; a facet counts what every filter but its own lets through.

mod histogram;

use super::filter::{Matches, Plan};
use super::{Segment, View};
use crate::answer::FacetCount;
use crate::bits::Bits;
use crate::columns::SetKey;
use crate::document::Status;
use crate::names::Names;
use crate::overlay::Cells;
use crate::request::{Availability, Facet, OnSale, Request};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// More genres than this would push each other out of what a segment remembers.
const GENRES_MAX: usize = 128;
/// Words of sets that are counted in the time that the genres of one hit take.
const GENRES_SHARE: usize = 32;
/// Values given per facet.
const VALUES_MAX: usize = 100;

const STATUSES: [Status; 3] = [Status::Scheduled, Status::Postponed, Status::Cancelled];

/// What counting needs to know.
pub(super) struct Counter<'a> {
    pub(super) view: &'a View,
    pub(super) names: &'a Names,
    pub(super) plan: &'a Plan,
    pub(super) cells: &'a Cells,
}

impl Counter<'_> {
    pub(super) fn count(&self, request: &Request, matches: &[Matches]) -> BTreeMap<&'static str, Vec<FacetCount>> {
        let counted = request.facets.iter().map(|facet| {
            let mut counts = vec![0_u32; self.values(*facet)];
            for (segment, found) in self.view.segments.iter().zip(matches) {
                let own = found.without.iter().find(|(other, _)| other == facet);
                self.add(segment, *facet, own.map_or(&found.hits, |(_, bits)| bits), &mut counts);
            }
            (facet.as_str(), self.given(*facet, &counts))
        });
        counted.collect()
    }

    /// How many values a facet may have.
    fn values(&self, facet: Facet) -> usize {
        let names = self.names;
        match facet {
            Facet::Genre => names.genres.len(),
            Facet::City => names.cities.len(),
            Facet::Region => names.regions.len(),
            Facet::Country => names.countries.len(),
            Facet::Venue => names.venues.len(),
            Facet::Artist => names.artists.len(),
            Facet::Currency => names.currencies.len(),
            Facet::Status => STATUSES.len(),
            Facet::Availability => Availability::ALL.len(),
            Facet::OnSale => OnSale::ALL.len(),
            Facet::Price => names.currencies.len() * histogram::STEPS,
            Facet::Date => histogram::MONTHS,
        }
    }

    fn add(&self, segment: &Segment, facet: Facet, events: &Bits, counts: &mut [u32]) {
        let columns = &segment.columns;
        let mut one = |number: usize| {
            if let Some(count) = counts.get_mut(number) {
                *count += 1;
            }
        };
        let column = match facet {
            Facet::City => &columns.city,
            Facet::Region => &columns.region,
            Facet::Country => &columns.country,
            Facet::Venue => &columns.venue,
            Facet::Currency => &columns.currency,
            Facet::Genre => {
                let genres = self.names.genres.len();
                // Whole words of a set at a time, unless there are few hits to look at.
                if genres <= GENRES_MAX && genres * columns.len() / 64 < events.count() * GENRES_SHARE {
                    for (number, count) in (0..).zip(counts.iter_mut()) {
                        let having = columns.set(SetKey::Genre(vec![number]));
                        *count += u32::try_from(events.count_with(&having)).unwrap_or(u32::MAX);
                    }
                    return;
                }
                return events.for_each(|rank| columns.genres.of(rank).iter().for_each(|n| one(*n as usize)));
            }
            Facet::Artist => {
                return events.for_each(|rank| columns.artists.of(rank).iter().for_each(|n| one(*n as usize)));
            }
            Facet::Status => {
                return events.for_each(|rank| columns.status.get(rank).into_iter().for_each(|n| one(usize::from(*n))));
            }
            Facet::Availability => {
                return events.for_each(|rank| one(segment.availability(rank, self.cells) as usize));
            }
            Facet::OnSale => return events.for_each(|rank| one(segment.on_sale(rank, self.plan.now_us) as usize)),
            Facet::Price => return self.add_prices(segment, events, &mut one),
            Facet::Date => return self.add_months(segment, events, &mut one),
        };
        events.for_each(|rank| column.get(rank).into_iter().for_each(|number| one(*number as usize)));
    }

    /// The counts with their values, most frequent first, then by value; prices and months in their order.
    fn given(&self, facet: Facet, counts: &[u32]) -> Vec<FacetCount> {
        let mut given = match facet {
            Facet::Price => self.price_steps(counts),
            Facet::Date => histogram::months(counts),
            _ => self.by_value(facet, counts),
        };
        given.truncate(VALUES_MAX);
        given
    }

    fn by_value(&self, facet: Facet, counts: &[u32]) -> Vec<FacetCount> {
        let mut by_value: HashMap<(&str, Option<Uuid>), u64> = HashMap::new();
        for (number, count) in (0..).zip(counts).filter(|(_, count)| **count > 0) {
            if let Some(value) = self.value(facet, number) {
                // A venue that was changed has one number for each of its versions.
                *by_value.entry(value).or_default() += u64::from(*count);
            }
        }
        let mut by_count: Vec<_> =
            by_value.into_iter().map(|((value, id), count)| (Reverse(count), value, id)).collect();
        if by_count.len() > VALUES_MAX {
            by_count.select_nth_unstable(VALUES_MAX);
            by_count.truncate(VALUES_MAX);
        }
        by_count.sort_unstable();
        let given =
            |(Reverse(count), value, id): (_, &str, _)| FacetCount { id, ..FacetCount::of(value.to_owned(), count) };
        by_count.into_iter().map(given).collect()
    }

    fn value(&self, facet: Facet, number: u32) -> Option<(&str, Option<Uuid>)> {
        let names = self.names;
        let place = number as usize;
        match facet {
            Facet::Genre => names.genres.text(number).map(|text| (text, None)),
            Facet::City => names.cities.text(number).map(|text| (text, None)),
            Facet::Region => names.regions.text(number).map(|text| (text, None)),
            Facet::Country => names.countries.text(number).map(|text| (text, None)),
            Facet::Currency => names.currencies.text(number).map(|text| (text, None)),
            Facet::Venue => names.venues.get(number).map(|v| (v.item.row.name.as_str(), Some(v.item.row.venue_id.0))),
            Facet::Artist => names.artists.get(number).map(|a| (a.item.name.as_str(), Some(a.item.artist_id.0))),
            Facet::Status => STATUSES.get(place).map(|status| (status.as_str(), None)),
            Facet::Availability => Availability::ALL.get(place).map(|state| (state.as_str(), None)),
            Facet::OnSale => OnSale::ALL.get(place).map(|state| (state.as_str(), None)),
            Facet::Price | Facet::Date => None,
        }
    }
}

impl FacetCount {
    fn of(value: String, count: u64) -> Self {
        Self { value, count, currency: None, from: None, to: None, id: None }
    }
}
