//! The door from a device to its server, and the link that stays within one process.
//!
//! Every call may be repeated: the server answers a repeat as it answered the first time.

use crate::server::SyncService;
use crate::wire::{
    ConnectAnswer, ConnectRequest, DataRequest, DigestRequest, DigestRowsRequest, ExecuteRequest,
    FiltersRequest, HandshakeAnswer, HandshakeRequest, PlaybackAnswer, PlaybackRequest, PostAnswer,
    PostRequest, PrepareAnswer, PrepareRequest, RowDigest, SpecificAnswer, SpecificRequest,
    SyncPage, TableDigest,
};
use offstage_model::{Fault, Response, code};
use offstage_pipeline::Caller;

/// What a device asks of its server. A server that does not answer is the fault
/// [`offstage_model::code::UNREACHABLE`]; nothing is known then about what it did.
pub trait ServerLink: Send + Sync {
    /// Makes the directory a device of the signed-in user.
    ///
    /// # Errors
    /// As every call: what the server refuses, or that it does not answer.
    fn connect(&self, request: &ConnectRequest) -> Result<ConnectAnswer, Fault>;
    /// Compares versions, clocks, plug-ins and rights.
    ///
    /// # Errors
    /// See [`ServerLink::connect`].
    fn handshake(&self, request: &HandshakeRequest) -> Result<HandshakeAnswer, Fault>;
    /// Sets what the device takes offline.
    ///
    /// # Errors
    /// See [`ServerLink::connect`].
    fn set_filters(&self, request: &FiltersRequest) -> Result<(), Fault>;
    /// Finds out what the device lacks.
    ///
    /// # Errors
    /// See [`ServerLink::connect`].
    fn prepare(&self, request: &PrepareRequest) -> Result<PrepareAnswer, Fault>;
    /// Fetches a page of what was prepared.
    ///
    /// # Errors
    /// See [`ServerLink::connect`].
    fn data(&self, request: &DataRequest) -> Result<SyncPage, Fault>;
    /// Acknowledges what was applied.
    ///
    /// # Errors
    /// See [`ServerLink::connect`].
    fn post(&self, request: &PostRequest) -> Result<PostAnswer, Fault>;
    /// Fetches named rows.
    ///
    /// # Errors
    /// See [`ServerLink::connect`].
    fn specific(&self, request: &SpecificRequest) -> Result<SpecificAnswer, Fault>;
    /// Plays journal entries.
    ///
    /// # Errors
    /// See [`ServerLink::connect`].
    fn playback(&self, request: &PlaybackRequest) -> Result<PlaybackAnswer, Fault>;
    /// Digests of the tables of the subscription.
    ///
    /// # Errors
    /// See [`ServerLink::connect`].
    fn digest(&self, request: &DigestRequest) -> Result<Vec<TableDigest>, Fault>;
    /// Digests of the rows of one table.
    ///
    /// # Errors
    /// See [`ServerLink::connect`].
    fn digest_rows(&self, request: &DigestRowsRequest) -> Result<Vec<RowDigest>, Fault>;
    /// The bytes of one package, by SHA-256 in hex. The caller checks them.
    ///
    /// # Errors
    /// See [`ServerLink::connect`].
    fn package(&self, sha256: &str) -> Result<Vec<u8>, Fault>;
    /// Runs one request online.
    ///
    /// # Errors
    /// See [`ServerLink::connect`].
    fn execute(&self, request: &ExecuteRequest) -> Result<Response, Fault>;
    /// A call of another part of the server, by its path. It is carried and not understood here; it
    /// must be safe to repeat.
    ///
    /// # Errors
    /// See [`ServerLink::connect`]; a link that carries nothing else says so.
    fn carry(&self, path: &str, _body: &[u8]) -> Result<Vec<u8>, Fault> {
        let text = format!("This link does not carry calls of '{path}'.");
        Err(Fault::new(code::NOT_AVAILABLE, text))
    }
}

/// A link to a server in the same process; for the demo and for tests.
pub struct LocalLink {
    service: SyncService,
    caller: Caller,
}

impl LocalLink {
    /// A link to `service`, signed in as `caller`.
    #[must_use]
    pub fn new(service: SyncService, caller: Caller) -> Self {
        Self { service, caller }
    }
}

impl ServerLink for LocalLink {
    fn connect(&self, request: &ConnectRequest) -> Result<ConnectAnswer, Fault> {
        self.service.connect(&self.caller, request)
    }
    fn handshake(&self, request: &HandshakeRequest) -> Result<HandshakeAnswer, Fault> {
        self.service.handshake(&self.caller, request)
    }
    fn set_filters(&self, request: &FiltersRequest) -> Result<(), Fault> {
        self.service.set_filters(&self.caller, request)
    }
    fn prepare(&self, request: &PrepareRequest) -> Result<PrepareAnswer, Fault> {
        self.service.prepare(&self.caller, request)
    }
    fn data(&self, request: &DataRequest) -> Result<SyncPage, Fault> {
        self.service.data(&self.caller, request)
    }
    fn post(&self, request: &PostRequest) -> Result<PostAnswer, Fault> {
        self.service.post(&self.caller, request)
    }
    fn specific(&self, request: &SpecificRequest) -> Result<SpecificAnswer, Fault> {
        self.service.specific(&self.caller, request)
    }
    fn playback(&self, request: &PlaybackRequest) -> Result<PlaybackAnswer, Fault> {
        self.service.playback(&self.caller, request)
    }
    fn digest(&self, request: &DigestRequest) -> Result<Vec<TableDigest>, Fault> {
        self.service.digest(&self.caller, request)
    }
    fn digest_rows(&self, request: &DigestRowsRequest) -> Result<Vec<RowDigest>, Fault> {
        self.service.digest_rows(&self.caller, request)
    }
    fn package(&self, sha256: &str) -> Result<Vec<u8>, Fault> {
        self.service.package(&self.caller, sha256)
    }
    fn execute(&self, request: &ExecuteRequest) -> Result<Response, Fault> {
        self.service.execute(&self.caller, request)
    }
}
