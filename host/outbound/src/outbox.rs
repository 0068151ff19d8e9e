//! Works through the outbox: what is due is checked against the policy of now, sent, and its fate
//! written down. Retries wait longer each time, up to a limit; then a person decides.

use crate::sender::{Answer, Outgoing, SendError, Sender};
use offstage_model::{Clock, Fault, HttpRequest, Randomness, Timestamp, Uuid, code};
use offstage_pipeline::{Caller, Pipeline};
use offstage_store::Store;
use offstage_store::outbox::{OutboxRow, OutboxState};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Limits of the outbox.
#[derive(Clone, Debug)]
pub struct OutboxLimits {
    /// How often a request is tried. Default 12: up to half a day, with the waits below.
    pub attempts_max: u32,
    /// The wait after the first attempt; it doubles from there, with jitter. Default 20 s.
    pub wait_first: Duration,
    /// The longest wait, also of what a receiver asks for. Default 6 h.
    pub wait_max: Duration,
    /// Requests in one round. Default 50.
    pub round_max: usize,
    /// Requests that are done with and still shown. Default 10,000.
    pub done_rows_max: usize,
}

impl Default for OutboxLimits {
    fn default() -> Self {
        Self {
            attempts_max: 12,
            wait_first: Duration::from_secs(20),
            wait_max: Duration::from_secs(6 * 3_600),
            round_max: 50,
            done_rows_max: 10_000,
        }
    }
}

/// What one round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Requests that were taken by their receivers.
    pub sent: usize,
    /// Requests that are tried again later.
    pub waiting: usize,
    /// Requests that were given up.
    pub failed: usize,
}

/// Says whether a request may leave now: what was granted when it was put into the outbox may have
/// been taken back since.
pub trait Gate: Send + Sync {
    /// Refuses what the policy of now does not allow.
    ///
    /// # Errors
    /// It may not leave.
    fn may_send(&self, package: &str, request: &HttpRequest) -> Result<(), Fault>;
}

impl Gate for Pipeline {
    fn may_send(&self, package: &str, request: &HttpRequest) -> Result<(), Fault> {
        Self::may_send(self, package, request)
    }
}

/// The outbox of one server.
pub struct Outbox {
    store: Store,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
    gate: Arc<dyn Gate>,
    sender: Sender,
    limits: OutboxLimits,
}

/// What an outbox is made of.
pub struct OutboxParts {
    /// Holds the requests.
    pub store: Store,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// For the jitter of waits.
    pub random: Arc<dyn Randomness>,
    /// The policy.
    pub gate: Arc<dyn Gate>,
    /// Sends.
    pub sender: Sender,
}

/// What becomes of a request after an attempt.
enum Fate {
    Sent {
        status: u16,
    },
    /// Nothing was tried.
    NotYet {
        note: String,
    },
    Again {
        status: Option<u16>,
        after: Option<Duration>,
        note: String,
    },
    Failed {
        status: Option<u16>,
        note: String,
    },
}

impl Outbox {
    /// An outbox of these parts.
    #[must_use]
    pub fn new(parts: OutboxParts, limits: OutboxLimits) -> Self {
        let OutboxParts { store, clock, random, gate, sender } = parts;
        Self { store, clock, random, gate, sender, limits }
    }

    /// The outbox of a pipeline.
    #[must_use]
    pub fn of(pipeline: &Pipeline, sender: Sender, limits: OutboxLimits) -> Self {
        let parts = OutboxParts {
            store: pipeline.store().clone(),
            clock: Arc::clone(pipeline.clock()),
            random: Arc::clone(pipeline.random()),
            gate: Arc::new(pipeline.clone()),
            sender,
        };
        Self::new(parts, limits)
    }

    /// Sends what is due, one after the other.
    ///
    /// # Errors
    /// The store fails; what was sent until then is sent again, with the same idempotency key.
    pub fn round(&self) -> Result<Round, Fault> {
        self.round_while(|| true)
    }

    /// Sends what is due, one after the other, and asks before each whether to go on.
    ///
    /// # Errors
    /// As [`Outbox::round`].
    pub fn round_while(&self, goes_on: impl Fn() -> bool) -> Result<Round, Fault> {
        let now = self.clock.now();
        let due = self.store.read()?.outbox_due(now, self.limits.round_max)?;
        let mut round = Round::default();
        // Receivers that did not answer in this round: nobody else waits for them again.
        let mut silent = BTreeSet::new();
        for row in due {
            if !goes_on() {
                break;
            }
            let Some(row) = self.claim(row.id)? else { continue };
            let receiver = receiver(&row.request.url).to_owned();
            let fate = if silent.contains(&receiver) {
                Fate::NotYet { note: "the receiver does not answer".to_owned() }
            } else {
                self.attempt(&row)
            };
            match &fate {
                Fate::Sent { .. } => round.sent += 1,
                Fate::Again { .. } | Fate::NotYet { .. } => round.waiting += 1,
                Fate::Failed { .. } => round.failed += 1,
            }
            if matches!(&fate, Fate::Again { status: None, .. }) {
                silent.insert(receiver);
            }
            self.keep(row, fate)?;
        }
        Ok(round)
    }

    /// Counts the attempt before it is made, so that neither a store that cannot be written nor a
    /// crash makes it happen again at once; `None` when somebody decided about the request meanwhile.
    fn claim(&self, id: Uuid) -> Result<Option<OutboxRow>, Fault> {
        let mut tx = self.store.write()?;
        let Some(mut row) = tx.outbox_row(id)?.filter(|row| row.state == OutboxState::Queued)
        else {
            return Ok(None);
        };
        row.attempts += 1;
        row.due = self.after(self.wait(row.attempts));
        tx.update_outbox(&row, OutboxState::Queued)?;
        tx.commit()?;
        Ok(Some(row))
    }

    fn attempt(&self, row: &OutboxRow) -> Fate {
        // What was granted when it was put there may be revoked by now (attack D14).
        match self.gate.may_send(&row.package, &row.request) {
            Ok(()) => {}
            Err(fault) if fault.code == code::PRIVILEGE_DENIED => {
                return Fate::Failed { status: None, note: fault.message };
            }
            Err(fault) => return Fate::NotYet { note: fault.message },
        }
        let last = row.attempts >= self.limits.attempts_max;
        let outgoing = Outgoing { id: row.id, request: &row.request };
        match self.sender.send(&outgoing) {
            Ok(answer) => of_answer(answer, last),
            Err(error) => of_error(&error, last),
        }
    }

    fn after(&self, wait: Duration) -> Timestamp {
        self.clock.now().plus_ms(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
    }

    fn keep(&self, mut row: OutboxRow, fate: Fate) -> Result<(), Fault> {
        match fate {
            Fate::Sent { status } => {
                row.state = OutboxState::Sent;
                row.status = Some(status);
                row.note = String::new();
                row.request.body = Vec::new();
            }
            Fate::NotYet { note } => {
                row.attempts = row.attempts.saturating_sub(1);
                row.due = self.after(self.limits.wait_first);
                row.note = note;
            }
            Fate::Again { status, after, note } => {
                // A receiver may ask for more patience, never for less.
                let wait = self.wait(row.attempts).max(after.unwrap_or_default());
                row.due = self.after(wait.min(self.limits.wait_max));
                row.status = status;
                row.note = note;
            }
            Fate::Failed { status, note } => {
                tracing::warn!(id = %row.id, package = row.package, note, "request given up");
                row.state = OutboxState::Failed;
                row.status = status;
                row.note = note;
            }
        }
        let mut tx = self.store.write()?;
        // Somebody may have discarded it meanwhile; then that stands.
        tx.update_outbox(&row, OutboxState::Queued)?;
        tx.prune_outbox(self.limits.done_rows_max)?;
        Ok(tx.commit()?)
    }

    /// Between half of the doubled wait and all of it, so that many do not come at once.
    fn wait(&self, attempts: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
        let full = self.limits.wait_first.saturating_mul(doubled).min(self.limits.wait_max);
        let mut byte = [0; 1];
        self.random.fill(&mut byte);
        full / 2 + full.mul_f64(f64::from(byte[0]) / 512.0)
    }
}

/// Scheme, host and port of an address.
fn receiver(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find(['/', '?', '#']).map_or(url.len(), |at| host + at);
    &url[..end]
}

fn of_answer(answer: Answer, last: bool) -> Fate {
    let Answer { status, retry_after } = answer;
    let note = format!("the receiver answered with {status}");
    match status {
        200..=299 => Fate::Sent { status },
        408 | 425 | 429 | 500..=599 if !last => {
            Fate::Again { status: Some(status), after: retry_after, note }
        }
        300..=399 => {
            let note = format!("{note}, and redirects are not followed");
            Fate::Failed { status: Some(status), note }
        }
        _ => Fate::Failed { status: Some(status), note },
    }
}

fn of_error(error: &SendError, last: bool) -> Fate {
    let note = error.to_string();
    if error.is_transient() && !last {
        Fate::Again { status: None, after: None, note }
    } else {
        Fate::Failed { status: None, note }
    }
}

/// Queues a failed request again, or one that waits, to be tried now.
///
/// # Errors
/// The caller is no administrator, there is no such request, or it is done with.
pub fn retry(
    store: &Store,
    clock: &dyn Clock,
    caller: &Caller,
    id: Uuid,
) -> Result<OutboxRow, Fault> {
    let now = clock.now();
    decide(store, caller, id, |row| {
        row.state = OutboxState::Queued;
        row.attempts = 0;
        row.due = now;
    })
}

/// Gives up a request that was not sent.
///
/// # Errors
/// As [`retry`].
pub fn discard(store: &Store, caller: &Caller, id: Uuid) -> Result<OutboxRow, Fault> {
    decide(store, caller, id, |row| {
        row.state = OutboxState::Discarded;
        row.request.body = Vec::new();
    })
}

fn decide(
    store: &Store,
    caller: &Caller,
    id: Uuid,
    change: impl FnOnce(&mut OutboxRow),
) -> Result<OutboxRow, Fault> {
    if !caller.administrator {
        let text =
            format!("{} is not an administrator and may not change the outbox.", caller.name);
        return Err(Fault::new(code::PRIVILEGE_DENIED, text));
    }
    let mut tx = store.write()?;
    let found = tx.outbox_row(id)?.ok_or_else(|| {
        Fault::new(code::NOT_FOUND, format!("There is no request '{id}' in the outbox."))
            .hint("`offstage outbox list` shows them.")
    })?;
    if !matches!(found.state, OutboxState::Queued | OutboxState::Failed) {
        let text = format!("The request {id} is {} already.", found.state.name());
        return Err(Fault::new(code::WRONG_STATE, text));
    }
    let mut row = found.clone();
    change(&mut row);
    tx.update_outbox(&row, found.state)?;
    tx.commit()?;
    Ok(row)
}
