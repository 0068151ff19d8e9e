//! The trust file: which packages the operator of this machine allows.
//!
//! Never keeps a part of a file that has an error anywhere.

use crate::PolicyError;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::ops::Range;
use toml::Spanned;

/// The largest trust file, in bytes.
pub const TRUST_FILE_BYTES_MAX: usize = 1 << 20;
/// The most pins in one file.
pub const PINS_MAX: usize = 10_000;
/// The longest package id, in bytes.
const PACKAGE_ID_BYTES_MAX: usize = 128;
/// What every entry looks like, for hints.
const EXAMPLE: &str = "[[pin]] with package = \"…\", sha256 = \"…\" and reason = \"…\"";

/// A parsed trust file. The default has no file and no rules: nothing is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustFile {
    file: String,
    missing: bool,
    pins: Vec<Pin>,
}

/// Allows one package with one content hash, unsigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The package id.
    pub package: String,
    /// SHA-256 of the component, in lower-case hex.
    pub sha256: String,
    /// Why it is allowed; for the next person who reads the file.
    pub reason: String,
    /// The line of the entry, counted from 1.
    pub line: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    #[serde(default)]
    pin: Vec<Spanned<PinForm>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PinForm {
    package: Spanned<String>,
    sha256: Spanned<String>,
    reason: Spanned<String>,
}

impl TrustFile {
    /// The trust of a machine that has no trust file: nothing is allowed, and denials say why.
    #[must_use]
    pub fn missing(file: &str) -> Self {
        Self { file: file.to_owned(), missing: true, pins: Vec::new() }
    }

    /// Reads a trust file; `file` is its name, for errors and decisions.
    ///
    /// # Errors
    /// The text is no TOML, has a key that does not exist, or a value that is not usable.
    pub fn parse(text: &str, file: &str) -> Result<Self, PolicyError> {
        let source = Source { text, file };
        if text.len() > TRUST_FILE_BYTES_MAX {
            let reason = format!(
                "the file has {} bytes; at most {TRUST_FILE_BYTES_MAX} are allowed",
                text.len()
            );
            return Err(source.error(0..0, reason, "Remove entries that nothing needs any more."));
        }
        let form: FileForm = toml::from_str(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            let hint = format!("The file may have entries {EXAMPLE}, and nothing else.");
            source.error(span, error.message().replace('\n', " "), &hint)
        })?;
        if form.pin.len() > PINS_MAX {
            let reason =
                format!("there are {} pins; at most {PINS_MAX} are allowed", form.pin.len());
            return Err(source.error(0..0, reason, "Remove entries that nothing needs any more."));
        }
        let mut seen = BTreeSet::new();
        let mut pins = Vec::with_capacity(form.pin.len());
        for entry in form.pin {
            let span = entry.span();
            let pin = source.pin(entry)?;
            if !seen.insert((pin.package.clone(), pin.sha256.clone())) {
                let reason = format!("'{}' is pinned to this hash twice", pin.package);
                return Err(source.error(span, reason, "Remove one of the two entries."));
            }
            pins.push(pin);
        }
        Ok(Self { file: file.to_owned(), missing: false, pins })
    }

    /// The file's name; empty for the default.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Whether there is no such file.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.missing
    }

    /// All pins, in the order of the file.
    #[must_use]
    pub fn pins(&self) -> &[Pin] {
        &self.pins
    }

    /// The lines that allow one package with one content hash, to be added to a trust file.
    #[must_use]
    pub fn pin_lines(package: &str, sha256: &str, reason: &str) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        format!(
            "[[pin]]\npackage = {}\nsha256 = {}\nreason = {}\n",
            quoted(package),
            quoted(sha256),
            quoted(reason)
        )
    }
}

/// The text of a file, for errors that name a line.
struct Source<'a> {
    text: &'a str,
    file: &'a str,
}

impl Source<'_> {
    fn pin(&self, entry: Spanned<PinForm>) -> Result<Pin, PolicyError> {
        let line = self.line(entry.span().start);
        let form = entry.into_inner();
        Ok(Pin {
            package: self.package(form.package)?,
            sha256: self.sha256(form.sha256)?,
            reason: self.reason(form.reason)?,
            line,
        })
    }

    /// Ids are plain ASCII, so that none looks like another.
    fn package(&self, package: Spanned<String>) -> Result<String, PolicyError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        let id = package.get_ref();
        if id.is_empty() || id.len() > PACKAGE_ID_BYTES_MAX || !id.chars().all(allowed) {
            let reason = format!("{id:?} is not a package id");
            let hint = "Give one package by its full id, such as \"samples/phone-numbers\"; there \
                        are no wildcards.";
            return Err(self.error(package.span(), reason, hint));
        }
        Ok(package.into_inner())
    }

    fn sha256(&self, sha256: Spanned<String>) -> Result<String, PolicyError> {
        let text = sha256.get_ref();
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let reason = format!("{text:?} is not a SHA-256 hash");
            let hint = "Give 64 hex digits: `sha256sum FILE.wasm` prints them.";
            return Err(self.error(sha256.span(), reason, hint));
        }
        Ok(text.to_ascii_lowercase())
    }

    fn reason(&self, reason: Spanned<String>) -> Result<String, PolicyError> {
        if reason.get_ref().trim().is_empty() {
            let text = "the reason is empty".to_owned();
            return Err(self.error(reason.span(), text, "Say why this package may run here."));
        }
        Ok(reason.into_inner())
    }

    fn error(&self, span: Range<usize>, reason: String, hint: &str) -> PolicyError {
        PolicyError {
            file: self.file.to_owned(),
            line: self.line(span.start),
            reason,
            hint: hint.to_owned(),
        }
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().iter().take(offset);
        before.filter(|byte| **byte == b'\n').count() + 1
    }
}
