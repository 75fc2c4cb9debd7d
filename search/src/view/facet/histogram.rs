//! Histograms: lowest prices left in steps of 1, 2 and 5 of each currency, starts by month on the venue's clocks.
//!
//! Each bar says by which filters its hits are found. What has no price left, or no announced date, is in none.

use super::Counter;
use crate::answer::FacetCount;
use crate::bits::Bits;
use crate::view::Segment;
use crate::view::time::month_span;
use jiff::Timestamp;
use jiff::civil::Date;

/// Steps of one currency: nothing, then three for each power of ten.
pub(super) const STEPS: usize = 1 + 3 * 13;
/// Months from the first of [`YEAR_FIRST`].
pub(super) const MONTHS: usize = 12 * 400;
const YEAR_FIRST: i16 = 1900;

/// The step a price is on.
fn step(price: i64) -> usize {
    let Some(exponent) = price.checked_ilog10() else { return 0 };
    let leading = price / 10_i64.pow(exponent);
    let third = usize::from(leading >= 2) + usize::from(leading >= 5);
    (1 + exponent as usize * 3 + third).min(STEPS - 1)
}

/// Where a step begins.
fn floor(step: usize) -> i64 {
    let Some(nth) = step.checked_sub(1) else { return 0 };
    let leading = [1, 2, 5].get(nth % 3).copied().unwrap_or(1);
    leading * 10_i64.pow(u32::try_from(nth / 3).unwrap_or(0))
}

fn month_number(day: Date) -> Option<usize> {
    let years = usize::try_from(day.year() - YEAR_FIRST).ok()?;
    Some(years * 12 + usize::try_from(day.month() - 1).ok()?)
}

fn month(number: usize) -> Option<Date> {
    let year = YEAR_FIRST.checked_add(i16::try_from(number / 12).ok()?)?;
    Date::new(year, i8::try_from(number % 12 + 1).ok()?, 1).ok()
}

/// The months with hits, in order.
pub(super) fn months(counts: &[u32]) -> Vec<FacetCount> {
    let counted = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let bars = counted.filter_map(|(number, count)| {
        let first = month(number)?;
        let value = first.strftime("%Y-%m").to_string();
        let (from, to) = (Some(first.to_string()), Some(first.last_of_month().to_string()));
        Some(FacetCount { from, to, ..FacetCount::of(value, u64::from(*count)) })
    });
    bars.collect()
}

impl Counter<'_> {
    pub(super) fn add_prices(&self, segment: &Segment, events: &Bits, one: &mut impl FnMut(usize)) {
        events.for_each(|rank| {
            let currency = segment.columns.currency.get(rank);
            if let (Some(price), Some(currency)) = (segment.live(rank, self.cells).price_min, currency) {
                one(*currency as usize * STEPS + step(price));
            }
        });
    }

    /// Events come in order of start, so each zone changes its month seldom.
    pub(super) fn add_months(&self, segment: &Segment, events: &Bits, one: &mut impl FnMut(usize)) {
        let mut spans = vec![(0, 0, None); self.names.zones.len()];
        events.for_each(|rank| {
            let zone = self.plan.zone_of(segment, rank);
            let start = segment.columns.starts_at.get(rank);
            let (Some(zone), Some(start)) = (zone, start) else { return };
            let Some(span) = spans.get_mut(zone as usize) else { return };
            if segment.columns.unannounced.contains(rank) {
                return;
            }
            if !(span.0..span.1).contains(start)
                && let Some(zone) = self.names.zones.get(zone)
                && let Ok(at) = Timestamp::from_microsecond(*start)
            {
                let (from, to, first) = month_span(&zone.item, at);
                *span = (from, to, month_number(first));
            }
            span.2.into_iter().for_each(&mut *one);
        });
    }

    /// The steps with hits, by currency and price.
    pub(super) fn price_steps(&self, counts: &[u32]) -> Vec<FacetCount> {
        let currencies = (0..).zip(counts.chunks(STEPS));
        let mut by_code: Vec<(&str, &[u32])> =
            currencies.filter_map(|(number, counts)| Some((self.names.currencies.text(number)?, counts))).collect();
        by_code.sort_by_key(|(code, _)| *code);
        let mut bars = Vec::new();
        for (code, counts) in by_code {
            for (step, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let (from, to) = (floor(step), floor(step + 1) - 1);
                bars.push(FacetCount {
                    currency: Some(code.to_owned()),
                    from: Some(from.to_string()),
                    to: Some(to.to_string()),
                    ..FacetCount::of(format!("{code} {from}-{to}"), u64::from(*count))
                });
            }
        }
        bars
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_on_the_step_it_lies_within() {
        for (price, from, to) in [
            (0, 0, 0),
            (1, 1, 1),
            (4, 2, 4),
            (999, 500, 999),
            (1000, 1000, 1999),
            (100_000_000_000, 100_000_000_000, 199_999_999_999),
        ] {
            assert_eq!((floor(step(price)), floor(step(price) + 1) - 1), (from, to), "{price}");
        }
        assert!((0..20_000).all(|price| floor(step(price)) <= price && price < floor(step(price) + 1)));
        assert!(step(i64::MAX) < STEPS);
    }

    #[test]
    fn months_are_numbered_and_named() {
        let day = Date::constant(2026, 11, 24);
        assert_eq!(month(month_number(day).unwrap()), Some(day.first_of_month()));
        assert_eq!(month_number(Date::constant(1899, 12, 31)), None);
        let mut counts = vec![0; MONTHS];
        counts[month_number(Date::constant(2027, 2, 1)).unwrap()] = 3;
        let bar = &months(&counts)[0];
        let ends = (bar.from.as_deref(), bar.to.as_deref());
        assert_eq!((bar.value.as_str(), ends), ("2027-02", (Some("2027-02-01"), Some("2027-02-28"))));
    }
}
