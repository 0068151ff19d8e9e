//! The only HTTP listener: the Web API, the sync endpoints, tokens and control.
//!
//! Invariant: nothing else listens. Engine calls block and run on their own threads; this crate
//! never changes a row but through an [`Engine`], and makes no outbound calls.

mod app;
mod authority;
mod constant_time;
mod control;
mod engine;
mod execute;
mod gate;
mod listener;
mod mailbox;
mod outlook;
mod plugins;
mod protocol;
mod sync;
mod token;
mod web_api;

pub use app::{App, Limits, router};
pub use authority::{Authority, DevAuthority, LocalAuthority};
pub use control::{CHALLENGE_HEADER, Control, ControlDoor, control_proof};
pub use engine::Engine;
pub use listener::{Exposure, Running, Server, ServerError};
pub use mailbox::Mailbox;
pub use token::{ASSERTION_LIFETIME_MAX_S, Issuer, TOKEN_LIFETIME_S, TOKEN_PATH, secret_hash};
