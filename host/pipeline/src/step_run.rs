//! Runs one step: gives the plug-in its context, takes back what it changed, traces it.
//!
//! Never decides whether a step runs; `stages` does.

use crate::capture::StepCall;
use crate::context::{acting_user, step_context};
use crate::guard::Guard;
use crate::options::Side;
use crate::services::StepServices;
use crate::session::{Origin, Session};
use crate::subject;
use offstage_model::journal::{ColumnChange, StepRun};
use offstage_model::registration::{OnNestedError, PlaybackMode, Stage, Step};
use offstage_model::{ContextChange, Fault, Parameter, code};
use std::collections::BTreeMap;
use std::sync::Arc;

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
        let started = self.pipeline.clock().now();
        let admitted = self
            .refuse_damaged(step)
            .and_then(|()| self.refuse_suspended(step))
            .and_then(|()| self.guard(step).map_err(|fault| of_step(fault, step)));
        let guard = match admitted {
            Ok(guard) => guard,
            Err(fault) => {
                let trace = self.trace_refusal(step, &context, started, &fault);
                return Err(Fault { trace_id: trace, ..fault });
            }
        };
        self.add_images(step, &mut context)?;
        let plugin = self.registry.plugin(&step.package).expect("BUG: only runnable steps run");
        let violations = self.violations();
        let limits = self.run_limits(guard.permissions());
        let user = acting_user(self, step);
        let to_pair = recorded.as_ref().filter(|_| !classic);
        let pipeline = self.pipeline.clone();
        let call = StepCall { step, plugin: &plugin, context: &context, limits: &limits, started };
        let services = StepServices::new(self.lend(), guard, user, lineage, to_pair);
        let (services, mut run, recording) = pipeline.run_plugin(&call, services);
        let (session, mut finished) = services.finish();
        self.take_back(session);
        self.note_run(step, &run, violations);
        let held = match &run.result {
            Ok(changes) => self.guard_changes(step, changes, &mut finished),
            Err(error) => Err(error.fault()),
        };
        let fault = match (&held, &finished.outcome.nested_fault) {
            (Err(fault), nested) => Some(with_hint(fault.clone(), nested.as_ref())),
            (Ok(_), Some(nested)) if declaration.on_nested_error == OnNestedError::Fail => {
                Some(swallowed(step, nested))
            }
            _ => None,
        };
        self.capture_step(&call, &run, recording, fault.as_ref());
        for capability in finished.guard.denied() {
            run.trace.push_str(&format!("\n[host] the policy denied {capability}"));
        }
        let trace = self.trace_step(step, &context, started, &run, fault.as_ref());
        if let Some(mut fault) = fault {
            fault.trace_id = fault.trace_id.or(trace);
            return Err(of_step(fault, step));
        }
        let columns = self.apply(step, run.result.unwrap_or_default())?;
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

    /// What holds the plug-in to its permissions; refuses a step that goes beyond them by itself.
    fn guard(&self, step: &Arc<Step>) -> Result<Guard, Fault> {
        let permissions = self.registry.permissions(&step.package);
        let permissions = permissions.expect("BUG: a runnable package has permissions");
        let mut guard = Guard::new(step, permissions);
        guard.require_step(self, self.pipeline.side() == Side::Server)?;
        Ok(guard)
    }

    /// Refuses changes that the plug-in may not make.
    fn guard_changes(
        &self,
        step: &Step,
        changes: &[ContextChange],
        finished: &mut crate::services::FinishedServices,
    ) -> Result<(), Fault> {
        // After the main operation nothing that a plug-in changes reaches a row.
        if step.declaration.stage < Stage::MainOperation {
            for change in changes {
                finished.guard.require_change(self, change)?;
            }
        }
        Ok(())
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

/// Names the step in a fault that has no step yet.
fn of_step(mut fault: Fault, step: &Step) -> Fault {
    fault.step.get_or_insert_with(|| step.declaration.key.clone());
    fault
}

/// A plug-in hands a fault on as code and text; the hint for the operator is the host's.
fn with_hint(fault: Fault, nested: Option<&Fault>) -> Fault {
    let is_same = |nested: &&Fault| {
        let is_denial = fault.code == code::PRIVILEGE_DENIED;
        nested.code == fault.code && (is_denial || nested.message == fault.message)
    };
    match nested.filter(is_same).and_then(|nested| nested.hint.clone()) {
        Some(hint) if fault.hint.is_none() => fault.hint(hint),
        _ => fault,
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
