//! The state of one root operation while it runs: its transaction, its frames and what it records.
//!
//! A session is lent to a plug-in while that runs and comes back with it, so that nested requests
//! work on the same transaction without locks. Never commits; `root` and replication do.

use crate::caller::Caller;
use crate::capture::PendingCapture;
use crate::operation::Issuer;
use crate::playback::DeviceClock;
use crate::registry::Registry;
use crate::root::Pipeline;
use crate::suspension::{Health, RunEvent};
use offstage_model::identity::Lineage;
use offstage_model::journal::{OperationNode, ReconciliationReport, RowEffect};
use offstage_model::{Catalog, Entity, ExecutionContext, Fault, Timestamp, Uuid, code};
use offstage_store::{TraceRow, Tx, WriteStamp};
use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

/// Where a root operation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A caller of the server.
    Online,
    /// A caller of a device that is offline.
    Offline,
    /// A journal entry that is played back.
    Playback,
}

/// What is the same for all operations below one root.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    pub(crate) operation: Uuid,
    pub(crate) created_on: Timestamp,
    pub(crate) correlation: Uuid,
    pub(crate) request: Uuid,
    pub(crate) caller: Caller,
    pub(crate) origin: Origin,
    pub(crate) tag: Option<String>,
    pub(crate) stamp: WriteStamp,
    /// The epoch of the entry that is played; 0 for every other writer.
    pub(crate) epoch: u64,
    /// Of the device whose entry is played.
    pub(crate) clock: DeviceClock,
    pub(crate) deadline: Timestamp,
    /// How long a debugger had held the process before; what it adds moves the deadline.
    pub(crate) held_before: Duration,
}

/// One operation that is running.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) context: ExecutionContext,
    pub(crate) lineage: Lineage,
    /// What is recorded of this run.
    pub(crate) node: OperationNode,
    /// What the offline run recorded, when this is its second run.
    pub(crate) recorded: Option<OperationNode>,
    /// The step that issued it.
    pub(crate) issuer: Option<Issuer>,
    /// The row before the main operation, once somebody asked for it.
    pub(crate) pre_row: Option<Entity>,
    /// The row after the main operation, once somebody asked for it.
    pub(crate) post_row: Option<Entity>,
    /// The context as stage 10 left it, for ParentContext of stages 20 and 40.
    pub(crate) validation: Option<Box<ExecutionContext>>,
    /// Keys of the steps that were dealt with.
    pub(crate) settled: BTreeSet<String>,
}

impl Frame {
    /// The entity in parameter `Target`.
    pub(crate) fn target_mut(&mut self) -> Option<&mut Entity> {
        use offstage_model::{Parameter, request::parameter};
        match self.context.input_parameters.get_mut(parameter::TARGET) {
            Some(Parameter::Entity(entity)) => Some(entity),
            _ => None,
        }
    }

    /// The entity in parameter `Target`.
    pub(crate) fn target(&self) -> Option<&Entity> {
        use offstage_model::{Parameter, request::parameter};
        match self.context.input_parameters.get(parameter::TARGET) {
            Some(Parameter::Entity(entity)) => Some(entity),
            _ => None,
        }
    }
}

/// The parts of a session.
pub(crate) struct SessionState {
    pub(crate) pipeline: Pipeline,
    pub(crate) tx: Tx,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) root: Root,
    pub(crate) frames: Vec<Frame>,
    pub(crate) traces: Vec<TraceRow>,
    pub(crate) captures: Vec<PendingCapture>,
    pub(crate) touched: BTreeSet<(String, Uuid)>,
    pub(crate) reads: BTreeSet<(String, Uuid)>,
    /// Packages that do not run here, and would have.
    pub(crate) skipped: BTreeSet<String>,
    pub(crate) report: ReconciliationReport,
    pub(crate) operations: u32,
    /// Packages with violations, as of the beginning.
    pub(crate) health: Arc<Health>,
    /// Whether a plug-in changes files when this commits.
    pub(crate) has_file_effects: bool,
    /// How runs went, for the count of violations.
    pub(crate) run_events: Vec<RunEvent>,
}

/// A session; empty while it is lent to a plug-in.
pub(crate) struct Session(Option<Box<SessionState>>);

impl Session {
    pub(crate) fn new(state: SessionState) -> Self {
        Self(Some(Box::new(state)))
    }

    /// Moves the session out, to be given back with [`Session::take_back`].
    pub(crate) fn lend(&mut self) -> Self {
        Self(self.0.take())
    }

    /// Takes back what was lent.
    pub(crate) fn take_back(&mut self, lent: Self) {
        self.0 = lent.0;
    }

    /// The parts, when all is done.
    pub(crate) fn into_state(mut self) -> SessionState {
        *self.0.take().expect("BUG: a session ends only after every plug-in gave it back")
    }

    /// The innermost running operation.
    pub(crate) fn frame(&self) -> &Frame {
        self.frames.last().expect("BUG: an operation is running")
    }

    /// The innermost running operation.
    pub(crate) fn frame_mut(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("BUG: an operation is running")
    }

    /// Notes a change of a row, for the journal and for the outcome.
    pub(crate) fn record_effect(&mut self, effect: RowEffect) {
        self.touched.insert((effect.table.clone(), effect.id));
        if self.root.origin == Origin::Offline {
            self.frame_mut().node.effects.push(effect);
        }
    }

    /// When the root operation must be over. Time in which a debugger held the process does not
    /// count.
    pub(crate) fn deadline(&self) -> Timestamp {
        let held = self.pipeline.sandbox().held().saturating_sub(self.root.held_before);
        self.root.deadline.plus_ms(i64::try_from(held.as_millis()).unwrap_or(i64::MAX))
    }

    /// Counts an operation against the limits of the root.
    pub(crate) fn count_operation(&mut self) -> Result<(), Fault> {
        self.operations += 1;
        let operations_max = self.pipeline.limits().operations_max;
        if self.operations > operations_max {
            return Err(Fault::new(
                code::TOO_LARGE_A_REQUEST,
                format!("The request led to more than {operations_max} operations."),
            )
            .hint("Split the work into several requests."));
        }
        if self.pipeline.clock().now() > self.deadline() {
            let seconds = self.pipeline.limits().message_time_max.as_secs();
            return Err(Fault::new(
                code::PLUGIN_TIMEOUT,
                format!("The request took longer than {seconds} s with all its plug-ins."),
            )
            .timed_out());
        }
        Ok(())
    }
}

impl Deref for Session {
    type Target = SessionState;

    fn deref(&self) -> &SessionState {
        self.0.as_deref().expect("BUG: the session is lent to a plug-in")
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut SessionState {
        self.0.as_deref_mut().expect("BUG: the session is lent to a plug-in")
    }
}
