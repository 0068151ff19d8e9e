//! The services that a plug-in gets while a step runs: the organization service on the same
//! transaction, and values derived from the operation.
//!
//! Here the server's run of a step meets the operations that the offline run recorded: each is
//! paired when it is issued. Never pairs by position.

use crate::guard::Guard;
use crate::http_calls;
use crate::operation::{Issuer, Operation};
use crate::session::{Origin, Session};
use offstage_model::identity::{Fingerprint, Lineage};
use offstage_model::journal::{OperationNode, StepRun};
use offstage_model::request::message;
use offstage_model::{
    CapabilityAnswer, CapabilityCall, ExecutionContext, Fault, HttpRequest, Parameter, Request,
    Response, Timestamp, Uuid, Value, code,
};
use offstage_sandbox::Services;
use std::collections::BTreeMap;

/// The services of one step run.
pub(crate) struct StepServices {
    pub(crate) session: Session,
    pub(crate) guard: Guard,
    user: Uuid,
    lineage: Lineage,
    recorded: Vec<RecordedOperation>,
    issued: Vec<IssuedOperation>,
    occurrences: BTreeMap<Fingerprint, u32>,
    guids: u32,
    randoms: u32,
    pub(crate) outcome: ServicesOutcome,
}

/// A nested operation that the offline run of the step made.
#[derive(Clone, Debug)]
pub(crate) struct RecordedOperation {
    pub(crate) node: OperationNode,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) paired: bool,
}

/// A nested operation that this run of the step made.
#[derive(Clone, Debug)]
pub(crate) struct IssuedOperation {
    pub(crate) node: OperationNode,
    /// The offline run's counterpart.
    pub(crate) pair: Option<usize>,
}

/// What is known when the step has returned.
#[derive(Debug, Default)]
pub(crate) struct ServicesOutcome {
    /// The plug-in asked whether this is a playback.
    pub(crate) read_playback: bool,
    /// The first nested request that failed.
    pub(crate) nested_fault: Option<Fault>,
}

/// Everything of a finished step run but the session.
pub(crate) struct FinishedServices {
    pub(crate) recorded: Vec<RecordedOperation>,
    pub(crate) issued: Vec<IssuedOperation>,
    pub(crate) outcome: ServicesOutcome,
    /// What the plug-in may do, and what it was denied.
    pub(crate) guard: Guard,
}

impl StepServices {
    /// Services for a step of the innermost operation of `session`.
    pub(crate) fn new(
        session: Session,
        guard: Guard,
        user: Uuid,
        lineage: Lineage,
        recorded: Option<&StepRun>,
    ) -> Self {
        let recorded = recorded.map(|run| run.operations.as_slice()).unwrap_or_default();
        let recorded = recorded
            .iter()
            .map(|node| RecordedOperation {
                fingerprint: Fingerprint::of(&node.request),
                node: node.clone(),
                paired: false,
            })
            .collect();
        Self {
            session,
            guard,
            user,
            lineage,
            recorded,
            issued: Vec::new(),
            occurrences: BTreeMap::new(),
            guids: 0,
            randoms: 0,
            outcome: ServicesOutcome::default(),
        }
    }

    /// Gives the session back with what happened.
    pub(crate) fn finish(self) -> (Session, FinishedServices) {
        let Self { session, guard, recorded, issued, outcome, .. } = self;
        (session, FinishedServices { recorded, issued, outcome, guard })
    }

    fn read(&mut self, request: Request) -> Result<Response, Fault> {
        let operation = self.operation(request, self.lineage, 0, None);
        self.session.run(operation).map(|(response, _)| response)
    }

    /// A row with open local changes that is read makes the entry depend on those changes.
    fn note_read(&mut self, request: &Request) {
        if self.session.root.origin != Origin::Offline || request.message != message::RETRIEVE {
            return;
        }
        let Some(id) = request.primary_id() else {
            return;
        };
        let table = request.primary_table();
        if self.session.tx.is_dirty(table, id).unwrap_or(false) {
            self.session.reads.insert((table.to_owned(), id));
        }
    }

    fn write(&mut self, request: Request) -> Result<Response, Fault> {
        let fingerprint = Fingerprint::of(&request);
        let count = self.occurrences.entry(fingerprint).or_default();
        let occurrence = *count;
        *count += 1;
        let lineage = self.lineage.operation(&fingerprint, occurrence);
        let pair = self.recorded.iter().position(|r| {
            !r.paired && r.fingerprint == fingerprint && r.node.occurrence == occurrence
        });
        let recorded = pair.map(|index| {
            self.recorded[index].paired = true;
            self.recorded[index].node.clone()
        });
        let operation = self.operation(request, lineage, occurrence, recorded);
        let result = self.session.run_in_savepoint(operation);
        match result {
            Ok((response, node)) => {
                self.issued.push(IssuedOperation { node, pair });
                Ok(response)
            }
            Err(fault) => {
                // What failed here was not made here: it is free to be dropped or carried over.
                if let Some(index) = pair {
                    self.recorded[index].paired = false;
                }
                Err(fault)
            }
        }
    }

    /// Runs a request that the policy allows, and no other.
    fn guarded(&mut self, mut request: Request) -> Result<Response, Fault> {
        self.guard.require_request(&self.session, &request)?;
        self.guard.fit_page(&self.session, &mut request);
        self.note_read(&request);
        // A read that steps listen to can have effects, and is an operation like any other.
        let plain = request.is_read()
            && !self.session.registry.listens(&request.message, request.primary_table());
        if plain { self.read(request) } else { self.write(request) }
    }

    fn operation(
        &self,
        request: Request,
        lineage: Lineage,
        occurrence: u32,
        recorded: Option<OperationNode>,
    ) -> Operation {
        Operation {
            request,
            lineage,
            depth: self.session.frame().context.depth + 1,
            user: self.user,
            occurrence,
            cascade: None,
            recorded,
            issuer: Some(Issuer::of(self.guard.step())),
        }
    }

    fn enqueue_http(&mut self, http: &HttpRequest) -> Result<CapabilityAnswer, Fault> {
        http_calls::require(&mut self.guard, &self.session, http)?;
        let response = self.write(http_calls::enqueue_request(http))?;
        match response.parameters.get(http_calls::KEY) {
            Some(Parameter::Value(Value::Guid(id))) => Ok(CapabilityAnswer::Enqueued(*id)),
            other => unreachable!("BUG: the main operation sets the key, not {other:?}"),
        }
    }

    /// A plug-in that goes on after this fails must not commit: the effect would be missing.
    fn note_failure<T>(&mut self, result: &Result<T, Fault>) {
        if let Err(fault) = result
            && self.outcome.nested_fault.is_none()
        {
            self.outcome.nested_fault = Some(fault.clone());
        }
    }
}

impl Services for StepServices {
    fn execute(&mut self, request: Request) -> Result<Response, Fault> {
        if request.message == message::ENQUEUE_HTTP {
            // Its own interface makes it; here it would go around the checks of that.
            let text = format!("The message '{}' does not exist.", request.message);
            return Err(Fault::new(code::UNKNOWN_MESSAGE, text));
        }
        let result = self.guarded(request);
        self.note_failure(&result);
        result
    }

    fn capability(&mut self, call: CapabilityCall) -> Result<CapabilityAnswer, Fault> {
        let (result, changes) = match call {
            CapabilityCall::ReadFile { directory, path } => {
                (self.read_file(&directory, &path), false)
            }
            CapabilityCall::ListFiles { directory, path } => {
                (self.list_files(&directory, path.as_deref()), false)
            }
            CapabilityCall::WriteFile { directory, path, contents } => {
                (self.write_file(&directory, &path, contents), true)
            }
            CapabilityCall::RemoveFile { directory, path } => {
                (self.remove_file(&directory, &path), true)
            }
            CapabilityCall::EnqueueHttp(http) => (self.enqueue_http(&http), true),
        };
        // A file that is not there is an answer; a denial, or a change that is not made, is not.
        let denied = result.as_ref().is_err_and(|fault| fault.code == code::PRIVILEGE_DENIED);
        if changes || denied {
            self.note_failure(&result);
        }
        result
    }

    fn parent_context(&mut self, level: u32) -> Option<ExecutionContext> {
        // Innermost first: stage 10 of this operation, then the operation that led to it, and so on.
        let mut contexts = Vec::new();
        for (above, frame) in self.session.frames.iter().rev().enumerate() {
            if above > 0 {
                contexts.push(&frame.context);
            }
            contexts.extend(frame.validation.as_deref());
        }
        let index = usize::try_from(level).ok()?.checked_sub(1)?;
        contexts.get(index).map(|&context| context.clone())
    }

    fn is_offline_playback(&mut self) -> bool {
        self.outcome.read_playback = true;
        self.session.root.origin == Origin::Playback
    }

    fn now(&mut self) -> Timestamp {
        self.session.root.created_on
    }

    fn server_now(&mut self) -> Timestamp {
        self.session.pipeline.clock().now()
    }

    fn new_guid(&mut self) -> Uuid {
        self.guids += 1;
        self.lineage.guid(self.guids)
    }

    fn random(&mut self) -> u64 {
        self.randoms += 1;
        self.lineage.random(self.randoms)
    }

    fn keyed_guid(&mut self, key: &str) -> Uuid {
        self.lineage.keyed_guid(key)
    }
}
