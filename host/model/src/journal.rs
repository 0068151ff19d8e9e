//! Journal entries: what a device recorded of one root operation, and what the server made of it.
//!
//! An entry is frozen as bytes when it is written; those bytes are hashed, chained and sent, and
//! never made again. Never executes anything.

use crate::entity::Attributes;
use crate::identity::digest;
use crate::{EntityReference, Fault, Request, Response, Timestamp, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The version of the entry's JSON form.
pub const JOURNAL_FORMAT: u16 = 1;
/// The largest entry in bytes; a bigger operation is refused offline.
pub const ENTRY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A hash in the chain: SHA-256 in hex, or empty before the first entry.
pub type ChainHash = String;

/// One root operation with everything it did (`playback.md`, "Journal").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// [`JOURNAL_FORMAT`].
    pub format: u16,
    /// The device that made it.
    pub device: Uuid,
    /// The device's epoch.
    pub epoch: u64,
    /// Dense per device and epoch, from 1.
    pub sequence: u64,
    /// The hash of the entry before.
    pub previous: ChainHash,
    /// The root operation's id: ids are derived from it. A retried or edited entry keeps it.
    pub operation: Uuid,
    /// The entry that this one takes the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<u64>,
    /// Set in an entry that only withdraws the superseded one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub discards: bool,
    /// The user who acted.
    pub user: Uuid,
    /// When, on the device's clock.
    pub time: Timestamp,
    /// Tracks the chain of operations.
    pub correlation: Uuid,
    /// The device's plug-ins and steps, as a hash.
    pub plugin_set: String,
    /// The metadata version that the device worked with.
    pub metadata_version: u64,
    /// Rows with open local changes that steps of the operation read: it depends on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<crate::EntityReference>,
    /// The operation tree.
    pub root: OperationNode,
}

impl JournalEntry {
    /// The frozen bytes.
    #[must_use]
    pub fn freeze(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("BUG: model types always have a JSON form")
    }

    /// Reads frozen bytes.
    ///
    /// # Errors
    /// Damaged bytes, or a format newer than this program.
    pub fn thaw(bytes: &[u8]) -> Result<Self, JournalFormatError> {
        let entry: Self = serde_json::from_slice(bytes)?;
        if entry.format > JOURNAL_FORMAT {
            return Err(JournalFormatError::Newer { format: entry.format });
        }
        Ok(entry)
    }
}

/// The chain hash of frozen bytes. The bytes hold the previous hash, which makes it a chain.
#[must_use]
pub fn chain_hash(bytes: &[u8]) -> ChainHash {
    hex::encode(digest(&[b"journal", bytes]))
}

/// Bytes that are not a journal entry that this program can read.
#[derive(Debug, thiserror::Error)]
pub enum JournalFormatError {
    /// The bytes are damaged.
    #[error("the journal entry is damaged")]
    Damaged(#[from] serde_json::Error),
    /// The entry was written by a newer program.
    #[error("the journal entry has format {format}; this program reads up to {JOURNAL_FORMAT}")]
    Newer {
        /// The entry's format.
        format: u16,
    },
}

/// One operation: a request, what steps made of it, and what it changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperationNode {
    /// The request as its issuer gave it.
    pub request: Request,
    /// The request after stages 10 and 20, when it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<Request>,
    /// How many operations with an equal fingerprint the issuing step had made before.
    #[serde(default)]
    pub occurrence: u32,
    /// Set on an operation that the platform cascaded: the relationship's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cascade: Option<String>,
    /// The row that the operation made or changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<Uuid>,
    /// The step runs, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepRun>,
    /// The rows that the main operation changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<RowEffect>,
    /// The requests of an ExecuteTransaction, and cascaded operations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<OperationNode>,
}

impl OperationNode {
    /// An operation that has not done anything yet.
    #[must_use]
    pub fn new(request: Request) -> Self {
        Self {
            request,
            effective: None,
            occurrence: 0,
            cascade: None,
            row: None,
            steps: Vec::new(),
            effects: Vec::new(),
            members: Vec::new(),
        }
    }

    /// The request that the main operation ran.
    #[must_use]
    pub fn effective_request(&self) -> &Request {
        self.effective.as_ref().unwrap_or(&self.request)
    }

    /// This operation and all below it, parents first.
    #[must_use]
    pub fn all(&self) -> Vec<&OperationNode> {
        let mut nodes = vec![self];
        for child in self.steps.iter().flat_map(|s| &s.operations).chain(&self.members) {
            nodes.extend(child.all());
        }
        nodes
    }

    /// Every row change of the whole tree.
    #[must_use]
    pub fn all_effects(&self) -> Vec<&RowEffect> {
        self.all().into_iter().flat_map(|node| &node.effects).collect()
    }
}

/// One run of one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRun {
    /// The author's stable key of the step.
    pub key: String,
    /// 10, 20 or 40.
    pub stage: u32,
    /// What the step did to columns of Target, in the end.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnChange>,
    /// The operations that it issued, in order; reads are not recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<OperationNode>,
}

/// What a step explicitly did to a column of Target; equal values count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnChange {
    /// It set the column; `Null` clears.
    Set(Value),
    /// It took the column out of the request.
    Removed,
}

/// How a row changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectKind {
    /// The row was made.
    Created,
    /// Columns changed.
    Updated,
    /// The row was removed.
    Deleted,
}

/// One change of one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowEffect {
    /// The table.
    pub table: String,
    /// The row.
    pub id: Uuid,
    /// How it changed.
    pub kind: EffectKind,
    /// The last server version that the device knew of the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_version: Option<u64>,
    /// The values before, of the columns that changed (of all columns for a delete).
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub before: Attributes,
    /// The values after, of the columns that changed.
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub after: Attributes,
}

/// Where an entry stands (`playback.md`, "Journal").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryState {
    /// Not sent yet.
    Pending,
    /// Sent, outcome not known.
    Sent,
    /// The server has it.
    Applied,
    /// Both sides changed the same thing and no policy decided.
    Conflict,
    /// A rule of the server refused it.
    Rejected,
    /// It depends on an entry that was refused.
    Blocked,
    /// The user withdrew it, or an entry took its place.
    Discarded,
}

impl EntryState {
    /// Whether a person has to look at the entry.
    #[must_use]
    pub fn needs_attention(self) -> bool {
        matches!(self, Self::Conflict | Self::Rejected | Self::Blocked)
    }

    /// Whether the server's outcome is still open.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Sent)
    }
}

/// The server's final word on one entry. Stored and sent again byte for byte.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The entry's sequence.
    pub sequence: u64,
    /// Applied, Conflict, Rejected, Blocked or Discarded.
    pub state: EntryState,
    /// The answer to the request, when it was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    /// Why it was not applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// For Blocked: the sequence of the entry that it depends on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_by: Option<u64>,
    /// What the two runs made of it.
    #[serde(default)]
    pub report: ReconciliationReport,
    /// The state, after the entry, of every row in either tree.
    #[serde(default)]
    pub rows: Vec<RowOutcome>,
    /// The server's time of the decision.
    pub decided_on: Timestamp,
}

/// What became of one row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowOutcome {
    /// The table.
    pub table: String,
    /// The row.
    pub id: Uuid,
    /// Its version on the server; `None` when it is absent or not visible to the user.
    pub version: Option<u64>,
}

/// What reconciliation did with one nested operation or one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Both runs made it; the server's is kept.
    Paired,
    /// Only the offline run made it; it was carried over.
    CarriedOver,
    /// Only the offline run made it; the server's run decided otherwise.
    Dropped,
    /// Only the server's run made it.
    AddedByServer,
    /// Both made it with different values; the server's stands.
    Differs,
    /// Both sides had changed the column; the server's value stands.
    ServerStands,
    /// Both sides had changed the column; the device's value stands.
    DeviceStands,
}

/// One line of a reconciliation report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportLine {
    /// The step, by key; empty for the caller's own request.
    pub step: String,
    /// The operation in words, such as `Create task(…)`.
    pub operation: String,
    /// The row, when it was decided between two sides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<EntityReference>,
    /// The column, when the line is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What happened.
    pub verdict: Verdict,
    /// The offline run's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<Value>,
    /// The server run's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Value>,
}

/// The reconciliation report of one entry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReconciliationReport {
    /// The lines, in the order in which the server met them.
    #[serde(default)]
    pub lines: Vec<ReportLine>,
    /// Steps that ran on the server for this entry, in order.
    #[serde(default)]
    pub steps_run: Vec<String>,
    /// Lines that were left out because there were too many.
    #[serde(default)]
    pub omitted: u64,
}

impl ReconciliationReport {
    /// The most lines that are kept.
    pub const LINES_MAX: usize = 1_000;

    /// Adds a line, within the limit.
    pub fn push(&mut self, line: ReportLine) {
        if self.lines.len() < Self::LINES_MAX {
            self.lines.push(line);
        } else {
            self.omitted += 1;
        }
    }

    /// How many lines have this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.lines.iter().filter(|line| line.verdict == verdict).count()
    }
}
