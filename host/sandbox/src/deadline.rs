//! When a run has to be over. Time in which a debugger held the process does not count.
//!
//! Never ends anything itself; `state` and the epoch do.

use crate::debug::Holds;
use crate::meter::Stop;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The deadline of one run.
pub(crate) struct Deadline {
    at: Instant,
    holds: Arc<Holds>,
    /// Held before the run began.
    held_before: Duration,
}

impl Deadline {
    /// A deadline `time` after `started`.
    pub(crate) fn new(started: Instant, time: Duration, holds: &Arc<Holds>) -> Self {
        Self { at: started + time, held_before: holds.total(), holds: Arc::clone(holds) }
    }

    /// The time that is left.
    pub(crate) fn left(&self) -> Duration {
        let now = Instant::now();
        let left = self.at.saturating_duration_since(now);
        if !left.is_zero() {
            // Holds only add to it.
            return left;
        }
        let held = self.holds.total().saturating_sub(self.held_before);
        (self.at + held).saturating_duration_since(now)
    }

    /// Ends the run when no time is left.
    pub(crate) fn check(&self) -> Result<(), Stop> {
        if self.left().is_zero() { Err(Stop::Deadline) } else { Ok(()) }
    }
}
