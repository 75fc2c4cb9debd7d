//! What text must keep to wherever it is shown on one line: titles, names, labels.

/// Whether nothing in the text ends its line or controls a terminal.
#[must_use]
pub fn is_one_line(text: &str) -> bool {
    // U+2028 and U+2029 end a line or a paragraph without being controls.
    !text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_end_within_it() {
        assert!(is_one_line("Dvořák: Příhody Lišky Bystroušky"));
        for text in ["a\nb", "a\rb", "a\u{85}b", "a\u{2028}b", "a\u{1b}[2J"] {
            assert!(!is_one_line(text), "{text:?}");
        }
    }
}
