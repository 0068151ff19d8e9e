//! Capabilities: what a plug-in can do beyond computing, as one question each.
//!
//! A question is about one thing (`read contact.creditlimit`); rules, which may be about many, are
//! in `set`. Never decides.

use crate::Origin;
use std::fmt;

/// What is done to rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Making a row, with values for columns.
    Create,
    /// Reading columns: returned, compared, sorted by, or followed to another table.
    Read,
    /// Changing columns.
    Update,
    /// Removing a row.
    Delete,
}

impl Verb {
    /// All verbs.
    pub const ALL: [Self; 4] = [Self::Create, Self::Read, Self::Update, Self::Delete];

    /// The word in policy files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// The verb of a word.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name() == name)
    }

    /// Whether it changes what the row holds.
    #[must_use]
    pub const fn writes_columns(self) -> bool {
        matches!(self, Self::Create | Self::Update)
    }
}

/// What is done to files of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileAccess {
    /// Reading and listing.
    Read,
    /// Making, changing and removing.
    Write,
}

impl FileAccess {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Read, Self::Write];

    /// The word in policy files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    /// The access of a word.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|access| access.name() == name)
    }
}

/// The part of a row that is touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column<'a> {
    /// No column: whether rows exist, and their ids.
    Row,
    /// Every column that the table has.
    Every,
    /// One column.
    Named(&'a str),
}

/// One thing that a plug-in is about to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability<'a> {
    /// Doing something to rows of a table.
    Table {
        /// The table.
        table: &'a str,
        /// What.
        verb: Verb,
        /// To which column.
        column: Column<'a>,
    },
    /// Sending a message that is more than one of the verbs.
    Message(&'a str),
    /// Acting as a user, given by id.
    Impersonate(&'a str),
    /// Using files of a directory, given by its name in the policy.
    File {
        /// The directory's name.
        directory: &'a str,
        /// What is done.
        access: FileAccess,
    },
    /// Sending HTTP requests to an origin.
    Http(Origin),
    /// Having a secret sent.
    Secret {
        /// Its name.
        name: &'a str,
        /// The origin that it is sent to; `None`: anywhere at all.
        to: Option<Origin>,
    },
}

impl<'a> Capability<'a> {
    /// The words for the kinds, as `offstage policy explain` takes them.
    pub const KINDS: [&'static str; 6] =
        ["table", "message", "impersonate", "file", "http", "secret"];

    /// A table, verb and column.
    #[must_use]
    pub const fn column(table: &'a str, verb: Verb, column: &'a str) -> Self {
        Self::Table { table, verb, column: Column::Named(column) }
    }

    /// The word for the kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Table { .. } => "table",
            Self::Message(_) => "message",
            Self::Impersonate(_) => "impersonate",
            Self::File { .. } => "file",
            Self::Http(_) => "http",
            Self::Secret { .. } => "secret",
        }
    }

    /// Reads what [`Capability::kind`] and [`Capability::resource`] wrote: `table` with
    /// `read:contact.fullname`, `read:contact` or `read:contact.*`; `message` with its name;
    /// `impersonate` with a user id; `file` with `write:reports`; `http` with an origin; `secret`
    /// with its name, or with `name@https://example.com`.
    ///
    /// # Errors
    /// What is wrong with the words, as a sentence.
    pub fn parse(kind: &str, resource: &'a str) -> Result<Self, String> {
        let split = || {
            resource
                .split_once(':')
                .ok_or_else(|| format!("'{resource}' names no verb; write it as 'read:{resource}'"))
        };
        match kind {
            "table" => {
                let (verb, rows) = split()?;
                let verb = Verb::of(verb)
                    .ok_or_else(|| format!("'{verb}' is none of create, read, update, delete"))?;
                let (table, column) = match rows.split_once('.') {
                    None => (rows, Column::Row),
                    Some((table, "*")) => (table, Column::Every),
                    Some((table, column)) => (table, Column::Named(column)),
                };
                Ok(Self::Table { table, verb, column })
            }
            "message" => Ok(Self::Message(resource)),
            "impersonate" => Ok(Self::Impersonate(resource)),
            "file" => {
                let (access, directory) = split()?;
                let access = FileAccess::of(access)
                    .ok_or_else(|| format!("'{access}' is none of read, write"))?;
                Ok(Self::File { directory, access })
            }
            "http" => Ok(Self::Http(Origin::parse(resource).map_err(|e| e.to_string())?)),
            "secret" => match resource.split_once('@') {
                None => Ok(Self::Secret { name: resource, to: None }),
                Some((name, origin)) => {
                    let to = Some(Origin::parse(origin).map_err(|e| e.to_string())?);
                    Ok(Self::Secret { name, to })
                }
            },
            _ => Err(format!("'{kind}' is none of {}", Self::KINDS.join(", "))),
        }
    }

    /// What it is about, without the kind.
    #[must_use]
    pub fn resource(&self) -> String {
        match self {
            Self::Table { table, verb, column } => {
                let verb = verb.name();
                match column {
                    Column::Row => format!("{verb}:{table}"),
                    Column::Every => format!("{verb}:{table}.*"),
                    Column::Named(column) => format!("{verb}:{table}.{column}"),
                }
            }
            Self::Message(name) | Self::Impersonate(name) => (*name).to_owned(),
            Self::Secret { name, to: None } => (*name).to_owned(),
            Self::Secret { name, to: Some(origin) } => format!("{name}@{origin}"),
            Self::File { directory, access } => format!("{}:{directory}", access.name()),
            Self::Http(origin) => origin.to_string(),
        }
    }

    /// The rule that would allow exactly this, as an inline table of TOML.
    #[must_use]
    pub fn rule_line(&self) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        match self {
            Self::Table { table, verb, column } => {
                let start = format!("{{ table = {}, verbs = [\"{}\"]", quoted(table), verb.name());
                match column {
                    Column::Row => format!("{start} }}"),
                    Column::Every => format!("{start}, columns = [\"*\"] }}"),
                    Column::Named(column) => format!("{start}, columns = [{}] }}", quoted(column)),
                }
            }
            Self::Message(name) => format!("{{ message = {} }}", quoted(name)),
            Self::Impersonate(user) => format!("{{ impersonate = {} }}", quoted(user)),
            Self::File { directory, access } => {
                format!("{{ directory = {}, access = [\"{}\"] }}", quoted(directory), access.name())
            }
            Self::Http(origin) => format!("{{ http = {} }}", quoted(&origin.to_string())),
            Self::Secret { name, to: None } => format!("{{ secret = {} }}", quoted(name)),
            Self::Secret { name, to: Some(origin) } => {
                let origin = quoted(&origin.to_string());
                format!("{{ secret = {}, origins = [{origin}] }}", quoted(name))
            }
        }
    }
}

impl fmt::Display for Capability<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.resource())
    }
}
