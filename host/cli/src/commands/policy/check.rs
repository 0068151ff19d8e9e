//! `offstage policy check`: a package against both files, or the files themselves.

use super::{decision, permissions, read};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;
use crate::requests;
use crate::values::FileArgument;
use crate::workspace::Workspace;
use crate::{policy_file, trust};
use offstage_policy::Decision;
use serde_json::json;

/// Says whether a package may run here, and what it gets.
pub(super) fn package(workspace: &Workspace, file: &FileArgument) -> Result<Output, CliError> {
    let bytes = file.read()?;
    let content = read(file, &bytes)?;
    let (package, sha256) = (&content.declaration.package, &content.sha256);
    let (trust, policy) = (trust::load(&workspace.data)?, policy_file::load(&workspace.data)?);
    let in_force = workspace.pipeline().has_keys(&trust, &policy);
    let output = match decision(workspace, &content)? {
        Decision::Allowed { rule, reason, publisher, .. } => {
            let permissions = permissions(workspace, &content, publisher.as_deref())?;
            let asked = requests::of(&permissions, content.declaration.all_requests());
            let json = json!({
                "package": package, "sha256": sha256, "allowed": true, "rule": rule,
                "reason": reason, "publisher": publisher, "requests": asked, "inForce": in_force,
            });
            let text = format!("{package} may run here: {rule} ({reason}).");
            requests::show(Output::new(json).text(text), &asked)
        }
        Decision::Denied { reason, hint } => {
            let json = json!({
                "package": package, "sha256": sha256, "allowed": false, "reason": reason, "hint": hint,
                "inForce": in_force,
            });
            Output::new(json)
                .text(format!("{package} may not run here: {reason}."))
                .text(format!("hint: {hint}"))
                .exit(Exit::Denied)
        }
    };
    Ok(with_note(output, in_force))
}

/// Says when the process that has the directory still decides by what the files said before.
fn with_note(output: Output, in_force: bool) -> Output {
    if in_force {
        return output;
    }
    output.text("Note: the running process has not read these files yet; `offstage policy reload` makes it.")
}

/// Says what both files hold; an error in one of them is the command's error.
pub(super) fn files(workspace: &Workspace) -> Result<Output, CliError> {
    let trust = trust::load(&workspace.data)?;
    let policy = policy_file::load(&workspace.data)?;
    let in_force = workspace.pipeline().has_keys(&trust, &policy);
    let json = json!({
        "inForce": in_force,
        "trust": {
            "file": trust.file(), "missing": trust.is_missing(), "pins": trust.pins().len(),
            "publishers": trust.publishers().len(), "revoked": trust.revoked().len(),
            "minimums": trust.minimums().len(),
        },
        "policy": {
            "file": policy.file(), "missing": policy.is_missing(),
            "grants": policy.grants().len(), "denies": policy.denies().len(),
            "registrations": policy.registrations().len(),
            "directories": policy.directories().count(),
        },
    });
    let missing = |missing: bool, text: String| {
        if missing { "there is no such file: nothing is allowed".to_owned() } else { text }
    };
    let trusted = format!(
        "{} pins, {} publishers, {} revocations, {} minimum versions",
        trust.pins().len(),
        trust.publishers().len(),
        trust.revoked().len(),
        trust.minimums().len()
    );
    let granted = format!(
        "{} grants, {} deny entries, {} bounds of registration, {} directories",
        policy.grants().len(),
        policy.denies().len(),
        policy.registrations().len(),
        policy.directories().count()
    );
    let output = Output::new(json).pairs(vec![
        ("Trust file", trust.file().to_owned()),
        ("", missing(trust.is_missing(), trusted)),
        ("Policy file", policy.file().to_owned()),
        ("", missing(policy.is_missing(), granted)),
    ]);
    Ok(with_note(output, in_force))
}
