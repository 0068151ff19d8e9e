//! The engine's settings, as measured and reviewed (`sandbox.md`, "Engine settings that were
//! measured"), each turned to the safe side.
//!
//! Never links WASI: no interface of the machine exists in this process for a plug-in to find.

use crate::SandboxError;
use crate::limits::{
    CORE_INSTANCES_MAX, MEMORIES_MAX, MEMORY_BYTES_MAX, STACK_BYTES_MAX, TABLE_ELEMENTS_MAX,
    TABLES_MAX,
};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    WasmBacktraceDetails, WasmFeatures,
};

/// Memory of a pool slot that is cleared by writing and kept, in bytes: above it, pages go back to
/// the kernel.
const KEEP_RESIDENT_BYTES: usize = 64 << 10;
/// A component instance's own bookkeeping in the host, in bytes.
const INSTANCE_DATA_BYTES: usize = 1 << 20;

/// Makes the engine: with a pool for `instances_max` runs, or, where its address space is not to
/// be had, without one.
pub(crate) fn engine(instances_max: u32) -> Result<Engine, SandboxError> {
    let mut config = config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances_max)));
    match Engine::new(&config) {
        Ok(engine) => Ok(engine),
        Err(error) => {
            tracing::warn!(
                error = format!("{error:#}"),
                "no pool for plug-in instances; each run will allocate its memory"
            );
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            Engine::new(&config).map_err(|source| SandboxError::Engine { source })
        }
    }
}

/// Makes the engine for plug-ins that are debugged: native debug information, no optimization, and
/// memory on demand, since few run.
///
/// Everything that decides what a plug-in computes, and when its fuel ends, is as in [`engine`].
pub(crate) fn debug_engine() -> Result<Engine, SandboxError> {
    let mut config = config();
    // Reading the debug information that the plug-in made is a parser more that it can attack, which
    // is why this engine gets only plug-ins that the operator named.
    config
        .debug_info(true)
        .cranelift_opt_level(OptLevel::None)
        .allocation_strategy(InstanceAllocationStrategy::OnDemand);
    Engine::new(&config).map_err(|source| SandboxError::Engine { source })
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        // Explicit bounds checks: a few percent for plug-ins that compute, and no mmap lock and TLB
        // shoot-down between threads for all the others.
        .signals_based_traps(false)
        .memory_reservation(MEMORY_BYTES_MAX as u64)
        .memory_reservation_for_growth(0)
        .memory_guard_size(0)
        .guard_before_linear_memory(false)
        .memory_may_move(false)
        .max_wasm_stack(STACK_BYTES_MAX)
        .consume_fuel(true)
        .epoch_interruption(true)
        // Function names come from the name section. Lines would mean to parse debug information
        // that the plug-in made, without a limit on the time that takes.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    deterministic(&mut config);
    proposals(&mut config);
    config
}

/// The same bits on every machine, so that the offline and the playback run agree.
fn deterministic(config: &mut Config) {
    config.cranelift_nan_canonicalization(true).relaxed_simd_deterministic(true);
}

/// Nothing that a plug-in does not need: each proposal is attack surface.
fn proposals(config: &mut Config) {
    let off = WasmFeatures::THREADS
        | WasmFeatures::SHARED_EVERYTHING_THREADS
        | WasmFeatures::MEMORY64
        | WasmFeatures::GC
        | WasmFeatures::FUNCTION_REFERENCES
        | WasmFeatures::EXCEPTIONS
        | WasmFeatures::STACK_SWITCHING
        | WasmFeatures::CUSTOM_PAGE_SIZES
        | WasmFeatures::WIDE_ARITHMETIC;
    config
        .wasm_component_model(true)
        .wasm_features(off, false)
        .concurrency_support(false)
        .shared_memory(false)
        .gc_support(false);
}

fn pool(instances_max: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    let core_instances_max = instances_max.saturating_mul(8);
    pool.total_component_instances(instances_max)
        .total_core_instances(core_instances_max)
        .total_memories(instances_max)
        .total_tables(instances_max.saturating_mul(4))
        .max_memory_size(MEMORY_BYTES_MAX)
        .max_memories_per_component(MEMORIES_MAX as u32)
        .max_tables_per_component(TABLES_MAX as u32)
        .max_core_instances_per_component(CORE_INSTANCES_MAX as u32)
        .max_component_instance_size(INSTANCE_DATA_BYTES)
        .max_core_instance_size(INSTANCE_DATA_BYTES)
        .table_elements(TABLE_ELEMENTS_MAX)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(KEEP_RESIDENT_BYTES)
        // Linux 6.7 and later; elsewhere the pool clears memory without it.
        .pagemap_scan(Enabled::Auto);
    pool
}
