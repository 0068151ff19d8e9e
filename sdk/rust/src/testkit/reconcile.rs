//! Compares the two runs of an operation, step by step.
//!
//! Pairing is never by position: creates pair by step, table and lookups, others by step, message
//! and row, then by occurrence. It reports; it changes no row.

use std::collections::BTreeMap;

use super::organization::{Run, StepRun};
use super::session::{Operation, lookups};
use crate::change::Change;
use crate::definition::{Deployment, Playback, Stage};
use crate::value::Value;

/// What becomes of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Both runs made it, equally; it is kept once.
    Paired,
    /// Both runs made it, with different values; the server's stand.
    Differs,
    /// Only the offline run made it, and it is kept: the server's run of the step did not happen,
    /// or it asked for IsOfflinePlayback.
    CarriedOver,
    /// Only the offline run made it, and the server's run of the step decided otherwise.
    Dropped,
    /// Only the server's run made it.
    AddedByServer,
}

/// One effect with what becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Paired {
    /// The steps that made it, from the root, by their keys.
    pub path: String,
    /// A column of `Target`, or message and table of a nested operation.
    pub what: String,
    /// What becomes of it.
    pub outcome: Outcome,
    /// Where the values differ: column, offline value, server's value.
    pub differences: Vec<(String, Option<Value>, Option<Value>)>,
}

/// How the effects of two runs fit together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reconciliation {
    /// The columns of the request's `Target` that steps set or removed.
    pub columns: Vec<Paired>,
    /// The nested operations.
    pub operations: Vec<Paired>,
}

impl Reconciliation {
    /// Returns how many effects both runs made.
    pub fn paired(&self) -> usize {
        self.count(Outcome::Paired)
    }

    /// Returns how many effects have this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.effects().filter(|effect| effect.outcome == outcome).count()
    }

    /// Returns the effects that only the offline run made: carried over or dropped.
    pub fn unpaired_offline(&self) -> impl Iterator<Item = &Paired> {
        self.effects()
            .filter(|effect| matches!(effect.outcome, Outcome::CarriedOver | Outcome::Dropped))
    }

    fn effects(&self) -> impl Iterator<Item = &Paired> {
        self.columns.iter().chain(&self.operations)
    }

    /// Returns what is not clean, one line each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let unclean = self
            .effects()
            .filter(|effect| !matches!(effect.outcome, Outcome::Paired | Outcome::CarriedOver));
        unclean
            .map(|effect| {
                let differences: Vec<String> = effect
                    .differences
                    .iter()
                    .map(|(column, offline, server)| {
                        format!(" {column}: {offline:?} offline, {server:?} in playback;")
                    })
                    .collect();
                let Paired { path, what, outcome, .. } = effect;
                format!("{path}: {what}: {outcome:?}{}", differences.concat())
            })
            .collect()
    }
}

/// What one run made under one key: column and value; a removed column has no value.
type Effects = BTreeMap<(String, String), BTreeMap<String, Option<Value>>>;

/// Compares two runs.
pub(crate) fn reconcile(offline: &Run, playback: &Run) -> Reconciliation {
    let compare = |offline_effects, playback_effects| {
        compare(offline_effects, playback_effects, |path| fate(path, offline, playback))
    };
    Reconciliation {
        columns: compare(columns(offline), columns(playback)),
        operations: compare(operations(&offline.operations), operations(&playback.operations)),
    }
}

fn compare(offline: Effects, mut playback: Effects, fate: impl Fn(&str) -> Outcome) -> Vec<Paired> {
    let mut outcomes = Vec::new();
    for ((path, what), made) in offline {
        let key = (path, what);
        let (outcome, differences) = match playback.remove(&key) {
            None => (fate(&key.0), Vec::new()),
            Some(server) => match differences(&made, &server) {
                none if none.is_empty() => (Outcome::Paired, none),
                some => (Outcome::Differs, some),
            },
        };
        outcomes.push(Paired { path: key.0, what: key.1, outcome, differences });
    }
    outcomes.extend(playback.into_keys().map(|(path, what)| Paired {
        path,
        what,
        outcome: Outcome::AddedByServer,
        differences: Vec::new(),
    }));
    outcomes
}

fn differences(
    offline: &BTreeMap<String, Option<Value>>,
    server: &BTreeMap<String, Option<Value>>,
) -> Vec<(String, Option<Value>, Option<Value>)> {
    let mut columns: Vec<&String> = offline.keys().chain(server.keys()).collect();
    columns.sort();
    columns.dedup();
    let values = |column: &String| {
        let read = |made: &BTreeMap<String, Option<Value>>| made.get(column).cloned().flatten();
        (column.clone(), read(offline), read(server))
    };
    let differ = columns.into_iter().filter(|column| offline.get(*column) != server.get(*column));
    differ.map(values).collect()
}

/// What becomes of an effect that only the offline run of the step at `path` made.
fn fate(path: &str, offline: &Run, playback: &Run) -> Outcome {
    let ran_offline = offline.steps.iter().find(|run| run.path == path);
    if let Some(run) = ran_offline {
        match run.step.playback {
            _ if run.step.deployment == Deployment::Offline => return Outcome::CarriedOver,
            Playback::Once | Playback::Classic => return Outcome::CarriedOver,
            Playback::Authoritative => return Outcome::Dropped,
            Playback::Reconcile => {}
        }
    }
    let on_server: Vec<&StepRun> = playback.steps.iter().filter(|run| run.path == path).collect();
    if on_server.is_empty() || on_server.iter().any(|run| run.asked_playback) {
        return Outcome::CarriedOver;
    }
    Outcome::Dropped
}

/// The columns that steps of the root set or removed before the main operation; the last one counts.
fn columns(run: &Run) -> Effects {
    let mut effects = Effects::new();
    let early =
        |step: &&StepRun| !step.path.contains('/') && step.step.stage < Stage::MainOperation;
    for step in run.steps.iter().filter(early) {
        for change in &step.changes {
            let (parameter, column, value) = match change {
                Change::SetAttribute { parameter, column, value } => {
                    (parameter, column, Some(value.clone()))
                }
                Change::RemoveAttribute { parameter, column } => (parameter, column, None),
                _ => continue,
            };
            if parameter == "Target" {
                let key = (step.path.clone(), format!("column {column}"));
                effects.insert(key, BTreeMap::from([(column.clone(), value)]));
            }
        }
    }
    effects
}

/// The nested operations; updates of one row by one step are one.
fn operations(operations: &[Operation]) -> Effects {
    let mut effects = Effects::new();
    let mut occurrences: BTreeMap<(String, String), u32> = BTreeMap::new();
    for operation in operations {
        let Operation { path, message, row, parameters } = operation;
        let id = row.id.map(|id| id.to_string()).unwrap_or_default();
        let what = match message.as_str() {
            "Create" => format!("Create {} ({})", row.table, lookups(row)),
            "Update" => {
                let key = (path.clone(), format!("Update {} {id}", row.table));
                effects.entry(key).or_default().extend(values(operation));
                continue;
            }
            _ => format!("{message} {} {id} {parameters}", row.table).trim_end().to_owned(),
        };
        let occurrence = occurrences.entry((path.clone(), what.clone())).or_default();
        *occurrence += 1;
        effects.insert((path.clone(), format!("{what} #{occurrence}")), values(operation));
    }
    effects
}

fn values(operation: &Operation) -> BTreeMap<String, Option<Value>> {
    let attributes = operation.row.attributes();
    attributes.map(|(column, value)| (column.to_owned(), Some(value.clone()))).collect()
}
