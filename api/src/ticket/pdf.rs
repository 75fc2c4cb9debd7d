//! A ticket to print: one page with the code, the seat, the evening and its holder.
//!
//! Draws what it is given and asks nobody. The same ticket gives the same bytes.

use super::font::{FontError, Fonts, RESOURCES, Weight, thousandths};
use pdf_writer::{Content, Finish as _, Pdf, Rect, Ref, Str, TextStr};
use qrcode::{Color, QrCode};

/// A4, in points.
const PAGE: (f32, f32) = (595.0, 842.0);
const MARGIN: f32 = 48.0;
const QR_SIDE: f32 = 204.0;
/// Lines a title may take; what is longer ends in dots.
const TITLE_LINES_MAX: usize = 4;
const LINES_MAX: usize = 2;

const INK: [f32; 3] = [0.11, 0.09, 0.10];
const MUTED: [f32; 3] = [0.39, 0.35, 0.36];
const ACCENT: [f32; 3] = [0.55, 0.11, 0.24];
const RULE: [f32; 3] = [0.85, 0.81, 0.77];

/// What stands on a ticket.
pub(super) struct Printed<'a> {
    pub(super) title: &'a str,
    pub(super) when: String,
    pub(super) venue: &'a str,
    pub(super) place: String,
    /// Names and values, such as a row's: the large ones.
    pub(super) seat: Vec<(&'static str, &'a str)>,
    pub(super) holder: &'a str,
    pub(super) order: String,
    pub(super) ticket: String,
    pub(super) code: &'a str,
    pub(super) site: &'a str,
}

/// A ticket could not be printed.
#[derive(Debug, thiserror::Error)]
pub(super) enum PrintError {
    #[error("set the ticket's text")]
    Font(#[from] FontError),
    #[error("draw the ticket's code")]
    Code(#[from] qrcode::types::QrError),
}

/// The ticket as a PDF file.
pub(super) fn print(ticket: &Printed<'_>) -> Result<Vec<u8>, PrintError> {
    let mut sheet = Sheet { fonts: Fonts::open()?, content: Content::new(), y: MARGIN };
    draw(&mut sheet, ticket)?;
    let Sheet { fonts, content, .. } = sheet;
    let (mut pdf, mut next) = (Pdf::new(), Ref::new(1));
    let [catalog, pages, page, drawn, info] = std::array::from_fn(|_| next.bump());
    let fonts = fonts.write(&mut pdf, &mut next)?;
    pdf.catalog(catalog).pages(pages);
    pdf.pages(pages).kids([page]).count(1);
    let mut only = pdf.page(page);
    only.parent(pages).media_box(Rect::new(0.0, 0.0, PAGE.0, PAGE.1)).contents(drawn);
    let mut resources = only.resources();
    let mut names = resources.fonts();
    for (name, font) in fonts {
        names.pair(name, font);
    }
    names.finish();
    resources.finish();
    only.finish();
    pdf.stream(drawn, &content.finish());
    pdf.document_info(info).title(TextStr(ticket.title)).creator(TextStr("Frontrow"));
    Ok(pdf.finish())
}

fn draw(sheet: &mut Sheet, ticket: &Printed<'_>) -> Result<(), PrintError> {
    let across = PAGE.0 - 2.0 * MARGIN;
    sheet.line("Frontrow", (MARGIN, 15.0), Weight::Bold, ACCENT);
    sheet.rule();
    sheet.paragraph(ticket.title, (MARGIN, 25.0), (across, TITLE_LINES_MAX), (Weight::Bold, INK));
    sheet.y += 8.0;
    sheet.paragraph(&ticket.when, (MARGIN, 13.0), (across, LINES_MAX), (Weight::Bold, INK));
    sheet.paragraph(ticket.venue, (MARGIN, 13.0), (across, LINES_MAX), (Weight::Regular, INK));
    sheet.paragraph(&ticket.place, (MARGIN, 11.0), (across, LINES_MAX), (Weight::Regular, MUTED));
    sheet.y += 6.0;
    sheet.rule();
    let (top, right) = (sheet.y, MARGIN + QR_SIDE + 32.0);
    sheet.code(ticket.code)?;
    let beside = PAGE.0 - MARGIN - right;
    for (name, value) in &ticket.seat {
        sheet.line(name, (right, 9.5), Weight::Regular, MUTED);
        sheet.paragraph(value, (right, 20.0), (beside, LINES_MAX), (Weight::Bold, INK));
        sheet.y += 4.0;
    }
    let small = [("Holder", ticket.holder), ("Order", &ticket.order), ("Ticket", &ticket.ticket)];
    for (name, value) in small {
        sheet.line(name, (right, 9.5), Weight::Regular, MUTED);
        sheet.paragraph(value, (right, 11.0), (beside, LINES_MAX), (Weight::Regular, INK));
        sheet.y += 2.0;
    }
    sheet.y = sheet.y.max(top + QR_SIDE) + 10.0;
    sheet.rule();
    let word = "Show this code at the door, on paper or on a screen. It lets one person in, once; the first who shows it. When the \
        ticket is passed on or given back, this code is dead.";
    sheet.paragraph(word, (MARGIN, 10.0), (across, 3), (Weight::Regular, MUTED));
    sheet.paragraph(ticket.site, (MARGIN, 10.0), (across, 1), (Weight::Regular, MUTED));
    Ok(())
}

/// The page, filled from the top: `y` is how far down it is.
struct Sheet {
    fonts: Fonts,
    content: Content,
    y: f32,
}

impl Sheet {
    /// One line of text; goes down by it.
    fn line(&mut self, text: &str, (x, size): (f32, f32), weight: Weight, [red, green, blue]: [f32; 3]) {
        let mut x = x;
        self.y += size * 1.3;
        let baseline = PAGE.1 - self.y + size * 0.3;
        self.content.set_fill_rgb(red, green, blue);
        for run in self.fonts.set(text, weight) {
            self.content.begin_text().set_font(RESOURCES[run.font], size);
            self.content.next_line(x, baseline).show(Str(&run.codes)).end_text();
            x += thousandths(run.width) * size / 1000.0;
        }
    }

    /// Text within a width and so many lines.
    fn paragraph(
        &mut self,
        text: &str,
        (x, size): (f32, f32),
        (width, lines_max): (f32, usize),
        (weight, colour): (Weight, [f32; 3]),
    ) {
        for line in self.broken(text, weight, (width * 1000.0 / size, lines_max)) {
            self.line(&line, (x, size), weight, colour);
        }
    }

    /// Breaks at spaces, and within a word that is wider than a line: a script without spaces too.
    fn broken(&self, text: &str, weight: Weight, (width, lines_max): (f32, usize)) -> Vec<String> {
        let fits = |line: &str| thousandths(self.fonts.width(line, weight)) <= width;
        let (mut lines, mut line) = (Vec::new(), String::new());
        for word in text.split_whitespace() {
            let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if fits(&longer) {
                line = longer;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            for c in word.chars() {
                line.push(c);
                if !fits(&line) && line.chars().nth(1).is_some() {
                    line.pop();
                    lines.push(std::mem::replace(&mut line, c.to_string()));
                }
            }
        }
        lines.push(line);
        if lines.len() > lines_max {
            lines.truncate(lines_max);
            if let Some(last) = lines.last_mut() {
                while !fits(&format!("{last}…")) && last.pop().is_some() {}
                last.push('…');
            }
        }
        lines
    }

    fn rule(&mut self) {
        let [red, green, blue] = RULE;
        self.y += 8.0;
        self.content.set_fill_rgb(red, green, blue);
        self.content.rect(MARGIN, PAGE.1 - self.y, PAGE.0 - 2.0 * MARGIN, 0.8).fill_nonzero();
        self.y += 10.0;
    }

    /// The code as a QR picture at the left, beginning here; stays where it is.
    fn code(&mut self, code: &str) -> Result<(), PrintError> {
        let code = QrCode::new(code.as_bytes())?;
        let modules = u32::try_from(code.width()).unwrap_or(u32::MAX);
        let side = QR_SIDE / thousandths(modules);
        self.content.set_fill_gray(0.0);
        for (y, row) in (0..).zip(code.to_colors().chunks(code.width())) {
            let mut x = 0;
            for same in row.chunk_by(|left, right| left == right) {
                let length = u32::try_from(same.len()).unwrap_or_default();
                if same.first() == Some(&Color::Dark) {
                    let (left, top) = (MARGIN + thousandths(x) * side, self.y + thousandths(y + 1) * side);
                    self.content.rect(left, PAGE.1 - top, thousandths(length) * side, side);
                }
                x += length;
            }
        }
        self.content.fill_nonzero();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str, width: f32, lines_max: usize) -> Vec<String> {
        let sheet = Sheet { fonts: Fonts::open().unwrap(), content: Content::new(), y: 0.0 };
        sheet.broken(text, Weight::Regular, (width, lines_max))
    }

    #[test]
    fn text_breaks_at_spaces_or_where_it_must_and_ends_in_dots() {
        assert_eq!(broken("one two", 10_000.0, 2), ["one two"]);
        assert_eq!(broken("one two three", 4_200.0, 3), ["one two", "three"]);
        assert_eq!(broken("東京交響楽団", 3_100.0, 3), ["東京交", "響楽団"]);
        assert_eq!(broken("a 東京交響楽団", 3_100.0, 3), ["a", "東京交", "響楽団"]);
        let cut = broken("one two three four", 4_200.0, 2);
        assert!(cut.len() == 2 && cut[1].ends_with('…'), "{cut:?}");
        assert_eq!(broken("", 100.0, 2), [""]);
    }
}
