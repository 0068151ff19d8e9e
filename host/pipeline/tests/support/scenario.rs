//! Behavioural cases as text: a line is a step to register, a request, or something that must be
//! true. `tests/cases/README.md` has the grammar.

use super::World;
use super::value::{parse, row_id};
use offstage_model::journal::{EntryState, Verdict};
use offstage_model::registration::{StepDeclaration, TypeDeclaration};
use offstage_model::request::{message, parameter};
use offstage_model::{Entity, EntityReference, Fault, Parameter, Query, Request, Response, Value};
use offstage_pipeline::{CallOptions, Pipeline, Played};
use offstage_store::{Scope, TraceFilter};
use std::sync::atomic::Ordering;

/// One case of a file.
pub(crate) struct Case {
    pub(crate) title: String,
    lines: Vec<(usize, String)>,
}

/// Splits a file into its cases.
pub(crate) fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.strip_prefix("case ") {
            Some(title) => cases.push(Case { title: title.to_owned(), lines: Vec::new() }),
            None => {
                let case = cases.last_mut().expect("a file begins with a case");
                case.lines.push((index + 1, line.to_owned()));
            }
        }
    }
    cases
}

/// Runs a case in a world of its own.
pub(crate) fn run(file: &str, case: &Case) {
    let mut runner = Runner {
        world: World::new(),
        played: Vec::new(),
        last: None,
        upserted: String::new(),
        known: Entity::new(""),
    };
    let mut lines = case.lines.iter().peekable();
    while let Some((number, line)) = lines.next() {
        let mut script = String::new();
        while let Some((_, more)) = lines.peek().filter(|(_, l)| l.trim_start().starts_with('|')) {
            script.push_str(more.trim_start().trim_start_matches('|').trim());
            script.push('\n');
            lines.next();
        }
        let place = format!("{file}:{number} [{}] {line}", case.title);
        runner.line(&place, line, &script);
    }
}

struct Runner {
    world: World,
    played: Vec<(EntryState, Result<Played, Fault>)>,
    last: Option<Response>,
    upserted: String,
    /// A row as it was at the last `remember`.
    known: Entity,
}

impl Runner {
    fn line(&mut self, place: &str, line: &str, script: &str) {
        // `{last}` is the row that the last Upsert answered with.
        let line = line.replace("{last}", &self.upserted);
        let line = line.as_str();
        let (line, expected) = match line.split_once(" => ") {
            Some((line, expected)) => (line, Some(expected)),
            None => (line, None),
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["step", rest @ ..] => {
                let result = self.world.add_step(declaration(rest, script)).map(drop);
                check_result(place, result, expected);
                if expected.is_none() {
                    self.world.sync();
                }
            }
            ["sync"] => self.world.sync(),
            ["clock", ms] => {
                let ms: i64 = ms.parse().expect("milliseconds");
                self.world.clock.0.fetch_add(ms, Ordering::Relaxed);
            }
            ["play"] => self.played = self.world.play(),
            ["outcome", number, state] => self.outcome(place, number, state, expected),
            ["report", number, verdict, count] => self.report(place, number, verdict, count),
            ["column", number, column, verdict] => self.column(place, number, column, verdict),
            ["trace", side, text] => self.trace(place, side, &text.replace('~', " ")),
            ["output", column, value] => self.output(place, column, value),
            ["output-id", name] => {
                let id = self.last.as_ref().and_then(Response::entity).and_then(|row| row.id);
                assert_eq!(id, Some(row_id(name)), "{place}");
            }
            [side @ ("server" | "device"), rest @ ..] => self.side(place, side, rest, expected),
            _ => panic!("{place}: unknown line"),
        }
    }

    fn side(&mut self, place: &str, side: &str, words: &[&str], expected: Option<&str>) {
        let pipeline = if side == "server" { &self.world.server } else { &self.world.device };
        match words {
            ["has", table, name, columns @ ..] => has(place, pipeline, table, name, columns),
            ["lacks", table, name] => {
                let row = row(pipeline, table, name);
                assert!(row.is_none(), "{place}: the row is there: {row:?}");
            }
            ["count", table, number] => {
                let scope = Scope { user: self.world.caller.user };
                let mut tx = pipeline.store().read().expect("a snapshot");
                let rows = tx.query(&Query::all(*table), &scope).expect("rows").entities;
                let number: usize = number.parse().expect("a number");
                assert_eq!(rows.len(), number, "{place}: {rows:#?}");
            }
            ["file", directory, path, text] => {
                let read = std::fs::read_to_string(self.world.file(side, directory, path));
                let read = read.unwrap_or_else(|error| panic!("{place}: {error}"));
                assert_eq!(read, text.replace('~', " "), "{place}");
            }
            ["no-file", directory, path] => {
                assert!(!self.world.file(side, directory, path).exists(), "{place}: it is there");
            }
            ["remember", table, name] => {
                let row = row(pipeline, table, name);
                self.known = row.unwrap_or_else(|| panic!("{place}: no such row"));
            }
            [verb @ ("moved" | "unmoved"), table, name] => {
                let row = row(pipeline, table, name).unwrap_or_else(|| panic!("{place}: no row"));
                let (now, then) = (row.value("modifiedon"), self.known.value("modifiedon"));
                let moved = (row.version > self.known.version, now.to_string() > then.to_string());
                let expected = *verb == "moved";
                assert_eq!(moved, (expected, expected), "{place}: {now} after {then}: {row:?}");
            }
            ["outbox", number] => {
                let mut tx = pipeline.store().read().expect("a snapshot");
                let rows = tx.outbox(None, 1_000).expect("rows");
                let number: usize = number.parse().expect("a number");
                assert_eq!(rows.len(), number, "{place}: {rows:#?}");
            }
            ["disable", key] => {
                let change = offstage_pipeline::StepChange::Enabled(false);
                pipeline.change_step(&self.world.caller, key, change).expect("the step is there");
            }
            ["drop-step", key] => {
                pipeline.remove_step(&self.world.caller, key).expect("the step is there");
            }
            _ => {
                let request = request(words);
                let options = CallOptions { tag: Some("caller".into()), ..Default::default() };
                let result = pipeline.execute(&self.world.caller, request, options);
                self.last = result.as_ref().ok().cloned();
                let target = self.last.as_ref().and_then(|r| r.parameters.get(parameter::TARGET));
                if let Some(Parameter::Value(Value::Reference(row))) = target {
                    self.upserted = row.id.to_string();
                }
                check_result(place, result.map(drop), expected);
            }
        }
    }

    fn outcome(&self, place: &str, number: &str, state: &str, expected: Option<&str>) {
        let index: usize = number.parse().expect("a number");
        let (actual, result) = &self.played[index - 1];
        let shown = format!("{actual:?}").to_lowercase();
        assert_eq!(shown, state, "{place}: {result:?}");
        if let (Some(text), Err(fault)) = (expected, result) {
            assert!(fault.to_string().contains(text), "{place}: {fault}");
        }
    }

    fn report(&self, place: &str, number: &str, verdict: &str, count: &str) {
        let report = self.played(place, number);
        let verdict = parse_verdict(verdict);
        let count: usize = count.parse().expect("a number");
        assert_eq!(report.report.count(verdict), count, "{place}: {:#?}", report.report);
    }

    fn column(&self, place: &str, number: &str, column: &str, verdict: &str) {
        let report = &self.played(place, number).report;
        let line = report.lines.iter().find(|l| l.column.as_deref() == Some(column));
        let line = line.unwrap_or_else(|| panic!("{place}: no line for it in {report:#?}"));
        assert_eq!(line.verdict, parse_verdict(verdict), "{place}: {report:#?}");
    }

    fn played(&self, place: &str, number: &str) -> &Played {
        let index: usize = number.parse().expect("a number");
        match &self.played[index - 1].1 {
            Ok(played) => played,
            Err(fault) => panic!("{place}: it was refused: {fault}"),
        }
    }

    fn trace(&self, place: &str, side: &str, text: &str) {
        let pipeline = if side == "server" { &self.world.server } else { &self.world.device };
        let mut tx = pipeline.store().read().expect("a snapshot");
        let traces = tx.traces(&TraceFilter::default(), 1_000).expect("traces");
        let found = traces.iter().any(|t| t.trace.contains(text));
        let all: Vec<&str> = traces.iter().map(|t| t.trace.as_str()).collect();
        assert!(found, "{place}: only {all:#?}");
    }

    fn output(&self, place: &str, column: &str, value: &str) {
        let response = self.last.as_ref().unwrap_or_else(|| panic!("{place}: no answer"));
        let row = response.entity().unwrap_or_else(|| panic!("{place}: no row"));
        assert!(row.value(column).same(&parse(value)), "{place}: {row:?}");
    }
}

fn parse_verdict(text: &str) -> Verdict {
    serde_json::from_value(serde_json::Value::from(text)).expect("a verdict")
}

fn check_result(place: &str, result: Result<(), Fault>, expected: Option<&str>) {
    match (result, expected) {
        (Ok(()), None) => {}
        (Err(fault), None) => panic!("{place}: {fault}"),
        (Ok(()), Some(_)) => panic!("{place}: it was not refused"),
        (Err(fault), Some(expected)) => {
            let (code, text) = expected.split_once(' ').unwrap_or((expected, ""));
            assert_eq!(fault.code_text(), code.to_lowercase(), "{place}: {fault}");
            assert!(fault.message.contains(text), "{place}: {fault}");
        }
    }
}

fn row(pipeline: &Pipeline, table: &str, name: &str) -> Option<Entity> {
    let mut tx = pipeline.store().read().expect("a snapshot");
    tx.get(table, row_id(name)).expect("the table is there")
}

fn has(place: &str, pipeline: &Pipeline, table: &str, name: &str, columns: &[&str]) {
    let row = row(pipeline, table, name).unwrap_or_else(|| panic!("{place}: no such row"));
    for pair in columns {
        let (column, value) = pair.split_once('=').expect("COLUMN=VALUE");
        let actual = row.value(column);
        if value == "set" {
            assert!(!actual.is_null(), "{place}: {column} is empty");
        } else {
            assert!(actual.same(&parse(value)), "{place}: {column} is {actual:?}");
        }
    }
}

fn entity(table: &str, name: &str, columns: &[&str]) -> Entity {
    let mut entity = Entity::new(table);
    match name.split_once('=') {
        Some((column, value)) => {
            entity.key.insert(column.to_owned(), parse(value));
        }
        None if name != "-" => entity.id = Some(row_id(name)),
        None => {}
    }
    for pair in columns {
        let (column, value) = pair.split_once('=').expect("COLUMN=VALUE");
        entity.attributes.insert(column.to_owned(), parse(value));
    }
    entity
}

fn request(words: &[&str]) -> Request {
    let value = |v: Value| Parameter::Value(v);
    let reference = |table: &str, name: &str| value(Value::reference(table, row_id(name)));
    match words {
        ["create", table, name, columns @ ..] => Request::create(entity(table, name, columns)),
        ["update", table, name, columns @ ..] => Request::update(entity(table, name, columns)),
        ["upsert", table, name, columns @ ..] => Request::upsert(entity(table, name, columns)),
        ["delete", table, name] => Request::delete(table, row_id(name)),
        ["retrieve", table, name, columns @ ..] => {
            let columns = columns.iter().map(|&c| c.to_owned()).collect();
            Request::retrieve(table, row_id(name), Some(columns))
        }
        ["state", table, name, state, status] => Request::new(message::SET_STATE)
            .with(parameter::ENTITY_MONIKER, reference(table, name))
            .with(parameter::STATE, value(parse(state)))
            .with(parameter::STATUS, value(parse(status))),
        ["assign", table, name, to] => Request::new(message::ASSIGN)
            .with(parameter::TARGET, reference(table, name))
            .with(parameter::ASSIGNEE, reference("systemuser", to)),
        [verb @ ("associate" | "disassociate"), table, name, relationship, others @ ..] => {
            let verb =
                if *verb == "associate" { message::ASSOCIATE } else { message::DISASSOCIATE };
            let related = others
                .iter()
                .map(|o| o.split_once(':').expect("TABLE:NAME"))
                .map(|(t, n)| EntityReference::new(t, row_id(n)))
                .collect();
            Request::new(verb)
                .with(parameter::TARGET, reference(table, name))
                .with(parameter::RELATIONSHIP, value(Value::text(*relationship)))
                .with(parameter::RELATED_ENTITIES, Parameter::References(related))
        }
        ["transaction", rest @ ..] => {
            let requests = rest.split(|w| *w == ";").map(request).collect();
            Request::new(message::EXECUTE_TRANSACTION)
                .with(parameter::REQUESTS, Parameter::Requests(requests))
        }
        [other, ..] => Request::new(*other),
        [] => panic!("an empty request"),
    }
}

/// `KEY MESSAGE TABLE STAGE` (`-` says no stage) and options `both|offline|server|async`, `rank=1`, `filter=a,b`,
/// `image=pre:alias:a,b`, `playback=once`, `catch`, `secure`.
fn declaration(words: &[&str], script: &str) -> StepDeclaration {
    let [key, message, table, stage, options @ ..] = words else {
        panic!("KEY MESSAGE TABLE STAGE")
    };
    let table = if *table == "*" { "" } else { *table };
    let stage = match *stage {
        "-" => String::new(),
        stage => format!(r#","stage":{}"#, stage.parse::<u32>().expect("a stage")),
    };
    let json = format!(
        r#"{{"type":"t","steps":[{{"key":"{key}","message":"{message}","table":"{table}"{stage}}}]}}"#
    );
    let declared: TypeDeclaration = serde_json::from_str(&json).expect("a declaration");
    let mut step = declared.steps.into_iter().next().expect("one step");
    step.configuration = with_ids(script);
    let list = |text: &str| text.split(',').filter(|c| !c.is_empty()).map(str::to_owned).collect();
    for option in options {
        match option.split_once('=').unwrap_or((option, "")) {
            ("both", _) => step.deployment = 2.try_into().expect("a deployment"),
            ("offline", _) => step.deployment = 1.try_into().expect("a deployment"),
            ("server", _) => step.deployment = 0.try_into().expect("a deployment"),
            ("async", _) => step.mode = 1.try_into().expect("a mode"),
            ("rank", rank) => step.rank = rank.parse().expect("a rank"),
            ("filter", columns) => step.filtering = list(columns),
            ("playback", mode) => {
                step.playback = serde_json::from_value(mode.into()).expect("a mode")
            }
            ("catch", _) => {
                step.on_nested_error = serde_json::from_value("catch".into()).expect("it")
            }
            ("secure", _) => step.secure_configuration = "secret".into(),
            ("impersonate", _) => step.impersonate = Some(row_id("impersonated")),
            ("image", image) => {
                let parts: Vec<&str> = image.split(':').collect();
                let [kind, alias, columns] = parts[..] else { panic!("KIND:ALIAS:COLUMNS") };
                step.images.push(offstage_model::registration::ImageDeclaration {
                    alias: alias.to_owned(),
                    kind: serde_json::from_value(kind.into()).expect("a kind"),
                    attributes: list(columns),
                });
            }
            (other, _) => panic!("unknown option {other}"),
        }
    }
    step
}

/// Replaces `@name` by the row's id.
fn with_ids(script: &str) -> String {
    let mut parts = script.split('@');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
        text.push_str(&row_id(&part[..end]).to_string());
        text.push_str(&part[end..]);
    }
    text
}
