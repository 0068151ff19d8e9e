//! A mail store that asks to be left alone is left alone: across runs, commands and restarts.
//!
//! Never asks a store anything while it waits.

use super::{Engine, EngineError};
use crate::mail_store::MailStoreError;
use offstage_model::Timestamp;
use std::time::Duration;

const WAIT: &str = "store-wait-until";

impl Engine {
    /// Whether the mail store is there and lets the user in: asks for its folders.
    ///
    /// # Errors
    /// See [`MailStoreError`]; also while the store asked to be left alone.
    pub fn reach(&mut self) -> Result<(), EngineError> {
        self.check_wait()?;
        let asked = self.store.folders().map(drop).map_err(EngineError::from);
        if let Err(error) = &asked {
            self.note_wait(error)?;
        }
        asked
    }

    /// An error for as long as the store asked to be left alone.
    pub(super) fn check_wait(&mut self) -> Result<(), EngineError> {
        let until: Option<i64> = self.stored(WAIT)?;
        let left = until.map_or(0, |until| until.saturating_sub(self.clock.now().0));
        match u64::try_from(left) {
            Ok(left) if left > 0 => Err(EngineError::Mail(MailStoreError::Throttled {
                store: self.store.name(),
                // A whole second more than nothing.
                retry_after: Duration::from_millis(left.next_multiple_of(1_000)),
            })),
            _ => Ok(()),
        }
    }

    /// Keeps until when the store wants to be left alone; whether it does.
    pub(super) fn note_wait(&mut self, error: &EngineError) -> Result<bool, EngineError> {
        let EngineError::Mail(MailStoreError::Throttled { retry_after, .. }) = error else {
            return Ok(false);
        };
        let wait_ms = i64::try_from(retry_after.as_millis()).unwrap_or(i64::MAX);
        let Timestamp(until) = self.clock.now().plus_ms(wait_ms);
        // A check that was answered from here must not move the end away.
        let known: Option<i64> = self.stored(WAIT)?;
        if known.is_none_or(|known| known <= self.clock.now().0) {
            self.keep(WAIT, &until)?;
        }
        Ok(true)
    }
}
