//! `POST /offstage/v1/sync/<verb>`: the caller is found out, the sync service answers.
//!
//! Never interprets what passes. A fault goes out as its whole model JSON, because the device
//! keeps it; large answers are compressed for devices that take that.

use crate::app::{Shared, caller, received, run};
use crate::web_api::{Answer, body_is_json};
use axum::extract::{Path, Request, State};
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use offstage_model::{Fault, code};
use std::io::Write as _;
use std::sync::Arc;

/// Where it is.
pub(crate) const ROUTE: &str = "/offstage/v1/sync/{verb}";
/// Smaller answers are sent as they are, in bytes.
const COMPRESS_BYTES_MIN: usize = 1_024;

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
        let answer = answer(shared, &parts.headers, &verb, &body);
        answer.unwrap_or_else(|fault| fault_answer(&fault)).into_http()
    })
    .await
}

fn answer(shared: &Shared, headers: &HeaderMap, verb: &str, body: &[u8]) -> Result<Answer, Fault> {
    let caller = caller(shared, headers)?;
    body_is_json(headers)?;
    let service = shared
        .app
        .sync
        .as_ref()
        .ok_or_else(|| Fault::new(code::NOT_FOUND, "There is no sync service here."))?;
    let answer = service.dispatch(&caller, verb, body)?;
    if answer.body.len() < COMPRESS_BYTES_MIN || !takes_gzip(headers) {
        return Ok(Answer::bytes(answer.content_type, answer.body));
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let compressed = encoder.write_all(&answer.body).and_then(|()| encoder.finish());
    let compressed = compressed.expect("BUG: writing into memory does not fail");
    Ok(Answer::bytes(answer.content_type, compressed).header(CONTENT_ENCODING, "gzip"))
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|part| {
        let mut parameters = part.split(';').map(str::trim);
        parameters.next() == Some("gzip") && !parameters.any(|q| matches!(q, "q=0" | "q=0.0"))
    })
}

pub(crate) fn fault_answer(fault: &Fault) -> Answer {
    let status = StatusCode::from_u16(fault.http_status());
    let bytes = serde_json::to_vec(fault).expect("BUG: model types always have a JSON form");
    Answer::bytes("application/json", bytes)
        .status(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
}
