//! Limits of a run that a policy may set.
//!
//! Never knows what a limit is when nobody set it; the pipeline has the defaults.

/// A limit of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// WebAssembly instructions, more or less.
    Fuel,
    /// Linear memory, in bytes.
    MemoryBytes,
    /// Wall time with all host calls, in milliseconds.
    WallTimeMs,
    /// Calls of the organization service.
    OrganizationCalls,
    /// Calls for times, ids and random numbers.
    OperationCalls,
    /// Calls for files and outbound HTTP.
    CapabilityCalls,
    /// Calls that trace.
    TraceCalls,
    /// Trace text that is kept, in bytes.
    TraceBytes,
    /// Data that one call may carry out of the plug-in, in bytes.
    TransferBytes,
    /// Rows that one query may return.
    RowsPerQuery,
    /// Runs that one instance may serve; 0 makes a fresh one for each.
    InstanceReuse,
}

impl Limit {
    /// All limits.
    pub const ALL: [Self; 11] = [
        Self::Fuel,
        Self::MemoryBytes,
        Self::WallTimeMs,
        Self::OrganizationCalls,
        Self::OperationCalls,
        Self::CapabilityCalls,
        Self::TraceCalls,
        Self::TraceBytes,
        Self::TransferBytes,
        Self::RowsPerQuery,
        Self::InstanceReuse,
    ];

    /// The word in policy files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fuel => "fuel",
            Self::MemoryBytes => "memory_bytes",
            Self::WallTimeMs => "wall_time_ms",
            Self::OrganizationCalls => "organization_calls",
            Self::OperationCalls => "operation_calls",
            Self::CapabilityCalls => "capability_calls",
            Self::TraceCalls => "trace_calls",
            Self::TraceBytes => "trace_bytes",
            Self::TransferBytes => "transfer_bytes",
            Self::RowsPerQuery => "rows_per_query",
            Self::InstanceReuse => "instance_reuse",
        }
    }

    /// The limit of a word.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.name() == name)
    }
}
