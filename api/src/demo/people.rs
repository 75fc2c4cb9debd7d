//! Names of people as they are written elsewhere: the archive inverts some, joins others, and puts the accents in brackets.

use unicode_normalization::UnicodeNormalization;

/// Composers that are no one.
const NOBODY: [&str; 8] =
    ["Traditional", "Anthem", "Anonymous", "Unknown", "Unspecified", "None", "Not conducted", "Not Conducted"];

/// The people of one archive entry, mostly one; none where the entry names nobody.
pub(super) fn names(raw: &str) -> Vec<String> {
    // "Pierre; Gilbert, David Boulez" stood as "Boulez, Pierre; Gilbert, David" once.
    let mut parts: Vec<&str> = raw.split("; ").collect();
    let mut names = Vec::new();
    if parts.len() > 1
        && let Some((last, surname)) = parts.pop().and_then(|last| last.rsplit_once(' '))
    {
        names.push(format!("{} {surname}", parts.remove(0)));
        parts.push(last);
        names.extend(parts.iter().map(|part| match part.split_once(", ") {
            Some((surname, given)) => format!("{given} {surname}"),
            None => (*part).to_owned(),
        }));
    } else {
        names.push(raw.to_owned());
    }
    names.iter().map(|name| suffix_last(&spelled(name))).filter(|name| is_somebody(name)).collect()
}

fn is_somebody(name: &str) -> bool {
    !name.is_empty() && !NOBODY.contains(&name)
}

/// "Johann, II Strauss" → "Johann Strauss II".
fn suffix_last(name: &str) -> String {
    for suffix in ["Jr.", "Sr.", "II", "III", "IV"] {
        if let Some((given, surname)) = name.split_once(&format!(", {suffix} ")) {
            return format!("{given} {surname} {suffix}");
        }
    }
    name.to_owned()
}

/// Takes the accents from a bracket: "Camille Saint-Saens [Saint-Saëns]" → "Camille Saint-Saëns". Other brackets go.
pub(super) fn spelled(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut out: Vec<String> = Vec::with_capacity(words.len());
    let mut skip = false;
    for (i, word) in words.iter().enumerate() {
        if std::mem::take(&mut skip) {
            continue;
        }
        let bare = word.trim_end_matches([',', ':', ';', ')']);
        let Some(inner) = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
            out.push((*word).to_owned());
            continue;
        };
        let trailing: String = word.chars().skip(bare.chars().count()).collect();
        let same = |other: &str| !inner.is_ascii() && folded(other).chars().next() == folded(inner).chars().next();
        if out.last().is_some_and(|previous| same(previous)) {
            out.pop();
            out.push(format!("{inner}{trailing}"));
        } else if words.get(i + 1).is_some_and(|next| same(next)) {
            out.push(inner.to_owned());
            skip = true;
        } else if let Some(previous) = out.last_mut() {
            previous.push_str(&trailing);
        }
    }
    out.join(" ")
}

/// Lower case without accents.
fn folded(text: &str) -> String {
    text.nfd().filter(char::is_ascii).flat_map(char::to_lowercase).collect()
}

/// What a programme's headline calls a composer: the surname, but the whole name where several bear it.
pub(super) fn headline(name: &str) -> &str {
    const SHARED: [&str; 6] = ["Strauss", "Bach", "Haydn", "Williams", "Schuman", "II"];
    let last = name.rsplit_once(' ').map_or(name, |(_, last)| last);
    if name == "Johann Sebastian Bach" || name == "Franz Joseph Haydn" {
        last
    } else if SHARED.contains(&last) || last.len() < 4 {
        name
    } else {
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_come_from_the_bracket() {
        assert_eq!(names("Camille Saint-Saens [Saint-Saëns]"), ["Camille Saint-Saëns"]);
        assert_eq!(names("Ivan [Iván] Fischer"), ["Iván Fischer"]);
        assert_eq!(names("Louis Joseph Ferdinand [Hérold] Herold"), ["Louis Joseph Ferdinand Hérold"]);
        assert_eq!(names("György [Gyorgy] Ligeti"), ["György Ligeti"]);
    }

    #[test]
    fn inverted_and_joined_names_are_set_right() {
        assert_eq!(names("Johann, II Strauss"), ["Johann Strauss II"]);
        assert_eq!(names("Pierre; Gilbert, David Boulez"), ["Pierre Boulez", "David Gilbert"]);
        assert_eq!(
            names("Pierre; Gilbert, David; Chambers, James; Newland, Larry Boulez"),
            ["Pierre Boulez", "David Gilbert", "James Chambers", "Larry Newland"]
        );
        assert!(names("Traditional").is_empty());
    }

    #[test]
    fn a_headline_has_the_surname_unless_it_is_shared() {
        assert_eq!(headline("Ludwig van Beethoven"), "Beethoven");
        assert_eq!(headline("Johann Sebastian Bach"), "Bach");
        assert_eq!(headline("Richard Strauss"), "Richard Strauss");
        assert_eq!(headline("Johann Strauss II"), "Johann Strauss II");
    }
}
