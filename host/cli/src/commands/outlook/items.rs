//! `offstage outlook item`: what a user does in the mail store itself.
//!
//! Nothing here is synchronised at once; `track`, `close` and `sync` are for that.

use super::{find, mail_error, mailbox, stores};
use crate::error::CliError;
use crate::exit::Exit;
use crate::machine::SystemRandom;
use crate::output::Output;
use crate::workspace::Workspace;
use clap::Subcommand;
use offstage_model::{Randomness as _, Timestamp};
use offstage_outlook::property::PropertyType;
use offstage_outlook::stores::embedded::EmbeddedStore;
use offstage_outlook::{
    EntryId, Item as MailItem, ItemKind, ItemPatch, LinkProperties, MailStore, NewItem, Person,
    Property, PropertyValue,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// Items in a list, unless more are asked for.
const LISTED: usize = 100;

const fn listed() -> usize {
    LISTED
}

/// Items of the mail store in use.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Item {
    /// List the items
    List {
        /// Only of this kind: contact, task, appointment or email
        kind: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = LISTED)]
        #[serde(default = "listed")]
        top: usize,
    },
    /// Show an item with all properties that are mapped
    Show {
        /// The item: its id, or the end of it
        item: String,
    },
    /// Make an item
    New {
        /// contact, task, appointment or email
        kind: String,
        /// Values: `first-name=Ann`, `start=2027-03-28T09:00:00Z`, `due-date=2027-03-28`,
        /// `required-attendees="Ann <ann@x.example>; bob@x.example"`
        values: Vec<String>,
    },
    /// Change an item; `NAME=` clears a property
    Edit {
        /// The item: its id, or the end of it
        item: String,
        /// The new values
        values: Vec<String>,
    },
    /// Send a draft of the embedded mailbox
    Send {
        /// The item: its id, or the end of it
        item: String,
    },
    /// Move an item of the embedded mailbox to another folder; it gets a new id
    Move {
        /// The item: its id, or the end of it
        item: String,
        /// The folder's name
        folder: String,
    },
    /// Copy an item of the embedded mailbox, with everything that is on it
    Copy {
        /// The item: its id, or the end of it
        item: String,
    },
    /// Delete an item
    Delete {
        /// The item: its id, or the end of it
        item: String,
    },
}

impl Item {
    pub(super) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        match self {
            Self::Send { .. } | Self::Move { .. } | Self::Copy { .. } => {
                self.run_embedded(workspace)
            }
            _ => self.run_anywhere(&mut *stores::open_in_use(workspace)?),
        }
    }

    fn run_anywhere(self, store: &mut dyn MailStore) -> Result<Output, CliError> {
        match self {
            Self::List { kind, top } => list(store, kind.as_deref(), top),
            Self::Show { item } => {
                let id = find(store, &item)?;
                show(&read(store, &id)?)
            }
            Self::New { kind, values } => {
                let kind = ItemKind::named(&kind).ok_or_else(|| unknown_kind(&kind))?;
                let patch = patch(&values)?;
                let set = patch.properties.into_iter().filter_map(|(p, v)| Some((p, v?)));
                let made = store.create(&NewItem {
                    kind,
                    folder: None,
                    properties: set.collect(),
                    link: LinkProperties::default(),
                    transaction: SystemRandom.guid(),
                });
                show(&made.map_err(mail_error)?)
            }
            Self::Edit { item, values } => {
                let id = find(store, &item)?;
                show(&store.update(&id, None, &patch(&values)?).map_err(mail_error)?)
            }
            Self::Delete { item } => {
                let id = find(store, &item)?;
                store.delete(&id, None).map_err(mail_error)?;
                Ok(Output::new(json!({ "item": id.as_str(), "deleted": true })).text("Deleted."))
            }
            Self::Send { .. } | Self::Move { .. } | Self::Copy { .. } => {
                unreachable!("BUG: these are for the embedded mailbox")
            }
        }
    }

    fn run_embedded(self, workspace: &Workspace) -> Result<Output, CliError> {
        if let Some(used) = stores::in_use(workspace)? {
            let text = format!("'{}' is in use; this is for the embedded mailbox.", used.name);
            return Err(CliError::usage(text).hint("Do it where the items of that store are."));
        }
        let mut store = mailbox(workspace)?;
        match self {
            Self::Send { item } => send(workspace, store, &item),
            Self::Move { item, folder } => {
                let id = find(&mut store, &item)?;
                let folders = store.folders().map_err(mail_error)?;
                let to =
                    folders.into_iter().find(|known| known.name == folder).ok_or_else(|| {
                        CliError::new(Exit::NotFound, format!("There is no folder '{folder}'."))
                    })?;
                let id = store.move_to(&id, &to.id).map_err(mail_error)?;
                show(&read(&mut store, &id)?)
            }
            Self::Copy { item } => {
                let id = find(&mut store, &item)?;
                show(&store.copy(&id).map_err(mail_error)?)
            }
            _ => unreachable!("BUG: these are for every store"),
        }
    }
}

/// A draft is sent: now it is tracked, if the user chose so.
fn send(workspace: &Workspace, mut store: EmbeddedStore, item: &str) -> Result<Output, CliError> {
    let id = find(&mut store, item)?;
    let now = offstage_model::Clock::now(&crate::machine::SystemClock);
    let mut patch = ItemPatch::default();
    patch.properties.insert(Property::SentOn, Some(PropertyValue::Time(now)));
    let sent = store.update(&id, None, &patch).map_err(mail_error)?;
    let tracked = sent.link.state.is_some();
    // The engine opens the mailbox itself.
    drop(store);
    if tracked {
        let answer = super::engine(workspace)?.sent(&id)?;
        let json = json!({ "item": id.as_str(), "when": "on-send", "report": answer.report });
        return Ok(Output::new(json).text("Sent, and synchronised."));
    }
    show(&sent)
}

/// A mailbox may hold very many, and each may be read from a server.
fn list(store: &mut dyn MailStore, kind: Option<&str>, top: usize) -> Result<Output, CliError> {
    let kind = kind.map(|k| ItemKind::named(k).ok_or_else(|| unknown_kind(k))).transpose()?;
    let mut items = Vec::new();
    let mut more = 0;
    for folder in store.folders().map_err(mail_error)? {
        if kind.is_none_or(|kind| kind == folder.kind) {
            let rows = store.scan(&folder.id, None).map_err(mail_error)?.rows;
            let count = rows.len().min(top.saturating_sub(items.len()));
            more += rows.len() - count;
            let ids: Vec<EntryId> = rows.into_iter().take(count).map(|row| row.entry_id).collect();
            items.extend(store.read(&ids).map_err(mail_error)?.into_iter().flatten());
        }
    }
    let json: Vec<Json> = items.iter().map(item_json).collect();
    let rows = items
        .iter()
        .map(|item| {
            let tracked = item.link.crm_id.map(|id| id.to_string()).unwrap_or_default();
            vec![item.entry_id.to_string(), item.kind.to_string(), name(item), tracked]
        })
        .collect();
    let output = Output::new(json!({ "items": json, "more": more })).table(
        &["Item", "Kind", "Name", "Record"],
        rows,
        "The mailbox is empty.",
    );
    if more == 0 {
        return Ok(output);
    }
    Ok(output.text(format!("{more} more are not shown; `--top N` shows N.")))
}

fn name(item: &MailItem) -> String {
    let names = [Property::Subject, Property::FirstName, Property::LastName];
    let texts: Vec<String> =
        names.iter().filter_map(|p| Some(item.properties.get(p)?.to_string())).collect();
    texts.join(" ")
}

fn read(store: &mut dyn MailStore, id: &EntryId) -> Result<MailItem, CliError> {
    let found = store.read(std::slice::from_ref(id)).map_err(mail_error)?.pop().flatten();
    found.ok_or_else(|| CliError::new(Exit::NotFound, format!("The item {id} is gone.")))
}

fn show(item: &MailItem) -> Result<Output, CliError> {
    let mut pairs = vec![("item".to_owned(), item.entry_id.to_string())];
    pairs.extend(item.properties.iter().map(|(p, v)| (p.name().to_owned(), v.to_string())));
    let tie = item.link.to_named().into_iter().filter(|(name, _)| *name != "crmxml");
    pairs.extend(tie.map(|(name, value)| (name.to_owned(), value)));
    Ok(Output::new(item_json(item)).block(crate::output::Block::Pairs(pairs)))
}

fn item_json(item: &MailItem) -> Json {
    let properties: serde_json::Map<String, Json> = item
        .properties
        .iter()
        .map(|(property, value)| (property.name().to_owned(), value_json(value)))
        .collect();
    let link: serde_json::Map<String, Json> =
        item.link.to_named().into_iter().map(|(n, v)| (n.to_owned(), json!(v))).collect();
    json!({
        "item": item.entry_id.as_str(), "kind": item.kind.name(),
        "folder": item.folder.as_str(), "modified": item.modified.map(|time| time.to_string()),
        "properties": properties, "link": link,
    })
}

fn value_json(value: &PropertyValue) -> Json {
    match value {
        PropertyValue::Integer(number) => json!(number),
        PropertyValue::Boolean(yes) => json!(yes),
        PropertyValue::Texts(texts) => json!(texts),
        PropertyValue::People(people) => {
            let people = people.iter().map(|p| json!({ "name": p.name, "address": p.address }));
            Json::Array(people.collect())
        }
        other => json!(other.to_string()),
    }
}

fn unknown_kind(kind: &str) -> CliError {
    CliError::usage(format!("'{kind}' is no kind of item."))
        .hint("It is contact, task, appointment or email.")
}

/// Values as they are typed.
fn patch(values: &[String]) -> Result<ItemPatch, CliError> {
    let mut patch = ItemPatch::default();
    for text in values {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| CliError::usage(format!("'{text}' is not NAME=VALUE.")))?;
        let property = Property::named(name).ok_or_else(|| {
            let names: Vec<&str> = Property::ALL.iter().map(|p| p.name()).collect();
            CliError::usage(format!("There is no property '{name}'."))
                .hint(format!("Properties: {}.", names.join(", ")))
        })?;
        let value = if value.is_empty() { None } else { Some(typed(property, value)?) };
        patch.properties.insert(property, value);
    }
    Ok(patch)
}

fn typed(property: Property, text: &str) -> Result<PropertyValue, CliError> {
    let wrong = |what: &str| CliError::usage(format!("{property}: '{text}' is no {what}."));
    let time = || Timestamp::parse(text).map(PropertyValue::Time).map_err(|_| wrong("time"));
    let date = || text.parse().map(PropertyValue::Date).map_err(|_| wrong("date"));
    match property.kind() {
        PropertyType::Text => Ok(PropertyValue::text(text)),
        PropertyType::Texts => {
            Ok(PropertyValue::Texts(text.split(';').map(|t| t.trim().to_owned()).collect()))
        }
        PropertyType::Integer => {
            text.parse().map(PropertyValue::Integer).map_err(|_| wrong("number"))
        }
        PropertyType::Boolean => match text {
            "true" | "yes" => Ok(PropertyValue::Boolean(true)),
            "false" | "no" => Ok(PropertyValue::Boolean(false)),
            _ => Err(wrong("yes or no")),
        },
        PropertyType::Time => time(),
        PropertyType::Date => date(),
        PropertyType::TimeOrDate if text.len() == 10 => date(),
        PropertyType::TimeOrDate => time(),
        PropertyType::People => {
            Ok(PropertyValue::People(text.split(';').map(|p| person(p.trim())).collect()))
        }
    }
}

/// `Ann <ann@x.example>`, or an address alone.
fn person(text: &str) -> Person {
    match text.strip_suffix('>').and_then(|rest| rest.split_once('<')) {
        Some((name, address)) => Person::new(name.trim(), address.trim()),
        None => Person::new("", text),
    }
}
