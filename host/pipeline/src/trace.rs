//! Trace rows: one per step run, kept even when the request is rolled back (`pipeline.md`, "Trace
//! log"). Never shows a trace to a plug-in.

use crate::context::step_context;
use crate::registry::SkippedPackage;
use crate::session::{Origin, Session};
use offstage_model::registration::Step;
use offstage_model::{ExecutionContext, Fault, Timestamp, Uuid};
use offstage_sandbox::{Run, Usage};
use offstage_store::TraceRow;
use serde::{Deserialize, Serialize};

/// Which step runs are traced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TraceLevel {
    /// None.
    Off,
    /// Those that failed.
    #[default]
    Exceptions,
    /// Every one.
    All,
}

impl Session {
    /// Keeps a trace row of a step that could not run; returns its id when the level asks for one.
    pub(crate) fn trace_refusal(
        &mut self,
        step: &Step,
        context: &ExecutionContext,
        started: Timestamp,
        fault: &Fault,
    ) -> Option<Uuid> {
        if self.pipeline.trace_level() == TraceLevel::Off {
            return None;
        }
        let exception = Some(fault.to_string());
        Some(self.push_trace(step, context, started, (String::new(), exception), Usage::default()))
    }

    /// Keeps a trace row of a step that did not run because its package does not run here.
    pub(crate) fn trace_skip(&mut self, step: &Step, skip: &SkippedPackage, is_disabled: bool) {
        let wanted = match self.pipeline.trace_level() {
            TraceLevel::Off => false,
            TraceLevel::Exceptions => !is_disabled,
            TraceLevel::All => true,
        };
        if !wanted {
            return;
        }
        let SkippedPackage { package, reason, hint, .. } = skip;
        let text = format!(
            "[host] the step was skipped, because the plug-in '{package}' does not run here: {reason}. {hint}"
        );
        let context = step_context(self, step);
        let started = self.pipeline.clock().now();
        self.push_trace(step, &context, started, (text, None), Usage::default());
    }

    /// Keeps a trace row of a step run; returns its id when the level asks for one.
    pub(crate) fn trace_step(
        &mut self,
        step: &Step,
        context: &ExecutionContext,
        started: Timestamp,
        run: &Run,
        fault: Option<&Fault>,
    ) -> Option<Uuid> {
        let wanted = match self.pipeline.trace_level() {
            TraceLevel::Off => false,
            TraceLevel::Exceptions => fault.is_some(),
            TraceLevel::All => true,
        };
        if !wanted {
            return None;
        }
        let mut text = run.trace.clone();
        let warning = self.pipeline.limits().step_warning;
        if u128::from(run.usage.duration_us) > warning.as_micros() {
            text.push_str(&format!("\nThe step took longer than {} s.", warning.as_secs()));
        }
        // The details stay here; the caller only gets the fault.
        let exception = fault.map(|fault| match &run.result {
            Err(error) => format!("{fault}: {error}"),
            Ok(_) => fault.to_string(),
        });
        Some(self.push_trace(step, context, started, (text, exception), run.usage))
    }

    fn push_trace(
        &mut self,
        step: &Step,
        context: &ExecutionContext,
        started: Timestamp,
        (text, exception): (String, Option<String>),
        usage: Usage,
    ) -> Uuid {
        let id = self.pipeline.random().guid();
        let origin = self.root.origin;
        self.traces.push(TraceRow {
            id,
            time: started,
            typename: step.plugin_type.clone(),
            message: context.message_name.clone(),
            table: context.primary_entity_name.clone(),
            row: (!context.primary_entity_id.is_nil()).then_some(context.primary_entity_id),
            stage: context.stage,
            mode: context.mode,
            depth: context.depth,
            correlation: context.correlation_id,
            request: context.request_id,
            operation: context.operation_id,
            step: step.declaration.key.clone(),
            trace: text,
            exception,
            duration_us: usage.duration_us,
            fuel: usage.fuel,
            memory: usage.memory_bytes_peak,
            offline: origin == Origin::Offline,
            playback: origin == Origin::Playback,
        });
        id
    }
}
