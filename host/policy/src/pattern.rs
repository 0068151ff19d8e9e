//! Which packages a rule is about: one, all below a prefix, or all.
//!
//! A prefix ends at a `/`: `acme/*` never matches `acme-evil/x` (attack D08).

use crate::source::is_package_id;
use std::fmt;

/// Which packages a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackagePattern {
    /// `*`: every package.
    Every,
    /// `acme/*`: the packages whose id starts with this text, which ends with `/`.
    Below(String),
    /// One package.
    One(String),
}

impl PackagePattern {
    /// Reads `*`, `prefix/*` or a package id; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Every);
        }
        match text.strip_suffix("/*") {
            Some(prefix) => is_package_id(prefix).then(|| Self::Below(format!("{prefix}/"))),
            None => is_package_id(text).then(|| Self::One(text.to_owned())),
        }
    }

    /// Whether the rule is about this package.
    #[must_use]
    pub fn matches(&self, package: &str) -> bool {
        match self {
            Self::Every => true,
            Self::Below(prefix) => package.len() > prefix.len() && package.starts_with(prefix),
            Self::One(id) => package == id,
        }
    }
}

impl fmt::Display for PackagePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every => f.write_str("*"),
            Self::Below(prefix) => write!(f, "{prefix}*"),
            Self::One(id) => f.write_str(id),
        }
    }
}
