//! Word vectors as an operator and a visitor meet them: fetched from a wheel, searched by, absent, damaged. The wheel is made here.

use crate::bad_database::{SERVE, refusal};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use tests::catalog::Listing;
use tests::{Client, Database, Server, binary, until};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const DIMENSIONS: usize = 256;
const LICENCE: &str = "Permission is hereby granted, free of charge.";

/// A wheel of the package's layout whose table knows these words, those of a group meaning the same.
fn wheel(groups: &[&[&str]]) -> Vec<u8> {
    let mut groups_of: BTreeMap<String, Option<usize>> = BTreeMap::new();
    for (group, words) in groups.iter().enumerate() {
        for word in *words {
            let spaced: Vec<char> = format!("▁{word}").chars().collect();
            for end in 1..=spaced.len() {
                groups_of.entry(spaced[..end].iter().collect()).or_default();
                groups_of.entry(spaced[end - 1].to_string()).or_default();
            }
            groups_of.insert(spaced.iter().collect(), Some(group));
        }
    }
    // A word's beginnings come before it, so that it is put together at last.
    let mut pieces: Vec<_> = groups_of.into_iter().collect();
    pieces.sort_by_key(|(piece, _)| piece.chars().count());
    let vocab: serde_json::Map<String, Value> =
        (0..).zip(&pieces).map(|(n, (piece, _))| (piece.clone(), json!(n))).collect();
    let tokenizer = json!({"version": "1.0", "model": {"type": "BPE", "vocab": vocab, "merges": []}}).to_string();
    let end = pieces.len() * DIMENSIONS * 2;
    let header = json!({"embedding": {"dtype": "F16", "shape": [pieces.len(), DIMENSIONS], "data_offsets": [0, end]}})
        .to_string();
    let mut tensor = (header.len() as u64).to_le_bytes().to_vec();
    tensor.extend(header.as_bytes());
    for (_, group) in &pieces {
        // A one in half precision is 0x3c00.
        tensor.extend(
            (0..DIMENSIONS).flat_map(|n| [0, if group.is_some_and(|group| n / 16 == group) { 0x3c } else { 0 }]),
        );
    }
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in [
        ("wordllama/weights/l2_supercat_256.safetensors", tensor.as_slice()),
        ("wordllama/tokenizers/l2_supercat_tokenizer_config.json", tokenizer.as_bytes()),
        ("wordllama-0.0.1.dist-info/licenses/LICENSE", LICENCE.as_bytes()),
    ] {
        archive.start_file(name, SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// `frontrow vectors fetch` from a wheel into a data directory: whether it succeeded, and what it said.
fn fetch(wheel: &[u8], data: &Path) -> (bool, String) {
    let file = data.join("any.whl");
    std::fs::write(&file, wheel).unwrap();
    let mut command = Command::new(binary("frontrow"));
    command.args(["vectors", "fetch", "--wheel"]).arg(&file).arg("--data").arg(data).env_remove("FRONTROW_VECTORS");
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.success(), said)
}

async fn titles(visitor: &Client, query: &str) -> (String, Vec<String>) {
    let answer = visitor.get(&format!("/event?{query}")).await.expect(200);
    let hits = answer["hits"].as_array().unwrap().iter();
    let titles = hits.map(|hit| hit["title"].as_str().unwrap().to_owned()).collect();
    (answer["mode"].as_str().unwrap().to_owned(), titles)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetched_table_lets_a_search_find_what_was_meant() {
    let database = Database::migrated().await;
    Listing::new("Moonlit ocean", 10).insert(&database).await;
    Listing::new("Waltz evening", 10).insert(&database).await;
    let data = TempDir::with_prefix("frontrow-data-").unwrap();
    let (fetched, said) = fetch(&wheel(&[&["sea", "ocean"], &["waltz", "dance"]]), data.path());
    assert!(fetched && said.contains(LICENCE) && said.contains("wordllama"), "{said}");

    let server = Server::start_on(&database, data.path(), |_| {}).await;
    let visitor = server.visitor();
    let by_meaning = until("vectors are made", async || {
        let answer = visitor.get("/event?q=sea&facets=genre").await.expect(200);
        (answer["total"] == 1).then_some(answer)
    });
    let answer = by_meaning.await;
    let hit = &answer["hits"][0];
    assert_eq!(
        (&answer["mode"], &hit["title"], &hit["by_meaning"]),
        (&json!("hybrid"), &json!("Moonlit ocean"), &json!(true))
    );
    let one = |mode: &str, title: &str| (mode.to_owned(), vec![title.to_owned()]);
    assert_eq!(titles(&visitor, "q=dance&mode=hybrid").await, one("hybrid", "Waltz evening"));
    assert_eq!(titles(&visitor, "q=dance+evening&mode=hybrid&sort=name").await, one("hybrid", "Waltz evening"));
    assert_eq!(titles(&visitor, "q=dance&city=Tokyo").await, ("hybrid".to_owned(), vec![]));
    assert_eq!(titles(&visitor, "q=dance&mode=lexical").await, ("lexical".to_owned(), vec![]));

    // What is written now is found without a restart, too.
    Listing::new("Calm ocean", 10).insert(&database).await;
    let both = until("the new event's vector is made", async || {
        let (_, titles) = titles(&visitor, "q=sea").await;
        (titles.len() == 2).then_some(titles)
    });
    assert!(both.await.contains(&"Calm ocean".to_owned()));
    let page = visitor.get("/?q=sea").await.text;
    assert!(page.contains("Moonlit ocean") && page.contains("close in meaning"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_table_words_answer_and_both_answer_and_log_say_so() {
    let database = Database::migrated().await;
    Listing::new("Moonlit ocean", 10).insert(&database).await;
    let server = Server::start(&database).await;
    let visitor = server.visitor();
    assert_eq!(titles(&visitor, "q=sea&mode=hybrid").await, ("lexical".to_owned(), vec![]));
    assert_eq!(titles(&visitor, "q=ocean&mode=hybrid").await, ("lexical".to_owned(), vec!["Moonlit ocean".to_owned()]));
    let log = server.process.output();
    assert_eq!(log.matches("searches go by words alone").count(), 1, "{log}");
    let modes = visitor.get("/openapi.json").await.expect(200);
    assert_eq!(modes["components"]["schemas"]["Mode"]["enum"], json!(["lexical", "hybrid"]));
}

#[tokio::test]
async fn a_file_that_is_no_whole_table_is_refused_with_a_sentence() {
    let data = TempDir::new().unwrap();
    let nowhere = "postgres://nobody@127.0.0.1:1/nowhere";
    assert!(!fetch(b"<html>", data.path()).0, "a page is no wheel");
    assert!(!data.path().join("vectors").exists());
    assert!(fetch(&wheel(&[&["sea"]]), data.path()).0);
    let table = data.path().join("vectors");
    let mut bytes = std::fs::read(&table).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&table, &bytes).unwrap();
    let sentence = refusal(&SERVE, nowhere, data.path()).await;
    assert!(sentence.contains("damaged") && sentence.contains("frontrow vectors fetch"), "{sentence}");
    std::fs::write(&table, "something else").unwrap();
    let sentence = refusal(&SERVE, nowhere, data.path()).await;
    assert!(sentence.contains("no table of word vectors"), "{sentence}");
}
