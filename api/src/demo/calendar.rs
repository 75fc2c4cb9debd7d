//! When a concert of the past takes place again: the same month, weekday and local time, within the coming two seasons.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// The day of `original`'s month with the same weekday in the same week of the month, after `today`: the first such day, or the one a
/// year later. A month without a fifth such weekday gives its last.
pub(super) fn moved(original: Date, today: Date, year_later: bool) -> Date {
    let nth = (original.day() - 1) / 7 + 1;
    let mut days = (0..4).filter_map(|years| {
        let month = Date::new(today.year() + years, original.month(), 1).ok()?;
        let day = month.nth_weekday_of_month(nth, original.weekday());
        day.or_else(|_| month.nth_weekday_of_month(-1, original.weekday())).ok().filter(|day| *day > today)
    });
    days.nth(usize::from(year_later)).unwrap_or(original)
}

/// `day` moved by so many days, but never to before tomorrow.
pub(super) fn shifted(day: Date, days: i32, today: Date) -> Date {
    let shifted = day.checked_add(Span::new().days(days)).unwrap_or(day);
    if shifted > today { shifted } else { today.checked_add(Span::new().days(1 + days.abs())).unwrap_or(day) }
}

/// `8:30PM` as a time of day.
pub(super) fn time_of_day(text: &str) -> Option<Time> {
    let (clock, afternoon) = match (text.strip_suffix("PM"), text.strip_suffix("AM")) {
        (Some(clock), _) => (clock, 12),
        (_, Some(clock)) => (clock, 0),
        _ => return None,
    };
    let (hour, minute) = clock.trim().split_once(':')?;
    let hour: i8 = hour.parse().ok().filter(|hour| (1..=12).contains(hour))?;
    Time::new(hour % 12 + afternoon, minute.parse().ok()?, 0, 0).ok()
}

/// When a concert begins whose programme does not say: matinées on Sundays, schoolchildren in the morning, all else at eight.
pub(super) fn usual_time(weekday: Weekday, for_the_young: bool) -> Time {
    let hour = match (for_the_young, weekday) {
        (true, _) => 11,
        (false, Weekday::Sunday) => 15,
        (false, _) => 20,
    };
    Time::constant(hour, 0, 0, 0)
}

/// The instant of a local time in a zone; in a gap of the clock, as late after it as the gap is long.
pub(super) fn instant(day: Date, time: Time, zone: &TimeZone) -> Timestamp {
    zone.to_ambiguous_zoned(day.to_datetime(time)).compatible().map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::{date, time};

    #[test]
    fn a_concert_keeps_its_month_weekday_and_week() {
        let first = moved(date(1842, 12, 7), date(2026, 11, 23), false);
        assert_eq!(first, date(2026, 12, 2));
        assert_eq!(first.weekday(), date(1842, 12, 7).weekday());
        assert_eq!(moved(date(1842, 12, 7), date(2026, 11, 23), true), date(2027, 12, 1));
        assert_eq!(moved(date(1843, 4, 29), date(2026, 11, 23), false), date(2027, 4, 24));
    }

    #[test]
    fn a_day_that_is_today_is_a_year_away() {
        assert_eq!(moved(date(1998, 11, 23), date(2026, 11, 23), false), date(2027, 11, 22));
    }

    #[test]
    fn clock_times_are_read_and_nonsense_is_not() {
        assert_eq!(time_of_day("8:30PM"), Some(time(20, 30, 0, 0)));
        assert_eq!(time_of_day("12:10PM"), Some(time(12, 10, 0, 0)));
        assert_eq!(time_of_day("12:00AM"), Some(time(0, 0, 0, 0)));
        assert_eq!(time_of_day("20:30"), None);
        assert_eq!(time_of_day("13:00PM"), None);
    }

    #[test]
    fn local_time_survives_the_change_of_clocks() {
        let zone = TimeZone::get("America/New_York").unwrap();
        assert_eq!(instant(date(2027, 3, 14), time(20, 0, 0, 0), &zone).to_string(), "2027-03-15T00:00:00Z");
        assert_eq!(instant(date(2027, 3, 13), time(20, 0, 0, 0), &zone).to_string(), "2027-03-14T01:00:00Z");
    }
}
