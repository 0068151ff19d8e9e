//! `offstage plugin add|list|show|enable|disable|remove`: registered packages.

use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, grouped, yes_no};
use crate::requests::{self, Asked};
use crate::values::FileArgument;
use crate::workspace::Workspace;
use offstage_pipeline::HeldLimit;
use offstage_sandbox::PackageFile;
use serde_json::json;

pub(super) fn add(workspace: &Workspace, file: &FileArgument) -> Result<Output, CliError> {
    let (pipeline, administrator) = workspace.server()?;
    let registered = pipeline.register_package(administrator, &file.read()?)?;
    let package = &registered.package;
    let mut output = Output::new(json!({
        "package": package, "steps": registered.steps, "notices": registered.notices,
    }))
    .text(format!("Registered {} {}.", package.id, package.version))
    .table(
        crate::commands::step::HEADERS,
        crate::commands::step::rows(&registered.steps),
        "It declares no steps.",
    );
    for notice in &registered.notices {
        output = output.text(format!("Note: {notice}"));
    }
    let asked = asked(workspace, &package.id)?.unwrap_or_default();
    if asked.iter().any(|asked| !asked.allowed) {
        output = requests::show(output.text("Not all that it requests is granted here:"), &asked);
    }
    Ok(output)
}

pub(super) fn list(workspace: &Workspace) -> Result<Output, CliError> {
    let registry = workspace.pipeline().registry()?;
    let suspended = workspace.pipeline().suspended()?;
    let rows = registry
        .packages
        .iter()
        .map(|p| {
            let skipped = registry.skipped.iter().find(|s| s.package == p.id);
            let steps = registry.steps.iter().filter(|s| s.package == p.id).count();
            vec![
                p.id.clone(),
                p.version.clone(),
                grouped(p.size),
                steps.to_string(),
                match (skipped, suspended.iter().find(|s| s.package == p.id)) {
                    (Some(skipped), _) => format!("no: {}", skipped.reason),
                    (None, Some(_)) => "no: it is suspended, and its steps refuse".into(),
                    (None, None) => yes_no(p.enabled),
                },
            ]
        })
        .collect();
    let json = json!({
        "packages": registry.packages, "skipped": registry.skipped, "suspended": suspended,
    });
    Ok(Output::new(json).table(
        &["Package", "Version", "Bytes", "Steps", "Runs here"],
        rows,
        "No plug-ins.",
    ))
}

pub(super) fn show(workspace: &Workspace, id: &str) -> Result<Output, CliError> {
    let registry = workspace.pipeline().registry()?;
    let Some(package) = registry.packages.iter().find(|p| p.id == id) else {
        return Err(CliError::new(Exit::NotFound, format!("There is no plug-in package '{id}'."))
            .hint("`offstage plugin list` shows the packages."));
    };
    let steps: Vec<_> =
        registry.steps.iter().filter(|s| s.package == id).map(|s| (**s).clone()).collect();
    let skipped = registry.skipped.iter().find(|s| s.package == id);
    let mut pairs = vec![
        ("Package", package.id.clone()),
        ("Version", package.version.clone()),
        ("SHA-256", package.sha256.clone()),
        ("Bytes", grouped(package.size)),
        ("Enabled", yes_no(package.enabled)),
    ];
    if let Some(skipped) = skipped {
        pairs.push(("Skipped", format!("{}\n{}", skipped.reason, skipped.hint)));
    }
    let suspended = workspace.pipeline().suspended()?.into_iter().find(|s| s.package == id);
    if let Some(row) = &suspended {
        pairs.push(("Suspended", crate::commands::status::suspension(row)));
        pairs.push(("Last violation", format!("{} {}: {}", row.time, row.step, row.reason)));
    }
    let asked = asked(workspace, id)?;
    let limits = workspace.pipeline().limits_of(id)?;
    let json = json!({
        "package": package, "steps": steps, "skipped": skipped, "suspended": suspended,
        "requests": asked, "limits": limits,
    });
    let output = Output::new(json).pairs(pairs).text("").table(
        crate::commands::step::HEADERS,
        crate::commands::step::rows(&steps),
        "No steps.",
    );
    let output = match asked {
        Some(asked) => requests::show(output.text(""), &asked),
        None => output,
    };
    Ok(match limits {
        Some(limits) => show_limits(output.text(""), &limits),
        None => output,
    })
}

fn show_limits(output: Output, limits: &[HeldLimit]) -> Output {
    let row =
        |limit: &HeldLimit| vec![limit.name.to_owned(), grouped(limit.value), limit.source.clone()];
    output.table(&["Limit of each run", "Value", "From"], limits.iter().map(row).collect(), "")
}

/// What a package that runs here requests, and gets.
fn asked(workspace: &Workspace, id: &str) -> Result<Option<Vec<Asked>>, CliError> {
    let Some(permissions) = workspace.pipeline().registry()?.permissions(id) else {
        return Ok(None);
    };
    let Some(bytes) = workspace.store().read()?.package_bytes(id)? else {
        return Ok(None);
    };
    let file = PackageFile::read(&bytes).map_err(|error| CliError::from(error.fault()))?;
    Ok(Some(requests::of(&permissions, file.declaration.all_requests())))
}

pub(super) fn remove(workspace: &Workspace, id: &str) -> Result<Output, CliError> {
    let (pipeline, administrator) = workspace.server()?;
    pipeline.remove_package(administrator, id)?;
    Ok(Output::new(json!({ "removed": id })).text("Removed."))
}

pub(super) fn switch(workspace: &Workspace, id: &str, enabled: bool) -> Result<Output, CliError> {
    let (pipeline, administrator) = workspace.server()?;
    let package = pipeline.set_package_enabled(administrator, id, enabled)?;
    Ok(Output::new(json!({ "package": package })).text(if enabled {
        "Enabled."
    } else {
        "Disabled."
    }))
}

pub(super) fn resume(workspace: &Workspace, id: &str) -> Result<Output, CliError> {
    let was_suspended = if workspace.is_server() {
        let (pipeline, administrator) = workspace.server()?;
        pipeline.resume_package(administrator, id)?
    } else {
        let device = workspace.device()?;
        device.pipeline().resume_package(&device.user()?, id)?
    };
    Ok(Output::new(json!({ "package": id, "wasSuspended": was_suspended }))
        .text(if was_suspended { "Resumed." } else { "It was not suspended." }))
}
