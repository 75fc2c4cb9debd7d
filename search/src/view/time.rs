//! Days and weeks on a venue's clocks as spans of instants.
//!
//! A span begins with its first day's first instant and ends before the first instant of the day after its last, so days of 23
//! and 25 hours are whole days. A day that begins at no midnight (a change of clocks there) begins at its first instant.

use crate::request::When;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

const EVENING_HOUR: i8 = 17;

/// From the first day to the last, both included; open where none is given.
pub(super) fn local_days(zone: &TimeZone, from: Option<Date>, to: Option<Date>) -> (i64, i64) {
    let start = from.and_then(|day| start_of(zone, day, 0)).unwrap_or(i64::MIN);
    let end = to.and_then(|day| start_of(zone, day.tomorrow().ok()?, 0)).unwrap_or(i64::MAX);
    (start, end)
}

/// What people there mean by these names now.
pub(super) fn when_ranges(zone: &TimeZone, names: &[When], now: Timestamp) -> Vec<(i64, i64)> {
    let today = zone.to_datetime(now).date();
    names.iter().filter_map(|name| when_range(zone, *name, today)).collect()
}

/// The month an instant is in there: its span, and its first day.
pub(super) fn month_span(zone: &TimeZone, at: Timestamp) -> (i64, i64, Date) {
    let first = zone.to_datetime(at).date().first_of_month();
    let (from, to) = local_days(zone, Some(first), Some(first.last_of_month()));
    (from, to, first)
}

fn when_range(zone: &TimeZone, name: When, today: Date) -> Option<(i64, i64)> {
    let plus = |days: i64| today.checked_add(days.days()).ok();
    let weekday = i64::from(today.weekday().to_monday_zero_offset());
    let saturday = i64::from(Weekday::Saturday.to_monday_zero_offset());
    let (first, last, hour) = match name {
        When::Today => (today, today, 0),
        When::Tonight => (today, today, EVENING_HOUR),
        When::Tomorrow => (plus(1)?, plus(1)?, 0),
        When::ThisWeekend => (plus(saturday - weekday)?, plus(saturday + 1 - weekday)?, 0),
        When::NextWeek => (plus(7 - weekday)?, plus(13 - weekday)?, 0),
        When::ThisMonth => (today.first_of_month(), today.last_of_month(), 0),
    };
    Some((start_of(zone, first, hour)?, start_of(zone, last.tomorrow().ok()?, 0)?))
}

fn start_of(zone: &TimeZone, day: Date, hour: i8) -> Option<i64> {
    let instant = if hour == 0 {
        zone.to_zoned(day.at(0, 0, 0, 0)).ok()?.start_of_day().ok()?.timestamp()
    } else {
        zone.to_zoned(day.at(hour, 0, 0, 0)).ok()?.timestamp()
    };
    Some(instant.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(zone: &str, name: When, now: &str) -> (String, String) {
        let zone = TimeZone::get(zone).unwrap();
        let ranges = when_ranges(&zone, &[name], now.parse().unwrap());
        let text = |us| zone.to_datetime(Timestamp::from_microsecond(us).unwrap()).to_string();
        (text(ranges[0].0), text(ranges[0].1))
    }

    fn is(found: &(String, String), from: &str, to: &str) {
        assert_eq!((found.0.as_str(), found.1.as_str()), (from, to));
    }

    #[test]
    fn names_mean_the_venues_own_days() {
        // Late on a Wednesday in New York is Thursday in Tokyo.
        let now = "2026-11-26T01:00:00Z";
        is(&span("America/New_York", When::Today, now), "2026-11-25T00:00:00", "2026-11-26T00:00:00");
        is(&span("Asia/Tokyo", When::Today, now), "2026-11-26T00:00:00", "2026-11-27T00:00:00");
        is(&span("America/New_York", When::Tonight, now), "2026-11-25T17:00:00", "2026-11-26T00:00:00");
        is(&span("America/New_York", When::ThisWeekend, now), "2026-11-28T00:00:00", "2026-11-30T00:00:00");
        is(&span("Asia/Tokyo", When::NextWeek, now), "2026-11-30T00:00:00", "2026-12-07T00:00:00");
        is(&span("Asia/Tokyo", When::ThisMonth, now), "2026-11-01T00:00:00", "2026-12-01T00:00:00");
    }

    #[test]
    fn a_day_of_25_hours_is_one_day() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let day = Date::constant(2026, 11, 1);
        let (from, to) = local_days(&zone, Some(day), Some(day));
        assert_eq!((to - from) / 3_600_000_000, 25);
    }

    #[test]
    fn on_sunday_this_weekend_is_still_this_one() {
        is(
            &span("Europe/Berlin", When::ThisWeekend, "2026-11-29T12:00:00Z"),
            "2026-11-28T00:00:00",
            "2026-11-30T00:00:00",
        );
    }
}
