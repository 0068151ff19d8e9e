//! The protocol between a device and its server, as JSON documents; the same types on both ends.
//!
//! Never decides anything. Compression is left to HTTP.

use offstage_model::registration::{Package, Step};
use offstage_model::{Catalog, Entity, EntityReference, Fault, Request, Timestamp, Uuid};
use offstage_pipeline::{Caller, Organization};
use offstage_subscription::{DataFilter, TableCount};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};

pub use offstage_subscription::{RowDigest, SyncPage, TableDigest};

/// The version of the protocol; both ends must have the same.
pub const PROTOCOL_VERSION: u32 = 1;
/// The common start of every sync path; the verb follows.
pub const PATH: &str = "/offstage/v1/sync/";
/// Entries in one playback batch.
pub const BATCH_ENTRIES_MAX: usize = 200;
/// Bytes of entries in one playback batch, unless a single entry is larger.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// Rows in one page of data.
pub const PAGE_ROWS_MAX: u32 = 1_000;
/// Rows in one request for specific rows.
pub const SPECIFIC_MAX: usize = 500;
/// The largest request body that a server takes.
pub const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The largest answer that a device takes: a package, or a page of large rows.
pub const ANSWER_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The verbs below [`PATH`].
pub mod verb {
    /// Makes a directory a device of the caller.
    pub const CONNECT: &str = "connect";
    /// Compares versions, clocks, plug-ins and rights.
    pub const HANDSHAKE: &str = "handshake";
    /// Sets what the device takes offline.
    pub const FILTERS: &str = "filters";
    /// Finds out what the device lacks.
    pub const PREPARE: &str = "prepare";
    /// Fetches a page of it.
    pub const DATA: &str = "data";
    /// Acknowledges what was applied.
    pub const POST: &str = "post";
    /// Fetches named rows.
    pub const SPECIFIC: &str = "specific";
    /// Plays journal entries.
    pub const PLAYBACK: &str = "playback";
    /// Digests of whole tables.
    pub const DIGEST: &str = "digest";
    /// Digests of the rows of one table.
    pub const DIGEST_ROWS: &str = "digest-rows";
    /// The bytes of one package.
    pub const PACKAGE: &str = "package";
    /// One online request.
    pub const EXECUTE: &str = "execute";
}

/// Frozen bytes: a journal entry or an outcome. They travel as JSON text inside a JSON string, so
/// that exactly the same bytes arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen(pub Vec<u8>);

impl Serialize for Frozen {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(std::str::from_utf8(&self.0).map_err(S::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Frozen {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d).map_err(D::Error::custom)?;
        Ok(Self(text.into_bytes()))
    }
}

/// Makes a data directory a device of the caller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectRequest {
    /// [`PROTOCOL_VERSION`] of the device.
    pub protocol: u32,
    /// The id that the device chose for itself.
    pub device: Uuid,
    /// What people call it.
    pub name: String,
    /// The public key with which it will sign in, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// Ends the device's epoch and begins a new one, with an empty copy and sequence 1: the way out
    /// for a directory that was copied or restored.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renew: bool,
}

/// What the device is from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectAnswer {
    /// [`PROTOCOL_VERSION`] of the server.
    pub protocol: u32,
    /// The organization.
    pub organization: Organization,
    /// Changes when the server was restored from a backup.
    pub incarnation: Uuid,
    /// The device's epoch; its journal starts with sequence 1 in it.
    pub epoch: u64,
    /// The user whose device it is.
    pub user: Caller,
    /// The first sync token.
    pub token: String,
}

/// Compares versions, clocks, plug-ins and rights before data moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandshakeRequest {
    /// [`PROTOCOL_VERSION`] of the device.
    pub protocol: u32,
    /// The device.
    pub device: Uuid,
    /// Its epoch.
    pub epoch: u64,
    /// The server's incarnation as the device knows it.
    pub incarnation: Uuid,
    /// The metadata version that it has; 0 before the first time.
    pub metadata_version: u64,
    /// The device's clock.
    pub device_time: Timestamp,
    /// Whether data is going to come down, which needs `prvGoOffline`.
    pub takes_data: bool,
}

/// What the server has to say before data moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandshakeAnswer {
    /// [`PROTOCOL_VERSION`] of the server.
    pub protocol: u32,
    /// The organization.
    pub organization: Organization,
    /// Changes when the server was restored from a backup.
    pub incarnation: Uuid,
    /// A fresh sync token, when the server does not know any more what the device holds: everything
    /// is brought again, and the device drops what did not come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The server's time; beside the device's it gives the skew.
    pub server_time: Timestamp,
    /// The server's metadata version.
    pub metadata_version: u64,
    /// The metadata, when the device has another version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<Catalog>,
    /// The user, with the rights that they have now.
    pub user: Caller,
    /// The packages that have steps for a device.
    pub packages: Vec<Package>,
    /// Their steps, without what must not leave the server.
    pub steps: Vec<Step>,
    /// What the device takes offline.
    pub filters: Vec<DataFilter>,
    /// The sequence of the next entry that the server expects.
    pub expected_sequence: u64,
}

/// Sets what a device takes offline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FiltersRequest {
    /// The device.
    pub device: Uuid,
    /// All its filters; they take the place of the ones before.
    pub filters: Vec<DataFilter>,
}

/// Asks what the device lacks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrepareRequest {
    /// The device.
    pub device: Uuid,
    /// Its sync token.
    pub token: String,
}

/// What the device lacks, as numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrepareAnswer {
    /// Rows to bring and to remove, per table.
    pub counts: Vec<TableCount>,
}

/// Asks for a page of what was prepared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataRequest {
    /// The device.
    pub device: Uuid,
    /// Its sync token.
    pub token: String,
    /// The last number that the device has applied; 0 for the first page.
    pub after: u64,
    /// Rows wanted, at most [`PAGE_ROWS_MAX`].
    pub limit: u32,
}

/// Acknowledges what the device has applied durably.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PostRequest {
    /// The device.
    pub device: Uuid,
    /// Its sync token.
    pub token: String,
    /// The last number that it applied.
    pub through: u64,
}

/// The next link of the token chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PostAnswer {
    /// The device's sync token from now on.
    pub token: String,
}

/// Asks for named rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpecificRequest {
    /// The device.
    pub device: Uuid,
    /// The rows, at most [`SPECIFIC_MAX`].
    pub rows: Vec<EntityReference>,
}

/// The named rows as they are now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpecificAnswer {
    /// Those that the subscription shows.
    pub rows: Vec<Entity>,
    /// Those that do not exist or that the subscription does not show.
    pub absent: Vec<EntityReference>,
}

/// Sends journal entries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlaybackRequest {
    /// The device.
    pub device: Uuid,
    /// Its epoch.
    pub epoch: u64,
    /// Frozen entries with consecutive sequences.
    pub entries: Vec<Frozen>,
    /// The device has recorded the outcomes up to this sequence; the server may forget them.
    pub acknowledged_through: u64,
    /// The server's clock minus the device's, in milliseconds, as the device measured it at its last
    /// handshake. It comes with the entries, so that a late duplicate of a handshake changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset_ms: Option<i64>,
}

/// What became of the entries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlaybackAnswer {
    /// Frozen outcomes, one for each entry from the first on that was decided.
    pub outcomes: Vec<Frozen>,
    /// The sequence that the server expects next.
    pub expected: u64,
    /// Why the rest was not decided. Nothing of the rest was consumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Fault>,
}

/// Asks for digests of tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DigestRequest {
    /// The device.
    pub device: Uuid,
}

/// Asks for the digests of the rows of one table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DigestRowsRequest {
    /// The device.
    pub device: Uuid,
    /// The table.
    pub table: String,
}

/// Asks for the bytes of a package.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PackageRequest {
    /// Its SHA-256, in hex.
    pub sha256: String,
}

/// One online request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExecuteRequest {
    /// Its durable operation id: sent again with the same id, it gets the first answer.
    pub operation: Uuid,
    /// The request.
    pub request: Request,
    /// The caller's `tag`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Only tell what was answered before; run nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lookup: bool,
}
