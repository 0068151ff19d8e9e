//! `offstage outlook sync`, `status` and `undo`: reports for people and programs.

use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, counted};
use offstage_outlook::Engine;
use offstage_outlook::engine::{Report, RunState};
use serde_json::{Value as Json, json};

/// Runs and notes that a status shows.
const SHOWN_MAX: usize = 20;

/// The report of a run.
pub(super) fn output(report: &Report) -> Output {
    let mut rows = Vec::new();
    for pair in &report.pairs {
        let word = json!(pair.done).as_str().unwrap_or_default().to_owned();
        let what = format!("{} {}", pair.table, pair.record);
        let reason = pair.reason.clone().unwrap_or_default();
        rows.push(vec![
            pair.pair.to_string(),
            crate::output::brief_ids(&what),
            word,
            String::new(),
            String::new(),
            String::new(),
            reason,
        ]);
        for field in &pair.fields {
            let text = |value: &Option<String>| value.clone().unwrap_or_default();
            let winner = field.winner.map(|winner| format!(" -> {winner}")).unwrap_or_default();
            rows.push(vec![
                String::new(),
                format!("  {}", field.field),
                text(&field.base),
                text(&field.outlook),
                text(&field.crm),
                winner,
                field.why.clone(),
            ]);
        }
    }
    let headers = ["Pair", "What", "Done / base", "Outlook", "CRM", "Stands", "Why"];
    let nothing = "Both sides are in step.";
    let seen = format!(
        "Looked at {} and {}.",
        counted(report.counts.items_seen, "item", "items"),
        counted(report.counts.rows_seen, "changed record", "changed records"),
    );
    let output = Output::new(json!(report)).text(seen).table(&headers, rows, nothing);
    let output = match report.counts.held {
        0 => output,
        held => output
            .text(format!(
                "{} for a person: `offstage outlook held list`.",
                counted(held, "change waits", "changes wait")
            ))
            .exit(Exit::Attention),
    };
    let output = match report.counts.left_alone {
        0 => output,
        left => output.text(format!(
            "{} left alone, not understood: `offstage outlook status` says why.",
            counted(left, "item is", "items are")
        )),
    };
    match &report.state {
        RunState::Done => output,
        RunState::Waiting(reason) => {
            output.text(format!("What is left waits: {reason}")).exit(Exit::Unreachable)
        }
        RunState::Failed(reason) => {
            output.text(format!("The run failed: {reason}")).exit(Exit::Internal)
        }
    }
}

/// What this client is, the last runs, and what was noted.
pub(super) fn status(engine: &mut Engine) -> Result<Output, CliError> {
    let client = engine.client()?;
    let held = engine.held()?.len();
    let left_alone = engine.left_alone()?;
    let store = engine.store().name();
    let (runs, notes, pairs) = engine
        .cache()
        .write(|tx| Ok((tx.runs(SHOWN_MAX)?, tx.notes(SHOWN_MAX)?, tx.linked_count()?)))?;
    let parsed = |text: &str| serde_json::from_str::<Json>(text).unwrap_or_default();
    let run_json: Vec<Json> = runs
        .iter()
        .map(|run| {
            json!({
                "run": run.run_id, "started": run.started.to_string(), "trigger": run.trigger,
                "undone": run.undone, "report": run.report.as_deref().map(parsed),
            })
        })
        .collect();
    let note_json: Vec<Json> = notes.iter().map(super::notes::json_of).collect();
    let role = client.as_ref().map_or("not registered".to_owned(), |client| client.role.clone());
    let json = json!({
        "client": client, "store": store, "pairs": pairs, "held": held,
        "left_alone": left_alone, "runs": run_json, "notes": note_json,
    });
    let left_rows = left_alone.iter().map(|v| vec![v.item.clone(), v.reason.clone()]).collect();
    let run_rows = run_json
        .iter()
        .map(|run| {
            let text = |name: &str| run[name].as_str().unwrap_or_default().to_owned();
            let state = run["report"]["state"].as_str().unwrap_or("broken off").to_owned();
            let worked = run["report"]["pairs"].as_array().map_or(0, Vec::len).to_string();
            vec![run["run"].to_string(), text("started"), text("trigger"), state, worked]
        })
        .collect();
    let note_rows = note_json
        .iter()
        .map(|note| {
            let text = |name: &str| note[name].as_str().unwrap_or_default().to_owned();
            vec![text("time"), text("kind"), text("text")]
        })
        .collect();
    Ok(Output::new(json)
        .pairs(vec![
            ("Client", role),
            ("Mailbox", store.to_owned()),
            ("Tracked pairs", pairs.to_string()),
            ("Waiting for a person", held.to_string()),
        ])
        .table(&["Run", "Started", "Trigger", "State", "Pairs"], run_rows, "No runs yet.")
        .table(&["When", "Kind", "What"], note_rows, "Nothing was noted.")
        .table(&["Item", "Left alone because"], left_rows, "Every item is understood."))
}

/// Takes back what a run wrote.
pub(super) fn undo(engine: &mut Engine, run: i64) -> Result<Output, CliError> {
    let report = engine.undo(run)?;
    let undone = counted(report.undone as u64, "write was", "writes were");
    let mut output = Output::new(json!(report))
        .text(format!("{undone} taken back. The pairs wait: `offstage outlook held list`."));
    for left in &report.left {
        output = output.text(left.clone());
    }
    Ok(if report.left.is_empty() { output } else { output.exit(Exit::Attention) })
}
