//! Reads query options: `$select`, `$filter` and the rest, each only where it has a meaning.
//!
//! Never ignores a `$` option: it is used, or the request is refused.

use super::errors;
use super::path::{Plus, percent_decode};
use offstage_model::Fault;

/// The options that this version has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `$select`, as it came.
    pub(crate) select: Option<String>,
    /// `$filter`, as it came.
    pub(crate) filter: Option<String>,
    /// `$orderby`, as it came.
    pub(crate) order: Option<String>,
    /// `$top`
    pub(crate) top: Option<u32>,
    /// `$count=true`
    pub(crate) count: bool,
    /// `$skiptoken`, as it came.
    pub(crate) skip_token: Option<String>,
    /// `$expand`, as it came; only metadata has a use for it.
    pub(crate) expand: Option<String>,
}

/// The options of a set.
pub(crate) const OF_SET: &[&str] =
    &["$select", "$filter", "$orderby", "$top", "$count", "$skiptoken"];
/// The options of one row, and of writes that answer the row.
pub(crate) const OF_ROW: &[&str] = &["$select"];
/// The options of `/$count`.
pub(crate) const OF_COUNT: &[&str] = &["$filter"];
/// The options of metadata.
pub(crate) const OF_METADATA: &[&str] = &["$select", "$filter", "$expand"];
/// No options.
pub(crate) const NONE: &[&str] = &[];

/// Options of the platform that are to come, or work elsewhere.
const KNOWN: &[&str] = &[
    "$expand",
    "$apply",
    "$deltatoken",
    "$filter",
    "$orderby",
    "$top",
    "$count",
    "$skiptoken",
    "$select",
];
/// Options without a `$` that ask for something all the same.
const KNOWN_BARE: &[&str] = &["fetchxml", "savedquery", "userquery", "sql"];

impl Options {
    /// Reads the raw query of a URL.
    ///
    /// # Errors
    /// An option that is not `allowed` here (501 if the platform has it, 400 otherwise), twice the
    /// same, or a value that cannot be read.
    pub(crate) fn parse(query: &str, allowed: &[&str]) -> Result<Self, Fault> {
        let mut options = Self::default();
        let mut seen: Vec<String> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = percent_decode(name, Plus::Space)?;
            let value = percent_decode(value, Plus::Space)?;
            refuse(&name, allowed)?;
            if !name.starts_with('$') {
                continue;
            }
            if seen.contains(&name) {
                let message = format!("Query option '{name}' was specified more than once.");
                return Err(errors::syntax(&message));
            }
            options.set(&name, value)?;
            seen.push(name);
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), Fault> {
        let invalid = || {
            let shown = errors::shorten(&value);
            errors::syntax(&format!("Invalid value '{shown}' for {name} query option found."))
        };
        match name {
            "$select" => self.select = Some(value),
            "$filter" => self.filter = Some(value),
            "$orderby" => self.order = Some(value),
            "$expand" => self.expand = Some(value),
            "$skiptoken" => self.skip_token = Some(value),
            "$top" => self.top = Some(value.trim().parse().map_err(|_| invalid())?),
            "$count" => {
                self.count = match value.trim() {
                    "true" => true,
                    "false" => false,
                    _ => return Err(invalid()),
                }
            }
            _ => return Err(invalid()),
        }
        Ok(())
    }
}

fn refuse(name: &str, allowed: &[&str]) -> Result<(), Fault> {
    if allowed.contains(&name) {
        return Ok(());
    }
    let lower = name.to_ascii_lowercase();
    if KNOWN_BARE.contains(&lower.as_str()) || KNOWN.contains(&lower.as_str()) {
        return Err(errors::not_supported(&format!("The query option '{name}' here")));
    }
    if name.starts_with('$') {
        let shown = errors::shorten(name);
        return Err(errors::syntax(&format!("The query parameter {shown} is not supported.")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_in_every_encoding() {
        let read = Options::parse("%24select=a,b&$filter=a+eq+'x%26y'&$top=3&$count=true", OF_SET);
        let expected = Options {
            select: Some("a,b".into()),
            filter: Some("a eq 'x&y'".into()),
            top: Some(3),
            count: true,
            ..Options::default()
        };
        assert_eq!(read.unwrap(), expected);
    }

    #[test]
    fn no_option_is_ignored() {
        let cases = [
            ("$skip=1", 400),
            ("$search=x", 400),
            ("$format=json", 400),
            ("$expand=x", 501),
            ("$apply=x", 501),
            ("fetchXml=x", 501),
            ("savedQuery=x", 501),
            ("$top=-1", 400),
            ("$count=yes", 400),
            ("$top=1&$top=2", 400),
            ("$select=%zz", 400),
        ];
        for (query, status) in cases {
            assert_eq!(Options::parse(query, OF_SET).unwrap_err().http_status(), status, "{query}");
        }
        assert!(Options::parse("timestamp=1", OF_SET).is_ok(), "custom options are the caller's");
    }
}
