//! The thread that advances the engine's epoch, so that a deadline reaches code that never calls
//! the host.
//!
//! It sleeps while nothing runs: an idle device must not wake up a hundred times a second.

use crate::debug::Holds;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use wasmtime::Engine;

/// The time between two epochs: how late a deadline may be noticed.
pub(crate) const TICK: Duration = Duration::from_millis(10);
/// Ticks without a run after which the thread goes to sleep. Not zero: parking and waking it for
/// each of many short runs would cost more than the runs.
const IDLE_TICKS: u32 = 100;

/// Owns the thread; dropping it ends the thread.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    holds: Arc<Holds>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    runs: AtomicUsize,
    asleep: AtomicBool,
    stop: AtomicBool,
}

impl Ticker {
    /// Starts the thread, which also beats for `holds`.
    pub(crate) fn start(engine: &Engine, holds: Arc<Holds>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = std::thread::Builder::new().name("offstage-epoch".into()).spawn({
            let (shared, engine, holds) = (Arc::clone(&shared), engine.clone(), Arc::clone(&holds));
            move || tick(&shared, &engine, &holds)
        })?;
        Ok(Self { shared, holds, thread: Some(thread) })
    }

    /// Keeps the epoch advancing until the guard is dropped.
    pub(crate) fn run(&self) -> RunGuard<'_> {
        self.shared.runs.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::SeqCst) {
            self.wake();
        }
        self.holds.enter();
        RunGuard { shared: &self.shared, holds: &self.holds }
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported already; there is nothing to add.
            drop(thread.join());
        }
    }
}

/// One open run.
pub(crate) struct RunGuard<'a> {
    shared: &'a Shared,
    holds: &'a Holds,
}

impl Drop for RunGuard<'_> {
    fn drop(&mut self) {
        self.holds.leave();
        self.shared.runs.fetch_sub(1, Ordering::SeqCst);
    }
}

fn tick(shared: &Shared, engine: &Engine, holds: &Holds) {
    let mut idle = 0;
    while !shared.stop.load(Ordering::SeqCst) {
        idle = if shared.runs.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
        if idle < IDLE_TICKS {
            std::thread::park_timeout(TICK);
            holds.beat();
            engine.increment_epoch();
            continue;
        }
        idle = 0;
        // A run that starts from here on either sees `asleep` or is seen by the check below.
        shared.asleep.store(true, Ordering::SeqCst);
        while shared.runs.load(Ordering::SeqCst) == 0 && !shared.stop.load(Ordering::SeqCst) {
            std::thread::park();
        }
        shared.asleep.store(false, Ordering::SeqCst);
    }
}
