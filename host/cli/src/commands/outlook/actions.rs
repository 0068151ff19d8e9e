//! What a user does with an item in the inspector and the explorer.

use super::{Place, find, sync};
use crate::error::CliError;
use crate::output::Output;
use offstage_outlook::engine::ActionAnswer;
use offstage_outlook::rules::Cell;
use offstage_outlook::{Engine, Regarding};
use serde_json::json;

pub(super) fn track(
    engine: &mut Engine,
    item: &str,
    place: Place,
    about: Option<&str>,
) -> Result<Output, CliError> {
    let id = find(engine.store(), item)?;
    let about = about.map(regarding).transpose()?;
    Ok(output(&engine.track(&id, place.into(), about)?))
}

pub(super) fn untrack(
    engine: &mut Engine,
    item: &str,
    place: Place,
    delete: bool,
) -> Result<Output, CliError> {
    let id = find(engine.store(), item)?;
    Ok(output(&engine.untrack(&id, place.into(), delete)?))
}

pub(super) fn set_regarding(
    engine: &mut Engine,
    item: &str,
    place: Place,
    about: Option<&str>,
) -> Result<Output, CliError> {
    let id = find(engine.store(), item)?;
    let about = about.map(regarding).transpose()?;
    Ok(output(&engine.set_regarding(&id, place.into(), about)?))
}

pub(super) fn open(engine: &mut Engine, item: &str) -> Result<Output, CliError> {
    let id = find(engine.store(), item)?;
    engine.open_inspector(&id)?;
    Ok(Output::new(json!({ "item": id.as_str(), "open": true })).text("Open."))
}

pub(super) fn save(engine: &mut Engine, item: &str) -> Result<Output, CliError> {
    let id = find(engine.store(), item)?;
    Ok(output(&engine.save_inspector(&id)?))
}

pub(super) fn close(engine: &mut Engine, item: &str) -> Result<Output, CliError> {
    let id = find(engine.store(), item)?;
    Ok(output(&engine.close_inspector(&id)?))
}

fn regarding(text: &str) -> Result<Regarding, CliError> {
    Regarding::parse(text).ok_or_else(|| {
        CliError::usage(format!("'{text}' is not TABLE:ID."))
            .hint("Write account:0b3d8b2e-5a8e-4c59-9d8c-0d3c1e2f4a5b, for example.")
    })
}

fn output(answer: &ActionAnswer) -> Output {
    let (word, text) = match answer.when {
        Cell::Now => ("now", "Synchronised at once."),
        Cell::OnSend => ("on-send", "It is synchronised when the mail is sent."),
        Cell::OnClose => ("on-close", "It is synchronised when the inspector closes."),
        Cell::Next => ("next", "It is synchronised with the next run of the synchronising client."),
        Cell::NotApplicable => ("not-applicable", "There is nothing to synchronise."),
    };
    match &answer.report {
        None => Output::new(json!({ "when": word, "report": null })).text(text),
        Some(report) => {
            let mut output = sync::output(report);
            output.json = json!({ "when": word, "report": report });
            output
        }
    }
}
