//! Tables, keys, states and relationships. Never holds rows.

use super::column::Column;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who owns rows of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ownership {
    /// A user or a team.
    #[default]
    User,
    /// Nobody in particular.
    Organization,
}

/// A table as it is defined; [`super::Catalog`] adds the system columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The logical name: lower-case ASCII letters, digits and underscores.
    pub name: String,
    /// The name of the set in the Web API, such as `accounts`.
    pub set: String,
    /// What people read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// The primary id column; `<name>id` when empty.
    #[serde(default)]
    pub primary_id: String,
    /// The primary name column; must be text.
    pub primary_name: String,
    /// Who owns rows.
    #[serde(default)]
    pub ownership: Ownership,
    /// Whether devices may take the table offline (`IsAvailableOffline`).
    #[serde(default = "yes")]
    pub offline: bool,
    /// A table that only administrators may change: users, teams, business units.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub administrative: bool,
    /// A table of links of a many-to-many relationship.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub intersect: bool,
    /// The columns by logical name.
    pub columns: BTreeMap<String, Column>,
    /// Alternate keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<AlternateKey>,
    /// States with their statuses; `Active` and `Inactive` when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<State>,
}

fn yes() -> bool {
    true
}

impl Table {
    /// The column, or `None`.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.get(name)
    }

    /// The state that a status belongs to.
    #[must_use]
    pub fn state_of(&self, status: i32) -> Option<&State> {
        self.states.iter().find(|state| state.statuses.iter().any(|s| s.value == status))
    }

    /// The state with this value.
    #[must_use]
    pub fn state(&self, value: i32) -> Option<&State> {
        self.states.iter().find(|state| state.value == value)
    }

    /// What people call the table.
    #[must_use]
    pub fn display_name(&self) -> &str {
        if self.label.is_empty() { &self.name } else { &self.label }
    }
}

/// Columns that together name one row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlternateKey {
    /// The key's name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<String>,
}

/// A state of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The value of `statecode`.
    pub value: i32,
    /// What people read.
    pub label: String,
    /// The reasons; the first one is the default.
    pub statuses: Vec<Status>,
    /// A row in this state is over: only its state, its owner and what it is about can change until
    /// it is opened again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
}

/// A status: the reason of a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// The value of `statuscode`.
    pub value: i32,
    /// What people read.
    pub label: String,
    /// The statuses that a row with this one may change to; empty means every one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transitions: Vec<i32>,
}

/// What happens to children when something happens to the parent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cascade {
    /// The same happens to them.
    Cascade,
    /// Their lookup is cleared (delete only).
    RemoveLink,
    /// It is refused while there are any (delete only).
    Restrict,
    /// Nothing.
    #[default]
    None,
}

/// A relationship.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relationship {
    /// Many rows refer to one.
    OneToMany(OneToMany),
    /// Rows of two tables are linked freely.
    ManyToMany(ManyToMany),
}

impl Relationship {
    /// The relationship's schema name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::OneToMany(r) => &r.name,
            Self::ManyToMany(r) => &r.name,
        }
    }
}

/// Many rows of `child` refer by `lookup` to one row of `parent`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneToMany {
    /// The schema name.
    pub name: String,
    /// The referenced table.
    pub parent: String,
    /// The referencing table.
    pub child: String,
    /// The lookup column of the child.
    pub lookup: String,
    /// What a delete of the parent does.
    #[serde(default = "remove_link")]
    pub delete: Cascade,
    /// What an assign of the parent does.
    #[serde(default)]
    pub assign: Cascade,
    /// Children are parts of the parent: a change of one is a change of the parent, so that whoever
    /// holds the parent learns of it (the parties of an activity).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub parts: bool,
}

fn remove_link() -> Cascade {
    Cascade::RemoveLink
}

/// Rows of `first` and `second` are linked by rows of the table `intersect`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManyToMany {
    /// The schema name.
    pub name: String,
    /// One table.
    pub first: String,
    /// The other.
    pub second: String,
    /// The table of the links; has the lookups `<first>id` and `<second>id`.
    pub intersect: String,
}

impl ManyToMany {
    /// The lookup columns of the intersect table: of `first`, of `second`. A table that is linked
    /// with itself gets `<first>idone` and `<first>idtwo`, as on the platform.
    #[must_use]
    pub fn lookups(&self) -> (String, String) {
        if self.first == self.second {
            (format!("{}idone", self.first), format!("{}idtwo", self.first))
        } else {
            (format!("{}id", self.first), format!("{}id", self.second))
        }
    }
}
