//! The host calls for files and outbound HTTP. They only carry: the services decide.

use crate::bindings::offstage::plugin::{files, http, types};
use crate::convert::{HEADERS_MAX, at_most, to_guest};
use crate::run_error::CallClass;
use crate::state::State;
use offstage_model::{
    CapabilityAnswer, CapabilityCall, Fault, FileEntry, HttpHeader, HttpRequest, Uuid, code,
};

type Answer<T> = wasmtime::Result<Result<T, types::Fault>>;

impl State {
    /// Makes a call of a capability; `take` gets what is expected out of its answer.
    fn capability<T>(
        &mut self,
        call: CapabilityCall,
        take: impl FnOnce(CapabilityAnswer) -> Option<T>,
    ) -> Answer<T> {
        self.call(CallClass::Capability, |state| {
            let result = state.services.capability(call);
            state.note_transient(&result);
            let answer = result.map_err(|fault| to_guest::fault(&fault))?;
            Ok(take(answer).expect("BUG: services answer what they were asked"))
        })
    }
}

fn done(answer: CapabilityAnswer) -> Option<()> {
    matches!(answer, CapabilityAnswer::Done).then_some(())
}

fn contents(answer: CapabilityAnswer) -> Option<Vec<u8>> {
    match answer {
        CapabilityAnswer::Contents(contents) => Some(contents),
        _ => None,
    }
}

fn entries(answer: CapabilityAnswer) -> Option<Vec<files::FileEntry>> {
    let entry = |e: FileEntry| files::FileEntry { name: e.name, size: e.size };
    match answer {
        CapabilityAnswer::Files(list) => Some(list.into_iter().map(entry).collect()),
        _ => None,
    }
}

fn enqueued(answer: CapabilityAnswer) -> Option<Uuid> {
    match answer {
        CapabilityAnswer::Enqueued(id) => Some(id),
        _ => None,
    }
}

impl files::Host for State {
    fn read(&mut self, directory: String, path: String) -> Answer<Vec<u8>> {
        self.capability(CapabilityCall::ReadFile { directory, path }, contents)
    }

    fn write(&mut self, directory: String, path: String, contents: Vec<u8>) -> Answer<()> {
        self.capability(CapabilityCall::WriteFile { directory, path, contents }, done)
    }

    fn remove(&mut self, directory: String, path: String) -> Answer<()> {
        self.capability(CapabilityCall::RemoveFile { directory, path }, done)
    }

    fn list(&mut self, directory: String, path: Option<String>) -> Answer<Vec<files::FileEntry>> {
        self.capability(CapabilityCall::ListFiles { directory, path }, entries)
    }
}

impl http::Host for State {
    fn enqueue(&mut self, request: http::HttpRequest) -> Answer<types::Guid> {
        if let Err(error) = at_most("headers", request.headers.len(), HEADERS_MAX) {
            let fault =
                Fault::new(code::INVALID_ARGUMENT, format!("The request is not usable: {error}."));
            return self.call(CallClass::Capability, |_| Err(to_guest::fault(&fault)));
        }
        let header =
            |h: http::Header| HttpHeader { name: h.name, value: h.value, secret: h.secret };
        let call = CapabilityCall::EnqueueHttp(HttpRequest {
            method: request.method,
            url: request.url,
            headers: request.headers.into_iter().map(header).collect(),
            body: request.body,
        });
        self.capability(call, |answer| enqueued(answer).map(to_guest::guid))
    }
}
