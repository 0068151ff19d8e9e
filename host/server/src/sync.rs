//! `POST /offstage/v1/sync/<verb>`: the sync service answers. Large answers are compressed for
//! devices that take that.

use crate::app::Shared;
use crate::protocol;
use crate::web_api::Answer;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
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
    protocol::serve(shared, request, move |shared, caller, headers, body| {
        let none = || Fault::new(code::NOT_FOUND, "There is no sync service here.");
        let service = shared.app.sync.as_ref().ok_or_else(none)?;
        let answer = service.dispatch(caller, &verb, body)?;
        if answer.body.len() < COMPRESS_BYTES_MIN || !takes_gzip(headers) {
            return Ok(Answer::bytes(answer.content_type, answer.body));
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let compressed = encoder.write_all(&answer.body).and_then(|()| encoder.finish());
        let compressed = compressed.expect("BUG: writing into memory does not fail");
        Ok(Answer::bytes(answer.content_type, compressed).header(CONTENT_ENCODING, "gzip"))
    })
    .await
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|part| {
        let mut parameters = part.split(';').map(str::trim);
        parameters.next() == Some("gzip") && !parameters.any(|q| matches!(q, "q=0" | "q=0.0"))
    })
}
