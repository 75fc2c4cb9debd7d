//! What is played at an event: JSON that is kept as it is written, and never taken apart but for its texts.

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use std::borrow::Cow;
use std::fmt;

/// An event's works, as its row has them: a JSON array of `{composer, title, movement?, conductor?}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Works(Box<RawValue>);

impl Works {
    /// Of their JSON; `None` when it is none.
    #[must_use]
    pub fn parse(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// Each of them.
    #[must_use]
    pub fn items(&self) -> Vec<Value> {
        serde_json::from_str(self.0.get()).unwrap_or_default()
    }

    /// Hands over every text in them, whatever it says, in the order in which they are written. What follows a number that no
    /// program can hold is not read.
    pub(crate) fn texts<'a>(&'a self, mut take: impl FnMut(Cow<'a, str>)) {
        let mut json = serde_json::Deserializer::from_str(self.0.get());
        // It is JSON, so nothing else can be wrong with it.
        Texts(&mut take).deserialize(&mut json).ok();
    }
}

impl Default for Works {
    fn default() -> Self {
        Self::from(Value::Array(Vec::new()))
    }
}

impl From<Value> for Works {
    fn from(value: Value) -> Self {
        Self(to_raw_value(&value).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
}

impl PartialEq for Works {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

/// Visits a JSON value and hands its texts over.
struct Texts<'t, F>(&'t mut F);

impl<'de, F: FnMut(Cow<'de, str>)> DeserializeSeed<'de> for Texts<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(Cow<'de, str>)> Visitor<'de> for Texts<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        (self.0)(Cow::Borrowed(text));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        (self.0)(Cow::Owned(text.to_owned()));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Texts(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while members.next_key::<IgnoredAny>()?.is_some() {
            members.next_value_seed(Texts(&mut *self.0))?;
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(json: &str) -> Vec<String> {
        let (works, mut texts) = (Works::parse(json).unwrap(), Vec::new());
        works.texts(|text| texts.push(text.into_owned()));
        texts
    }

    #[test]
    fn every_text_is_read_and_nothing_else() {
        let json = r#"[{"title": "Op. 1", "n": [1, -2, 0.5, true, null, {"x": "d\u00e9j\u00e0"}]}, "alone"]"#;
        assert_eq!(texts(json), ["Op. 1", "d\u{e9}j\u{e0}", "alone"]);
        assert_eq!(texts(r#"[{"title": "first"}, 1e400, {"title": "last"}]"#), ["first"]);
        assert_eq!(texts("{}"), Vec::<String>::new());
    }

    #[test]
    fn they_are_kept_as_they_are_written() {
        let json = r#"[ {"title": "1e400", "n": 1e400} ]"#;
        assert_eq!(serde_json::to_string(&Works::parse(json).unwrap()).unwrap(), json);
        assert_eq!(Works::parse("[1"), None);
        assert_eq!(Works::default().items(), Vec::<Value>::new());
    }
}
