//! `offstage user`: the server's users.

use crate::bootstrap::Secret;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, yes_no};
use crate::workspace::Workspace;
use clap::Subcommand;
use offstage_model::{Entity, Fault, Request, Uuid, Value, code};
use offstage_replication::Silent;
use offstage_store::{Principal, Tx};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The server's users.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum User {
    /// Add a user; shows the client id and secret once
    Add {
        /// The user's full name
        name: String,
        /// May change users, metadata and registrations
        #[arg(long)]
        administrator: bool,
        /// May not take data offline
        #[arg(long)]
        no_go_offline: bool,
        /// May not synchronise contacts, tasks and appointments to Outlook
        #[arg(long)]
        no_sync_to_outlook: bool,
    },
    /// List the users
    List,
    /// Change what a user may do; what is left out stays
    Set {
        /// The user's id or full name
        user: String,
        /// May change users, metadata and registrations
        #[arg(long)]
        administrator: Option<bool>,
        /// May take data offline
        #[arg(long)]
        go_offline: Option<bool>,
        /// May synchronise contacts, tasks and appointments to Outlook (prvSyncToOutlook)
        #[arg(long)]
        sync_to_outlook: Option<bool>,
    },
    /// Stop a user from signing in
    Disable {
        /// The user's id or full name
        user: String,
    },
    /// Let a user sign in again
    Enable {
        /// The user's id or full name
        user: String,
    },
}

impl User {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        workspace.server()?;
        match self {
            Self::Add { name, administrator, no_go_offline, no_sync_to_outlook } => {
                let rights = Rights {
                    administrator,
                    go_offline: !no_go_offline,
                    sync_to_outlook: !no_sync_to_outlook,
                };
                add(workspace, &name, rights)
            }
            Self::List => list(&mut workspace.store().read()?),
            Self::Set { user, administrator, go_offline, sync_to_outlook } => {
                let change = Change { administrator, go_offline, sync_to_outlook };
                set(workspace, &user, &change)
            }
            Self::Disable { user } => switch(workspace, &user, true),
            Self::Enable { user } => switch(workspace, &user, false),
        }
    }
}

/// What a new user may do.
struct Rights {
    administrator: bool,
    go_offline: bool,
    sync_to_outlook: bool,
}

fn add(workspace: &Workspace, name: &str, rights: Rights) -> Result<Output, CliError> {
    let Rights { administrator, go_offline, sync_to_outlook } = rights;
    if name.trim().is_empty() {
        return Err(CliError::usage("The user's name is empty."));
    }
    let (_, caller) = workspace.server()?;
    let unit = Value::reference("businessunit", caller.business_unit);
    let row =
        Entity::new("systemuser").with("fullname", Value::text(name)).with("businessunitid", unit);
    let user = workspace
        .execute(Request::create(row), &Silent)?
        .id()
        .ok_or_else(|| Fault::new(code::INTERNAL, "The answer to the create has no id."))?;
    let mut principal = Principal {
        user,
        name: name.to_owned(),
        administrator,
        go_offline,
        sync_to_outlook,
        disabled: false,
        client_id: None,
        secret_hash: None,
    };
    let secret = Secret::make(&mut principal);
    let mut tx = workspace.store().write()?;
    tx.put_principal(&principal)?;
    tx.commit()?;
    let json = json!({
        "id": user, "name": name, "administrator": administrator, "goOffline": go_offline,
        "syncToOutlook": sync_to_outlook, "clientId": secret.client_id, "clientSecret": secret.client_secret,
    });
    Ok(Output::new(json).text(format!("{name} was added. The secret is shown this once:")).pairs(
        vec![
            ("  user", user.to_string()),
            ("  client id", secret.client_id),
            ("  client secret", secret.client_secret),
        ],
    ))
}

fn list(tx: &mut Tx) -> Result<Output, CliError> {
    let principals = tx.principals()?;
    let json: Vec<_> = principals
        .iter()
        .map(|p| {
            json!({
                "id": p.user, "name": p.name, "administrator": p.administrator,
                "goOffline": p.go_offline, "syncToOutlook": p.sync_to_outlook, "disabled": p.disabled, "clientId": p.client_id,
            })
        })
        .collect();
    let rows = principals
        .into_iter()
        .map(|p| {
            let rights = [p.administrator, p.go_offline, p.sync_to_outlook, p.disabled].map(yes_no);
            [p.user.to_string(), p.name].into_iter().chain(rights).collect()
        })
        .collect();
    Ok(Output::new(json!({ "users": json })).table(
        &["User", "Name", "Administrator", "May go offline", "May sync to Outlook", "Disabled"],
        rows,
        "No users.",
    ))
}

/// What changes of a user's rights.
struct Change {
    administrator: Option<bool>,
    go_offline: Option<bool>,
    sync_to_outlook: Option<bool>,
}

fn set(workspace: &Workspace, user: &str, change: &Change) -> Result<Output, CliError> {
    let (_, caller) = workspace.server()?;
    let mut tx = workspace.store().write()?;
    let mut principal = find(&mut tx, user)?;
    if change.administrator == Some(false) && principal.user == caller.user {
        return Err(CliError::usage("The server's administrator stays one."));
    }
    principal.administrator = change.administrator.unwrap_or(principal.administrator);
    principal.go_offline = change.go_offline.unwrap_or(principal.go_offline);
    principal.sync_to_outlook = change.sync_to_outlook.unwrap_or(principal.sync_to_outlook);
    tx.put_principal(&principal)?;
    tx.commit()?;
    let json = json!({
        "id": principal.user, "name": principal.name, "administrator": principal.administrator,
        "goOffline": principal.go_offline, "syncToOutlook": principal.sync_to_outlook,
    });
    Ok(Output::new(json).pairs(vec![
        ("User", principal.name),
        ("Administrator", yes_no(principal.administrator)),
        ("May go offline", yes_no(principal.go_offline)),
        ("May synchronise to Outlook", yes_no(principal.sync_to_outlook)),
    ]))
}

fn switch(workspace: &Workspace, user: &str, disabled: bool) -> Result<Output, CliError> {
    let (_, caller) = workspace.server()?;
    let mut tx = workspace.store().write()?;
    let mut principal = find(&mut tx, user)?;
    if disabled && principal.user == caller.user {
        return Err(CliError::usage("The server's administrator cannot be disabled."));
    }
    principal.disabled = disabled;
    tx.put_principal(&principal)?;
    tx.commit()?;
    Ok(Output::new(json!({ "id": principal.user, "disabled": disabled })).text(if disabled {
        "Disabled."
    } else {
        "Enabled."
    }))
}

/// A user by id, or by a full name that only one has.
fn find(tx: &mut Tx, user: &str) -> Result<Principal, CliError> {
    let id = Uuid::parse_str(user).ok();
    let mut found = tx.principals()?;
    found.retain(|p| Some(p.user) == id || p.name == user);
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => Err(CliError::usage(format!("Several users are called '{user}'."))
            .hint("Name the user by id; `offstage user list` shows the ids.")),
        (None, _) => Err(CliError::new(Exit::NotFound, format!("There is no user '{user}'."))
            .hint("`offstage user list` shows the users.")),
    }
}
