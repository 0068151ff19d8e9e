//! `offstage policy trust`: the trust file, and the grants that go with a pin.

use super::{decision, permissions, read};
use crate::error::CliError;
use crate::output::Output;
use crate::requests::{self, Asked};
use crate::values::FileArgument;
use crate::workspace::Workspace;
use crate::{policy_file, trust};
use clap::{Subcommand, ValueEnum};
use offstage_policy::{Decision, grant_line};
use offstage_sandbox::PackageFile;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The trust file. What it does not name does not run.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Trust {
    /// Allow a package with exactly this content
    Pin {
        /// The package, a `.wasm` file
        file: FileArgument,
        /// Why, for the next person who reads the file
        #[arg(long)]
        reason: String,
        /// Also write into the policy file what the package gets
        #[arg(long, value_name = "WHAT")]
        grant: Option<GrantArgument>,
    },
    /// List what is allowed
    List,
}

/// What a pin also grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum GrantArgument {
    /// Everything that the package requests; it is shown
    Requested,
}

impl Trust {
    pub(super) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        match self {
            Self::Pin { file, reason, grant } => pin(workspace, &file, &reason, grant),
            Self::List => list(workspace),
        }
    }
}

fn pin(
    workspace: &Workspace,
    file: &FileArgument,
    reason: &str,
    grant: Option<GrantArgument>,
) -> Result<Output, CliError> {
    if reason.trim().is_empty() {
        return Err(CliError::usage("The reason is empty."));
    }
    let bytes = file.read()?;
    let content = read(file, &bytes)?;
    let (package, sha256) = (&content.declaration.package, &content.sha256);
    let known = decision(workspace, &content)?;
    let text = if known.is_allowed() {
        // Perhaps by a file that changed after this process had read it.
        workspace.pipeline().set_trust(trust::load(&workspace.data)?);
        format!("{package} is allowed already.")
    } else {
        let trust = trust::pin(&workspace.data, package, sha256, reason)?;
        workspace.pipeline().set_trust(trust);
        format!("{package} may run here with the content {sha256}.")
    };
    if let Decision::Denied { reason, hint } = decision(workspace, &content)? {
        // A revocation or a minimum version comes before every pin.
        return Err(CliError::new(
            crate::exit::Exit::Denied,
            format!("{package} may not run here: {reason}."),
        )
        .hint(hint));
    }
    if grant == Some(GrantArgument::Requested) {
        grant_missing(workspace, &content, reason)?;
    }
    let asked = asked(workspace, &content)?;
    let json = json!({ "package": package, "sha256": sha256, "requests": asked });
    let mut output = requests::show(Output::new(json).text(text), &asked);
    if asked.iter().any(|asked| !asked.allowed) {
        output = output.text(
            "hint: What is not granted is denied when it is used; `--grant requested` grants it.",
        );
    }
    Ok(output)
}

fn asked(workspace: &Workspace, content: &PackageFile<'_>) -> Result<Vec<Asked>, CliError> {
    let publisher = match decision(workspace, content)? {
        Decision::Allowed { publisher, .. } => publisher,
        Decision::Denied { .. } => None,
    };
    let permissions = permissions(workspace, content, publisher.as_deref())?;
    Ok(requests::of(&permissions, content.declaration.all_requests()))
}

/// Writes a grant with every request that is not granted yet.
fn grant_missing(
    workspace: &Workspace,
    content: &PackageFile<'_>,
    reason: &str,
) -> Result<(), CliError> {
    let asked = asked(workspace, content)?;
    let mut lines: Vec<String> = Vec::new();
    for (request, asked) in content.declaration.all_requests().zip(&asked) {
        let line = grant_line(&content.declaration, request);
        if !asked.allowed && !lines.contains(&line) {
            lines.push(line);
        }
    }
    if !lines.is_empty() {
        let package = &content.declaration.package;
        let policy = policy_file::grant(&workspace.data, package, reason, &lines)?;
        workspace.pipeline().set_policy(policy);
    }
    Ok(())
}

fn list(workspace: &Workspace) -> Result<Output, CliError> {
    let trust = trust::load(&workspace.data)?;
    let pins: Vec<_> = trust
        .pins()
        .iter()
        .map(|p| json!({ "package": p.package, "sha256": p.sha256, "reason": p.reason, "line": p.line }))
        .collect();
    let publishers: Vec<_> = trust
        .publishers()
        .iter()
        .map(|p| {
            let packages: Vec<_> = p.packages.iter().map(ToString::to_string).collect();
            json!({ "name": p.name, "key": p.key, "packages": packages, "reason": p.reason, "line": p.line })
        })
        .collect();
    let pinned =
        trust.pins().iter().map(|p| vec![p.package.clone(), p.sha256.clone(), p.reason.clone()]);
    let signed = trust.publishers().iter().map(|p| {
        let packages: Vec<_> = p.packages.iter().map(ToString::to_string).collect();
        vec![packages.join(", "), format!("signed by {} ({})", p.name, p.key), p.reason.clone()]
    });
    let empty = "Nothing is allowed; `offstage policy trust pin FILE --reason …` allows a package.";
    let json = json!({ "pins": pins, "publishers": publishers });
    Ok(Output::new(json).table(
        &["Package", "SHA-256 or key", "Reason"],
        pinned.chain(signed).collect(),
        empty,
    ))
}
