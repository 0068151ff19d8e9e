//! `POST /offstage/v1/mailbox/<verb>`: what a program does in the mailbox of a device, as a user does
//! it in the inspector and the explorer. Mounted on a device only.
//!
//! Never knows what a verb means.

use crate::app::Shared;
use crate::protocol;
use crate::web_api::Answer;
use axum::extract::{Path, Request, State};
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
    // Whoever has the local token is the device's user.
    protocol::serve(shared, request, move |shared, _, _, body| {
        let body = serde_json::from_slice(body).map_err(|error| {
            Fault::new(code::INVALID_ARGUMENT, format!("The body is not valid JSON: {error}."))
        })?;
        let none = || Fault::new(code::NOT_FOUND, "There is no mailbox here.");
        let mailbox = shared.app.mailbox.as_ref().ok_or_else(none)?;
        Ok(Answer::json(&mailbox.act(&verb, body)?))
    })
    .await
}
