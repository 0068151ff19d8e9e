//! What a pipeline is made of, and its limits. Never opens anything itself.

use crate::audit::Audit;
use offstage_model::{Clock, Randomness, Uuid};
use offstage_policy::{PolicyFile, TrustFile};
use offstage_sandbox::Sandbox;
use offstage_store::Store;
use std::sync::Arc;
use std::time::Duration;

/// Which side of the wire a pipeline is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The authority: steps with deployment server or both run.
    Server,
    /// A device while it is offline: steps with deployment offline or both run, and each root
    /// operation is journaled.
    Device,
}

/// The organization, as plug-ins see it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Organization {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}

/// Limits of the pipeline (`pipeline.md`, "Stages").
#[derive(Clone, Debug)]
pub struct Limits {
    /// The deepest nesting of operations. Default 8.
    pub depth_max: u32,
    /// A plug-in that takes longer is warned about in the trace. Default 2 s.
    pub step_warning: Duration,
    /// One outermost message with all its plug-ins. Default 120 s.
    pub message_time_max: Duration,
    /// Requests in one ExecuteTransaction. Default 1,000.
    pub transaction_requests_max: usize,
    /// Rows that one cascade may touch. Default 10,000.
    pub cascade_rows_max: usize,
    /// Operations below one root, all levels. Default 10,000.
    pub operations_max: u32,
    /// Trace rows kept. Default 10,000.
    pub trace_rows_max: usize,
    /// Runs of a package in a row that the sandbox ended, after which the package is suspended.
    /// Default 5; 0: never.
    pub violations_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth_max: 8,
            step_warning: Duration::from_secs(2),
            message_time_max: Duration::from_secs(120),
            transaction_requests_max: 1_000,
            cascade_rows_max: 10_000,
            operations_max: 10_000,
            trace_rows_max: 10_000,
            violations_max: 5,
        }
    }
}

/// Everything that a pipeline needs.
pub struct PipelineOptions {
    /// Rows, journal, receipts, registration.
    pub store: Store,
    /// Runs plug-ins.
    pub sandbox: Arc<Sandbox>,
    /// Which packages may run here.
    pub trust: TrustFile,
    /// What they may do here.
    pub policy: PolicyFile,
    /// Server or device.
    pub side: Side,
    /// Where denials of the policy go.
    pub audit: Arc<dyn Audit>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The random source.
    pub random: Arc<dyn Randomness>,
    /// The organization.
    pub organization: Organization,
    /// Limits.
    pub limits: Limits,
}
