//! The typefaces of PDF tickets: which glyphs a text is made of, how wide they are, and the part of a font that a file carries.
//!
//! Noto Sans has the Latin, Greek and Cyrillic letters with every accent, Droid Sans Fallback the Han, Kana and Hangul ones. Scripts
//! whose letters join or run from the right would be drawn wrong, and the rest have no glyph here: they are written in Latin letters,
//! so that no name vanishes.

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Filter, Finish as _, Name, Pdf, Rect, Ref, Str};
use std::collections::BTreeMap;
use std::io::Write as _;
use subsetter::GlyphRemapper;
use ttf_parser::{Face, GlyphId};
use unicode_normalization::UnicodeNormalization as _;

const FILES: [&[u8]; 3] = [
    include_bytes!("../../fonts/NotoSans-Regular.ttf"),
    include_bytes!("../../fonts/NotoSans-Bold.ttf"),
    include_bytes!("../../fonts/DroidSansFallback.ttf"),
];
/// What the fonts are called in a file.
const NAMES: [&[u8]; 3] = [b"AAAAAA+NotoSans", b"AAAAAA+NotoSans-Bold", b"AAAAAA+DroidSansFallback"];
/// What a page calls them.
pub(super) const RESOURCES: [Name<'static>; 3] = [Name(b"F0"), Name(b"F1"), Name(b"F2")];
const FALLBACK: usize = 2;
const IDENTITY: SystemInfo<'_> = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };

/// A ticket could not be set.
#[derive(Debug, thiserror::Error)]
pub(super) enum FontError {
    #[error("read a font")]
    Read(#[from] ttf_parser::FaceParsingError),
    #[error("take a part of a font")]
    Subset(#[from] subsetter::Error),
    #[error("compress a font")]
    Compress(#[from] std::io::Error),
}

/// How heavy letters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

/// Glyphs of one font, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// The font's place in [`RESOURCES`].
    pub(super) font: usize,
    /// As a content stream shows them.
    pub(super) codes: Vec<u8>,
    /// In thousandths of the letters' size.
    pub(super) width: u32,
}

/// The typefaces of one file, with what is used of them.
pub(super) struct Fonts {
    fonts: Vec<Font>,
}

struct Font {
    face: Face<'static>,
    used: GlyphRemapper,
    /// By their number in the part that is carried: width and character.
    glyphs: BTreeMap<u16, (u32, char)>,
}

impl Fonts {
    /// Opens the typefaces.
    pub(super) fn open() -> Result<Self, FontError> {
        let open = |data| Ok(Font { face: Face::parse(data, 0)?, used: GlyphRemapper::new(), glyphs: BTreeMap::new() });
        Ok(Self { fonts: FILES.into_iter().map(open).collect::<Result<_, FontError>>()? })
    }

    /// A text's glyphs.
    pub(super) fn set(&mut self, text: &str, weight: Weight) -> Vec<Run> {
        let own = weight as usize;
        let mut runs: Vec<Run> = Vec::new();
        for (font, c) in self.readable(text, own) {
            let Some((code, width)) = self.fonts.get_mut(font).and_then(|font| font.take(c)) else { continue };
            match runs.last_mut().filter(|run| run.font == font) {
                Some(run) => {
                    run.codes.extend(code.to_be_bytes());
                    run.width += width;
                }
                None => runs.push(Run { font, codes: code.to_be_bytes().to_vec(), width }),
            }
        }
        runs
    }

    /// How wide a text is, in thousandths of its letters' size.
    pub(super) fn width(&self, text: &str, weight: Weight) -> u32 {
        let widths = self.readable(text, weight as usize).into_iter();
        widths.filter_map(|(font, c)| Some(self.fonts.get(font)?.glyph(c)?.1)).sum()
    }

    /// Characters that can be drawn, each with the font that has it.
    fn readable(&self, text: &str, own: usize) -> Vec<(usize, char)> {
        let mut out = Vec::new();
        for c in text.nfc() {
            let font = [own, FALLBACK].into_iter().find(|font| self.draws(*font, c));
            match font {
                Some(font) => out.push((font, c)),
                None if c.is_whitespace() => out.push((own, ' ')),
                None => out.extend(deunicode::deunicode_char(c).unwrap_or("?").chars().map(|c| (own, c))),
            }
        }
        out
    }

    fn draws(&self, font: usize, c: char) -> bool {
        !joins(c) && self.fonts.get(font).is_some_and(|font| font.glyph(c).is_some())
    }

    /// Writes what is used of the fonts into a file, taking ids from `next`; gives each font's id.
    pub(super) fn write(&self, pdf: &mut Pdf, next: &mut Ref) -> Result<Vec<(Name<'static>, Ref)>, FontError> {
        let mut written = Vec::new();
        for (number, font) in self.fonts.iter().enumerate().filter(|(_, font)| !font.glyphs.is_empty()) {
            written.push((RESOURCES[number], font.write(number, pdf, next)?));
        }
        Ok(written)
    }
}

impl Font {
    /// A character's glyph and width.
    fn glyph(&self, c: char) -> Option<(GlyphId, u32)> {
        let glyph = self.face.glyph_index(c).filter(|glyph| glyph.0 != 0)?;
        let advance = u32::from(self.face.glyph_hor_advance(glyph)?);
        Some((glyph, advance * 1000 / u32::from(self.face.units_per_em())))
    }

    fn take(&mut self, c: char) -> Option<(u16, u32)> {
        let (glyph, width) = self.glyph(c)?;
        let code = self.used.remap(glyph.0);
        self.glyphs.insert(code, (width, c));
        Some((code, width))
    }

    /// A composite font whose codes are its glyphs' numbers (ISO 32000-1, 9.7), with the way back to text.
    fn write(&self, number: usize, pdf: &mut Pdf, next: &mut Ref) -> Result<Ref, FontError> {
        let name = Name(NAMES[number]);
        let [font, cid, descriptor, file, cmap] = std::array::from_fn(|_| next.bump());
        let mut composite = pdf.type0_font(font);
        composite.base_font(name).encoding_predefined(Name(b"Identity-H"));
        composite.descendant_font(cid).to_unicode(cmap);
        composite.finish();
        let mut cid = pdf.cid_font(cid);
        cid.subtype(CidFontType::Type2).base_font(name).system_info(IDENTITY).font_descriptor(descriptor);
        cid.cid_to_gid_map_predefined(Name(b"Identity"));
        let mut widths = cid.widths();
        for (code, (width, _)) in &self.glyphs {
            widths.consecutive(*code, [thousandths(*width)]);
        }
        widths.finish();
        cid.finish();
        let per_em = |units: i16| f32::from(units) * 1000.0 / f32::from(self.face.units_per_em());
        let bounds = self.face.global_bounding_box();
        let bounds = Rect::new(per_em(bounds.x_min), per_em(bounds.y_min), per_em(bounds.x_max), per_em(bounds.y_max));
        let mut descriptor = pdf.font_descriptor(descriptor);
        descriptor.name(name).flags(FontFlags::SYMBOLIC).bbox(bounds).italic_angle(0.0).stem_v(80.0);
        descriptor.ascent(per_em(self.face.ascender())).descent(per_em(self.face.descender()));
        descriptor.cap_height(per_em(self.face.capital_height().unwrap_or_else(|| self.face.ascender())));
        descriptor.font_file2(file);
        descriptor.finish();
        let part = subsetter::subset(FILES[number], 0, &self.used)?;
        let length = i32::try_from(part.len()).unwrap_or(i32::MAX);
        let mut stream = ZlibEncoder::new(Vec::new(), Compression::default());
        stream.write_all(&part)?;
        let stream = stream.finish()?;
        let mut carried = pdf.stream(file, &stream);
        carried.filter(Filter::FlateDecode).pair(Name(b"Length1"), length);
        carried.finish();
        let mut text = UnicodeCmap::new(Name(b"Custom"), IDENTITY);
        for (code, (_, c)) in &self.glyphs {
            text.pair(*code, *c);
        }
        pdf.cmap(cmap, &text.finish());
        Ok(font)
    }
}

/// Widths are far below what a float counts exactly.
#[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
pub(super) fn thousandths(width: u32) -> f32 {
    width as f32
}

/// Letters that take another shape or place beside others: Hebrew to Burmese, and what else is written so.
fn joins(c: char) -> bool {
    matches!(u32::from(c), 0x0590..=0x109F | 0x1700..=0x1AFF | 0xA800..=0xABFF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Vec<(usize, usize)> {
        let runs = Fonts::open().unwrap().set(text, Weight::Bold);
        runs.iter().map(|run| (run.font, run.codes.len() / 2)).collect()
    }

    #[test]
    fn accents_cyrillic_greek_and_cjk_have_glyphs_of_their_own() {
        let bold = Weight::Bold as usize;
        for text in ["Zoë Šimić Łódź Đặng", "Дмитрий Шостакович", "Ἀλέξανδρος Παπαδόπουλος", "“Ça va?” – 5 €"]
        {
            assert_eq!(set(text), [(bold, text.chars().count())], "{text}");
        }
        for text in ["東京交響楽団", "北京国家大剧院", "서울시립교향악단", "ひらがなカタカナ"]
        {
            assert_eq!(set(text), [(FALLBACK, text.chars().count())], "{text}");
        }
        assert_eq!(set("Yo-Yo Ma 馬友友"), [(bold, 9), (FALLBACK, 3)]);
    }

    #[test]
    fn an_accent_of_its_own_joins_its_letter() {
        assert_eq!(set("Zoe\u{308}"), set("Zoë"));
    }

    #[test]
    fn what_cannot_be_drawn_is_written_in_latin_letters() {
        let fonts = Fonts::open().unwrap();
        let written = |text: &str| fonts.readable(text, 0).into_iter().map(|(_, c)| c).collect::<String>();
        assert_eq!(written("שלום"), "shlvm");
        for text in ["فيروز", "रविशंकर", "ภูมิพล", "🎻"] {
            let written = written(text);
            assert!(!written.trim().is_empty() && written.is_ascii(), "{text}: {written}");
        }
        assert_eq!(written("a\u{3000}b\tc"), "a\u{3000}b c");
        assert_eq!(written("\u{e000}"), "?");
    }

    #[test]
    fn a_text_is_as_wide_as_its_runs() {
        let mut fonts = Fonts::open().unwrap();
        let width = fonts.width("Symphonie fantastique 幻想", Weight::Regular);
        let runs = fonts.set("Symphonie fantastique 幻想", Weight::Regular);
        assert_eq!(runs.iter().map(|run| run.width).sum::<u32>(), width);
        assert!((10_000..20_000).contains(&width), "{width}");
    }
}
