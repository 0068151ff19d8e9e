//! Capture and replay: what one run was given and what the host answered, kept so that the run can
//! happen again without any data (`sandbox.md`, "Debugging").
//!
//! Everything that a plug-in computes with comes through its context and its host calls, so these
//! are enough for a second run with the same result and the same fuel. Never decides which runs are
//! captured, and never keeps a secret in clear.

mod call;
mod document;
mod pair;
mod recorder;
mod redaction;
mod replay;
mod sources;
mod texts;

pub use call::{Call, Question};
pub use document::{
    CAPTURE_BYTES_MAX, CAPTURE_FORMAT, Capture, CaptureError, CaptureFile, CaptureHead,
    CapturedLimits, Outcome, Place,
};
pub use pair::{Difference, Pair, PairedCall, pairs};
pub use recorder::{Recorder, Recording};
pub use redaction::REDACTED;
pub use replay::{Divergence, Replay};
pub use sources::{Dependence, Source};
