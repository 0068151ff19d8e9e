//! `offstage plugin check`: what a package does in both runs, before anybody registers it.

use crate::check::{self, Subject};
use crate::error::CliError;
use crate::output::Output;
use crate::values::FileArgument;
use clap::Args;
use serde::{Deserialize, Serialize};

/// Run a package through both runs on sample data, and report what it does.
///
/// It runs in stores that go away; no data directory is read or changed. The exit code is that of the
/// worst judgement: 0 nothing to object to (good, note), 5 a person should look (look), 7 it tried
/// what it does not request or is not granted (denied), 3 the sandbox had to end it (hostile).
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Check {
    /// The package, a `.wasm` file
    file: FileArgument,
    /// The sample: a JSON file with rows and requests; else one is made from the metadata
    #[arg(long, value_name = "FILE")]
    sample: Option<FileArgument>,
    /// Add the tables of this file to the base tables; may be repeated
    #[arg(long, value_name = "FILE")]
    tables: Vec<FileArgument>,
    /// Check under this policy file; else all that the package requests is granted
    #[arg(long, value_name = "FILE")]
    policy: Option<FileArgument>,
}

impl Check {
    pub(super) fn run(&self) -> Result<Output, CliError> {
        let subject = Subject {
            file: &self.file,
            sample: self.sample.as_ref(),
            tables: &self.tables,
            policy: self.policy.as_ref(),
        };
        Ok(check::show(&check::check(&subject)?))
    }
}
