//! `offstage outbox`: HTTP requests of plug-ins, and what became of them.

use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, counted};
use crate::values::row_id;
use crate::workspace::Workspace;
use clap::{Subcommand, ValueEnum};
use offstage_store::outbox::{OutboxRow, OutboxState};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The most journal entries that are looked through on a device.
const ENTRIES_MAX: usize = 1_000;

/// HTTP requests of plug-ins, sent by the server after their operation has committed.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outbox {
    /// List requests, the newest first; on a device, those that wait in the journal
    List {
        /// Only in this state (server)
        #[arg(long, value_name = "STATE")]
        state: Option<State>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50)]
        top: u16,
    },
    /// Show a request; secrets are shown by name (server)
    Show {
        /// The request's id, which is its idempotency key
        id: String,
    },
    /// Send a request again, or now (server)
    Retry {
        /// The request's id
        id: String,
    },
    /// Give a request up that was not sent (server)
    Discard {
        /// The request's id
        id: String,
    },
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// It waits to be sent
    Queued,
    /// The receiver took it
    Sent,
    /// It is given up; somebody has to decide
    Failed,
    /// Somebody gave it up
    Discarded,
}

impl State {
    fn of(self) -> OutboxState {
        match self {
            Self::Queued => OutboxState::Queued,
            Self::Sent => OutboxState::Sent,
            Self::Failed => OutboxState::Failed,
            Self::Discarded => OutboxState::Discarded,
        }
    }
}

impl Outbox {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        match self {
            Self::List { top, .. } if !workspace.is_server() => on_device(workspace, top.into()),
            Self::List { state, top } => {
                let state = state.map(State::of);
                Ok(list(&workspace.store().read()?.outbox(state, top.into())?))
            }
            Self::Show { id } => show(workspace, &id),
            Self::Retry { id } => {
                let (pipeline, administrator) = workspace.server()?;
                let row = {
                    let (store, clock) = (pipeline.store(), pipeline.clock());
                    offstage_outbound::retry(store, &**clock, administrator, row_id(&id)?)?
                };
                Ok(Output::new(row_json(&row)).text("Queued again."))
            }
            Self::Discard { id } => {
                let (pipeline, administrator) = workspace.server()?;
                let row =
                    offstage_outbound::discard(pipeline.store(), administrator, row_id(&id)?)?;
                Ok(Output::new(row_json(&row)).text("Discarded."))
            }
        }
    }
}

fn row_json(row: &OutboxRow) -> serde_json::Value {
    json!({
        "id": row.id, "package": row.package, "step": row.step, "operation": row.operation,
        "user": row.user, "createdOn": row.created_on.to_string(), "method": row.request.method,
        "url": row.request.url, "headers": row.request.headers, "bytes": row.request.body.len(),
        "state": row.state, "attempts": row.attempts, "due": row.due.to_string(),
        "status": row.status, "note": row.note,
    })
}

fn list(rows: &[OutboxRow]) -> Output {
    let cells = rows
        .iter()
        .map(|row| {
            let last = match (row.status, row.note.as_str()) {
                (Some(status), "") => status.to_string(),
                (_, note) => note.to_owned(),
            };
            vec![
                row.id.to_string(),
                row.state.name().to_owned(),
                format!("{} {}", row.request.method, row.request.url),
                row.package.clone(),
                row.attempts.to_string(),
                last,
            ]
        })
        .collect();
    let json: Vec<_> = rows.iter().map(row_json).collect();
    Output::new(json!({ "requests": json })).table(
        &["Request", "State", "What", "Package", "Tried", "Last answer"],
        cells,
        "No requests.",
    )
}

fn show(workspace: &Workspace, id: &str) -> Result<Output, CliError> {
    workspace.server()?;
    let id = row_id(id)?;
    let row = workspace.store().read()?.outbox_row(id)?.ok_or_else(|| {
        CliError::new(Exit::NotFound, format!("There is no request {id} in the outbox."))
            .hint("`offstage outbox list` shows the newest.")
    })?;
    let headers: Vec<String> = row
        .request
        .headers
        .iter()
        .map(|header| match &header.secret {
            Some(secret) => format!("{}: {}<secret {secret}>", header.name, header.value),
            None => format!("{}: {}", header.name, header.value),
        })
        .collect();
    let pairs = vec![
        ("Request", format!("{} {}", row.request.method, row.request.url)),
        ("Headers", headers.join("\n")),
        ("Body", format!("{} bytes", row.request.body.len())),
        ("State", row.state.name().to_owned()),
        ("Tried", counted(row.attempts.into(), "time", "times")),
        ("Due", row.due.to_string()),
        ("Last answer", row.status.map_or_else(|| "none".into(), |status| status.to_string())),
        ("Note", row.note.clone()),
        ("Package, step", format!("{}, {}", row.package, row.step)),
        ("Operation", row.operation.to_string()),
        ("Made", row.created_on.to_string()),
    ];
    Ok(Output::new(row_json(&row)).pairs(pairs))
}

/// A device sends nothing: its requests are in the journal until they are played back.
fn on_device(workspace: &Workspace, rows_max: usize) -> Result<Output, CliError> {
    let waiting = workspace.device()?.pipeline().recorded_http(ENTRIES_MAX)?;
    let shown = &waiting[..rows_max.min(waiting.len())];
    let rows = shown
        .iter()
        .map(|w| vec![w.sequence.to_string(), w.step.clone(), format!("{} {}", w.method, w.url)])
        .collect();
    let json: Vec<_> = shown
        .iter()
        .map(|w| json!({ "entry": w.sequence, "step": w.step, "method": w.method, "url": w.url }))
        .collect();
    Ok(Output::new(json!({ "requests": json })).table(
        &["Entry", "Step", "What"],
        rows,
        "No requests wait in the journal.",
    ))
}
