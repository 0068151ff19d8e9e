//! `POST /offstage/v1/sync/<verb>`: JSON in, one call of the sync service, JSON out.
//!
//! Never interprets what passes. A fault goes out as its whole model JSON, because the device
//! keeps it; verbs and types are those of `offstage_replication::wire`.

use crate::app::{Shared, caller, received, run};
use crate::web_api::Answer;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use offstage_model::{Fault, code};
use offstage_pipeline::Caller;
use offstage_replication::server::SyncService;
use offstage_replication::wire::{PackageRequest, verb};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Where it is.
pub(crate) const ROUTE: &str = "/offstage/v1/sync/{verb}";
const OCTETS: &str = "application/octet-stream";

/// Answers one call of a device.
pub(crate) async fn handle(
    State(shared): State<Arc<Shared>>,
    Path(verb): Path<String>,
    request: Request,
) -> Response {
    let limit = shared.app.limits.sync_body_bytes_max;
    let (parts, body) = match received(&shared, request, limit).await {
        Ok(received) => received,
        Err(fault) => return fault_answer(&fault).into_http(),
    };
    run(shared, move |shared| {
        let answer = authenticated(shared, &parts.headers, &verb, &body);
        answer.unwrap_or_else(|fault| fault_answer(&fault)).into_http()
    })
    .await
}

fn authenticated(
    shared: &Shared,
    headers: &HeaderMap,
    verb: &str,
    body: &[u8],
) -> Result<Answer, Fault> {
    let caller = caller(shared, headers)?;
    crate::web_api::body_is_json(headers)?;
    let service = shared.app.sync.as_ref().ok_or_else(|| unknown(verb))?;
    dispatch(service, &caller, verb, body)
}

fn dispatch(
    service: &SyncService,
    caller: &Caller,
    name: &str,
    body: &[u8],
) -> Result<Answer, Fault> {
    match name {
        verb::CONNECT => answer(body, |request| service.connect(caller, &request)),
        verb::HANDSHAKE => answer(body, |request| service.handshake(caller, &request)),
        verb::FILTERS => answer(body, |request| service.set_filters(caller, &request)),
        verb::PREPARE => answer(body, |request| service.prepare(caller, &request)),
        verb::DATA => answer(body, |request| service.data(caller, &request)),
        verb::POST => answer(body, |request| service.post(caller, &request)),
        verb::SPECIFIC => answer(body, |request| service.specific(caller, &request)),
        verb::PLAYBACK => answer(body, |request| service.playback(caller, &request)),
        verb::DIGEST => answer(body, |request| service.digest(caller, &request)),
        verb::DIGEST_ROWS => answer(body, |request| service.digest_rows(caller, &request)),
        verb::EXECUTE => answer(body, |request| service.execute(caller, &request)),
        verb::PACKAGE => {
            let request: PackageRequest = parse(body)?;
            Ok(Answer::bytes(OCTETS, service.package(caller, &request.sha256)?))
        }
        _ => Err(unknown(name)),
    }
}

fn answer<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    call: impl FnOnce(Q) -> Result<A, Fault>,
) -> Result<Answer, Fault> {
    let answer = call(parse(body)?)?;
    let bytes = serde_json::to_vec(&answer).map_err(|error| {
        Fault::new(code::INTERNAL, format!("The answer has no JSON form: {error}."))
    })?;
    Ok(Answer::bytes("application/json", bytes))
}

fn parse<Q: DeserializeOwned>(body: &[u8]) -> Result<Q, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        Fault::new(code::INVALID_ARGUMENT, format!("The body cannot be read: {error}."))
            .hint("Device and server may have different versions; update the older one.")
    })
}

fn unknown(verb: &str) -> Fault {
    let verb: String = verb.chars().take(40).collect();
    Fault::new(code::NOT_FOUND, format!("There is no sync call '{verb}'."))
}

fn fault_answer(fault: &Fault) -> Answer {
    let status = StatusCode::from_u16(fault.http_status());
    let bytes = serde_json::to_vec(fault).unwrap_or_default();
    Answer::bytes("application/json", bytes)
        .status(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
}
