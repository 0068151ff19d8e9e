//! The door from the engine to its server, and the link that stays within one process.
//!
//! Every call may be repeated. A server that does not answer is the fault
//! [`offstage_model::code::UNREACHABLE`]; nothing is known then about what it did.

use super::service::OutlookService;
use super::wire::{
    DataAnswer, DataRequest, PostAnswer, PostRequest, PrepareRequest, RegisterAnswer,
    RegisterRequest, SpecificAnswer, SpecificRequest, TableCount, TrackRequest,
};
use offstage_model::{Fault, Request, Response, Uuid};
use offstage_pipeline::Caller;

/// What the engine asks of its server.
pub trait CrmLink: Send {
    /// Makes this directory a client, or changes what it is.
    ///
    /// # Errors
    /// As every call: what the server refuses, or that it does not answer.
    fn register(&self, request: &RegisterRequest) -> Result<RegisterAnswer, Fault>;
    /// PrepareSync: works out what changed, as numbers per table.
    ///
    /// # Errors
    /// See [`CrmLink::register`].
    fn prepare(&self, request: &PrepareRequest) -> Result<Vec<TableCount>, Fault>;
    /// GetSyncData: a page of ids and timestamps.
    ///
    /// # Errors
    /// See [`CrmLink::register`].
    fn data(&self, request: &DataRequest) -> Result<DataAnswer, Fault>;
    /// PostSync: acknowledges what the sync cache has.
    ///
    /// # Errors
    /// See [`CrmLink::register`].
    fn post(&self, request: &PostRequest) -> Result<PostAnswer, Fault>;
    /// GetSpecificSyncData: the columns of rows, when they are merged.
    ///
    /// # Errors
    /// See [`CrmLink::register`].
    fn specific(&self, request: &SpecificRequest) -> Result<SpecificAnswer, Fault>;
    /// Tracks a row by hand, or no longer.
    ///
    /// # Errors
    /// See [`CrmLink::register`].
    fn track(&self, request: &TrackRequest) -> Result<(), Fault>;
    /// Runs one request, once: a repeat under the same operation id gets the first answer.
    ///
    /// # Errors
    /// See [`CrmLink::register`].
    fn execute(&self, operation: Uuid, request: &Request) -> Result<Response, Fault>;
}

/// A link to a server in the same process; for tests.
pub struct LocalCrmLink {
    service: OutlookService,
    caller: Caller,
}

impl LocalCrmLink {
    /// A link to `service`, signed in as `caller`.
    #[must_use]
    pub fn new(service: OutlookService, caller: Caller) -> Self {
        Self { service, caller }
    }
}

impl CrmLink for LocalCrmLink {
    fn register(&self, request: &RegisterRequest) -> Result<RegisterAnswer, Fault> {
        self.service.register(&self.caller, request)
    }
    fn prepare(&self, request: &PrepareRequest) -> Result<Vec<TableCount>, Fault> {
        self.service.prepare(&self.caller, request)
    }
    fn data(&self, request: &DataRequest) -> Result<DataAnswer, Fault> {
        self.service.data(&self.caller, request)
    }
    fn post(&self, request: &PostRequest) -> Result<PostAnswer, Fault> {
        self.service.post(&self.caller, request)
    }
    fn specific(&self, request: &SpecificRequest) -> Result<SpecificAnswer, Fault> {
        self.service.specific(&self.caller, request)
    }
    fn track(&self, request: &TrackRequest) -> Result<(), Fault> {
        self.service.track(&self.caller, request)
    }
    fn execute(&self, operation: Uuid, request: &Request) -> Result<Response, Fault> {
        self.service.execute(&self.caller, operation, request)
    }
}
