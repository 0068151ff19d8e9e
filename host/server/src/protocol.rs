//! What Offstage's own endpoints share: the body is taken, the caller found out, and a fault goes
//! out as its whole model JSON, because a client keeps it.
//!
//! Never interprets what passes.

use crate::app::{Shared, caller, received, run};
use crate::web_api::{Answer, body_is_json};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use offstage_model::Fault;
use offstage_pipeline::Caller;
use std::sync::Arc;

/// Answers one call of a client; `answer` runs where it may block.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    request: Request,
    answer: impl FnOnce(&Shared, &Caller, &HeaderMap, &[u8]) -> Result<Answer, Fault> + Send + 'static,
) -> Response {
    let limit = shared.app.limits.sync_body_bytes_max;
    let (parts, body) = match received(&shared, request, limit).await {
        Ok(received) => received,
        Err(fault) => return fault_answer(&fault).into_http(),
    };
    run(shared, move |shared| {
        let headers = &parts.headers;
        let answer = caller(shared, headers).and_then(|caller| {
            body_is_json(headers)?;
            answer(shared, &caller, headers, &body)
        });
        answer.unwrap_or_else(|fault| fault_answer(&fault)).into_http()
    })
    .await
}

fn fault_answer(fault: &Fault) -> Answer {
    let status = StatusCode::from_u16(fault.http_status());
    let bytes = serde_json::to_vec(fault).expect("BUG: model types always have a JSON form");
    Answer::bytes("application/json", bytes)
        .status(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
}
