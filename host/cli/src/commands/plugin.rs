//! `offstage plugin`: plug-in packages.

use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, grouped, yes_no};
use crate::values::FileArgument;
use crate::workspace::Workspace;
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Plug-in packages.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Plugin {
    /// Register a package with the steps that it declares (server)
    Add {
        /// The component, a `.wasm` file
        file: FileArgument,
    },
    /// List the packages, and those that do not run here
    List,
    /// Show a package with its steps
    Show {
        /// The package id, such as samples/phone-numbers
        package: String,
    },
    /// Let the steps of a package run again (server)
    Enable {
        /// The package id
        package: String,
    },
    /// Stop all steps of a package from running (server)
    Disable {
        /// The package id
        package: String,
    },
    /// Let the steps of a suspended package run again, on this machine
    Resume {
        /// The package id
        package: String,
    },
    /// Remove a package with its steps (server)
    Remove {
        /// The package id
        package: String,
    },
}

impl Plugin {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        match self {
            Self::Add { file } => add(workspace, &file),
            Self::List => list(workspace),
            Self::Show { package } => show(workspace, &package),
            Self::Enable { package } => switch(workspace, &package, true),
            Self::Disable { package } => switch(workspace, &package, false),
            Self::Resume { package } => resume(workspace, &package),
            Self::Remove { package } => {
                let (pipeline, administrator) = workspace.server()?;
                pipeline.remove_package(administrator, &package)?;
                Ok(Output::new(json!({ "removed": package })).text("Removed."))
            }
        }
    }
}

fn add(workspace: &Workspace, file: &FileArgument) -> Result<Output, CliError> {
    let (pipeline, administrator) = workspace.server()?;
    let registered = pipeline.register_package(administrator, &file.read()?)?;
    let package = &registered.package;
    let mut output = Output::new(json!({
        "package": package, "steps": registered.steps, "notices": registered.notices,
    }))
    .text(format!("Registered {} {}.", package.id, package.version))
    .table(
        super::step::HEADERS,
        super::step::rows(&registered.steps),
        "It declares no steps.",
    );
    for notice in &registered.notices {
        output = output.text(format!("Note: {notice}"));
    }
    Ok(output)
}

fn list(workspace: &Workspace) -> Result<Output, CliError> {
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

fn show(workspace: &Workspace, id: &str) -> Result<Output, CliError> {
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
        pairs.push(("Suspended", super::status::suspension(row)));
        pairs.push(("Last violation", format!("{} {}: {}", row.time, row.step, row.reason)));
    }
    let json = json!({
        "package": package, "steps": steps, "skipped": skipped, "suspended": suspended,
    });
    Ok(Output::new(json).pairs(pairs).text("").table(
        super::step::HEADERS,
        super::step::rows(&steps),
        "No steps.",
    ))
}

fn switch(workspace: &Workspace, id: &str, enabled: bool) -> Result<Output, CliError> {
    let (pipeline, administrator) = workspace.server()?;
    let package = pipeline.set_package_enabled(administrator, id, enabled)?;
    Ok(Output::new(json!({ "package": package })).text(if enabled {
        "Enabled."
    } else {
        "Disabled."
    }))
}

fn resume(workspace: &Workspace, id: &str) -> Result<Output, CliError> {
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
