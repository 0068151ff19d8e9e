//! `offstage request`: runs any message with its parameters.

use crate::error::CliError;
use crate::output::Output;
use crate::values::FileArgument;
use crate::workspace::Workspace;
use clap::Args;
use offstage_model::{ParameterMap, Request as ModelRequest};
use offstage_replication::Progress;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Run any message with its parameters.
///
/// The file holds the parameters as one JSON object in the form of the journal:
/// {"Target": {"entity": {"table": "account", "attributes": {"name": {"s": "Contoso"}}}}}
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Request {
    /// The message's name, such as WhoAmI
    message: String,
    /// The file with the parameters; none when left out
    #[arg(long, value_name = "FILE")]
    parameters: Option<FileArgument>,
}

impl Request {
    pub(crate) fn run(
        self,
        workspace: &Workspace,
        progress: &dyn Progress,
    ) -> Result<Output, CliError> {
        let parameters = match &self.parameters {
            None => ParameterMap::new(),
            Some(file) => serde_json::from_slice(&file.read()?).map_err(|error| {
                let message = format!("'{}' does not hold parameters: {error}.", file.0.display());
                CliError::usage(message)
                    .hint("It must be one JSON object; `offstage help request` shows the form.")
            })?,
        };
        let response =
            workspace.execute(ModelRequest { message: self.message, parameters }, progress)?;
        let json = json!(response);
        let text = serde_json::to_string_pretty(&json["parameters"]).unwrap_or_default();
        Ok(Output::new(json).text(text))
    }
}
