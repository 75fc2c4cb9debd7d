//! What the repository's files keep to, whoever writes them: sizes, headers, names, nothing left over.

use std::fs;
use std::path::{Path, PathBuf};
use tests::repository;

const LINES_MAX: usize = 500;

/// Every file of ours with one of these endings, as (path in the repository, text).
fn files(endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(repository(), &mut found);
    let mut texts: Vec<_> = found
        .into_iter()
        .filter_map(|path| {
            let name = path.strip_prefix(repository()).unwrap().to_str().unwrap().to_owned();
            let wanted = endings.iter().any(|ending| name.ends_with(ending)) && !name.contains("/dist/");
            wanted.then(|| (name, fs::read_to_string(path).unwrap()))
        })
        .collect();
    texts.sort();
    assert!(!texts.is_empty(), "no file ends with any of {endings:?}");
    texts
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let name = entry.file_name();
        let skipped = ["target", "node_modules", ".git", ".dev", ".sqlx"].iter().any(|skip| name == *skip);
        match entry.file_type().unwrap() {
            kind if kind.is_dir() && !skipped => walk(&entry.path(), found),
            kind if kind.is_file() && !skipped => found.push(entry.path()),
            _ => {}
        }
    }
}

#[track_caller]
fn none(rule: &str, offenders: &[String]) {
    assert!(offenders.is_empty(), "{rule}:\n  {}", offenders.join("\n  "));
}

#[test]
fn no_file_is_longer_than_one_can_find_ones_way_in() {
    let sources = files(&[".rs", ".ts", ".tsx", ".mjs", ".css", ".html", ".sql", ".sh"]);
    let long = sources.iter().filter(|(_, text)| text.lines().count() > LINES_MAX);
    let long: Vec<_> = long.map(|(name, text)| format!("{name}: {} lines", text.lines().count())).collect();
    none("files have at most 500 lines", &long);
}

#[test]
fn every_rust_file_opens_with_what_it_is_for() {
    let bare = files(&[".rs"]).into_iter().filter(|(_, text)| !text.starts_with("//! "));
    none("a Rust file opens with `//!`", &bare.map(|(name, _)| name).collect::<Vec<_>>());
}

#[test]
fn names_say_what_a_thing_is() {
    let mut offenders = Vec::new();
    for (name, text) in files(&[".rs", ".ts", ".tsx"]) {
        let stem = Path::new(&name).file_stem().unwrap().to_str().unwrap();
        if ["mod", "utils", "util", "common", "types", "helpers", "helper", "misc"].contains(&stem) {
            offenders.push(name.clone());
        }
        for line in text.lines() {
            let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            let defined =
                words.windows(2).find(|pair| ["struct", "enum", "trait", "class", "interface"].contains(&pair[0]));
            let Some(defined) = defined.map(|pair| pair[1]) else { continue };
            if !line.trim_start().starts_with("//")
                && ["Manager", "Helper", "Service", "Utils"].iter().any(|bad| defined.ends_with(bad))
            {
                offenders.push(format!("{name}: {defined}"));
            }
        }
    }
    none("names that say nothing", &offenders);
}

#[test]
fn nothing_is_left_for_later_and_no_machine_is_named() {
    // Put together here, so that this file keeps its own rule.
    let marks = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["unimpl", "emented!"].concat()];
    let paths = [["/wo", "rk/"].concat(), ["/ho", "me/"].concat(), ["/Us", "ers/"].concat()];
    let mut offenders = Vec::new();
    for (name, text) in
        files(&[".rs", ".ts", ".tsx", ".mjs", ".css", ".html", ".sql", ".sh", ".toml", ".md", "run", "test"])
    {
        for (number, line) in (1..).zip(text.lines()) {
            let marked = marks
                .iter()
                .any(|mark| line.split(|c: char| !c.is_alphanumeric() && c != '!').any(|word| word == mark));
            if marked || paths.iter().any(|path| line.contains(path)) {
                offenders.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    none("marks of unfinished work, or paths of one machine", &offenders);
}

#[test]
fn migrations_are_numbered_without_a_gap_and_every_table_has_a_user() {
    let sources: String = files(&[".rs"]).into_iter().map(|(_, text)| text).collect();
    let migrations: Vec<_> = files(&[".sql"]).into_iter().filter(|(name, _)| name.starts_with("migrations/")).collect();
    let mut offenders = Vec::new();
    for (number, (name, text)) in (1..).zip(&migrations) {
        if !name.starts_with(&format!("migrations/{number:04}_")) {
            offenders.push(format!("{name} is the {number}th"));
        }
        for table in text.lines().filter_map(|line| line.strip_prefix("create table ")) {
            let table = table.split([' ', '(']).next().unwrap();
            let named = sources.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').any(|word| word == table);
            if !named {
                offenders.push(format!("{name}: nobody names the table {table}"));
            }
        }
    }
    none("migrations", &offenders);
}

#[test]
fn every_web_file_and_template_is_used() {
    let web = files(&[".ts", ".tsx", ".css", ".html", ".mjs", ".json"]);
    let rust = files(&[".rs"]);
    let mut offenders = Vec::new();
    for (name, _) in
        web.iter().filter(|(name, _)| name.starts_with("api/web/src/") || name.starts_with("api/templates/"))
    {
        let path = Path::new(name);
        let (file, stem) = (path.file_name().unwrap().to_str().unwrap(), path.file_stem().unwrap().to_str().unwrap());
        let names = [
            format!("/{stem}'"),
            format!("/{stem}\""),
            format!("/{file}"),
            format!("\"{file}\""),
            format!("\"{stem}\""),
        ];
        let tested = name.ends_with(".test.ts") || name.ends_with(".test.tsx") || name.ends_with(".d.ts");
        let mentions = |text: &str| names.iter().any(|name| text.contains(name.as_str()));
        let used = web.iter().filter(|(other, _)| other != name).chain(&rust).any(|(_, text)| mentions(text));
        if !used && !tested {
            offenders.push(name.clone());
        }
    }
    none("nobody imports or names", &offenders);
}
