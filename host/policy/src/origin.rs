//! Origins of outbound HTTP: scheme, host and port, exact in questions, with one leading wildcard
//! label in rules.
//!
//! Never resolves a name, and never takes an address for a name: an IP literal is no host here, in
//! whatever form it is written (attack C11).

use std::fmt;

/// The longest host name, in bytes (RFC 1035, section 2.3.4).
const HOST_BYTES_MAX: usize = 253;
/// The longest label of a host name, in bytes.
const LABEL_BYTES_MAX: usize = 63;

/// The protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    /// The word in a URL.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port when a URL names none.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Scheme, host and port of a URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The scheme.
    pub scheme: Scheme,
    /// The host name, in lower case.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Why a text is no origin that a plug-in can be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// The scheme is another one.
    #[error("it starts with neither 'https://' nor 'http://'")]
    Scheme,
    /// There is more than scheme, host and port.
    #[error("it has more than scheme, host and port")]
    TooMuch,
    /// The port is no number from 1 to 65535.
    #[error("'{0}' is not a port")]
    Port(String),
    /// The host name is not one.
    #[error("'{0}' is not a host name: use letters, digits and '-' in labels of 1 to 63")]
    Host(String),
    /// The host has one label only.
    #[error("'{0}' is not a full host name: it has one label only")]
    OneLabel(String),
    /// The host is an address.
    #[error("'{0}' is an address and not a host name")]
    Address(String),
    /// The host is this machine.
    #[error("'{0}' names the machine itself")]
    Loopback(String),
    /// A wildcard somewhere else than before two labels.
    #[error("'{0}' has a wildcard that is not the first of at least three labels")]
    Wildcard(String),
}

impl Origin {
    /// Reads `scheme://host` or `scheme://host:port`.
    ///
    /// # Errors
    /// The text has another form, or the host is an address, this machine, or no full name.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let (scheme, host, port) = split(text)?;
        Ok(Self { scheme, host: host_name(host)?, port })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.scheme, "", &self.host, self.port)
    }
}

/// Which origins a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern {
    origin: Origin,
    /// Names below the host, one or more labels deep, instead of the host itself.
    below: bool,
}

impl OriginPattern {
    /// Reads an origin whose host may start with `*.`.
    ///
    /// # Errors
    /// As [`Origin::parse`]; or a wildcard elsewhere, or with fewer than two labels after it.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let (scheme, host, port) = split(text)?;
        let (below, rest) = match host.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, host),
        };
        if rest.contains('*') {
            return Err(OriginError::Wildcard(shown(host)));
        }
        let name = host_name(rest).map_err(|error| match error {
            OriginError::OneLabel(_) if below => OriginError::Wildcard(shown(host)),
            other => other,
        })?;
        Ok(Self { origin: Origin { scheme, host: name, port }, below })
    }

    /// The pattern itself as an origin, to ask whether another pattern covers all of it.
    pub(crate) fn as_question(&self) -> Origin {
        let front = if self.below { "*." } else { "" };
        Origin { host: format!("{front}{}", self.origin.host), ..self.origin.clone() }
    }

    /// The origin, for a rule that is about one only.
    pub(crate) fn only(&self) -> Option<&Origin> {
        (!self.below).then_some(&self.origin)
    }

    /// Whether the rule is about this origin.
    #[must_use]
    pub fn matches(&self, origin: &Origin) -> bool {
        if origin.scheme != self.origin.scheme || origin.port != self.origin.port {
            return false;
        }
        if !self.below {
            return origin.host == self.origin.host;
        }
        origin
            .host
            .strip_suffix(&self.origin.host)
            .and_then(|front| front.strip_suffix('.'))
            .is_some_and(|front| !front.is_empty())
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let front = if self.below { "*." } else { "" };
        write(f, self.origin.scheme, front, &self.origin.host, self.origin.port)
    }
}

fn write(
    f: &mut fmt::Formatter<'_>,
    scheme: Scheme,
    front: &str,
    host: &str,
    port: u16,
) -> fmt::Result {
    write!(f, "{}://{front}{host}", scheme.name())?;
    if port == scheme.default_port() { Ok(()) } else { write!(f, ":{port}") }
}

fn split(text: &str) -> Result<(Scheme, &str, u16), OriginError> {
    let (scheme, rest) = if let Some(rest) = text.strip_prefix("https://") {
        (Scheme::Https, rest)
    } else if let Some(rest) = text.strip_prefix("http://") {
        (Scheme::Http, rest)
    } else {
        return Err(OriginError::Scheme);
    };
    if rest.starts_with('[') {
        return Err(OriginError::Address(shown(rest)));
    }
    if rest.contains(['/', '?', '#', '@', '\\']) {
        return Err(OriginError::TooMuch);
    }
    let Some((host, port)) = rest.split_once(':') else {
        return Ok((scheme, rest, scheme.default_port()));
    };
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(number) if digits && number > 0 => Ok((scheme, host, number)),
        _ => Err(OriginError::Port(shown(port))),
    }
}

/// Checks a host name without wildcards; returns it in lower case.
fn host_name(host: &str) -> Result<String, OriginError> {
    let lower = host.to_ascii_lowercase();
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= LABEL_BYTES_MAX
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if lower.len() > HOST_BYTES_MAX || !lower.split('.').all(is_label) {
        return Err(OriginError::Host(shown(host)));
    }
    let last = lower.rsplit('.').next().unwrap_or_default();
    // Resolvers read a last label that is a number, also in hexadecimal, as part of an IPv4 address.
    let number = last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
    if number {
        return Err(OriginError::Address(shown(host)));
    }
    if last == "localhost" {
        return Err(OriginError::Loopback(shown(host)));
    }
    if !lower.contains('.') {
        return Err(OriginError::OneLabel(shown(host)));
    }
    Ok(lower)
}

/// A text that somebody else wrote, for an error: short and printable.
fn shown(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}
