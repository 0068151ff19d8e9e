//! Reads the request headers that change an answer: preconditions and preferences.
//!
//! Never ignores a header that would change what a write does: such a one is honoured or refused.

use super::errors;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use offstage_model::query::PAGE_SIZE_MAX;
use offstage_model::{Fault, code};

/// Headers that change the meaning of a request and that this version does not have.
const REFUSED: &[&str] = &[
    "mscrmcallerid",
    "callerobjectid",
    "mscrm.bypasscustompluginexecution",
    "mscrm.bypassbusinesslogicexecution",
    "mscrm.bypassbusinesslogicexecutionstepids",
    "mscrm.solutionuniquename",
    "x-http-method",
    "x-http-method-override",
];

/// An entity tag of `If-Match` or `If-None-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// `*`
    Any,
    /// The versions listed; tags that are not ours match nothing.
    Versions(Vec<u64>),
}

impl Tag {
    /// Whether a row of this version matches.
    pub(crate) fn matches(&self, version: Option<u64>) -> bool {
        match self {
            Self::Any => true,
            Self::Versions(versions) => version.is_some_and(|v| versions.contains(&v)),
        }
    }
}

/// The preconditions of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    /// `If-Match`
    pub(crate) if_match: Option<Tag>,
    /// `If-None-Match`
    pub(crate) if_none_match: Option<Tag>,
}

impl Conditions {
    /// Reads them; the literal text `null` counts as absent (case W3).
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let tag = |name| {
            let text = headers.get(name)?.to_str().ok()?.trim();
            match text {
                "" | "null" => None,
                "*" => Some(Tag::Any),
                list => Some(Tag::Versions(list.split(',').filter_map(version).collect())),
            }
        };
        Self { if_match: tag(IF_MATCH), if_none_match: tag(IF_NONE_MATCH) }
    }
}

/// The version in `W/"123"` or `"123"`.
fn version(tag: &str) -> Option<u64> {
    let tag = tag.trim();
    let quoted = tag.strip_prefix("W/").unwrap_or(tag);
    quoted.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

/// The entity tag of a row version.
pub(crate) fn etag(version: u64) -> String {
    format!("W/\"{version}\"")
}

/// What `Prefer` asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Preferences {
    /// `return=representation`
    pub(crate) representation: bool,
    /// `odata.maxpagesize`, at most 5,000.
    pub(crate) page_size: Option<u32>,
    /// `odata.include-annotations`
    pub(crate) annotations: Annotations,
}

impl Preferences {
    /// Reads all `Prefer` headers; what is unknown is ignored, as RFC 7240 has it.
    ///
    /// # Errors
    /// `odata.track-changes`: a client that asks for it would wait for a delta link.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Fault> {
        let mut preferences = Self::default();
        for header in headers.get_all("prefer") {
            for part in split_outside_quotes(header.to_str().unwrap_or_default()) {
                let (name, value) = part.split_once('=').unwrap_or((part.as_str(), ""));
                let value = value.trim().trim_matches('"');
                match name.trim().to_ascii_lowercase().as_str() {
                    "return" => preferences.representation = value == "representation",
                    "odata.maxpagesize" | "maxpagesize" => {
                        let size = value.parse::<u32>().ok().filter(|size| *size > 0);
                        preferences.page_size = size.map(|size| size.min(PAGE_SIZE_MAX));
                    }
                    "odata.include-annotations" | "include-annotations" => {
                        preferences.annotations = Annotations::parse(value);
                    }
                    "odata.track-changes" | "track-changes" => {
                        return Err(errors::not_supported("The preference 'odata.track-changes'"));
                    }
                    _ => {}
                }
            }
        }
        Ok(preferences)
    }
}

fn split_outside_quotes(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' | ';' if !quoted => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// Which annotations an answer carries: patterns such as `*`, `OData.Community.*`, `-Microsoft.*`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Annotations {
    patterns: Vec<(bool, String)>,
}

impl Annotations {
    fn parse(text: &str) -> Self {
        let pattern = |part: &str| match part.trim().strip_prefix('-') {
            Some(excluded) => (false, excluded.to_owned()),
            None => (true, part.trim().to_owned()),
        };
        Self { patterns: text.split(',').take(32).map(pattern).collect() }
    }

    /// Whether any annotation was asked for.
    pub(crate) fn any(&self) -> bool {
        self.patterns.iter().any(|(included, _)| *included)
    }

    /// Whether the annotation `name` belongs into the answer; the longest pattern decides.
    pub(crate) fn includes(&self, name: &str) -> bool {
        let fits = |pattern: &str| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == pattern,
        };
        let deciding = self.patterns.iter().filter(|(_, p)| fits(p)).max_by_key(|(_, p)| p.len());
        deciding.is_some_and(|(included, _)| *included)
    }
}

/// Refuses headers whose meaning this version does not have.
///
/// # Errors
/// 501 for such a header with a value that asks for something, 400 for an OData version below 4.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), Fault> {
    for name in REFUSED {
        let value = headers.get(*name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if !matches!(value.trim(), "" | "null" | "false") {
            return Err(errors::not_supported(&format!("The header '{name}'")));
        }
    }
    for name in ["odata-version", "odata-maxversion"] {
        let value = headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("4.0");
        if !value.trim().starts_with("4.") {
            return Err(errors::syntax(&format!("The header '{name}' must be 4.0.")));
        }
    }
    Ok(())
}

/// Whether the caller takes JSON.
///
/// # Errors
/// 406 when `Accept` names other types only.
pub(crate) fn accepts_json(headers: &HeaderMap) -> Result<(), Fault> {
    let Some(accept) = headers.get(ACCEPT).and_then(|v| v.to_str().ok()) else { return Ok(()) };
    let takes = accept.trim().is_empty()
        || accept.split(',').any(|part| {
            let media = part.split(';').next().unwrap_or_default().trim();
            matches!(media, "*/*" | "application/*" | "application/json")
        });
    if takes {
        return Ok(());
    }
    let mut fault = errors::syntax("The answer is JSON; 'Accept' must allow application/json.");
    fault.status = Some(406);
    Err(fault)
}

/// Whether a body is declared as JSON. Anything else is refused, and so is a body without a type:
/// a page in a browser can send those to a loopback address without being asked.
///
/// # Errors
/// 415.
pub(crate) fn body_is_json(headers: &HeaderMap) -> Result<(), Fault> {
    let value = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let media = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media == "application/json" {
        return Ok(());
    }
    let mut fault = Fault::new(
        code::INVALID_ARGUMENT,
        format!(
            "The body must have the content type application/json, not '{}'.",
            errors::shorten(&media)
        ),
    );
    fault.status = Some(415);
    Err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (axum::http::HeaderName::from_static(name), value.parse().unwrap())
            })
            .collect()
    }

    #[test]
    fn tags() {
        let cases = [
            ("null", None),
            ("*", Some(Tag::Any)),
            ("W/\"12\"", Some(Tag::Versions(vec![12]))),
            ("\"12\", W/\"13\"", Some(Tag::Versions(vec![12, 13]))),
            ("W/\"x\"", Some(Tag::Versions(vec![]))),
        ];
        for (text, expected) in cases {
            assert_eq!(
                Conditions::of(&headers(&[("if-match", text)])).if_match,
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn preferences() {
        let prefer = "return=representation, odata.maxpagesize=3,\
                      odata.include-annotations=\"OData.Community.*,-OData.Community.Display.V1.X\"";
        let read = Preferences::of(&headers(&[("prefer", prefer)])).unwrap();
        assert!(read.representation);
        assert_eq!(read.page_size, Some(3));
        assert!(read.annotations.includes("OData.Community.Display.V1.FormattedValue"));
        assert!(!read.annotations.includes("OData.Community.Display.V1.X"));
        assert!(!read.annotations.includes("Microsoft.Dynamics.CRM.lookuplogicalname"));
        assert!(Preferences::of(&headers(&[("prefer", "odata.track-changes")])).is_err());
    }
}
