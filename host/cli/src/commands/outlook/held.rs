//! `offstage outlook held`: changes that wait for a person.

use super::sync;
use crate::error::CliError;
use crate::output::{Output, counted};
use clap::{Args, Subcommand};
use offstage_outlook::Engine;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Changes that wait for a person: many deletions, duplicates, refusals, undone runs.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Held {
    /// List them with the reasons
    List,
    /// Let one go on, or all of them
    Release(Which),
    /// Tie a duplicate to the record that was found
    Tie {
        /// The number of the pair
        pair: i64,
    },
    /// Drop one, or all: a deletion is not passed on, any other change is forgotten
    Drop(Which),
}

/// One that waits, or every one: never all by leaving a number out.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// The number of the pair
    pair: Option<i64>,
    /// All that wait: deletions, duplicates, refused, failing and undone changes
    #[arg(long)]
    all: bool,
}

impl Held {
    pub(super) fn run(self, engine: &mut Engine) -> Result<Output, CliError> {
        match self {
            Self::List => list(engine),
            Self::Release(which) => Ok(sync::output(&engine.release(which.pair)?)),
            Self::Tie { pair } => Ok(sync::output(&engine.tie_duplicate(pair)?)),
            Self::Drop(which) => {
                let dropped = engine.drop_held(which.pair)? as u64;
                let text = format!("Dropped {}.", counted(dropped, "change", "changes"));
                Ok(Output::new(json!({ "dropped": dropped })).text(text))
            }
        }
    }
}

fn list(engine: &mut Engine) -> Result<Output, CliError> {
    let held = engine.held()?;
    let json: Vec<_> = held
        .iter()
        .map(|h| {
            json!({
                "pair": h.pair, "kind": h.kind, "reason": h.reason, "table": h.table,
                "record": h.record, "item": h.item,
            })
        })
        .collect();
    let rows = held
        .into_iter()
        .map(|h| {
            vec![h.pair.to_string(), h.kind, h.table.to_owned(), h.record.to_string(), h.reason]
        })
        .collect();
    Ok(Output::new(json!({ "held": json })).table(
        &["Pair", "Kind", "Table", "Record", "Why"],
        rows,
        "Nothing waits.",
    ))
}
