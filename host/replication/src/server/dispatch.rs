//! One door for HTTP: a verb and a body in, a body out. The listener knows nothing of the protocol.

use super::SyncService;
use crate::wire::{BODY_BYTES_MAX, PackageRequest, verb};
use offstage_model::{Fault, code};
use offstage_pipeline::Caller;
use serde::{Serialize, de::DeserializeOwned};

/// The body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its media type.
    pub content_type: &'static str,
    /// Its bytes.
    pub body: Vec<u8>,
}

impl SyncService {
    /// Answers `POST /offstage/v1/sync/<verb>`. A fault is sent as its JSON with
    /// [`Fault::http_status`].
    ///
    /// # Errors
    /// An unknown verb, a body that is too large or not the verb's document, or what the call says.
    pub fn dispatch(&self, caller: &Caller, name: &str, body: &[u8]) -> Result<Answer, Fault> {
        if body.len() > BODY_BYTES_MAX {
            let text = format!("A sync request has at most {BODY_BYTES_MAX} bytes.");
            return Err(Fault::new(code::PAYLOAD_TOO_LARGE, text));
        }
        match name {
            verb::CONNECT => json(&self.connect(caller, &read(name, body)?)?),
            verb::HANDSHAKE => json(&self.handshake(caller, &read(name, body)?)?),
            verb::FILTERS => json(&self.set_filters(caller, &read(name, body)?)?),
            verb::PREPARE => json(&self.prepare(caller, &read(name, body)?)?),
            verb::DATA => json(&self.data(caller, &read(name, body)?)?),
            verb::POST => json(&self.post(caller, &read(name, body)?)?),
            verb::SPECIFIC => json(&self.specific(caller, &read(name, body)?)?),
            verb::PLAYBACK => json(&self.playback(caller, &read(name, body)?)?),
            verb::DIGEST => json(&self.digest(caller, &read(name, body)?)?),
            verb::DIGEST_ROWS => json(&self.digest_rows(caller, &read(name, body)?)?),
            verb::EXECUTE => json(&self.execute(caller, &read(name, body)?)?),
            verb::PACKAGE => {
                let request: PackageRequest = read(name, body)?;
                let body = self.package(caller, &request.sha256)?;
                Ok(Answer { content_type: "application/octet-stream", body })
            }
            other => Err(Fault::new(code::NOT_FOUND, format!("There is no sync call '{other}'."))),
        }
    }
}

fn read<T: DeserializeOwned>(verb: &str, body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        Fault::new(code::INVALID_ARGUMENT, format!("The body of '{verb}' cannot be read: {error}."))
            .hint("Device and server may have different versions; update the older one.")
    })
}

fn json<T: Serialize>(value: &T) -> Result<Answer, Fault> {
    let body = serde_json::to_vec(value).map_err(|error| {
        Fault::new(code::INTERNAL, format!("An answer has no JSON form: {error}."))
    })?;
    Ok(Answer { content_type: "application/json", body })
}
