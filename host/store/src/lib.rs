//! Rows, versions, change tracking, journal, receipts and settings behind one door.
//!
//! Invariants: this is the only crate that knows SQLite; a change and its journal entry commit
//! together, because both are made in one [`Tx`]. Never decides who may change what.

pub mod aliases;
mod autonumbers;
mod backend;
pub mod captures;
mod cells;
pub mod changes;
pub mod conflicts;
mod digest;
mod error;
mod fence;
pub mod file_effects;
pub mod journal;
mod location;
mod migrate;
mod open;
pub mod outbox;
pub mod outlook;
mod pool;
pub mod principals;
mod query;
pub mod receipts;
pub mod registration;
mod rows;
mod schema;
pub mod settings;
mod side;
pub mod sync;
pub mod traces;
mod tx;
pub mod violations;

pub use captures::{CaptureFilter, CaptureRow};
pub use changes::{Change, ColumnStamps, Stamp, Tombstone, WriteStamp};
pub use conflicts::{ConflictRow, Winner};
pub use digest::row_digest;
pub use error::StoreError;
pub use journal::{
    ChainReport, JournalCounts, JournalFilter, JournalRow, PendingEffect, StoredEntry,
};
pub use open::{Role, Store, StoreOptions};
pub use outlook::{
    CacheTx, CachedChange, ChangeCode, MailboxFile, MailboxFolder, MailboxItem, MailboxNote,
    MailboxRow, Mapping, MappingKey, NoteRow, RunRow, SyncCache, TieFile, TieRow, UndoRow,
};
pub use principals::Principal;
pub use receipts::{DeviceRow, OnlineReceipt, Receipt};
pub use sync::{
    ChildRule, JournalId, Mark, OutlookClient, PendingSync, RefusedWrite, SubscriptionRow,
    SyncTableState,
};
pub use traces::{TraceFilter, TraceRow};
pub use tx::{Savepoint, Tx};
pub use violations::ViolationRow;

/// The query's caller; re-exported because [`Tx::query`] takes it.
pub use offstage_query::Scope;
