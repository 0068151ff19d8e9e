//! `offstage policy reload`: both files are read again, in the process that has the directory.

use crate::error::CliError;
use crate::output::Output;
use crate::workspace::Workspace;
use crate::{policy_file, trust};
use serde_json::json;

pub(super) fn run(workspace: &Workspace) -> Result<Output, CliError> {
    // Both or neither: a file with an error leaves what is in force.
    let (trust, policy) = (trust::load(&workspace.data)?, policy_file::load(&workspace.data)?);
    workspace.pipeline().set_keys(Some(trust), Some(policy));
    let registry = workspace.pipeline().registry()?;
    let json = json!({ "packages": registry.packages.len(), "skipped": registry.skipped });
    Ok(Output::new(json).text(format!(
        "Read. {} packages, of which {} do not run here.",
        registry.packages.len(),
        registry.skipped.len()
    )))
}
