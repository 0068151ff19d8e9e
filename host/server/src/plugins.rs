//! `GET /offstage/v1/plugins`: the plug-ins that are registered where requests run, and why one does
//! not run: what the header `x-offstage-skipped-plugins` of an answer refers to.
//!
//! Never tells anybody but an administrator why: reasons name files of the server.

use crate::app::{Shared, caller, origin, refusal, run};
use crate::web_api::Answer;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use offstage_model::Fault;
use serde_json::json;
use std::sync::Arc;

/// Where it is.
pub(crate) const PATH: &str = "/offstage/v1/plugins";

/// Answers the list.
pub(crate) async fn handle(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    run(shared, move |shared| {
        let answer = list(shared, &headers);
        answer.unwrap_or_else(|fault| refusal(&fault, &origin(&headers))).into_http()
    })
    .await
}

fn list(shared: &Shared, headers: &HeaderMap) -> Result<Answer, Fault> {
    let caller = caller(shared, headers)?;
    let plugins = shared.app.engine.plugins(&caller)?;
    Ok(Answer::json(&json!({ "plugins": plugins })))
}
