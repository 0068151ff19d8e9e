//! The calls of an Outlook client to its server, as JSON documents; the same types on both ends.
//!
//! Never decides anything. Every call may be repeated.

use offstage_model::{Entity, EntityReference, Timestamp, Uuid};
use serde::{Deserialize, Serialize};

/// The version of the protocol; both ends must have the same.
pub const PROTOCOL_VERSION: u32 = 1;
/// The common start of every path; the verb follows.
pub const PATH: &str = "/offstage/v1/outlook/";
/// Rows in one page of changes.
pub const PAGE_ROWS_MAX: u32 = 1_000;
/// Rows in one request for columns.
pub const SPECIFIC_MAX: usize = 200;
/// The largest request body that a server takes.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The verbs below [`PATH`].
pub mod verb {
    /// Makes a directory a client, or changes what it is.
    pub const REGISTER: &str = "register";
    /// PrepareSync.
    pub const PREPARE: &str = "prepare";
    /// GetSyncData.
    pub const DATA: &str = "data";
    /// PostSync.
    pub const POST: &str = "post";
    /// GetSpecificSyncData.
    pub const SPECIFIC: &str = "specific";
    /// Tracks rows by hand, or no longer.
    pub const TRACK: &str = "track";
}

/// Makes a directory a client of the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterRequest {
    /// [`PROTOCOL_VERSION`] of the client.
    pub protocol: u32,
    /// The id that the client chose for itself.
    pub client: Uuid,
    /// What people call it.
    pub name: String,
    /// What it is: the name of a client role.
    pub role: String,
    /// Takes the role of the synchronising client from the one that has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub take_over: bool,
    /// The kinds that come from the CRM.
    pub kinds: Vec<String>,
}

/// What the client is from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterAnswer {
    /// The organization.
    pub organization: Uuid,
    /// The user.
    pub user: Uuid,
    /// The user's address, which is theirs among organizers and attendees.
    #[serde(default)]
    pub address: Option<String>,
    /// The user may synchronise contacts, tasks and appointments (`prvSyncToOutlook`).
    pub may_synchronise: bool,
    /// The role that the client has.
    pub role: String,
    /// The first sync token, when the client was not known.
    #[serde(default)]
    pub token: Option<String>,
    /// The server's time; beside the client's it gives the skew.
    pub server_time: Timestamp,
}

/// Asks what changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrepareRequest {
    /// The client.
    pub client: Uuid,
    /// Its sync token.
    pub token: String,
}

/// How much changed in one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCount {
    /// The table.
    pub table: String,
    /// Rows that are new or changed.
    pub upserts: u64,
    /// Rows that are gone or left the filter.
    pub removals: u64,
}

/// Asks for a page of changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataRequest {
    /// The client.
    pub client: Uuid,
    /// Its sync token.
    pub token: String,
    /// The last number that it has; 0 for the first page.
    pub after: u64,
    /// Rows wanted.
    pub limit: u32,
}

/// One changed row: its id and its timestamp, nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedRow {
    /// The row.
    pub row: EntityReference,
    /// Its version; 0 when it is gone or left the filter.
    pub version: u64,
    /// When it was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
}

/// A page of changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataAnswer {
    /// The rows.
    pub rows: Vec<ChangedRow>,
    /// Asks for the next page, and acknowledges.
    pub through: u64,
    /// Another page follows.
    pub more: bool,
}

/// Acknowledges what is written in the sync cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostRequest {
    /// The client.
    pub client: Uuid,
    /// Its sync token.
    pub token: String,
    /// The last number that it has.
    pub through: u64,
}

/// The next sync token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostAnswer {
    /// The token from now on.
    pub token: String,
}

/// Asks for the columns of rows, when they are merged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecificRequest {
    /// The rows, at most [`SPECIFIC_MAX`].
    pub rows: Vec<EntityReference>,
}

/// A party of an activity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireParty {
    /// The row of `activityparty`.
    pub row: Uuid,
    /// The participation type.
    pub mask: i32,
    /// Who it is, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<EntityReference>,
    /// What people call it.
    pub name: String,
    /// Its address.
    pub address: String,
}

/// A row with what belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WireRecord {
    /// The row.
    pub row: Entity,
    /// The parties of an activity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parties: Vec<WireParty>,
    /// The name of the parent of a contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_name: Option<String>,
}

/// The rows as they are now; one that does not exist is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SpecificAnswer {
    /// The rows.
    pub records: Vec<WireRecord>,
}

/// Tracks a row by hand, or no longer: it stays in Outlook whatever its filter says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackRequest {
    /// The client.
    pub client: Uuid,
    /// The row.
    pub row: EntityReference,
    /// Whether it is tracked.
    pub track: bool,
}
