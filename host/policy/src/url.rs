//! URLs of outbound HTTP, in the one form that everybody reads in the same way.
//!
//! Whoever checks a URL and whoever sends to it must not read it differently. So nothing is
//! repaired here: what is not plain ASCII, exactly `scheme://host[:port][/path][?query]`, is refused,
//! and requests are sent to what this type writes, never to the text that came in.

use crate::{Origin, OriginError};
use std::fmt;

/// The longest URL, in bytes.
pub const URL_BYTES_MAX: usize = 4_096;

/// A URL that a request can be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundUrl {
    origin: Origin,
    target: String,
}

/// Why a text is no such URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is too long.
    #[error("it has more than {URL_BYTES_MAX} bytes")]
    TooLong,
    /// A character that no URL has, or that some programs read as another one.
    #[error("it has the character {0:?}, which must be written as %XX or not at all")]
    Character(char),
    /// It names a user, with or without a password.
    #[error("it names a user; credentials go into headers, as secrets")]
    User,
    /// It has a fragment.
    #[error("it has a fragment, which is never sent")]
    Fragment,
    /// A `%` without two hexadecimal digits.
    #[error("it has a '%' without two hexadecimal digits")]
    Escape,
    /// The path has a `.` or `..`, written out or escaped.
    #[error("its path has '.' or '..'")]
    Dots,
    /// Scheme, host or port are not usable.
    #[error("{0}")]
    Origin(#[from] OriginError),
}

impl OutboundUrl {
    /// Reads `scheme://host[:port][/path][?query]`.
    ///
    /// # Errors
    /// The text has another form, or its host is no full name.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.len() > URL_BYTES_MAX {
            return Err(UrlError::TooLong);
        }
        if let Some(odd) = text.chars().find(|c| !is_plain(*c)) {
            return Err(UrlError::Character(odd));
        }
        if text.contains('#') {
            return Err(UrlError::Fragment);
        }
        let start = text.find("://").ok_or(OriginError::Scheme)? + 3;
        let end = text[start..].find(['/', '?']).map_or(text.len(), |at| start + at);
        if text[start..end].contains('@') {
            return Err(UrlError::User);
        }
        let origin = Origin::parse(&text[..end])?;
        let target = match &text[end..] {
            "" => "/".to_owned(),
            query if query.starts_with('?') => format!("/{query}"),
            path => path.to_owned(),
        };
        check_escapes(&target)?;
        let path = target.split('?').next().unwrap_or_default().to_ascii_lowercase();
        if path.replace("%2e", ".").split('/').any(|name| matches!(name, "." | "..")) {
            return Err(UrlError::Dots);
        }
        Ok(Self { origin, target })
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The path with the query.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }
}

impl fmt::Display for OutboundUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.target)
    }
}

/// The characters of a URL by RFC 3986, without the brackets of IP literals.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~:/?#@!$&'()*+,;=%".contains(c)
}

fn check_escapes(target: &str) -> Result<(), UrlError> {
    let bytes = target.as_bytes();
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let escapes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    for (at, _) in escapes {
        // An escaped zero or line end is an attack on whoever reads the URL next.
        let zero = matches!(bytes.get(at + 1..at + 3), Some(b"00" | b"0a" | b"0A" | b"0d" | b"0D"));
        if !is_hex(at + 1) || !is_hex(at + 2) || zero {
            return Err(UrlError::Escape);
        }
    }
    Ok(())
}
