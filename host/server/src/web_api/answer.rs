//! Requests and answers of the Web API as plain data, so that one request can come by itself or
//! (later) as a part of a batch.
//!
//! Never touches a connection.

use super::errors;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use offstage_model::{Fault, code};
use serde_json::{Map, Value as Json};

const JSON: &str = "application/json; odata.metadata=minimal";

/// One request to the Web API.
#[derive(Clone, Debug)]
pub(crate) struct ApiRequest {
    /// The method.
    pub(crate) method: Method,
    /// The path below the service root, percent-encoded, without a slash at its start.
    pub(crate) path: String,
    /// The raw query, without `?`; empty when there is none.
    pub(crate) query: String,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// Scheme, host and port as the client used them.
    pub(crate) origin: String,
}

impl ApiRequest {
    /// The body as a JSON object.
    ///
    /// # Errors
    /// Another content type (415), malformed JSON with its position, or another kind of value.
    pub(crate) fn object(&self) -> Result<Map<String, Json>, Fault> {
        super::headers::body_is_json(&self.headers)?;
        let json: Json = serde_json::from_slice(&self.body)
            .map_err(|error| errors::payload(format!("The body is not valid JSON: {error}.")))?;
        match json {
            Json::Object(object) => Ok(object),
            _ => Err(errors::payload("The body must be a JSON object.")),
        }
    }
}

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Vec::new() }
    }

    /// JSON with status 200.
    pub(crate) fn json(json: &Json) -> Self {
        Self::bytes(JSON, json.to_string().into_bytes())
    }

    /// Bytes with status 200.
    pub(crate) fn bytes(content_type: &'static str, body: Vec<u8>) -> Self {
        let headers =
            HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        Self { status: StatusCode::OK, headers, body }
    }

    /// The error answer of a fault.
    pub(crate) fn fault(fault: &Fault) -> Self {
        let status =
            StatusCode::from_u16(fault.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = Self::json(&errors::body(fault)).status(status);
        if fault.is_transient() && fault.code != code::INTERNAL {
            answer.headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        answer
    }

    /// The same answer with another status.
    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Adds a header; a value that no header can hold is left out.
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.append(name, value);
        }
        self
    }

    /// Adds the URL of the row that was written.
    pub(crate) fn entity_id(self, url: &str) -> Self {
        self.header(HeaderName::from_static("odata-entityid"), url).header(LOCATION, url)
    }

    /// Says which preference was honoured.
    pub(crate) fn applied(self, preference: &str) -> Self {
        self.header(HeaderName::from_static("preference-applied"), preference)
    }

    /// Says which plug-ins would have run and do not run here; `GET /offstage/v1/plugins` says why.
    pub(crate) fn skipped(self, packages: &[String]) -> Self {
        if packages.is_empty() {
            return self;
        }
        self.header(HeaderName::from_static("x-offstage-skipped-plugins"), &packages.join(", "))
    }

    /// The HTTP form, with the headers that every answer has.
    pub(crate) fn into_http(self) -> axum::response::Response {
        let mut response = axum::response::Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response.headers_mut().insert("odata-version", HeaderValue::from_static("4.0"));
        response
    }
}
