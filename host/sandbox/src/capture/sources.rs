//! Which data of a captured run follows from times, random numbers and fresh ids: the run happens
//! again with other answers to those, and what it asks and answers is compared.
//!
//! The other answers are the recorded ones, so nothing but the one source differs. Never touches a
//! store, and never says that a dependence is wrong: one on the operation is the same in both runs,
//! one on the machine's clock is not.

use crate::capture::{Call, Capture, Outcome};
use crate::{Plugin, Sandbox, Services};
use offstage_model::{
    CapabilityAnswer, CapabilityCall, ContextChange, Entity, ExecutionContext, Fault, Parameter,
    Request, Response, Timestamp, Uuid, Value, code,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How far times are moved: other in year, month, day, hour, minute, second and millisecond.
const SHIFT_MS: i64 = 400 * 86_400_000 + 5 * 3_600_000 + 37 * 60_000 + 11_007;
/// Mixed into numbers and ids.
const SHIFT_BITS: u128 = 0x5bd1_e995_9e37_79b9_7f4a_7c15_f39c_c060;

/// Where values come from that no two operations, or no two runs, have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// When the operation was made: the same in both runs.
    Now,
    /// A derived random number: the same in both runs.
    Random,
    /// A derived id: the same in both runs.
    NewGuid,
    /// The clock of the machine: another one in each run.
    ServerNow,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Now, Self::Random, Self::NewGuid, Self::ServerNow];

    /// The name of the host call.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Random => "random",
            Self::NewGuid => "new-guid",
            Self::ServerNow => "server-now",
        }
    }

    /// Whether both runs of an operation get the same from it.
    #[must_use]
    pub const fn is_of_operation(self) -> bool {
        !matches!(self, Self::ServerNow)
    }

    fn is_asked(self, call: &Call) -> bool {
        matches!(
            (self, call),
            (Self::Now, Call::Now { .. })
                | (Self::Random, Call::Random { .. })
                | (Self::NewGuid, Call::NewGuid { .. })
                | (Self::ServerNow, Call::ServerNow { .. })
        )
    }
}

/// Data of a run that is another one when a source answers otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Dependence {
    /// The source.
    pub source: Source,
    /// What follows from it, such as `Create task.scheduledend`.
    pub what: String,
}

impl Sandbox {
    /// Finds out which data of `capture` depends on which source. `plugin` is the captured one.
    #[must_use]
    pub fn dependences(&self, plugin: &Plugin, capture: &Capture) -> BTreeSet<Dependence> {
        let limits = capture.limits.run_limits();
        let mut found = BTreeSet::new();
        for source in Source::ALL {
            if !capture.calls.iter().any(|call| source.is_asked(call)) {
                continue;
            }
            let services = Shifted::new(capture, source);
            let (services, run) =
                self.run(plugin, &capture.plugin_type, &capture.context, &limits, services);
            let outcome = Outcome::of(&run.result);
            let differs = differences(capture, &services, &outcome, source);
            found.extend(differs.into_iter().map(|what| Dependence { source, what }));
        }
        found
    }
}

/// Answers as recorded, but for one source.
struct Shifted {
    source: Source,
    requests: VecDeque<(Request, Result<Response, Fault>)>,
    calls: VecDeque<Call>,
    context: ExecutionContext,
    writes: Vec<Request>,
    outside: Vec<CapabilityCall>,
}

impl Shifted {
    fn new(capture: &Capture, source: Source) -> Self {
        let (mut requests, mut calls) = (VecDeque::new(), VecDeque::new());
        for call in capture.calls.clone() {
            match call {
                Call::Execute { request, answer } => requests.push_back((request, answer)),
                other => calls.push_back(other),
            }
        }
        let (context, writes, outside) = (capture.context.clone(), Vec::new(), Vec::new());
        Self { source, requests, calls, context, writes, outside }
    }

    /// The next recorded call that `is` takes.
    fn next<T>(&mut self, is: impl Fn(&Call) -> Option<T>) -> Option<T> {
        let (index, answer) =
            self.calls.iter().enumerate().find_map(|(index, call)| Some((index, is(call)?)))?;
        drop(self.calls.remove(index));
        Some(answer)
    }

    fn time(&self, source: Source, recorded: Option<Timestamp>) -> Timestamp {
        let time = recorded.unwrap_or(self.context.operation_created_on);
        if self.source == source { time.plus_ms(SHIFT_MS) } else { time }
    }
}

impl Services for Shifted {
    fn execute(&mut self, request: Request) -> Result<Response, Fault> {
        let alike = |(recorded, _): &(Request, _)| {
            recorded.message == request.message
                && recorded.primary_table() == request.primary_table()
        };
        let answer = self.requests.iter().position(alike).and_then(|at| self.requests.remove(at));
        if !request.is_read() {
            self.writes.push(request);
        }
        answer.map_or_else(|| Err(not_recorded()), |(_, answer)| answer)
    }

    fn capability(&mut self, asked: CapabilityCall) -> Result<CapabilityAnswer, Fault> {
        let kind = std::mem::discriminant(&asked);
        let answer = self.next(|call| match call {
            Call::Capability { call, answer } if std::mem::discriminant(call) == kind => {
                Some(answer.clone())
            }
            _ => None,
        });
        if asked.is_write() {
            self.outside.push(asked);
        }
        answer.unwrap_or_else(|| Err(not_recorded()))
    }

    fn parent_context(&mut self, level: u32) -> Option<ExecutionContext> {
        let answer = self.next(|call| match call {
            Call::ParentContext { level: asked, answer } if *asked == level => Some(answer.clone()),
            _ => None,
        });
        answer.flatten().map(|context| *context)
    }

    fn is_offline_playback(&mut self) -> bool {
        self.context.is_offline_playback
    }

    fn now(&mut self) -> Timestamp {
        let recorded = self.next(|call| match call {
            Call::Now { answer } => Some(*answer),
            _ => None,
        });
        self.time(Source::Now, recorded)
    }

    fn server_now(&mut self) -> Timestamp {
        let recorded = self.next(|call| match call {
            Call::ServerNow { answer } => Some(*answer),
            _ => None,
        });
        self.time(Source::ServerNow, recorded)
    }

    fn new_guid(&mut self) -> Uuid {
        let recorded = self.next(|call| match call {
            Call::NewGuid { answer } => Some(*answer),
            _ => None,
        });
        let id = recorded.unwrap_or_default();
        if self.source == Source::NewGuid {
            return Uuid::from_u128(id.as_u128() ^ SHIFT_BITS);
        }
        id
    }

    fn random(&mut self) -> u64 {
        let recorded = self.next(|call| match call {
            Call::Random { answer } => Some(*answer),
            _ => None,
        });
        let number = recorded.unwrap_or_default();
        if self.source == Source::Random { number ^ (SHIFT_BITS as u64) } else { number }
    }

    fn keyed_guid(&mut self, key: &str) -> Uuid {
        let recorded = self.next(|call| match call {
            Call::KeyedGuid { key: asked, answer } if asked == key => Some(*answer),
            _ => None,
        });
        recorded.unwrap_or_default()
    }
}

fn not_recorded() -> Fault {
    let text = "This run is a comparison, and the recorded one asked no such thing.";
    Fault::new(code::NOT_AVAILABLE, text)
}

/// What is another in the second run: columns that it writes, or that it does something else.
fn differences(
    capture: &Capture,
    again: &Shifted,
    outcome: &Outcome,
    source: Source,
) -> BTreeSet<String> {
    let recorded: Vec<&Request> = capture
        .calls
        .iter()
        .filter_map(|call| match call {
            Call::Execute { request, .. } if !request.is_read() => Some(request),
            _ => None,
        })
        .collect();
    let mut found = BTreeSet::new();
    for (a, b) in recorded.iter().zip(&again.writes) {
        if a.message == b.message && a.primary_table() == b.primary_table() {
            of_parameters(a, b, source, &mut found);
        } else {
            found.insert("which requests it makes".to_owned());
        }
    }
    if recorded.len() != again.writes.len() {
        found.insert("which requests it makes".to_owned());
    }
    let outside: Vec<&CapabilityCall> = capture
        .calls
        .iter()
        .filter_map(|call| match call {
            Call::Capability { call, .. } if call.is_write() => Some(call),
            _ => None,
        })
        .collect();
    if outside.len() != again.outside.len() {
        found.insert("what it does to files, or sends".to_owned());
    }
    let others = outside.iter().zip(&again.outside).filter(|(a, b)| **a != *b);
    found.extend(others.map(|(call, _)| leaves_by(call)));
    match (&capture.outcome, outcome) {
        (Outcome::Changed(a), Outcome::Changed(b)) => of_changes(a, b, source, &mut found),
        (a, b) if a.same(b) => {}
        _ => {
            found.insert("whether it refuses, or with which words".to_owned());
        }
    }
    found
}

/// Where data leaves by a call.
fn leaves_by(call: &CapabilityCall) -> String {
    match call {
        CapabilityCall::ReadFile { directory, .. }
        | CapabilityCall::WriteFile { directory, .. }
        | CapabilityCall::RemoveFile { directory, .. }
        | CapabilityCall::ListFiles { directory, .. } => format!("files of '{directory}'"),
        CapabilityCall::EnqueueHttp(_) => "an HTTP request".to_owned(),
    }
}

fn of_parameters(a: &Request, b: &Request, source: Source, found: &mut BTreeSet<String>) {
    let names: BTreeSet<&String> = a.parameters.keys().chain(b.parameters.keys()).collect();
    for name in names {
        match (a.parameters.get(name), b.parameters.get(name)) {
            (Some(Parameter::Entity(one)), Some(Parameter::Entity(other))) => {
                let front = format!("{} {}", a.message, one.table);
                of_columns(&front, one, other, source, found);
            }
            // Which row a request names follows from ids, and ids are not data.
            (Some(Parameter::Value(Value::Reference(_))), Some(_)) => {}
            (one, other) if one == other => {}
            _ => {
                found.insert(format!("{} {name}", a.message));
            }
        }
    }
}

fn of_columns(
    front: &str,
    one: &Entity,
    other: &Entity,
    source: Source,
    found: &mut BTreeSet<String>,
) {
    let columns: BTreeSet<&String> = one.attributes.keys().chain(other.attributes.keys()).collect();
    for column in columns {
        let (a, b) = (one.value(column), other.value(column));
        if !a.same(b) && !is_what_ids_are_for(source, a, b) {
            found.insert(format!("{front}.{column}"));
        }
    }
}

/// A fresh id in a column that holds ids.
fn is_what_ids_are_for(source: Source, a: &Value, b: &Value) -> bool {
    let is_id = |value: &Value| matches!(value, Value::Reference(_) | Value::Guid(_));
    source == Source::NewGuid && is_id(a) && is_id(b)
}

fn of_changes(
    a: &[ContextChange],
    b: &[ContextChange],
    source: Source,
    found: &mut BTreeSet<String>,
) {
    let (a, b) = (by_place(a), by_place(b));
    let places: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    for place in places {
        let same = match (a.get(place), b.get(place)) {
            (Some(Parameter::Value(one)), Some(Parameter::Value(other))) => {
                one.same(other) || is_what_ids_are_for(source, one, other)
            }
            (one, other) => one == other,
        };
        if !same {
            found.insert(place.clone());
        }
    }
}

/// What the changes come to, by the place that they change.
fn by_place(changes: &[ContextChange]) -> BTreeMap<String, Parameter> {
    let removed = || Parameter::Value(Value::Null);
    let place = |change: &ContextChange| match change {
        ContextChange::SetAttribute { parameter, column, value } => {
            (format!("{parameter}.{column}"), Parameter::Value(value.clone()))
        }
        ContextChange::RemoveAttribute { parameter, column } => {
            (format!("{parameter}.{column}"), removed())
        }
        ContextChange::SetInput(name, value) => (format!("input {name}"), value.clone()),
        ContextChange::RemoveInput(name) => (format!("input {name}"), removed()),
        ContextChange::SetOutput(name, value) => (format!("output {name}"), value.clone()),
        ContextChange::RemoveOutput(name) => (format!("output {name}"), removed()),
        ContextChange::SetSharedVariable(name, value) => (format!("shared {name}"), value.clone()),
        ContextChange::RemoveSharedVariable(name) => (format!("shared {name}"), removed()),
    };
    changes.iter().map(place).collect()
}
