//! `offstage replay`: runs a captured run of a plug-in again, without touching any data.
//!
//! Runs in this process and not where the data directory is open: a plug-in under a debugger must
//! not hold up a server or host.

use crate::arguments::Arguments;
use crate::commands::capture::{self, Fetch, outcome_text};
use crate::commands::{Work, work_where_it_is_open};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, grouped, shortened};
use crate::values::FileArgument;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use offstage_sandbox::capture::{Capture, Divergence, Question, Replay as Replayed};
use offstage_sandbox::{DebugPlugins, Sandbox, SandboxOptions};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

mod gdb;
mod pair;

/// Run a captured run of a plug-in again, without touching any data.
///
/// The recorded answers are given back, so the run needs no server and no rows. The same plug-in
/// gives the same result with the same fuel; another build shows where it first asks something else.
/// Ends with 5 where the runs differ.
#[derive(Clone, Debug, Args)]
pub(crate) struct Replay {
    /// The id of a capture; with --pair also that of an operation
    #[arg(required_unless_present = "file")]
    id: Option<String>,
    /// Take the captures of an exported file too; may be repeated
    #[arg(long, value_name = "FILE")]
    file: Vec<FileArgument>,
    /// Run this build of the plug-in
    #[arg(long, value_name = "FILE.wasm", conflicts_with = "pair")]
    with: Option<FileArgument>,
    /// Put the offline run and the playback run of the operation side by side; runs nothing
    #[arg(long, conflicts_with = "gdb")]
    pair: bool,
    /// Run under gdb; needs a build with debug information
    #[arg(long)]
    gdb: bool,
    /// With --gdb: stop at this FILE:LINE or function; may be repeated
    #[arg(long = "break", value_name = "LOCATION", requires = "gdb")]
    breakpoints: Vec<String>,
    /// What gdb runs; for this program only
    #[arg(long, hide = true)]
    for_debugger: bool,
    /// The secure configuration for the same; for this program only
    #[arg(long, hide = true, value_name = "FILE")]
    secret_file: Option<FileArgument>,
}

/// What the data directory knows.
#[derive(Debug, Default, Deserialize)]
struct Fetched {
    captures: Vec<Capture>,
    component: Option<String>,
    secret: Option<String>,
}

impl Replay {
    pub(crate) fn run(&self, arguments: &Arguments) -> Result<Output, CliError> {
        let captures = self.captures(arguments)?;
        if self.pair {
            return pair::show(&captures, self.id.as_deref());
        }
        let capture = self.chosen(&captures)?;
        let (component, mut secret) = self.component(arguments, capture)?;
        if let Some(file) = &self.secret_file {
            secret = Some(file.read_text()?);
        }
        if self.gdb {
            return gdb::run(&gdb::Session {
                capture,
                component: &component,
                secret: secret.as_deref(),
                breakpoints: &self.breakpoints,
            });
        }
        let debug = if self.for_debugger { DebugPlugins::All } else { DebugPlugins::None };
        let sandbox = Sandbox::new(SandboxOptions { debug, ..SandboxOptions::default() });
        let sandbox = sandbox.map_err(|error| CliError::from(error.fault()))?;
        let plugin = sandbox.load(&component).map_err(|error| CliError::from(error.fault()))?;
        Ok(report(capture, &sandbox.replay(&plugin, capture, secret.as_deref())))
    }

    /// The captures of the files, then those of the data directory.
    fn captures(&self, arguments: &Arguments) -> Result<Vec<Capture>, CliError> {
        let mut captures = Vec::new();
        for file in &self.file {
            captures.extend(capture::read_file(file)?);
        }
        let Some(id) = &self.id else {
            return Ok(captures);
        };
        let in_files = captures.iter().any(|capture| is_of(capture, id));
        // A file is enough on a machine without any data directory; a pair wants all there is.
        match fetch(arguments, Fetch { id: Some(id.clone()), ..Fetch::default() }) {
            Ok(fetched) if self.pair || !in_files => captures.extend(fetched.captures),
            Ok(_) => {}
            Err(_) if in_files => {}
            Err(error) => return Err(error),
        }
        let mut seen = BTreeSet::new();
        captures.retain(|capture| seen.insert(capture.id));
        // Runs in the order in which they began; what began at once stays as it was recorded.
        captures.sort_by_key(|capture| capture.time);
        Ok(captures)
    }

    fn chosen<'a>(&self, captures: &'a [Capture]) -> Result<&'a Capture, CliError> {
        let fits = |capture: &&Capture| self.id.as_ref().is_none_or(|id| is_of(capture, id));
        let mut fitting = captures.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(CliError::new(Exit::NotFound, "No capture fits.")
                .hint("`offstage capture list` shows captures with their ids.")),
            (Some(_), Some(_)) => {
                let ids: Vec<String> = captures
                    .iter()
                    .map(|c| format!("{} ({}, {})", c.id, c.context.step_key, c.place.text()))
                    .collect();
                Err(CliError::usage("There are several captures; name one.")
                    .hint(format!("Ids: {}.", ids.join(", "))))
            }
        }
    }

    /// The component to run, and the secure configuration where it is known.
    fn component(
        &self,
        arguments: &Arguments,
        capture: &Capture,
    ) -> Result<(Vec<u8>, Option<String>), CliError> {
        let fetched = fetch(
            arguments,
            Fetch {
                package: self.with.is_none().then(|| capture.package.clone()),
                step: Some(capture.context.step_key.clone()),
                ..Fetch::default()
            },
        );
        if let Some(file) = &self.with {
            // Without a data directory only the secret is missing.
            let secret = fetched.ok().and_then(|fetched| fetched.secret);
            return Ok((file.read()?, secret));
        }
        let fetched = fetched.map_err(|error| no_component(capture, &error.message))?;
        let component = fetched.component.and_then(|text| STANDARD.decode(text).ok());
        let component =
            component.ok_or_else(|| no_component(capture, "it is not registered here"))?;
        let actual = hex::encode(Sha256::digest(&component));
        if actual != capture.sha256 {
            let reason = format!("the one registered here has the content {actual}");
            return Err(no_component(capture, &reason));
        }
        Ok((component, fetched.secret))
    }
}

fn is_of(capture: &Capture, id: &str) -> bool {
    let id = id.to_ascii_lowercase();
    capture.id.to_string() == id || capture.operation().to_string() == id
}

fn fetch(arguments: &Arguments, fetch: Fetch) -> Result<Fetched, CliError> {
    let work = Work::Capture(capture::Capture::Fetch(fetch));
    let output = work_where_it_is_open(&work, arguments)?;
    serde_json::from_value(output.json).map_err(|error| {
        CliError::new(Exit::Internal, format!("The captures cannot be read: {error}."))
            .hint("The running process may have another version; restart it.")
    })
}

fn no_component(capture: &Capture, reason: &str) -> CliError {
    let message = format!(
        "The plug-in that was captured, {} with the content {}, is not here: {}.",
        capture.package,
        capture.sha256,
        reason.trim_end_matches('.')
    );
    CliError::new(Exit::NotFound, message)
        .hint("`--with FILE.wasm` names a build to run, also another one than was captured.")
}

fn question_json(question: &Option<Question>) -> Json {
    match question {
        Some(question) => json!({ "text": question.to_string(), "question": question }),
        None => Json::Null,
    }
}

fn report(capture: &Capture, replay: &Replayed) -> Output {
    let divergence = replay.divergence.as_ref().map(|d| {
        json!({
            "call": d.call, "expected": question_json(&d.expected), "got": question_json(&d.got),
            "recordingFull": d.recording_full,
        })
    });
    let json = json!({
        "capture": capture.id, "step": capture.context.step_key, "place": capture.place,
        "exact": replay.is_exact(), "samePlugin": replay.same_plugin,
        "sameOutcome": replay.same_outcome, "sameFuel": replay.same_fuel,
        "sameTrace": replay.same_trace, "divergence": divergence,
        "answered": replay.answered, "recordedCalls": capture.calls.len(),
        "recordedFuel": capture.fuel, "fuel": replay.run.usage.fuel,
        "recordedOutcome": capture.outcome, "outcome": replay.outcome, "trace": replay.run.trace,
    });
    let build = if replay.same_plugin { "the one that was captured" } else { "another build" };
    let pairs = vec![
        ("Step", capture.context.step_key.clone()),
        ("Captured", format!("{}, {}", capture.time, capture.place.text())),
        ("Plug-in", format!("{}, {build}", capture.package)),
        ("Host calls", format!("{} of {} answered", replay.answered, capture.calls.len())),
        ("Recorded", format!("{}; fuel {}", outcome_text(&capture.outcome), grouped(capture.fuel))),
        (
            "Replayed",
            format!("{}; fuel {}", outcome_text(&replay.outcome), grouped(replay.run.usage.fuel)),
        ),
        ("Trace", replay.run.trace.lines().map(shortened).collect::<Vec<_>>().join("\n")),
    ];
    let exit = if is_good(capture, replay) { Exit::Done } else { Exit::Attention };
    Output::new(json).pairs(pairs).text("").text(verdict(capture, replay)).exit(exit)
}

/// A build of its own uses its own fuel; what counts then is what it asks and answers.
fn is_good(capture: &Capture, replay: &Replayed) -> bool {
    let behaves = replay.divergence.is_none() && replay.same_outcome;
    behaves && (replay.same_fuel || !replay.same_plugin || capture.outcome.depends_on_machine())
}

fn verdict(capture: &Capture, replay: &Replayed) -> String {
    if let Some(divergence) = &replay.divergence {
        return shortened(&divergence_text(divergence));
    }
    if capture.outcome.depends_on_machine() {
        return "The recorded run was ended by the clock or the load of its machine, which a replay has not; its calls are the same.".into();
    }
    match (replay.same_outcome, replay.same_fuel, replay.same_plugin) {
        (true, true, true) => "Same calls, same result, same fuel: the run is deterministic.".into(),
        (true, _, false) => "Same calls and same result with this build.".into(),
        (false, _, false) => "Same calls, but another result with this build.".into(),
        (true, false, true) => "Same calls and result, but other fuel: the run is not deterministic. Please report this.".into(),
        (false, _, true) => "Same calls, but another result: the run is not deterministic, or its secure configuration is not known here.".into(),
    }
}

fn divergence_text(divergence: &Divergence) -> String {
    let call = divergence.call;
    let text = |question: &Option<Question>| question.as_ref().map(ToString::to_string);
    match (text(&divergence.expected), text(&divergence.got)) {
        (None, Some(got)) if divergence.recording_full => {
            format!(
                "The recording was full before call {call} ({got}); what follows was not answered."
            )
        }
        (Some(expected), Some(got)) => {
            format!("First difference at call {call}: recorded {expected}; now {got}")
        }
        (Some(expected), None) => {
            format!("First difference at call {call}: recorded {expected}; now no more calls")
        }
        (None, got) => format!(
            "First difference at call {call}: recorded no more calls; now {}",
            got.unwrap_or_default()
        ),
    }
}
