//! Hits as the API shows them, from columns and names alone; only highlights and whole events open the document store.

use super::filter::Plan;
use super::highlight::highlight;
use super::meaning::Meaning;
use super::order::Ranked;
use super::words::{Relevance, Words};
use super::{Place, SearchError, Segment, View};
use crate::answer::{EventAnswer, Hit, Live, VenueBrief};
use crate::columns::{NO_INSTANT, NO_PRICE};
use crate::document::{EventDocument, Status};
use crate::names::Names;
use crate::overlay::{Cell, Cells};
use crate::request::Request;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::EventId;

/// What cards are written from.
pub(super) struct Cards<'a> {
    pub(super) view: &'a View,
    pub(super) names: &'a Names,
    pub(super) plan: &'a Plan,
    pub(super) cells: &'a Cells,
    pub(super) request: &'a Request,
    pub(super) words: &'a Words,
    pub(super) meaning: Option<&'a Meaning>,
}

impl Cards<'_> {
    pub(super) fn hit(&self, ranked: &Ranked) -> Result<Hit, SearchError> {
        let missing = || SearchError::Files(std::io::ErrorKind::NotFound.into());
        let Place { segment, rank } = ranked.place;
        let segment = self.view.segments.get(segment).ok_or_else(missing)?;
        let columns = &segment.columns;
        let venue = columns.venue.get(rank).and_then(|number| self.names.venues.get(*number)).ok_or_else(missing)?;
        let at = |column: &[i64], none: i64| column.get(rank).copied().filter(|value| *value != none);
        let expected_at = columns.expected_at.get(&rank).copied();
        let starts_at = instant(expected_at.or(at(&columns.starts_at, NO_INSTANT)).ok_or_else(missing)?);
        let live = segment.live(rank, self.cells);
        let zone = self.names.zones.get(venue.item.zone).map_or(TimeZone::UTC, |zone| zone.item.clone());
        let text = |table: &crate::names::Table<String>, number: u32| table.text(number).map(str::to_owned);
        Ok(Hit {
            event_id: EventId(ranked.id),
            title: columns.title(rank).to_owned(),
            starts_at,
            ends_at: at(&columns.ends_at, NO_INSTANT).map(instant),
            local_start: zone.to_datetime(starts_at).to_string(),
            date_tba: expected_at.is_some(),
            timezone: venue.item.row.timezone.clone(),
            status: status(columns.status.get(rank).copied()),
            venue: VenueBrief::from(&venue.item.row),
            artists: columns
                .artists
                .of(rank)
                .iter()
                .filter_map(|n| Some(self.names.artists.get(*n)?.item.clone()))
                .collect(),
            image: columns.image.get(rank).and_then(|number| text(&self.names.images, *number)),
            genres: columns.genres.of(rank).iter().filter_map(|number| text(&self.names.genres, *number)).collect(),
            price_min: live.price_min,
            price_max: at(&columns.price_max, NO_PRICE),
            currency: columns.currency.get(rank).and_then(|n| text(&self.names.currencies, *n)).unwrap_or_default(),
            seats_left: live.seats_left,
            seats_total: columns.capacity.get(rank).copied().unwrap_or(0),
            availability: segment.availability(rank, self.cells),
            on_sale: segment.on_sale(rank, self.plan.now_us),
            sale_opens_at: instant(at(&columns.opens_at, NO_INSTANT).unwrap_or(0)),
            distance_km: self.distance_km(segment, rank),
            highlight: self.highlight(ranked.place)?,
            score: ranked.score.map(Relevance::shown),
            by_meaning: self.meaning.is_some_and(|meaning| !meaning.is_worded(ranked.place.segment, rank)),
        })
    }

    fn distance_km(&self, segment: &Segment, rank: usize) -> Option<f64> {
        let venue = segment.columns.venue.get(rank)?;
        let km = self.plan.distances.get(*venue as usize).filter(|km| km.is_finite())?;
        Some((km * 1e3).round() / 1e3)
    }

    fn highlight(&self, place: Place) -> Result<Option<crate::answer::Highlight>, SearchError> {
        if !self.request.highlight || !self.request.text.is_positive() {
            return Ok(None);
        }
        let event = self.view.document(place)?;
        Ok(Some(highlight(&event, &|text| self.words.places(text))))
    }
}

/// A whole event with what is live about it.
pub(super) fn event_answer(
    view: &View,
    place: Place,
    event: EventDocument,
    cells: &Cells,
    now: Timestamp,
) -> Option<EventAnswer> {
    let segment = view.segments.get(place.segment)?;
    let Cell { seats_left, price_min } = segment.live(place.rank, cells);
    Some(EventAnswer::of(event, Live { seats_left, price_min }, view.head.lsn, now))
}

fn status(number: Option<u8>) -> Status {
    match number {
        Some(1) => Status::Postponed,
        Some(2) => Status::Cancelled,
        _ => Status::Scheduled,
    }
}

/// A column's microseconds; every one came from an instant.
fn instant(us: i64) -> Timestamp {
    Timestamp::from_microsecond(us).unwrap_or(Timestamp::UNIX_EPOCH)
}
