//! Who calls, and how. Never checks a token; the server does.

use offstage_model::Uuid;
use serde::{Deserialize, Serialize};

/// The user on whose behalf a request runs. Rights in this version are the flags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The `systemuser` row.
    pub user: Uuid,
    /// The user's name, for messages.
    pub name: String,
    /// May change users, metadata and registrations.
    pub administrator: bool,
    /// May take data offline (`prvGoOffline`).
    pub go_offline: bool,
    /// May synchronise contacts, tasks and appointments to Outlook (`prvSyncToOutlook`).
    #[serde(default)]
    pub sync_to_outlook: bool,
    /// The user's business unit.
    pub business_unit: Uuid,
    /// The program that the caller uses.
    #[serde(default)]
    pub agent: String,
    /// An application and not a person.
    #[serde(default)]
    pub application: bool,
}

/// What may be said about one call besides the request.
#[derive(Clone, Debug, Default)]
pub struct CallOptions {
    /// The root operation's id; a fresh one when absent.
    pub operation: Option<Uuid>,
    /// The caller's immutable `tag`, found in SharedVariables.
    pub tag: Option<String>,
    /// On a device: the entry that this operation takes the place of.
    pub supersedes: Option<Superseded>,
    /// Keep a receipt with the answer in the same transaction, so that a request that is sent again
    /// with the same operation id gets the first answer (server, online writes).
    pub receipt: bool,
}

/// The journal entry that a new one takes the place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superseded {
    /// Its sequence.
    pub sequence: u64,
    /// Its root operation, from which ids are derived.
    pub operation: Uuid,
}
