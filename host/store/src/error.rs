//! What can go wrong with a store, as data; and how a caller is told.
//!
//! Never holds values of rows: an error may reach a log.

use offstage_model::{EntityReference, Fault, Uuid, code};
use offstage_query::physical::TypeMismatch;
use std::path::PathBuf;

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another program, or this one, has the store open.
    #[error("the store '{}' is in use by another program", path.display())]
    InUse {
        /// The store.
        path: PathBuf,
    },
    /// The folder is on a network file system, whose locks and syncs cannot be trusted.
    #[error("the store '{}' is on a network file system ({file_system})", path.display())]
    NetworkFolder {
        /// The store.
        path: PathBuf,
        /// The kind of file system.
        file_system: &'static str,
    },
    /// The file or folder cannot be written.
    #[error("the store '{}' cannot be written", path.display())]
    NotWritable {
        /// The store.
        path: PathBuf,
    },
    /// The file or folder cannot be opened.
    #[error("the store '{}' cannot be opened", path.display())]
    CannotOpen {
        /// The store.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is something else.
    #[error("the file '{}' is not an Offstage store", path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// The store was written by a newer program.
    #[error(
        "the store '{}' has format {found}; this program reads up to {supported}",
        path.display()
    )]
    NewerFormat {
        /// The store.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that this program reads.
        supported: i64,
    },
    /// The store belongs to a server and was opened as a device's, or the other way round.
    #[error("the store '{}' is the store of a {found}, not of a {wanted}", path.display())]
    WrongRole {
        /// The store.
        path: PathBuf,
        /// What it is.
        found: String,
        /// What was asked for.
        wanted: &'static str,
    },
    /// The file is damaged.
    #[error("the store '{}' is damaged: {detail}", path.display())]
    Corrupt {
        /// The store.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// No space left.
    #[error("there is no space left for the store '{}'", path.display())]
    DiskFull {
        /// The store.
        path: PathBuf,
    },
    /// The SQLite library has a known bug that damages stores.
    #[error("the SQLite library {found} is too old; {wanted} is needed")]
    OldDatabaseLibrary {
        /// The version number of the library.
        found: i32,
        /// The lowest one that will do.
        wanted: i32,
    },
    /// The database refused for a reason that has no variant of its own.
    #[error("the database of the store '{}' failed: {message} (SQLite code {code})", path.display())]
    Database {
        /// The store.
        path: PathBuf,
        /// SQLite's extended result code.
        code: i32,
        /// SQLite's message.
        message: String,
    },
    /// Somebody else wrote for too long.
    #[error("the store was busy for {waited_ms} ms")]
    Busy {
        /// How long was waited.
        waited_ms: u64,
    },
    /// The database rolled the transaction back after an earlier error.
    #[error("the transaction was rolled back after an error")]
    TransactionLost,
    /// A write in a transaction that only reads.
    #[error("the transaction only reads")]
    ReadOnlyTransaction,
    /// A row with this id exists.
    #[error("{table}({id}) exists already")]
    Duplicate {
        /// The table.
        table: String,
        /// The id.
        id: Uuid,
    },
    /// Another row has these values of an alternate key.
    #[error("{table}({other}) has the same values of the key '{key}'")]
    DuplicateKey {
        /// The table.
        table: String,
        /// The key.
        key: String,
        /// The other row.
        other: Uuid,
    },
    /// Something that must be unique in a system table is there already.
    #[error("the {what} exists already")]
    DuplicateSystemRow {
        /// What.
        what: &'static str,
    },
    /// The row does not exist.
    #[error("{table}({id}) does not exist")]
    NoSuchRow {
        /// The table.
        table: String,
        /// The id.
        id: Uuid,
    },
    /// The row has no id.
    #[error("a row of {table} has no id")]
    MissingId {
        /// The table.
        table: String,
    },
    /// A value does not fit its column.
    #[error("a value for {table} does not fit its column")]
    Value {
        /// The table.
        table: String,
        /// What does not fit.
        source: TypeMismatch,
    },
    /// A stored row cannot be read.
    #[error("a stored row of {table} cannot be read")]
    Unreadable {
        /// The table.
        table: String,
        /// What does not fit.
        source: TypeMismatch,
    },
    /// A stored system row cannot be read.
    #[error("a stored {what} cannot be read")]
    UnreadableSystemRow {
        /// What.
        what: &'static str,
    },
    /// A stored document cannot be read or written.
    #[error("the stored {what} is not readable")]
    Document {
        /// What.
        what: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// A change of metadata that the stored rows do not allow.
    #[error("the metadata cannot change: {table}.{column} {reason}")]
    Migration {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Why.
        reason: &'static str,
    },
    /// An entry that does not follow the last one.
    #[error("journal entry {epoch}/{sequence} does not follow entry {last_sequence}")]
    JournalOrder {
        /// The entry's epoch.
        epoch: u64,
        /// The entry's sequence.
        sequence: u64,
        /// The last sequence of the epoch.
        last_sequence: u64,
    },
    /// The journal has no such entry.
    #[error("the journal has no entry {sequence}")]
    NoSuchEntry {
        /// The sequence.
        sequence: u64,
    },
    /// The database refused a value because of its size.
    #[error("a value is too large for the store")]
    TooLarge,
    /// The query is not valid.
    #[error("{0}")]
    Query(Fault),
}

impl StoreError {
    /// What the person who reads the error can do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::InUse { .. } => {
                "Stop the other host or server on this directory, or use another directory."
            }
            Self::NetworkFolder { .. } => "Move the data directory to a local disk.",
            Self::NotWritable { .. } => {
                "Check the owner and permissions of the data directory, and that the disk is not mounted read-only."
            }
            Self::CannotOpen { .. } => "Check that the data directory exists and its permissions.",
            Self::NotAStore { .. } => {
                "Check the path; move the file away if it does not belong here."
            }
            Self::NewerFormat { .. } => "Install the newer version of Offstage again.",
            Self::WrongRole { .. } => "Use a directory of its own for each server and device.",
            Self::Corrupt { .. } => {
                "Keep a copy of the directory, then restore a backup, or on a device export the journal and connect again."
            }
            Self::DiskFull { .. } => "Free some space; nothing of the failed change was kept.",
            Self::Busy { .. } => "Try again; if it lasts, look for a plug-in that takes long.",
            Self::Unreadable { .. } | Self::UnreadableSystemRow { .. } | Self::Document { .. } => {
                "The store may be damaged or was changed by another program; check it with `offstage doctor`."
            }
            Self::Migration { .. } => "Give the changed column a new name.",
            _ => return None,
        })
    }

    fn code(&self) -> u32 {
        match self {
            Self::Duplicate { .. } => code::DUPLICATE_RECORD,
            Self::DuplicateKey { .. } | Self::DuplicateSystemRow { .. } => code::DUPLICATE_KEY,
            Self::NoSuchRow { .. } => code::OBJECT_DOES_NOT_EXIST,
            Self::NoSuchEntry { .. } => code::NOT_FOUND,
            Self::MissingId { .. } => code::INVALID_ARGUMENT,
            Self::Value { .. } => code::INVALID_VALUE,
            Self::TooLarge => code::PAYLOAD_TOO_LARGE,
            Self::Busy { .. } => code::LIMIT_EXCEEDED,
            Self::Migration { .. } => code::METADATA_MISMATCH,
            Self::ReadOnlyTransaction | Self::JournalOrder { .. } => code::INTERNAL,
            _ => code::STORE_UNUSABLE,
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        if let StoreError::Query(fault) = error {
            return fault;
        }
        if let StoreError::NoSuchRow { table, id } = &error {
            return Self::no_such_row(table, *id);
        }
        // The fault is all that a caller sees, so the chain of sources goes into its text.
        let mut message = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            message.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        let mut first = message.chars();
        let message: String = first
            .next()
            .map(|c| c.to_uppercase().collect::<String>() + first.as_str())
            .unwrap_or_default();
        let mut fault = Self::new(error.code(), format!("{message}."));
        fault.row = match &error {
            StoreError::Duplicate { table, id }
            | StoreError::DuplicateKey { table, other: id, .. } => {
                Some(Box::new(EntityReference::new(table.clone(), *id)))
            }
            _ => None,
        };
        match error.hint() {
            Some(hint) => fault.hint(hint),
            None => fault,
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        Self::Query(fault)
    }
}
