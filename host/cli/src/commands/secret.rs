//! `offstage secret`: values that plug-ins may have sent in headers and never see.
//!
//! The value comes from standard input and goes into a file of the data directory, mode 0600. It is
//! never an argument, which others could see, and never goes to another process.

use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;
use clap::Subcommand;
use offstage_outbound::{SecretError, SecretFolder, SecretValue};
use serde_json::json;
use std::io::Read as _;
use std::path::Path;

/// The folder in a data directory.
const FOLDER: &str = "secrets";
/// The most that is read from standard input, in bytes.
const INPUT_BYTES_MAX: u64 = 64 << 10;

/// Values that plug-ins may have sent in headers and never see.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Secret {
    /// Set a secret; its value is read from standard input
    Set {
        /// The name that the policy grants
        name: String,
    },
    /// List the names of the secrets
    List,
    /// Remove a secret
    Remove {
        /// The name
        name: String,
    },
}

/// The secrets of a data directory.
pub(crate) fn folder(data: &Path) -> SecretFolder {
    SecretFolder::new(data.join(FOLDER))
}

impl Secret {
    pub(crate) fn run(&self, data: &Path) -> Result<Output, CliError> {
        let secrets = folder(data);
        match self {
            Self::Set { name } => {
                if crate::workspace::role(data)?.is_none() {
                    let message = format!("'{}' is no data directory yet.", data.display());
                    return Err(CliError::new(Exit::NotFound, message)
                        .hint("`offstage serve` makes one; `--data DIR` names another."));
                }
                let value = SecretValue::parse(read_value()?.trim_end_matches(['\r', '\n']));
                secrets.set(name, &value.map_err(|e| refused(&e))?).map_err(|e| refused(&e))?;
                Ok(Output::new(json!({ "set": name })).text("Set."))
            }
            Self::List => {
                let names = secrets.names().map_err(|error| refused(&error))?;
                let rows = names.iter().map(|name| vec![name.clone()]).collect();
                Ok(Output::new(json!({ "secrets": names })).table(&["Secret"], rows, "No secrets."))
            }
            Self::Remove { name } => {
                if !secrets.remove(name).map_err(|error| refused(&error))? {
                    let message = format!("There is no secret '{name}'.");
                    return Err(CliError::new(Exit::NotFound, message)
                        .hint("`offstage secret list` shows them."));
                }
                Ok(Output::new(json!({ "removed": name })).text("Removed."))
            }
        }
    }
}

fn read_value() -> Result<String, CliError> {
    let mut text = String::new();
    let read = std::io::stdin().take(INPUT_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| CliError::usage(format!("Standard input cannot be read: {error}.")))?;
    Ok(text)
}

fn refused(error: &SecretError) -> CliError {
    let exit = match error {
        SecretError::Name(_) | SecretError::Value => Exit::Usage,
        SecretError::Unset(_) => Exit::NotFound,
        SecretError::Exposed(_) => Exit::Denied,
        SecretError::Io { .. } => Exit::Internal,
    };
    CliError::new(exit, format!("{error}."))
}
