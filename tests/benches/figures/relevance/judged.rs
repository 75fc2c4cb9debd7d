//! The judged queries, and how relevant a concert is to one: `judged.txt` says how its lines are read.

use anyhow::Context as _;
use search::fold;
use serde_json::Value;
use std::collections::HashMap;
use tokio_postgres::Row;

/// The kind of the queries that nothing is relevant to.
pub(super) const NOT_THERE: &str = "what is not there";

const QUERIES: &str = include_str!("judged.txt");

/// A query and its rules.
pub(super) struct Query<'a> {
    pub(super) kind: &'a str,
    pub(super) text: &'a str,
    rules: Vec<(u8, Vec<Condition>)>,
}

/// A field, and sets of words any of which it has to have all of.
struct Condition {
    field: String,
    either: Vec<Vec<String>>,
}

/// A concert's fields, each with its values folded to words between spaces.
pub(super) struct Concert(HashMap<&'static str, Vec<String>>);

impl Concert {
    /// Its id, and itself.
    pub(super) fn of(row: &Row) -> anyhow::Result<(String, Self)> {
        let works: Vec<Value> = serde_json::from_str(row.try_get(3)?)?;
        let text = |work: &Value, name: &str| work[name].as_str().unwrap_or_default().to_owned();
        let whole = |work: &Value| ["composer", "title", "movement"].map(|name| text(work, name)).join(" ");
        let number = |at: usize| anyhow::Ok(vec![row.try_get::<_, i32>(at)?.to_string()]);
        let one = |at: usize| anyhow::Ok(vec![row.try_get::<_, String>(at)?]);
        let fields = [
            ("title", one(1)?),
            ("genre", row.try_get(2)?),
            ("work", works.iter().map(whole).collect()),
            ("composer", works.iter().map(|work| text(work, "composer")).collect()),
            ("venue", one(4)?),
            ("city", one(5)?),
            ("country", one(6)?),
            ("month", number(7)?),
            ("weekday", number(8)?),
            ("artist", row.try_get(9)?),
            ("role", row.try_get(10)?),
        ];
        let folded = |values: Vec<String>| values.iter().map(|value| format!(" {} ", words(value))).collect();
        let fields = fields.into_iter().map(|(name, values)| (name, folded(values)));
        Ok((row.try_get(0)?, Self(fields.collect())))
    }
}

impl Query<'_> {
    /// How relevant a concert is, from 0 to 3.
    pub(super) fn grade(&self, concert: &Concert) -> u8 {
        let holds = |rule: &&(u8, Vec<Condition>)| rule.1.iter().all(|condition| condition.holds(concert));
        self.rules.iter().find(holds).map_or(0, |(grade, _)| *grade)
    }

    /// The gain of the best answer there could be.
    pub(super) fn ideal<'c>(&self, concerts: impl Iterator<Item = &'c Concert>, hits: usize) -> f64 {
        let mut grades: Vec<u8> = concerts.map(|concert| self.grade(concert)).filter(|grade| *grade > 0).collect();
        grades.sort_unstable_by(|a, b| b.cmp(a));
        grades.truncate(hits);
        gain(&grades)
    }
}

impl Condition {
    fn holds(&self, concert: &Concert) -> bool {
        let values = concert.0.get(self.field.as_str()).map_or(&[][..], Vec::as_slice);
        self.either.iter().any(|all| values.iter().any(|value| all.iter().all(|words| has(value, words))))
    }
}

fn has(value: &str, words: &str) -> bool {
    [" ", "s ", "es "].iter().any(|end| value.contains(&format!(" {words}{end}")))
}

fn words(text: &str) -> String {
    fold::words(text).map(|(_, word)| word).collect::<Vec<_>>().join(" ")
}

/// Discounted cumulative gain (Järvelin and Kekäläinen 2002) of grades in the order of their hits.
pub(super) fn gain(grades: &[u8]) -> f64 {
    let each = grades.iter().zip(2_u32..);
    each.map(|(grade, place)| (2_f64.powi(i32::from(*grade)) - 1.0) / f64::from(place).log2()).sum()
}

/// All of them, in the order of the file.
pub(super) fn queries() -> anyhow::Result<Vec<Query<'static>>> {
    let mut kind = "";
    let mut queries = Vec::new();
    for line in QUERIES.lines().filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix("## ") {
            kind = name;
        } else if !line.starts_with('#') {
            let (text, rules) = line.split_once(" => ").with_context(|| format!("no rules: {line}"))?;
            let rules = rules.split(';').filter(|rule| *rule != "nothing").map(rule);
            let rules = rules.collect::<anyhow::Result<_>>().with_context(|| line.to_owned())?;
            queries.push(Query { kind, text, rules });
        }
    }
    Ok(queries)
}

fn rule(text: &str) -> anyhow::Result<(u8, Vec<Condition>)> {
    let (grade, conditions) = text.split_once(':').context("no grade")?;
    let condition = |text: &str| {
        let (field, values) = text.split_once('=').context("no field")?;
        let either = values.split('|').map(|all| all.split('+').map(words).collect()).collect();
        anyhow::Ok(Condition { field: field.trim().to_owned(), either })
    };
    Ok((grade.trim().parse()?, conditions.split('&').map(condition).collect::<anyhow::Result<_>>()?))
}
