//! The report of a run: what was done with each pair and why, for people and programs.
//!
//! An edge form: it is stored and printed as JSON, and never read back by the engine.

use super::left_alone::LeftAloneView;
use crate::plan::{Decision, Plan, Winner};
use crate::property::PropertyValue;
use offstage_model::{Timestamp, Uuid};
use serde::Serialize;

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "reason")]
pub enum RunState {
    /// It came to its end.
    #[default]
    Done,
    /// Something does not answer; what is left waits for the next run.
    Waiting(String),
    /// It failed.
    Failed(String),
}

/// What was done with a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// A record was made of an item.
    CreatedRecord,
    /// An item was made of a record.
    CreatedItem,
    /// An item and a record that exist were tied.
    Linked,
    /// Both are in step; something was written.
    Merged,
    /// Both were in step already.
    Unchanged,
    /// The record was deleted.
    DeletedRecord,
    /// The item was deleted.
    DeletedItem,
    /// They are not tied any more.
    Unlinked,
    /// A copy of an item lost the tie of its original.
    CopyFreed,
    /// It is tried again.
    Retried,
    /// It waits for a person.
    Held,
}

/// One field of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldReport {
    /// The property.
    pub field: &'static str,
    /// The group in which it is decided.
    pub group: &'static str,
    /// The last synchronised value.
    pub base: Option<String>,
    /// The item's value.
    pub outlook: Option<String>,
    /// The record's value.
    pub crm: Option<String>,
    /// Whose value stands: `outlook`, `crm`, or nobody's.
    pub winner: Option<&'static str>,
    /// Why.
    pub why: String,
    /// Both sides changed it, so one value is lost.
    pub conflict: bool,
}

/// What was done with one pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PairReport {
    /// The number of the pair.
    pub pair: i64,
    /// The item.
    pub item: Option<String>,
    /// The record's table.
    pub table: &'static str,
    /// The record.
    pub record: Uuid,
    /// What was done, or would be.
    pub done: Word,
    /// The rule or the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The plan.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldReport>,
    /// Fields of which the record holds the beginning only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub truncated: Vec<&'static str>,
}

impl PairReport {
    /// Adds the fields of a plan.
    pub(crate) fn take_plan(&mut self, plan: &Plan) {
        self.fields = plan.decisions.iter().flat_map(field_reports).collect();
        self.truncated = plan.truncated.iter().map(|property| property.name()).collect();
    }
}

fn field_reports(decision: &Decision) -> Vec<FieldReport> {
    let text = |value: &Option<PropertyValue>| value.as_ref().map(ToString::to_string);
    let fields = decision.fields.iter().map(|view| FieldReport {
        field: view.property.name(),
        group: decision.group.name(),
        base: text(&view.base),
        outlook: text(&view.outlook),
        crm: text(&view.crm),
        winner: match decision.winner {
            Winner::Neither => None,
            Winner::Outlook => Some("outlook"),
            Winner::Crm => Some("crm"),
        },
        why: decision.why.to_string(),
        conflict: decision.is_conflict(),
    });
    fields.collect()
}

/// A run in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows of contents tables that were looked at.
    pub items_seen: u64,
    /// Rows of the CRM that had changed.
    pub rows_seen: u64,
    /// Changes that wait for a person.
    pub held: u64,
    /// Items that are not understood, of this run and of earlier ones.
    pub left_alone: u64,
}

/// The report of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The run's number; 0 for a dry run.
    pub run: i64,
    /// When it began.
    pub started: String,
    /// When it ended.
    pub finished: String,
    /// What started it.
    pub trigger: &'static str,
    /// Nothing was written.
    pub dry_run: bool,
    /// How it ended.
    #[serde(flatten)]
    pub state: RunState,
    /// Numbers.
    pub counts: Counts,
    /// Every pair that was worked on.
    pub pairs: Vec<PairReport>,
    /// Items that were met and are not understood, tracked or not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_alone: Vec<LeftAloneView>,
}

impl Report {
    pub(crate) fn new(run: i64, started: Timestamp, trigger: &'static str, dry_run: bool) -> Self {
        Self {
            run,
            started: started.to_string(),
            finished: String::new(),
            trigger,
            dry_run,
            state: RunState::Done,
            counts: Counts::default(),
            pairs: Vec::new(),
            left_alone: Vec::new(),
        }
    }

    pub(crate) fn finish(&mut self, now: Timestamp) {
        self.finished = now.to_string();
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("BUG: a report has a JSON form")
    }

    /// How many pairs came to this.
    #[must_use]
    pub fn count(&self, done: Word) -> usize {
        self.pairs.iter().filter(|pair| pair.done == done).count()
    }
}
