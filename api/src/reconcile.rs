//! `frontrow reconcile`: this installation's payments against its providers' books, and the providers' money against its payments.
//!
//! Reports what disagrees, and with `--repair` has it put right by those who decide such things: the event's lane is told to look,
//! the outbox asks again for what a lane decided. It writes no booking table and holds no lane. Whatever changed within the last
//! moments is on its way and left alone.

mod verdict;

use crate::payment::{Act, Foreign, Message, Provider, ProviderError, Providers, Standing};
use booking::{Failure, InboxEntry, PaymentBooks, PaymentLine, Report};
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use model::{OrderId, PaymentId};
use serde::Serialize;
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use verdict::{Kind, Repair, verdict};

/// Payments read, and providers asked, at a time.
const PAGE: i64 = 256;
const AT_ONCE: usize = 8;
/// How long a lane and its provider may take to put one right, and how often is looked.
const REPAIR_MAX: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What to walk, and what to do about it.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// Payments made since.
    pub from: Timestamp,
    /// What has been quiet for less is on its way.
    pub grace_s: i64,
    /// Whether what disagrees is put right.
    pub repairs: bool,
}

/// What the walk came to.
#[derive(Debug, Serialize)]
pub struct Reconciled {
    /// Payments of ours that were compared.
    pub payments: usize,
    /// Payments that the providers named.
    pub named_there: usize,
    /// What disagrees.
    pub findings: Vec<Finding>,
}

/// One disagreement.
#[derive(Debug, Serialize)]
pub struct Finding {
    kind: Kind,
    provider: &'static str,
    /// The provider's name for it.
    provider_ref: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_id: Option<PaymentId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    /// Where it stands here; nowhere, when nobody here knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    here: Option<&'static str>,
    /// Where it stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    there: Option<&'static str>,
    /// What the provider said the last time it was asked for something.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    /// The outbox asks no more: the provider refuses.
    given_up: bool,
    /// Both agree by now.
    pub repaired: bool,
    #[serde(skip)]
    repair: Repair,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = serde_json::to_value(self.kind).ok();
        let name = name.as_ref().and_then(|name| name.as_str()).unwrap_or_default();
        write!(f, "{name}: {} {}", self.provider, self.provider_ref)?;
        if let Some(payment) = self.payment_id {
            write!(f, ", payment {payment}")?;
        }
        write!(f, ", here {}, there {}", self.here.unwrap_or("nowhere"), self.there.unwrap_or("nothing"))?;
        if let Some(failure) = &self.failure {
            write!(f, " ({failure})")?;
        }
        f.write_str(if self.repaired { ": repaired" } else { "" })
    }
}

/// Why the walk came to no end. A provider that does not answer is a finding.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The database failed us.
    #[error("read and write the books")]
    Books(#[from] Failure),
    /// A message is no JSON; cannot happen.
    #[error("leave word for a lane")]
    Encode(#[from] serde_json::Error),
}

/// Walks both books.
///
/// # Errors
/// When the database fails. A provider that does not answer is a finding.
pub async fn reconcile(books: &PaymentBooks, providers: &Providers, walk: Walk) -> Result<Reconciled, ReconcileError> {
    let mut reconciled = Reconciled { payments: 0, named_there: 0, findings: Vec::new() };
    // What holds the money of payments that were compared: what else there is, is nobody's.
    let mut held = HashSet::new();
    let mut after = None;
    loop {
        let page = books.page(walk.from, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.payment.payment_id);
        reconciled.payments += page.len();
        let compared: Vec<Compared> =
            stream::iter(&page).map(|line| compare(providers, line)).buffered(AT_ONCE).collect().await;
        for (line, Compared { holder, finding }) in page.iter().zip(compared) {
            held.extend(holder);
            reconciled.findings.extend(finding.filter(|_| line.quiet_s >= walk.grace_s));
        }
    }
    for provider in providers.all() {
        let (named, findings) = nobodys(books, provider, (walk, &held)).await?;
        reconciled.named_there += named;
        reconciled.findings.extend(findings);
    }
    if walk.repairs {
        put_right(books, providers, &mut reconciled.findings).await?;
    }
    Ok(reconciled)
}

/// A payment of ours beside its provider's word.
struct Compared {
    holder: Option<String>,
    finding: Option<Finding>,
}

async fn compare(providers: &Providers, line: &PaymentLine) -> Compared {
    let name = line.payment.provider.as_deref().unwrap_or_default();
    let reference = line.payment.provider_ref.as_deref().unwrap_or_default();
    let Some(provider) = providers.named(name) else {
        let finding = finding(("of another installation", reference), line, (Kind::NoAnswer, Repair::None), None);
        return Compared { holder: None, finding: Some(finding) };
    };
    match standing(provider, reference).await {
        Ok(there) => {
            let report = there.as_ref().and_then(|there| there.report.as_ref());
            let found = judge(line, there.as_ref());
            let finding = found.map(|found| finding((provider.name(), reference), line, found, report));
            Compared { holder: there.map(|there| there.holder), finding }
        }
        Err(error) => {
            let mut finding = finding((provider.name(), reference), line, (Kind::NoAnswer, Repair::None), None);
            finding.failure = Some(indexer::sentence(&error));
            Compared { holder: None, finding: Some(finding) }
        }
    }
}

/// How it stands there; `None` when the provider knows no such payment.
async fn standing(provider: &Provider, reference: &str) -> Result<Option<Standing>, ProviderError> {
    match provider.ask(reference).await {
        Ok(standing) => Ok(Some(standing)),
        Err(ProviderError::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn judge(line: &PaymentLine, there: Option<&Standing>) -> Option<(Kind, Repair)> {
    let ours = (line.payment.amount, line.payment.currency);
    if there.is_some_and(|there| (there.money.minor, there.money.currency) != ours) {
        return Some((Kind::OtherAmount, Repair::None));
    }
    verdict(line, there.and_then(|there| there.report.as_ref()))
}

fn finding(
    (provider, reference): (&'static str, &str),
    line: &PaymentLine,
    (kind, repair): (Kind, Repair),
    there: Option<&Report>,
) -> Finding {
    Finding {
        kind,
        provider,
        provider_ref: reference.to_owned(),
        payment_id: Some(line.payment.payment_id),
        order_id: Some(line.payment.order_id),
        here: Some(line.payment.state.as_str()),
        there: there.map(word),
        failure: line.failure.clone(),
        given_up: line.given_up,
        repaired: false,
        repair,
    }
}

fn word(report: &Report) -> &'static str {
    match report {
        Report::Authorized => "authorized",
        Report::Declined { .. } => "declined",
        Report::Captured => "captured",
        Report::Voided => "voided",
        Report::Refunded => "refunded",
    }
}

/// Money that a provider has of ours and that no payment here knows.
async fn nobodys(
    books: &PaymentBooks,
    provider: &Provider,
    (walk, held): (Walk, &HashSet<String>),
) -> Result<(usize, Vec<Finding>), ReconcileError> {
    let silent = |error: ProviderError, named| {
        let finding = Finding {
            kind: Kind::NoAnswer,
            provider: provider.name(),
            provider_ref: String::new(),
            payment_id: None,
            order_id: None,
            here: None,
            there: None,
            failure: Some(indexer::sentence(&error)),
            given_up: false,
            repaired: false,
            repair: Repair::None,
        };
        Ok((named, vec![finding]))
    };
    let (mut named, mut findings, mut after) = (0, Vec::new(), None);
    loop {
        let page = match provider.list(walk.from, after.as_deref()).await {
            Ok(page) => page,
            Err(error) => return silent(error, named),
        };
        named += page.payments.len();
        for foreign in page.payments {
            let act = match foreign.report {
                Some(Report::Authorized) => Act::Void,
                Some(Report::Captured) => Act::Refund,
                _ => continue,
            };
            let young = Timestamp::now().duration_since(foreign.created_at).as_secs() < walk.grace_s;
            if young || held.contains(&foreign.holder) || is_known(books, provider, &foreign).await? {
                continue;
            }
            findings.push(Finding {
                kind: Kind::NobodysMoney,
                provider: provider.name(),
                provider_ref: foreign.holder,
                payment_id: foreign.payment,
                order_id: None,
                here: None,
                there: foreign.report.as_ref().map(word),
                failure: None,
                given_up: false,
                repaired: false,
                repair: Repair::Act(act),
            });
        }
        after = page.next;
        if after.is_none() {
            return Ok((named, findings));
        }
    }
}

/// Whether a payment older than the walk, or newer, has this money.
async fn is_known(books: &PaymentBooks, provider: &Provider, foreign: &Foreign) -> Result<bool, ReconcileError> {
    let Some(payment) = foreign.payment else { return Ok(false) };
    let line = books.line(payment).await?;
    let Some(reference) = line.and_then(|line| line.payment.provider_ref) else { return Ok(false) };
    // No answer: not known to be nobody's.
    let stands = standing(provider, &reference).await;
    Ok(stands.map_or(true, |stands| stands.is_some_and(|stands| stands.holder == foreign.holder)))
}

/// Has each put right, then looks until both agree or the time is over.
async fn put_right(
    books: &PaymentBooks,
    providers: &Providers,
    findings: &mut [Finding],
) -> Result<(), ReconcileError> {
    for finding in findings.iter_mut() {
        begin(books, providers, finding).await?;
    }
    let begun = Instant::now();
    loop {
        let mut waiting = false;
        for finding in findings.iter_mut().filter(|finding| !finding.repaired && finding.repair != Repair::None) {
            finding.repaired = agrees(books, providers, finding).await?;
            waiting |= !finding.repaired;
        }
        if !waiting || begun.elapsed() > REPAIR_MAX {
            return Ok(());
        }
        sleep(LOOK_AGAIN).await;
    }
}

async fn begin(books: &PaymentBooks, providers: &Providers, finding: &mut Finding) -> Result<(), ReconcileError> {
    match (finding.repair, finding.payment_id) {
        (Repair::Look, Some(payment)) => {
            let message = Message::Moved { id: format!("reconcile-{}", uuid::Uuid::now_v7()), payment };
            let body = serde_json::to_value(&message)?;
            let (provider, provider_event_id) = (finding.provider.to_owned(), message.id().to_owned());
            books.tell(&InboxEntry { provider, provider_event_id, body }).await?;
        }
        (Repair::Again(topic), Some(payment)) => {
            if !books.ask_again(payment, topic).await? {
                finding.repair = Repair::None;
            }
        }
        (Repair::Act(act), _) => {
            let Some(provider) = providers.named(finding.provider) else { return Ok(()) };
            let key = format!("reconcile:{act:?}:{}", finding.provider_ref);
            let holder = match finding.kind {
                Kind::NobodysMoney => Some(finding.provider_ref.clone()),
                _ => standing(provider, &finding.provider_ref).await.ok().flatten().map(|stands| stands.holder),
            };
            let Some(holder) = holder else { return Ok(()) };
            if let Err(error) = provider.act_on_holder(act, &holder, &key).await {
                finding.failure = Some(indexer::sentence(&error));
                finding.repair = Repair::None;
            } else if finding.kind == Kind::NobodysMoney {
                finding.repaired = true;
            }
        }
        (Repair::Look | Repair::Again(_), None) | (Repair::None, _) => {}
    }
    Ok(())
}

/// Whether both say the same by now.
async fn agrees(books: &PaymentBooks, providers: &Providers, finding: &Finding) -> Result<bool, ReconcileError> {
    let (Some(payment), Some(provider)) = (finding.payment_id, providers.named(finding.provider)) else {
        return Ok(false);
    };
    let Some(line) = books.line(payment).await? else { return Ok(false) };
    let Ok(there) = standing(provider, &finding.provider_ref).await else { return Ok(false) };
    Ok(judge(&line, there.as_ref()).is_none())
}
