//! The three people of the demo, each with a password of their own: in the database hashed, in `logins.json` for whoever owns the directory.
//!
//! A password that stands in the file stays; one without a file is made anew, so that the file and the database always agree.

use super::DemoError;
use crate::account::Passwords;
use rand::RngExt as _;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use tokio_postgres::Client;
use uuid::Uuid;

/// The fan's email.
pub(super) const FAN: &str = "fan@frontrow.test";

const PEOPLE: [(&str, &str, &str); 3] = [
    ("admin@frontrow.test", "Ada Admin", "admin"),
    ("organizer@frontrow.test", "Oscar Organizer", "organizer"),
    (FAN, "Fay Fan", "attendee"),
];

/// Makes what is missing and gives the organizer, whose events the demo's are.
pub(super) async fn make(client: &Client, data: &Path) -> Result<Uuid, DemoError> {
    let path = data.join("logins.json");
    let kept = read(&path).map_err(DemoError::Logins)?;
    let mut logins = kept.clone();
    for (email, name, role) in PEOPLE {
        let there = client.query_opt("select 1 from account where email = $1", &[&email]).await?.is_some();
        if there && kept.contains_key(email) {
            continue;
        }
        let password = logins.entry(email.to_owned()).or_insert_with(password).clone();
        let hash = Passwords::new(1)?.hash(password).await?;
        let sql = "insert into account (user_id, email, name, role, password_hash) values ($1, $2, $3, $4, $5)
            on conflict (email) do update set password_hash = excluded.password_hash, role = excluded.role";
        client.execute(sql, &[&Uuid::now_v7(), &email, &name, &role, &hash]).await?;
    }
    if logins != kept {
        write(&path, &logins).map_err(DemoError::Logins)?;
    }
    let organizer = "select user_id from account where email = 'organizer@frontrow.test'";
    Ok(client.query_one(organizer, &[]).await?.get(0))
}

fn read(path: &Path) -> io::Result<BTreeMap<String, String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

/// Replaces the file in one step, readable by its owner alone.
fn write(path: &Path, logins: &BTreeMap<String, String>) -> io::Result<()> {
    let new = path.with_extension("json.new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(serde_json::to_string_pretty(logins)?.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(new, path)
}

/// Twenty letters and digits that nobody mistakes for one another: 98 bits and more.
fn password() -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut rng = rand::rng();
    (0..20).map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())])).collect()
}
