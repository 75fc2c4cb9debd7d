//! Where a search's words stand, as HTML that holds nothing but escaped text and `<mark>`.

use crate::answer::Highlight;
use crate::document::EventDocument;
use crate::fold;

const PARTS_MAX: usize = 3;

/// Marks an event's title and the first few other parts with a word in them.
pub(super) fn highlight(event: &EventDocument, mark: &dyn Fn(&str) -> bool) -> Highlight {
    let (title, _) = marked(&event.title, mark);
    let mut parts: Vec<String> = Vec::new();
    for (text, _) in event.parts().into_iter().skip(1) {
        let (html, found) = marked(text, mark);
        if found && parts.len() < PARTS_MAX && !parts.contains(&html) {
            parts.push(html);
        }
    }
    Highlight { title, parts }
}

/// The text as HTML with the words marked, and whether there was one.
pub(super) fn marked(text: &str, mark: &dyn Fn(&str) -> bool) -> (String, bool) {
    let mut html = String::with_capacity(text.len() + 16);
    let mut written = 0;
    for (place, _) in fold::words(text).filter(|(_, word)| mark(word)) {
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
        let mark = |word: &str| word == "dvorak" || word == "script";
        assert_eq!(marked("Dvořák & <script>", &mark).0, "<mark>Dvořák</mark> &amp; &lt;<mark>script</mark>&gt;");
        assert_eq!(marked("nothing", &mark), ("nothing".into(), false));
    }
}
