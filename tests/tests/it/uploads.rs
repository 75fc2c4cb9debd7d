//! Pictures over HTTP: sent, shown everywhere the event is, replaced, removed; what is refused leaves nothing behind.

use image::{DynamicImage, GenericImageView as _, ImageBuffer, ImageFormat, Rgb};
use model::EventId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::io::Cursor;
use std::path::Path;
use tests::catalog::{self, Listing};
use tests::{Bucket, Client, Database, Server, until};

const PNG: ImageFormat = ImageFormat::Png;

fn picture(width: u32, height: u32, color: [u8; 3], format: ImageFormat) -> Vec<u8> {
    let picture = DynamicImage::ImageRgb8(ImageBuffer::from_pixel(width, height, Rgb(color)));
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// The fields of a form.
type Fields<'a> = &'a [(&'a str, &'a [u8])];

/// Sends a form of these fields; the file's name says nothing.
async fn send(client: &Client, method: Method, path: &str, fields: Fields<'_>) -> (u16, Value) {
    let mut body = Vec::new();
    for (name, bytes) in fields {
        let file = if *name == "image" { "; filename=\"a.exe\"" } else { "" };
        body.extend_from_slice(
            format!("--frontier\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--frontier--\r\n");
    let request = client.request(method, path).header("content-type", "multipart/form-data; boundary=frontier");
    let response = request.body(body).send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or_default())
}

async fn upload(client: &Client, event: EventId, image: &[u8]) -> Value {
    let fields = [("image", image), ("event_id", event.to_string().into_bytes().leak() as &[u8])];
    let (status, uploaded) = send(client, Method::POST, "/upload", &fields).await;
    assert_eq!(status, 201, "{uploaded}");
    uploaded
}

/// A site, an event and its organizer.
async fn evening() -> (Database, Server, Listing, Client) {
    let database = Database::migrated().await;
    let listing = catalog::on_sale(&database, "An evening", 10).await;
    let server = Server::start(&database).await;
    let organizer = Client::session_of(listing.organizer, &server.base, &database).await;
    (database, server, listing, organizer)
}

fn files(data: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(data) else { return 0 };
    entries.map(|entry| entry.unwrap()).map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

async fn shown(visitor: &Client, event: EventId, image: &Value) {
    until("search shows the picture", || async {
        let hit = visitor.get(&format!("/event?event_id={event}")).await.expect(200)["hits"][0].clone();
        (hit["image"] == *image).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_sent_shown_replaced_and_removed() {
    let (database, server, listing, organizer) = evening().await;
    let visitor = server.visitor();
    let sent = upload(&organizer, listing.event, &picture(2_000, 1_500, [200, 10, 10], PNG)).await;
    assert_eq!((&sent["width"], &sent["height"]), (&json!(2_000), &json!(1_500)));
    for (size, expected) in
        [("thumb", (320, 180)), ("card", (640, 360)), ("hero", (1_440, 1_080)), ("original", (2_000, 1_500))]
    {
        let answer = visitor.request(Method::GET, sent["urls"][size].as_str().unwrap()).send().await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "public, max-age=31536000, immutable");
        assert_eq!(answer.headers()["content-type"], "image/jpeg");
        let bytes = answer.bytes().await.unwrap();
        assert_eq!(image::load_from_memory(&bytes).unwrap().dimensions(), expected, "{size}");
    }
    let hero = &sent["urls"]["hero"];
    shown(&visitor, listing.event, hero).await;
    let page = visitor.get(&format!("/events/{}", listing.event)).await.text;
    let whole = format!("{}{}", server.base, hero.as_str().unwrap());
    assert!(page.contains(&format!("\"image\":[\"{whole}\"]")), "{page}");
    let card = sent["urls"]["card"].as_str().unwrap().rsplit('/').next().unwrap();
    assert!(visitor.get("/?q=evening").await.text.contains(card));

    let path = format!("/upload/{}", sent["image_id"].as_str().unwrap());
    let other = picture(800, 450, [10, 200, 10], ImageFormat::WebP);
    let (status, replaced) = send(&organizer, Method::PUT, &path, &[("image", &other)]).await;
    assert_eq!((status, &replaced["image_id"]), (200, &sent["image_id"]));
    assert_ne!(replaced["urls"], sent["urls"]);
    assert_eq!(send(&organizer, Method::PUT, &path, &[("image", &other)]).await.1["urls"], replaced["urls"]);
    shown(&visitor, listing.event, &replaced["urls"]["hero"]).await;
    assert_eq!(visitor.get(hero.as_str().unwrap()).await.status, StatusCode::NOT_FOUND);
    assert_eq!(files(&server.data().unwrap().join("images")), 4);

    drop(organizer.delete(&path).await.expect(204));
    organizer.delete(&path).await.problem(404, "no-such-image").as_object().unwrap();
    shown(&visitor, listing.event, &Value::Null).await;
    assert_eq!(files(&server.data().unwrap().join("images")), 0);
    assert_eq!(database.number("select count(*) from image").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_picture_or_not_ones_own_is_refused_and_leaves_nothing() {
    let (database, server, listing, organizer) = evening().await;
    let good = picture(64, 64, [1, 2, 3], PNG);
    let event = listing.event.to_string();
    let event = event.as_bytes();
    let foreign = catalog::on_sale(&database, "Another organizer's", 10).await;
    let foreign = Client::session_of(foreign.organizer, &server.base, &database).await;
    let huge = vec![0xff_u8; (10 << 20) + 1];
    let cut = &good[..good.len() - 20];
    let cases: [(&Client, Fields<'_>, u16, &str); 11] = [
        (&server.visitor(), &[("image", &good)], 401, "no-session"),
        (&server.buyer().await, &[("image", &good)], 403, "forbidden"),
        (&foreign, &[("image", &good), ("event_id", event)], 403, "forbidden"),
        (&organizer, &[("image", &good), ("event_id", b"0190a3c6-0000-7000-8000-000000000000")], 404, "no-such-event"),
        (&organizer, &[("image", &good), ("event_id", b"tonight")], 422, "invalid"),
        (&organizer, &[("image", b"<svg xmlns='http://www.w3.org/2000/svg'/>")], 415, "not-an-image"),
        (&organizer, &[("image", &huge)], 413, "too-large"),
        (&organizer, &[("image", cut)], 422, "invalid"),
        (&organizer, &[("event_id", event)], 422, "invalid"),
        (&organizer, &[("image", &good), ("image", &good)], 422, "invalid"),
        (&organizer, &[("image", &good), ("x", b"y")], 422, "invalid"),
    ];
    for (client, fields, status, name) in cases {
        let (answered, problem) = send(client, Method::POST, "/upload", fields).await;
        assert_eq!((answered, &problem["type"]), (status, &json!(format!("/problem/{name}"))), "{problem}");
    }
    organizer.post("/upload", &json!({"image": "x"})).await.problem(415, "not-a-form").as_object().unwrap();
    assert_eq!(database.number("select count(*) from image").await, 0);
    assert_eq!(database.number("select count(*) from event where image is not null").await, 0);
    assert_eq!(files(&server.data().unwrap().join("images")), 0);

    let sent = upload(&organizer, listing.event, &good).await;
    let path = format!("/upload/{}", sent["image_id"].as_str().unwrap());
    let (status, problem) = send(&foreign, Method::PUT, &path, &[("image", &good)]).await;
    assert_eq!((status, &problem["type"]), (403, &json!("/problem/forbidden")));
    foreign.delete(&path).await.problem(403, "forbidden").as_object().unwrap();
    let nowhere = sent["urls"]["hero"].as_str().unwrap().replace("-hero", "-poster");
    server.visitor().get(&nowhere).await.problem(404, "no-such-image").as_object().unwrap();
    server.visitor().get("/image/..%2f..%2fsecret/x-hero.jpg").await.problem(404, "no-such-image").as_object().unwrap();
    assert_eq!(files(&server.data().unwrap().join("images")), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_are_kept_in_a_bucket_and_shown_through_a_cdn() {
    let bucket = Bucket::start().await;
    let database = Database::migrated().await;
    let listing = catalog::on_sale(&database, "An evening", 10).await;
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_on(&database, data.path(), |command| {
        command.env("FRONTROW_IMAGES", "s3://frontrow/pictures").env("FRONTROW_CDN_URL", "https://cdn.example.test/");
        command.envs(bucket.environment());
    })
    .await;
    let organizer = Client::session_of(listing.organizer, &server.base, &database).await;
    let sent = upload(&organizer, listing.event, &picture(64, 64, [1, 2, 3], ImageFormat::Jpeg)).await;
    let path = sent["urls"]["card"].as_str().unwrap().strip_prefix("https://cdn.example.test").unwrap();
    // What the CDN asks us for.
    let answer = server.visitor().request(Method::GET, path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(files(&data.path().join("images")), 0);
    shown(&organizer, listing.event, &sent["urls"]["hero"]).await;
}
