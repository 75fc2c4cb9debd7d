//! The portal's test cards: what each number leads to.

/// What paying with a card leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Card {
    /// The money is reserved, with or without trouble afterwards.
    Succeeds(Option<Trouble>),
    /// The money is reserved once its holder proves to be who they are.
    Challenges,
    Declines,
    /// The page never answers.
    TimesOut,
    Unknown,
}

/// What a provider may do to those who rely on its messages and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Messages come late.
    Delay,
    /// Each message comes twice.
    Duplicate,
    /// The word that the money is reserved comes after the word that it was taken.
    Reorder,
    /// No message comes.
    Drop,
    /// The first calls are refused: 503.
    Outage,
    /// The first act is carried out and its answer lost: 504.
    Silence,
}

/// A number, what it leads to, that as one word, and how the page names it.
const CARDS: [(&str, Card, &str, &str); 10] = [
    ("4242 4242 4242 4242", Card::Succeeds(None), "succeed", "Succeed"),
    ("4000 0000 0000 0002", Card::Declines, "decline", "Decline"),
    ("4000 0000 0000 3220", Card::Challenges, "challenge", "Ask for proof first"),
    ("4000 0000 0000 0044", Card::TimesOut, "timeout", "Time out, never answers"),
    ("4000 0000 0000 0101", Card::Succeeds(Some(Trouble::Delay)), "delay", "Messages late"),
    ("4000 0000 0000 0119", Card::Succeeds(Some(Trouble::Duplicate)), "duplicate", "Messages twice"),
    ("4000 0000 0000 0127", Card::Succeeds(Some(Trouble::Reorder)), "reorder", "Messages out of order"),
    ("4000 0000 0000 0135", Card::Succeeds(Some(Trouble::Drop)), "drop", "No messages"),
    ("4000 0000 0000 0143", Card::Succeeds(Some(Trouble::Outage)), "outage", "Provider down for a while"),
    ("4000 0000 0000 0150", Card::Succeeds(Some(Trouble::Silence)), "silence", "An answer gets lost"),
];

impl Card {
    /// The card of a number, however its digits are grouped.
    pub(super) fn of(number: &str) -> Self {
        let digits = |number: &str| number.chars().filter(char::is_ascii_digit).collect::<String>();
        let wanted = digits(number);
        CARDS.iter().find(|(number, ..)| digits(number) == wanted).map_or(Self::Unknown, |(_, card, ..)| *card)
    }

    /// Every card: its number, what it leads to as one word, and what the page calls it.
    pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
        CARDS.iter().map(|(number, _, outcome, name)| (*number, *outcome, *name))
    }
}

impl Trouble {
    /// Its name in the books.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Drop => "drop",
            Self::Outage => "outage",
            Self::Silence => "silence",
        }
    }

    /// The one of this name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        [Self::Delay, Self::Duplicate, Self::Reorder, Self::Drop, Self::Outage, Self::Silence]
            .into_iter()
            .find(|trouble| trouble.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_in_a_card_number_do_not_matter() {
        assert_eq!(Card::of("4000 0000  0000 0002"), Card::Declines);
        assert_eq!(Card::of("4242424242424242"), Card::Succeeds(None));
        assert_eq!(Card::of("4111"), Card::Unknown);
    }

    #[test]
    fn each_trouble_has_a_card_and_a_name() {
        let troubles: Vec<_> = CARDS
            .iter()
            .filter_map(|(_, card, ..)| if let Card::Succeeds(trouble) = card { *trouble } else { None })
            .collect();
        assert_eq!(troubles.len(), 6);
        assert!(troubles.iter().all(|trouble| Trouble::parse(trouble.as_str()) == Some(*trouble)));
    }
}
