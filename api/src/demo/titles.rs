//! Titles of works as a programme prints them: `CONCERTO, VIOLIN, E MINOR, OP.64` is the Violin Concerto in E minor, Op. 64.
//!
//! Words that the archive already writes in mixed case stay as they are.

use super::people::spelled;

const ARTICLES: [&str; 24] = [
    "THE", "A", "AN", "DIE", "DER", "DAS", "EIN", "EINE", "LA", "LE", "LES", "L'", "UN", "UNE", "IL", "LO", "GLI",
    "UNA", "EL", "LOS", "LAS", "O", "DE", "HET",
];
const SMALL: [&str; 38] = [
    "a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with", "de", "del", "des", "di",
    "du", "da", "et", "la", "le", "les", "en", "un", "une", "der", "die", "das", "und", "von", "zu", "per", "il", "y",
    "e", "sur",
];
const FORMS: [&str; 16] = [
    "CONCERTO",
    "CONCERTINO",
    "SONATA",
    "SONATINA",
    "DUO",
    "TRIO",
    "QUARTET",
    "QUINTET",
    "SEXTET",
    "SEPTET",
    "OCTET",
    "NONET",
    "ROMANCE",
    "FANTASY",
    "SINFONIA CONCERTANTE",
    "RHAPSODY",
];
const INSTRUMENTS: [&str; 27] = [
    "PIANO",
    "PIANOS",
    "VIOLIN",
    "VIOLINS",
    "VIOLA",
    "CELLO",
    "CELLOS",
    "DOUBLE BASS",
    "FLUTE",
    "OBOE",
    "CLARINET",
    "BASSOON",
    "HORN",
    "HORNS",
    "TRUMPET",
    "TROMBONE",
    "TUBA",
    "HARP",
    "ORGAN",
    "GUITAR",
    "HARPSICHORD",
    "PERCUSSION",
    "TIMPANI",
    "STRING",
    "STRINGS",
    "WIND",
    "ORCHESTRA",
];

/// The whole title, readable.
pub(super) fn readable(raw: &str) -> String {
    let raw = raw.rsplit_once(" / ").map_or(raw, |(_, title)| title);
    let text = spaced(&glossed(&raw.split_whitespace().collect::<Vec<_>>().join(" ")));
    let cut = text.find([':', '(', '"']).unwrap_or(text.len());
    let (head, tail) = text.split_at(cut);
    let comma = if tail.starts_with('"') && head.trim_end().ends_with(',') { "," } else { "" };
    let gap = if head.ends_with(' ') { " " } else { "" };
    let segments: Vec<&str> = head.split(',').map(str::trim).filter(|segment| !segment.is_empty()).collect();
    cased(&format!("{}{comma}{gap}{tail}", arranged(&segments)))
}

/// The title without key, catalogue number, arranger and nickname: what a headline has room for.
pub(super) fn short(readable: &str) -> String {
    let end = [", ", " (", " \"", " in A", " in B", " in C", " in D", " in E", " in F", " in G"]
        .iter()
        .filter_map(|mark| readable.find(mark).filter(|at| !mark.starts_with(" in") || is_key(readable, at + 4)))
        .min()
        .unwrap_or(readable.len());
    readable.get(..end).unwrap_or(readable).trim_end_matches([':', ' ']).to_owned()
}

fn is_key(text: &str, at: usize) -> bool {
    text.get(at..).and_then(|key| key.split([',', '(']).next()).is_some_and(|key| {
        let key = key.trim();
        key.ends_with(" major") || key.ends_with(" minor")
    })
}

/// A bracket gives accents (`HOLLANDER [HOLLÄNDER]`) or a translation (`MER, LA [THE SEA]`); the latter becomes a parenthesis.
fn glossed(text: &str) -> String {
    match text.split_once('[').and_then(|(before, rest)| rest.split_once(']').map(|parts| (before, parts))) {
        Some((before, (gloss, after))) if gloss.is_ascii() => format!("{before}({gloss}){after}"),
        Some(_) => spelled(text),
        None => text.to_owned(),
    }
}

/// `OP.67` → `OP. 67`.
fn spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    let mut previous = [' ', ' '];
    for c in text.chars() {
        if c.is_ascii_digit() && previous[1] == '.' && previous[0].is_alphabetic() {
            out.push(' ');
        }
        out.push(c);
        previous = [previous[1], c];
    }
    out
}

/// Articles and instruments to the front; numbers and keys joined without a comma.
fn arranged(segments: &[&str]) -> String {
    let Some((&first, rest)) = segments.split_first() else { return String::new() };
    let mut rest = rest;
    let mut title = first.to_owned();
    if let Some((article, after)) = rest.split_first().filter(|(article, _)| ARTICLES.contains(article)) {
        let gap = if article.ends_with('\'') { "" } else { " " };
        title = format!("{article}{gap}{first}");
        rest = after;
    } else if FORMS.contains(&first) {
        let played = rest.iter().take_while(|segment| are_instruments(segment)).count();
        let (instruments, after) = rest.split_at(played);
        title = match instruments {
            [] => title,
            [one] => format!("{one} {first}"),
            [init @ .., last] => format!("{first} for {} and {last}", init.join(", ")),
        };
        rest = after;
    }
    for segment in rest {
        let joint = if segment.starts_with("NO. ") {
            " "
        } else if segment.len() <= 13 && (segment.ends_with(" MAJOR") || segment.ends_with(" MINOR")) {
            " in "
        } else {
            ", "
        };
        title.push_str(joint);
        title.push_str(segment);
    }
    title
}

fn are_instruments(segment: &str) -> bool {
    segment.split(" AND ").all(|name| INSTRUMENTS.contains(&name.trim()))
}

fn cased(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let mut out: Vec<String> = Vec::with_capacity(words.len());
    let mut opens = true;
    for (i, word) in words.iter().enumerate() {
        let next = words.get(i + 1).map_or("", |next| next.trim_end_matches([',', ')', ':']));
        let core = word.trim_matches(['(', ')', ',', ':', '"', '[', ']']);
        if matches!(core, "MAJOR" | "MINOR") {
            out.push(word.to_lowercase());
        } else if matches!(core, "FLAT" | "SHARP") && out.last().is_some_and(|key| is_letter(key)) {
            let key = out.pop().unwrap_or_default();
            out.push(format!("{key}-{}", word.to_lowercase()));
        } else if is_letter(core) && matches!(next, "MAJOR" | "MINOR" | "FLAT" | "SHARP") {
            out.push((*word).to_owned());
        } else {
            out.push(cased_word(word, opens || word.starts_with(['(', '"'])));
        }
        opens = word.ends_with([':', '"', '.']) && !matches!(core, "OP." | "NO." | "K." | "D.");
    }
    out.join(" ")
}

fn is_letter(word: &str) -> bool {
    let mut chars = word.chars();
    matches!((chars.next(), chars.next()), (Some('A'..='H'), None))
}

fn cased_word(word: &str, opens: bool) -> String {
    let core = word.trim_matches(['(', ')', ',', ':', '"', '[', ']', ';', '.', '!', '?']);
    if core.chars().any(char::is_lowercase) {
        return word.to_owned();
    }
    if matches!(core, "BWV" | "WWV" | "RV" | "HWV" | "TWV" | "BB" | "USA" | "NBC" | "TV" | "MGM") || is_roman(core) {
        return word.to_owned();
    }
    let lower = word.to_lowercase();
    if matches!(core, "ARR" | "ORCH" | "TRANS") && word.ends_with('.') || core.starts_with(|c: char| c.is_ascii_digit())
    {
        return lower;
    }
    if !opens && SMALL.contains(&core.to_lowercase().as_str()) {
        return lower;
    }
    capitalised(&lower)
}

fn is_roman(word: &str) -> bool {
    word == "I" || word.len() > 1 && word.chars().all(|c| matches!(c, 'I' | 'V' | 'X'))
}

/// Capitals after a hyphen, a slash and an elided article, not after the apostrophe of `don't` or `king's`.
fn capitalised(lower: &str) -> String {
    let mut out = String::with_capacity(lower.len());
    let mut letters = 0_usize;
    for c in lower.chars() {
        if c.is_alphabetic() && letters == 0 {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        letters = match c {
            '-' | '/' => 0,
            '\'' if letters == 1 && !lower.contains("'er") => 0,
            c if c.is_alphabetic() || c == '\'' => letters + 1,
            _ => letters,
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_keys_and_catalogues_are_printed_as_usual() {
        for (raw, printed) in [
            ("SYMPHONY NO. 5 IN C MINOR, OP.67", "Symphony No. 5 in C minor, Op. 67"),
            ("SYMPHONY NO. 3 IN E FLAT MAJOR, OP. 55 (EROICA)", "Symphony No. 3 in E-flat major, Op. 55 (Eroica)"),
            ("SYMPHONY NO. 5, E MINOR, OP. 64", "Symphony No. 5 in E minor, Op. 64"),
            ("CONCERTO, VIOLIN, E MINOR, OP.64", "Violin Concerto in E minor, Op. 64"),
            ("CONCERTO, PIANO, NO. 5, E FLAT MAJOR, OP.73", "Piano Concerto No. 5 in E-flat major, Op. 73"),
            ("TRIO, CLARINET, CELLO, PIANO", "Trio for Clarinet, Cello and Piano"),
            ("SYMPHONY NO. 41, C MAJOR, K.551, \"JUPITER\"", "Symphony No. 41 in C major, K. 551, \"Jupiter\""),
            ("LEONORE OVERTURE NO. 3, OP. 72B", "Leonore Overture No. 3, Op. 72b"),
            ("SYMPHONY IN D MINOR", "Symphony in D minor"),
        ] {
            assert_eq!(readable(raw), printed);
        }
    }

    #[test]
    fn articles_accents_and_small_words_stand_where_they_belong() {
        for (raw, printed) in [
            ("MEISTERSINGER, DIE, WWV 96", "Die Meistersinger, WWV 96"),
            ("NUTCRACKER, THE: SUITE, OP. 71A", "The Nutcracker: Suite, Op. 71a"),
            ("GOTTERDAMMERUNG [GÖTTERDÄMMERUNG]", "Götterdämmerung"),
            ("FLIEGENDE HOLLANDER [HOLLÄNDER], DER", "Der Fliegende Holländer"),
            ("MER, LA [THE SEA]", "La Mer (The Sea)"),
            ("DON'T BE THAT WAY (ARR. Goodman)", "Don't Be That Way (arr. Goodman)"),
            ("L'ARLESIENNE: SUITE NO. 2 (ARR. Guiraud)", "L'Arlesienne: Suite No. 2 (arr. Guiraud)"),
            ("Smith, Richard B. / WINTER WONDERLAND (ARR. Norris)", "Winter Wonderland (arr. Norris)"),
            ("ANIMUS II", "Animus II"),
            ("STARS AND STRIPES FOREVER", "Stars and Stripes Forever"),
        ] {
            assert_eq!(readable(raw), printed);
        }
    }

    #[test]
    fn a_headline_has_no_key_and_no_number_of_a_catalogue() {
        assert_eq!(short("Symphony No. 3 in E-flat major, Op. 55 (Eroica)"), "Symphony No. 3");
        assert_eq!(short("Der Fliegende Holländer"), "Der Fliegende Holländer");
        assert_eq!(short("An American in Paris (Traditional Version)"), "An American in Paris");
        assert_eq!(short("The Nutcracker: Suite, Op. 71a"), "The Nutcracker: Suite");
    }
}
