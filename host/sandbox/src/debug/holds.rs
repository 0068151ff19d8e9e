//! How long a debugger held this process while plug-ins ran, so that deadlines can wait for it.
//!
//! A debugger stops all threads. The thread that advances the epoch beats every few milliseconds;
//! a long gap between two beats is time in which nothing here ran. Never looks for a debugger.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A shorter gap is an ordinary delay of a busy machine.
const GAP_MIN: Duration = Duration::from_millis(200);

/// The gaps so far. Without a debugger it never counts any.
pub(crate) struct Holds(Option<Mutex<State>>);

struct State {
    runs: usize,
    beat: Instant,
    total: Duration,
}

impl Holds {
    /// Counts nothing.
    pub(crate) fn off() -> Self {
        Self(None)
    }

    /// Counts gaps from now on.
    pub(crate) fn on() -> Self {
        let state = State { runs: 0, beat: Instant::now(), total: Duration::ZERO };
        Self(Some(Mutex::new(state)))
    }

    /// A run began: from now on somebody beats.
    pub(crate) fn enter(&self) {
        if let Some(mut state) = self.lock() {
            if state.runs == 0 {
                state.beat = Instant::now();
            }
            state.runs += 1;
        }
    }

    /// A run ended.
    pub(crate) fn leave(&self) {
        if let Some(mut state) = self.lock() {
            state.note(Instant::now());
            state.runs = state.runs.saturating_sub(1);
        }
    }

    /// Says that this process runs.
    pub(crate) fn beat(&self) {
        if let Some(mut state) = self.lock() {
            state.note(Instant::now());
        }
    }

    /// All gaps so far, with the one that just ended before anybody could beat.
    pub(crate) fn total(&self) -> Duration {
        self.lock().map_or(Duration::ZERO, |state| state.total + state.gap(Instant::now()))
    }

    fn lock(&self) -> Option<MutexGuard<'_, State>> {
        Some(self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn gap(&self, now: Instant) -> Duration {
        let gap = now.saturating_duration_since(self.beat);
        if self.runs > 0 && gap >= GAP_MIN { gap } else { Duration::ZERO }
    }

    fn note(&mut self, now: Instant) {
        self.total += self.gap(now);
        self.beat = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(runs: usize) -> (State, Instant) {
        let start = Instant::now();
        (State { runs, beat: start, total: Duration::ZERO }, start)
    }

    #[test]
    fn only_long_gaps_while_something_runs_count() {
        let ms = Duration::from_millis;
        for (runs, gap, total) in [(1, 10, 0), (1, 199, 0), (1, 3_000, 3_000), (0, 3_000, 0)] {
            let (mut state, start) = state(runs);
            state.note(start + ms(gap));
            assert_eq!(state.total, ms(total), "{runs} runs, {gap} ms");
        }
    }

    #[test]
    fn a_gap_counts_before_the_next_beat_and_only_once() {
        let (mut state, start) = state(1);
        let later = start + Duration::from_secs(5);
        assert_eq!(state.gap(later), Duration::from_secs(5));
        state.note(later);
        assert_eq!(state.total + state.gap(later), Duration::from_secs(5));
    }

    #[test]
    fn without_debugging_nothing_counts() {
        let holds = Holds::off();
        holds.enter();
        holds.beat();
        holds.leave();
        assert_eq!(holds.total(), Duration::ZERO);
    }
}
