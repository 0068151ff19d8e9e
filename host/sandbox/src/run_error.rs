//! Why a run of a plug-in ended without a result, and the fault that the caller gets for it.
//!
//! Never tells the caller what only the trace may hold: addresses, function names, internals.

use crate::convert::ConvertError;
use crate::limits::TABLE_ELEMENTS_MAX;
use crate::meter::Stop;
use crate::{RunLimits, STACK_BYTES_MAX};
use offstage_model::{Fault, code};
use std::fmt;
use wasmtime::{PoolConcurrencyLimitError, Trap};

/// A class of host calls; each has a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallClass {
    /// The organization service, ParentContext, IsOfflinePlayback.
    Organization,
    /// Times, ids and random numbers.
    Operation,
    /// Files and outbound HTTP.
    Capability,
    /// Tracing.
    Trace,
}

impl fmt::Display for CallClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Organization => "organization service",
            Self::Operation => "operation",
            Self::Capability => "capability",
            Self::Trace => "trace",
        })
    }
}

/// Why a run ended without a result. Shown in full it has details for administrators;
/// [`RunError::fault`] is what the caller may see.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("plug-in '{plugin_type}': {kind}")]
pub struct RunError {
    /// The plug-in type that ran.
    pub plugin_type: String,
    /// What happened.
    #[source]
    pub kind: RunErrorKind,
}

/// What ended a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunErrorKind {
    /// The plug-in itself returned a fault.
    #[error("it refused: {0}")]
    Refused(Fault),
    /// The plug-in trapped: a panic, an access outside its memory, a bad pointer ...
    #[error("it trapped: {details}")]
    Trapped {
        /// What the engine says, with the stack of functions.
        details: String,
    },
    /// All fuel is used.
    #[error("it used up its {fuel} units of fuel")]
    OutOfFuel {
        /// The limit.
        fuel: u64,
    },
    /// The wall time passed.
    #[error("its wall time of {wall_time_ms} ms has passed")]
    Deadline {
        /// The time that was left when it started.
        wall_time_ms: u64,
    },
    /// More memory than allowed.
    #[error("it asked for {wanted} bytes of memory and may have {memory_bytes}")]
    OutOfMemory {
        /// What it asked for, over all memories.
        wanted: usize,
        /// The limit.
        memory_bytes: usize,
    },
    /// A larger table than allowed.
    #[error("it asked for a table of {wanted} elements and may have {TABLE_ELEMENTS_MAX}")]
    TableTooLarge {
        /// What it asked for.
        wanted: usize,
    },
    /// The stack is used up.
    #[error("it used up its stack of {STACK_BYTES_MAX} bytes")]
    StackOverflow,
    /// Too many host calls.
    #[error("it made more than {calls_max} {class} calls")]
    TooManyCalls {
        /// Which calls.
        class: CallClass,
        /// The limit.
        calls_max: u32,
    },
    /// More data in one host call, or in the result, than allowed.
    #[error("it passed more than {transfer_bytes} bytes to the host at once")]
    TooMuchData {
        /// The limit.
        transfer_bytes: usize,
    },
    /// The changes that it returned are not usable.
    #[error("its result is not usable: {0}")]
    BadResult(#[source] ConvertError),
    /// Too many runs are open at once.
    #[error("no instance is free: {details}")]
    Busy {
        /// Which part of the pool is used up.
        details: String,
    },
}

impl RunErrorKind {
    /// Sorts what the engine reports.
    pub(crate) fn of(error: &wasmtime::Error, limits: &RunLimits) -> Self {
        if let Some(stop) = error.downcast_ref::<Stop>() {
            return Self::of_stop(*stop, limits);
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => return Self::OutOfFuel { fuel: limits.fuel },
            Some(Trap::StackOverflow) => return Self::StackOverflow,
            Some(Trap::Interrupt) => return Self::of_stop(Stop::Deadline, limits),
            _ => {}
        }
        if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
            return Self::Busy { details: format!("{error:#}") };
        }
        let details = format!("{error:?}");
        // The engine has no type of its own for it.
        if details.contains("too much data is being copied") {
            return Self::TooMuchData { transfer_bytes: limits.transfer_bytes };
        }
        Self::Trapped { details }
    }

    fn of_stop(stop: Stop, limits: &RunLimits) -> Self {
        match stop {
            Stop::Deadline => Self::Deadline {
                wall_time_ms: u64::try_from(limits.wall_time.as_millis()).unwrap_or(u64::MAX),
            },
            Stop::Memory { wanted } => {
                Self::OutOfMemory { wanted, memory_bytes: limits.memory_bytes }
            }
            Stop::Table { wanted } => Self::TableTooLarge { wanted },
            Stop::Calls { class, calls_max } => Self::TooManyCalls { class, calls_max },
        }
    }

    /// Whether the sandbox ended the run for what it did: everything but a refusal of the plug-in
    /// and a lack of free instances.
    #[must_use]
    pub fn is_violation(&self) -> bool {
        !matches!(self, Self::Refused(_) | Self::Busy { .. })
    }

    /// The kind in one word, as captures name it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Trapped { .. } => "trapped",
            Self::OutOfFuel { .. } => "out-of-fuel",
            Self::Deadline { .. } => "deadline",
            Self::OutOfMemory { .. } => "out-of-memory",
            Self::TableTooLarge { .. } => "table-too-large",
            Self::StackOverflow => "stack-overflow",
            Self::TooManyCalls { .. } => "too-many-calls",
            Self::TooMuchData { .. } => "too-much-data",
            Self::BadResult(_) => "bad-result",
            Self::Busy { .. } => "busy",
        }
    }

    fn code(&self) -> u32 {
        match self {
            Self::Refused(fault) => fault.code,
            Self::Trapped { .. } | Self::BadResult(_) => code::ISV_UNEXPECTED,
            Self::OutOfFuel { .. } | Self::Deadline { .. } => code::PLUGIN_TIMEOUT,
            Self::OutOfMemory { .. }
            | Self::TableTooLarge { .. }
            | Self::StackOverflow
            | Self::TooManyCalls { .. }
            | Self::TooMuchData { .. } => code::PLUGIN_CRASHED,
            // It ran into other runs, not into a limit of its own: later it may succeed.
            Self::Busy { .. } => code::LIMIT_EXCEEDED,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Refused(_) => "",
            Self::Trapped { .. } => "The plug-in's trace has the details.",
            Self::OutOfFuel { .. } => "Look for an endless loop, or do less in one run.",
            Self::Deadline { .. } => {
                "Everything that the request caused counts; look in the traces for what took long."
            }
            Self::OutOfMemory { .. } => "Work on pages of rows and free what is not needed.",
            Self::TableTooLarge { .. } => "A plug-in needs no tables that grow.",
            Self::StackOverflow => "Look for endless recursion, or use a loop.",
            Self::TooManyCalls { .. } => "Ask for many rows at once, and look for an endless loop.",
            Self::TooMuchData { .. } => "Pass large data in several requests.",
            Self::BadResult(_) => "Build the package with the SDK of this version.",
            Self::Busy { .. } => "Try again; fewer requests at once need fewer instances.",
        }
    }
}

impl RunError {
    /// What the caller is told (`pipeline.md`, "Stages": a plug-in's own fault keeps its message,
    /// code and status; of a trap the details stay in the trace).
    #[must_use]
    pub fn fault(&self) -> Fault {
        let plugin_type = &self.plugin_type;
        let message = match &self.kind {
            RunErrorKind::Refused(fault) => return fault.clone(),
            RunErrorKind::Trapped { .. } => {
                format!("An unexpected error occurred in the plug-in '{plugin_type}'.")
            }
            RunErrorKind::Busy { .. } => {
                format!("The plug-in '{plugin_type}' cannot start: too many plug-ins run now.")
            }
            kind => format!("The plug-in '{plugin_type}' was ended: {kind}."),
        };
        let fault = Fault::new(self.kind.code(), message).hint(self.kind.hint());
        // The clock of a busy machine ended it: that says nothing about the request.
        match &self.kind {
            RunErrorKind::Deadline { .. } => fault.timed_out(),
            _ => fault,
        }
    }
}
