//! The Tantivy schema, its hash and the format number: what indexer and replica must agree on before they speak.
//!
//! One index holds documents of three kinds (event, venue, artist), each with its source JSON stored under a unique `id`, so
//! that source rows and log position share one atomic commit. Only events have words and columns. Replicas build plain arrays
//! from the fast fields, so a column here is named once and read once.

use crate::fold::Words;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::sync::LazyLock;
use tantivy::schema::{
    BytesOptions, FAST, Field, INDEXED, IndexRecordOption, STORED, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{TextAnalyzer, Token, TokenStream, Tokenizer};
use tantivy::{Index, IndexSettings};

/// Raised when readers must not open what older writers wrote although the schema is the same.
pub const FORMAT: u32 = 1;

/// The name of the one tokenizer, which [`register`] makes known to an index.
pub const TOKENIZER: &str = "fold";

/// How often the words of a part stand in `text`: the weights of BM25F (Robertson, Zaragoza and Taylor 2004) in whole numbers.
pub(crate) mod weight {
    pub(crate) const TITLE: usize = 4;
    pub(crate) const ARTIST: usize = 3;
    pub(crate) const WORK: usize = 2;
    pub(crate) const VENUE: usize = 2;
    pub(crate) const CITY: usize = 2;
    pub(crate) const GENRE: usize = 1;
    pub(crate) const DESCRIPTION: usize = 1;
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
    /// An event's words, each part's as often as its weight.
    pub text: Field,
    pub(crate) id_high: Field,
    pub(crate) id_low: Field,
    pub(crate) slot: Field,
    pub(crate) starts_at: Field,
    pub(crate) ends_at: Field,
    pub(crate) sale_opens_at: Field,
    pub(crate) sale_closes_at: Field,
    pub(crate) status: Field,
    pub(crate) popularity: Field,
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
    let words = TextFieldIndexing::default().set_tokenizer(TOKENIZER).set_index_option(IndexRecordOption::WithFreqs);
    let column = || TextOptions::default().set_fast("raw");
    let fields = Fields {
        kind: builder.add_u64_field("kind", INDEXED | FAST),
        id: builder.add_bytes_field("id", BytesOptions::default().set_indexed()),
        parents: builder.add_bytes_field("parents", BytesOptions::default().set_indexed()),
        source: builder.add_text_field("source", STORED),
        text: builder.add_text_field("text", TextOptions::default().set_indexing_options(words)),
        id_high: builder.add_u64_field("id_high", FAST),
        id_low: builder.add_u64_field("id_low", FAST),
        slot: builder.add_u64_field("slot", FAST),
        starts_at: builder.add_i64_field("starts_at", FAST),
        ends_at: builder.add_i64_field("ends_at", FAST),
        sale_opens_at: builder.add_i64_field("sale_opens_at", FAST),
        sale_closes_at: builder.add_i64_field("sale_closes_at", FAST),
        status: builder.add_u64_field("status", FAST),
        popularity: builder.add_u64_field("popularity", FAST),
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
    IndexSettings::default()
}

/// Makes the tokenizer known to an index; to be called on every index opened or made, before anything else.
pub fn register(index: &Index) {
    index.tokenizers().register(TOKENIZER, TextAnalyzer::from(FoldTokenizer::default()));
}

/// [`crate::fold`] as Tantivy wants it.
#[derive(Clone, Default)]
struct FoldTokenizer {
    token: Token,
}

struct FoldStream<'a> {
    words: Words<'a>,
    token: &'a mut Token,
}

impl Tokenizer for FoldTokenizer {
    type TokenStream<'a> = FoldStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> FoldStream<'a> {
        self.token.reset();
        FoldStream { words: Words::new(text), token: &mut self.token }
    }
}

impl TokenStream for FoldStream<'_> {
    fn advance(&mut self) -> bool {
        let Some(place) = self.words.next_into(&mut self.token.text) else { return false };
        self.token.position = self.token.position.wrapping_add(1);
        self.token.offset_from = place.start;
        self.token.offset_to = place.end;
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}
