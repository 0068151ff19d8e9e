//! The policy file: what the operator of this machine grants to plug-ins, and what nobody gets.
//!
//! Never keeps a part of a file that has an error anywhere.

use crate::registration::{self, Registration, RegistrationDenial, RegistrationForm};
use crate::source::Source;
use crate::{Capability, CapabilitySet, PackagePattern, PolicyError};
use offstage_model::registration::{CapabilityDeclaration, StepDeclaration};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// The largest policy file, in bytes.
pub const POLICY_FILE_BYTES_MAX: usize = 1 << 20;
/// The most entries of each kind in one file.
const ENTRIES_MAX: usize = 10_000;
const KEYS: &str = "[[grant]] with package = \"…\" or publisher = \"…\", reason = \"…\" and allow \
                    = […]; [[deny]] with package = \"…\", reason = \"…\" and deny = […]; \
                    [[registration]] with package = \"…\", reason = \"…\" and any of messages, \
                    tables, stages and ranks; and [[directory]] with name = \"…\" and path = \
                    \"…\"";

/// A parsed policy file. The default has no file and no rules: nothing is granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyFile {
    file: String,
    missing: bool,
    grants: Vec<Grant>,
    denies: Vec<Deny>,
    registrations: Vec<Registration>,
    directories: BTreeMap<String, Directory>,
}

/// What some packages are granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The packages; `None`: all of the publisher.
    pub package: Option<PackagePattern>,
    /// The publisher that must have signed; `None`: any, or nobody.
    pub publisher: Option<String>,
    /// Why.
    pub reason: String,
    /// The line of the entry, counted from 1.
    pub line: usize,
    /// What is granted.
    pub allow: CapabilitySet,
    /// The same, as it is written.
    pub rules: Vec<CapabilityDeclaration>,
}

/// What some packages never get, whoever grants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deny {
    /// The packages.
    pub package: PackagePattern,
    /// Why.
    pub reason: String,
    /// The line of the entry, counted from 1.
    pub line: usize,
    /// What is denied.
    pub deny: CapabilitySet,
    /// The same, as it is written.
    pub rules: Vec<CapabilityDeclaration>,
}

/// A directory that grants name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// The name that plug-ins use.
    pub name: String,
    /// The absolute path on this machine. Plug-ins never learn it.
    pub path: String,
    /// The line of the entry, counted from 1.
    pub line: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    #[serde(default)]
    grant: Vec<Spanned<GrantForm>>,
    #[serde(default)]
    deny: Vec<Spanned<DenyForm>>,
    #[serde(default)]
    registration: Vec<Spanned<RegistrationForm>>,
    #[serde(default)]
    directory: Vec<Spanned<DirectoryForm>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantForm {
    package: Option<Spanned<String>>,
    publisher: Option<Spanned<String>>,
    reason: Spanned<String>,
    allow: Vec<Spanned<CapabilityDeclaration>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DenyForm {
    package: Spanned<String>,
    reason: Spanned<String>,
    deny: Vec<Spanned<CapabilityDeclaration>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DirectoryForm {
    name: Spanned<String>,
    path: Spanned<String>,
}

impl PolicyFile {
    /// The policy of a machine that has no policy file: nothing is granted.
    #[must_use]
    pub fn missing(file: &str) -> Self {
        Self { file: file.to_owned(), missing: true, ..Self::default() }
    }

    /// Reads a policy file; `file` is its name, for errors and decisions.
    ///
    /// # Errors
    /// The text is no TOML, has a key that does not exist, or a value that is not usable.
    pub fn parse(text: &str, file: &str) -> Result<Self, PolicyError> {
        let source = Source::new(text, file);
        let form: FileForm = source.form(POLICY_FILE_BYTES_MAX, KEYS)?;
        source.at_most("grants", form.grant.len(), ENTRIES_MAX)?;
        source.at_most("deny entries", form.deny.len(), ENTRIES_MAX)?;
        source.at_most("registration entries", form.registration.len(), ENTRIES_MAX)?;
        source.at_most("directories", form.directory.len(), ENTRIES_MAX)?;
        let grants = form.grant.into_iter().map(|entry| grant(&source, entry));
        let denies = form.deny.into_iter().map(|entry| deny(&source, entry));
        let (grants, denies) =
            (grants.collect::<Result<_, _>>()?, denies.collect::<Result<_, _>>()?);
        let registrations = form.registration.into_iter();
        let registrations = registrations.map(|entry| Registration::of(&source, entry));
        let registrations = registrations.collect::<Result<_, _>>()?;
        let mut directories = BTreeMap::new();
        for entry in form.directory {
            let span = entry.span();
            let directory = directory(&source, entry)?;
            if directories.contains_key(&directory.name) {
                let reason = format!("the directory '{}' is there twice", directory.name);
                return Err(source.error(span, reason, "Remove one of the two entries."));
            }
            directories.insert(directory.name.clone(), directory);
        }
        Ok(Self {
            file: file.to_owned(),
            missing: false,
            grants,
            denies,
            registrations,
            directories,
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

    /// All grants, in the order of the file.
    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// All deny entries, in the order of the file.
    #[must_use]
    pub fn denies(&self) -> &[Deny] {
        &self.denies
    }

    /// All entries about registration, in the order of the file.
    #[must_use]
    pub fn registrations(&self) -> &[Registration] {
        &self.registrations
    }

    /// Whether a step of a package may be registered here.
    ///
    /// # Errors
    /// It is outside of what the entries about the package allow, or, without any, its rank is
    /// below 1.
    pub fn may_register(
        &self,
        package: &str,
        step: &StepDeclaration,
    ) -> Result<(), RegistrationDenial> {
        registration::decide(&self.registrations, package, step)
    }

    /// The directory that grants know under this name.
    #[must_use]
    pub fn directory(&self, name: &str) -> Option<&Directory> {
        self.directories.get(name)
    }

    /// All directories, by name.
    pub fn directories(&self) -> impl Iterator<Item = &Directory> {
        self.directories.values()
    }

    /// The same policy with its directories at other places: for trying what plug-ins do without
    /// letting them near the real files.
    #[must_use]
    pub fn with_directories_at(mut self, place: impl Fn(&str) -> String) -> Self {
        for directory in self.directories.values_mut() {
            directory.path = place(&directory.name);
        }
        self
    }

    /// The lines that grant one capability to one package, to be added to a policy file.
    #[must_use]
    pub fn grant_lines(package: &str, reason: &str, rules: &[String]) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let rules: String = rules.iter().map(|rule| format!("  {rule},\n")).collect();
        format!(
            "[[grant]]\npackage = {}\nreason = {}\nallow = [\n{rules}]\n",
            quoted(package),
            quoted(reason)
        )
    }

    /// The lines that would allow exactly this capability to one package.
    #[must_use]
    pub fn lines_for(package: &str, capability: &Capability<'_>) -> String {
        Self::grant_lines(package, "…", &[capability.rule_line()])
    }
}

fn grant(source: &Source<'_>, entry: Spanned<GrantForm>) -> Result<Grant, PolicyError> {
    let (span, line) = (entry.span(), source.line(entry.span().start));
    let form = entry.into_inner();
    if form.package.is_none() && form.publisher.is_none() {
        let reason = "the grant says neither package nor publisher".to_owned();
        let hint = "Add package = \"vendor/name\"; package = \"*\" is every package.";
        return Err(source.error(span, reason, hint));
    }
    let reason = source.reason(form.reason, "Say why this is granted.")?;
    Ok(Grant {
        package: form.package.map(|package| source.pattern(package)).transpose()?,
        publisher: form.publisher.map(Spanned::into_inner),
        line,
        rules: form.allow.iter().map(|item| item.get_ref().clone()).collect(),
        allow: source.capabilities(form.allow, &reason)?,
        reason,
    })
}

fn deny(source: &Source<'_>, entry: Spanned<DenyForm>) -> Result<Deny, PolicyError> {
    let line = source.line(entry.span().start);
    let form = entry.into_inner();
    let reason = source.reason(form.reason, "Say why nobody gets this.")?;
    if let Some(limit) = form.deny.iter().find(|item| item.get_ref().limit.is_some()) {
        let text = "a limit cannot be denied".to_owned();
        return Err(source.error(limit.span(), text, "Grant the limit with another value."));
    }
    Ok(Deny {
        package: source.pattern(form.package)?,
        line,
        rules: form.deny.iter().map(|item| item.get_ref().clone()).collect(),
        deny: source.capabilities(form.deny, &reason)?,
        reason,
    })
}

fn directory(source: &Source<'_>, entry: Spanned<DirectoryForm>) -> Result<Directory, PolicyError> {
    let line = source.line(entry.span().start);
    let form = entry.into_inner();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if form.name.get_ref().is_empty() || !form.name.get_ref().bytes().all(plain) {
        let reason = format!("{:?} is not a directory name", form.name.get_ref());
        return Err(source.error(form.name.span(), reason, "Use letters, digits, '_', '-', '.'."));
    }
    // Checked as text: the file may be checked on another machine than the one it is for.
    let path = form.path.get_ref();
    let absolute = path.starts_with('/') || path.as_bytes().get(1) == Some(&b':');
    if !absolute || path.split(['/', '\\']).any(|part| part == "..") {
        let reason = format!("{path:?} is not an absolute path without '..'");
        return Err(source.error(form.path.span(), reason, "Write the whole path."));
    }
    Ok(Directory { name: form.name.into_inner(), path: form.path.into_inner(), line })
}
