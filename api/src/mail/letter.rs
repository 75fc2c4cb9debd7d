//! What a mail says: a search's name, its new events, the way to more, the way to silence; or the seats that are kept for who waited.

use super::table::{Due, Found};
use super::{Mailer, domain, key};
use crate::config::Secret;
use jiff::tz::TimeZone;
use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use search::document::EventDocument;
use std::fmt::Write as _;

/// Events a mail names; of more it says how many.
pub(super) const NAMED_MAX: usize = 20;

/// A mail could not be written: its recipient's address is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error("the recipient's address is not one")]
    Address(#[from] lettre::address::AddressError),
    #[error("write the mail")]
    Message(#[from] lettre::error::Error),
    #[error("write the mail's text")]
    Text(#[from] std::fmt::Error),
}

/// Who writes: the site's address and the key of its links.
pub(super) struct Site<'a> {
    pub(super) url: &'a str,
    pub(super) secret: &'a Secret,
}

/// The mail that tells of what was found: at most [`NAMED_MAX`] of `total` events.
pub(super) fn write(
    mailer: &Mailer,
    site: &Site<'_>,
    due: &Due,
    (events, total): (&[Found], usize),
) -> Result<Message, WriteError> {
    let stop = format!("{}/unsubscribe?search={}&key={}", site.url, due.search_id, key(site.secret, due.search_id));
    let name = plain(&due.search_name);
    let subject = match events {
        [only] if total == 1 => format!("New: {}", plain(&only.title)),
        _ => format!("{total} new concerts for “{name}”"),
    };
    let mut message = Message::builder()
        .from(mailer.from.clone())
        .to(Mailbox::new(Some(plain(&due.person_name)), due.email.parse()?))
        .subject(subject)
        .message_id(Some(format!("<{}@{}>", due.mail_id, domain(site.url))));
    // RFC 8058: one click in the reader's own program stops them, without a visit.
    message = header(message, "List-Unsubscribe", &format!("<{stop}>"));
    message = header(message, "List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
    message = header(message, "Auto-Submitted", "auto-generated");
    let body = text(site.url, &name, &stop, (events, total))?;
    Ok(message.header(ContentType::TEXT_PLAIN).body(body)?)
}

/// An offer of seats to who waited for them.
pub(super) struct Offer<'a> {
    pub(super) event: &'a EventDocument,
    pub(super) seats: u32,
    pub(super) expires_at: jiff::Timestamp,
    /// The mail's own, the same at every try.
    pub(super) id: uuid::Uuid,
}

/// The mail that tells somebody of seats that are kept for them.
pub(super) fn offer(
    mailer: &Mailer,
    site: &Site<'_>,
    (name, email): (&str, &str),
    offer: &Offer<'_>,
) -> Result<Message, WriteError> {
    let Offer { event, seats, expires_at, id } = offer;
    let zone = TimeZone::get(&event.venue.timezone).unwrap_or(TimeZone::UTC);
    let until = expires_at.to_zoned(zone).strftime("%A, %B %-d, %-I:%M %p %Z").to_string();
    let (title, what) = (plain(&event.title), if *seats == 1 { "A seat is" } else { "Seats are" });
    let mut text = String::new();
    writeln!(text, "{title}\n{}, {}\n", plain(&event.venue.name), plain(&event.venue.city))?;
    writeln!(text, "You waited for {seats}, and your turn has come. Until {until} nobody else can have them:\n")?;
    writeln!(text, "{}/events/{}#seats\n", site.url, event.event_id)?;
    writeln!(text, "After that they go to the next in line. Nothing was charged.")?;
    let message = Message::builder()
        .from(mailer.from.clone())
        .to(Mailbox::new(Some(plain(name)), email.parse()?))
        .subject(format!("{what} yours to take: {title}"))
        .message_id(Some(format!("<{id}@{}>", domain(site.url))));
    let message = header(message, "Auto-Submitted", "auto-generated");
    Ok(message.header(ContentType::TEXT_PLAIN).body(text)?)
}

/// A header of ASCII that is not to be folded.
fn header(mut message: MessageBuilder, name: &'static str, value: &str) -> MessageBuilder {
    let name = HeaderName::new_from_ascii_str(name);
    message = message.raw_header(HeaderValue::dangerous_new_pre_encoded(name, value.to_owned(), value.to_owned()));
    message
}

fn text(site: &str, name: &str, stop: &str, (events, total): (&[Found], usize)) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let what = if total == 1 { "a new concert" } else { "new concerts" };
    writeln!(text, "Your saved search “{name}” has found {what}:\n")?;
    for event in events {
        let zone = TimeZone::get(&event.timezone).unwrap_or(TimeZone::UTC);
        let begins = event.starts_at.to_zoned(zone).strftime("%A, %B %-d, %Y, %-I:%M %p").to_string();
        writeln!(text, "{}", plain(&event.title))?;
        writeln!(text, "{begins} · {}, {}", plain(&event.venue), plain(&event.city))?;
        writeln!(text, "{site}/events/{}\n", event.event_id)?;
    }
    if total > events.len() {
        writeln!(text, "And {} more: {site}/notifications\n", total - events.len())?;
    }
    writeln!(text, "Your saved searches: {site}/notifications")?;
    writeln!(text, "No more mail from this one: {stop}")?;
    Ok(text)
}

/// On one line.
fn plain(text: &str) -> String {
    text.split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Settings;
    use model::{EventId, SearchId};
    use uuid::Uuid;

    fn found(title: &str) -> Found {
        Found {
            event_id: EventId(Uuid::from_u128(7)),
            title: title.into(),
            starts_at: "2027-02-05T00:30:00Z".parse().unwrap(),
            venue: "Carnegie Hall".into(),
            city: "New York".into(),
            timezone: "America/New_York".into(),
        }
    }

    fn letter(events: &[Found], total: usize) -> String {
        let settings = Settings { url: Secret::new("smtp://127.0.0.1:25".into()), from: None };
        let mailer = Mailer::open(&settings, "https://seats.test").unwrap();
        let due = Due {
            mail_id: Uuid::from_u128(3),
            search_id: SearchId(Uuid::from_u128(5)),
            search_name: "Mahler\r\nBcc: all@example.test".into(),
            mails: true,
            email: "ann@example.test".into(),
            person_name: "Ann\nB".into(),
        };
        let site = Site { url: "https://seats.test", secret: &Secret::new("s".into()) };
        String::from_utf8(write(&mailer, &site, &due, (events, total)).unwrap().formatted()).unwrap()
    }

    #[tokio::test]
    async fn a_letter_names_the_event_and_the_way_out() {
        let letter = letter(&[found("Mahler's Third")], 1);
        let id = "00000000-0000-0000-0000-000000000005";
        assert!(letter.contains("Subject: New: Mahler's Third\r\n"), "{letter}");
        assert!(letter.contains("Message-ID: <00000000-0000-0000-0000-000000000003@seats.test>\r\n"), "{letter}");
        assert!(letter.contains(&format!("List-Unsubscribe: <https://seats.test/unsubscribe?search={id}&key=")));
        assert!(letter.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"));
    }

    #[tokio::test]
    async fn names_of_people_and_searches_add_no_headers() {
        let letter = letter(&[found("One"), found("Two\r\nX-Evil: 1")], 2);
        let (headers, _) = letter.split_once("\r\n\r\n").unwrap();
        for line in headers.lines() {
            assert!(!line.starts_with("Bcc:") && !line.starts_with("X-Evil:"), "{headers}");
        }
    }

    #[test]
    fn the_text_says_when_in_the_venue_s_own_time_and_how_many_more() {
        let text = text("https://seats.test", "Mahler", "https://stop", (&[found("Third")], 4)).unwrap();
        assert!(text.contains("Third\nThursday, February 4, 2027, 7:30 PM · Carnegie Hall, New York\n"), "{text}");
        assert!(text.contains("And 3 more: https://seats.test/notifications"), "{text}");
    }
}
