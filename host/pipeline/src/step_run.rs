//! Runs one step: gives the plug-in its context, takes back what it changed, traces it.
//!
//! Never decides whether a step runs; `stages` does.

use crate::capture::StepCall;
use crate::context::{acting_user, step_context};
use crate::services::StepServices;
use crate::session::{Origin, Session};
use crate::subject;
use offstage_model::journal::{ColumnChange, StepRun};
use offstage_model::registration::{OnNestedError, PlaybackMode, Stage, Step};
use offstage_model::{ContextChange, Fault, Parameter, code};
use offstage_sandbox::RunLimits;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What a step did to columns of Target, in the end.
pub(crate) type Columns = BTreeMap<String, ColumnChange>;

impl Session {
    /// Runs `step` and, in playback, reconciles it with what the offline run recorded.
    pub(crate) fn run_step(
        &mut self,
        step: &Arc<Step>,
        recorded: Option<StepRun>,
    ) -> Result<(), Fault> {
        let declaration = &step.declaration;
        let classic = recorded.is_some() && declaration.playback == PlaybackMode::Classic;
        let mut lineage = self.frame().lineage.step(&declaration.key);
        if classic {
            // As in Dynamics 365, the second run knows nothing of the first one.
            lineage = lineage.apart();
        }
        let mut context = step_context(self, step);
        self.add_images(step, &mut context)?;
        let started = self.pipeline.clock().now();
        if let Err(fault) = self.refuse_damaged(step).and_then(|()| self.refuse_suspended(step)) {
            let trace = self.trace_refusal(step, &context, started, &fault);
            return Err(Fault { trace_id: trace, ..fault });
        }
        let plugin = self.registry.plugin(&step.package).expect("BUG: only runnable steps run");
        let violations = self.violations();
        let limits = self.run_limits();
        let user = acting_user(self, step);
        let to_pair = recorded.as_ref().filter(|_| !classic);
        let pipeline = self.pipeline.clone();
        let call = StepCall { step, plugin: &plugin, context: &context, limits: &limits, started };
        let services = StepServices::new(self.lend(), user, lineage, to_pair);
        let (services, run, recording) = pipeline.run_plugin(&call, services);
        let (session, finished) = services.finish();
        self.take_back(session);
        self.note_run(step, &run, violations);

        let result = run.result.as_ref().map_err(|error| error.fault());
        let fault = match (&result, &finished.outcome.nested_fault) {
            (Err(fault), _) => Some(fault.clone()),
            (Ok(_), Some(nested)) if declaration.on_nested_error == OnNestedError::Fail => {
                Some(swallowed(step, nested))
            }
            _ => None,
        };
        let trace = self.trace_step(step, &context, started, &run, fault.as_ref());
        self.capture_step(&call, &run, recording, fault.as_ref());
        if let Some(mut fault) = fault {
            fault.step.get_or_insert_with(|| declaration.key.clone());
            fault.trace_id = fault.trace_id.or(trace);
            return Err(fault);
        }
        let changes = run.result.unwrap_or_default();
        let columns = self.apply(step, changes)?;
        self.finish_step(step, recorded, columns, finished)
    }

    /// Refuses to run a step whose package is damaged in this server's store. Skipped, the rule that
    /// it is there for would be gone. It says nothing about the request, which may succeed later.
    fn refuse_damaged(&self, step: &Step) -> Result<(), Fault> {
        let Some(damage) = self.registry.damage(&step.package) else { return Ok(()) };
        let (package, key) = (&step.package, &step.declaration.key);
        let mut fault = Fault::new(
            code::STORE_UNUSABLE,
            format!(
                "The step '{key}' cannot run, because the plug-in '{package}' is not whole: {}.",
                damage.reason
            ),
        )
        .hint(format!(
            "{} `offstage plugin disable {package}` goes on without its rules.",
            damage.hint
        ));
        fault.step = Some(key.clone());
        Err(fault)
    }

    fn finish_step(
        &mut self,
        step: &Arc<Step>,
        recorded: Option<StepRun>,
        columns: Columns,
        finished: crate::services::FinishedServices,
    ) -> Result<(), Fault> {
        match self.root.origin {
            Origin::Online => Ok(()),
            Origin::Offline => {
                let run = StepRun {
                    key: step.declaration.key.clone(),
                    stage: step.declaration.stage.number(),
                    columns,
                    operations: finished.issued.into_iter().map(|i| i.node).collect(),
                };
                self.frame_mut().node.steps.push(run);
                Ok(())
            }
            Origin::Playback => {
                self.report.steps_run.push(step.declaration.key.clone());
                self.reconcile(step, recorded, &columns, finished)
            }
        }
    }

    fn run_limits(&self) -> RunLimits {
        let left = self.deadline().0.saturating_sub(self.pipeline.clock().now().0);
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        RunLimits { wall_time: left, ..RunLimits::default() }
    }

    /// Applies a plug-in's changes to the context, and says what became of columns of Target.
    fn apply(&mut self, step: &Step, changes: Vec<ContextChange>) -> Result<Columns, Fault> {
        let before_main = step.declaration.stage < Stage::MainOperation;
        let mut columns = Columns::new();
        for mut change in changes {
            if before_main {
                let context = &self.frame().context;
                subject::keep(&step.declaration.key, context, &mut change)?;
                columns.extend(subject::column_changes(context, &change));
            }
            self.apply_change(step, change, before_main)?;
        }
        Ok(columns)
    }

    fn apply_change(
        &mut self,
        step: &Step,
        change: ContextChange,
        before_main: bool,
    ) -> Result<(), Fault> {
        let key = &step.declaration.key;
        let context = &mut self.frame_mut().context;
        match change {
            ContextChange::SetAttribute { parameter, column, value } => {
                let entity = input_entity(&mut context.input_parameters, &parameter)
                    .ok_or_else(|| not_an_entity(key, &parameter))?;
                entity.attributes.insert(column, value);
            }
            ContextChange::RemoveAttribute { parameter, column } => {
                let entity = input_entity(&mut context.input_parameters, &parameter)
                    .ok_or_else(|| not_an_entity(key, &parameter))?;
                entity.attributes.remove(&column);
            }
            ContextChange::SetInput(name, value) if before_main => {
                context.input_parameters.insert(name, value);
            }
            ContextChange::RemoveInput(name) if before_main => {
                context.input_parameters.remove(&name);
            }
            // After the main operation the request has been carried out; it cannot change.
            ContextChange::SetInput(..) | ContextChange::RemoveInput(_) => {}
            ContextChange::SetOutput(name, value) => {
                context.output_parameters.insert(name, value);
            }
            ContextChange::RemoveOutput(name) => {
                context.output_parameters.remove(&name);
            }
            ContextChange::SetSharedVariable(name, _)
            | ContextChange::RemoveSharedVariable(name)
                if name == "tag" => {}
            ContextChange::SetSharedVariable(name, value) => {
                context.shared_variables.insert(name, value);
            }
            ContextChange::RemoveSharedVariable(name) => {
                context.shared_variables.remove(&name);
            }
        }
        Ok(())
    }
}

fn input_entity<'a>(
    parameters: &'a mut offstage_model::ParameterMap,
    name: &str,
) -> Option<&'a mut offstage_model::Entity> {
    match parameters.get_mut(name) {
        Some(Parameter::Entity(entity)) => Some(entity),
        _ => None,
    }
}

fn not_an_entity(step: &str, parameter: &str) -> Fault {
    Fault::new(
        code::ISV_UNEXPECTED,
        format!(
            "The step '{step}' changed columns of the parameter '{parameter}', which is no row."
        ),
    )
}

/// A plug-in went on after a nested request had failed: the whole request fails.
fn swallowed(step: &Step, nested: &Fault) -> Fault {
    Fault::new(
        code::ISV_TRANSACTION_COUNT,
        format!(
            "The step '{}' went on after a request it made had failed: {}",
            step.declaration.key, nested.message
        ),
    )
    .hint("Return the error, or register the step with on_nested_error = \"catch\".")
}
