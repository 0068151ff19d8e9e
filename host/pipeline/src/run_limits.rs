//! The limits of a package's runs: what the policy says, within what the host can give.
//!
//! Never enforces one; the sandbox and the guard do.

use crate::options::Limits;
use crate::root::Pipeline;
use crate::session::Session;
use offstage_model::Fault;
use offstage_model::query::PAGE_SIZE_MAX;
use offstage_policy::{Limit, LimitSource, LimitValue, Permissions};
use offstage_sandbox::{
    CORE_INSTANCES_MAX, MEMORIES_MAX, MEMORY_BYTES_MAX, RunLimits, STACK_BYTES_MAX,
    TABLE_ELEMENTS_MAX, TABLES_MAX,
};
use serde::Serialize;
use std::time::Duration;

/// One limit as it holds for a package here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldLimit {
    /// Its name, as in policy files; of a fixed one, a name of the same kind.
    pub name: &'static str,
    /// Its value; the name says the unit.
    pub value: u64,
    /// Where it comes from: `default`, `file:line` of a grant, `ceiling at file:line`, the package, or
    /// `fixed`.
    pub source: String,
}

/// What a limit is when nobody sets it, and the most that the host gives.
fn default_and_most(limit: Limit, limits: &Limits) -> (u64, u64) {
    let run = RunLimits::default();
    let time = u64::try_from(limits.message_time_max.as_millis()).unwrap_or(u64::MAX);
    let count = u64::from(u32::MAX);
    match limit {
        Limit::Fuel => (run.fuel, u64::MAX),
        Limit::MemoryBytes => (run.memory_bytes as u64, MEMORY_BYTES_MAX as u64),
        Limit::WallTimeMs => (time, time),
        Limit::OrganizationCalls => (run.organization_calls.into(), count),
        Limit::OperationCalls => (run.operation_calls.into(), count),
        Limit::CapabilityCalls => (run.capability_calls.into(), count),
        Limit::TraceCalls => (run.trace_calls.into(), count),
        Limit::TraceBytes => (run.trace_bytes as u64, usize::MAX as u64),
        Limit::TransferBytes => (run.transfer_bytes as u64, usize::MAX as u64),
        Limit::RowsPerQuery => (PAGE_SIZE_MAX.into(), PAGE_SIZE_MAX.into()),
        Limit::InstanceReuse => (run.instance_runs.into(), count),
    }
}

/// The value of a limit for a package.
pub(crate) fn value(permissions: &Permissions, limit: Limit, limits: &Limits) -> u64 {
    let (default, most) = default_and_most(limit, limits);
    permissions.limit(limit, default).min(most)
}

impl Session {
    /// The limits of one run, within what is left of the request's time.
    pub(crate) fn run_limits(&self, permissions: &Permissions) -> RunLimits {
        let left = self.deadline().0.saturating_sub(self.pipeline.clock().now().0);
        let left = u64::try_from(left).unwrap_or(0);
        let value = |limit| value(permissions, limit, self.pipeline.limits());
        let size = |limit| usize::try_from(value(limit)).unwrap_or(usize::MAX);
        let calls = |limit| u32::try_from(value(limit)).unwrap_or(u32::MAX);
        RunLimits {
            fuel: value(Limit::Fuel),
            memory_bytes: size(Limit::MemoryBytes),
            wall_time: Duration::from_millis(value(Limit::WallTimeMs).min(left)),
            organization_calls: calls(Limit::OrganizationCalls),
            operation_calls: calls(Limit::OperationCalls),
            capability_calls: calls(Limit::CapabilityCalls),
            trace_calls: calls(Limit::TraceCalls),
            trace_bytes: size(Limit::TraceBytes),
            transfer_bytes: size(Limit::TransferBytes),
            instance_runs: calls(Limit::InstanceReuse),
        }
    }
}

impl Pipeline {
    /// Every limit that holds for a package here; `None` for one that may not run.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn limits_of(&self, package: &str) -> Result<Option<Vec<HeldLimit>>, Fault> {
        let Some(permissions) = self.registry()?.permissions(package) else {
            return Ok(None);
        };
        let set = Limit::ALL.into_iter().map(|limit| {
            let (default, most) = default_and_most(limit, self.limits());
            let LimitValue { value, source } = permissions.explain_limit(limit, default);
            let source = match source {
                LimitSource::Default => "default".to_owned(),
                source if value > most => format!("the most that there is; {source} says more"),
                source => source.to_string(),
            };
            HeldLimit { name: limit.name(), value: value.min(most), source }
        });
        let fixed = [
            ("depth", u64::from(self.limits().depth_max)),
            ("stack_bytes", STACK_BYTES_MAX as u64),
            ("memories", MEMORIES_MAX as u64),
            ("tables", TABLES_MAX as u64),
            ("table_elements", TABLE_ELEMENTS_MAX as u64),
            ("instances", CORE_INSTANCES_MAX as u64),
        ];
        let fixed = fixed.map(|(name, value)| HeldLimit { name, value, source: "fixed".into() });
        Ok(Some(set.chain(fixed).collect()))
    }
}
