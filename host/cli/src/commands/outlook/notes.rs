//! `offstage outlook notes`: what a person should know, and the other value of a conflict.

use super::sync;
use crate::error::CliError;
use crate::output::Output;
use clap::{Subcommand, ValueEnum};
use offstage_outlook::{Engine, engine};
use offstage_store::NoteRow;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// Conflicts, cut texts, duplicates and deletions that were noted.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Notes {
    /// List them, the newest first
    List {
        /// Only conflicts, with both values of each
        #[arg(long)]
        #[serde(default)]
        conflicts: bool,
    },
    /// Take the value that one side had in a conflict, on both sides
    Take {
        /// The number of the note
        note: i64,
        /// Whose value is to stand
        #[arg(value_enum)]
        side: Side,
    },
}

/// A side of a pair.
#[derive(Clone, Copy, Debug, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Side {
    /// What the item had
    Outlook,
    /// What the record had
    Crm,
}

impl From<Side> for engine::Side {
    fn from(side: Side) -> Self {
        match side {
            Side::Outlook => Self::Outlook,
            Side::Crm => Self::Crm,
        }
    }
}

impl Notes {
    pub(super) fn run(self, engine: &mut Engine) -> Result<Output, CliError> {
        match self {
            Self::List { conflicts: false } => all(engine),
            Self::List { conflicts: true } => conflicts(engine),
            Self::Take { note, side } => Ok(sync::output(&engine.take(note, side.into())?)),
        }
    }
}

/// A note as a program sees it.
pub(super) fn json_of(note: &NoteRow) -> Json {
    let mut json: Json = serde_json::from_str(&note.json).unwrap_or_default();
    if let Some(object) = json.as_object_mut() {
        // What is kept for the taking is for the engine.
        for name in ["properties", "outlook_xml", "crm_xml"] {
            object.remove(name);
        }
    }
    json["note"] = json!(note.note_id);
    json["time"] = json!(note.time.to_string());
    json["pair"] = json!(note.map_id);
    json
}

fn notes(engine: &mut Engine) -> Result<Vec<Json>, CliError> {
    let rows = engine.cache().write(|tx| tx.notes(usize::MAX))?;
    Ok(rows.iter().map(json_of).collect())
}

fn all(engine: &mut Engine) -> Result<Output, CliError> {
    let notes = notes(engine)?;
    let rows = notes
        .iter()
        .map(|note| {
            let text = |name: &str| note[name].as_str().unwrap_or_default().to_owned();
            vec![note["note"].to_string(), text("time"), text("kind"), text("text")]
        })
        .collect();
    let headers = ["Note", "When", "Kind", "What"];
    Ok(Output::new(json!({ "notes": notes })).table(&headers, rows, "Nothing was noted."))
}

fn conflicts(engine: &mut Engine) -> Result<Output, CliError> {
    let mut notes = notes(engine)?;
    notes.retain(|note| note["kind"] == "conflict");
    let mut rows = Vec::new();
    for note in &notes {
        let text = |json: &Json, name: &str| json[name].as_str().unwrap_or_default().to_owned();
        let record = format!("{} {}", text(note, "table"), text(note, "record"));
        let record = crate::output::brief_ids(&record);
        for field in note["fields"].as_array().into_iter().flatten() {
            rows.push(vec![
                note["note"].to_string(),
                text(note, "time"),
                record.clone(),
                text(field, "field"),
                text(field, "base"),
                text(field, "outlook"),
                text(field, "crm"),
                text(note, "stood"),
            ]);
        }
    }
    let headers = ["Note", "When", "Record", "Field", "Before", "Outlook", "CRM", "Stood"];
    let output = Output::new(json!({ "notes": notes }));
    Ok(output.table(&headers, rows, "No conflict was noted."))
}
