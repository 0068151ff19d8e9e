//! What one run owns on the host's side, and the host calls of the contract.
//!
//! Each call is counted and checked against the deadline before and after it: fuel hardly notices
//! host calls, and a run must not outlive its request by calling.

use crate::bindings::offstage::plugin::{
    operation, organization, tracing as plugin_tracing, types,
};
use crate::convert::{from_guest, to_guest};
use crate::deadline::Deadline;
use crate::meter::{Meter, Stop};
use crate::run_error::CallClass;
use crate::trace::Trace;
use crate::{ConvertError, RunLimits};
use offstage_model::{
    CapabilityAnswer, CapabilityCall, ExecutionContext, Fault, Request, Response, Timestamp, Uuid,
    code,
};
use std::any::Any;

/// The longest key of [`Services::keyed_guid`], in bytes.
const KEY_BYTES_MAX: usize = 1_024;

/// What a plug-in reaches during one run. It is moved into the run and comes out with the result.
pub trait Services: Send + 'static {
    /// Runs one request through the whole pipeline, nested in the operation that runs the plug-in.
    ///
    /// # Errors
    /// Whatever the request failed with; the plug-in gets code, message and status.
    fn execute(&mut self, request: Request) -> Result<Response, Fault>;

    /// The context `level` operations up: 1 is ParentContext.
    fn parent_context(&mut self, level: u32) -> Option<ExecutionContext>;

    /// IsOfflinePlayback.
    fn is_offline_playback(&mut self) -> bool;

    /// When the operation was made.
    fn now(&mut self) -> Timestamp;

    /// The clock of this machine.
    fn server_now(&mut self) -> Timestamp;

    /// The next derived GUID.
    fn new_guid(&mut self) -> Uuid;

    /// The next derived random number.
    fn random(&mut self) -> u64;

    /// The GUID for the plug-in's own key.
    fn keyed_guid(&mut self, key: &str) -> Uuid;

    /// Files, and HTTP requests that are sent after the commit.
    ///
    /// # Errors
    /// It is not granted, or cannot be done; the plug-in gets code, message and status.
    fn capability(&mut self, call: CapabilityCall) -> Result<CapabilityAnswer, Fault>;
}

/// Services of any type, with the way back to it.
pub(crate) trait ErasedServices: Services {
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl<S: Services> ErasedServices for S {
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// What an instance that waits for its next run talks to: nothing.
struct NoServices;

impl Services for NoServices {
    fn execute(&mut self, _request: Request) -> Result<Response, Fault> {
        Err(Fault::new(code::INTERNAL, "No request runs here."))
    }

    fn parent_context(&mut self, _level: u32) -> Option<ExecutionContext> {
        None
    }

    fn is_offline_playback(&mut self) -> bool {
        false
    }

    fn now(&mut self) -> Timestamp {
        Timestamp(0)
    }

    fn server_now(&mut self) -> Timestamp {
        Timestamp(0)
    }

    fn new_guid(&mut self) -> Uuid {
        Uuid::nil()
    }

    fn random(&mut self) -> u64 {
        0
    }

    fn keyed_guid(&mut self, _key: &str) -> Uuid {
        Uuid::nil()
    }

    fn capability(&mut self, _call: CapabilityCall) -> Result<CapabilityAnswer, Fault> {
        Err(Fault::new(code::INTERNAL, "No request runs here."))
    }
}

/// The data of one run.
pub(crate) struct State {
    pub(crate) services: Box<dyn ErasedServices>,
    pub(crate) meter: Meter,
    pub(crate) trace: Trace,
    pub(crate) deadline: Deadline,
    pub(crate) calls: Calls,
    /// Codes of transient faults that nested requests had in this run.
    pub(crate) transient: Vec<u32>,
}

/// Host calls so far, with their limits.
#[derive(Debug)]
pub(crate) struct Calls {
    organization: Counter,
    operation: Counter,
    capability: Counter,
    trace: Counter,
}

#[derive(Debug)]
struct Counter {
    calls: u32,
    calls_max: u32,
}

impl Calls {
    fn new(limits: &RunLimits) -> Self {
        let counter = |calls_max| Counter { calls: 0, calls_max };
        Self {
            organization: counter(limits.organization_calls),
            operation: counter(limits.operation_calls),
            capability: counter(limits.capability_calls),
            trace: counter(limits.trace_calls),
        }
    }

    /// All calls of the run.
    pub(crate) fn total(&self) -> u64 {
        let counters = [&self.organization, &self.operation, &self.capability, &self.trace];
        counters.map(|counter| u64::from(counter.calls)).iter().sum()
    }

    fn count(&mut self, class: CallClass) -> Result<(), Stop> {
        let counter = match class {
            CallClass::Organization => &mut self.organization,
            CallClass::Operation => &mut self.operation,
            CallClass::Capability => &mut self.capability,
            CallClass::Trace => &mut self.trace,
        };
        if counter.calls >= counter.calls_max {
            return Err(Stop::Calls { class, calls_max: counter.calls_max });
        }
        counter.calls += 1;
        Ok(())
    }
}

impl State {
    pub(crate) fn new(
        services: Box<dyn ErasedServices>,
        limits: &RunLimits,
        deadline: Deadline,
    ) -> Self {
        Self {
            services,
            meter: Meter::new(limits.memory_bytes),
            trace: Trace::new(limits.trace_bytes),
            deadline,
            calls: Calls::new(limits),
            transient: Vec::new(),
        }
    }

    /// What takes the place of a run's data when it has ended: nothing of the run but the memory
    /// that its instance has.
    pub(crate) fn between_runs(last: &Self, deadline: Deadline) -> Self {
        Self {
            services: Box::new(NoServices),
            meter: last.meter.next_run(0),
            trace: Trace::new(0),
            deadline,
            calls: Calls::new(&RunLimits::default()),
            transient: Vec::new(),
        }
    }

    /// Ends the run when its wall time has passed.
    pub(crate) fn check_deadline(&self) -> Result<(), Stop> {
        self.deadline.check()
    }

    pub(crate) fn call<T>(
        &mut self,
        class: CallClass,
        call: impl FnOnce(&mut Self) -> T,
    ) -> wasmtime::Result<T> {
        self.calls.count(class)?;
        self.check_deadline()?;
        let result = call(self);
        self.check_deadline()?;
        Ok(result)
    }

    fn execute_request(&mut self, request: types::Request) -> Result<Response, Fault> {
        let request = from_guest::request(request).map_err(refuse_request)?;
        let result = self.services.execute(request);
        self.note_transient(&result);
        result
    }

    /// Remembers the code of a transient fault, so that the plug-in may pass it on.
    pub(crate) fn note_transient<T>(&mut self, result: &Result<T, Fault>) {
        if let Err(fault) = result
            && fault.is_transient()
            && !self.transient.contains(&fault.code)
        {
            self.transient.push(fault.code);
        }
    }
}

/// A request that the plug-in filled with what no request may hold.
fn refuse_request(error: ConvertError) -> Fault {
    Fault::new(code::INVALID_ARGUMENT, format!("The request is not usable: {error}."))
}

impl types::Host for State {}

impl organization::Host for State {
    fn execute(
        &mut self,
        request: types::Request,
    ) -> wasmtime::Result<Result<Vec<types::NamedParameter>, types::Fault>> {
        self.call(CallClass::Organization, |state| match state.execute_request(request) {
            Ok(response) => Ok(to_guest::parameters(&response.parameters)),
            Err(fault) => Err(to_guest::fault(&fault)),
        })
    }

    fn parent_context(&mut self, level: u32) -> wasmtime::Result<Option<types::Context>> {
        self.call(CallClass::Organization, |state| {
            state.services.parent_context(level).map(|context| to_guest::context(&context))
        })
    }

    fn is_offline_playback(&mut self) -> wasmtime::Result<bool> {
        self.call(CallClass::Organization, |state| state.services.is_offline_playback())
    }
}

impl operation::Host for State {
    fn now(&mut self) -> wasmtime::Result<i64> {
        self.call(CallClass::Operation, |state| state.services.now().0)
    }

    fn server_now(&mut self) -> wasmtime::Result<i64> {
        self.call(CallClass::Operation, |state| state.services.server_now().0)
    }

    fn new_guid(&mut self) -> wasmtime::Result<types::Guid> {
        self.call(CallClass::Operation, |state| to_guest::guid(state.services.new_guid()))
    }

    fn random(&mut self) -> wasmtime::Result<u64> {
        self.call(CallClass::Operation, |state| state.services.random())
    }

    fn keyed_guid(&mut self, key: String) -> wasmtime::Result<types::Guid> {
        self.call(CallClass::Operation, |state| {
            // Longer keys are refused and not shortened: two keys must not become one.
            if key.len() > KEY_BYTES_MAX {
                return Err(wasmtime::Error::msg(format!(
                    "the key of a keyed GUID has {} bytes; at most {KEY_BYTES_MAX} are allowed",
                    key.len()
                )));
            }
            Ok(to_guest::guid(state.services.keyed_guid(&key)))
        })?
    }
}

impl plugin_tracing::Host for State {
    fn trace(&mut self, text: String) -> wasmtime::Result<()> {
        self.call(CallClass::Trace, |state| state.trace.line(&text))
    }
}
