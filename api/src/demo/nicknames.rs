//! What people call works and composers beside what the archive calls them: the demo's synonyms and artists' aliases.

/// Terms as search folds them, each with what it also means.
pub(super) const SYNONYMS: [(&str, &str); 15] = [
    ("ode to joy", "\"symphony no 9 in d minor\" beethoven"),
    ("choral symphony", "\"symphony no 9 in d minor\" beethoven"),
    ("fate symphony", "\"symphony no 5 in c minor\""),
    ("eroica", "\"symphony no 3 in e flat major\" beethoven"),
    ("pastorale", "\"symphony no 6 in f major\" beethoven"),
    ("emperor", "\"concerto piano no 5 e flat major\" beethoven"),
    ("pathetique", "\"symphony no 6 b minor\" tchaikovsky"),
    ("new world", "\"symphony no 9 e minor\" dvorak"),
    ("aus der neuen welt", "\"symphony no 9 e minor\" dvorak"),
    ("jupiter", "\"symphony no 41 c major\" mozart"),
    ("surprise", "\"symphony no 94\" haydn"),
    ("titan", "\"symphony no 1 in d major\" mahler"),
    ("resurrection", "\"symphony no 2 in c minor\" mahler"),
    ("rach 2", "\"concerto piano no 2\" rachmaninoff"),
    ("rach 3", "\"concerto piano no 3\" rachmaninoff"),
];

/// Artists by their name in the archive.
const ALIASES: [(&str, &[&str]); 12] = [
    ("New York Philharmonic", &["NY Phil", "Philharmonic-Symphony Society", "ニューヨーク・フィルハーモニック"]),
    ("Ludwig van Beethoven", &["ベートーヴェン", "贝多芬", "Бетховен"]),
    ("Pyotr Ilyich Tchaikovsky", &["Tschaikowsky", "Chaikovsky", "Чайковский", "チャイコフスキー"]),
    ("Wolfgang Amadeus Mozart", &["モーツァルト", "莫扎特"]),
    ("Johann Sebastian Bach", &["J. S. Bach", "バッハ", "巴赫"]),
    ("Sergei Rachmaninoff", &["Rachmaninov", "Рахманинов"]),
    ("Sergei Prokofiev", &["Prokofieff", "Прокофьев"]),
    ("Dmitri Shostakovich", &["Schostakowitsch", "Chostakovitch", "Шостакович"]),
    ("Igor Stravinsky", &["Strawinsky", "Стравинский"]),
    ("George Frideric Handel", &["Georg Friedrich Händel"]),
    ("Modest Musorgsky", &["Mussorgsky", "Moussorgsky"]),
    ("Gustav Mahler", &["マーラー"]),
];

/// The other names of an artist.
pub(super) fn aliases(name: &str) -> &'static [&'static str] {
    ALIASES.iter().find(|(known, _)| *known == name).map_or(&[], |(_, aliases)| aliases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_folded_and_meanings_say_something() {
        for (term, means) in SYNONYMS {
            assert_eq!(search::fold::name(term), term);
            assert!(search::synonyms::is_meaning(means), "{means}");
        }
    }
}
