//! `offstage outlook store`: the mail stores of this directory, and which of them is in use.
//!
//! The embedded mailbox is always there. Never shows a password or a token.

mod arguments;
mod connect;
mod kept;

pub(super) use connect::{cache_file, in_use, open, zone};
pub(super) use kept::Kept;

use super::{engine_over, mail_error};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;
use crate::workspace::Workspace;
use arguments::{Add, ImapChange, SecretArguments};
use clap::Subcommand;
use kept::{Access, EMBEDDED, Stores};
use offstage_outlook::engine::settings_of;
use offstage_outlook::rules::{ClientRole, Settings};
use offstage_outlook::{Capabilities, MailStore};
use offstage_store::SyncCache;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// The mail stores of this directory.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Store {
    /// Try a store, keep it, and use it from now on
    #[command(subcommand)]
    Add(Add),
    /// List the stores
    List,
    /// Show a store, what it can do, and its folders
    Show {
        /// Its name
        name: String,
    },
    /// Use another store from now on
    Use {
        /// Its name; `embedded` for the mailbox of this directory
        name: String,
    },
    /// Give a store another password or token; ties and settings stay
    Secret {
        /// Its name
        name: String,
        #[command(flatten)]
        secret: SecretArguments,
    },
    /// Change what takes part of an IMAP store; its ties and its password stay
    Set {
        /// Its name
        name: String,
        #[command(flatten)]
        change: ImapChange,
    },
    /// Forget a store, its password and what was synchronised; items and records stay
    Remove {
        /// Its name
        name: String,
    },
}

impl Store {
    pub(super) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        workspace.device()?;
        let mut stores = Stores::load(&workspace.data)?;
        match self {
            Self::Add(add) => self::add(workspace, stores, add),
            Self::List => Ok(list(&stores)),
            Self::Show { name } if name == EMBEDDED => {
                show(&embedded(), &mut super::mailbox(workspace)?)
            }
            Self::Show { name } => {
                let kept = stores.named(&name)?;
                let settings = settings(workspace, Some(kept))?;
                let mut store = connect::connect(kept, &workspace.data, &settings)?;
                show(&summary(kept), &mut *store)
            }
            Self::Use { name } => {
                stores.switch(&name)?;
                stores.save(&workspace.data)?;
                Ok(Output::new(json!({ "inUse": name })).text(next_step(workspace, &name)?))
            }
            Self::Secret { name, secret } => change_secret(workspace, stores.named(&name)?, secret),
            Self::Set { name, change } => change_imap(workspace, stores, &name, change),
            Self::Remove { name } => {
                stores.remove(&name)?;
                stores.save(&workspace.data)?;
                kept::forget(&workspace.data, &name)?;
                let text = format!(
                    "'{name}' is forgotten. Items and records stay as they are; which e-mails of an \
                     IMAP mailbox were tracked is forgotten with it."
                );
                Ok(Output::new(json!({ "removed": name })).text(text))
            }
        }
    }
}

/// The store in use.
pub(super) fn open_in_use(workspace: &Workspace) -> Result<Box<dyn MailStore>, CliError> {
    let kept = in_use(workspace)?;
    open(workspace, kept.as_ref(), &settings(workspace, kept.as_ref())?)
}

/// Nothing is kept of a store that cannot be reached or does not let the user in.
fn add(workspace: &Workspace, mut stores: Stores, add: Add) -> Result<Output, CliError> {
    let mut settings = settings(workspace, stores.in_use())?;
    let (kept, secret, time_zone) = add.resolve()?;
    stores.check_new(&kept.name)?;
    settings.time_zone = time_zone.unwrap_or(settings.time_zone);
    zone(&settings.time_zone)?;
    let folder = kept::folder(&workspace.data, &kept.name);
    if folder.exists() {
        // It may have the only ties of a mailbox; a failure below would remove it.
        let text = format!("'{}' is left of an earlier store of that name.", folder.display());
        return Err(CliError::new(Exit::Refused, text)
            .hint("Take another name, or move the folder away if nobody needs it."));
    }
    kept::make(&folder, secret.as_ref())?;
    let tried = connect::connect(&kept, &workspace.data, &settings)
        .and_then(|mut store| show(&summary(&kept), &mut *store));
    let output = match tried {
        Ok(output) => output,
        Err(error) => {
            kept::forget(&workspace.data, &kept.name)?;
            return Err(error);
        }
    };
    let name = kept.name.clone();
    stores.add(kept);
    stores.save(&workspace.data)?;
    // What the user said of synchronising holds for the new store too.
    engine_over(workspace, stores.in_use())?.set_settings(&settings)?;
    Ok(output.text(next_step(workspace, &name)?))
}

/// The new secret is tried before it counts; one that does not let the user in changes nothing.
fn change_secret(
    workspace: &Workspace,
    kept: &Kept,
    secret: SecretArguments,
) -> Result<Output, CliError> {
    if kept.access.kind() == "pst" || (kept.access.kind() == "dav" && kept.access.user().is_none())
    {
        return Err(CliError::usage(format!("'{}' needs no password or token.", kept.name)));
    }
    let folder = kept::folder(&workspace.data, &kept.name);
    let secret = secret.required()?;
    let settings = settings(workspace, Some(kept))?;
    connect::connect_with(kept, &workspace.data, &settings, &secret.0)?
        .folders()
        .map_err(mail_error)?;
    kept::make(&folder, Some(&secret))?;
    let text = format!("'{}' lets you in with it.", kept.name);
    Ok(Output::new(json!({ "name": kept.name, "changed": true })).text(text))
}

/// The change is tried before it counts.
fn change_imap(
    workspace: &Workspace,
    mut stores: Stores,
    name: &str,
    change: ImapChange,
) -> Result<Output, CliError> {
    let kept = stores.named(name)?;
    let Access::Imap(imap) = &kept.access else {
        let text = format!("'{name}' is no IMAP store, and has no such settings.");
        return Err(CliError::usage(text)
            .hint("`offstage outlook settings set` changes what every store has."));
    };
    let mut imap = imap.clone();
    change.apply(&mut imap);
    let changed = Kept { name: name.to_owned(), access: Access::Imap(imap) };
    let settings = settings(workspace, Some(&changed))?;
    let mut store = connect::connect(&changed, &workspace.data, &settings)?;
    let output = show(&summary(&changed), &mut *store)?;
    for kept in stores.stores.iter_mut().filter(|kept| kept.name == name) {
        *kept = changed.clone();
    }
    stores.save(&workspace.data)?;
    Ok(output)
}

/// The settings of a store's client.
pub(super) fn settings(workspace: &Workspace, kept: Option<&Kept>) -> Result<Settings, CliError> {
    let file = cache_file(&workspace.data, kept);
    if !file.exists() {
        return Ok(Settings::default());
    }
    Ok(settings_of(&mut SyncCache::open(&file)?)?)
}

/// A store synchronises when it has a client of its own: says what makes it one.
fn next_step(workspace: &Workspace, name: &str) -> Result<String, CliError> {
    let stores = Stores::load(&workspace.data)?;
    let used = format!("'{name}' is in use from now on.");
    if engine_over(workspace, stores.in_use())?.client()?.is_some() {
        return Ok(used);
    }
    let mut primary = false;
    for other in std::iter::once(None).chain(stores.stores.iter().map(Some)) {
        if cache_file(&workspace.data, other).exists() {
            let client = engine_over(workspace, other)?.client()?;
            primary |= client.is_some_and(|client| client.role() == ClientRole::Primary);
        }
    }
    let take_over = if primary { " --take-over" } else { "" };
    Ok(format!(
        "{used} `offstage outlook client set primary{take_over}` makes this the store that synchronises."
    ))
}

fn list(stores: &Stores) -> Output {
    let used = stores.in_use().map_or(EMBEDDED, |kept| kept.name.as_str());
    let mut all = vec![embedded()];
    all.extend(stores.stores.iter().map(summary));
    for one in &mut all {
        one["inUse"] = json!(one["name"] == used);
    }
    let text = |one: &Json, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    let rows = all.iter().map(|one| {
        let use_now = if one["inUse"] == true { "yes" } else { "" };
        vec![text(one, "name"), text(one, "kind"), text(one, "address"), use_now.to_owned()]
    });
    let rows = rows.collect();
    Output::new(json!({ "stores": all })).table(&["Name", "Kind", "Address", "In use"], rows, "")
}

fn embedded() -> Json {
    json!({ "name": EMBEDDED, "kind": EMBEDDED, "address": null, "user": null })
}

fn summary(kept: &Kept) -> Json {
    json!({
        "name": kept.name, "kind": kept.access.kind(), "address": kept.access.address(),
        "user": kept.access.user(),
    })
}

/// What a store says of itself.
fn show(summary: &Json, store: &mut dyn MailStore) -> Result<Output, CliError> {
    let folders = store.folders().map_err(mail_error)?;
    let can = abilities(store.capabilities());
    let mut json = summary.clone();
    json["capabilities"] = json!(can);
    let folder = |one: &offstage_outlook::Folder| {
        json!({
            "id": one.id.as_str(), "name": one.name, "kind": one.kind.name(), "default": one.default,
        })
    };
    json["folders"] = folders.iter().map(folder).collect();
    let rows = folders.iter().map(|folder| {
        let default = if folder.default { "yes" } else { "" };
        vec![folder.name.clone(), folder.kind.name().to_owned(), default.to_owned()]
    });
    let rows = rows.collect();
    let text = |name: &str| summary[name].as_str().unwrap_or_default().to_owned();
    let mut pairs = vec![("Name", text("name")), ("Kind", text("kind"))];
    for (name, value) in [("Address", text("address")), ("User", text("user"))] {
        if !value.is_empty() {
            pairs.push((name, value));
        }
    }
    pairs.push(("Can", can.join(", ")));
    Ok(Output::new(json).pairs(pairs).table(
        &["Folder", "Holds", "Default"],
        rows,
        "It has no folder.",
    ))
}

fn abilities(capabilities: &Capabilities) -> Vec<&'static str> {
    let all = [
        (capabilities.writes, "be written to"),
        (capabilities.notifies, "tell of changes by itself"),
        (capabilities.server_modification_time, "tell when an item changed"),
        (capabilities.custom_properties, "carry the tie to a record"),
        (capabilities.conditional_write, "write only if unchanged"),
        (capabilities.reports_deletions, "name what was deleted"),
        (capabilities.sends_invitations, "mail attendees"),
    ];
    all.into_iter().filter(|(can, _)| *can).map(|(_, word)| word).collect()
}

impl Stores {
    fn check_new(&self, name: &str) -> Result<(), CliError> {
        let plain = |char: char| char.is_ascii_alphanumeric() || char == '-';
        if name.is_empty() || name.len() > 40 || !name.chars().all(plain) {
            return Err(CliError::usage(format!("'{name}' is no name for a mail store."))
                .hint("Use up to 40 letters, digits and hyphens."));
        }
        if name == EMBEDDED || self.stores.iter().any(|other| other.name == name) {
            return Err(CliError::usage(format!("There is a mail store '{name}' already."))
                .hint("Choose another --name, or remove it first."));
        }
        Ok(())
    }

    fn named(&self, name: &str) -> Result<&Kept, CliError> {
        self.stores.iter().find(|kept| kept.name == name).ok_or_else(|| {
            CliError::new(Exit::NotFound, format!("There is no mail store '{name}'."))
                .hint("`offstage outlook store list` shows them.")
        })
    }

    fn add(&mut self, kept: Kept) {
        self.in_use = Some(kept.name.clone());
        self.stores.push(kept);
    }

    fn switch(&mut self, name: &str) -> Result<(), CliError> {
        self.in_use = match name {
            EMBEDDED => None,
            name => Some(self.named(name)?.name.clone()),
        };
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), CliError> {
        if name == EMBEDDED {
            return Err(CliError::usage("The embedded mailbox is part of the data directory.")
                .hint("`offstage outlook item delete` deletes items of it."));
        }
        self.named(name)?;
        self.stores.retain(|kept| kept.name != name);
        if self.in_use.as_deref() == Some(name) {
            self.in_use = None;
        }
        Ok(())
    }
}
