//! Captures of step runs: which ones are taken, and keeping them within their bounds.
//!
//! Like trace rows they survive the rollback of their request. Never captures anything unless it was
//! asked for; then a run costs what writing its calls down costs.

use crate::root::Pipeline;
use crate::services::StepServices;
use crate::session::{Origin, Session};
use offstage_model::registration::Step;
use offstage_model::{ExecutionContext, Fault, Timestamp};
use offstage_sandbox::capture::{Capture, CaptureHead, Place, Recorder, Recording};
use offstage_sandbox::{Plugin, Run, RunLimits};
use offstage_store::{CaptureRow, StoreError, Tx};
use serde::{Deserialize, Serialize};

/// The most bytes of captures that one root operation keeps until it ends; what is exported of it
/// stays within what an import reads.
const ROOT_BYTES_MAX: usize = 24 << 20;
/// The largest single document; calls are bounded already, and a context may be large too.
const DOCUMENT_BYTES_MAX: usize = 8 << 20;

/// Which runs are captured, and how many captures are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapturePolicy {
    /// Which runs.
    pub mode: CaptureMode,
    /// The most captures that are kept. Default 200.
    pub count_max: usize,
    /// The most bytes that they may have together. Default 64 MiB.
    pub bytes_max: u64,
}

/// Which runs are captured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaptureMode {
    /// None.
    #[default]
    Off,
    /// Those that failed.
    OnError,
    /// Every one.
    All,
    /// Those of these steps, by key.
    Steps(Vec<String>),
}

impl Default for CapturePolicy {
    fn default() -> Self {
        Self { mode: CaptureMode::Off, count_max: 200, bytes_max: 64 << 20 }
    }
}

impl CaptureMode {
    /// Whether the calls of a run of this step must be written down.
    fn records(&self, step: &str) -> bool {
        match self {
            Self::Off => false,
            Self::OnError | Self::All => true,
            Self::Steps(keys) => keys.iter().any(|key| key == step),
        }
    }

    /// Whether a recorded run is kept.
    fn keeps(&self, failed: bool) -> bool {
        failed || *self != Self::OnError
    }
}

/// A capture that waits for the end of its root operation.
pub(crate) struct PendingCapture {
    row: CaptureRow,
    document: Vec<u8>,
}

/// Everything that one run of a step is given.
pub(crate) struct StepCall<'a> {
    pub(crate) step: &'a Step,
    pub(crate) plugin: &'a Plugin,
    pub(crate) context: &'a ExecutionContext,
    pub(crate) limits: &'a RunLimits,
    pub(crate) started: Timestamp,
}

impl Pipeline {
    /// Runs a plug-in, and writes its calls down if the policy asks for that.
    pub(crate) fn run_plugin(
        &self,
        call: &StepCall<'_>,
        services: StepServices,
    ) -> (StepServices, Run, Option<Recording>) {
        let sandbox = self.sandbox();
        let name = &call.step.plugin_type;
        if !self.with_capture_policy(|policy| policy.mode.records(&call.step.declaration.key)) {
            let (services, run) =
                sandbox.run(call.plugin, name, call.context, call.limits, services);
            return (services, run, None);
        }
        let recorder = Recorder::new(services, call.context);
        // An instance that served other runs starts from what they left, and a replay cannot.
        let limits = RunLimits { instance_runs: 1, ..call.limits.clone() };
        let (recorder, run) = sandbox.run(call.plugin, name, call.context, &limits, recorder);
        let (services, recording) = recorder.finish();
        (services, run, Some(recording))
    }

    /// Adds captures from a file; returns how many were not here yet.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn import_captures(&self, captures: &[Capture]) -> Result<usize, Fault> {
        let mut tx = self.store().write()?;
        let mut added = 0;
        for capture in captures {
            let document = capture.freeze();
            let row = capture_row(capture, capture.failed(), true, document.len());
            added += usize::from(tx.put_capture(&row, &document)?);
        }
        let (count_max, bytes_max) =
            self.with_capture_policy(|policy| (policy.count_max, policy.bytes_max));
        tx.prune_captures(count_max, bytes_max)?;
        tx.commit()?;
        Ok(added)
    }

    /// Writes captures and removes the oldest beyond the policy's bounds.
    pub(crate) fn put_captures(
        &self,
        tx: &mut Tx,
        captures: &[PendingCapture],
    ) -> Result<(), StoreError> {
        if captures.is_empty() {
            return Ok(());
        }
        for capture in captures {
            tx.put_capture(&capture.row, &capture.document)?;
        }
        let (count_max, bytes_max) =
            self.with_capture_policy(|policy| (policy.count_max, policy.bytes_max));
        tx.prune_captures(count_max, bytes_max)?;
        Ok(())
    }
}

impl Session {
    /// Keeps the capture of a run that ended, if the policy asks for it.
    pub(crate) fn capture_step(
        &mut self,
        call: &StepCall<'_>,
        run: &Run,
        recording: Option<Recording>,
        fault: Option<&Fault>,
    ) {
        let keeps = self.pipeline.with_capture_policy(|policy| policy.mode.keeps(fault.is_some()));
        let Some(recording) = recording.filter(|_| keeps) else {
            return;
        };
        let place = match self.root.origin {
            Origin::Online => Place::Online,
            Origin::Offline => Place::Offline,
            Origin::Playback => Place::Playback,
        };
        let head = CaptureHead {
            id: self.pipeline.random().guid(),
            time: call.started,
            place,
            package: call.step.package.clone(),
            sha256: call.plugin.sha256(),
            plugin_type: call.step.plugin_type.clone(),
        };
        let capture = Capture::new(head, call.limits, call.context, recording, run);
        let document = capture.freeze();
        let waiting: usize = self.captures.iter().map(|capture| capture.document.len()).sum();
        if document.len() > DOCUMENT_BYTES_MAX || waiting + document.len() > ROOT_BYTES_MAX {
            let (step, bytes) = (&call.step.declaration.key, document.len());
            tracing::warn!(
                step,
                bytes,
                "a capture is too large, or there are too many in one request; it is not kept"
            );
            return;
        }
        let row = capture_row(&capture, fault.is_some(), false, document.len());
        self.captures.push(PendingCapture { row, document });
    }
}

/// What the store needs to find a capture.
fn capture_row(capture: &Capture, failed: bool, imported: bool, bytes: usize) -> CaptureRow {
    CaptureRow {
        id: capture.id,
        time: capture.time,
        step: capture.context.step_key.clone(),
        place: capture.place.text().to_owned(),
        operation: capture.operation(),
        package: capture.package.clone(),
        failed,
        imported,
        bytes: bytes as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_decides_what_is_recorded_and_what_is_kept() {
        let steps = CaptureMode::Steps(vec!["a".into()]);
        // Mode, step, recorded, kept when it worked, kept when it failed.
        let cases = [
            (CaptureMode::Off, "a", false, true, true),
            (CaptureMode::OnError, "a", true, false, true),
            (CaptureMode::All, "a", true, true, true),
            (steps.clone(), "a", true, true, true),
            (steps, "b", false, true, true),
        ];
        for (mode, step, records, good, failed) in cases {
            assert_eq!(mode.records(step), records, "{mode:?} {step}");
            assert_eq!((mode.keeps(false), mode.keeps(true)), (good, failed), "{mode:?}");
        }
    }
}
