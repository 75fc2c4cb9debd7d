//! Text that people type, kept clean at the door: what is checked is what is stored.

use garde::rules::inner::Inner;
use serde::{Deserialize, Deserializer, Serialize};
use std::ops::Deref;
use utoipa::ToSchema;

/// One line of text. White space around it is gone once it is parsed; [`line()`] sees that nothing in it breaks the line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(value_type = String)]
pub struct Line(String);

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.trim().to_owned()))
    }
}

impl Deref for Line {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<Line> for String {
    fn from(line: Line) -> Self {
        line.0
    }
}

/// A rule: 1 to `max` characters, none of which ends a line or controls a terminal.
pub fn line(max: usize) -> impl FnOnce(&Line, &()) -> garde::Result {
    move |text, ()| {
        if !(1..=max).contains(&text.chars().count()) {
            return Err(garde::Error::new(format!("is 1 to {max} characters")));
        }
        if !model::is_one_line(text) {
            return Err(garde::Error::new("is one line, without control characters"));
        }
        Ok(())
    }
}

/// A rule: at most `max` characters in any number of lines.
pub fn prose(max: usize) -> impl FnOnce(&String, &()) -> garde::Result {
    move |text, ()| {
        if text.chars().count() > max {
            return Err(garde::Error::new(format!("is at most {max} characters")));
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err(garde::Error::new("has no control characters but line ends and tabs"));
        }
        Ok(())
    }
}

/// What a change says of a field that may be empty: left out stays, `null` clears, a value is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// Left out.
    #[default]
    Keep,
    /// `null`.
    Clear,
    /// A value.
    Set(T),
}

impl<T> Patch<T> {
    /// The same said of another type.
    pub fn map<U>(self, to: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Self::Keep => Patch::Keep,
            Self::Clear => Patch::Clear,
            Self::Set(value) => Patch::Set(to(value)),
        }
    }

    /// The field after the change.
    pub fn over(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Keep => before,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

/// To be used with `#[serde(default)]`: a field that is left out is not deserialized at all.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|value| value.map_or(Self::Clear, Self::Set))
    }
}

impl<T> Inner<T> for Patch<T> {
    type Key = garde::error::NoKey;

    fn validate_inner<F: FnMut(&T, &Self::Key)>(&self, mut check: F) {
        if let Self::Set(value) = self {
            check(value, &garde::error::NoKey::default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Line {
        serde_json::from_value(text.into()).unwrap()
    }

    #[test]
    fn a_line_is_checked_as_it_is_stored() {
        assert_eq!(String::from(read("  conductor \n")), "conductor");
        assert!(line(9)(&read("  conductor \n"), &()).is_ok());
        assert!(line(8)(&read("conductor"), &()).is_err());
        for broken in ["", " \t ", "two\nlines", "two\u{2028}lines", "a\u{1b}[2J"] {
            assert!(line(100)(&read(broken), &()).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn prose_has_lines_and_no_other_control() {
        assert!(prose(20)(&"two\r\n\tlines".to_owned(), &()).is_ok());
        assert!(prose(20)(&"a\u{7}".to_owned(), &()).is_err());
        assert!(prose(3)(&"four".to_owned(), &()).is_err());
    }

    #[test]
    fn what_is_left_out_stays_and_null_clears() {
        #[derive(Deserialize)]
        struct Body {
            #[serde(default)]
            image: Patch<u8>,
        }
        let after = |json: &str| serde_json::from_str::<Body>(json).unwrap().image.over(Some(1));
        assert_eq!(after("{}"), Some(1));
        assert_eq!(after(r#"{"image":null}"#), None);
        assert_eq!(after(r#"{"image":2}"#), Some(2));
    }
}
