//! Instances that serve more than one run, for languages that are slow to start.
//!
//! Off unless the run's limits say otherwise. An instance is only ever used again by the same
//! package, for the same users of the same organization, after a run that succeeded, and for a
//! limited number of runs; what the package leaves in its memory is then its own affair. A trap, a
//! refusal or a passed limit ends it.

use crate::bindings::Plugin as Instance;
use crate::state::State;
use offstage_model::{ExecutionContext, Uuid};
use std::sync::{Mutex, PoisonError};
use wasmtime::Store;

/// Instances of one package that wait for the next run. More at once are made anew.
const IDLE_MAX: usize = 2;

/// For whom an instance runs: nobody else ever gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    organization: Uuid,
    user: Uuid,
    initiating_user: Uuid,
    authenticated_user: Uuid,
}

impl Owner {
    /// The owner of a run in this context.
    pub(crate) fn of(context: &ExecutionContext) -> Self {
        Self {
            organization: context.organization_id,
            user: context.user_id,
            initiating_user: context.initiating_user_id,
            authenticated_user: context.authenticated_user_id,
        }
    }
}

/// An instance between two runs, or in one.
pub(crate) struct Held {
    pub(crate) store: Store<State>,
    pub(crate) instance: Option<Instance>,
    /// Runs that it has begun.
    pub(crate) runs: u32,
    pub(crate) owner: Owner,
}

/// The waiting instances of one loaded package.
#[derive(Default)]
pub(crate) struct Idle(Mutex<Vec<Held>>);

impl Idle {
    /// Takes an instance of this owner that may serve one more of `runs_max` runs.
    pub(crate) fn take(&self, owner: Owner, runs_max: u32) -> Option<Held> {
        if runs_max < 2 {
            return None;
        }
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = idle.iter().position(|held| held.owner == owner && held.runs < runs_max)?;
        Some(idle.swap_remove(at))
    }

    /// Keeps an instance for the next run; the one that waited longest goes if there are too many.
    pub(crate) fn keep(&self, held: Held) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = (idle.len() >= IDLE_MAX).then(|| idle.remove(0));
        idle.push(held);
        drop(idle);
        // Its memory goes back outside of the lock.
        drop(gone);
    }
}
