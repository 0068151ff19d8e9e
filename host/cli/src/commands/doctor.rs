//! `offstage doctor`: checks a data directory, even one that does not open.

use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, grouped};
use crate::workspace::{self, Workspace};
use crate::{running, trust};
use clap::Args;
use offstage_model::{Query, Uuid};
use offstage_pipeline::NamedDirectory;
use offstage_store::Scope;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::Path;

/// Clocks that differ by more are reported, in milliseconds.
const CLOCK_OFFSET_MS_MAX: i64 = 5 * 60 * 1_000;

/// Check this data directory: store, journal, clock, trust file, granted directories and sizes.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Doctor {}

/// What one check found.
struct Finding {
    check: &'static str,
    good: bool,
    text: String,
}

impl Finding {
    fn good(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, good: true, text: text.into() }
    }

    fn bad(check: &'static str, error: &CliError) -> Self {
        let hint = error.hint.as_deref().unwrap_or_default();
        Self { check, good: false, text: format!("{} {hint}", error.message).trim_end().to_owned() }
    }
}

impl Doctor {
    /// Checks a directory that is not open.
    pub(crate) fn look(&self, data: &Path) -> Result<Output, CliError> {
        if let Some(process) = running::find(data) {
            tracing::warn!(pid = process.pid, "running.json names a process that does not answer");
        }
        match Workspace::open(data) {
            Ok(workspace) => self.clone().run(&workspace),
            // Nothing is there to look at.
            Err(error) if workspace::role(data)?.is_none() => Err(error),
            Err(error) => Ok(report(vec![Finding::bad("opens", &error)])),
        }
    }

    #[expect(clippy::unused_self, reason = "every command runs on its arguments")]
    pub(crate) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        let mut findings = vec![Finding::good("opens", workspace.data.display().to_string())];
        findings.push(match workspace.store().check() {
            Ok(()) => Finding::good("store", size_text(workspace.store().path())),
            Err(error) => Finding::bad("store", &error.into()),
        });
        findings.push(match trust::load(&workspace.data) {
            Ok(trust) if trust.is_missing() => {
                Finding::good("trust", "no trust.toml: no plug-in may run here")
            }
            Ok(trust) => Finding::good("trust", format!("{} packages pinned", trust.pins().len())),
            Err(error) => Finding::bad("trust", &error),
        });
        findings.extend(workspace.pipeline().directories().into_iter().map(directory));
        if !workspace.is_server() {
            findings.push(chain(workspace)?);
            findings.push(clock(workspace)?);
        }
        findings.extend(workspace.pipeline().steps_outside_policy()?.into_iter().map(
            |(key, denial)| Finding {
                check: "steps",
                good: false,
                text: format!(
                    "'{key}' runs, and the policy would not allow it to be registered now: {} ({}).",
                    denial.reason,
                    if denial.rule.is_empty() { "no entry says otherwise" } else { &denial.rule }
                ),
            },
        ));
        let skipped = &workspace.pipeline().registry()?.skipped;
        findings.extend(skipped.iter().map(|s| Finding {
            check: "plug-ins",
            good: false,
            text: format!("{} does not run here: {}. {}", s.package, s.reason, s.hint),
        }));
        let mut output = report(findings);
        let tables = rows_per_table(workspace)?;
        output.json["tables"] =
            tables.iter().map(|(table, rows)| json!({ "table": table, "rows": rows })).collect();
        let rows = tables.into_iter().map(|(table, rows)| vec![table, grouped(rows)]).collect();
        Ok(output.text("").table(&["Table", "Rows here"], rows, "No rows."))
    }
}

fn report(findings: Vec<Finding>) -> Output {
    let all_good = findings.iter().all(|f| f.good);
    let json: Vec<_> = findings
        .iter()
        .map(|f| json!({ "check": f.check, "good": f.good, "text": f.text }))
        .collect();
    let rows = findings
        .into_iter()
        .map(|f| vec![f.check.to_owned(), if f.good { "good" } else { "BAD" }.to_owned(), f.text])
        .collect();
    let exit = if all_good { Exit::Done } else { Exit::Attention };
    Output::new(json!({ "good": all_good, "checks": json }))
        .table(&["Check", "", "Found"], rows, "")
        .exit(exit)
}

/// A directory that the policy grants to plug-ins.
fn directory(directory: NamedDirectory) -> Finding {
    let NamedDirectory { name, unusable } = directory;
    match unusable {
        None => Finding::good("directories", format!("'{name}' is there for plug-ins")),
        Some(reason) => Finding {
            check: "directories",
            good: false,
            text: format!(
                "no plug-in can use '{name}': {reason}. Change its path in policy.toml, or what is there, and type `offstage policy reload`."
            ),
        },
    }
}

fn size_text(path: &Path) -> String {
    let bytes = std::fs::metadata(path).map(|m| m.len()).unwrap_or_default();
    format!("whole; {} KiB", grouped(bytes / 1024))
}

fn chain(workspace: &Workspace) -> Result<Finding, CliError> {
    let report = workspace.store().read()?.verify_chain()?;
    Ok(match report.broken {
        None => Finding::good("journal", format!("the chain of {} entries holds", report.entries)),
        Some((sequence, reason)) => Finding {
            check: "journal",
            good: false,
            text: format!("the chain breaks at entry {sequence}: {reason}"),
        },
    })
}

fn clock(workspace: &Workspace) -> Result<Finding, CliError> {
    let offset = workspace.device()?.status()?.offset_ms;
    Ok(Finding {
        check: "clock",
        good: offset.abs() <= CLOCK_OFFSET_MS_MAX,
        text: format!("{} ms from the server's, at the last contact", offset),
    })
}

fn rows_per_table(workspace: &Workspace) -> Result<Vec<(String, u64)>, CliError> {
    let catalog = workspace.catalog();
    let mut tx = workspace.store().read()?;
    let scope = Scope { user: Uuid::nil() };
    let mut tables = Vec::new();
    for name in catalog.tables.keys() {
        let rows = tx.count(&Query::all(name.clone()), &scope)?;
        if rows > 0 {
            tables.push((name.clone(), rows));
        }
    }
    Ok(tables)
}
