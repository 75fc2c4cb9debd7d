//! How numbers, prices and times read on a page: American English, in the venue's own zone.
//!
//! The islands format by `Intl` with the same rules, so that a price reads the same before and after a script took over.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use minijinja::Value;
use model::Currency;

/// `1234` → `1,234`.
pub(super) fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::from(if number < 0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Minor units to what a price tag says: `4500` USD → `$45`, `4550` → `$45.50`.
pub(super) fn money(minor: Option<i64>, currency: Option<&str>) -> String {
    let (Some(minor), Some(Ok(currency))) = (minor, currency.map(str::parse::<Currency>)) else {
        return String::new();
    };
    let scale = 10_i64.pow(currency.minor_digits());
    let whole = count(minor / scale);
    let amount = match minor.rem_euclid(scale) {
        0 => whole,
        rest => format!("{whole}.{rest:0width$}", width = currency.minor_digits() as usize),
    };
    match currency.as_str() {
        "USD" => format!("${amount}"),
        "EUR" => format!("€{amount}"),
        "GBP" => format!("£{amount}"),
        "JPY" => format!("¥{amount}"),
        code => format!("{code}\u{a0}{amount}"),
    }
}

/// A time as a page speaks of it: the venue's civil time, from a civil text, or an instant and a zone.
fn civil(time: &str, zone: Option<&str>) -> Option<DateTime> {
    if let Ok(instant) = time.parse::<Timestamp>() {
        let zone = zone.and_then(|zone| TimeZone::get(zone).ok()).unwrap_or(TimeZone::UTC);
        return Some(zone.to_datetime(instant));
    }
    time.parse().ok()
}

/// `Thu, Dec 3, 2026`.
pub(super) fn day(time: &str, zone: Option<&str>) -> String {
    civil(time, zone).map(|at| at.strftime("%a, %b %-d, %Y").to_string()).unwrap_or_default()
}

/// `Thursday, December 3, 2026`.
pub(super) fn full_day(time: &str, zone: Option<&str>) -> String {
    civil(time, zone).map(|at| at.strftime("%A, %B %-d, %Y").to_string()).unwrap_or_default()
}

/// `7:30 PM`.
pub(super) fn clock(time: &str, zone: Option<&str>) -> String {
    civil(time, zone).map(|at| at.strftime("%-I:%M %p").to_string()).unwrap_or_default()
}

/// The instant with its venue's offset, `2026-12-03T19:30:00-05:00`: what machines read in a page.
pub(super) fn zoned(time: &str, zone: Option<&str>) -> String {
    let instant = time.parse::<Timestamp>();
    let zone = zone.and_then(|zone| TimeZone::get(zone).ok()).unwrap_or(TimeZone::UTC);
    instant.map(|at| at.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()).unwrap_or_default()
}

/// An uploaded picture's address in another of its sizes; any other address as it is.
pub(super) fn sized(address: &str, size: &str) -> String {
    match address.strip_suffix("-hero.jpg") {
        Some(stem) if stem.contains("/image/") => format!("{stem}-{size}.jpg"),
        _ => address.to_owned(),
    }
}

/// An address on this site as other sites know it.
pub(super) fn absolute(site: &str, address: &str) -> String {
    if address.starts_with('/') { format!("{site}{address}") } else { address.to_owned() }
}

/// A title's parts, as organizers set them apart by a dot: what is played, who plays.
pub(super) fn parts(title: &str) -> Vec<String> {
    title.split(" · ").map(str::to_owned).collect()
}

/// What a description says beyond the programme, which the page lists itself.
pub(super) fn about(description: &str) -> String {
    let own = |line: &&str| !line.starts_with('•') && !matches!(line.trim(), "Programme" | "Program");
    description.lines().filter(own).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// The cover of a concert: one programme, one picture. The last genre is the most telling.
pub(super) fn art_address(title: &str, genres: &Value) -> String {
    let last = genres.len().unwrap_or_default().saturating_sub(1);
    let genre = genres.get_item_by_index(last).ok().and_then(|genre| genre.as_str().map(str::to_owned));
    let slug: String = genre.unwrap_or_default().chars().filter(char::is_ascii_alphabetic).collect();
    let slug = if slug.is_empty() { "Concert".to_owned() } else { slug };
    let mut seed: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in title.bytes() {
        seed = (seed ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    format!("/art/{slug}-{seed:016x}.svg")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_uploaded_picture_has_sizes_and_others_have_not() {
        assert_eq!(sized("https://cdn.test/image/1/ab-hero.jpg", "card"), "https://cdn.test/image/1/ab-card.jpg");
        assert_eq!(sized("/image/1/ab-card.jpg", "thumb"), "/image/1/ab-card.jpg");
        assert_eq!(sized("https://else.test/a-hero.jpg", "card"), "https://else.test/a-hero.jpg");
        assert_eq!(absolute("https://site.test", "/image/1"), "https://site.test/image/1");
        assert_eq!(absolute("https://site.test", "https://cdn.test/image/1"), "https://cdn.test/image/1");
    }

    #[test]
    fn prices_read_as_on_a_tag() {
        assert_eq!(money(Some(4500), Some("USD")), "$45");
        assert_eq!(money(Some(123_450), Some("EUR")), "€1,234.50");
        assert_eq!(money(Some(4500), Some("JPY")), "¥4,500");
        assert_eq!(money(Some(4505), Some("CHF")), "CHF\u{a0}45.05");
        assert_eq!(money(None, Some("USD")), "");
    }

    #[test]
    fn times_are_the_venues_own() {
        let zone = Some("America/New_York");
        assert_eq!(day("2026-12-04T00:30:00Z", zone), "Thu, Dec 3, 2026");
        assert_eq!(full_day("2026-12-03T19:30:00", None), "Thursday, December 3, 2026");
        assert_eq!(clock("2026-12-04T00:30:00Z", zone), "7:30 PM");
        assert_eq!(zoned("2026-12-04T00:30:00Z", zone), "2026-12-03T19:30:00-05:00");
        assert_eq!(clock("soon", zone), "");
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 999, 1000, 80_000, 1_234_567].map(count), ["0", "999", "1,000", "80,000", "1,234,567"]);
    }

    #[test]
    fn a_description_does_not_list_the_programme_again() {
        assert_eq!(about("Programme\n• Mahler: Symphony No. 5\n\nA farewell evening."), "A farewell evening.");
        assert_eq!(about("• One\n• Two"), "");
        assert_eq!(
            parts("Wagner: Tannhäuser · New York Philharmonic"),
            ["Wagner: Tannhäuser", "New York Philharmonic"]
        );
    }

    #[test]
    fn one_programme_has_one_cover() {
        let genres = Value::from(vec!["Opera & Vocal"]);
        let address = art_address("Tosca", &genres);
        assert!(address.starts_with("/art/OperaVocal-"), "{address}");
        assert_eq!(address, art_address("Tosca", &genres));
        assert_ne!(address, art_address("Fidelio", &genres));
        assert!(art_address("Tosca", &Value::UNDEFINED).starts_with("/art/Concert-"));
    }
}
