//! What one run of a plug-in may use, and the fixed limits of the engine.
//!
//! Never enforces anything; `meter`, `state` and `engine` do.

use std::time::Duration;

/// The most linear memory that a plug-in can be given, in bytes: the size of a pool slot.
pub const MEMORY_BYTES_MAX: usize = 64 << 20;
/// The most elements in one table of a plug-in.
pub const TABLE_ELEMENTS_MAX: usize = 20_000;
/// The most tables in one run.
pub const TABLES_MAX: usize = 16;
/// The most linear memories in one run.
pub const MEMORIES_MAX: usize = 4;
/// The most core instances in one run. A component has a few beside the plug-in's own module; one
/// with CPython has 38, since its libraries are modules of their own.
pub const CORE_INSTANCES_MAX: usize = 64;
/// The stack of a plug-in, in bytes. It counts per run: nested runs have one each.
pub const STACK_BYTES_MAX: usize = 512 << 10;
/// The most runs that may be open at once, nested ones included.
pub const INSTANCES_MAX: u32 = 256;
/// The longest message of a plug-in's fault, in bytes; the rest is cut off.
pub(crate) const FAULT_MESSAGE_BYTES_MAX: usize = 8 << 10;
/// The longest wall time that can be asked for; longer ones are shortened to it.
pub(crate) const WALL_TIME_MAX: Duration = Duration::from_secs(3_600);

/// What one run of a plug-in may use. Starting the plug-in counts.
///
/// Fuel is the limit that makes a run end at the same point on a device and on the server. Wall
/// time is the backstop: it covers the host calls too, with everything that runs nested in them,
/// and depends on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunLimits {
    /// WebAssembly instructions, more or less: one unit each, and bulk operations by their length.
    /// A nested run has fuel of its own; depth and wall time bound the whole.
    pub fuel: u64,
    /// Linear memory in bytes, over all memories; at most [`MEMORY_BYTES_MAX`].
    pub memory_bytes: usize,
    /// Wall time that is left for the outermost request. A plug-in is never ended because a nested
    /// request took long, unless this has passed for all of them.
    pub wall_time: Duration,
    /// Calls of the organization service, ParentContext and IsOfflinePlayback.
    pub organization_calls: u32,
    /// Calls for times, ids and random numbers.
    pub operation_calls: u32,
    /// Calls for files and outbound HTTP.
    pub capability_calls: u32,
    /// Calls that trace. Text beyond `trace_bytes` is dropped, the calls still count.
    pub trace_calls: u32,
    /// Trace text that is kept, in bytes.
    pub trace_bytes: usize,
    /// Data that one host call, or the result, may carry out of the plug-in, in bytes.
    pub transfer_bytes: usize,
    /// Runs that one instance may serve, for the same users and only while all succeed; 1 makes a
    /// fresh instance for each. Starting the plug-in then counts for the first of them only.
    pub instance_runs: u32,
}

impl Default for RunLimits {
    /// 500 M fuel (about one second of computing), 64 MiB, 120 s of wall time, 5,000 organization calls,
    /// 20,000 operation calls, 1,000 capability calls, 10,000 trace calls, 64 KiB of trace, 1 MiB per
    /// transfer, a fresh instance.
    fn default() -> Self {
        Self {
            fuel: 500_000_000,
            memory_bytes: MEMORY_BYTES_MAX,
            wall_time: Duration::from_secs(120),
            organization_calls: 5_000,
            operation_calls: 20_000,
            capability_calls: 1_000,
            trace_calls: 10_000,
            trace_bytes: 64 << 10,
            transfer_bytes: 1 << 20,
            instance_runs: 1,
        }
    }
}
