//! `POST /offstage/v1/execute`: one request of the organization service as model JSON, for
//! `offstage request` and for programs that speak to the host directly.
//!
//! With `x-offstage-operation-id` a write is done once, however often it is sent: the first
//! answer is kept and given again.

use crate::app::{Shared, caller, origin, received, refusal, run};
use crate::web_api::Answer;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use offstage_model::{Fault, Uuid, code};
use offstage_pipeline::CallOptions;
use std::sync::Arc;

/// Where it is.
pub(crate) const PATH: &str = "/offstage/v1/execute";
const OPERATION: &str = "x-offstage-operation-id";
const TAG: &str = "x-offstage-tag";

/// Answers one request.
pub(crate) async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let limit = shared.app.limits.body_bytes_max;
    let (parts, body) = match received(&shared, request, limit).await {
        Ok(received) => received,
        Err(fault) => return Answer::fault(&fault).into_http(),
    };
    run(shared, move |shared| {
        let answer = execute(shared, &parts.headers, &body)
            .unwrap_or_else(|fault| refusal(&fault, &origin(&parts.headers)));
        answer.into_http()
    })
    .await
}

fn execute(shared: &Shared, headers: &HeaderMap, body: &[u8]) -> Result<Answer, Fault> {
    let caller = caller(shared, headers)?;
    crate::web_api::body_is_json(headers)?;
    let request = serde_json::from_slice(body).map_err(|error| {
        Fault::new(code::INVALID_ARGUMENT, format!("The body is not a request: {error}."))
            .hint("A request is {\"message\": \"WhoAmI\", \"parameters\": {}}.")
    })?;
    let response = shared.app.engine.execute(&caller, request, options(headers)?)?;
    let json = serde_json::to_value(&response).map_err(|error| {
        Fault::new(code::INTERNAL, format!("The answer has no JSON form: {error}."))
    })?;
    Ok(Answer::json(&json).skipped(&response.skipped))
}

fn options(headers: &HeaderMap) -> Result<CallOptions, Fault> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let operation = text(OPERATION)
        .map(|id| {
            Uuid::parse_str(id.trim()).map_err(|_| {
                Fault::new(
                    code::INVALID_ARGUMENT,
                    format!("The header '{OPERATION}' is not a GUID."),
                )
            })
        })
        .transpose()?;
    Ok(CallOptions {
        operation,
        tag: text(TAG).map(str::to_owned),
        supersedes: None,
        receipt: operation.is_some(),
    })
}
