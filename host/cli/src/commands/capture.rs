//! `offstage capture`: recorded runs of plug-ins, to be run again with `offstage replay`.
//!
//! Never shows a secret: captures hold none.

use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, counted, grouped, shortened, yes_no};
use crate::owned_file;
use crate::values::FileArgument;
use crate::workspace::Workspace;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use offstage_model::Uuid;
use offstage_pipeline::{CaptureMode, CapturePolicy};
use offstage_sandbox::PackageFile;
use offstage_sandbox::capture::{Capture as Document, CaptureError, CaptureFile, Outcome};
use offstage_store::{CaptureFilter, CaptureRow};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// Recorded runs of plug-ins.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Capture {
    /// Capture nothing
    Off,
    /// Capture runs that fail
    OnError(Bounds),
    /// Capture every run
    All(Bounds),
    /// Capture the runs of these steps
    Step {
        /// Keys of steps
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
        #[command(flatten)]
        bounds: Bounds,
    },
    /// List captures, the newest first, and what is captured now
    List {
        /// Only runs of this step
        #[arg(long, value_name = "KEY")]
        step: Option<String>,
        /// Only runs of this operation
        #[arg(long, value_name = "ID")]
        operation: Option<String>,
        /// Only failed runs
        #[arg(long)]
        failed: bool,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50)]
        top: u16,
    },
    /// Show a captured run: its host calls with their answers, and its result
    Show {
        /// The capture's id
        id: String,
    },
    /// Write captures into a file that another machine can import or replay
    Export {
        /// The id of a capture, or of an operation for all of its captures
        id: String,
        /// The file
        file: FileArgument,
    },
    /// Read captures from a file
    Import {
        /// The file
        file: FileArgument,
    },
    /// What `replay` needs; for this program only
    #[command(hide = true)]
    Fetch(Fetch),
}

/// How many captures are kept; the oldest go first.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Bounds {
    /// Keep at most so many captures [default: as before, 200 at first]
    #[arg(long, value_name = "N")]
    keep: Option<u32>,
    /// Keep at most so many MiB of captures [default: as before, 64 at first]
    #[arg(long, value_name = "MIB")]
    keep_mib: Option<u32>,
}

/// What `replay` asks of the process that has the data directory.
#[derive(Clone, Debug, Default, Args, Serialize, Deserialize)]
pub(crate) struct Fetch {
    /// A capture or an operation.
    pub(crate) id: Option<String>,
    /// A package whose component is wanted.
    #[arg(long)]
    pub(crate) package: Option<String>,
    /// A step whose secure configuration is wanted.
    #[arg(long)]
    pub(crate) step: Option<String>,
}

impl Capture {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        match self {
            Self::Off => set(workspace, CaptureMode::Off, None),
            Self::OnError(bounds) => set(workspace, CaptureMode::OnError, Some(&bounds)),
            Self::All(bounds) => set(workspace, CaptureMode::All, Some(&bounds)),
            Self::Step { keys, bounds } => {
                let registry = workspace.pipeline().registry()?;
                if let Some(key) = keys.iter().find(|key| registry.step(key).is_none()) {
                    let message = format!("There is no step '{key}'.");
                    return Err(CliError::new(Exit::NotFound, message)
                        .hint("`offstage step list` shows the steps."));
                }
                set(workspace, CaptureMode::Steps(keys), Some(&bounds))
            }
            Self::List { step, operation, failed, top } => {
                let operation = operation.as_deref().map(id_of).transpose()?;
                let filter = CaptureFilter { step, operation, failed };
                let rows = workspace.store().read()?.captures(&filter, top.into())?;
                Ok(list(&rows, &workspace.pipeline().capture_policy()))
            }
            Self::Show { id } => show(&found(workspace, &id)?),
            Self::Export { id, file } => export(workspace, &id, &file),
            Self::Import { file } => import(workspace, &file),
            Self::Fetch(fetch) => fetch.run(workspace),
        }
    }
}

fn set(
    workspace: &Workspace,
    mode: CaptureMode,
    bounds: Option<&Bounds>,
) -> Result<Output, CliError> {
    let mut policy = CapturePolicy { mode, ..workspace.pipeline().capture_policy() };
    if let Some(count) = bounds.and_then(|b| b.keep) {
        policy.count_max = count as usize;
    }
    if let Some(mib) = bounds.and_then(|b| b.keep_mib) {
        policy.bytes_max = u64::from(mib) << 20;
    }
    let text = mode_text(&policy);
    let json = policy_json(&policy);
    workspace.pipeline().set_capture_policy(policy)?;
    Ok(Output::new(json).text(text))
}

fn policy_json(policy: &CapturePolicy) -> Json {
    let steps = match &policy.mode {
        CaptureMode::Steps(keys) => keys.clone(),
        _ => Vec::new(),
    };
    let mode = match policy.mode {
        CaptureMode::Off => "off",
        CaptureMode::OnError => "on-error",
        CaptureMode::All => "all",
        CaptureMode::Steps(_) => "step",
    };
    json!({ "mode": mode, "steps": steps, "keep": policy.count_max, "keepBytes": policy.bytes_max })
}

fn mode_text(policy: &CapturePolicy) -> String {
    let what = match &policy.mode {
        CaptureMode::Off => return "Nothing is captured.".into(),
        CaptureMode::OnError => "Failed runs are captured".to_owned(),
        CaptureMode::All => "Every run is captured".to_owned(),
        CaptureMode::Steps(keys) => format!("Runs of {} are captured", keys.join(", ")),
    };
    let (count, mib) = (grouped(policy.count_max as u64), grouped(policy.bytes_max >> 20));
    format!("{what}; the newest {count} are kept, {mib} MiB at most.")
}

fn row_json(row: &CaptureRow) -> Json {
    json!({
        "id": row.id, "time": row.time.to_string(), "step": row.step, "place": row.place,
        "operation": row.operation, "package": row.package, "failed": row.failed,
        "imported": row.imported, "bytes": row.bytes,
    })
}

fn list(rows: &[CaptureRow], policy: &CapturePolicy) -> Output {
    let cells = rows
        .iter()
        .map(|row| {
            vec![
                row.id.to_string(),
                row.time.to_string(),
                row.step.clone(),
                row.place.clone(),
                if row.failed { "failed" } else { "done" }.to_owned(),
                row.operation.to_string(),
                if row.imported { "imported" } else { "" }.to_owned(),
            ]
        })
        .collect();
    let json = json!({
        "policy": policy_json(policy), "captures": rows.iter().map(row_json).collect::<Vec<_>>(),
    });
    let headers = ["Capture", "Time", "Step", "Where", "Result", "Operation", ""];
    Output::new(json).text(mode_text(policy)).table(&headers, cells, "No captures.")
}

/// The result of a run in one line.
pub(crate) fn outcome_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Changed(changes) => {
            format!("done, {}", counted(changes.len() as u64, "change", "changes"))
        }
        Outcome::Failed { ended, fault, .. } => shortened(&format!("{ended}: {}", fault.message)),
    }
}

fn show(capture: &Document) -> Result<Output, CliError> {
    let calls = capture
        .calls
        .iter()
        .enumerate()
        .map(|(index, call)| {
            vec![(index + 1).to_string(), call.question().to_string(), call.answer_text()]
        })
        .collect();
    let context = &capture.context;
    let pairs = vec![
        ("Step", context.step_key.clone()),
        ("Type", capture.plugin_type.clone()),
        ("Package", format!("{} ({})", capture.package, capture.sha256)),
        ("Time", capture.time.to_string()),
        ("Where", capture.place.text().to_owned()),
        ("Message", format!("{} {}", context.message_name, context.primary_entity_name)),
        ("Stage, depth", format!("{}, {}", context.stage, context.depth)),
        ("Operation", context.operation_id.to_string()),
        ("Result", outcome_text(&capture.outcome)),
        ("Fuel", grouped(capture.fuel)),
        ("Whole", yes_no(!capture.truncated)),
        ("Trace", capture.trace.lines().map(shortened).collect::<Vec<_>>().join("\n")),
    ];
    let headers = ["#", "Host call", "Answer"];
    Ok(Output::new(json!(capture)).pairs(pairs).text("").table(&headers, calls, "No host calls."))
}

fn export(workspace: &Workspace, id: &str, file: &FileArgument) -> Result<Output, CliError> {
    let captures = found_all(workspace, id)?;
    owned_file::write(&file.0, &CaptureFile::write(&captures))?;
    let count = counted(captures.len() as u64, "capture", "captures");
    let json = json!({ "file": file.0, "captures": captures.len() });
    let path = file.0.display();
    Ok(Output::new(json)
        .text(format!("{count} written to {path}. It holds the data that the plug-in saw.")))
}

fn import(workspace: &Workspace, file: &FileArgument) -> Result<Output, CliError> {
    let captures = read_file(file)?;
    let added = workspace.pipeline().import_captures(&captures)?;
    let ids: Vec<Uuid> = captures.iter().map(|capture| capture.id).collect();
    let json = json!({ "captures": ids, "added": added });
    let known = captures.len() - added;
    let mut text = format!("{} imported.", counted(added as u64, "capture", "captures"));
    if known > 0 {
        text.push_str(&format!(" {} already here.", grouped(known as u64)));
    }
    Ok(Output::new(json).text(text))
}

/// The captures of an exported file.
pub(crate) fn read_file(file: &FileArgument) -> Result<Vec<Document>, CliError> {
    let path = file.0.display().to_string();
    CaptureFile::read(&file.read()?).map_err(|error| unusable(&path, &error))
}

fn unusable(what: &str, error: &CaptureError) -> CliError {
    let hint = match error {
        CaptureError::Newer { .. } => "Use the version of Offstage that wrote it.",
        _ => "`offstage capture export` writes such files; export it again.",
    };
    CliError::usage(format!("'{what}' cannot be read: {}.", shortened(&error.to_string())))
        .hint(hint)
}

fn id_of(text: &str) -> Result<Uuid, CliError> {
    Uuid::parse_str(text).map_err(|_| {
        CliError::usage(format!("'{}' is no id.", shortened(text)))
            .hint("`offstage capture list` shows captures with their operations.")
    })
}

fn thaw(id: Uuid, document: &[u8]) -> Result<Document, CliError> {
    Document::thaw(document).map_err(|error| unusable(&id.to_string(), &error))
}

/// One capture by its id.
fn found(workspace: &Workspace, id: &str) -> Result<Document, CliError> {
    let id = id_of(id)?;
    let document = workspace.store().read()?.capture_document(id)?;
    thaw(id, &document.ok_or_else(|| not_found(id))?)
}

/// A capture by its id, or all captures of an operation.
fn found_all(workspace: &Workspace, id: &str) -> Result<Vec<Document>, CliError> {
    let id = id_of(id)?;
    let mut tx = workspace.store().read()?;
    let documents = match tx.capture_document(id)? {
        Some(document) => vec![document],
        None => tx.capture_documents(id)?,
    };
    if documents.is_empty() {
        return Err(not_found(id));
    }
    documents.iter().map(|document| thaw(id, document)).collect()
}

fn not_found(id: Uuid) -> CliError {
    CliError::new(Exit::NotFound, format!("There is no capture and no captured operation {id}."))
        .hint("`offstage capture list` shows what was captured; the oldest are removed.")
}

impl Fetch {
    fn run(&self, workspace: &Workspace) -> Result<Output, CliError> {
        let captures = match &self.id {
            Some(id) => found_all(workspace, id)?,
            None => Vec::new(),
        };
        let registry = workspace.pipeline().registry()?;
        let secret = self.step.as_deref().and_then(|key| registry.step(key));
        let secret = secret.map(|step| step.declaration.secure_configuration.clone());
        let component = match &self.package {
            Some(package) => component(workspace, package)?,
            None => None,
        };
        Ok(Output::new(json!({
            "captures": captures, "component": component.map(|bytes| STANDARD.encode(bytes)),
            "secret": secret,
        })))
    }
}

/// The component of a package that may run here.
fn component(workspace: &Workspace, package: &str) -> Result<Option<Vec<u8>>, CliError> {
    let registry = workspace.pipeline().registry()?;
    if let Some(skipped) = registry.skipped.iter().find(|skipped| skipped.package == package) {
        let message = format!("The package {package} does not run here: {}.", skipped.reason);
        return Err(CliError::new(Exit::Denied, message).hint(skipped.hint.clone()));
    }
    let Some(bytes) = workspace.store().read()?.package_bytes(package)? else {
        return Ok(None);
    };
    let file = PackageFile::read(&bytes).map_err(|error| CliError::from(error.fault()))?;
    Ok(Some(file.component.to_vec()))
}
