//! Query strings of random parameters.

use crate::fixture::Dice;

const TEXTS: [&str; 34] = [
    "mahler",
    "Dvořák",
    "titan",
    "gala",
    "requiem ka",
    "sch",
    "mahlre",
    "rezurrection",
    "5",
    "philharmnic",
    "hall evening",
    "zzzz",
    "\"new york\"",
    "\"york new\"",
    "\"evening gala",
    "\"schumann clara\"",
    "\"no 5\" mahler",
    "\"resurrection of",
    "-titan",
    "-\"new york\" symphony",
    "schumann -clara -gala",
    "evening -\"a gala\"",
    "ny phil",
    "dworschak",
    "\"tokyo symphony\"",
    "farewell",
    "farewell -rusalka",
    "czech master titan",
    "\"czech master\"",
    "東京",
    "京東",
    "交響楽",
    "京",
    "東京 -交響",
];

/// A query string of random parameters.
pub(super) fn query(dice: &mut Dice) -> String {
    let some = |dice: &mut Dice, all: &[&str]| all[dice.below(all.len())].to_owned();
    let mut pairs: Vec<(&str, String)> = Vec::new();
    let near = dice.below(3) == 0;
    if near {
        let places = [("40.7", "-74"), ("-90", "100"), ("90", "0"), ("-16.5", "-179.9"), ("52", "179.5")];
        let (lat, lon) = places[dice.below(places.len())];
        pairs.extend([("lat", lat.into()), ("lon", lon.into())]);
        if dice.below(3) > 0 {
            pairs.push(("radius_km", some(dice, &["5", "300", "1500", "9000", "12000", "20000"])));
        }
    }
    for _ in 0..dice.below(5) {
        let pair = filter(dice);
        let once =
            ["price_min", "price_max", "min_seats", "from", "to", "local_from", "local_to", "include_past", "bbox"];
        if !(once.contains(&pair.0) && pairs.iter().any(|(name, _)| *name == pair.0)) {
            pairs.push(pair);
        }
    }
    if dice.below(2) == 0 {
        pairs.push(("q", some(dice, &TEXTS)));
    }
    let sorts = [
        "date",
        "-date",
        "price",
        "-price",
        "popularity",
        "availability",
        "name",
        "on_sale",
        if near { "distance" } else { "date" },
    ];
    pairs.push(("sort", some(dice, &sorts)));
    written(&pairs)
}

/// A text, by relevance.
pub(super) fn text(dice: &mut Dice) -> String {
    let mut pairs = vec![("q", TEXTS[dice.below(TEXTS.len())].to_owned())];
    if dice.below(2) == 0 {
        pairs.push(("include_past", "true".to_owned()));
    }
    written(&pairs)
}

fn written(pairs: &[(&str, String)]) -> String {
    let escaped = |text: &str| {
        text.bytes()
            .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02x}") })
            .collect::<String>()
    };
    pairs.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect::<Vec<_>>().join("&")
}

fn filter(dice: &mut Dice) -> (&'static str, String) {
    let some = |dice: &mut Dice, all: &[&str]| all[dice.below(all.len())].to_owned();
    match dice.below(22) {
        0 => ("city", some(dice, &["new york", "Tokyo", "PRAHA", "york", "nowhere", "東京"])),
        1 => ("genre", some(dice, &["Symphony", "chamber", "opera", "lieder"])),
        2 => ("country", some(dice, &["US", "jp", "CZ", "AQ"])),
        3 => {
            let names = [
                "Gustav Mahler",
                "dvorak",
                "schumann",
                "new york philharmonic",
                "ny phil",
                "dworschak",
                "交響",
                "tokyo",
            ];
            ("artist", some(dice, &names))
        }
        4 => ("venue", some(dice, &["Carnegie Hall", "hall", "rudolfinum", "文化会館", "pole"])),
        5 => ("availability", some(dice, &["available", "few", "sold-out"])),
        6 => ("on_sale", some(dice, &["now", "soon", "past", "presale"])),
        7 => ("currency", some(dice, &["USD", "JPY"])),
        8 => ("status", some(dice, &["scheduled", "postponed", "cancelled"])),
        9 => ("include_past", "true".into()),
        10 => ("price_min", some(dice, &["1000", "2500", "5000"])),
        11 => ("price_max", some(dice, &["3000", "6000", "0"])),
        12 => ("min_seats", some(dice, &["0", "3", "15"])),
        13 => ("from", some(dice, &["2026-11-20T00:00:00Z", "2026-12-01T00:00:00Z", "2027-03-14T07:00:00Z"])),
        14 => ("to", some(dice, &["2026-12-01T00:00:00Z", "2027-03-28T01:00:00Z"])),
        15 => ("local_from", some(dice, &["2026-11-25", "2026-12-05", "2027-03-14", "2027-03-28"])),
        16 => ("local_to", some(dice, &["2026-11-28", "2026-12-10", "2027-03-14", "2027-03-28"])),
        17 | 18 => ("when", some(dice, &["today", "tonight", "tomorrow", "this-weekend", "next-week", "this-month"])),
        19 => ("region", some(dice, &["ny", "AK"])),
        20 => ("artist_id", format!("00000000-0000-0000-0000-00000000200{}", dice.below(7))),
        _ => {
            let boxes = [
                "-75,40,-73,41",
                "170,-20,-170,60",
                "-180,-90,-179,-16",
                "0,-90,10,-80",
                "179,-17,180,-16",
                "100,-60,-100,60",
            ];
            ("bbox", some(dice, &boxes))
        }
    }
}
