//! Puts the offline run and the playback run of a step side by side: context, host calls, result,
//! and where they first differ.
//!
//! Never runs anything: both sides come from captures.

use crate::capture::{Call, Capture, Place};
use offstage_model::{Entity, ExecutionContext, Parameter, ParameterMap, Uuid};
use std::collections::{BTreeMap, BTreeSet};

/// Beyond so many comparisons, calls are aligned by their order alone.
const COMPARISONS_MAX: usize = 4_000_000;

/// The two runs of one step.
#[derive(Debug)]
pub struct Pair<'a> {
    /// The step's key.
    pub step: &'a str,
    /// Which of the step's runs in the operation, from 1.
    pub occurrence: usize,
    /// The run on the device.
    pub offline: Option<&'a Capture>,
    /// The run on the server.
    pub playback: Option<&'a Capture>,
    /// What differs between the contexts.
    pub context: Vec<Difference>,
    /// The host calls of both, aligned.
    pub calls: Vec<PairedCall<'a>>,
    /// Whether both came to the same; `None` when one is missing.
    pub same_outcome: Option<bool>,
}

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What: a property, or `Target.column`.
    pub what: String,
    /// Its value on the device.
    pub offline: String,
    /// Its value on the server.
    pub playback: String,
}

/// One host call in both runs, or in one of them.
#[derive(Debug)]
pub struct PairedCall<'a> {
    /// Number and call of the run on the device.
    pub offline: Option<(usize, &'a Call)>,
    /// Number and call of the run on the server.
    pub playback: Option<(usize, &'a Call)>,
}

impl PairedCall<'_> {
    /// Whether both runs asked the same.
    #[must_use]
    pub fn same_question(&self) -> bool {
        matches!((self.offline, self.playback), (Some((_, a)), Some((_, b)))
            if a.question().identity() == b.question().identity())
    }

    /// Whether both runs asked the same and were answered the same.
    #[must_use]
    pub fn same(&self) -> bool {
        matches!((self.offline, self.playback), (Some((_, a)), Some((_, b)))
            if serde_json::to_string(a).ok() == serde_json::to_string(b).ok())
    }
}

impl Pair<'_> {
    /// The first host call that is not the same in both runs.
    #[must_use]
    pub fn first_difference(&self) -> Option<&PairedCall<'_>> {
        self.calls.iter().find(|call| !call.same())
    }
}

/// Pairs the runs of one operation, given in the order in which they ended. An entry that was played
/// several times counts with its last attempt.
#[must_use]
pub fn pairs<'a>(captures: &[&'a Capture]) -> Vec<Pair<'a>> {
    let offline = numbered(captures, Place::Offline);
    let playback = numbered(captures, Place::Playback);
    let mut keys: Vec<(&str, usize)> = Vec::new();
    for key in offline.iter().chain(&playback).map(|(key, _)| *key) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let find = |list: &[((&'a str, usize), &'a Capture)], key: (&str, usize)| {
        list.iter().find(|(k, _)| *k == key).map(|(_, capture)| *capture)
    };
    keys.into_iter()
        .map(|(step, occurrence)| {
            let key = (step, occurrence);
            pair(step, occurrence, find(&offline, key), find(&playback, key))
        })
        .collect()
}

/// The runs at one place, of its last request, each with its step and occurrence.
fn numbered<'a>(captures: &[&'a Capture], place: Place) -> Vec<((&'a str, usize), &'a Capture)> {
    let here: Vec<&&Capture> = captures.iter().filter(|c| c.place == place).collect();
    let last: Option<Uuid> = here.last().map(|c| c.context.request_id);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    here.into_iter()
        .filter(|c| Some(c.context.request_id) == last)
        .map(|capture| {
            let step = capture.context.step_key.as_str();
            let count = seen.entry(step).or_default();
            *count += 1;
            ((step, *count), *capture)
        })
        .collect()
}

fn pair<'a>(
    step: &'a str,
    occurrence: usize,
    offline: Option<&'a Capture>,
    playback: Option<&'a Capture>,
) -> Pair<'a> {
    let calls = |capture: Option<&'a Capture>| capture.map_or(&[][..], |c| c.calls.as_slice());
    let (context, same_outcome) = match (offline, playback) {
        (Some(a), Some(b)) => {
            (context_differences(&a.context, &b.context), Some(a.outcome.same(&b.outcome)))
        }
        _ => (Vec::new(), None),
    };
    let calls = aligned(calls(offline), calls(playback));
    Pair { step, occurrence, offline, playback, context, calls, same_outcome }
}

/// What differs, but for the request's own id, which always does.
fn context_differences(offline: &ExecutionContext, playback: &ExecutionContext) -> Vec<Difference> {
    let (a, b) = (properties(offline), properties(playback));
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let text = |map: &BTreeMap<String, String>, name| map.get(name).cloned().unwrap_or_default();
    names
        .into_iter()
        .filter(|name| a.get(*name) != b.get(*name))
        .map(|name| Difference {
            what: name.clone(),
            offline: text(&a, name),
            playback: text(&b, name),
        })
        .collect()
}

/// Every property of a context by name, rows by column.
fn properties(context: &ExecutionContext) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let json = serde_json::to_value(context).expect("BUG: model types always have a JSON form");
    for (name, value) in json.as_object().into_iter().flatten() {
        if value.is_object() || name == "request_id" {
            continue;
        }
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        found.insert(name.clone(), text);
    }
    for (kind, parameters) in [
        ("", &context.input_parameters),
        ("output ", &context.output_parameters),
        ("shared ", &context.shared_variables),
    ] {
        of_parameters(kind, parameters, &mut found);
    }
    for (kind, images) in
        [("pre-image ", &context.pre_entity_images), ("post-image ", &context.post_entity_images)]
    {
        for (alias, image) in images {
            of_entity(&format!("{kind}{alias}"), image, &mut found);
        }
    }
    found
}

fn of_parameters(kind: &str, parameters: &ParameterMap, found: &mut BTreeMap<String, String>) {
    for (name, parameter) in parameters {
        match parameter {
            Parameter::Entity(entity) => of_entity(&format!("{kind}{name}"), entity, found),
            Parameter::Value(value) => {
                found.insert(format!("{kind}{name}"), value.to_string());
            }
            other => {
                let text = serde_json::to_string(other).unwrap_or_default();
                found.insert(format!("{kind}{name}"), text);
            }
        }
    }
}

fn of_entity(name: &str, entity: &Entity, found: &mut BTreeMap<String, String>) {
    if let Some(id) = entity.id {
        found.insert(format!("{name} id"), id.to_string());
    }
    for (column, value) in &entity.attributes {
        found.insert(format!("{name}.{column}"), value.to_string());
    }
}

/// Aligns calls by what they ask: the longest common sequence, and what lies between two common
/// calls stands side by side where it asks for the same kind of thing.
fn aligned<'a>(offline: &'a [Call], playback: &'a [Call]) -> Vec<PairedCall<'a>> {
    let a: Vec<String> = offline.iter().map(|call| call.question().identity()).collect();
    let b: Vec<String> = playback.iter().map(|call| call.question().identity()).collect();
    let mut rows = Vec::new();
    let (mut i, mut j) = (0, 0);
    for (next_i, next_j) in common(&a, &b).into_iter().chain([(a.len(), b.len())]) {
        between(offline, playback, (i..next_i, j..next_j), &mut rows);
        if next_i < a.len() && next_j < b.len() {
            rows.push(PairedCall {
                offline: Some((next_i + 1, &offline[next_i])),
                playback: Some((next_j + 1, &playback[next_j])),
            });
        }
        (i, j) = (next_i + 1, next_j + 1);
    }
    rows
}

fn between<'a>(
    offline: &'a [Call],
    playback: &'a [Call],
    (a, b): (std::ops::Range<usize>, std::ops::Range<usize>),
    rows: &mut Vec<PairedCall<'a>>,
) {
    let mut theirs: Vec<usize> = b.collect();
    for index in a {
        let call = &offline[index];
        let like = theirs.iter().position(|&other| is_alike(call, &playback[other]));
        let other = like.map(|position| theirs.remove(position));
        rows.push(PairedCall {
            offline: Some((index + 1, call)),
            playback: other.map(|other| (other + 1, &playback[other])),
        });
    }
    rows.extend(
        theirs.into_iter().map(|index| PairedCall {
            offline: None,
            playback: Some((index + 1, &playback[index])),
        }),
    );
}

/// Whether two calls ask for the same kind of thing.
fn is_alike(a: &Call, b: &Call) -> bool {
    match (a, b) {
        (Call::Execute { request: a, .. }, Call::Execute { request: b, .. }) => {
            a.message == b.message && a.primary_table() == b.primary_table()
        }
        _ => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

/// The positions of a longest common sequence.
fn common(a: &[String], b: &[String]) -> Vec<(usize, usize)> {
    if a.len().saturating_mul(b.len()) > COMPARISONS_MAX {
        let both = a.iter().zip(b).enumerate();
        return both.filter(|(_, (a, b))| a == b).map(|(index, _)| (index, index)).collect();
    }
    let width = b.len() + 1;
    let mut lengths = vec![0_u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            lengths[i * width + j] = if a[i] == b[j] {
                lengths[(i + 1) * width + j + 1] + 1
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut found) = (0, 0, Vec::new());
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            found.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if lengths[(i + 1) * width + j] >= lengths[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use offstage_model::{Request, Response, Timestamp, Value};

    fn create(name: &str) -> Call {
        let row = Entity::new("task").with("subject", Value::text(name));
        Call::Execute { request: Request::create(row), answer: Ok(Response::default()) }
    }

    fn time() -> Call {
        Call::Now { answer: Timestamp(1) }
    }

    #[test]
    fn calls_are_aligned_by_what_they_ask() {
        // Numbers of the calls on both sides, 0 for none.
        let cases = [
            (vec![], vec![], vec![]),
            (vec![time(), create("a")], vec![time(), create("a")], vec![(1, 1), (2, 2)]),
            (vec![create("a")], vec![time(), create("a")], vec![(0, 1), (1, 2)]),
            (vec![time(), create("a")], vec![time(), create("b")], vec![(1, 1), (2, 2)]),
            (vec![create("a"), create("b")], vec![create("b")], vec![(1, 0), (2, 1)]),
        ];
        for (offline, playback, expected) in cases {
            let number = |call: Option<(usize, &Call)>| call.map_or(0, |(number, _)| number);
            let rows: Vec<(usize, usize)> = aligned(&offline, &playback)
                .iter()
                .map(|row| (number(row.offline), number(row.playback)))
                .collect();
            assert_eq!(rows, expected, "{offline:?} {playback:?}");
        }
    }

    #[test]
    fn contexts_are_compared_by_column() {
        let context = |offline: bool, value: i32| {
            let row = Entity::new("account").with("a", Value::Integer(value));
            let mut context = ExecutionContext {
                is_executing_offline: offline,
                request_id: Uuid::from_u128(value.unsigned_abs().into()),
                ..ExecutionContext::default()
            };
            context.input_parameters.insert("Target".into(), Parameter::Entity(row));
            context
        };
        let found = context_differences(&context(true, 1), &context(false, 2));
        let what: Vec<&str> = found.iter().map(|d| d.what.as_str()).collect();
        assert_eq!(what, ["Target.a", "is_executing_offline"]);
        assert_eq!((found[0].offline.as_str(), found[0].playback.as_str()), ("1", "2"));
    }
}
