//! What the user is told when a command fails: one message, one hint, one exit code.
//!
//! Never prints; `output` does. Crosses the control endpoint as it is.

use crate::exit::Exit;
use offstage_model::{Fault, Uuid, code};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::fmt;
use std::path::Path;

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CliError {
    /// How the program ends.
    pub(crate) exit: Exit,
    /// Names the thing and the reason.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hint: Option<String>,
    /// The platform's code, where the error came from a fault.
    pub(crate) code: Option<u32>,
    /// The step that refused.
    pub(crate) step: Option<String>,
    /// The trace row that tells more.
    pub(crate) trace_id: Option<Uuid>,
}

impl CliError {
    /// An error with an exit code and a message.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { exit, message, hint: None, code: None, step: None, trace_id: None }
    }

    /// What was typed or given is not valid.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A file cannot be read or written.
    pub(crate) fn file(verb: &str, path: &Path, error: &std::io::Error) -> Self {
        let exit = match error.kind() {
            std::io::ErrorKind::NotFound => Exit::NotFound,
            _ => Exit::Internal,
        };
        Self::new(exit, format!("Cannot {verb} '{}': {error}.", path.display()))
    }

    /// Adds the next step for the person who reads it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The error as one JSON object.
    pub(crate) fn json(&self) -> Json {
        let mut error = json!({
            "message": self.message,
            "exit": self.exit.number(),
        });
        let optional = [
            ("hint", self.hint.clone()),
            ("code", self.code.map(|c| format!("0x{c:08x}"))),
            ("symbol", self.code.and_then(code::symbol).map(str::to_owned)),
            ("step", self.step.clone()),
            ("trace", self.trace_id.map(|id| id.to_string())),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                error[name] = json!(value);
            }
        }
        json!({ "error": error })
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CliError {}

impl From<Fault> for CliError {
    fn from(fault: Fault) -> Self {
        Self {
            exit: Exit::of_fault(fault.code),
            message: fault.message,
            hint: fault.hint,
            code: Some(fault.code),
            step: fault.step,
            trace_id: fault.trace_id,
        }
    }
}

impl From<offstage_store::StoreError> for CliError {
    fn from(error: offstage_store::StoreError) -> Self {
        Fault::from(error).into()
    }
}
