//! The text of a policy or trust file, for errors and rules that name a line.
//!
//! Never keeps the text.

use crate::rule::Subject;
use crate::{CapabilitySet, PackagePattern, PolicyError, Rule};
use offstage_model::registration::CapabilityDeclaration;
use serde::de::DeserializeOwned;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;

/// The longest package id, in bytes.
const PACKAGE_ID_BYTES_MAX: usize = 128;
/// The most capabilities in one list.
const CAPABILITIES_MAX: usize = 1_000;

/// The text of a file with its name.
pub(crate) struct Source<'a> {
    pub(crate) text: &'a str,
    pub(crate) file: &'a str,
    /// Where each line but the first starts.
    starts: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(text: &'a str, file: &'a str) -> Self {
        let starts = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        Self { text, file, starts }
    }

    /// Reads the form of a file; `keys` says what it may hold, for the hint.
    pub(crate) fn form<T: DeserializeOwned>(
        &self,
        bytes_max: usize,
        keys: &str,
    ) -> Result<T, PolicyError> {
        if self.text.len() > bytes_max {
            let reason =
                format!("the file has {} bytes; at most {bytes_max} are allowed", self.text.len());
            return Err(self.error(0..0, reason, "Remove entries that nothing needs any more."));
        }
        toml::from_str(self.text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            let hint = format!("The file may have entries {keys}, and nothing else.");
            self.error(span, error.message().replace('\n', " "), &hint)
        })
    }

    pub(crate) fn at_most(&self, what: &str, count: usize, max: usize) -> Result<(), PolicyError> {
        if count <= max {
            return Ok(());
        }
        let reason = format!("there are {count} {what}; at most {max} are allowed");
        Err(self.error(0..0, reason, "Remove entries that nothing needs any more."))
    }

    /// A list of capabilities; each rule keeps the place of its own item.
    pub(crate) fn capabilities(
        &self,
        list: Vec<Spanned<CapabilityDeclaration>>,
        reason: &str,
    ) -> Result<CapabilitySet, PolicyError> {
        self.at_most("capabilities in one list", list.len(), CAPABILITIES_MAX)?;
        let mut set = CapabilitySet::default();
        for item in list {
            let subject = Subject::of(item.get_ref()).map_err(|error| {
                let hint = "A capability is one of { table = \"…\", verbs = […], columns = […] }, \
                            { message = \"…\" }, { impersonate = \"…\" }, { directory = \"…\", \
                            access = […] }, { http = \"https://…\" }, { secret = \"…\", origins = […] } and \
                            { limit = \"…\", value = … }.";
                self.error(item.span(), error.to_string(), hint)
            })?;
            let own = &item.get_ref().reason;
            let reason = if own.is_empty() { reason } else { own };
            let rule = Rule { place: self.place(item.span().start), reason: reason.to_owned() };
            set.add(subject, Arc::new(rule));
        }
        Ok(set)
    }

    /// Ids are plain ASCII, so that none looks like another.
    pub(crate) fn package(&self, package: Spanned<String>) -> Result<String, PolicyError> {
        if !is_package_id(package.get_ref()) {
            let reason = format!("{:?} is not a package id", package.get_ref());
            let hint = "Give one package by its full id, such as \"samples/phone-numbers\"; there \
                        are no wildcards.";
            return Err(self.error(package.span(), reason, hint));
        }
        Ok(package.into_inner())
    }

    /// Which packages an entry is about.
    pub(crate) fn pattern(&self, text: Spanned<String>) -> Result<PackagePattern, PolicyError> {
        PackagePattern::parse(text.get_ref()).ok_or_else(|| {
            let reason = format!("{:?} names no packages", text.get_ref());
            let hint = "Give a package id, a prefix such as \"acme/*\", or \"*\".";
            self.error(text.span(), reason, hint)
        })
    }

    pub(crate) fn sha256(&self, sha256: Spanned<String>) -> Result<String, PolicyError> {
        let text = sha256.get_ref();
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let reason = format!("{text:?} is not a SHA-256 hash");
            let hint = "Give 64 hex digits: `offstage plugin manifest FILE.wasm` prints them.";
            return Err(self.error(sha256.span(), reason, hint));
        }
        Ok(text.to_ascii_lowercase())
    }

    /// The reason of an entry; `why` is what it should say.
    pub(crate) fn reason(&self, reason: Spanned<String>, why: &str) -> Result<String, PolicyError> {
        if reason.get_ref().trim().is_empty() {
            return Err(self.error(reason.span(), "the reason is empty".to_owned(), why));
        }
        Ok(reason.into_inner())
    }

    pub(crate) fn error(&self, span: Range<usize>, reason: String, hint: &str) -> PolicyError {
        PolicyError {
            file: self.file.to_owned(),
            line: self.line(span.start),
            reason,
            hint: hint.to_owned(),
        }
    }

    /// A place as `file:line`.
    pub(crate) fn place(&self, offset: usize) -> String {
        format!("{}:{}", self.file, self.line(offset))
    }

    pub(crate) fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset) + 1
    }
}

/// Whether a text is the id of one package.
pub(crate) fn is_package_id(id: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    !id.is_empty() && id.len() <= PACKAGE_ID_BYTES_MAX && id.chars().all(allowed)
}
