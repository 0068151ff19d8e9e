//! What a device keeps about itself besides rows and journal, as one setting of its store. Every
//! change is written in the transaction of what it describes.

use offstage_model::{EntityReference, Fault, Timestamp, Uuid, code};
use offstage_pipeline::{Caller, Organization};
use offstage_store::Tx;
use serde::{Deserialize, Serialize};

const RECORD: &str = "replication";
const ONLINE_WRITES: &str = "replication.online-writes";
/// The most online writes whose outcome may be unknown at once.
const ONLINE_WRITES_MAX: usize = 1_000;

/// The states of a device (`playback.md`, "States of a device").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceState {
    /// Requests go to the server.
    Online,
    /// Requests go to the server while the subset comes down.
    GoingOffline,
    /// Requests run here and are journaled.
    Offline,
    /// Requests run here and are journaled behind the entries that are being played.
    GoingOnline,
}

impl DeviceState {
    /// Whether requests run here.
    #[must_use]
    pub fn is_local(self) -> bool {
        matches!(self, Self::Offline | Self::GoingOnline)
    }

    /// The state as people read it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::GoingOffline => "going-offline",
            Self::Offline => "offline",
            Self::GoingOnline => "going-online",
        }
    }
}

/// What became of entries since the last time the device was offline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaybackCounts {
    /// The server has them.
    pub applied: u64,
    /// Both sides changed the same thing.
    pub conflict: u64,
    /// A rule refused them.
    pub rejected: u64,
    /// They wait for a refused one.
    pub blocked: u64,
    /// Withdrawn.
    pub discarded: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) state: DeviceState,
    pub(super) name: String,
    pub(super) organization: Organization,
    pub(super) incarnation: Uuid,
    pub(super) user: Caller,
    /// The sync token.
    pub(super) token: String,
    /// The last number that was applied.
    pub(super) after: u64,
    /// The last number that was acknowledged.
    pub(super) posted: u64,
    /// The server's catalog was adopted once.
    pub(super) adopted: bool,
    /// A whole subset came down once.
    pub(super) offline_capable: bool,
    /// The server forgot what this device holds: rows that it does not bring again must go.
    pub(super) prune: bool,
    /// Server clock minus this clock, in milliseconds.
    pub(super) offset_ms: i64,
    pub(super) last_sync: Option<Timestamp>,
    pub(super) counts: PlaybackCounts,
}

/// An online write that was sent, until its outcome is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct OnlineWrite {
    pub(super) operation: Uuid,
    pub(super) message: String,
    pub(super) row: Option<EntityReference>,
    pub(super) time: Timestamp,
}

impl Record {
    pub(super) fn load(tx: &mut Tx) -> Result<Option<Self>, Fault> {
        Ok(tx.get_setting(RECORD)?)
    }

    pub(super) fn require(tx: &mut Tx) -> Result<Self, Fault> {
        Self::load(tx)?.ok_or_else(not_connected)
    }

    pub(super) fn store(&self, tx: &mut Tx) -> Result<(), Fault> {
        Ok(tx.put_setting(RECORD, self)?)
    }
}

impl OnlineWrite {
    pub(super) fn all(tx: &mut Tx) -> Result<Vec<Self>, Fault> {
        Ok(tx.get_setting(ONLINE_WRITES)?.unwrap_or_default())
    }

    pub(super) fn add(self, tx: &mut Tx) -> Result<(), Fault> {
        let mut all = Self::all(tx)?;
        if all.len() >= ONLINE_WRITES_MAX {
            return Err(Fault::new(
                code::LIMIT_EXCEEDED,
                format!("The outcome of {ONLINE_WRITES_MAX} online writes is unknown."),
            )
            .hint("`offstage sync` asks the server about them."));
        }
        all.push(self);
        Ok(tx.put_setting(ONLINE_WRITES, &all)?)
    }

    pub(super) fn remove(tx: &mut Tx, operation: Uuid) -> Result<(), Fault> {
        let mut all = Self::all(tx)?;
        all.retain(|write| write.operation != operation);
        Ok(tx.put_setting(ONLINE_WRITES, &all)?)
    }
}

/// The fault of a directory that is no device yet.
pub(super) fn not_connected() -> Fault {
    Fault::new(code::WRONG_STATE, "This directory is not connected to a server.")
        .hint("Run `offstage connect URL` first.")
}
