//! The thread that works through the outbox of a running server.

use crate::outbox::Outbox;
use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the outbox is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Owns the thread; dropping it ends the thread after the request that is being sent.
pub struct Worker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread.
    pub fn start(outbox: Outbox) -> io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let work = move || {
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                let goes_on = || stopped.try_recv() != Err(TryRecvError::Disconnected);
                if let Err(fault) = outbox.round_while(goes_on) {
                    tracing::warn!(%fault, "the outbox cannot be worked through");
                }
            }
        };
        let thread = std::thread::Builder::new().name("offstage-outbox".into()).spawn(work)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the outbox panicked");
        }
    }
}
