//! `offstage plugin new`: a project for a new plug-in, with a test of both runs.

use crate::build::{self, Project};
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
    /// The folder of the Rust SDK; else `sdk/` of the repository that the current folder is in
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
            // The project gets an SDK of its own.
            (_, Some(_)) => PathBuf::from("sdk"),
            (Some(sdk), None) => sdk.0.clone(),
            (None, None) => sdk_near(&folder)?,
        };
        let package = format!("{}/{name}", self.vendor);
        let project = Project { folder: folder.clone(), package: package.clone(), sdk };
        let files = build::make(language, &project)?;
        let json = json!({ "package": package, "folder": folder, "files": files });
        let shown = folder.display();
        Ok(Output::new(json)
            .text(format!("Made {package} in {shown}. Its README.md says how to go on:"))
            .text(format!("  offstage plugin build {shown}")))
    }
}

/// The SDK of the repository that the project, or the current folder, is in.
fn sdk_near(folder: &Path) -> Result<PathBuf, CliError> {
    let here = std::env::current_dir().unwrap_or_default();
    let near = folder.ancestors().chain(here.ancestors()).map(|above| above.join("sdk"));
    near.filter(|sdk| sdk.join("wit/plugin.wit").exists())
        .map(|sdk| sdk.join("rust"))
        .next()
        .ok_or_else(|| {
            CliError::usage("The SDK is not near this folder.")
                .hint("Name its folder with `--sdk DIR`: `sdk/rust` of the Offstage repository.")
        })
}
