//! `offstage plugin new`: a project for a new plug-in, with a test of both runs.

use crate::build;
use crate::error::CliError;
use crate::output::Output;
use crate::values::FileArgument;
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Make a project for a new plug-in.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct New {
    /// The project's folder, which does not exist yet; its name is the plug-in's
    folder: FileArgument,
    /// The language: rust, python, javascript or c
    #[arg(long, default_value = "rust")]
    lang: String,
    /// Your vendor name: the first part of the package id
    #[arg(long, default_value = "mine")]
    vendor: String,
    /// For Rust: refer to the SDK in this folder; else to that of the Offstage repository that the
    /// project is in, or to a copy of its own
    #[arg(long)]
    sdk: Option<FileArgument>,
}

impl New {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        let language = build::language(&self.lang)?;
        let folder = self.folder.0.clone();
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.vendor.is_empty() || !self.vendor.chars().all(plain) {
            return Err(CliError::usage(format!("'{}' is no vendor name.", self.vendor))
                .hint("Use a-z, 0-9 and '-'."));
        }
        let sdk = match (&self.sdk, language.sdk) {
            (Some(_), Some(_)) => {
                let text = format!("--sdk is for Rust; a project in {} has its own.", self.lang);
                return Err(CliError::usage(text)
                    .hint("Leave it out; `sdk` in plugin.toml names another one afterwards."));
            }
            (None, Some(_)) => None,
            (Some(sdk), None) => Some(sdk.0.clone()),
            (None, None) => sdk_near(&folder),
        };
        let package = format!("{}/{name}", self.vendor);
        let files = build::make(language, &folder, &package, sdk.as_deref())?;
        let json = json!({ "package": package, "folder": folder, "files": files });
        let shown = folder.display();
        Ok(Output::new(json)
            .text(format!("Made {package} in {shown}. Its README.md says how to go on:"))
            .text(format!("  offstage plugin build {shown}")))
    }
}

/// The Rust SDK of the repository that the project, or the current folder, is in.
fn sdk_near(folder: &Path) -> Option<PathBuf> {
    let here = std::env::current_dir().unwrap_or_default();
    let near = folder.ancestors().chain(here.ancestors()).map(|above| above.join("sdk"));
    // A project has such a folder too; the repository has the SDK's tests in it.
    near.filter(|sdk| sdk.join("wit/plugin.wit").exists() && sdk.join("rust/tests").exists())
        .map(|sdk| sdk.join("rust"))
        .next()
}
