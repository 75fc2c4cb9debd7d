//! Where a concert is: the archive's venue with what it lacks filled in, its currency and which of the houses it resembles.

use super::archive::Concert;
use super::plans::Size;
use uuid::Uuid;

/// A venue, as its table wants it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) venue_id: Uuid,
    pub(super) name: String,
    pub(super) city: String,
    pub(super) district: Option<String>,
    pub(super) region: Option<String>,
    pub(super) country: String,
    pub(super) point: Option<(f64, f64)>,
    pub(super) timezone: String,
}

/// Cities that the archive gives no coordinates: name, latitude, longitude, zone.
const CITIES: [(&str, f64, f64, &str); 12] = [
    ("Holmdel", 40.3451, -74.1840, "America/New_York"),
    ("Luzerne", 47.0502, 8.3093, "Europe/Zurich"),
    ("Hong Kong", 22.3193, 114.1694, "Asia/Hong_Kong"),
    ("Teton Village", 43.5877, -110.8279, "America/Denver"),
    ("Middlebury", 44.0153, -73.1673, "America/New_York"),
    ("Le Grande", 45.3246, -118.0878, "America/Los_Angeles"),
    ("Ft. Wayne", 41.0793, -85.1394, "America/Indiana/Indianapolis"),
    ("Urbana-Champaign", 40.1106, -88.2073, "America/Chicago"),
    ("Purdue", 40.4237, -86.9212, "America/Indiana/Indianapolis"),
    ("Iguazu Falls", -25.6953, -54.4367, "America/Argentina/Cordoba"),
    ("Hyogo", 34.7447, 135.3569, "Asia/Tokyo"),
    ("Pine Knob", 42.7459, -83.3722, "America/Detroit"),
];

impl Place {
    /// The venue of one evening.
    pub(super) fn of(concert: &Concert) -> Self {
        let name = concert.venue.as_deref().unwrap_or("Venue to be announced");
        // Two evenings on an ocean liner: a French ship, whose clock is set to Greenwich.
        let at_sea = concert.country.is_none();
        let country = concert.country.as_deref().unwrap_or("FR");
        let city = match concert.city.as_deref() {
            Some(city) if city.len() > 3 && city.chars().all(char::is_uppercase) => super::titles::readable(city),
            Some(city) if at_sea => city.trim_end_matches(" (International Waters)").to_owned(),
            Some(city) => city.to_owned(),
            None => "To be announced".to_owned(),
        };
        let known = CITIES.iter().find(|(name, ..)| *name == city);
        let zone = concert.tz.as_deref().or(known.map(|(.., zone)| *zone));
        let usual = if country == "US" { "America/New_York" } else { "Etc/UTC" };
        let region = concert.region.clone();
        let key = format!("venue/{name}/{city}/{}/{country}", region.as_deref().unwrap_or(""));
        Self {
            venue_id: Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_bytes()),
            name: name.to_owned(),
            city,
            district: concert.district.clone(),
            region,
            country: country.to_owned(),
            point: concert.lat.zip(concert.lon).or(known.map(|(_, lat, lon, _)| (*lat, *lon))),
            timezone: zone.unwrap_or(usual).to_owned(),
        }
    }

    /// What tickets are paid in there, and the price of 100 dollars' worth in its minor units, before rounding to `step`.
    pub(super) fn currency(&self) -> Tender {
        let tender = |code, of_100_usd, step| Tender { code, of_100_usd, step };
        match self.country.as_str() {
            "AT" | "BE" | "DE" | "ES" | "FI" | "FR" | "GR" | "IE" | "IT" | "LT" | "LU" | "MC" | "NL" | "PT" | "SI" => {
                tender("EUR", 9_200, 100)
            }
            "GB" => tender("GBP", 7_900, 100),
            "JP" => tender("JPY", 15_000, 500),
            "KR" => tender("KRW", 135_000, 1_000),
            "CN" if self.timezone == "Asia/Hong_Kong" => tender("HKD", 78_000, 1_000),
            "CN" => tender("CNY", 72_000, 1_000),
            "CH" => tender("CHF", 8_800, 100),
            "CA" => tender("CAD", 13_500, 100),
            "AU" => tender("AUD", 15_000, 100),
            "NZ" => tender("NZD", 16_500, 100),
            "SE" => tender("SEK", 105_000, 1_000),
            "NO" => tender("NOK", 107_000, 1_000),
            "DK" => tender("DKK", 69_000, 1_000),
            "PL" => tender("PLN", 40_000, 500),
            "CZ" => tender("CZK", 230_000, 1_000),
            "SG" => tender("SGD", 13_400, 100),
            "TW" => tender("TWD", 320_000, 10_000),
            "BR" => tender("BRL", 50_000, 500),
            "MX" => tender("MXN", 170_000, 1_000),
            "IN" => tender("INR", 830_000, 10_000),
            "IL" => tender("ILS", 37_000, 500),
            "AE" => tender("AED", 36_700, 500),
            _ => tender("USD", 10_000, 100),
        }
    }

    /// The house that a concert of this kind has here.
    pub(super) fn size(&self, kind: &str) -> Size {
        let name = self.name.as_str();
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        if kind.starts_with("Parks")
            || has(&["Park", "Lawn", "Meadow"]) && !has(&["Hall", "Theat", "Auditorium", "Park Avenue"])
        {
            Size::Stadium
        } else if kind == "Stadium Concert"
            || has(&["Stadium", "Coliseum", "Arena", "Amphitheat", "Arts Center", "Hippodrome", "Garden State"])
        {
            Size::Arena
        } else if kind.contains("Chamber")
            || kind.contains("Recital")
            || has(&[
                "Merkin",
                "Penthouse",
                "Museum",
                "Hotel",
                "Residence",
                "Home",
                "Chapel",
                "Library",
                "Gallery",
                "Salon",
                "Rooms",
            ])
        {
            Size::Room
        } else if has(&[
            "College",
            "School",
            "University",
            "Theat",
            "Church",
            "Cathedral",
            "Gymnasium",
            "Auditorium",
            "Kaufmann",
        ]) {
            Size::Theatre
        } else {
            Size::Hall
        }
    }
}

/// A currency and how dollars become round amounts of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tender {
    pub(super) code: &'static str,
    of_100_usd: i64,
    step: i64,
}

impl Tender {
    /// So many dollar cents in this currency's minor units, rounded to a price that one would print.
    pub(super) fn amount(self, usd_cents: i64) -> i64 {
        let exact = usd_cents * self.of_100_usd / 10_000;
        ((exact + self.step / 2) / self.step * self.step).max(self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concert(json: &str) -> Place {
        Place::of(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn what_the_archive_lacks_is_filled_in() {
        let sea = concert(
            r#"{"type":"Special","venue":"French Line Grand Salon","local_date":"1930-04-30","city":"High Seas (International Waters)"}"#,
        );
        assert_eq!((sea.city.as_str(), sea.country.as_str(), sea.timezone.as_str()), ("High Seas", "FR", "Etc/UTC"));
        let hong_kong = concert(r#"{"venue":"City Hall","local_date":"1989-08-30","city":"Hong Kong","country":"CN"}"#);
        assert_eq!(hong_kong.timezone, "Asia/Hong_Kong");
        assert_eq!(hong_kong.currency().code, "HKD");
        let nowhere = concert(
            r#"{"local_date":"1906-01-06","city":"New York","region":"NY","country":"US","lat":40.7834,"lon":-73.9663,"tz":"America/New_York"}"#,
        );
        assert_eq!(nowhere.name, "Venue to be announced");
    }

    #[test]
    fn prices_are_round_in_every_currency() {
        let dollars = Tender { code: "USD", of_100_usd: 10_000, step: 100 };
        let yen = Tender { code: "JPY", of_100_usd: 15_000, step: 500 };
        assert_eq!(dollars.amount(12_340), 12_300);
        assert_eq!(yen.amount(12_340), 18_500);
        assert_eq!(yen.amount(1), 500);
    }
}
