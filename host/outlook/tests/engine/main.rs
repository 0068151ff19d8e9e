//! The engine through its public door, over the embedded mailbox and a real server.

mod both_ways;
mod conflicts;
mod growth;
mod held;
mod retry;
#[path = "../support/mod.rs"]
mod support;
mod undo;
mod undo_loses_nothing;
#[cfg(feature = "crash-points")]
mod undo_stopped;
