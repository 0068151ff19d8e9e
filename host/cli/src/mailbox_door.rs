//! The mailbox of this device for programs: the same actions as `offstage outlook`, by HTTP.
//!
//! Never changes settings or stores; those are for the person who runs the device.

use crate::commands::outlook::Outlook;
use crate::error::CliError;
use crate::exit::Exit;
use crate::workspace::Workspace;
use offstage_model::{Fault, code};
use offstage_server::Mailbox;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// What a program may do.
const VERBS: [&str; 10] = [
    "status",
    "sync",
    "item",
    "track",
    "untrack",
    "set-regarding",
    "open",
    "save",
    "close",
    "notes",
];

/// The mailbox of a workspace.
pub(crate) struct MailboxDoor(pub(crate) Arc<Workspace>);

impl Mailbox for MailboxDoor {
    fn act(&self, verb: &str, body: Json) -> Result<Json, Fault> {
        if !VERBS.contains(&verb) {
            let text = format!("The mailbox does not know '{verb}'.");
            let hint = format!("It knows {}.", VERBS.join(", "));
            return Err(Fault::new(code::NOT_FOUND, text).hint(hint));
        }
        let body = if verb == "status" { Json::Null } else { body };
        let command: Outlook = serde_json::from_value(json!({ verb: body })).map_err(|error| {
            Fault::new(code::INVALID_ARGUMENT, format!("'{verb}' cannot be read: {error}."))
                .hint("The body has the names of the command's arguments: {\"item\": \"...\"}.")
        })?;
        Ok(command.run(&self.0).map_err(fault)?.json)
    }
}

fn fault(error: CliError) -> Fault {
    let by_exit = match error.exit {
        Exit::Usage => code::INVALID_ARGUMENT,
        Exit::NotFound => code::NOT_FOUND,
        Exit::Attention => code::CONFLICT,
        Exit::Unreachable => code::UNREACHABLE,
        Exit::Denied => code::PRIVILEGE_DENIED,
        Exit::Refused => code::INVALID_VALUE,
        Exit::Done | Exit::Internal => code::INTERNAL,
    };
    let mut fault = Fault::new(error.code.unwrap_or(by_exit), error.message);
    fault.hint = error.hint;
    fault
}
