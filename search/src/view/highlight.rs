//! Where a search's words stand, as HTML that holds nothing but escaped text and `<mark>`.

use crate::answer::Highlight;
use crate::document::EventDocument;
use std::ops::Range;

const PARTS_MAX: usize = 3;

/// Finds what is looked for in a text: its places in order and apart.
pub(super) type Places<'a> = &'a dyn Fn(&str) -> Vec<Range<usize>>;

/// Marks an event's title and the first few other parts with something in them that is looked for.
pub(super) fn highlight(event: &EventDocument, places: Places<'_>) -> Highlight {
    let (title, _) = marked(&event.title, places);
    let mut parts: Vec<String> = Vec::new();
    for (text, _) in event.parts().into_iter().skip(1) {
        let (html, found) = marked(&text, places);
        if found && parts.len() < PARTS_MAX && !parts.contains(&html) {
            parts.push(html);
        }
    }
    Highlight { title, parts }
}

/// The text as HTML with what is looked for marked, and whether there was anything.
pub(super) fn marked(text: &str, places: Places<'_>) -> (String, bool) {
    let mut html = String::with_capacity(text.len() + 16);
    let mut written = 0;
    for place in places(text) {
        escape(text.get(written..place.start).unwrap_or_default(), &mut html);
        html.push_str("<mark>");
        escape(text.get(place.clone()).unwrap_or_default(), &mut html);
        html.push_str("</mark>");
        written = place.end;
    }
    escape(text.get(written..).unwrap_or_default(), &mut html);
    (html, written > 0)
}

fn escape(text: &str, html: &mut String) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_fold_and_text_is_escaped() {
        let words = |text: &str| {
            let words = crate::fold::words(text);
            words.filter(|(_, word)| word == "dvorak" || word == "script").map(|(place, _)| place).collect()
        };
        assert_eq!(marked("Dvořák & <script>", &words).0, "<mark>Dvořák</mark> &amp; &lt;<mark>script</mark>&gt;");
        assert_eq!(marked("nothing", &words), ("nothing".into(), false));
    }
}
