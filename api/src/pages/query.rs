//! The home page's query: the search's own parameters, without the empty fields a form sends along.

use axum::extract::Query as Parsed;
use axum::http::Uri;
use reqwest::Url;

/// What the page passes on to the search.
const KNOWN: [&str; 26] = [
    "q",
    "event_id",
    "artist",
    "artist_id",
    "venue",
    "venue_id",
    "city",
    "region",
    "country",
    "genre",
    "lat",
    "lon",
    "radius_km",
    "from",
    "to",
    "local_from",
    "local_to",
    "when",
    "on_sale",
    "price_min",
    "price_max",
    "currency",
    "availability",
    "status",
    "sort",
    "cursor",
];

/// Parameters in their order; a name may repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// What the page understands of an address's query.
    pub(super) fn of_page(text: &str) -> Self {
        let uri = Uri::builder().path_and_query(format!("/?{text}")).build().unwrap_or_default();
        let pairs = Parsed::<Vec<(String, String)>>::try_from_uri(&uri).map(|Parsed(pairs)| pairs).unwrap_or_default();
        let known = |(name, value): &(String, String)| KNOWN.contains(&name.as_str()) && !value.trim().is_empty();
        Self(pairs.into_iter().filter(known).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first value of a name; empty when there is none.
    pub(super) fn first(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// Every value of a name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs().filter(move |(own, _)| *own == name).map(|(_, value)| value)
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The same with one more pair in place of what the name had.
    pub(super) fn with(&self, name: &str, value: &str) -> Self {
        let mut pairs: Vec<_> = self.0.iter().filter(|(own, _)| own != name).cloned().collect();
        pairs.push((name.to_owned(), value.to_owned()));
        Self(pairs)
    }

    /// The same without one pair, from its first page.
    pub(super) fn without(&self, name: &str, value: &str) -> Self {
        let stays = |pair: &&(String, String)| pair.0 != "cursor" && (pair.0 != name || pair.1 != value);
        Self(self.0.iter().filter(stays).cloned().collect())
    }

    /// The same without a name altogether.
    pub(super) fn without_any(&self, name: &str) -> Self {
        Self(self.0.iter().filter(|(own, _)| own != name).cloned().collect())
    }

    /// As the query string of an address, without its `?`.
    pub(super) fn encoded(&self) -> String {
        let url = Url::parse_with_params("http://page/", self.pairs());
        url.ok().and_then(|url| url.query().map(str::to_owned)).unwrap_or_default()
    }

    /// The home page's address with this query.
    pub(super) fn address(&self) -> String {
        if self.0.is_empty() { "/".to_owned() } else { format!("/?{}", self.encoded()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_and_unknown_fields_are_left_out() {
        let query = Query::of_page("q=Dvo%C5%99%C3%A1k&city=&utm_source=mail&genre=Opera+%26+Vocal&genre=Choral");
        assert_eq!(query.address(), "/?q=Dvo%C5%99%C3%A1k&genre=Opera+%26+Vocal&genre=Choral");
        assert_eq!(query.all("genre").collect::<Vec<_>>(), ["Opera & Vocal", "Choral"]);
        assert_eq!(query.with("cursor", "a").without_any("genre").encoded(), "q=Dvo%C5%99%C3%A1k&cursor=a");
    }

    #[test]
    fn a_broken_query_is_no_query() {
        assert!(Query::of_page("%ff=%fe").is_empty());
        assert!(Query::of_page("a b\u{7f}").is_empty());
        assert_eq!(Query::of_page("").address(), "/");
    }
}
