//! The event execution pipeline: the only way to change a row, on a device and on the server alike.
//!
//! A request goes through the stages 10, 20, 30 and 40 in one transaction; requests that plug-ins
//! make re-enter it (`pipeline.md`). On a device each root operation is journaled in that
//! transaction; on the server [`Pipeline::play`] runs a journal entry a second time and reconciles
//! the two runs (`playback.md`).
//!
//! Never talks to a network and never reads the clock but through the ports that are passed in.

mod access;
mod alias;
mod audit;
mod caller;
mod capture;
mod context;
mod file_calls;
mod file_doors;
mod guard;
mod http_calls;
mod images;
mod main_operation;
mod operation;
mod options;
mod package;
mod playback;
mod plugin_state;
mod reconcile;
mod registration;
mod registry;
mod root;
mod run_limits;
mod services;
mod session;
mod stages;
mod step_run;
mod subject;
mod suspension;
mod touched;
mod trace;
mod upgrade;

pub use audit::{
    Audit, AuditRecord, DenialRecord, LogAudit, RefusalRecord, ResumptionRecord, SkipRecord,
    SuspensionRecord, ViolationRecord,
};
pub use caller::{CallOptions, Caller, Superseded};
pub use capture::{CaptureMode, CapturePolicy};
pub use file_doors::NamedDirectory;
pub use http_calls::RecordedHttp;
pub use options::{Limits, Organization, PipelineOptions, Side};
pub use package::facts;
pub use playback::{DeviceClock, PlayContext, Played, refused_state};
pub use plugin_state::{PluginStanding, PluginState};
pub use registration::{Registered, StepChange};
pub use registry::{Registry, SkippedPackage};
pub use root::{DeviceIdentity, Pipeline, settings};
pub use run_limits::HeldLimit;
pub use trace::TraceLevel;
