//! `offstage journal`: what was done offline.

use crate::error::CliError;
use crate::output::{Output, brief_ids};
use crate::rows::{cell, list_columns, value_json, value_text};
use crate::values::{Assignment, attributes};
use crate::workspace::Workspace;
use clap::Subcommand;
use offstage_model::journal::{EffectKind, EntryState, OperationNode, RowEffect};
use offstage_model::request::parameter;
use offstage_model::{Catalog, Entity, Request};
use offstage_replication::{Attention, EntryDetail, Progress, Silent};
use offstage_store::{JournalFilter, JournalRow};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// What was done offline.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Journal {
    /// List the entries
    List {
        /// Only entries that need a decision
        #[arg(long)]
        attention: bool,
        /// Only entries after this one
        #[arg(long, value_name = "N", default_value_t = 0)]
        after: u64,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 200)]
        top: u16,
    },
    /// Show an entry with everything that was done
    Show {
        /// The entry's number
        entry: u64,
    },
    /// Try a refused entry again
    Retry {
        /// The entry's number
        entry: u64,
    },
    /// Try a refused entry again with other values
    Edit {
        /// The entry's number
        entry: u64,
        /// The columns with their new values
        #[arg(value_name = "COL=VALUE", required = true)]
        values: Vec<Assignment>,
    },
    /// Withdraw a refused entry, and those that wait for it
    Discard {
        /// The entry's number
        entry: u64,
    },
}

impl Journal {
    pub(crate) fn run(
        self,
        workspace: &Workspace,
        progress: &dyn Progress,
    ) -> Result<Output, CliError> {
        let device = workspace.device()?;
        match self {
            Self::List { attention: true, .. } => {
                let attention = device.attention()?;
                let json: Vec<Json> = attention.iter().map(attention_json).collect();
                Ok(attention_table(Output::new(json!({ "entries": json })), &attention))
            }
            Self::List { after, top, .. } => {
                let filter =
                    JournalFilter { after, rows_max: top.into(), ..JournalFilter::default() };
                Ok(list(&device.journal(&filter)?))
            }
            Self::Show { entry } => {
                let detail = device.entry(entry)?;
                let other = in_the_way(workspace, &detail);
                Ok(show(&workspace.catalog(), &detail, other.as_ref()))
            }
            Self::Retry { entry } => again(device, entry, device.retry(entry, progress)?),
            Self::Edit { entry, values } => {
                let detail = device.entry(entry)?;
                let catalog = workspace.catalog();
                let columns = attributes(&catalog, &detail.row.table, &values)?;
                again(device, entry, device.edit(entry, &columns, progress)?)
            }
            Self::Discard { entry } => {
                let withdrawn = device.discard(entry, progress)?;
                let numbers: Vec<String> = withdrawn.iter().map(ToString::to_string).collect();
                Ok(Output::new(json!({ "withdrawn": withdrawn }))
                    .text(format!("Withdrawn: {}.", numbers.join(", "))))
            }
        }
    }
}

/// What became of an entry that took the place of another.
fn again(device: &offstage_replication::Device, old: u64, new: u64) -> Result<Output, CliError> {
    let detail = device.entry(new)?;
    let state = detail.row.state;
    let fault = detail.outcome.as_ref().and_then(|o| o.fault.clone());
    let json = json!({
        "entry": new, "supersedes": old, "state": state,
        "error": fault.as_ref().map(|f| CliError::from(f.clone()).json()["error"].clone()),
    });
    let text = match (&fault, state) {
        (Some(fault), _) => {
            format!("Entry {new} takes its place: {}. {}", word(state), fault.message)
        }
        (None, EntryState::Pending | EntryState::Sent) => {
            format!("Entry {new} takes its place and waits to be played.")
        }
        (None, _) => format!("Entry {new} takes its place: {}.", word(state)),
    };
    let exit = if state.needs_attention() {
        crate::exit::Exit::Attention
    } else {
        crate::exit::Exit::Done
    };
    Ok(Output::new(json).text(text).exit(exit))
}

/// The state as people read it.
pub(crate) fn word(state: EntryState) -> &'static str {
    match state {
        EntryState::Pending => "pending",
        EntryState::Sent => "sent",
        EntryState::Applied => "applied",
        EntryState::Conflict => "conflict",
        EntryState::Rejected => "rejected",
        EntryState::Blocked => "blocked",
        EntryState::Discarded => "withdrawn",
    }
}

fn row_json(row: &JournalRow) -> Json {
    json!({
        "entry": row.sequence, "epoch": row.epoch, "operation": row.operation, "state": row.state,
        "time": row.time.to_string(), "message": row.message, "table": row.table, "row": row.row,
        "supersedes": row.supersedes, "supersededBy": row.superseded_by, "bytes": row.bytes_len,
        "hash": row.hash,
    })
}

fn what(row: &JournalRow) -> String {
    let id = row.row.map(|id| format!(" {id}")).unwrap_or_default();
    format!("{} {}{id}", row.message, row.table)
}

fn list(entries: &[JournalRow]) -> Output {
    let rows = entries
        .iter()
        .map(|row| {
            let note = match (row.supersedes, row.superseded_by) {
                (Some(old), _) => format!("in place of {old}"),
                (None, Some(new)) => format!("{new} took its place"),
                (None, None) => String::new(),
            };
            vec![
                row.sequence.to_string(),
                row.time.to_string(),
                word(row.state).to_owned(),
                brief_ids(&what(row)),
                note,
            ]
        })
        .collect();
    Output::new(json!({ "entries": entries.iter().map(row_json).collect::<Vec<_>>() })).table(
        &["Entry", "Time", "State", "What", "Note"],
        rows,
        "The journal is empty.",
    )
}

/// An entry that needs a decision, for programs.
pub(crate) fn attention_json(attention: &Attention) -> Json {
    let mut json = row_json(&attention.row);
    json["blockedBy"] = json!(attention.blocked_by);
    if let Some(fault) = &attention.fault {
        json["error"] = CliError::from(fault.clone()).json()["error"].clone();
    }
    json
}

/// Adds the entries that need a decision, for people.
pub(crate) fn attention_table(output: Output, attention: &[Attention]) -> Output {
    let rows = attention
        .iter()
        .map(|a| {
            let reason = match (&a.fault, a.blocked_by) {
                (_, Some(by)) => format!("waits for entry {by}"),
                (Some(fault), None) => fault.message.clone(),
                (None, None) => String::new(),
            };
            let what = brief_ids(&what(&a.row));
            vec![a.row.sequence.to_string(), word(a.row.state).to_owned(), what, reason]
        })
        .collect();
    output.table(&["Entry", "State", "What", "Why"], rows, "No entry needs a decision.")
}

/// The row with which the entry clashed, as far as it can be read now.
fn in_the_way(workspace: &Workspace, detail: &EntryDetail) -> Option<Entity> {
    let fault = detail.outcome.as_ref()?.fault.as_ref()?;
    let row = fault.row.as_ref()?;
    let response = workspace.execute(Request::retrieve(&row.table, row.id, None), &Silent).ok()?;
    response.entity().cloned()
}

fn show(catalog: &Catalog, detail: &EntryDetail, other: Option<&Entity>) -> Output {
    let row = &detail.row;
    let json = json!({
        "row": row_json(row), "entry": detail.entry, "outcome": detail.outcome,
        "inTheWay": other.map(crate::rows::row_json),
    });
    let mut pairs = vec![
        ("Entry", row.sequence.to_string()),
        ("State", word(row.state).to_owned()),
        ("Time", row.time.to_string()),
        ("What", what(row)),
        ("Operation", row.operation.to_string()),
    ];
    let fault = detail.outcome.as_ref().and_then(|o| o.fault.as_ref());
    if let Some(fault) = fault {
        pairs.push(("Why", fault.message.clone()));
        pairs.extend(fault.hint.clone().map(|hint| ("Hint", hint)));
        pairs.extend(fault.step.clone().map(|step| ("Step", step)));
    }
    if let Some(other) = other {
        let columns = list_columns(catalog, &other.table);
        let values =
            columns.iter().map(|column| format!("{column}={}", cell(catalog, other, column)));
        let values = values.collect::<Vec<_>>().join(", ");
        let id = other.id.map(|id| id.to_string()).unwrap_or_default();
        pairs.push(("In the way", format!("{} {id}: {values}", other.table)));
    }
    let mut rows = Vec::new();
    effects(catalog, &detail.entry.root, "you", &mut rows);
    Output::new(json).pairs(pairs).text("").table(
        &["By", "Row", "Column", "Before", "After"],
        rows,
        "The entry changed no row.",
    )
}

/// One line per changed column, with who changed it: the user, or a step.
fn effects(catalog: &Catalog, node: &OperationNode, by: &str, rows: &mut Vec<Vec<String>>) {
    for effect in &node.effects {
        let table = catalog.tables.get(&effect.table);
        let line = |column: &str, before: String, after: String| {
            let name = brief_ids(&format!("{} {}", effect.table, effect.id));
            let by = author(node, effect, column, by);
            vec![by.to_owned(), name, column.to_owned(), before, after]
        };
        let columns: std::collections::BTreeSet<&String> =
            effect.before.keys().chain(effect.after.keys()).collect();
        if effect.kind == EffectKind::Deleted {
            rows.push(line("(the row)", "was there".into(), "removed".into()));
            continue;
        }
        for column in columns {
            let definition = table.and_then(|t| t.column(column));
            if definition.is_some_and(|c| c.system) {
                continue;
            }
            let text = |values: &offstage_model::entity::Attributes| {
                values.get(column).map(|v| value_text(definition, v)).unwrap_or_default()
            };
            rows.push(line(column, text(&effect.before), text(&effect.after)));
        }
    }
    for run in &node.steps {
        for child in &run.operations {
            effects(catalog, child, &run.key, rows);
        }
    }
    for member in &node.members {
        effects(catalog, member, member.cascade.as_deref().unwrap_or(by), rows);
    }
}

/// Who set a column of an operation's row: the last step that did, whoever asked for it (`by`), or
/// the platform with a default or a computed value.
fn author<'a>(node: &'a OperationNode, effect: &RowEffect, column: &str, by: &'a str) -> &'a str {
    if Some(effect.id) != node.row || effect.table != node.request.primary_table() {
        return by;
    }
    if let Some(run) = node.steps.iter().rev().find(|run| run.columns.contains_key(column)) {
        return &run.key;
    }
    match node.request.entity(parameter::TARGET) {
        Ok(target) if !target.attributes.contains_key(column) => "the platform",
        _ => by,
    }
}

/// A value for programs, `null` when it is absent.
pub(crate) fn optional_json(value: Option<&offstage_model::Value>) -> Json {
    value.map_or(Json::Null, value_json)
}
