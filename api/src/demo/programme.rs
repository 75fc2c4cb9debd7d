//! A programme prepared once for all its evenings and variations: its headline, its works, who plays, how well known it is.

use super::archive::{Record, Work};
use super::{genres, people, titles};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write as _;

/// Performers and composers named per event, at most.
const ARTISTS_MAX: usize = 48;

/// Words that make a title a kind of piece rather than a name.
const FORMS: [&str; 9] =
    ["Symphony No.", "Concerto", "Sonata", "Quartet", "Quintet", "Trio", "Requiem", "Mass in", "Symphony in"];

/// What every event of this programme says.
#[derive(Debug)]
pub(super) struct Programme {
    /// `Beethoven Symphony No. 5`.
    pub(super) headline: String,
    pub(super) orchestra: String,
    pub(super) description: String,
    /// The table's JSON, with conductors and without (a variation has its own).
    pub(super) works: String,
    pub(super) works_unconducted: String,
    /// Names and roles: orchestra, conductors, soloists, composers.
    pub(super) artists: Vec<(String, String)>,
    /// The players are some of the orchestra's, not the orchestra.
    pub(super) chamber_players: bool,
    pub(super) genres: Vec<&'static str>,
    /// How often the headline's work stands in the archive.
    pub(super) renown: u32,
}

/// How often each title stands in the archive.
pub(super) type Renown<'a> = HashMap<(&'a str, &'a str), u32>;

/// Counts the whole archive.
pub(super) fn renown(records: &[Record]) -> Renown<'_> {
    let mut counts = Renown::new();
    for work in records.iter().flat_map(|record| &record.works) {
        *counts.entry((&work.composer, &work.title)).or_default() += 1;
    }
    counts
}

impl Programme {
    pub(super) fn of(record: &Record, renown: &Renown<'_>) -> Self {
        let known = |work: &Work| renown.get(&(work.composer.as_str(), work.title.as_str())).copied().unwrap_or(0);
        let main =
            record.works.iter().max_by_key(|work| (weight(work), known(work), std::cmp::Reverse(work.title.as_str())));
        let orchestra = if record.orchestra == "None" { "New York Philharmonic" } else { &record.orchestra };
        let works: Vec<Value> = record.works.iter().map(|work| work_json(work, true)).collect();
        let unconducted: Vec<Value> = record.works.iter().map(|work| work_json(work, false)).collect();
        Self {
            headline: main.map_or_else(|| "An Evening of Music".to_owned(), headline),
            orchestra: orchestra.to_owned(),
            description: description(record, orchestra),
            works: Value::from(works).to_string(),
            works_unconducted: Value::from(unconducted).to_string(),
            artists: artists(record, orchestra),
            chamber_players: ["Musicians", "Members", "Ensembles"].iter().any(|word| orchestra.contains(word)),
            genres: genres::of_programme(record),
            renown: main.map_or(0, known),
        }
    }
}

/// How much of an evening a work is: whole symphonies and great choral works before concertos, before single movements and encores.
fn weight(work: &Work) -> i32 {
    let is = |words: &[&str]| words.iter().any(|word| work.title.contains(word));
    if people::names(&work.composer).is_empty() || is(&["ANTHEM", "STAR SPANGLED", "STAR-SPANGLED"]) {
        return -100;
    }
    let kind = if is(&["REQUIEM", "MESSIAH", "PASSION", "MISSA", "MASS ", "CREATION", "ORATORIO"]) {
        60
    } else if is(&["SYMPHONY", "SYMPHONIE FANTASTIQUE"]) {
        50
    } else if is(&["CONCERTO"]) {
        45
    } else if is(&["OVERTURE", "MARCH", "WALTZ"]) {
        10
    } else {
        25
    };
    kind - if work.movement.is_some() { 20 } else { 0 }
}

/// `Beethoven Symphony No. 5`.
fn headline(work: &Work) -> String {
    let title = titles::short(&titles::readable(&work.title));
    match people::names(&work.composer).first() {
        // A form is the composer's; a name stands for itself: "Beethoven Symphony No. 5", but "Wagner: Lohengrin".
        Some(name) if FORMS.iter().any(|form| title.contains(form)) => format!("{} {title}", people::headline(name)),
        Some(name) => format!("{}: {title}", people::headline(name)),
        None => title,
    }
}

fn work_json(work: &Work, conducted: bool) -> Value {
    let composer = people::names(&work.composer).first().cloned().unwrap_or_else(|| people::spelled(&work.composer));
    let mut json = json!({"composer": composer, "title": titles::readable(&work.title)});
    if let Some(movement) = &work.movement {
        json["movement"] = people::spelled(movement).into();
    }
    if let Some(conductor) =
        work.conductor.as_deref().filter(|_| conducted).map(people::names).filter(|names| !names.is_empty())
    {
        json["conductor"] = conductor.join(", ").into();
    }
    json
}

/// The programme as one reads it: a work once, with the movements given.
fn description(record: &Record, orchestra: &str) -> String {
    let mut text = String::from("Programme\n");
    let mut previous = None;
    for work in &record.works {
        let movement = work.movement.as_deref().map(people::spelled);
        if previous == Some((&work.composer, &work.title)) {
            text.extend(movement.iter().flat_map(|movement| ["; ", movement]));
            continue;
        }
        previous = Some((&work.composer, &work.title));
        let composer =
            people::names(&work.composer).first().cloned().unwrap_or_else(|| people::spelled(&work.composer));
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.extend(["• ", &composer, ": ", &titles::readable(&work.title)]);
        text.extend(movement.iter().flat_map(|movement| [" · ", movement]));
    }
    if let Some(first) = record.concerts.first() {
        let place = first.venue.as_deref().unwrap_or("a hall that is not recorded");
        // Writing to a string cannot fail.
        let _written = write!(
            text,
            "\n\nAfter a programme that {orchestra} gave on {} at {place} (archive no. {}).",
            first.local_date.strftime("%-d %B %Y"),
            record.program
        );
    }
    text.chars().take(20_000).collect()
}

/// Everyone with a part in it, each once per part.
fn artists(record: &Record, orchestra: &str) -> Vec<(String, String)> {
    let mut artists = vec![(orchestra.to_owned(), "orchestra".to_owned())];
    let conductors = record.works.iter().filter_map(|work| work.conductor.as_deref()).map(|raw| (raw, "conductor"));
    let soloists = record.works.iter().flat_map(|work| &work.soloists).filter_map(|(raw, part)| {
        let part = part.as_deref().filter(|part| !matches!(*part, "" | "None" | "Other"));
        Some((raw.as_deref()?, part.unwrap_or("performer")))
    });
    let composers = record.works.iter().map(|work| (work.composer.as_str(), "composer"));
    // Composers are never pushed out by a long list of dancers.
    let mut named: Vec<(String, String)> = Vec::new();
    for (raw, role) in conductors.chain(composers).chain(soloists) {
        for name in people::names(raw) {
            let artist = (name, role.to_owned());
            if named.len() < ARTISTS_MAX && !named.contains(&artist) {
                named.push(artist);
            }
        }
    }
    named.sort_by_key(|(_, role)| match role.as_str() {
        "conductor" => 0,
        "composer" => 2,
        _ => 1,
    });
    artists.extend(named);
    artists
}
