//! The Tantivy schema, its hash and the format number: what indexer and replica must agree on before they speak.
//!
//! One index holds documents of four kinds (event, venue, artist, synonym), each with its source JSON stored under a unique
//! `id`, so that source rows and log position share one atomic commit. Only events have words and columns. Replicas build plain
//! arrays from the fast fields, so a column here is named once and read once.

use crate::fold::Terms;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::str::Split;
use std::sync::LazyLock;
use tantivy::schema::{
    BytesOptions, FAST, Field, INDEXED, IndexRecordOption, STORED, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{TextAnalyzer, Token, TokenStream, Tokenizer, TokenizerManager};
use tantivy::{Index, IndexSettings};

/// Raised when readers must not open what older writers wrote although the schema is the same.
pub const FORMAT: u32 = 3;

/// The name of the one tokenizer, which [`register`] makes known to an index.
pub const TOKENIZER: &str = "fold";

/// How often the words of a part count in `text`: the weights of BM25F (Robertson, Zaragoza and Taylor 2004) in whole numbers,
/// one digit each.
pub(crate) mod weight {
    pub(crate) const TITLE: u32 = 3;
    pub(crate) const ARTIST: u32 = 2;
    pub(crate) const ALIAS: u32 = 1;
    pub(crate) const WORK: u32 = 1;
    pub(crate) const VENUE: u32 = 1;
    pub(crate) const CITY: u32 = 1;
    pub(crate) const GENRE: u32 = 1;
    pub(crate) const DESCRIPTION: u32 = 1;
}

/// The schema's fields.
#[derive(Clone, Copy, Debug)]
pub struct Fields {
    /// The document's kind as [`crate::document::Kind`]'s number; indexed and fast.
    pub kind: Field,
    /// Kind and UUID, 17 bytes, unique: what a document is replaced and deleted by.
    pub id: Field,
    /// The ids, as in `id`, of the venue and artists an event names: what a change of theirs fans out by.
    pub parents: Field,
    /// The whole serde JSON of the source; stored.
    pub source: Field,
    /// An event's words with their positions, each part's as often as its weight.
    pub text: Field,
    /// The words of an event's title alone.
    pub(crate) title_words: Field,
    pub(crate) id_high: Field,
    pub(crate) id_low: Field,
    pub(crate) slot: Field,
    /// Where the event stands by date; the last instant of the expected day when the date is not announced.
    pub(crate) starts_at: Field,
    /// The expected start, only when the date is not announced.
    pub(crate) expected_at: Field,
    pub(crate) ends_at: Field,
    pub(crate) sale_opens_at: Field,
    pub(crate) sale_closes_at: Field,
    /// Openings and closings of presales, in turn.
    pub(crate) presales: Field,
    pub(crate) status: Field,
    pub(crate) popularity: Field,
    pub(crate) boost: Field,
    pub(crate) capacity: Field,
    pub(crate) price_min: Field,
    pub(crate) price_max: Field,
    pub(crate) currency: Field,
    pub(crate) title: Field,
    pub(crate) image: Field,
    pub(crate) genres: Field,
    pub(crate) venue: Field,
    pub(crate) artists: Field,
}

struct Layout {
    schema: Schema,
    fields: Fields,
    hash: String,
}

static LAYOUT: LazyLock<Layout> = LazyLock::new(|| {
    let mut builder = Schema::builder();
    let indexed = |option| TextFieldIndexing::default().set_tokenizer(TOKENIZER).set_index_option(option);
    let words = indexed(IndexRecordOption::WithFreqsAndPositions);
    let title_words = indexed(IndexRecordOption::Basic).set_fieldnorms(false);
    let column = || TextOptions::default().set_fast("raw");
    let fields = Fields {
        kind: builder.add_u64_field("kind", INDEXED | FAST),
        id: builder.add_bytes_field("id", BytesOptions::default().set_indexed()),
        parents: builder.add_bytes_field("parents", BytesOptions::default().set_indexed()),
        source: builder.add_text_field("source", STORED),
        text: builder.add_text_field("text", TextOptions::default().set_indexing_options(words)),
        title_words: builder.add_text_field("title_words", TextOptions::default().set_indexing_options(title_words)),
        id_high: builder.add_u64_field("id_high", FAST),
        id_low: builder.add_u64_field("id_low", FAST),
        slot: builder.add_u64_field("slot", FAST),
        starts_at: builder.add_i64_field("starts_at", FAST),
        expected_at: builder.add_i64_field("expected_at", FAST),
        ends_at: builder.add_i64_field("ends_at", FAST),
        sale_opens_at: builder.add_i64_field("sale_opens_at", FAST),
        sale_closes_at: builder.add_i64_field("sale_closes_at", FAST),
        presales: builder.add_i64_field("presales", FAST),
        status: builder.add_u64_field("status", FAST),
        popularity: builder.add_u64_field("popularity", FAST),
        boost: builder.add_u64_field("boost", FAST),
        capacity: builder.add_u64_field("capacity", FAST),
        price_min: builder.add_i64_field("price_min", FAST),
        price_max: builder.add_i64_field("price_max", FAST),
        currency: builder.add_text_field("currency", column()),
        title: builder.add_text_field("title", column()),
        image: builder.add_text_field("image", column()),
        genres: builder.add_text_field("genres", column()),
        venue: builder.add_text_field("venue", column()),
        artists: builder.add_text_field("artists", column()),
    };
    let schema = builder.build();
    let json = serde_json::to_vec(&schema).unwrap_or_default();
    let mut hash = String::new();
    for byte in Sha256::digest(json).iter().take(16) {
        // Writing to a string does not fail.
        let _infallible = write!(hash, "{byte:02x}");
    }
    Layout { schema, fields, hash }
});

/// The schema.
#[must_use]
pub fn schema() -> Schema {
    LAYOUT.schema.clone()
}

/// The schema's fields.
#[must_use]
pub fn fields() -> &'static Fields {
    &LAYOUT.fields
}

/// 32 hexadecimal digits that change whenever the schema does; every manifest carries them.
#[must_use]
pub fn hash() -> &'static str {
    &LAYOUT.hash
}

/// The settings a new index is made with.
#[must_use]
pub fn settings() -> IndexSettings {
    IndexSettings {
        // The threads that index have nothing to wait for: handing each block to another costs more than to compress it.
        docstore_compress_dedicated_thread: false,
        // As far back as LZ4 looks: events of one venue and its artists say much the same.
        docstore_blocksize: 64 << 10,
        ..IndexSettings::default()
    }
}

/// Makes the tokenizer known to an index; to be called on every index opened or made, before anything else.
pub fn register(index: &Index) {
    register_in(index.tokenizers());
}

/// The same for an index that is yet to be made.
pub(crate) fn register_in(tokenizers: &TokenizerManager) {
    tokenizers.register(TOKENIZER, TextAnalyzer::from(FoldTokenizer::default()));
}

/// Stands before each part of a text as the tokenizer takes it.
const PART: char = '\u{1f}';

/// Parts of an event as the tokenizer takes them, all in one text: each with its weight as a digit.
///
/// A word is folded once and given as often as it weighs, each time at the same position; between two parts a position is left
/// out. So phrases see each part once, and never from one part into the next.
pub(crate) fn weighted<'a>(parts: impl IntoIterator<Item = (Cow<'a, str>, u32)>) -> String {
    let mut text = String::new();
    for (part, weight) in parts {
        text.push(PART);
        text.extend(char::from_digit(weight, 10));
        if part.contains(PART) {
            text.push_str(&part.replace(PART, " "));
        } else {
            text.push_str(&part);
        }
    }
    text
}

/// [`crate::fold`] as Tantivy wants it, for texts of [`weighted`].
#[derive(Clone, Default)]
struct FoldTokenizer {
    token: Token,
}

struct FoldStream<'a> {
    /// Parts to come.
    parts: Split<'a, char>,
    /// What is left of the present one.
    terms: Terms<'a>,
    token: &'a mut Token,
    weight: u32,
    /// How often the present word is still to be given.
    left: u32,
}

impl Tokenizer for FoldTokenizer {
    type TokenStream<'a> = FoldStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> FoldStream<'a> {
        self.token.reset();
        let mut parts = text.split(PART);
        // Before the first part there is nothing.
        parts.next();
        FoldStream { parts, terms: Terms::new(""), token: &mut self.token, weight: 0, left: 0 }
    }
}

impl FoldStream<'_> {
    /// Goes on to the next word, of the next part if need be.
    fn next_word(&mut self) -> bool {
        loop {
            self.token.position = self.token.position.wrapping_add(1);
            if self.terms.next_into(&mut self.token.text).is_some() {
                return true;
            }
            let Some(part) = self.parts.next() else { return false };
            let mut part = part.chars();
            self.weight = part.next().and_then(|digit| digit.to_digit(10)).unwrap_or(1);
            self.terms.go_on_with(part.as_str());
        }
    }
}

impl TokenStream for FoldStream<'_> {
    fn advance(&mut self) -> bool {
        if self.left == 0 {
            if !self.next_word() {
                return false;
            }
            self.left = self.weight;
        }
        self.left = self.left.saturating_sub(1);
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}
