//! `offstage trace`: what plug-ins did.

use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, grouped, yes_no};
use crate::values::row_id;
use crate::workspace::Workspace;
use clap::{Subcommand, ValueEnum};
use offstage_pipeline::TraceLevel;
use offstage_store::{TraceFilter, TraceRow};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What plug-ins did.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Trace {
    /// List the runs of plug-ins, the newest first
    List {
        /// Only failed runs
        #[arg(long)]
        failed: bool,
        /// Only runs of this step
        #[arg(long, value_name = "KEY")]
        step: Option<String>,
        /// Only runs on this table
        #[arg(long, value_name = "TABLE")]
        table: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50)]
        top: u16,
    },
    /// Show a run with what the plug-in wrote
    Show {
        /// The trace's id
        id: String,
    },
    /// Set which runs are traced
    Set {
        /// Which runs
        level: Level,
    },
}

/// Which runs are traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Level {
    /// None
    Off,
    /// Those that failed
    Exceptions,
    /// Every one
    All,
}

impl Trace {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        match self {
            Self::List { failed, step, table, top } => {
                let filter = TraceFilter { failed, step, table, ..TraceFilter::default() };
                Ok(list(&workspace.store().read()?.traces(&filter, top.into())?))
            }
            Self::Show { id } => show(workspace, &id),
            Self::Set { level } => {
                let level = match level {
                    Level::Off => TraceLevel::Off,
                    Level::Exceptions => TraceLevel::Exceptions,
                    Level::All => TraceLevel::All,
                };
                workspace.pipeline().set_trace_level(level)?;
                Ok(Output::new(json!({ "level": level })).text("Set."))
            }
        }
    }
}

fn row_json(row: &TraceRow) -> serde_json::Value {
    json!({
        "id": row.id, "time": row.time.to_string(), "typename": row.typename,
        "message": row.message, "table": row.table, "row": row.row, "stage": row.stage,
        "mode": row.mode, "depth": row.depth, "correlation": row.correlation,
        "request": row.request, "operation": row.operation, "step": row.step,
        "trace": row.trace, "exception": row.exception, "durationUs": row.duration_us,
        "fuel": row.fuel, "memory": row.memory, "offline": row.offline, "playback": row.playback,
    })
}

/// Where the run was.
fn place(row: &TraceRow) -> &'static str {
    match (row.offline, row.playback) {
        (true, _) => "offline",
        (false, true) => "playback",
        (false, false) => "online",
    }
}

fn list(traces: &[TraceRow]) -> Output {
    let rows = traces
        .iter()
        .map(|t| {
            vec![
                t.id.to_string(),
                t.time.to_string(),
                t.step.clone(),
                place(t).to_owned(),
                format!("{} µs", grouped(t.duration_us)),
                t.exception.clone().unwrap_or_else(|| t.trace.clone()),
            ]
        })
        .collect();
    Output::new(json!({ "traces": traces.iter().map(row_json).collect::<Vec<_>>() })).table(
        &["Trace", "Time", "Step", "Where", "Duration", "What"],
        rows,
        "No traces; `offstage trace set all` keeps every run.",
    )
}

fn show(workspace: &Workspace, id: &str) -> Result<Output, CliError> {
    let id = row_id(id)?;
    let row = workspace.store().read()?.trace(id)?.ok_or_else(|| {
        CliError::new(Exit::NotFound, format!("There is no trace {id}."))
            .hint("`offstage trace list` shows the newest; old ones are removed.")
    })?;
    let pairs = vec![
        ("Step", row.step.clone()),
        ("Type", row.typename.clone()),
        ("Time", row.time.to_string()),
        ("Message", format!("{} {}", row.message, row.table)),
        ("Stage, depth", format!("{}, {}", row.stage, row.depth)),
        ("Offline", yes_no(row.offline)),
        ("Playback", yes_no(row.playback)),
        ("Duration", format!("{} µs", grouped(row.duration_us))),
        ("Fuel", grouped(row.fuel)),
        ("Memory", format!("{} bytes", grouped(row.memory))),
        ("Operation", row.operation.to_string()),
        ("Error", row.exception.clone().unwrap_or_else(|| "none".into())),
        ("Trace", row.trace.clone()),
    ];
    Ok(Output::new(row_json(&row)).pairs(pairs))
}
