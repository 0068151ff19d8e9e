//! Makes the URLs of answers. They begin with exactly the origin that the client used (case W7).
//!
//! Never reads configuration: the origin comes from the request.

use super::errors;
use super::path::percent_encode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use offstage_model::{Fault, Uuid};
use serde::{Deserialize, Serialize};

/// Where the Web API begins.
pub(crate) const BASE: &str = "/api/data/v9.2";

/// `http://host:port/api/data/v9.2`
pub(crate) fn root(origin: &str) -> String {
    format!("{origin}{BASE}")
}

/// The URL of a row; it ends in `)` (case W1).
pub(crate) fn row(origin: &str, set: &str, id: Uuid) -> String {
    format!("{origin}{BASE}/{set}({id})")
}

/// `@odata.context` of a set or of one of its rows.
pub(crate) fn context(origin: &str, set: &str, select: Option<&str>, one: bool) -> String {
    let columns = select.map(|s| format!("({})", s.replace(' ', ""))).unwrap_or_default();
    let entity = if one { "/$entity" } else { "" };
    format!("{origin}{BASE}/$metadata#{set}{columns}{entity}")
}

/// What a `$skiptoken` of ours holds: the link alone must carry the page size.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SkipToken {
    /// The store's cookie.
    #[serde(rename = "c")]
    pub(crate) cookie: String,
    /// Rows per page.
    #[serde(rename = "n")]
    pub(crate) page_size: u32,
}

impl SkipToken {
    /// Reads a token.
    ///
    /// # Errors
    /// A token that is not ours.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        bytes
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or_else(|| errors::syntax("The $skiptoken is not one of this server's."))
    }

    fn text(&self) -> String {
        let bytes = serde_json::to_vec(self).expect("BUG: a token always has a JSON form");
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// The link to the next page: the client's own path and query with another `$skiptoken`.
pub(crate) fn next(origin: &str, path: &str, query: &str, token: &SkipToken) -> String {
    let is_token = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        name.eq_ignore_ascii_case("$skiptoken") || name.eq_ignore_ascii_case("%24skiptoken")
    };
    let mut pairs: Vec<&str> =
        query.split('&').filter(|p| !p.is_empty()).filter(|p| !is_token(p)).collect();
    let token = format!("$skiptoken={}", percent_encode(&token.text()));
    pairs.push(&token);
    format!("{origin}{BASE}/{}?{}", path.trim_start_matches('/'), pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_link_replaces_the_token_and_keeps_the_rest_as_it_was() {
        let token = SkipToken { cookie: "c".into(), page_size: 2 };
        let link = next("http://h:1", "accounts", "%24select=name&$skiptoken=old&x=a+b", &token);
        let (before, text) = link.split_once("&$skiptoken=").unwrap();
        assert_eq!(before, "http://h:1/api/data/v9.2/accounts?%24select=name&x=a+b");
        assert_eq!(SkipToken::parse(text).unwrap(), token);
        assert!(SkipToken::parse("e30").is_err());
    }
}
