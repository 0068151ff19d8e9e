//! `POST /offstage/v1/token`: OAuth 2 client credentials (RFC 6749, 4.4), with a secret or with a
//! signed assertion (RFC 7523).
//!
//! Errors are OAuth's own (`invalid_client` ...) with the platform's error object beside, and an
//! answer is never cached. Credentials in the URL are not looked at.

use super::assertion::no_credentials;
use super::{Issuer, TOKEN_LIFETIME_S};
use crate::app::{Shared, received, run};
use crate::web_api::{Answer, Plus, percent_decode};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use offstage_model::{Fault, code};
use offstage_replication::device_key::ASSERTION_TYPE;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The largest form, in bytes.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// Answers one token request.
pub(crate) async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = match received(&shared, request, FORM_BYTES_MAX).await {
        Ok(received) => received,
        Err(fault) => return Answer::fault(&fault).into_http(),
    };
    run(shared, move |shared| {
        let Some(issuer) = shared.app.issuer.as_ref() else {
            return Answer::empty(StatusCode::NOT_FOUND).into_http();
        };
        let answer = match token(issuer, &parts.headers, &body) {
            Ok(token) => Answer::json(&json!({
                "token_type": "Bearer",
                "expires_in": TOKEN_LIFETIME_S,
                "access_token": token,
            })),
            Err(refusal) => refusal.answer(),
        };
        answer.header(CACHE_CONTROL, "no-store").into_http()
    })
    .await
}

/// A fault with OAuth's name for it.
struct Refusal {
    error: &'static str,
    fault: Box<Fault>,
}

impl Refusal {
    fn invalid_request(message: &str) -> Self {
        Self::from(Fault::new(code::INVALID_ARGUMENT, message))
    }

    fn answer(&self) -> Answer {
        let status = StatusCode::from_u16(self.fault.http_status());
        let mut body = crate::web_api::error_body(&self.fault);
        // `error` is text in OAuth and an object in OData; the object moves aside.
        body["offstage"] = body["error"].take();
        body["error"] = json!(self.error);
        body["error_description"] = json!(self.fault.message);
        let answer = Answer::json(&body).status(status.unwrap_or(StatusCode::BAD_REQUEST));
        match self.error {
            "invalid_client" => answer.header(WWW_AUTHENTICATE, "Basic realm=\"offstage\""),
            _ => answer,
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let error = match fault.code {
            code::UNAUTHORIZED => "invalid_client",
            code::PRIVILEGE_DENIED => "unauthorized_client",
            code::INVALID_ARGUMENT => "invalid_request",
            _ => "server_error",
        };
        Self { error, fault: Box::new(fault) }
    }
}

fn token(issuer: &Issuer, headers: &HeaderMap, body: &[u8]) -> Result<String, Refusal> {
    let form = form(headers, body)?;
    let field = |name: &str| form.get(name).map(String::as_str);
    match field("grant_type") {
        Some("client_credentials") => {}
        Some(_) => {
            let message = "The only grant_type is client_credentials.";
            let fault = Box::new(Fault::new(code::INVALID_ARGUMENT, message));
            return Err(Refusal { error: "unsupported_grant_type", fault });
        }
        None => return Err(Refusal::invalid_request("The request has no grant_type.")),
    }
    if let Some(assertion) = field("client_assertion") {
        if field("client_assertion_type") != Some(ASSERTION_TYPE) {
            let message = format!("The client_assertion_type must be {ASSERTION_TYPE}.");
            return Err(Refusal::invalid_request(&message));
        }
        return Ok(issuer.for_assertion(assertion)?);
    }
    let basic = basic(headers)?;
    let (client, secret) = match (&basic, field("client_id"), field("client_secret")) {
        (Some((client, secret)), _, None) => (client.as_str(), secret.as_str()),
        (None, Some(client), Some(secret)) => (client, secret),
        (Some(_), _, Some(_)) => {
            return Err(Refusal::invalid_request("The request has credentials twice."));
        }
        _ => return Err(no_credentials().into()),
    };
    Ok(issuer.for_secret(client, secret)?)
}

fn form(headers: &HeaderMap, body: &[u8]) -> Result<BTreeMap<String, String>, Refusal> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let media = content_type.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let mut refusal = Refusal::invalid_request(
            "The body must have the content type application/x-www-form-urlencoded.",
        );
        refusal.fault.status = Some(415);
        return Err(refusal);
    }
    let text = std::str::from_utf8(body)
        .map_err(|_| Refusal::invalid_request("The body is not UTF-8 text."))?;
    let mut form = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let unreadable = |_| Refusal::invalid_request("The body is not a URL-encoded form.");
        let name = percent_decode(name, Plus::Space).map_err(unreadable)?;
        let value = percent_decode(value, Plus::Space).map_err(unreadable)?;
        if form.insert(name, value).is_some() {
            return Err(Refusal::invalid_request("The body has a field twice."));
        }
    }
    Ok(form)
}

/// Client credentials as `Authorization: Basic`, which RFC 6749 asks servers to take.
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, Refusal> {
    let header = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok());
    let Some((scheme, encoded)) = header.and_then(|h| h.split_once(' ')) else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    let unreadable = || Refusal::invalid_request("The Authorization header cannot be read.");
    let bytes = STANDARD.decode(encoded.trim()).map_err(|_| unreadable())?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable())?;
    let (client, secret) = text.split_once(':').ok_or_else(unreadable)?;
    let decode = |text: &str| percent_decode(text, Plus::Space).map_err(|_| unreadable());
    Ok(Some((decode(client)?, decode(secret)?)))
}
