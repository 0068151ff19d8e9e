//! Decides from the trust file whether a package may run (`sandbox.md`, "Packages, signatures,
//! allow-list").
//!
//! Invariant: no rule means denial, and a file that is missing or damaged allows nothing. Pure:
//! reads no file, knows no store; whoever calls it hashes the very bytes that will run.

mod decide;
mod error;
mod trust;

pub use decide::{Decision, decide};
pub use error::PolicyError;
pub use trust::{PINS_MAX, Pin, TRUST_FILE_BYTES_MAX, TrustFile};
