//! Counts memory and tables of one run and ends it when they pass their limit.
//!
//! Never refuses quietly: a plug-in that runs out of memory ends there with an error that says so,
//! and not later in some way that its allocator chooses.

use crate::limits::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX};
use wasmtime::ResourceLimiter;

/// Why the host ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// The wall time has passed.
    #[error("the deadline has passed")]
    Deadline,
    /// More memory than allowed.
    #[error("{wanted} bytes of memory were asked for")]
    Memory {
        /// Bytes over all memories.
        wanted: usize,
    },
    /// A larger table than allowed.
    #[error("a table of {wanted} elements was asked for")]
    Table {
        /// Elements.
        wanted: usize,
    },
    /// Too many calls of one class.
    #[error("too many host calls")]
    Calls {
        /// Which calls.
        class: crate::CallClass,
        /// How many are allowed.
        calls_max: u32,
    },
}

/// Memory in use by one run.
#[derive(Debug)]
pub(crate) struct Meter {
    bytes: usize,
    bytes_peak: usize,
    bytes_max: usize,
}

impl Meter {
    /// Allows `bytes_max` bytes over all memories.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes: 0, bytes_peak: 0, bytes_max }
    }

    /// Goes on to the next run of an instance: its memory stays in use.
    pub(crate) fn next_run(&self, bytes_max: usize) -> Self {
        Self { bytes: self.bytes, bytes_peak: self.bytes, bytes_max }
    }

    /// The most memory that was in use.
    pub(crate) fn bytes_peak(&self) -> u64 {
        self.bytes_peak as u64
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.bytes.saturating_add(desired.saturating_sub(current));
        if wanted > self.bytes_max {
            return Err(Stop::Memory { wanted }.into());
        }
        self.bytes = wanted;
        self.bytes_peak = self.bytes_peak.max(wanted);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // Allowed, and still not to be had: the run ends here as well.
        Err(error)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS_MAX {
            return Err(Stop::Table { wanted: desired }.into());
        }
        Ok(true)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(error)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}
