//! Sends what plug-ins put into the outbox, after its operation has committed.
//!
//! Invariant: a request leaves only to an address that was resolved once and found public, to the
//! origin that is granted now, and no answer comes back to a plug-in. Never follows a redirect, never
//! uses a proxy, a cookie or a credential of the machine. At least once: a receiver knows a repeated
//! request by its `Idempotency-Key`.

mod address;
mod network;
mod outbox;
mod secrets;
mod sender;
mod worker;

pub use address::is_public;
pub use network::{Network, SystemNetwork};
pub use outbox::{Gate, Outbox, OutboxLimits, OutboxParts, Round, discard, retry};
pub use secrets::{SecretError, SecretFolder, SecretValue, Secrets};
pub use sender::{Answer, Outgoing, SendError, Sender, SenderLimits};
pub use worker::Worker;

/// What the log of a process that sends requests must have off, whatever else it shows: the HTTP
/// library writes every byte of a request there, credentials and all.
pub const LOG_OFF: &str = "ureq_proto::util=off";
