//! Which genres a concert is filed under, told from its series, its works and who plays.

use super::archive::Record;

const VOICES: [&str; 13] = [
    "Soprano",
    "Mezzo-Soprano",
    "Contralto",
    "Alto",
    "Tenor",
    "Countertenor",
    "Baritone",
    "Bass-Baritone",
    "Bass",
    "Vocalist",
    "Singer",
    "Solo Voice",
    "Boy Soprano",
];
const OPERATIC: [&str; 8] = [
    "Richard Wagner",
    "Giuseppe Verdi",
    "Giacomo Puccini",
    "Charles Gounod",
    "Jules Massenet",
    "Gaetano Donizetti",
    "Vincenzo Bellini",
    "Pietro Mascagni",
];

/// Genres of a programme itself, whatever the evening.
pub(super) fn of_programme(record: &Record) -> Vec<&'static str> {
    let title = |words: &[&str]| record.works.iter().any(|work| words.iter().any(|word| work.title.contains(word)));
    let plays = |words: &[&str]| {
        let mut parts = record.works.iter().flat_map(|work| &work.soloists).filter_map(|(_, part)| part.as_deref());
        parts.any(|part| words.iter().any(|word| part.contains(word)))
    };
    let sings = record.works.iter().flat_map(|work| &work.soloists).filter_map(|(_, part)| part.as_deref());
    let sings = sings.into_iter().any(|part| VOICES.contains(&part));
    let operatic = record.works.iter().any(|work| OPERATIC.contains(&work.composer.as_str()));
    let mut genres = Vec::new();
    let mut file = |holds: bool, genre: &'static str| {
        if holds {
            genres.push(genre);
        }
    };
    file(title(&["SYMPHON", "SINFONI"]), "Symphony");
    file(title(&["CONCERTO"]), "Concerto");
    file(sings || operatic, "Opera & Vocal");
    file(plays(&["Chorus", "Choir"]), "Choral");
    file(title(&["BALLET"]) || plays(&["Dancer", "Choreographer"]), "Dance");
    file(title(&["(FILM", "FILM MUSIC", "STAR WARS", "MOVIE"]), "Film");
    file(title(&["MUSICAL"]) || plays(&["Jazz", "Drum Set", "Band"]), "Jazz & Musicals");
    file(title(&["CAROL", "CHRISTMAS", "MESSIAH", "SILENT NIGHT"]), "Holiday");
    genres
}

/// All genres of one evening: its series' first. Never empty, never more than the table allows.
pub(super) fn of_evening(kind: &str, chamber_players: bool, of_programme: &[&'static str]) -> Vec<&'static str> {
    let has = |words: &[&str]| words.iter().any(|word| kind.contains(word));
    let chamber = chamber_players || has(&["Chamber", "Recital", "Prospective Encounters", "Holiday Brass"]);
    let series = [
        (!chamber, "Orchestral"),
        (chamber, "Chamber"),
        (has(&["Young People", "Student", "School", "Educational"]), "Family"),
        (has(&["Parks", "Stadium", "Borough", "World's Fair"]), "Outdoor"),
        (has(&["Pop", "Promenade", "Summertime", "Rug"]), "Pops"),
        (has(&["Hear & Now", "Horizons", "Contact!", "Sound ON", "Encounters", "Nightcap"]), "Contemporary"),
        (has(&["Festival"]), "Festival"),
        (has(&["Holiday", "New Year"]) && !of_programme.contains(&"Holiday"), "Holiday"),
    ];
    series.into_iter().filter_map(|(holds, genre)| holds.then_some(genre)).chain(of_programme.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_comes_first_and_nothing_stands_twice() {
        assert_eq!(of_evening("Parks", false, &["Symphony"]), ["Orchestral", "Outdoor", "Symphony"]);
        assert_eq!(of_evening("Tour - Chamber", false, &[]), ["Chamber"]);
        assert_eq!(of_evening("Holiday Brass", true, &["Holiday"]), ["Chamber", "Holiday"]);
    }

    #[test]
    fn works_and_players_name_the_rest() {
        let record = r#"{"program":"1","orchestra":"New York Philharmonic","concerts":[],"works":[
            {"composer":"Richard Wagner","title":"LOHENGRIN"},
            {"composer":"Edward MacDowell","title":"CONCERTO, PIANO, NO. 2","soloists":[["A","Piano"]]},
            {"composer":"B","title":"X","soloists":[["C",null],["D","Mens Chorus"]]}]}"#;
        assert_eq!(of_programme(&serde_json::from_str(record).unwrap()), ["Concerto", "Opera & Vocal", "Choral"]);
    }
}
