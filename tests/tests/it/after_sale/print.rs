//! A ticket on paper, read back by Poppler: its words, and its code off the picture.

use super::Evening;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// What a program of Poppler's writes of a file.
fn poppler(program: &str, before: &[&str], file: &Path, after: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(before).arg(file).args(after).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The one QR code on a grey picture (netpbm's `P5`).
fn scanned(picture: &[u8]) -> String {
    let mut words = picture.splitn(4, u8::is_ascii_whitespace);
    let mut number = || std::str::from_utf8(words.next().unwrap()).unwrap().trim_start_matches('P').parse().unwrap();
    let [kind, width, height]: [usize; 3] = [number(), number(), number()];
    assert_eq!(kind, 5);
    let pixels = &picture[picture.len() - width * height..];
    let mut page = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| pixels[y * width + x]);
    let codes = page.detect_grids();
    assert_eq!(codes.len(), 1);
    codes[0].decode().unwrap().1
}

async fn printed(evening: &Evening, ticket: &Value) -> (String, String) {
    let path = format!("/ticket/{}/ticket.pdf", ticket["ticket_id"].as_str().unwrap());
    let response = evening.buyer.request(reqwest::Method::GET, &path).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/pdf");
    assert_eq!(response.headers()["cache-control"], "private, no-store");
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("ticket.pdf");
    std::fs::write(&file, response.bytes().await.unwrap()).unwrap();
    if let Some(shots) = std::env::var_os("SHOTS") {
        std::fs::copy(&file, Path::new(&shots).join("ticket.pdf")).unwrap();
    }
    let text = String::from_utf8(poppler("pdftotext", &["-layout"], &file, &["-"])).unwrap();
    let picture = poppler("pdftoppm", &["-gray", "-r", "150"], &file, &[]);
    (text, scanned(&picture))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_printed_ticket_says_all_and_its_code_is_the_ticket_s() {
    let evening = Evening::sold().await;
    let client = evening.database.connect().await;
    let sql =
        "update event set title = 'Dvořák: Rusalka · Дмитрий Шостакович · 武満徹', starts_at = '2031-01-02T00:30:00Z'";
    client.execute(sql, &[]).await.unwrap();
    client.execute("update account set name = 'Zoë Łukasiewicz שרה' where name = 'A Buyer'", &[]).await.unwrap();
    let ticket = evening.buyer.get("/ticket").await.expect(200)["tickets"][0].clone();
    let (text, code) = printed(&evening, &ticket).await;
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in [
        "Dvořák: Rusalka · Дмитрий Шостакович · 武満徹",
        "Wednesday, January 1, 2031, 7:30 PM EST",
        "Test Hall",
        "New York, NY, US",
        "Stalls",
        "Zoë Łukasiewicz shrh",
        ticket["order_id"].as_str().unwrap(),
        ticket["ticket_id"].as_str().unwrap(),
    ] {
        assert!(flat.contains(word), "{word} in {text}");
    }
    let after = |name: &str| {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.by_ref().find(|line| *line == name).unwrap();
        lines.next().unwrap().to_owned()
    };
    assert_eq!(
        (after("Row").as_str(), after("Seat").as_str()),
        (ticket["row"].as_str().unwrap(), ticket["label"].as_str().unwrap())
    );
    assert_eq!(code, ticket["code"].as_str().unwrap());
    let page = evening.buyer.get("/tickets").await;
    let link = format!("/ticket/{}/ticket.pdf", ticket["ticket_id"].as_str().unwrap());
    assert!(page.text.contains(&link), "{}", page.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_prints_another_s_ticket_or_a_dead_one() {
    let evening = Evening::sold().await;
    let ticket = evening.buyer.get("/ticket").await.expect(200)["tickets"][0].clone();
    let path = format!("/ticket/{}/ticket.pdf", ticket["ticket_id"].as_str().unwrap());
    evening.server.visitor().get(&path).await.problem(401, "no-session").as_object().unwrap();
    evening.organizer.get(&path).await.problem(404, "no-such-ticket").as_object().unwrap();
    drop(evening.organizer.post(&evening.refund(), &serde_json::json!({})).await.expect(202));
    evening.buyer.get(&path).await.problem(404, "no-such-ticket").as_object().unwrap();
}
