//! The Outlook engine's way to the server: over the device's own link and sign-in.
//!
//! Never decides what an answer means.

use offstage_model::{Fault, Request, Response, Uuid, code};
use offstage_outlook::crm::CrmLink;
use offstage_outlook::crm::wire::{
    DataAnswer, DataRequest, PATH, PostAnswer, PostRequest, PrepareRequest, RegisterAnswer,
    RegisterRequest, SpecificAnswer, SpecificRequest, TableCount, TrackRequest, verb,
};
use offstage_replication::wire::ExecuteRequest;
use offstage_replication::{DeviceState, ServerLink};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;

/// The link of a device's engine.
pub(crate) struct OutlookLink {
    /// The device's link.
    pub(crate) link: Arc<dyn ServerLink>,
    /// What the device is now; the engine works while it is online.
    pub(crate) state: Option<DeviceState>,
}

impl OutlookLink {
    fn call<Q: Serialize, A: DeserializeOwned>(&self, verb: &str, request: &Q) -> Result<A, Fault> {
        self.online()?;
        let body = serde_json::to_vec(request).map_err(|error| {
            Fault::new(code::INTERNAL, format!("The request '{verb}' has no JSON form: {error}."))
        })?;
        let bytes = self.link.carry(&format!("{PATH}{verb}"), &body)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            tracing::warn!(verb, %error, "the server's answer could not be read");
            Fault::new(code::INTERNAL, format!("The server's answer to '{verb}' cannot be read."))
                .hint("Client and server may have different versions; update the older one.")
        })
    }

    /// Changes wait while the device is offline; what is played back later reaches Outlook then.
    fn online(&self) -> Result<(), Fault> {
        if self.state == Some(DeviceState::Online) {
            return Ok(());
        }
        Err(Fault::new(code::UNREACHABLE, "The device is not online; Outlook waits.")
            .hint("`offstage go-online` plays the journal back; the next sync catches up."))
    }
}

impl CrmLink for OutlookLink {
    fn register(&self, request: &RegisterRequest) -> Result<RegisterAnswer, Fault> {
        self.call(verb::REGISTER, request)
    }
    fn prepare(&self, request: &PrepareRequest) -> Result<Vec<TableCount>, Fault> {
        self.call(verb::PREPARE, request)
    }
    fn data(&self, request: &DataRequest) -> Result<DataAnswer, Fault> {
        self.call(verb::DATA, request)
    }
    fn post(&self, request: &PostRequest) -> Result<PostAnswer, Fault> {
        self.call(verb::POST, request)
    }
    fn specific(&self, request: &SpecificRequest) -> Result<SpecificAnswer, Fault> {
        self.call(verb::SPECIFIC, request)
    }
    fn track(&self, request: &TrackRequest) -> Result<(), Fault> {
        self.call(verb::TRACK, request)
    }
    fn execute(&self, operation: Uuid, request: &Request) -> Result<Response, Fault> {
        self.online()?;
        let request = request.clone();
        let tag = Some("outlook".to_owned());
        self.link.execute(&ExecuteRequest { operation, request, tag, lookup: false })
    }
}
