//! Audit records: what was denied to a plug-in, each run that the sandbox ended, suspensions and
//! their ends, and packages that do not run or are not taken, as a line of JSON each.
//!
//! They are for the operator; a plug-in learns only that it may not. Never writes a file; whoever
//! opens the pipeline passes in where records go.

use offstage_policy::Capability;
use serde::Serialize;

/// One thing that happened to a plug-in; `event` in the line of JSON says which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum AuditRecord {
    /// The policy denied it something.
    Denial(DenialRecord),
    /// The sandbox ended too many of its runs in a row: its steps refuse from now on.
    Suspension(SuspensionRecord),
    /// Somebody lets it run again.
    Resumption(ResumptionRecord),
    /// The sandbox ended a run, because it trapped or ran into a limit.
    Violation(ViolationRecord),
    /// It is registered and does not run here.
    Skip(SkipRecord),
    /// Somebody wanted to register it, and it was not taken.
    Refusal(RefusalRecord),
}

/// One run that the sandbox ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ViolationRecord {
    /// When, in milliseconds since the epoch.
    pub time: i64,
    /// The package.
    pub package: String,
    /// The hash of its component.
    pub sha256: String,
    /// The step, by key.
    pub step: String,
    /// The root operation.
    pub operation: String,
    /// The user on whose behalf it ran.
    pub user: String,
    /// Why it was ended.
    pub reason: String,
}

/// One registered package that does not run here; once in each process, and again when the reason
/// changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SkipRecord {
    /// When, in milliseconds since the epoch.
    pub time: i64,
    /// The package.
    pub package: String,
    /// The hash of its component.
    pub sha256: String,
    /// Why it does not run.
    pub reason: String,
    /// What to do about it.
    pub remedy: String,
}

/// One package that was not registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusalRecord {
    /// When, in milliseconds since the epoch.
    pub time: i64,
    /// The package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The hash of its component.
    pub sha256: String,
    /// Who wanted it.
    pub user: String,
    /// Why it was not taken.
    pub reason: String,
}

/// One suspension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SuspensionRecord {
    /// When, in milliseconds since the epoch.
    pub time: i64,
    /// The package.
    pub package: String,
    /// The hash of its component.
    pub sha256: String,
    /// The step whose run was the last, by key.
    pub step: String,
    /// How many runs in a row the sandbox ended.
    pub runs: u32,
    /// Why it ended the last one.
    pub reason: String,
    /// What to do about it.
    pub remedy: String,
}

/// The end of a suspension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResumptionRecord {
    /// When, in milliseconds since the epoch.
    pub time: i64,
    /// The package.
    pub package: String,
    /// Who resumed it.
    pub user: String,
}

/// One denial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DenialRecord {
    /// When, in milliseconds since the epoch.
    pub time: i64,
    /// The package.
    pub package: String,
    /// The plug-in type.
    pub plugin_type: String,
    /// The step, by key.
    pub step: String,
    /// The root operation.
    pub operation: String,
    /// The user on whose behalf it ran.
    pub user: String,
    /// What was asked, as `kind resource`.
    pub capability: String,
    /// `denied`, `not-requested`, `not-granted` or `above-ceiling`.
    pub cause: &'static str,
    /// The rule that denies, as `file:line`, or the file in which there is none.
    pub rule: String,
    /// Whether the package requested it.
    pub requested: bool,
    /// The package's reason, when it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to add, and where, so that it is allowed.
    pub remedy: String,
}

impl AuditRecord {
    /// The record as one line, without a line end.
    #[must_use]
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("BUG: a record always has a JSON form")
    }
}

/// Where audit records go. It must not fail the request: a sink that cannot write says so itself.
pub trait Audit: Send + Sync {
    /// Takes one record.
    fn record(&self, record: &AuditRecord);

    /// Hears what a package was allowed to do when it did it. Hosts keep no account of that;
    /// `offstage plugin check` does.
    fn used(&self, package: &str, capabilities: &[Capability<'_>]) {
        let _ = (package, capabilities);
    }
}

/// Sends records to the log of the process, for hosts without an audit file.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogAudit;

impl Audit for LogAudit {
    fn record(&self, record: &AuditRecord) {
        tracing::warn!(audit = record.to_line(), "a plug-in was held back");
    }
}
