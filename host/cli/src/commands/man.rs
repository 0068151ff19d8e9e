//! `offstage man`: writes the manual pages.

use crate::arguments::Arguments;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, counted};
use crate::values::FileArgument;
use clap::{Args, CommandFactory as _};
use serde_json::json;

/// Write the manual pages into a folder: `offstage.1` and one for each command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Man {
    /// The folder; made when it is missing
    #[arg(value_name = "DIR")]
    folder: FileArgument,
}

impl Man {
    pub(crate) fn run(&self) -> Result<Output, CliError> {
        let folder = &self.folder.0;
        std::fs::create_dir_all(folder).map_err(|error| CliError::file("make", folder, &error))?;
        clap_mangen::generate_to(Arguments::command(), folder)
            .map_err(|error| CliError::file("write into", folder, &error))?;
        let pages = std::fs::read_dir(folder)
            .map_err(|error| CliError::file("read", folder, &error))?
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|e| e == "1"))
            .count();
        if pages == 0 {
            return Err(CliError::new(Exit::Internal, "No manual page was written."));
        }
        let text = counted(pages as u64, "page", "pages");
        Ok(Output::new(json!({ "folder": folder, "pages": pages }))
            .text(format!("{text} in {}", folder.display())))
    }
}
