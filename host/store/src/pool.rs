//! A small pool of connections with a bounded wait. Never reuses a connection that failed.

use crate::StoreError;
use crate::backend::sqlite::{Purpose, Sqlite};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Connections of one purpose, opened when they are first needed.
pub(crate) struct Pool {
    path: Arc<PathBuf>,
    purpose: Purpose,
    size_max: usize,
    wait_max: Duration,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Sqlite>,
    open: usize,
}

impl Pool {
    pub(crate) fn new(
        path: &Arc<PathBuf>,
        purpose: Purpose,
        size_max: usize,
        wait_max: Duration,
    ) -> Self {
        let (state, returned) = (Mutex::default(), Condvar::new());
        Self { path: Arc::clone(path), purpose, size_max, wait_max, state, returned }
    }

    /// A connection; waits while all are in use.
    pub(crate) fn take(&self) -> Result<Sqlite, StoreError> {
        let deadline = Instant::now() + self.wait_max;
        let mut state = self.lock();
        loop {
            if let Some(session) = state.idle.pop() {
                return Ok(session);
            }
            if state.open < self.size_max {
                state.open += 1;
                drop(state);
                return Sqlite::open(&self.path, self.purpose).inspect_err(|_| self.discarded());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let waited_ms = u64::try_from(self.wait_max.as_millis()).unwrap_or(u64::MAX);
                return Err(StoreError::Busy { waited_ms });
            }
            state =
                self.returned.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes a healthy connection back.
    pub(crate) fn give_back(&self, session: Sqlite) {
        self.lock().idle.push(session);
        self.returned.notify_one();
    }

    /// Says that a taken connection was closed and will not come back.
    pub(crate) fn discarded(&self) {
        let mut state = self.lock();
        state.open = state.open.saturating_sub(1);
        drop(state);
        self.returned.notify_one();
    }

    // A panic elsewhere cannot leave the lists half changed, so poison says nothing here.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
