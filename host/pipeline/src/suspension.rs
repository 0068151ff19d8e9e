//! Suspends a package whose runs the sandbox ends again and again, until somebody resumes it.
//!
//! The steps of a suspended package refuse: skipped silently, the rule that they are there for would
//! be gone. What is counted outlives the rollback of the request that it came from. Never counts a
//! refusal, which is what plug-ins are for.

use crate::access::require_administrator;
use crate::audit::{AuditRecord, ResumptionRecord, SuspensionRecord, ViolationRecord};
use crate::caller::Caller;
use crate::options::{Limits, Side};
use crate::root::Pipeline;
use crate::session::Session;
use offstage_model::registration::Step;
use offstage_model::{Fault, Timestamp, code};
use offstage_sandbox::{Run, RunErrorKind};
use offstage_store::{StoreError, TraceRow, Tx, ViolationRow};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The longest reason that is kept, in bytes; the trace has all of it.
const REASON_BYTES_MAX: usize = 300;

/// Packages with violations, as of one version of them.
#[derive(Debug, Default)]
pub(crate) struct Health {
    version: u64,
    rows: BTreeMap<String, ViolationRow>,
}

impl Health {
    fn load(tx: &mut Tx, version: u64) -> Result<Self, StoreError> {
        let rows = tx.violations()?.into_iter().map(|row| (row.package.clone(), row)).collect();
        Ok(Self { version, rows })
    }

    /// The violations of this build of a package.
    fn of(&self, package: &str, sha256: &str) -> Option<&ViolationRow> {
        self.rows.get(package).filter(|row| row.sha256 == sha256)
    }
}

/// How a run went, for the count.
#[derive(Clone, Debug)]
pub(crate) enum RunEvent {
    /// It ended by itself.
    Worked { package: String },
    /// The sandbox ended it.
    Violated(ViolationRecord),
}

impl RunEvent {
    fn package(&self) -> &str {
        match self {
            Self::Worked { package } => package,
            Self::Violated(violation) => &violation.package,
        }
    }
}

impl Session {
    /// Refuses to run a step of a suspended package.
    pub(crate) fn refuse_suspended(&self, step: &Step) -> Result<(), Fault> {
        let build = self.registry.build(&step.package);
        let suspended = self.health.of(&step.package, build).filter(|r| r.suspended.is_some());
        let Some(row) = suspended else {
            return Ok(());
        };
        let package = &step.package;
        let mut fault = Fault::new(
            code::PLUGIN_SUSPENDED,
            format!(
                "The plug-in '{package}' is suspended and its step '{}' cannot run: {} of its runs in a row were ended by the sandbox.",
                step.declaration.key, row.count
            ),
        )
        .hint(format!(
            "An administrator looks at `offstage plugin show {package}` and types `offstage plugin resume {package}`, or registers a better build."
        ));
        fault.step = Some(step.declaration.key.clone());
        Err(fault)
    }

    /// How many runs of this request the sandbox has ended so far.
    pub(crate) fn violations(&self) -> usize {
        self.run_events.iter().filter(|e| matches!(e, RunEvent::Violated(_))).count()
    }

    /// Notes how a run went; `violations_before` is what [`Session::violations`] was when it began.
    pub(crate) fn note_run(&mut self, step: &Step, run: &Run, violations_before: usize) {
        let package = step.package.clone();
        let build = self.registry.build(&package).to_owned();
        let event = match &run.result {
            Err(error) => {
                let is_nested = self.violations() > violations_before;
                let time_max = self.pipeline.limits().message_time_max;
                if !is_own_violation(&error.kind, is_nested, run.usage.duration_us, time_max) {
                    return;
                }
                RunEvent::Violated(ViolationRecord {
                    time: self.pipeline.clock().now().0,
                    sha256: build,
                    step: step.declaration.key.clone(),
                    operation: self.root.operation.to_string(),
                    user: self.root.caller.user.to_string(),
                    reason: reason(&error.kind),
                    package,
                })
            }
            Ok(_) => {
                let counted = self.health.of(&package, &build).is_some()
                    || self.run_events.iter().any(|event| event.package() == package);
                if !counted {
                    return;
                }
                RunEvent::Worked { package }
            }
        };
        self.run_events.push(event);
    }
}

/// Whether a run broke a limit by itself, and not because of what was nested in it.
///
/// A plug-in that gives up because another one was ended below it is not to blame, nor is one that
/// got only the rest of a time that others had used up.
fn is_own_violation(
    kind: &RunErrorKind,
    is_nested: bool,
    duration_us: u64,
    time_max: Duration,
) -> bool {
    match kind {
        RunErrorKind::Trapped { .. } => !is_nested,
        RunErrorKind::Deadline { .. } => {
            !is_nested && u128::from(duration_us) * 2 >= time_max.as_micros()
        }
        kind => kind.is_violation(),
    }
}

/// One line: of a trap its cause, which stands below the plug-in's frames.
fn reason(kind: &RunErrorKind) -> String {
    let text = kind.to_string();
    let line = text.lines().next().unwrap_or_default();
    let cause = text.lines().map(str::trim).find(|line| line.starts_with("wasm trap: "));
    let line = cause.map_or_else(|| line.to_owned(), |cause| format!("it trapped: {cause}"));
    line[..line.floor_char_boundary(REASON_BYTES_MAX)].to_owned()
}

/// Writes what was counted, and says in the traces which packages are suspended from now on; returns
/// what the audit has to say, once this has committed.
pub(crate) fn keep(
    tx: &mut Tx,
    events: &[RunEvent],
    traces: &mut [TraceRow],
    limits: &Limits,
    now: Timestamp,
) -> Result<Vec<AuditRecord>, StoreError> {
    let mut records = Vec::new();
    for event in events {
        match event {
            RunEvent::Worked { package } => {
                if tx.violation(package)?.is_some_and(|row| row.suspended.is_none()) {
                    tx.remove_violation(package)?;
                }
            }
            RunEvent::Violated(violation) => {
                records.push(AuditRecord::Violation(violation.clone()));
                records.extend(count(tx, violation, traces, limits, now)?);
            }
        }
    }
    Ok(records)
}

/// Counts a violation; says when it was one too many.
fn count(
    tx: &mut Tx,
    violation: &ViolationRecord,
    traces: &mut [TraceRow],
    limits: &Limits,
    now: Timestamp,
) -> Result<Option<AuditRecord>, StoreError> {
    let ViolationRecord { package, sha256, step, reason, .. } = violation;
    let before = tx.violation(package)?.filter(|row| row.sha256 == *sha256);
    let count = before.as_ref().map_or(0, |row| row.count).saturating_add(1);
    let since = before.and_then(|row| row.suspended);
    let too_many = limits.violations_max > 0 && count >= limits.violations_max;
    tx.put_violation(&ViolationRow {
        package: package.clone(),
        sha256: sha256.clone(),
        count,
        step: step.clone(),
        reason: reason.clone(),
        time: now,
        suspended: since.or(too_many.then_some(now)),
    })?;
    if !too_many || since.is_some() {
        return Ok(None);
    }
    announce(package, count, step, traces);
    Ok(Some(AuditRecord::Suspension(SuspensionRecord {
        time: now.0,
        package: package.clone(),
        sha256: sha256.clone(),
        step: step.clone(),
        runs: count,
        reason: reason.clone(),
        remedy: format!(
            "`offstage plugin show {package}` says more; `offstage plugin resume {package}`, or a better build, lets it run again."
        ),
    })))
}

fn announce(package: &str, count: u32, step: &str, traces: &mut [TraceRow]) {
    tracing::warn!(package, count, step, "plug-in suspended");
    let failed = traces.iter_mut().rev().find(|row| row.step == step && row.exception.is_some());
    if let Some(row) = failed {
        row.trace.push_str(&format!(
            "\n[host] the plug-in '{package}' is suspended now: {count} runs in a row were ended"
        ));
    }
}

impl Pipeline {
    /// The violations as of `tx`.
    pub(crate) fn current_health(&self, tx: &mut Tx) -> Result<Arc<Health>, Fault> {
        let version = tx.violation_version()?;
        if let Some(health) = self.cached_health().filter(|health| health.version == version) {
            return Ok(health);
        }
        let health = Arc::new(Health::load(tx, version)?);
        self.cache_health(Some(Arc::clone(&health)));
        Ok(health)
    }

    /// The packages that are suspended here, with the reason.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn suspended(&self) -> Result<Vec<ViolationRow>, Fault> {
        let mut tx = self.store().read()?;
        let packages = tx.packages()?;
        let is_current = |row: &ViolationRow| {
            packages.iter().any(|p| p.id == row.package && p.sha256 == row.sha256)
        };
        let rows = tx.violations()?;
        Ok(rows.into_iter().filter(|r| r.suspended.is_some() && is_current(r)).collect())
    }

    /// Lets the steps of a suspended package run again; says whether it was suspended.
    ///
    /// # Errors
    /// On a server, the caller is no administrator. There is no such package.
    pub fn resume_package(&self, caller: &Caller, package: &str) -> Result<bool, Fault> {
        if self.side() == Side::Server {
            require_administrator(caller, "resume plug-ins")?;
        }
        let mut tx = self.store().write()?;
        if tx.packages()?.iter().all(|known| known.id != package) {
            return Err(crate::registration::unknown_package(package));
        }
        let suspended = tx.violation(package)?.is_some_and(|row| row.suspended.is_some());
        tx.remove_violation(package)?;
        tx.commit()?;
        if suspended {
            self.announce(vec![AuditRecord::Resumption(ResumptionRecord {
                time: self.clock().now().0,
                package: package.to_owned(),
                user: caller.user.to_string(),
            })]);
        }
        Ok(suspended)
    }
}
