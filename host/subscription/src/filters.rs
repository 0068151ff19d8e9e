//! Data filters: which rows a device takes offline. Never runs a query.

use crate::SyncError;
use offstage_model::metadata::{Ownership, Relationship};
use offstage_model::query::{CONDITIONS_MAX, Condition, Filter, Operator};
use offstage_model::{Catalog, Fault, code};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The most filters of one device.
pub const FILTERS_MAX: usize = 200;

/// Rows of one table that a device takes offline. Several filters of one table are a union; a table
/// without a filter is not taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFilter {
    /// The name by which people add and remove it; unique in the subscription.
    pub name: String,
    /// The table.
    pub table: String,
    /// Which rows; `None` takes all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
}

/// What the name of every system filter begins with, and of no other one.
pub const SYSTEM_PREFIX: &str = "system-";

/// Organization tables that every device takes: names of owners, and who may see what.
const ALWAYS: &[&str] = &["systemuser", "team", "businessunit"];

/// The filters of a new subscription: the user's own rows of every user-owned table that is enabled
/// for offline, the parts of such rows (the parties of activities), links of many-to-many
/// relationships, and users, teams and business units.
#[must_use]
pub fn default_filters(catalog: &Catalog) -> Vec<DataFilter> {
    let own = || Filter::condition("ownerid", Operator::EqualUserId, Vec::new());
    catalog
        .tables
        .values()
        .filter(|table| table.offline)
        .filter_map(|table| {
            let all = table.intersect || ALWAYS.contains(&table.name.as_str());
            let filter = match (all, table.ownership) {
                (true, _) => None,
                (false, Ownership::User) => Some(own()),
                (false, Ownership::Organization) => Some(parts_of_own(catalog, &table.name)?),
            };
            let name = format!("default-{}", table.name);
            Some(DataFilter { name, table: table.name.clone(), filter })
        })
        .collect()
}

/// The rows that are parts of rows of the user; `None` for a table whose rows are parts of nothing.
fn parts_of_own(catalog: &Catalog, table: &str) -> Option<Filter> {
    let wholes = catalog.relationships.values().filter_map(|relationship| match relationship {
        Relationship::OneToMany(r) if r.parts && r.child == table => Some(r),
        _ => None,
    });
    let owned: Vec<Filter> = wholes
        .filter(|r| catalog.tables.get(&r.parent).is_some_and(|t| t.ownership == Ownership::User))
        .map(|r| {
            let single = catalog.tables[table].columns[&r.lookup].targets.len() == 1;
            let segment =
                if single { r.lookup.clone() } else { format!("{}_{}", r.lookup, r.parent) };
            Filter::Condition(Condition {
                path: vec![segment],
                column: "ownerid".to_owned(),
                operator: Operator::EqualUserId,
                values: Vec::new(),
            })
        })
        .collect();
    (!owned.is_empty()).then_some(Filter::Any(owned))
}

/// What a device takes, as it is stored: what differs from the defaults, so that a table that is
/// added later comes by its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnFilters {
    /// Filters that somebody added.
    added: Vec<DataFilter>,
    /// The names of default filters that somebody removed.
    removed: BTreeSet<String>,
}

impl OwnFilters {
    /// The part of `filters` that differs from the defaults and the system filters.
    ///
    /// # Errors
    /// A system filter is missing: only an administrator removes it.
    pub(crate) fn of(
        filters: &[DataFilter],
        system: &[DataFilter],
        catalog: &Catalog,
    ) -> Result<Self, SyncError> {
        if let Some(missing) = system.iter().find(|filter| !filters.contains(filter)) {
            let text = format!("The filter '{}' is an administrator's.", missing.name);
            return Err(SyncError::Filter(
                Fault::new(code::PRIVILEGE_DENIED, text)
                    .hint("`offstage filter remove --system` on the server removes it."),
            ));
        }
        let taken = |filter: &&DataFilter| {
            filter.name.starts_with(SYSTEM_PREFIX) && !system.contains(filter)
        };
        if let Some(taken) = filters.iter().find(taken) {
            let text = format!("The name '{}' is an administrator's.", taken.name);
            return Err(SyncError::Filter(
                Fault::new(code::INVALID_ARGUMENT, text)
                    .hint(format!("Choose a name that does not begin with '{SYSTEM_PREFIX}'.")),
            ));
        }
        let defaults = default_filters(catalog);
        let given = |filter: &&DataFilter| !defaults.contains(filter) && !system.contains(filter);
        Ok(Self {
            added: filters.iter().filter(given).cloned().collect(),
            removed: defaults
                .into_iter()
                .filter(|filter| !filters.contains(filter))
                .map(|filter| filter.name)
                .collect(),
        })
    }

    /// Everything that the device takes: defaults, its own, and the system filters.
    pub(crate) fn all(self, system: Vec<DataFilter>, catalog: &Catalog) -> Vec<DataFilter> {
        let mut all = default_filters(catalog);
        all.retain(|filter| !self.removed.contains(&filter.name));
        all.extend(self.added);
        all.extend(system);
        all
    }
}

/// The union of the filters per table, without tables that are gone or not enabled for offline.
#[must_use]
pub fn subset(filters: &[DataFilter], catalog: &Catalog) -> BTreeMap<String, Filter> {
    let mut subset: BTreeMap<String, Vec<Filter>> = BTreeMap::new();
    for filter in filters {
        if catalog.tables.get(&filter.table).is_some_and(|table| table.offline) {
            let rows = filter.filter.clone().unwrap_or(Filter::All(Vec::new()));
            subset.entry(filter.table.clone()).or_default().push(rows);
        }
    }
    let union = |mut parts: Vec<Filter>| match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            Filter::Any(parts)
        }
        None => Filter::Any(parts),
    };
    subset.into_iter().map(|(table, parts)| (table, union(parts))).collect()
}

/// Refuses filters that could not be prepared later.
pub(crate) fn check(filters: &[DataFilter], catalog: &Catalog) -> Result<(), SyncError> {
    let refuse = |code: u32, text: String| Err(SyncError::Filter(Fault::new(code, text)));
    if filters.len() > FILTERS_MAX {
        return refuse(
            code::LIMIT_EXCEEDED,
            format!("A device has at most {FILTERS_MAX} data filters."),
        );
    }
    let mut names = BTreeSet::new();
    for filter in filters {
        if !names.insert(filter.name.as_str()) {
            return refuse(
                code::INVALID_ARGUMENT,
                format!("There are two data filters with the name '{}'.", filter.name),
            );
        }
        let table = catalog.table(&filter.table).map_err(SyncError::Filter)?;
        if !table.offline {
            return Err(SyncError::Filter(
                Fault::new(
                    code::INVALID_ARGUMENT,
                    format!("The table '{}' is not enabled for offline use.", table.name),
                )
                .hint("An administrator enables it in the table's definition ('offline': true)."),
            ));
        }
        let conditions = filter.filter.as_ref().map_or(0, |f| f.conditions().len());
        if conditions > CONDITIONS_MAX {
            return refuse(
                code::LIMIT_EXCEEDED,
                format!("A data filter has at most {CONDITIONS_MAX} conditions."),
            );
        }
    }
    Ok(())
}
