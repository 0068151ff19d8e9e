//! The trust file: which packages the operator of this machine allows.
//!
//! Never keeps a part of a file that has an error anywhere.

use crate::publisher::{Publisher, PublisherForm, key};
use crate::source::Source;
use crate::{PackagePattern, PolicyError};
use semver::Version;
use serde::Deserialize;
use std::collections::BTreeSet;
use toml::Spanned;

/// The largest trust file, in bytes.
pub const TRUST_FILE_BYTES_MAX: usize = 1 << 20;
/// The most entries of each kind in one file.
pub const PINS_MAX: usize = 10_000;
/// What the file may hold, for hints.
const KEYS: &str = "[[pin]] with package = \"…\", sha256 = \"…\" and reason = \"…\"; \
                    [[publisher]] with name, key, packages, ceiling and reason; [[revoked]] with \
                    key or sha256, and reason; and [[minimum]] with package, version and reason";

/// A parsed trust file. The default has no file and no rules: nothing is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustFile {
    file: String,
    missing: bool,
    pins: Vec<Pin>,
    publishers: Vec<Publisher>,
    revoked: Vec<Revoked>,
    minimums: Vec<Minimum>,
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

/// A key or a content hash that counts no more, whatever else allows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// The public key in base64, or the SHA-256 of a component in lower-case hex.
    pub what: String,
    /// Why.
    pub reason: String,
    /// The line of the entry, counted from 1.
    pub line: usize,
}

/// The oldest version of some packages that may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minimum {
    /// The packages.
    pub package: PackagePattern,
    /// The oldest version.
    pub version: Version,
    /// Why.
    pub reason: String,
    /// The line of the entry, counted from 1.
    pub line: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    #[serde(default)]
    pin: Vec<Spanned<PinForm>>,
    #[serde(default)]
    publisher: Vec<Spanned<PublisherForm>>,
    #[serde(default)]
    revoked: Vec<Spanned<RevokedForm>>,
    #[serde(default)]
    minimum: Vec<Spanned<MinimumForm>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PinForm {
    package: Spanned<String>,
    sha256: Spanned<String>,
    reason: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokedForm {
    key: Option<Spanned<String>>,
    sha256: Option<Spanned<String>>,
    reason: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MinimumForm {
    package: Spanned<String>,
    version: Spanned<String>,
    reason: Spanned<String>,
}

impl TrustFile {
    /// The trust of a machine that has no trust file: nothing is allowed, and denials say why.
    #[must_use]
    pub fn missing(file: &str) -> Self {
        Self { file: file.to_owned(), missing: true, ..Self::default() }
    }

    /// Reads a trust file; `file` is its name, for errors and decisions.
    ///
    /// # Errors
    /// The text is no TOML, has a key that does not exist, or a value that is not usable.
    pub fn parse(text: &str, file: &str) -> Result<Self, PolicyError> {
        let source = Source::new(text, file);
        let form: FileForm = source.form(TRUST_FILE_BYTES_MAX, KEYS)?;
        source.at_most("pins", form.pin.len(), PINS_MAX)?;
        source.at_most("publishers", form.publisher.len(), PINS_MAX)?;
        source.at_most("revocations", form.revoked.len(), PINS_MAX)?;
        source.at_most("minimum versions", form.minimum.len(), PINS_MAX)?;
        let revoked = form.revoked.into_iter().map(|entry| revoked(&source, entry));
        let minimums = form.minimum.into_iter().map(|entry| minimum(&source, entry));
        Ok(Self {
            file: file.to_owned(),
            missing: false,
            pins: pins(&source, form.pin)?,
            publishers: publishers(&source, form.publisher)?,
            revoked: revoked.collect::<Result<_, _>>()?,
            minimums: minimums.collect::<Result<_, _>>()?,
        })
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

    /// All publishers, in the order of the file.
    #[must_use]
    pub fn publishers(&self) -> &[Publisher] {
        &self.publishers
    }

    /// The publisher of this name.
    #[must_use]
    pub fn publisher(&self, name: &str) -> Option<&Publisher> {
        self.publishers.iter().find(|publisher| publisher.name == name)
    }

    /// All revocations, in the order of the file.
    #[must_use]
    pub fn revoked(&self) -> &[Revoked] {
        &self.revoked
    }

    /// All minimum versions, in the order of the file.
    #[must_use]
    pub fn minimums(&self) -> &[Minimum] {
        &self.minimums
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

    /// The lines that name the oldest version of one package that may run, to be added to a trust
    /// file.
    #[must_use]
    pub fn minimum_lines(package: &str, version: &str, reason: &str) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        format!(
            "[[minimum]]\npackage = {}\nversion = {}\nreason = {}\n",
            quoted(package),
            quoted(version),
            quoted(reason)
        )
    }
}

fn pins(source: &Source<'_>, entries: Vec<Spanned<PinForm>>) -> Result<Vec<Pin>, PolicyError> {
    let mut seen = BTreeSet::new();
    let mut pins = Vec::with_capacity(entries.len());
    for entry in entries {
        let (span, line) = (entry.span(), source.line(entry.span().start));
        let form = entry.into_inner();
        let pin = Pin {
            package: source.package(form.package)?,
            sha256: source.sha256(form.sha256)?,
            reason: source.reason(form.reason, "Say why this package may run here.")?,
            line,
        };
        if !seen.insert((pin.package.clone(), pin.sha256.clone())) {
            let reason = format!("'{}' is pinned to this hash twice", pin.package);
            return Err(source.error(span, reason, "Remove one of the two entries."));
        }
        pins.push(pin);
    }
    Ok(pins)
}

fn publishers(
    source: &Source<'_>,
    entries: Vec<Spanned<PublisherForm>>,
) -> Result<Vec<Publisher>, PolicyError> {
    let mut publishers: Vec<Publisher> = Vec::with_capacity(entries.len());
    for entry in entries {
        let span = entry.span();
        let publisher = Publisher::of(source, entry)?;
        // Two entries with one key would leave it open which ceiling and validity count.
        if publishers.iter().any(|p| p.name == publisher.name || p.key == publisher.key) {
            let reason = format!("the publisher '{}' or its key is there twice", publisher.name);
            return Err(source.error(span, reason, "Give each publisher one entry."));
        }
        publishers.push(publisher);
    }
    Ok(publishers)
}

fn revoked(source: &Source<'_>, entry: Spanned<RevokedForm>) -> Result<Revoked, PolicyError> {
    let (span, line) = (entry.span(), source.line(entry.span().start));
    let form = entry.into_inner();
    let what = match (form.key, form.sha256) {
        (Some(text), None) => key(source, text)?,
        (None, Some(text)) => source.sha256(text)?,
        _ => {
            let reason = "a revocation has either key or sha256".to_owned();
            return Err(source.error(span, reason, "Write one entry for each."));
        }
    };
    let reason = source.reason(form.reason, "Say why it counts no more.")?;
    Ok(Revoked { what, reason, line })
}

fn minimum(source: &Source<'_>, entry: Spanned<MinimumForm>) -> Result<Minimum, PolicyError> {
    let line = source.line(entry.span().start);
    let form = entry.into_inner();
    let package = PackagePattern::parse(form.package.get_ref()).ok_or_else(|| {
        let reason = format!("{:?} names no packages", form.package.get_ref());
        source.error(
            form.package.span(),
            reason,
            "Give a package id, or a prefix such as \"acme/*\".",
        )
    })?;
    let version = Version::parse(form.version.get_ref()).map_err(|error| {
        let reason = format!("{:?} is not a version: {error}", form.version.get_ref());
        source.error(form.version.span(), reason, "Write a version such as \"1.2.0\".")
    })?;
    let reason = source.reason(form.reason, "Say why older versions may not run.")?;
    Ok(Minimum { package, version, reason, line })
}
