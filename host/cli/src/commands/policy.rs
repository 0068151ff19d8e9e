//! `offstage policy`: which plug-in packages may run in this data directory.

use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;
use crate::trust;
use crate::values::FileArgument;
use crate::workspace::Workspace;
use clap::Subcommand;
use offstage_policy::{Decision, decide};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Which plug-in packages may run in this data directory.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Policy {
    /// The trust file
    #[command(subcommand)]
    Trust(Trust),
    /// Say whether a package may run here, and by which rule
    Check {
        /// The component, a `.wasm` file
        file: FileArgument,
    },
}

/// The trust file. What it does not name does not run.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Trust {
    /// Allow a package with exactly this content
    Pin {
        /// The component, a `.wasm` file
        file: FileArgument,
        /// Why, for the next person who reads the file
        #[arg(long)]
        reason: String,
    },
    /// List what is allowed
    List,
}

impl Policy {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        match self {
            Self::Trust(Trust::Pin { file, reason }) => pin(workspace, &file, &reason),
            Self::Trust(Trust::List) => list(workspace),
            Self::Check { file } => check(workspace, &file),
        }
    }
}

/// The package id and hash of a component.
fn identify(file: &FileArgument) -> Result<(String, String), CliError> {
    let bytes = file.read()?;
    let declaration = offstage_sandbox::inspect(&bytes).map_err(|error| {
        CliError::usage(format!("'{}' is not a plug-in: {error}.", file.0.display()))
            .hint("Build it against the plug-in contract (`sdk/wit`) and make it a component.")
    })?;
    Ok((declaration.package, hex::encode(Sha256::digest(&bytes))))
}

fn pin(workspace: &Workspace, file: &FileArgument, reason: &str) -> Result<Output, CliError> {
    if reason.trim().is_empty() {
        return Err(CliError::usage("The reason is empty."));
    }
    let (package, sha256) = identify(file)?;
    let known = trust::load(&workspace.data)?;
    let json = json!({ "package": package, "sha256": sha256 });
    if decide(&known, &package, &sha256).is_allowed() {
        return Ok(Output::new(json).text(format!("{package} is pinned already.")));
    }
    let trust = trust::pin(&workspace.data, &package, &sha256, reason)?;
    workspace.pipeline().set_trust(trust);
    Ok(Output::new(json).text(format!("{package} may run here with the content {sha256}.")))
}

fn list(workspace: &Workspace) -> Result<Output, CliError> {
    let trust = trust::load(&workspace.data)?;
    let json: Vec<_> = trust
        .pins()
        .iter()
        .map(|p| json!({ "package": p.package, "sha256": p.sha256, "reason": p.reason, "line": p.line }))
        .collect();
    let rows = trust
        .pins()
        .iter()
        .map(|p| vec![p.package.clone(), p.sha256.clone(), p.reason.clone()])
        .collect();
    let empty = "Nothing is allowed; `offstage policy trust pin FILE --reason …` allows a package.";
    Ok(Output::new(json!({ "pins": json })).table(&["Package", "SHA-256", "Reason"], rows, empty))
}

fn check(workspace: &Workspace, file: &FileArgument) -> Result<Output, CliError> {
    let (package, sha256) = identify(file)?;
    match decide(&trust::load(&workspace.data)?, &package, &sha256) {
        Decision::Allowed { rule, reason } => {
            let json = json!({
                "package": package, "sha256": sha256, "allowed": true, "rule": rule, "reason": reason,
            });
            Ok(Output::new(json).text(format!("{package} may run here: {rule} ({reason}).")))
        }
        Decision::Denied { reason, hint } => {
            let json = json!({
                "package": package, "sha256": sha256, "allowed": false, "reason": reason, "hint": hint,
            });
            Ok(Output::new(json)
                .text(format!("{package} may not run here: {reason}."))
                .text(format!("hint: {hint}"))
                .exit(Exit::Denied))
        }
    }
}
