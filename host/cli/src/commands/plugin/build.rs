//! `offstage plugin build`: a package file of a project.

use crate::build::{self, Kind};
use crate::commands::policy::read;
use crate::error::CliError;
use crate::output::{Output, grouped};
use crate::owned_file;
use crate::values::FileArgument;
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Build a project into a package file.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Build {
    /// The project's folder
    #[arg(default_value = ".")]
    folder: FileArgument,
    /// Build for a debugger (Rust): with debug information, nothing optimized away
    #[arg(long)]
    debug: bool,
    /// Write the package to this file; else NAME.wasm, or NAME.debug.wasm, in the folder
    #[arg(long)]
    out: Option<FileArgument>,
}

impl Build {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        let (kind, ending) = match self.debug {
            false => (Kind::Release, "wasm"),
            true => (Kind::Debugging, "debug.wasm"),
        };
        let built = build::build(&self.folder, kind)?;
        let out = match &self.out {
            Some(out) => out.clone(),
            None => FileArgument(self.folder.0.join(format!("{}.{ending}", built.name))),
        };
        // What no host could read is not written.
        let content = read(&out, &built.component)?;
        owned_file::write(&out.0, &built.component)?;
        let declared = &content.declaration;
        let json = json!({
            "package": declared.package, "version": declared.version, "sha256": content.sha256,
            "file": out.0, "bytes": built.component.len(), "declaration": declared,
        });
        Ok(Output::new(json).pairs(vec![
            ("Package", format!("{} {}", declared.package, declared.version)),
            ("File", out.0.display().to_string()),
            ("Bytes", grouped(built.component.len() as u64)),
            ("SHA-256", content.sha256.clone()),
        ]))
    }
}
