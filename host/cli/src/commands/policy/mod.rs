//! `offstage policy`: which packages may run in this data directory, and what they may do.

mod check;
mod diff;
mod explain;
mod reload;
mod trust;

use crate::error::CliError;
use crate::output::Output;
use crate::values::FileArgument;
use crate::workspace::Workspace;
use clap::Subcommand;
use offstage_pipeline::facts;
use offstage_policy::{Decision, Holder, Permissions, decide};
use offstage_sandbox::PackageFile;
use serde::{Deserialize, Serialize};

/// Which plug-in packages may run in this data directory, and what they may do.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Policy {
    /// The trust file
    #[command(subcommand)]
    Trust(trust::Trust),
    /// Say whether a package may run here and what it may do, by which rules; without FILE: whether
    /// both files are good
    Check {
        /// The package, a `.wasm` file
        file: Option<FileArgument>,
    },
    /// Say whether a registered package may do something, and by which rule
    Explain {
        /// The package id
        package: String,
        /// table, message, impersonate, file, http or secret
        kind: String,
        /// What: read:contact.fullname, SetState, a user id, write:reports, https://host, a name
        resource: String,
    },
    /// Show what a change of the policy file would change
    Diff {
        /// The policy file as it was
        old: FileArgument,
        /// The policy file as it will be
        new: FileArgument,
    },
    /// Read trust and policy file again, in the process that has the directory
    Reload,
}

impl Policy {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        match self {
            Self::Trust(command) => command.run(workspace),
            Self::Check { file: Some(file) } => check::package(workspace, &file),
            Self::Check { file: None } => check::files(workspace),
            Self::Explain { package, kind, resource } => {
                explain::run(workspace, &package, &kind, &resource)
            }
            Self::Diff { old, new } => diff::run(&old, &new),
            Self::Reload => reload::run(workspace),
        }
    }
}

/// Takes a package file apart.
pub(crate) fn read<'a>(file: &FileArgument, bytes: &'a [u8]) -> Result<PackageFile<'a>, CliError> {
    PackageFile::read(bytes).map_err(|error| {
        CliError::usage(format!("'{}' is not a plug-in: {error}.", file.0.display()))
            .hint(error.hint())
    })
}

/// Whether a package may run in this data directory.
fn decision(workspace: &Workspace, package: &PackageFile<'_>) -> Result<Decision, CliError> {
    let trust = crate::trust::load(&workspace.data)?;
    Ok(decide(&trust, &facts(package), workspace.pipeline().clock().now()))
}

/// What a package may do in this data directory, if it may run.
fn permissions(
    workspace: &Workspace,
    package: &PackageFile<'_>,
    publisher: Option<&str>,
) -> Result<Permissions, CliError> {
    let trust = crate::trust::load(&workspace.data)?;
    let policy = crate::policy_file::load(&workspace.data)?;
    let ceiling = publisher.and_then(|name| trust.publisher(name)).map(|p| &p.ceiling);
    let holder = Holder { package: &package.declaration.package, publisher, ceiling };
    let requests = package.declaration.all_requests();
    Permissions::new(&policy, &holder, requests).map_err(|(index, error)| {
        CliError::usage(format!("Request {} of the package is not usable: {error}.", index + 1))
    })
}
