//! The home page: the search, its first answer and its filters, as a plain form that works without script.
//!
//! A page is kinder than the API: a parameter it does not know is left out, a value it cannot use is named on the page.

use super::index;
use super::query::Query;
use super::render::{self, shown};
use crate::app::App;
use crate::problem::Problem;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use minijinja::{Value, context};
use serde::Serialize;

/// Facets shown beside the results, with their headings, in this order.
const GROUPS: [(&str, &str); 6] = [
    ("on_sale", "Sale"),
    ("availability", "Seats"),
    ("genre", "Genre"),
    ("city", "City"),
    ("venue", "Hall"),
    ("artist", "Artist"),
];

const PERIODS: [(&str, &str); 6] = [
    ("today", "Today"),
    ("tonight", "Tonight"),
    ("tomorrow", "Tomorrow"),
    ("this-weekend", "This weekend"),
    ("next-week", "Next week"),
    ("this-month", "This month"),
];

/// Orders to choose beside the search's own.
const SORTS: [(&str, &str); 3] =
    [("popularity", "Most popular"), ("price", "Lowest price"), ("-price", "Highest price")];

/// The longest name a saved search is given.
const NAME_CHARS_MAX: usize = 100;

/// Choices of a facet shown; ticked ones always are.
const CHOICES_MAX: usize = 8;

#[derive(Debug, PartialEq, Serialize)]
struct Group {
    name: &'static str,
    label: &'static str,
    choices: Vec<Choice>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Choice {
    value: String,
    label: String,
    count: Option<u64>,
    checked: bool,
}

/// What saving the search would keep.
#[derive(Debug, PartialEq, Serialize)]
struct Saving {
    name: String,
    query: String,
}

#[derive(Debug, PartialEq, Serialize)]
struct Chip {
    label: String,
    href: String,
}

/// `GET /`.
pub(super) async fn home(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = Query::of_page(query.as_deref().unwrap_or_default());
    let Some((answer, ignored)) = index::search(&app, &query).await? else {
        let page = render::page(&app, "home.html", values(&query, None, &[]))?;
        return Ok(page.status(StatusCode::SERVICE_UNAVAILABLE).into_response());
    };
    let answer = serde_json::to_value(answer).map_err(|error| Problem::internal(&error))?;
    let page = render::page(&app, "home.html", values(&query, Some(&answer), &ignored))?;
    Ok(page.public().for_request(&headers))
}

/// What the template shows of a query and its answer; no answer when no index is there yet.
fn values(query: &Query, answer: Option<&serde_json::Value>, ignored: &[String]) -> Value {
    let facets = answer.map(|answer| &answer["facets"]);
    let next = answer.and_then(|answer| answer["next"].as_str());
    context! {
        path => "/",
        words => query.first("q"),
        when => query.first("when"),
        local_from => query.first("local_from"),
        local_to => query.first("local_to"),
        sort => query.first("sort"),
        searching => !query.is_empty(),
        periods => shown(PERIODS),
        sorts => shown(sorts(query)),
        groups => shown(groups(query, facets)),
        chips => shown(chips(query)),
        saving => saving(query).map(shown),
        ignored => shown(ignored),
        answer => answer.map(shown),
        nearby => answer.and_then(nearby),
        more => next.map(|cursor| query.with("cursor", cursor).address()),
    }
}

/// Whether hits of the page are there for their meaning alone: all of them, or some.
fn nearby(answer: &serde_json::Value) -> Option<&'static str> {
    let hits = answer["hits"].as_array()?;
    let count = hits.iter().filter(|hit| hit["by_meaning"] == true).count();
    (count > 0).then_some(if count == hits.len() { "all" } else { "some" })
}

/// The search's own order is the empty choice: by match where there are words, else by date.
fn sorts(query: &Query) -> Vec<(&'static str, &'static str)> {
    let own: &[_] = match query.first("q") {
        "" => &[("", "Soonest first")],
        _ => &[("", "Best match"), ("date", "Soonest first")],
    };
    own.iter().copied().chain(SORTS).collect()
}

fn groups(query: &Query, facets: Option<&serde_json::Value>) -> Vec<Group> {
    let group = |(name, label)| {
        let ticked: Vec<&str> = query.all(name).collect();
        let found = facets.and_then(|facets| facets[name].as_array()).into_iter().flatten();
        let mut choices: Vec<Choice> = found
            .filter_map(|entry| {
                let value = entry["value"].as_str()?;
                Some(choice(name, value, entry["count"].as_u64(), ticked.contains(&value)))
            })
            .collect();
        for value in &ticked {
            if !choices.iter().any(|choice| choice.value == *value) {
                choices.push(choice(name, value, None, true));
            }
        }
        choices.sort_by_key(|choice| !choice.checked);
        choices.truncate(CHOICES_MAX.max(ticked.len()));
        Group { name, label, choices }
    };
    GROUPS.into_iter().map(group).filter(|group| !group.choices.is_empty()).collect()
}

fn choice(name: &str, value: &str, count: Option<u64>, checked: bool) -> Choice {
    Choice { value: value.to_owned(), label: label(name, value), count, checked }
}

/// How a parameter's value reads.
fn label(name: &str, value: &str) -> String {
    let known = match (name, value) {
        ("on_sale", "now") => "On sale",
        ("on_sale", "soon") => "On sale soon",
        ("on_sale", "presale") => "Presale",
        ("on_sale", "past") => "Sale closed",
        ("availability", "available") => "Plenty of seats",
        ("availability", "few") => "Few seats left",
        ("availability", "sold-out") => "Sold out",
        ("when", value) => PERIODS.iter().find(|(period, _)| *period == value).map_or(value, |(_, label)| label),
        ("local_from", value) => return format!("From {}", super::format::day(&format!("{value}T00:00:00"), None)),
        ("local_to", value) => return format!("Until {}", super::format::day(&format!("{value}T00:00:00"), None)),
        (_, value) => value,
    };
    known.to_owned()
}

/// Named by its words and filters; none for a page that asks for nothing in particular.
fn saving(query: &Query) -> Option<Saving> {
    let query = query.without_any("sort").without_any("cursor");
    let parts: Vec<String> = query.pairs().map(|(name, value)| label(name, value)).collect();
    let name = parts.join(", ").chars().take(NAME_CHARS_MAX).collect();
    (!query.is_empty()).then(|| Saving { name, query: query.encoded() })
}

/// What narrows the answer, each with the address of the page without it.
fn chips(query: &Query) -> Vec<Chip> {
    let narrowing = query.pairs().filter(|(name, _)| !matches!(*name, "q" | "sort" | "cursor"));
    narrowing
        .map(|(name, value)| Chip { label: label(name, value), href: query.without(name, value).address() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ticked_choices_come_first_and_stay_without_hits() {
        let query = Query::of_page("genre=Choral&genre=Jazz");
        let facets = json!({"genre": [{"value": "Orchestral", "count": 9}, {"value": "Choral", "count": 2}]});
        let groups = groups(&query, Some(&facets));
        let read: Vec<_> =
            groups[0].choices.iter().map(|choice| (choice.value.as_str(), choice.count, choice.checked)).collect();
        assert_eq!(groups.len(), 1);
        assert_eq!(read, [("Choral", Some(2), true), ("Jazz", None, true), ("Orchestral", Some(9), false)]);
    }

    #[test]
    fn a_search_is_saved_by_its_words_and_filters() {
        let query = Query::of_page("q=mahler&genre=Choral&on_sale=now&sort=price&cursor=x");
        let saving = saving(&query).unwrap();
        assert_eq!(saving.name, "mahler, Choral, On sale");
        assert_eq!(saving.query, "q=mahler&genre=Choral&on_sale=now");
        assert_eq!(super::saving(&Query::of_page("sort=price")), None);
    }

    #[test]
    fn a_chip_leads_to_the_page_without_it() {
        let query = Query::of_page("q=mahler&genre=Choral&when=tomorrow&cursor=x");
        let chips = chips(&query);
        assert_eq!(chips[0], Chip { label: "Choral".into(), href: "/?q=mahler&when=tomorrow".into() });
        assert_eq!(chips[1], Chip { label: "Tomorrow".into(), href: "/?q=mahler&genre=Choral".into() });
        assert_eq!(chips.len(), 2);
    }
}
