//! `POST /offstage/v1/outlook/<verb>`: the Outlook service answers.

use crate::app::Shared;
use crate::protocol;
use crate::web_api::Answer;
use axum::extract::{Path, Request, State};
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
    protocol::serve(shared, request, move |shared, caller, _, body| {
        let none = || Fault::new(code::NOT_FOUND, "There is no Outlook service here.");
        let service = shared.app.outlook.as_ref().ok_or_else(none)?;
        Ok(Answer::bytes("application/json", service.dispatch(caller, &verb, body)?))
    })
    .await
}
