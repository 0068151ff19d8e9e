//! The stored and exported form of captures: versioned JSON, checked when it is read.
//!
//! Never trusts a file: what a capture says is data for a replay in the sandbox and nothing else.

use crate::capture::redaction::Redaction;
use crate::capture::{Call, Recording, texts};
use crate::{Run, RunError, RunLimits};
use offstage_model::{ContextChange, ExecutionContext, Fault, Timestamp, Uuid};
use serde::{Deserialize, Serialize};

/// The version of the JSON form.
pub const CAPTURE_FORMAT: u16 = 1;
/// The most bytes of calls that one capture keeps; later calls of the run are left out.
pub const CAPTURE_BYTES_MAX: usize = 4 << 20;
/// The most captures in one file.
const FILE_CAPTURES_MAX: usize = 1_000;
/// The first member of an exported file; tells it from other JSON.
const FILE_KIND: &str = "offstage-captures";

/// Where a captured run was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// On the server, for a caller of the server.
    Online,
    /// On a device that was offline.
    Offline,
    /// On the server, when the device played its journal back.
    Playback,
}

impl Place {
    /// The place as people read it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Playback => "playback",
        }
    }
}

/// What is known of a run beside its context.
#[derive(Clone, Debug)]
pub struct CaptureHead {
    /// The capture's id.
    pub id: Uuid,
    /// When the run began.
    pub time: Timestamp,
    /// Where it was.
    pub place: Place,
    /// The package.
    pub package: String,
    /// The SHA-256 of the component, in lower-case hex.
    pub sha256: String,
    /// The plug-in type.
    pub plugin_type: String,
}

/// One captured run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// [`CAPTURE_FORMAT`].
    pub format: u16,
    /// The capture's id.
    pub id: Uuid,
    /// When the run began.
    pub time: Timestamp,
    /// Where it was.
    pub place: Place,
    /// The package.
    pub package: String,
    /// The SHA-256 of the component, in lower-case hex.
    pub sha256: String,
    /// The plug-in type.
    pub plugin_type: String,
    /// What the run might use.
    pub limits: CapturedLimits,
    /// What the plug-in was given.
    pub context: ExecutionContext,
    /// Its host calls, in order.
    pub calls: Vec<Call>,
    /// Later calls were left out: there were too many bytes.
    #[serde(default)]
    pub truncated: bool,
    /// What came of it.
    pub outcome: Outcome,
    /// Units of fuel that it used.
    pub fuel: u64,
    /// The peak of its memory, in bytes.
    pub memory_bytes_peak: u64,
    /// How long it took, in microseconds, nested work included.
    pub duration_us: u64,
    /// What it traced.
    pub trace: String,
}

/// The limits of a captured run; its wall time belongs to the machine and is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapturedLimits {
    fuel: u64,
    memory_bytes: usize,
    organization_calls: u32,
    operation_calls: u32,
    #[serde(default = "capability_calls")]
    capability_calls: u32,
    trace_calls: u32,
    trace_bytes: usize,
    transfer_bytes: usize,
}

/// Captures from before there were such calls.
fn capability_calls() -> u32 {
    RunLimits::default().capability_calls
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// It changed its context like this.
    Changed(Vec<ContextChange>),
    /// It failed.
    Failed {
        /// How, in one word, such as `refused` or `trapped`.
        ended: String,
        /// What the caller was told.
        fault: Fault,
        /// What an administrator may see beside that.
        details: String,
    },
}

/// Why something is no capture.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// No JSON, or JSON of another form.
    #[error("it is damaged, or no capture: {0}")]
    Damaged(#[source] serde_json::Error),
    /// Other JSON.
    #[error("it is JSON, and no file of captures")]
    OtherFile,
    /// Made by a newer program.
    #[error("its format is {format}; this program reads up to {CAPTURE_FORMAT}")]
    Newer {
        /// Its format.
        format: u16,
    },
    /// A part says what no run can have.
    #[error("its {part} is not as a run has it")]
    Impossible {
        /// Which part.
        part: &'static str,
    },
    /// A file holds more captures than allowed.
    #[error("it holds {count} captures; at most {FILE_CAPTURES_MAX} are allowed")]
    TooMany {
        /// How many.
        count: usize,
    },
}

impl CapturedLimits {
    /// The units of fuel that the run might use.
    #[must_use]
    pub fn fuel(&self) -> u64 {
        self.fuel
    }

    fn of(limits: &RunLimits) -> Self {
        Self {
            fuel: limits.fuel,
            memory_bytes: limits.memory_bytes,
            organization_calls: limits.organization_calls,
            operation_calls: limits.operation_calls,
            capability_calls: limits.capability_calls,
            trace_calls: limits.trace_calls,
            trace_bytes: limits.trace_bytes,
            transfer_bytes: limits.transfer_bytes,
        }
    }

    /// The same limits with the default wall time.
    pub(crate) fn run_limits(&self) -> RunLimits {
        RunLimits {
            fuel: self.fuel,
            memory_bytes: self.memory_bytes,
            organization_calls: self.organization_calls,
            operation_calls: self.operation_calls,
            capability_calls: self.capability_calls,
            trace_calls: self.trace_calls,
            trace_bytes: self.trace_bytes,
            transfer_bytes: self.transfer_bytes,
            ..RunLimits::default()
        }
    }
}

impl Outcome {
    /// What came of a run.
    pub(crate) fn of(result: &Result<Vec<ContextChange>, RunError>) -> Self {
        match result {
            Ok(changes) => Self::Changed(changes.clone()),
            Err(error) => Self::Failed {
                ended: error.kind.name().to_owned(),
                fault: error.fault(),
                details: error.kind.to_string(),
            },
        }
    }

    /// Whether both mean the same to the caller. How an engine words a trap does not count.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Changed(own), Self::Changed(others)) => {
                serde_json::to_string(own).ok() == serde_json::to_string(others).ok()
            }
            (
                Self::Failed { ended, fault, .. },
                Self::Failed { ended: other_ended, fault: other_fault, .. },
            ) => {
                ended == other_ended
                    && fault.code == other_fault.code
                    && fault.message == other_fault.message
            }
            _ => false,
        }
    }

    /// Whether the machine's clock or load ended the run: that does not happen again by itself.
    #[must_use]
    pub fn depends_on_machine(&self) -> bool {
        matches!(self, Self::Failed { ended, .. } if ended == "deadline" || ended == "busy")
    }

    pub(crate) fn texts_mut(&mut self, change: &mut dyn FnMut(&mut String)) {
        match self {
            Self::Changed(changes) => {
                changes.iter_mut().for_each(|made| texts::of_change(made, change));
            }
            Self::Failed { fault, details, .. } => {
                texts::of_fault(fault, change);
                change(details);
            }
        }
    }
}

impl Capture {
    /// Makes the capture of a run that has ended, without its secrets.
    #[must_use]
    pub fn new(
        head: CaptureHead,
        limits: &RunLimits,
        context: &ExecutionContext,
        recording: Recording,
        run: &Run,
    ) -> Self {
        let mut capture = Self {
            format: CAPTURE_FORMAT,
            id: head.id,
            time: head.time,
            place: head.place,
            package: head.package,
            sha256: head.sha256,
            plugin_type: head.plugin_type,
            limits: CapturedLimits::of(limits),
            context: context.clone(),
            calls: recording.calls,
            truncated: recording.truncated,
            outcome: Outcome::of(&run.result),
            fuel: run.usage.fuel,
            memory_bytes_peak: run.usage.memory_bytes_peak,
            duration_us: run.usage.duration_us,
            trace: run.trace.clone(),
        };
        let redaction = Redaction::new(&context.secure_configuration);
        if redaction.is_needed() {
            let mut hide = |text: &mut String| redaction.hide(text);
            texts::of_context(&mut capture.context, &mut hide);
            capture.outcome.texts_mut(&mut hide);
            hide(&mut capture.trace);
        }
        capture
    }

    /// The bytes that are stored.
    #[must_use]
    pub fn freeze(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("BUG: model types always have a JSON form")
    }

    /// Reads what [`Capture::freeze`] wrote, or somebody claims so.
    ///
    /// # Errors
    /// The bytes are no capture, or one of a newer program.
    pub fn thaw(bytes: &[u8]) -> Result<Self, CaptureError> {
        #[derive(Deserialize)]
        struct Version {
            format: u16,
        }
        let Version { format } = serde_json::from_slice(bytes).map_err(CaptureError::Damaged)?;
        if format > CAPTURE_FORMAT {
            return Err(CaptureError::Newer { format });
        }
        let capture: Self = serde_json::from_slice(bytes).map_err(CaptureError::Damaged)?;
        capture.check()?;
        Ok(capture)
    }

    /// The operation that the run was a part of.
    #[must_use]
    pub fn operation(&self) -> Uuid {
        self.context.operation_id
    }

    /// Whether the run failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { .. })
    }

    fn check(&self) -> Result<(), CaptureError> {
        let hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        let impossible = |part| Err(CaptureError::Impossible { part });
        if self.sha256.len() != 64 || !self.sha256.chars().all(hex) {
            return impossible("content hash");
        }
        if self.plugin_type.is_empty() || self.plugin_type.len() > 256 {
            return impossible("plug-in type");
        }
        if self.package.is_empty() || self.package.len() > 128 {
            return impossible("package id");
        }
        let defaults = RunLimits::default();
        if self.limits.transfer_bytes > 64 << 20 || self.limits.trace_bytes > 16 << 20 {
            return impossible("limits");
        }
        if self.limits.fuel > defaults.fuel.saturating_mul(1_000) || self.fuel > self.limits.fuel {
            return impossible("fuel");
        }
        Ok(())
    }
}

/// An exported file: captures of one or several runs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureFile {
    kind: String,
    format: u16,
    captures: Vec<serde_json::Value>,
}

impl CaptureFile {
    /// The bytes of a file with these captures: one per line, without white space, since deep
    /// structures would take several times the room with it.
    #[must_use]
    pub fn write(captures: &[Capture]) -> Vec<u8> {
        let head =
            format!("{{\"kind\":\"{FILE_KIND}\",\"format\":{CAPTURE_FORMAT},\"captures\":[\n");
        let mut bytes = head.into_bytes();
        for (index, capture) in captures.iter().enumerate() {
            if index > 0 {
                bytes.extend_from_slice(b",\n");
            }
            bytes.extend_from_slice(&capture.freeze());
        }
        bytes.extend_from_slice(b"\n]}\n");
        bytes
    }

    /// The captures of a file.
    ///
    /// # Errors
    /// It is no such file, of a newer program, or damaged; nothing of it counts then.
    pub fn read(bytes: &[u8]) -> Result<Vec<Capture>, CaptureError> {
        #[derive(Deserialize)]
        struct Kind {
            kind: Option<String>,
            format: Option<u16>,
        }
        let kind: Kind = serde_json::from_slice(bytes).map_err(CaptureError::Damaged)?;
        let (Some(FILE_KIND), Some(format)) = (kind.kind.as_deref(), kind.format) else {
            return Err(CaptureError::OtherFile);
        };
        if format > CAPTURE_FORMAT {
            return Err(CaptureError::Newer { format });
        }
        let file: Self = serde_json::from_slice(bytes).map_err(CaptureError::Damaged)?;
        if file.captures.len() > FILE_CAPTURES_MAX {
            return Err(CaptureError::TooMany { count: file.captures.len() });
        }
        file.captures.into_iter().map(|form| Capture::thaw(form.to_string().as_bytes())).collect()
    }
}
