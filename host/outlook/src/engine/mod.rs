//! The engine: one synchronisation run, from observing both sides to looking for deleted items.
//!
//! Runs on the thread of its caller, which is no thread of the host's requests. Each step may be
//! repeated: what a run did not finish, the next one does. Never looks at a clock that it was not
//! given.

mod actions;
mod conflicts;
mod crash;
mod duplicates;
mod error;
mod held;
mod item_door;
mod left_alone;
mod merge;
mod observe;
mod observe_crm;
mod pair;
mod record_door;
mod removal;
mod report;
mod settle;
mod take_back;
mod undo;
mod verify;
mod wait;

pub use actions::{ActionAnswer, Place};
pub use conflicts::Side;
#[cfg(feature = "crash-points")]
pub use crash::set_crash_hook;
#[cfg(feature = "negative-control")]
pub use crash::set_posts_early;
pub use crash::{CRASH_POINTS, UNDO_CRASH_POINTS};
pub use error::EngineError;
pub use held::HeldView;
pub use left_alone::LeftAloneView;
pub use report::{Counts, FieldReport, PairReport, Report, RunState, Word};
pub use undo::UndoReport;

use crate::convert::Options;
use crate::crm::CrmLink;
use crate::crm::wire::{PROTOCOL_VERSION, RegisterRequest};
use crate::item::ItemKind;
use crate::mail_store::MailStore;
use crate::rules::{ClientRole, Settings};
use crash::crash_point;
use jiff::tz::TimeZone;
use offstage_model::{Clock, Fault, Randomness, Timestamp, Uuid, code};
use offstage_store::{CachedChange, RunRow, SyncCache, UndoRow};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

const SETTINGS: &str = "settings";
const CLIENT: &str = "client";
/// Pairs that are read at once.
const CHUNK: usize = 50;
/// So many runs are kept with their undo entries and notes, and all of the last 90 days.
const RUNS_KEPT_MIN: usize = 500;
const KEPT_MS: i64 = 90 * 24 * 3_600_000;
/// How many runs the schedule looks back on.
const RECENT_RUNS: usize = 100;

/// What started a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The user asked for it.
    Manual,
    /// The schedule.
    Schedule,
    /// An action that is synchronised at once.
    Immediate,
}

impl Trigger {
    fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Schedule => "schedule",
            Self::Immediate => "immediate",
        }
    }
}

/// What this client is, as its server said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its id.
    pub client: Uuid,
    /// Its name.
    pub name: String,
    /// The name of its role.
    pub role: String,
    /// Its sync token.
    pub token: String,
    /// The organization.
    pub organization: Uuid,
    /// The user.
    pub user: Uuid,
    /// The user's address.
    pub address: Option<String>,
    /// The user has `prvSyncToOutlook`.
    pub may_synchronise: bool,
    /// The server's clock less this machine's, in milliseconds.
    pub skew_ms: i64,
}

impl Client {
    /// The role.
    #[must_use]
    pub fn role(&self) -> ClientRole {
        ClientRole::named(&self.role).unwrap_or(ClientRole::Secondary)
    }

    /// Whether contacts, tasks and appointments are this client's business.
    #[must_use]
    pub fn is_primary(&self) -> bool {
        self.may_synchronise && self.role().acts_as_primary()
    }
}

/// What an engine is made of.
pub struct Parts {
    /// The sync cache.
    pub cache: SyncCache,
    /// The mailbox.
    pub store: Box<dyn MailStore>,
    /// The server.
    pub link: Box<dyn CrmLink>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Randomness>,
}

/// The engine of one client.
pub struct Engine {
    cache: SyncCache,
    store: Box<dyn MailStore>,
    link: Box<dyn CrmLink>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
    /// Items that were made and whose undo notes are not written yet.
    made: Vec<(i64, UndoRow)>,
    /// Pairs of which one side was made, by which run, and that were not in step yet.
    fresh: BTreeMap<i64, i64>,
    /// What was written and is to be read again before its pair counts as in step.
    sent: settle::Sent,
}

/// What is the same for a whole run.
pub(crate) struct Run {
    client: Client,
    settings: Settings,
    options: Options,
    run_id: i64,
    dry: bool,
    now: Timestamp,
}

impl Engine {
    /// An engine over its parts; nothing is read or sent yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { cache, store, link, clock, random } = parts;
        let (made, fresh, sent) = (Vec::new(), BTreeMap::new(), settle::Sent::default());
        Self { cache, store, link, clock, random, made, fresh, sent }
    }

    /// The mailbox, for what a user does in it.
    pub fn store(&mut self) -> &mut dyn MailStore {
        &mut *self.store
    }

    /// The sync cache, for looking at it.
    pub fn cache(&mut self) -> &mut SyncCache {
        &mut self.cache
    }

    /// The settings.
    ///
    /// # Errors
    /// The cache fails, or holds settings of a newer program.
    pub fn settings(&mut self) -> Result<Settings, EngineError> {
        settings_of(&mut self.cache)
    }

    /// Writes the settings, and tells the server which kinds come from the CRM.
    ///
    /// # Errors
    /// A time zone that does not exist; the server does not answer.
    pub fn set_settings(&mut self, settings: &Settings) -> Result<(), EngineError> {
        zone(settings)?;
        self.keep(SETTINGS, settings)?;
        if let Some(client) = self.client()? {
            self.register(&client.name, client.role(), false)?;
        }
        Ok(())
    }

    /// What this client is; `None` before it was registered.
    ///
    /// # Errors
    /// The cache fails.
    pub fn client(&mut self) -> Result<Option<Client>, EngineError> {
        self.stored(CLIENT)
    }

    /// Registers this client in a role, or changes its role.
    ///
    /// # Errors
    /// Another client is the synchronising one; the server does not answer.
    pub fn register(
        &mut self,
        name: &str,
        role: ClientRole,
        take_over: bool,
    ) -> Result<Client, EngineError> {
        let known = self.client()?;
        let settings = self.settings()?;
        // The id is kept before it is sent, so that a repeat names the same client.
        let client = match self.stored::<Uuid>("client-id")? {
            Some(id) => id,
            None => {
                let id = self.random.guid();
                self.keep("client-id", &id)?;
                id
            }
        };
        let kinds = ItemKind::ALL.into_iter().filter(|kind| settings.takes(*kind));
        let before = self.clock.now();
        let answer = self.link.register(&RegisterRequest {
            protocol: PROTOCOL_VERSION,
            client,
            name: name.to_owned(),
            role: role.name().to_owned(),
            take_over,
            kinds: kinds.map(|kind| kind.name().to_owned()).collect(),
        })?;
        let known_token = known.map(|known| known.token);
        let token = answer.token.or(known_token).ok_or_else(|| {
            Fault::new(code::WRONG_STATE, "The server knows this client, and it has no sync token.")
                .hint("Its sync cache was lost; remove it and register again.")
        })?;
        let client = Client {
            client,
            name: name.to_owned(),
            role: answer.role,
            token,
            organization: answer.organization,
            user: answer.user,
            address: answer.address,
            may_synchronise: answer.may_synchronise,
            skew_ms: answer.server_time.0.saturating_sub(before.0),
        };
        self.keep(CLIENT, &client)?;
        Ok(client)
    }

    /// One synchronisation: both sides are observed, every pair is brought in step, a few items are
    /// looked for. A server or mailbox that does not answer ends the run, and what is left waits.
    ///
    /// # Errors
    /// The client is not registered; the cache fails.
    pub fn synchronise(&mut self, trigger: Trigger) -> Result<Report, EngineError> {
        self.run(trigger, false, None)
    }

    /// What [`Engine::synchronise`] would do. Neither side is written; what was seen is noted.
    ///
    /// # Errors
    /// See [`Engine::synchronise`].
    pub fn plan_only(&mut self) -> Result<Report, EngineError> {
        self.run(Trigger::Manual, true, None)
    }

    /// Whether the schedule says that it is time.
    ///
    /// # Errors
    /// The cache fails.
    pub fn is_due(&mut self) -> Result<bool, EngineError> {
        let settings = self.settings()?;
        let Some(client) = self.client()? else { return Ok(false) };
        if settings.interval_minutes == 0 || !client.role().acts_as_primary() {
            return Ok(false);
        }
        // A run for one item at once is none of the schedule's, however often there is one.
        let runs = self.cache.write(|tx| tx.runs(RECENT_RUNS))?;
        let last = runs.into_iter().find(|run| run.trigger != Trigger::Immediate.name());
        let wait_ms = i64::from(settings.interval_minutes) * 60_000;
        let since_ms = |run: &RunRow| self.clock.now().0 - run.started.0;
        // A run in the future: the clock was set back.
        Ok(last.is_none_or(|run| !(0..wait_ms).contains(&since_ms(&run))))
    }

    fn run(
        &mut self,
        trigger: Trigger,
        dry: bool,
        only: Option<i64>,
    ) -> Result<Report, EngineError> {
        self.run_with((trigger, dry), |engine, run, report| engine.work(run, report, only))
    }

    /// What is the same for a run of this number.
    fn new_run(&mut self, run_id: i64, dry: bool) -> Result<Run, EngineError> {
        let client = self.client()?.ok_or_else(not_registered)?;
        let settings = self.settings()?;
        let options = Options { zone: zone(&settings)?, update_company: settings.update_company };
        Ok(Run { client, settings, options, run_id, dry, now: self.clock.now() })
    }

    /// A run: what `work` does in it is reported, and kept with its number.
    fn run_with(
        &mut self,
        (trigger, dry): (Trigger, bool),
        work: impl FnOnce(&mut Self, &mut Run, &mut Report) -> Result<(), EngineError>,
    ) -> Result<Report, EngineError> {
        let mut run = self.new_run(0, dry)?;
        let now = run.now;
        if !dry {
            run.run_id = self.cache.write(|tx| tx.begin_run(now, trigger.name()))?;
        }
        let run_id = run.run_id;
        let mut report = Report::new(run_id, now, trigger.name(), dry);
        let result = match self.check_wait() {
            Ok(()) => work(self, &mut run, &mut report),
            Err(error) => Err(error),
        };
        report.finish(self.clock.now());
        match result {
            Ok(()) => {}
            Err(error) if error.is_crash() => return Err(error),
            Err(error) if self.note_wait(&error)? || error.waits() => {
                report.state = RunState::Waiting(error.to_string())
            }
            Err(error) => report.state = RunState::Failed(error.to_string()),
        }
        if !dry {
            let json = report.to_json();
            self.cache.write(|tx| {
                tx.end_run(run_id, &json)?;
                tx.prune(RUNS_KEPT_MIN, now.plus_ms(-KEPT_MS))
            })?;
        }
        Ok(report)
    }

    fn work(
        &mut self,
        run: &mut Run,
        report: &mut Report,
        only: Option<i64>,
    ) -> Result<(), EngineError> {
        if only.is_none() {
            self.refresh(run)?;
            report.counts.items_seen = self.observe_outlook(run, report)?;
            crash_point!("outlook.observed");
            if run.client.is_primary() {
                report.counts.rows_seen = self.observe_crm(run)?;
            }
            crash_point!("crm.observed");
            self.hold_mass_deletions(run)?;
        }
        let changes = self.due(run, only)?;
        for chunk in changes.chunks(CHUNK) {
            self.work_on(run, chunk, report)?;
        }
        report.counts.held = self.held_count()?;
        crash_point!("pairs.done");
        self.note_left_alone(|_| false, report)?;
        if only.is_none() && !run.dry {
            self.verify_some(run, report)?;
        }
        Ok(())
    }

    /// Asks the server what this client is now: a role or a right may have been taken away.
    fn refresh(&mut self, run: &mut Run) -> Result<(), EngineError> {
        let (name, role) = (run.client.name.clone(), run.client.role());
        let client = match self.register(&name, role, false) {
            // Another client has become the synchronising one.
            Err(EngineError::Crm(fault)) if fault.code == code::CONFLICT => {
                self.register(&name, ClientRole::Secondary, false)?
            }
            other => other?,
        };
        run.client = client;
        Ok(())
    }

    fn due(&mut self, run: &Run, only: Option<i64>) -> Result<Vec<CachedChange>, EngineError> {
        let changes = self.cache.write(|tx| match only {
            Some(map_id) => Ok(tx.change(map_id)?.into_iter().collect()),
            None => tx.changes(),
        })?;
        let now = run.now;
        let due = changes.into_iter().filter(|change| {
            change.held.is_none() && (change.next_attempt <= now || only.is_some())
        });
        Ok(due.collect())
    }

    fn held_count(&mut self) -> Result<u64, EngineError> {
        let changes = self.cache.write(|tx| tx.changes())?;
        Ok(changes.iter().filter(|change| change.held.is_some()).count() as u64)
    }

    fn stored<T: for<'de> Deserialize<'de>>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, EngineError> {
        stored(&mut self.cache, name)
    }

    fn keep<T: Serialize>(&mut self, name: &str, value: &T) -> Result<(), EngineError> {
        let json = serde_json::to_string(value).expect("BUG: settings have a JSON form");
        Ok(self.cache.write(|tx| tx.put_setting(name, &json))?)
    }
}

/// The settings in a sync cache; the defaults where none were set.
///
/// # Errors
/// The cache fails, or holds settings of a newer program.
pub fn settings_of(cache: &mut SyncCache) -> Result<Settings, EngineError> {
    Ok(stored(cache, SETTINGS)?.unwrap_or_default())
}

fn stored<T: for<'de> Deserialize<'de>>(
    cache: &mut SyncCache,
    name: &'static str,
) -> Result<Option<T>, EngineError> {
    let json = cache.write(|tx| tx.setting(name))?;
    json.map(|json| serde_json::from_str(&json))
        .transpose()
        .map_err(|source| EngineError::Unreadable { what: name, source })
}

fn not_registered() -> EngineError {
    EngineError::Crm(
        Fault::new(code::WRONG_STATE, "This directory is no Outlook client yet.")
            .hint("`offstage outlook client set primary` makes it the synchronising client."),
    )
}

fn zone(settings: &Settings) -> Result<TimeZone, EngineError> {
    TimeZone::get(&settings.time_zone).map_err(|_| {
        let text = format!("There is no time zone '{}'.", settings.time_zone);
        let fault = Fault::new(code::INVALID_ARGUMENT, text);
        EngineError::Crm(fault.hint("Use an IANA name such as Europe/Berlin."))
    })
}
