//! `offstage step`: when which plug-in type runs.

use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, yes_no};
use crate::values::FileArgument;
use crate::workspace::Workspace;
use clap::Subcommand;
use offstage_model::registration::{Deployment, Step as ModelStep, StepDeclaration};
use offstage_pipeline::StepChange;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Steps: when which plug-in type runs.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Step {
    /// List the steps in the order in which they run
    List,
    /// Show a step
    Show {
        /// The step's key
        key: String,
    },
    /// Add a step that the plug-in's source does not declare (server)
    Add {
        /// The package id
        package: String,
        /// The plug-in type
        plugin_type: String,
        /// The step's declaration as JSON: {"key": …, "message": "Create", "table": …, "stage": 40}
        file: FileArgument,
    },
    /// Change a step (server)
    #[command(group(clap::ArgGroup::new("change").required(true).multiple(true)))]
    Set {
        /// The step's key
        key: String,
        /// Lower ranks run first
        #[arg(long, group = "change")]
        rank: Option<i32>,
        /// Text for the plug-in
        #[arg(long, group = "change")]
        configuration: Option<String>,
        /// Text for the plug-in that never leaves the server
        #[arg(long, group = "change")]
        secure_configuration: Option<String>,
    },
    /// Let a step run again (server)
    Enable {
        /// The step's key
        key: String,
    },
    /// Stop a step from running (server)
    Disable {
        /// The step's key
        key: String,
    },
    /// Remove a step (server)
    Remove {
        /// The step's key
        key: String,
    },
}

impl Step {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        match self {
            Self::List => list(workspace),
            Self::Show { key } => show(workspace, &key),
            Self::Add { package, plugin_type, file } => {
                add(workspace, &package, &plugin_type, &file)
            }
            Self::Set { key, rank, configuration, secure_configuration } => {
                let changes = [
                    rank.map(StepChange::Rank),
                    configuration.map(StepChange::Configuration),
                    secure_configuration.map(StepChange::SecureConfiguration),
                ];
                change(workspace, &key, changes.into_iter().flatten().collect())
            }
            Self::Enable { key } => change(workspace, &key, vec![StepChange::Enabled(true)]),
            Self::Disable { key } => change(workspace, &key, vec![StepChange::Enabled(false)]),
            Self::Remove { key } => {
                let (pipeline, administrator) = workspace.server()?;
                pipeline.remove_step(administrator, &key)?;
                Ok(Output::new(json!({ "removed": key })).text("Removed."))
            }
        }
    }
}

/// The headers of [`rows`].
pub(crate) const HEADERS: &[&str] =
    &["Step", "Message", "Table", "Stage", "Rank", "Where", "Playback", "Enabled"];

/// Steps for people.
pub(crate) fn rows(steps: &[ModelStep]) -> Vec<Vec<String>> {
    steps
        .iter()
        .map(|step| {
            let declaration = &step.declaration;
            vec![
                declaration.key.clone(),
                declaration.message.clone(),
                if declaration.table.is_empty() { "any" } else { &declaration.table }.to_owned(),
                declaration.stage.number().to_string(),
                declaration.rank.to_string(),
                deployment(declaration.deployment).to_owned(),
                format!("{:?}", declaration.playback).to_lowercase(),
                yes_no(step.enabled),
            ]
        })
        .collect()
}

fn deployment(deployment: Deployment) -> &'static str {
    match deployment {
        Deployment::Server => "server",
        Deployment::Offline => "offline",
        Deployment::Both => "both",
    }
}

/// A step for programs, without what must not be shown.
fn public(step: &ModelStep) -> ModelStep {
    let mut step = step.clone();
    if !step.declaration.secure_configuration.is_empty() {
        step.declaration.secure_configuration = "(set)".into();
    }
    step
}

fn list(workspace: &Workspace) -> Result<Output, CliError> {
    let registry = workspace.pipeline().registry()?;
    let steps: Vec<ModelStep> = registry.steps.iter().map(|step| public(step)).collect();
    Ok(Output::new(json!({ "steps": steps })).table(HEADERS, rows(&steps), "No steps."))
}

fn show(workspace: &Workspace, key: &str) -> Result<Output, CliError> {
    let registry = workspace.pipeline().registry()?;
    let step = registry.steps.iter().find(|s| s.declaration.key == key).ok_or_else(|| {
        CliError::new(Exit::NotFound, format!("There is no step '{key}'."))
            .hint("`offstage step list` shows the steps.")
    })?;
    let step = public(step);
    let declaration = &step.declaration;
    let images: Vec<String> = declaration
        .images
        .iter()
        .map(|i| format!("{} ({:?})", i.alias, i.kind).to_lowercase())
        .collect();
    let pairs = vec![
        ("Step", declaration.key.clone()),
        ("Package", step.package.clone()),
        ("Type", step.plugin_type.clone()),
        ("Runs on", format!("{} of {}", declaration.message, declaration.table)),
        ("Stage, rank", format!("{}, {}", declaration.stage.number(), declaration.rank)),
        ("Where", deployment(declaration.deployment).to_owned()),
        ("Columns", declaration.filtering.join(", ")),
        ("Images", images.join(", ")),
        ("Playback", format!("{:?}", declaration.playback).to_lowercase()),
        ("Configuration", declaration.configuration.clone()),
        ("Secure configuration", declaration.secure_configuration.clone()),
        ("Enabled", yes_no(step.enabled)),
    ];
    Ok(Output::new(json!(step)).pairs(pairs))
}

fn add(
    workspace: &Workspace,
    package: &str,
    plugin_type: &str,
    file: &FileArgument,
) -> Result<Output, CliError> {
    let (pipeline, administrator) = workspace.server()?;
    let declaration: StepDeclaration = serde_json::from_slice(&file.read()?).map_err(|error| {
        CliError::usage(format!("'{}' declares no step: {error}.", file.0.display()))
    })?;
    let (step, notices) = pipeline.add_step(administrator, package, plugin_type, declaration)?;
    let mut output = Output::new(json!({ "step": public(&step), "notices": notices }))
        .text("Added.")
        .table(HEADERS, rows(&[step]), "");
    for notice in notices {
        output = output.text(format!("Note: {notice}"));
    }
    Ok(output)
}

fn change(workspace: &Workspace, key: &str, changes: Vec<StepChange>) -> Result<Output, CliError> {
    let (pipeline, administrator) = workspace.server()?;
    let mut steps = Vec::new();
    for change in changes {
        steps = vec![pipeline.change_step(administrator, key, change)?];
    }
    let public: Vec<ModelStep> = steps.iter().map(public).collect();
    Ok(Output::new(json!({ "step": public.first() })).text("Changed.").table(
        HEADERS,
        rows(&steps),
        "",
    ))
}
