//! `POST /offstage/v1/mailbox/<verb>`: what a program does in the mailbox of a device, as a user does
//! it in the inspector and the explorer. Mounted on a device only.
//!
//! Never knows what a verb means. A fault goes out as its whole model JSON, as at the sync endpoint.

use crate::app::{Shared, caller, received, run};
use crate::sync::fault_answer;
use crate::web_api::{Answer, body_is_json};
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use offstage_model::{Fault, code};
use serde_json::Value as Json;
use std::sync::Arc;

/// Where it is.
pub(crate) const ROUTE: &str = "/offstage/v1/mailbox/{verb}";

/// Acts in the mailbox of this device. Calls block.
pub trait Mailbox: Send + Sync {
    /// Does what the verb says with what the body names.
    ///
    /// # Errors
    /// An unknown verb, or whatever refused it.
    fn act(&self, verb: &str, body: Json) -> Result<Json, Fault>;
}

/// Answers one call.
pub(crate) async fn handle(
    State(shared): State<Arc<Shared>>,
    Path(verb): Path<String>,
    request: Request,
) -> Response {
    let limit = shared.app.limits.body_bytes_max;
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
    // Whoever has the local token is the device's user.
    caller(shared, headers)?;
    body_is_json(headers)?;
    let body = serde_json::from_slice(body).map_err(|error| {
        Fault::new(code::INVALID_ARGUMENT, format!("The body is not valid JSON: {error}."))
    })?;
    let mailbox = shared.app.mailbox.as_ref();
    let mailbox =
        mailbox.ok_or_else(|| Fault::new(code::NOT_FOUND, "There is no mailbox here."))?;
    Ok(Answer::json(&mailbox.act(verb, body)?))
}
