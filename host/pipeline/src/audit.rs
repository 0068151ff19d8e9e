//! Audit records: one for each denial of the policy, as a line of JSON.
//!
//! They are for the operator; a plug-in learns only that it may not. Never writes a file; whoever
//! opens the pipeline passes in where records go.

use offstage_policy::Capability;
use serde::Serialize;

/// One denial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditRecord {
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
        tracing::warn!(audit = record.to_line(), "the policy denied a plug-in");
    }
}
