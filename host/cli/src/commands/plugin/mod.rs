//! `offstage plugin`: plug-in packages, from the first line of source to the registered steps.

mod build;
mod check;
mod new;
mod registered;
mod sign;

use crate::error::CliError;
use crate::output::Output;
use crate::values::FileArgument;
use crate::workspace::Workspace;
use clap::Subcommand;
use serde::{Deserialize, Serialize};

/// Plug-in packages.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Plugin {
    /// Make a project for a new plug-in
    New(new::New),
    /// Build a project into a package file
    Build(build::Build),
    /// Run a package through both runs on sample data, and report what it does
    Check(check::Check),
    /// Make a key pair for signing packages
    Keygen(sign::Keygen),
    /// Print the manifest of a package file: what a publisher signs
    Manifest(sign::Manifest),
    /// Sign a package file
    Sign(sign::Sign),
    /// Register a package with the steps that it declares (server)
    Add {
        /// The package, a `.wasm` file
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
    /// Runs a command that needs no data directory; `None` for one that does.
    pub(crate) fn alone(&self) -> Option<Result<Output, CliError>> {
        match self {
            Self::New(command) => Some(command.run()),
            Self::Build(command) => Some(command.run()),
            Self::Check(command) => Some(command.run()),
            Self::Keygen(command) => Some(command.run()),
            Self::Manifest(command) => Some(command.run()),
            Self::Sign(command) => Some(command.run()),
            _ => None,
        }
    }

    pub(crate) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        if let Some(result) = self.alone() {
            return result;
        }
        match self {
            Self::Add { file } => registered::add(workspace, &file),
            Self::List => registered::list(workspace),
            Self::Show { package } => registered::show(workspace, &package),
            Self::Enable { package } => registered::switch(workspace, &package, true),
            Self::Disable { package } => registered::switch(workspace, &package, false),
            Self::Resume { package } => registered::resume(workspace, &package),
            Self::Remove { package } => registered::remove(workspace, &package),
            Self::New(_)
            | Self::Build(_)
            | Self::Check(_)
            | Self::Keygen(_)
            | Self::Manifest(_)
            | Self::Sign(_) => unreachable!("BUG: these run alone"),
        }
    }
}
