//! The coming two seasons: the n-th event, for any n. The first ones are the archive's concerts in a fixed shuffled order, so that a small
//! demo is a fair sample of it; those after are variations with other days, venues and performers.
//!
//! An event is a function of n and of the day of loading alone.

use super::archive::Record;
use super::calendar;
use super::dice::Dice;
use super::genres;
use super::place::Place;
use super::plans::{House, Size};
use super::programme::{self, Programme, Renown};
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use model::charge::{Bill, Charge, Reckoning};
use std::collections::HashMap;
use std::sync::OnceLock;
use uuid::Uuid;

/// Everything events are made from. A programme is prepared when the first of its events is.
pub(super) struct Season<'a> {
    records: &'a [Record],
    renown: Renown<'a>,
    programmes: Vec<OnceLock<Programme>>,
    evenings: Vec<Evening>,
    zones: HashMap<String, TimeZone>,
    today: Date,
    pub(super) places: Vec<Place>,
    pub(super) houses: Vec<House>,
}

/// One concert of the archive.
struct Evening {
    programme: usize,
    place: usize,
    kind: String,
    date: Date,
    time: Option<Time>,
}

/// An event, as its tables want it.
pub(super) struct Event<'a> {
    pub(super) id: Uuid,
    pub(super) title: String,
    pub(super) description: &'a str,
    pub(super) works: &'a str,
    pub(super) genres: Vec<&'static str>,
    pub(super) popularity: u32,
    pub(super) starts_at: Timestamp,
    pub(super) ends_at: Timestamp,
    pub(super) sale_opens_at: Timestamp,
    pub(super) sale_closes_at: Timestamp,
    /// Whether members and those who have the code may buy already.
    pub(super) presale: bool,
    /// Position in the season's `places`.
    pub(super) place: usize,
    /// Position in the season's `houses`.
    pub(super) house: usize,
    pub(super) currency: &'static str,
    pub(super) buyer_limit: i32,
    /// Each tier's name, price, and what one ticket costs with all fees and taxes, in minor units.
    pub(super) tiers: Vec<(&'a str, i64, i64)>,
    pub(super) charges: Vec<Charge>,
    pub(super) artists: Vec<&'a (String, String)>,
}

/// Questions asked of an event's dice.
mod ask {
    pub(super) const YEAR: u64 = 1;
    pub(super) const SALE: u64 = 2;
    pub(super) const SALE_DAYS: u64 = 3;
    pub(super) const POPULARITY: u64 = 4;
    pub(super) const PRICE: u64 = 5;
    pub(super) const ID: u64 = 6;
    pub(super) const PLACE: u64 = 7;
    pub(super) const SHIFT: u64 = 8;
    pub(super) const PLAYERS: u64 = 9;
    pub(super) const LIMIT: u64 = 10;
    pub(super) const ID_REST: u64 = 11;
    pub(super) const PRESALE: u64 = 12;
    pub(super) const FEE: u64 = 13;
}

impl<'a> Season<'a> {
    /// Prepares the archive for events after `today`.
    pub(super) fn of(records: &'a [Record], houses: Vec<House>, today: Date) -> Self {
        let mut places: Vec<Place> = Vec::new();
        let mut place_of: HashMap<Uuid, usize> = HashMap::new();
        let mut evenings = Vec::new();
        for (number, record) in records.iter().enumerate() {
            for (i, concert) in record.concerts.iter().enumerate() {
                let place = Place::of(concert);
                let place = *place_of.entry(place.venue_id).or_insert_with(|| {
                    places.push(place);
                    places.len() - 1
                });
                let evening = Evening {
                    programme: number,
                    place,
                    kind: concert.kind.clone().unwrap_or_default(),
                    date: concert.local_date,
                    time: concert.local_time.as_deref().and_then(calendar::time_of_day),
                };
                evenings.push((Dice::named(&format!("{}/{i}", record.program)).number(0), evening));
            }
        }
        evenings.sort_by_key(|(order, _)| *order);
        let evenings = evenings.into_iter().map(|(_, evening)| evening).collect();
        let zone = |place: &Place| (place.timezone.clone(), TimeZone::get(&place.timezone).unwrap_or(TimeZone::UTC));
        let zones = places.iter().map(zone).collect();
        let renown = programme::renown(records);
        let programmes = records.iter().map(|_| OnceLock::new()).collect();
        Self { records, renown, programmes, evenings, zones, today, places, houses }
    }

    /// The n-th event's id, whatever the day: a version 7 UUID whose time is n milliseconds into 2026, so that ids grow with n.
    pub(super) fn id(n: u32) -> Uuid {
        const FIRST_MS: u64 = 1_767_225_600_000;
        let mut chance = [0; 10];
        let dice = Dice::of(u64::from(n));
        let numbers = [dice.number(ask::ID), dice.number(ask::ID_REST)];
        for (byte, random) in chance.iter_mut().zip(numbers.iter().flat_map(|number| number.to_be_bytes())) {
            *byte = random;
        }
        uuid::Builder::from_unix_timestamp_millis(FIRST_MS + u64::from(n), &chance).into_uuid()
    }

    /// The n-th event.
    pub(super) fn event(&self, n: u32) -> Option<Event<'_>> {
        let count = self.evenings.len();
        let index = usize::try_from(n).ok()?;
        let evening = self.evenings.get(index % count)?;
        let programme = self.programme(evening)?;
        let genres = genres::of_evening(&evening.kind, programme.chamber_players, &programme.genres);
        let dice = Dice::of(u64::from(n));
        let varied = index >= count;
        let elsewhere = |question| self.evenings.get(usize::try_from(dice.number(question)).unwrap_or(index) % count);
        let place_index = if varied { elsewhere(ask::PLACE)?.place } else { evening.place };
        let place = self.places.get(place_index)?;
        let for_the_young = genres.contains(&"Family");
        let mut day = calendar::moved(evening.date, self.today, dice.roll(ask::YEAR, 2) == 1);
        if varied {
            day = calendar::shifted(day, dice.roll(ask::SHIFT, 241).cast_signed() - 120, self.today);
        }
        let time = evening.time.unwrap_or_else(|| calendar::usual_time(day.weekday(), for_the_young));
        let starts_at = calendar::instant(day, time, self.zones.get(&place.timezone)?);
        let size = place.size(&evening.kind);
        let house = self.houses.get(size as usize)?;
        let (sale_opens_at, sale_closes_at) = self.sale(dice, starts_at);
        let charges = charges(place, dice);
        let series =
            if for_the_young { format!("{}: ", evening.kind.trim_start_matches("Tour - ")) } else { String::new() };
        let length_min = if for_the_young {
            60
        } else if size == Size::Room {
            90
        } else {
            120
        };
        Some(Event {
            id: Self::id(n),
            title: format!("{series}{} · {}", programme.headline, programme.orchestra).chars().take(500).collect(),
            description: &programme.description,
            works: if varied { &programme.works_unconducted } else { &programme.works },
            genres,
            popularity: popularity(programme.renown, size, dice),
            starts_at,
            ends_at: starts_at + SignedDuration::from_mins(length_min),
            sale_opens_at,
            sale_closes_at,
            presale: self.has_presale(dice, sale_opens_at),
            place: place_index,
            house: size as usize,
            currency: place.currency().code,
            buyer_limit: [4, 6, 8, 8, 8, 10][dice.roll(ask::LIMIT, 6) as usize],
            tiers: prices(house, size, place, dice, &charges),
            charges,
            artists: self.artists(programme, varied.then(|| elsewhere(ask::PLAYERS)).flatten()),
        })
    }

    fn programme(&self, evening: &Evening) -> Option<&Programme> {
        let (record, prepared) = (self.records.get(evening.programme)?, self.programmes.get(evening.programme)?);
        Some(prepared.get_or_init(|| Programme::of(record, &self.renown)))
    }

    /// When tickets are sold: mostly now; some from a later day, some within three days, some no more.
    fn sale(&self, dice: Dice, starts_at: Timestamp) -> (Timestamp, Timestamp) {
        let today = calendar::instant(self.today, Time::midnight(), &TimeZone::UTC);
        let days = |days: u32| SignedDuration::from_hours(24 * i64::from(days));
        let ten = SignedDuration::from_hours(10);
        let after = |sides| days(1 + dice.roll(ask::SALE_DAYS, sides));
        let (opens, closes) = match dice.roll(ask::SALE, 100) {
            0..8 => (today + after(60) + ten, starts_at),
            8..12 => (today + after(3) + ten, starts_at),
            12..16 => (today - days(90) + ten, today - after(20)),
            _ => (today - after(90) + ten, starts_at),
        };
        if opens + days(1) < closes { (opens, closes) } else { (today - after(90) + ten, starts_at) }
    }

    /// Every other sale of those that open within three days or so.
    fn has_presale(&self, dice: Dice, sale_opens_at: Timestamp) -> bool {
        let today = calendar::instant(self.today, Time::midnight(), &TimeZone::UTC);
        let soon = today..today + SignedDuration::from_hours(24 * 5);
        soon.contains(&sale_opens_at) && dice.roll(ask::PRESALE, 2) == 0
    }

    /// Who plays; a variation has the players of another evening and the composers of its own.
    fn artists<'s>(&'s self, programme: &'s Programme, players: Option<&Evening>) -> Vec<&'s (String, String)> {
        let Some(other) = players.and_then(|evening| self.programme(evening)) else {
            return programme.artists.iter().collect();
        };
        let composes = |artist: &&(String, String)| artist.1 == "composer";
        let orchestra = programme.artists.iter().take(1);
        let players = other.artists.iter().skip(1).filter(|artist| !composes(artist)).take(6);
        orchestra.chain(players).chain(programme.artists.iter().filter(composes).take(6)).collect()
    }
}

/// From 0 to about 1,200: how well known the main work is, how big the house, and some luck.
fn popularity(renown: u32, size: Size, dice: Dice) -> u32 {
    let house = [20, 80, 240, 160, 180][size as usize];
    // The bit length stands in for a logarithm: works given twice as often are one step better known.
    (u32::BITS - renown.leading_zeros()) * 75 + house + dice.roll(ask::POPULARITY, 200)
}

/// What each country adds or includes; in America every other house takes a fee, too.
fn charges(place: &Place, dice: Dice) -> Vec<Charge> {
    let charge = |label: &str, how| Charge { label: label.to_owned(), how };
    match place.country.as_str() {
        "US" if dice.roll(ask::FEE, 2) == 0 => {
            vec![charge("Service fee", Reckoning::FeePerTicket { amount: 450 })]
        }
        "DE" => vec![charge("VAT 7 %", Reckoning::TaxIncluded { basis_points: 700 })],
        "GB" => vec![charge("VAT 20 %", Reckoning::TaxIncluded { basis_points: 2_000 })],
        "JP" => vec![charge("Consumption tax 10 %", Reckoning::TaxIncluded { basis_points: 1_000 })],
        "CA" => vec![charge("GST 5 %", Reckoning::TaxAdded { basis_points: 500 })],
        _ => Vec::new(),
    }
}

fn prices<'a>(house: &'a House, size: Size, place: &Place, dice: Dice, charges: &[Charge]) -> Vec<(&'a str, i64, i64)> {
    let best_usd: u32 = [55, 85, 140, 160, 120][size as usize];
    let best_cents = i64::from(best_usd) * i64::from(75 + dice.roll(ask::PRICE, 76));
    let tender = place.currency();
    house
        .tiers
        .iter()
        .map(|(name, percent)| (name.as_str(), tender.amount(best_cents * i64::from(*percent) / 100)))
        .zip(0..)
        .map(|((name, price), tier)| (name, price, Bill { charges, discount: None }.all_in(tier, price)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{archive, plans};
    use super::*;
    use jiff::civil::date;
    use std::collections::HashSet;

    fn season(records: &[Record]) -> Season<'_> {
        Season::of(records, plans::all().unwrap(), date(2026, 11, 23))
    }

    #[test]
    fn every_concert_of_the_archive_is_an_event_in_the_coming_two_years() {
        let records = archive::read().unwrap();
        let season = season(&records);
        assert_eq!(season.evenings.len(), 17_835);
        let (first, last) = ("2026-11-24T00:00:00Z".parse().unwrap(), "2028-11-30T00:00:00Z".parse().unwrap());
        let mut used = [0_u32; 5];
        for (n, evening) in (0_u32..).zip(&season.evenings) {
            let event = season.event(n).unwrap();
            assert!(event.starts_at > first && event.starts_at < last, "{} at {}", event.title, event.starts_at);
            assert!(
                event.sale_opens_at < event.sale_closes_at && event.sale_closes_at <= event.starts_at,
                "{}",
                event.title
            );
            assert!(
                !event.title.contains("  ") && event.artists.len() < 64 && event.genres.len() <= 16,
                "{}",
                event.title
            );
            let zone = &season.zones[&season.places[event.place].timezone];
            let local = event.starts_at.to_zoned(zone.clone());
            assert_eq!(
                (local.month(), local.weekday()),
                (evening.date.month(), evening.date.weekday()),
                "{}",
                event.title
            );
            // No programme begins in the hour that the clocks skip.
            assert!(evening.time.is_none_or(|time| time == local.time()), "{} at {local}", event.title);
            used[event.house] += 1;
        }
        assert!(used.iter().all(|count| *count > 300), "{used:?}");
    }

    #[test]
    fn variations_go_on_for_ever_and_no_id_comes_twice() {
        let records = archive::read().unwrap();
        let season = season(&records);
        let far = season.event(987_654).unwrap();
        assert!(far.starts_at > "2026-11-24T00:00:00Z".parse().unwrap());
        let ids: HashSet<Uuid> = (0..50_000).map(Season::id).collect();
        assert_eq!(ids.len(), 50_000);
        assert!(Season::id(7) < Season::id(8));
    }
}
