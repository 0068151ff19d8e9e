//! Sets of capabilities: what a package requests, what an operator grants or denies, what bounds a
//! publisher.
//!
//! Sets are unions: the order of their rules has no effect (attack E04). Never decides between
//! sets; `permissions` does.

use crate::rule::{ANY, Columns, Subject};
use crate::{Capability, Column, FileAccess, Limit, Origin, OriginPattern, RuleError, Verb};
use offstage_model::registration::CapabilityDeclaration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Columns that decide who owns a row and where it stands in its life. A wildcard never covers
/// writing them; a rule must name them (attack B05).
pub const PROTECTED_COLUMNS: [&str; 5] =
    ["ownerid", "owningbusinessunit", "statecode", "statuscode", "overriddencreatedon"];

/// Where a rule is written, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The place, as `file:line`; for a request, `the package`.
    pub place: String,
    /// The reason that was given.
    pub reason: String,
}

/// A union of rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CapabilitySet {
    tables: BTreeMap<String, Vec<TableRule>>,
    messages: BTreeMap<String, Arc<Rule>>,
    users: BTreeMap<String, Arc<Rule>>,
    directories: BTreeMap<String, Vec<FileRule>>,
    origins: Vec<(OriginPattern, Arc<Rule>)>,
    secrets: BTreeMap<String, Vec<SecretRule>>,
    limits: BTreeMap<Limit, (u64, Arc<Rule>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct TableRule {
    verbs: BTreeSet<Verb>,
    columns: Columns,
    rule: Arc<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct FileRule {
    access: BTreeSet<FileAccess>,
    bytes_max: Option<u64>,
    files_max: Option<u64>,
    rule: Arc<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct SecretRule {
    /// Where it may be sent; `None`: the rule does not say.
    origins: Option<Vec<OriginPattern>>,
    rule: Arc<Rule>,
}

/// How much a plug-in may keep in a directory; `None`: no bound from this side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Bytes in all files.
    pub bytes_max: Option<u64>,
    /// Files.
    pub files_max: Option<u64>,
}

impl Quota {
    /// The stricter of both.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        let least = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        Self {
            bytes_max: least(self.bytes_max, other.bytes_max),
            files_max: least(self.files_max, other.files_max),
        }
    }
}

impl CapabilitySet {
    /// The set of what a package asks for.
    ///
    /// # Errors
    /// A request is not usable, or says no reason; with its index.
    pub fn of_requests<'a>(
        requests: impl IntoIterator<Item = &'a CapabilityDeclaration>,
    ) -> Result<Self, (usize, RuleError)> {
        let mut set = Self::default();
        for (index, request) in requests.into_iter().enumerate() {
            if request.reason.trim().is_empty() {
                return Err((index, RuleError::NoReason));
            }
            let subject = Subject::of(request).map_err(|error| (index, error))?;
            let rule = Rule { place: "the package".into(), reason: request.reason.clone() };
            set.add(subject, Arc::new(rule));
        }
        Ok(set)
    }

    pub(crate) fn add(&mut self, subject: Subject, rule: Arc<Rule>) {
        match subject {
            Subject::Table { table, verbs, columns } => {
                self.tables.entry(table).or_default().push(TableRule { verbs, columns, rule });
            }
            Subject::Message(name) => {
                self.messages.entry(name).or_insert(rule);
            }
            Subject::Impersonate(user) => {
                self.users.entry(user).or_insert(rule);
            }
            Subject::Directory(directory) => {
                let (bytes_max, files_max) = (directory.bytes_max, directory.files_max);
                let file = FileRule { access: directory.access, bytes_max, files_max, rule };
                self.directories.entry(directory.name).or_default().push(file);
            }
            Subject::Http(pattern) => self.origins.push((pattern, rule)),
            Subject::Secret { name, origins } => {
                let origins = (!origins.is_empty()).then_some(origins);
                self.secrets.entry(name).or_default().push(SecretRule { origins, rule });
            }
            Subject::Limit { limit, value } => {
                self.add_limit(limit, value, rule);
            }
        }
    }

    /// Adds all rules of another set.
    pub(crate) fn extend(&mut self, other: &Self) {
        for (table, rules) in &other.tables {
            self.tables.entry(table.clone()).or_default().extend(rules.iter().cloned());
        }
        let named = [(&mut self.messages, &other.messages), (&mut self.users, &other.users)];
        for (own, more) in named {
            for (name, rule) in more {
                own.entry(name.clone()).or_insert_with(|| Arc::clone(rule));
            }
        }
        for (name, rules) in &other.secrets {
            self.secrets.entry(name.clone()).or_default().extend(rules.iter().cloned());
        }
        for (name, rules) in &other.directories {
            self.directories.entry(name.clone()).or_default().extend(rules.iter().cloned());
        }
        self.origins.extend(other.origins.iter().cloned());
        for (limit, (value, rule)) in &other.limits {
            self.add_limit(*limit, *value, Arc::clone(rule));
        }
    }

    fn add_limit(&mut self, limit: Limit, value: u64, rule: Arc<Rule>) {
        if self.limit(limit).is_none_or(|known| known < value) {
            self.limits.insert(limit, (value, rule));
        }
    }

    /// Ties each secret whose rule names no origin to the one that this set is about. Without just one,
    /// nobody said which of them may see the secret, so none does.
    pub(crate) fn tie_secrets(&mut self) {
        let mut only: Vec<OriginPattern> = Vec::new();
        for (pattern, _) in &self.origins {
            if !only.contains(pattern) {
                only.push(pattern.clone());
            }
        }
        if only.len() != 1 || only.iter().any(|pattern| pattern.only().is_none()) {
            only.clear();
        }
        for rule in self.secrets.values_mut().flatten() {
            rule.origins.get_or_insert_with(|| only.clone());
        }
    }

    /// The rule that allows `capability`, when this is a set of what is allowed.
    #[must_use]
    pub fn covers(&self, capability: &Capability<'_>) -> Option<&Rule> {
        let secret = |rule: &SecretRule, to: Option<&Origin>| rule.covers(to);
        self.find(capability, |rule, verb, column| rule.covers(verb, column), secret)
    }

    /// The rule that forbids `capability`, when this is a set of what is forbidden: also one that
    /// is about a part of it only.
    #[must_use]
    pub fn touches(&self, capability: &Capability<'_>) -> Option<&Rule> {
        let secret = |rule: &SecretRule, to: Option<&Origin>| rule.touches(to);
        self.find(capability, |rule, verb, column| rule.touches(verb, column), secret)
    }

    fn find(
        &self,
        capability: &Capability<'_>,
        about: impl Fn(&TableRule, Verb, Column<'_>) -> bool,
        about_secret: impl Fn(&SecretRule, Option<&Origin>) -> bool,
    ) -> Option<&Rule> {
        match capability {
            Capability::Table { table, verb, column } => self
                .table_rules(table)
                .find(|rule| rule.verbs.contains(verb) && about(rule, *verb, *column))
                .map(|rule| &*rule.rule),
            Capability::Message(name) => named_or_any(&self.messages, name),
            Capability::Impersonate(user) => named_or_any(&self.users, user),
            Capability::File { directory, access } => self
                .directories
                .get(*directory)?
                .iter()
                .find(|rule| rule.access.contains(access))
                .map(|rule| &*rule.rule),
            Capability::Http(origin) => self
                .origins
                .iter()
                .find(|(pattern, _)| pattern.matches(origin))
                .map(|(_, rule)| &**rule),
            Capability::Secret { name, to } => self
                .secrets
                .get(*name)?
                .iter()
                .find(|rule| about_secret(rule, to.as_ref()))
                .map(|rule| &*rule.rule),
        }
    }

    fn table_rules(&self, table: &str) -> impl Iterator<Item = &TableRule> {
        self.tables.get(table).into_iter().chain(self.tables.get(ANY)).flatten()
    }

    /// The value of a limit, when a rule sets it; of several, the largest.
    #[must_use]
    pub fn limit(&self, limit: Limit) -> Option<u64> {
        self.limits.get(&limit).map(|(value, _)| *value)
    }

    /// The value of a limit with the place of the rule that sets it.
    pub(crate) fn placed_limit(&self, limit: Limit) -> Option<(u64, &str)> {
        self.limits.get(&limit).map(|(value, rule)| (*value, rule.place.as_str()))
    }

    /// The names of all directories that rules are about.
    pub fn directories(&self) -> impl Iterator<Item = &str> {
        self.directories.keys().map(String::as_str)
    }

    /// The quota of a directory: of several rules the most generous, where no bound is the most.
    #[must_use]
    pub fn quota(&self, directory: &str) -> Quota {
        let rules = self.directories.get(directory).map(Vec::as_slice).unwrap_or_default();
        let most = |bound: fn(&FileRule) -> Option<u64>| {
            rules.iter().map(bound).collect::<Option<Vec<u64>>>()?.into_iter().max()
        };
        Quota { bytes_max: most(|rule| rule.bytes_max), files_max: most(|rule| rule.files_max) }
    }

    /// Whether no rule is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl SecretRule {
    /// Whether it lets the secret go there; without a destination, whether it lets it go anywhere.
    fn covers(&self, to: Option<&Origin>) -> bool {
        match (&self.origins, to) {
            (None, _) => true,
            (Some(origins), None) => !origins.is_empty(),
            (Some(origins), Some(to)) => origins.iter().any(|pattern| pattern.matches(to)),
        }
    }

    /// Whether it forbids that; a rule about some origins leaves the others.
    fn touches(&self, to: Option<&Origin>) -> bool {
        match (&self.origins, to) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(origins), Some(to)) => origins.iter().any(|pattern| pattern.matches(to)),
        }
    }
}

impl TableRule {
    fn covers(&self, verb: Verb, column: Column<'_>) -> bool {
        match column {
            Column::Row => true,
            Column::Every => self.has_star(),
            Column::Named(name) => {
                self.names(name)
                    || (self.has_star()
                        && !(verb.writes_columns() && PROTECTED_COLUMNS.contains(&name)))
            }
        }
    }

    /// A rule that names columns forbids those, and what would touch them too; one that names none
    /// forbids the verb as a whole. Removing a row removes all its columns.
    fn touches(&self, verb: Verb, column: Column<'_>) -> bool {
        let whole = self.has_star() || self.names_none() || verb == Verb::Delete;
        match column {
            Column::Row => whole,
            Column::Every => true,
            Column::Named(name) => whole || self.names(name),
        }
    }

    fn names_none(&self) -> bool {
        matches!(&self.columns, Columns::Named(names) if names.is_empty())
    }

    fn has_star(&self) -> bool {
        match &self.columns {
            Columns::Every => true,
            Columns::Named(names) => names.contains(ANY),
        }
    }

    fn names(&self, column: &str) -> bool {
        match &self.columns {
            Columns::Every => false,
            Columns::Named(names) => names.contains(column),
        }
    }
}

fn named_or_any<'a>(rules: &'a BTreeMap<String, Arc<Rule>>, name: &str) -> Option<&'a Rule> {
    rules.get(name).or_else(|| rules.get(ANY)).map(|rule| &**rule)
}
