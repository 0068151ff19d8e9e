//! Why a run or a pair did not come to its end, and what that means for the next attempt.
//!
//! Never carries values of items or records.

use crate::mail_store::MailStoreError;
use offstage_model::{Fault, code};
use offstage_store::StoreError;
use std::time::Duration;

/// Why the engine stopped.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The CRM refused, or does not answer.
    #[error("{0}")]
    Crm(#[from] Fault),
    /// The mail store refused, or does not answer.
    #[error(transparent)]
    Mail(#[from] MailStoreError),
    /// The sync cache failed.
    #[error(transparent)]
    Cache(#[from] StoreError),
    /// A document in the cache cannot be read.
    #[error("the stored {what} of the sync cache cannot be read")]
    Unreadable {
        /// Which one.
        what: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// A test asked for an end here.
    #[error("stopped at the crash point '{place}'")]
    Crash {
        /// Where.
        place: &'static str,
    },
}

/// What is done about a failed pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Tried again, after this wait where one was asked for.
    Again(Option<Duration>),
    /// The item is gone: its deletion is looked at.
    Gone,
    /// It waits for a person.
    Person,
    /// Nothing more can be done in this run.
    Stop,
}

impl EngineError {
    pub(crate) fn is_crash(&self) -> bool {
        matches!(self, Self::Crash { .. })
    }

    /// Whether it is only a matter of waiting.
    pub(crate) fn waits(&self) -> bool {
        match self {
            Self::Crm(fault) => matches!(fault.code, code::UNREACHABLE | code::LIMIT_EXCEEDED),
            Self::Mail(error) => {
                matches!(error, MailStoreError::Transient { .. } | MailStoreError::Throttled { .. })
            }
            _ => false,
        }
    }

    pub(crate) fn next(&self) -> Next {
        match self {
            Self::Crm(fault) => match fault.code {
                code::UNREACHABLE | code::LIMIT_EXCEEDED | code::UNAUTHORIZED => Next::Stop,
                code::VERSION_MISMATCH | code::CONFLICT => Next::Again(None),
                _ => Next::Person,
            },
            Self::Mail(error) => match error {
                MailStoreError::Transient { .. } | MailStoreError::Conflict { .. } => {
                    Next::Again(None)
                }
                MailStoreError::Throttled { .. } => Next::Stop,
                MailStoreError::Gone { .. } => Next::Gone,
                MailStoreError::Refused { .. } | MailStoreError::NeedsAttention { .. } => {
                    Next::Person
                }
            },
            Self::Cache(_) | Self::Unreadable { .. } | Self::Crash { .. } => Next::Stop,
        }
    }
}

impl From<EngineError> for Fault {
    fn from(error: EngineError) -> Self {
        let text = error.to_string();
        match error {
            EngineError::Crm(fault) => fault,
            EngineError::Cache(error) => Self::from(error),
            EngineError::Mail(MailStoreError::NeedsAttention { hint, .. }) => {
                Self::new(code::NOT_AVAILABLE, text).hint(hint)
            }
            EngineError::Mail(MailStoreError::Gone { .. }) => Self::new(code::NOT_FOUND, text)
                .hint("`offstage outlook item list` shows the items."),
            EngineError::Mail(
                MailStoreError::Transient { .. } | MailStoreError::Throttled { .. },
            ) => Self::new(code::UNREACHABLE, text).hint(
                "Nothing is lost; the next run tries again. Check the address if it stays so.",
            ),
            EngineError::Mail(_) => Self::new(code::NOT_AVAILABLE, text),
            EngineError::Unreadable { .. } | EngineError::Crash { .. } => {
                Self::new(code::INTERNAL, text)
            }
        }
    }
}
