//! `offstage outlook`: keeps a mailbox and the records of its user in step.
//!
//! This file wires the subcommands and opens the engine; one at a time per process.

mod actions;
mod held;
mod import;
mod items;
mod notes;
mod settings;
mod stores;
mod sync;

use crate::error::CliError;
use crate::machine::{SystemClock, SystemRandom};
use crate::outlook_link::OutlookLink;
use crate::output::Output;
use crate::workspace::Workspace;
use clap::{Subcommand, ValueEnum};
use offstage_model::{Clock, Fault, Randomness};
use offstage_outlook::engine::settings_of;
use offstage_outlook::stores::embedded::EmbeddedStore;
use offstage_outlook::{Engine, EngineError, EntryId, MailStore, Parts, Presence};
use offstage_store::SyncCache;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The sync cache.
const CACHE_FILE: &str = "outlook.db";
/// The embedded mailbox.
const MAILBOX_FILE: &str = "mailbox.db";

/// Keep a mailbox and the records of its user in step.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub(crate) enum Outlook {
    /// Show this client, the last runs, and what waits or was noted
    Status,
    /// Synchronise now
    Sync {
        /// Only show what would be done, field by field
        #[arg(long)]
        #[serde(default)]
        dry_run: bool,
    },
    /// Items of the mail store in use
    #[command(subcommand)]
    Item(items::Item),
    /// Track an item in the CRM
    Track {
        /// The item: its id, or the end of it
        item: String,
        /// What it is about: TABLE:ID
        #[arg(long, value_name = "TABLE:ID")]
        regarding: Option<String>,
        /// Where it is done
        #[arg(long = "in", value_enum, default_value = "explorer")]
        #[serde(rename = "in", default)]
        place: Place,
    },
    /// Stop tracking an item
    Untrack {
        /// The item: its id, or the end of it
        item: String,
        /// Delete the record too, where the rules let it
        #[arg(long)]
        #[serde(default)]
        delete: bool,
        /// Where it is done
        #[arg(long = "in", value_enum, default_value = "explorer")]
        #[serde(rename = "in", default)]
        place: Place,
    },
    /// Set what an item is about
    SetRegarding {
        /// The item: its id, or the end of it
        item: String,
        /// What it is about: TABLE:ID; nothing when left out
        regarding: Option<String>,
        /// Where it is done
        #[arg(long = "in", value_enum, default_value = "explorer")]
        #[serde(rename = "in", default)]
        place: Place,
    },
    /// Open an item in an inspector
    Open {
        /// The item: its id, or the end of it
        item: String,
    },
    /// Save it in its inspector
    Save {
        /// The item: its id, or the end of it
        item: String,
    },
    /// Close its inspector; what was done in it is synchronised now
    Close {
        /// The item: its id, or the end of it
        item: String,
    },
    /// The mail stores of this directory
    #[command(subcommand)]
    Store(stores::Store),
    /// Import the items of a PST file into the embedded mailbox; the file is only read
    Import(import::Import),
    /// What this client is: the synchronising one, another machine, or somebody's delegate
    #[command(subcommand)]
    Client(settings::Client),
    /// The settings of this client
    #[command(subcommand)]
    Settings(settings::Settings),
    /// Changes that wait for a person
    #[command(subcommand)]
    Held(held::Held),
    /// What was noted, and the other value of a conflict
    #[command(subcommand)]
    Notes(notes::Notes),
    /// Take back what a run wrote, as far as nobody changed it since
    Undo {
        /// The number of the run
        run: i64,
    },
}

/// Where an action happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Place {
    /// The form of one item
    Inspector,
    /// The list of items
    #[default]
    Explorer,
}

impl From<Place> for offstage_outlook::engine::Place {
    fn from(place: Place) -> Self {
        match place {
            Place::Inspector => Self::Inspector,
            Place::Explorer => Self::Explorer,
        }
    }
}

impl Outlook {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        let _alone = workspace.outlook_turn();
        match self {
            Self::Item(command) => command.run(workspace),
            Self::Store(command) => command.run(workspace),
            Self::Import(command) => command.run(workspace),
            other => {
                let mut engine = engine(workspace)?;
                if other.works_in_the_mailbox() {
                    // A store that does not answer, or does not let the user in, is told now.
                    engine.reach()?;
                }
                other.with_engine(&mut engine)
            }
        }
    }

    fn works_in_the_mailbox(&self) -> bool {
        use notes::Notes;
        let looks = matches!(self, Self::Status | Self::Notes(Notes::List { .. }));
        !looks && !matches!(self, Self::Client(_) | Self::Settings(_))
    }

    fn with_engine(self, engine: &mut Engine) -> Result<Output, CliError> {
        match self {
            Self::Status => sync::status(engine),
            Self::Sync { dry_run: true } => Ok(sync::output(&engine.plan_only()?)),
            Self::Sync { dry_run: false } => {
                Ok(sync::output(&engine.synchronise(offstage_outlook::Trigger::Manual)?))
            }
            Self::Track { item, regarding, place } => {
                actions::track(engine, &item, place, regarding.as_deref())
            }
            Self::Untrack { item, delete, place } => actions::untrack(engine, &item, place, delete),
            Self::SetRegarding { item, regarding, place } => {
                actions::set_regarding(engine, &item, place, regarding.as_deref())
            }
            Self::Open { item } => actions::open(engine, &item),
            Self::Save { item } => actions::save(engine, &item),
            Self::Close { item } => actions::close(engine, &item),
            Self::Client(command) => command.run(engine),
            Self::Settings(command) => command.run(engine),
            Self::Held(command) => command.run(engine),
            Self::Notes(command) => command.run(engine),
            Self::Undo { run } => sync::undo(engine, run),
            Self::Item(_) | Self::Store(_) | Self::Import(_) => {
                unreachable!("BUG: items and stores need no engine")
            }
        }
    }
}

impl From<EngineError> for CliError {
    fn from(error: EngineError) -> Self {
        Fault::from(error).into()
    }
}

/// The engine over the mail store in use.
pub(crate) fn engine(workspace: &Workspace) -> Result<Engine, CliError> {
    engine_over(workspace, stores::in_use(workspace)?.as_ref())
}

/// The engine over a mail store, with the sync cache of that store.
fn engine_over(workspace: &Workspace, kept: Option<&stores::Kept>) -> Result<Engine, CliError> {
    let device = workspace.device()?;
    let mut cache = SyncCache::open(&stores::cache_file(&workspace.data, kept))?;
    let store = stores::open(workspace, kept, &settings_of(&mut cache)?)?;
    let link = OutlookLink { link: workspace.link()?, state: device.state() };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let random: Arc<dyn Randomness> = Arc::new(SystemRandom);
    Ok(Engine::new(Parts { cache, store, link: Box::new(link), clock, random }))
}

/// Runs when the schedule says so. A directory that is no Outlook client has no schedule, and one
/// that is offline waits.
pub(crate) fn run_if_due(workspace: &Workspace) -> Result<(), CliError> {
    let online = workspace.device()?.state() == Some(offstage_replication::DeviceState::Online);
    if !online {
        return Ok(());
    }
    let _alone = workspace.outlook_turn();
    let used = stores::in_use(workspace)?;
    if !stores::cache_file(&workspace.data, used.as_ref()).exists() {
        return Ok(());
    }
    let mut engine = engine_over(workspace, used.as_ref())?;
    if engine.is_due()? {
        let report = engine.synchronise(offstage_outlook::Trigger::Schedule)?;
        tracing::debug!(run = report.run, pairs = report.pairs.len(), "Outlook is synchronised");
    }
    Ok(())
}

/// The embedded mailbox of this directory.
fn mailbox(workspace: &Workspace) -> Result<EmbeddedStore, CliError> {
    workspace.device()?;
    let path = workspace.data.join(MAILBOX_FILE);
    EmbeddedStore::open(&path, Arc::new(SystemClock), &SystemRandom).map_err(mail_error)
}

fn mail_error(error: offstage_outlook::MailStoreError) -> CliError {
    EngineError::from(error).into()
}

/// The item that a text names: an id, or the end of one.
fn find(store: &mut dyn MailStore, text: &str) -> Result<EntryId, CliError> {
    // A whole id is asked for by itself: listing a server's folders takes long.
    let whole = EntryId::new(text);
    if store.presence(std::slice::from_ref(&whole)).is_ok_and(|told| told == [Presence::There]) {
        return Ok(whole);
    }
    let mut found = Vec::new();
    for folder in store.folders().map_err(mail_error)? {
        let rows = store.scan(&folder.id, None).map_err(mail_error)?.rows;
        found.extend(rows.into_iter().map(|row| row.entry_id));
    }
    found.retain(|id| id.as_str() == text || (text.len() >= 2 && id.as_str().ends_with(text)));
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(CliError::new(
            crate::exit::Exit::NotFound,
            format!("There is no item '{text}' in the mail store."),
        )
        .hint("`offstage outlook item list` shows the items.")),
        _ => Err(CliError::usage(format!("Several items end with '{text}'."))
            .hint("Write more of the id.")),
    }
}
