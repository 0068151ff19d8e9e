//! `offstage replay --pair`: the offline run and the playback run of an operation, side by side.
//!
//! Never runs a plug-in: both runs are recorded.

use crate::commands::capture::outcome_text;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, counted};
use offstage_sandbox::capture::{Call, Capture, Pair, PairedCall, Place, pairs};
use serde_json::{Value as Json, json};

/// Shows the pairs of the operation that `id` names, directly or by one of its captures.
pub(super) fn show(captures: &[Capture], id: Option<&str>) -> Result<Output, CliError> {
    let operation = operation(captures, id)?;
    let of_it: Vec<&Capture> = captures.iter().filter(|c| c.operation() == operation).collect();
    for (place, other) in [(Place::Offline, "playback"), (Place::Playback, "offline")] {
        if of_it.iter().all(|capture| capture.place != place) {
            return Err(one_sided(place, other, operation));
        }
    }
    let pairs = pairs(&of_it);
    let different = pairs.iter().filter(|pair| !is_same(pair)).count();
    let json = json!({
        "operation": operation,
        "different": different,
        "pairs": pairs.iter().map(pair_json).collect::<Vec<_>>(),
    });
    let mut output = Output::new(json);
    for pair in &pairs {
        output = with_pair(output, pair);
    }
    let verdict = match different {
        0 => "Both runs of every step did the same.".to_owned(),
        count => {
            format!("{} did not do the same in both runs.", counted(count as u64, "step", "steps"))
        }
    };
    let exit = if different == 0 { Exit::Done } else { Exit::Attention };
    Ok(output.text(verdict).exit(exit))
}

fn operation(captures: &[Capture], id: Option<&str>) -> Result<offstage_model::Uuid, CliError> {
    let wanted = id.map(str::to_ascii_lowercase);
    let fits = |c: &&Capture| {
        wanted.as_ref().is_none_or(|id| c.id.to_string() == *id || c.operation().to_string() == *id)
    };
    let mut operations: Vec<_> = captures.iter().filter(fits).map(Capture::operation).collect();
    operations.dedup();
    match operations.as_slice() {
        [only] => Ok(*only),
        [] => Err(CliError::new(Exit::NotFound, "No capture fits.")
            .hint("`offstage capture list` shows captures with their operations.")),
        several => {
            let ids: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(CliError::usage("The captures are of several operations; name one.")
                .hint(format!("Operations: {}.", ids.join(", "))))
        }
    }
}

fn one_sided(missing: Place, other: &str, operation: offstage_model::Uuid) -> CliError {
    let missing = missing.text();
    let side = if missing == "offline" { "device" } else { "server" };
    let message = format!(
        "Only the {other} run of operation {operation} is captured here, not the {missing} run."
    );
    CliError::new(Exit::NotFound, message).hint(format!(
        "On the {side}: `offstage capture export {operation} FILE`; here: add `--file FILE`. What was not captured when it ran cannot be compared."
    ))
}

fn is_same(pair: &Pair<'_>) -> bool {
    pair.same_outcome == Some(true) && pair.first_difference().is_none()
}

fn side(call: Option<(usize, &Call)>) -> Json {
    call.map_or(Json::Null, |(number, call)| json!({ "number": number, "call": call }))
}

fn pair_json(pair: &Pair<'_>) -> Json {
    let run = |capture: Option<&Capture>| {
        capture.map(|c| {
            json!({
                "capture": c.id, "time": c.time.to_string(), "outcome": c.outcome,
                "fuel": c.fuel, "sha256": c.sha256,
            })
        })
    };
    let call = |row: &PairedCall<'_>| json!({ "offline": side(row.offline), "playback": side(row.playback), "same": row.same() });
    let differences: Vec<Json> = pair
        .context
        .iter()
        .map(|d| json!({ "what": d.what, "offline": d.offline, "playback": d.playback }))
        .collect();
    let first = pair.calls.iter().position(|row| !row.same());
    json!({
        "step": pair.step, "occurrence": pair.occurrence,
        "offline": run(pair.offline), "playback": run(pair.playback),
        "context": differences,
        "calls": pair.calls.iter().map(call).collect::<Vec<_>>(),
        "sameOutcome": pair.same_outcome, "firstDifference": first,
    })
}

fn with_pair(output: Output, pair: &Pair<'_>) -> Output {
    let number = match pair.occurrence {
        1 => String::new(),
        number => format!(" (run {number})"),
    };
    let title = format!("Step {}{number}", pair.step);
    let differences = pair
        .context
        .iter()
        .map(|d| vec![d.what.clone(), d.offline.clone(), d.playback.clone()])
        .collect();
    let calls = pair
        .calls
        .iter()
        .map(|row| vec![mark(row).to_owned(), call_text(row.offline), call_text(row.playback)])
        .collect();
    let result = |capture: Option<&Capture>| {
        capture.map_or("this step did not run".into(), |c| outcome_text(&c.outcome))
    };
    output
        .text(title)
        .table(&["Context", "Offline", "Playback"], differences, "Context: no difference.")
        .text("")
        .table(&["", "Offline", "Playback"], calls, "No host calls in either run.")
        .text("")
        .pairs(vec![
            ("Result offline", result(pair.offline)),
            ("Result playback", result(pair.playback)),
            ("First difference", first_difference(pair)),
        ])
        .text("")
}

/// `=` the same, `≈` the same question with another answer, `≠` something else; `w` for writes.
fn mark(row: &PairedCall<'_>) -> &'static str {
    let writes = [row.offline, row.playback].into_iter().flatten().any(|(_, call)| call.is_write());
    match (row.same(), row.same_question(), writes) {
        (true, _, false) => "=",
        (true, _, true) => "= w",
        (false, true, false) => "≈",
        (false, true, true) => "≈ w",
        (false, false, false) => "≠",
        (false, false, true) => "≠ w",
    }
}

fn call_text(call: Option<(usize, &Call)>) -> String {
    call.map_or(String::new(), |(number, call)| {
        format!("{number} {} -> {}", call.question(), call.answer_text())
    })
}

fn first_difference(pair: &Pair<'_>) -> String {
    let Some(row) = pair.first_difference() else {
        return match pair.same_outcome {
            Some(true) => "none".into(),
            Some(false) => "the result; all host calls are the same".into(),
            None => "the step ran in one of the runs only".into(),
        };
    };
    match (row.offline, row.playback) {
        (Some((number, _)), Some(_)) if row.same_question() => {
            format!("call {number} was answered otherwise")
        }
        (Some((number, _)), Some((other, _))) => {
            format!("call {number} offline and call {other} in playback ask something else")
        }
        (Some((number, _)), None) => format!("call {number} was made offline only"),
        (None, Some((number, _))) => format!("call {number} was made in playback only"),
        (None, None) => "none".into(),
    }
}
