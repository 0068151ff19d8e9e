//! One written capability, checked.
//!
//! Never guesses: a key that does not belong to the kind is an error, and so is a missing one.

use crate::{FileAccess, Limit, OriginPattern, Verb};
use offstage_model::registration::CapabilityDeclaration;
use offstage_model::request::message;
use std::collections::BTreeSet;

/// Stands for every table, column, message or user.
pub(crate) const ANY: &str = "*";
/// The longest name of a table, column, message, directory or secret, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// The kinds, for errors.
const KINDS: &str = "table, message, impersonate, directory, http, secret, limit";

/// What is wrong with a written capability.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// It says nothing, or more than one thing.
    #[error("a capability has exactly one of {KINDS}; this one has {found}")]
    Kind {
        /// How many it has.
        found: usize,
    },
    /// A key that belongs to another kind.
    #[error("'{key}' does not belong to a capability with '{kind}'")]
    Stray {
        /// The key.
        key: &'static str,
        /// The kind.
        kind: &'static str,
    },
    /// A key that the kind needs.
    #[error("a capability with '{kind}' needs '{key}'")]
    Missing {
        /// The kind.
        kind: &'static str,
        /// The key.
        key: &'static str,
    },
    /// A word that is none of those that are known.
    #[error("'{word}' is none of {known}")]
    Word {
        /// The word.
        word: String,
        /// The known ones.
        known: String,
    },
    /// A name that is empty, too long or not plain ASCII.
    #[error("{name:?} is not a {what}")]
    Name {
        /// The name.
        name: String,
        /// What it should be.
        what: &'static str,
    },
    /// An HTTP origin that is none.
    #[error("{origin:?} is not an HTTP origin: {reason}")]
    Origin {
        /// The text.
        origin: String,
        /// Why not.
        reason: String,
    },
    /// A request without a reason.
    #[error("the reason is empty")]
    NoReason,
}

/// The columns of a rule about a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Columns {
    /// Every column.
    Every,
    /// These.
    Named(BTreeSet<String>),
}

/// What a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Table { table: String, verbs: BTreeSet<Verb>, columns: Columns },
    Message(String),
    Impersonate(String),
    Directory(DirectoryRule),
    Http(OriginPattern),
    Secret { name: String, origins: Vec<OriginPattern> },
    Limit { limit: Limit, value: u64 },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DirectoryRule {
    pub(crate) name: String,
    pub(crate) access: BTreeSet<FileAccess>,
    pub(crate) bytes_max: Option<u64>,
    pub(crate) files_max: Option<u64>,
}

impl Subject {
    /// Checks what was written.
    pub(crate) fn of(declaration: &CapabilityDeclaration) -> Result<Self, RuleError> {
        let kind = kind(declaration)?;
        stray(declaration, kind)?;
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Ok(match kind {
            "table" => Self::Table {
                table: any_or(&declaration.table, |text| catalog_name(text, "table"))?,
                verbs: words(
                    kind,
                    "verbs",
                    &declaration.verbs,
                    Verb::of,
                    "create, read, update, delete",
                )?,
                columns: columns(declaration)?,
            },
            "message" => Self::Message(any_or(&declaration.message, message_name)?),
            "impersonate" => Self::Impersonate(user(&text(&declaration.impersonate))?),
            "directory" => Self::Directory(DirectoryRule {
                name: name(&text(&declaration.directory), "directory name")?,
                access: words(kind, "access", &declaration.access, FileAccess::of, "read, write")?,
                bytes_max: declaration.bytes_max,
                files_max: declaration.files_max,
            }),
            "http" => Self::Http(origin(&text(&declaration.http))?),
            "secret" => Self::Secret {
                name: name(&text(&declaration.secret), "name of a secret")?,
                origins: declaration.origins.iter().map(|o| origin(o)).collect::<Result<_, _>>()?,
            },
            _ => {
                let word = text(&declaration.limit);
                let known = Limit::ALL.map(Limit::name).join(", ");
                let limit = Limit::of(&word).ok_or(RuleError::Word { word, known })?;
                let missing = RuleError::Missing { kind, key: "value" };
                Self::Limit { limit, value: declaration.value.ok_or(missing)? }
            }
        })
    }
}

fn kind(declaration: &CapabilityDeclaration) -> Result<&'static str, RuleError> {
    let kinds = [
        ("table", declaration.table.is_some()),
        ("message", declaration.message.is_some()),
        ("impersonate", declaration.impersonate.is_some()),
        ("directory", declaration.directory.is_some()),
        ("http", declaration.http.is_some()),
        ("secret", declaration.secret.is_some()),
        ("limit", declaration.limit.is_some()),
    ];
    let mut present = kinds.iter().filter(|(_, present)| *present).map(|(kind, _)| *kind);
    match (present.next(), present.count()) {
        (Some(kind), 0) => Ok(kind),
        (None, _) => Err(RuleError::Kind { found: 0 }),
        (Some(_), more) => Err(RuleError::Kind { found: more + 1 }),
    }
}

/// Refuses a key that belongs to another kind: it would look like a bound and be none.
fn stray(declaration: &CapabilityDeclaration, kind: &'static str) -> Result<(), RuleError> {
    let keys = [
        ("verbs", "table", !declaration.verbs.is_empty()),
        ("columns", "table", !declaration.columns.is_empty()),
        ("access", "directory", !declaration.access.is_empty()),
        ("bytes_max", "directory", declaration.bytes_max.is_some()),
        ("files_max", "directory", declaration.files_max.is_some()),
        ("origins", "secret", !declaration.origins.is_empty()),
        ("value", "limit", declaration.value.is_some()),
    ];
    match keys.iter().find(|(_, owner, present)| *present && *owner != kind) {
        Some((key, ..)) => Err(RuleError::Stray { key, kind }),
        None => Ok(()),
    }
}

fn origin(text: &str) -> Result<OriginPattern, RuleError> {
    OriginPattern::parse(text).map_err(|error| RuleError::Origin {
        origin: text.chars().take(NAME_BYTES_MAX).collect(),
        reason: error.to_string(),
    })
}

fn words<T: Ord>(
    kind: &'static str,
    key: &'static str,
    words: &[String],
    of: impl Fn(&str) -> Option<T>,
    known: &str,
) -> Result<BTreeSet<T>, RuleError> {
    if words.is_empty() {
        return Err(RuleError::Missing { kind, key });
    }
    let word = |word: &String| {
        of(word).ok_or_else(|| RuleError::Word { word: word.clone(), known: known.to_owned() })
    };
    words.iter().map(word).collect()
}

fn columns(declaration: &CapabilityDeclaration) -> Result<Columns, RuleError> {
    let named = declaration.columns.iter().filter(|column| *column != ANY);
    let names =
        named.map(|column| catalog_name(column, "column")).collect::<Result<BTreeSet<_>, _>>()?;
    let every = declaration.columns.iter().any(|column| column == ANY);
    // Beside `*`, names add the protected columns that `*` does not cover.
    match (every, names.is_empty()) {
        (true, true) => Ok(Columns::Every),
        (true, false) => {
            let with_star = names.into_iter().chain([ANY.to_owned()]);
            Ok(Columns::Named(with_star.collect()))
        }
        (false, _) => Ok(Columns::Named(names)),
    }
}

fn any_or(
    text: &Option<String>,
    name: impl Fn(&str) -> Result<String, RuleError>,
) -> Result<String, RuleError> {
    match text.as_deref() {
        Some(ANY) => Ok(ANY.to_owned()),
        other => name(other.unwrap_or_default()),
    }
}

/// Tables and columns have lower-case names. A rule with another one would match nothing, and a deny
/// that matches nothing denies nothing (attack E02).
fn catalog_name(text: &str, what: &'static str) -> Result<String, RuleError> {
    let name = name(text, what)?;
    if name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
        return Ok(name);
    }
    Err(RuleError::Name { name, what })
}

/// The platform's messages are written as the platform writes them.
fn message_name(text: &str) -> Result<String, RuleError> {
    let name = name(text, "message")?;
    match message::ALL.iter().find(|known| known.eq_ignore_ascii_case(&name)) {
        Some(known) if **known != name => {
            Err(RuleError::Word { word: name, known: (*known).to_owned() })
        }
        _ => Ok(name),
    }
}

/// Names are plain ASCII, so that none looks like another.
fn name(text: &str, what: &'static str) -> Result<String, RuleError> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if text.is_empty() || text.len() > NAME_BYTES_MAX || !plain {
        let name = text.chars().take(NAME_BYTES_MAX).collect();
        return Err(RuleError::Name { name, what });
    }
    Ok(text.to_owned())
}

fn user(text: &str) -> Result<String, RuleError> {
    if text == ANY {
        return Ok(text.to_owned());
    }
    let user: Result<offstage_model::Uuid, _> = text.parse();
    let name = text.chars().take(NAME_BYTES_MAX).collect();
    user.map(|user| user.to_string()).map_err(|_| RuleError::Name { name, what: "user id" })
}
