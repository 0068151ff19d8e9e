//! `POST /offstage/v1/outlook/<verb>`: the caller is found out, the Outlook service answers.
//!
//! Never interprets what passes. A fault goes out as its whole model JSON, as at the sync endpoint.

use crate::app::{Shared, caller, received, run};
use crate::sync::fault_answer;
use crate::web_api::{Answer, body_is_json};
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use offstage_model::{Fault, code};
use std::sync::Arc;

/// Where it is.
pub(crate) const ROUTE: &str = "/offstage/v1/outlook/{verb}";

/// Answers one call of a client.
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
        .outlook
        .as_ref()
        .ok_or_else(|| Fault::new(code::NOT_FOUND, "There is no Outlook service here."))?;
    Ok(Answer::bytes("application/json", service.dispatch(&caller, verb, body)?))
}
