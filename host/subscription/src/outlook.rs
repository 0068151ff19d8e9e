//! Subscriptions of Outlook clients: fixed filters per kind, rows tracked by hand, and pages that
//! hold ids and timestamps only.
//!
//! A kind that is switched off is ignored, not removed. Never changes a business row.

use crate::SyncError;
use crate::sync::{TableCount, Wanted, begin, json, known, prepare_tables};
use crate::token;
use offstage_model::query::Filter;
use offstage_model::{EntityReference, Timestamp, Uuid, Value};
use offstage_store::{ChildRule, SubscriptionRow, Tx};
use serde::{Deserialize, Serialize};

/// Rows of one table that come to Outlook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutlookFilter {
    /// The table.
    pub table: String,
    /// Which rows.
    pub filter: Filter,
    /// Rows with such a child come too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<ChildRule>,
}

impl OutlookFilter {
    /// The rows of a table that a filter shows.
    pub fn rows(table: impl Into<String>, filter: Filter) -> Self {
        Self { table: table.into(), filter, children: Vec::new() }
    }

    /// The same rows, and those with such a child.
    #[must_use]
    pub fn or_child(mut self, rule: ChildRule) -> Self {
        self.children.push(rule);
        self
    }
}

/// A changed row: its id and its timestamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The row.
    pub row: EntityReference,
    /// Its version; 0 when it is gone or left the filter.
    pub version: u64,
    /// When it was last changed.
    pub modified: Option<Timestamp>,
}

/// A page of changed rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedPage {
    /// The rows.
    pub rows: Vec<Changed>,
    /// The number of the last one.
    pub through: u64,
    /// Another page follows.
    pub more: bool,
}

/// Makes the subscription of a client and returns its first token.
///
/// # Errors
/// The client has one already.
pub fn open(
    tx: &mut Tx,
    client: Uuid,
    user: Uuid,
    filters: &[OutlookFilter],
    fresh: Uuid,
) -> Result<String, SyncError> {
    if let Some(known) = tx.subscription(client)? {
        if known.seen || known.previous_token.is_some() || known.user != user {
            return Err(SyncError::Forked { device: client });
        }
        return Ok(known.token);
    }
    begin(tx, (client, user), json(&filters), fresh)
}

/// Replaces the filters of a client; a kind that is left out is ignored from now on.
///
/// # Errors
/// [`SyncError::UnknownDevice`], a failing store.
pub fn set_filters(tx: &mut Tx, client: Uuid, filters: &[OutlookFilter]) -> Result<(), SyncError> {
    let mut row = known(tx, client)?;
    let filters = json(&filters);
    if row.filters != filters {
        row.filters = filters;
        tx.put_subscription(&row)?;
    }
    Ok(())
}

/// PrepareSync: finds out what the client lacks and numbers it. The cost grows with what changed.
///
/// # Errors
/// [`SyncError::UnknownDevice`], [`SyncError::Forked`], a failing store.
pub fn prepare(tx: &mut Tx, client: Uuid, token: &str) -> Result<Vec<TableCount>, SyncError> {
    let mut row = known(tx, client)?;
    let (_, changed) = token::accept(&mut row, token)?;
    let filters = parse(&row)?;
    let wanted: Vec<Wanted<'_>> = filters
        .iter()
        .map(|filter| Wanted {
            table: &filter.table,
            filter: &filter.filter,
            children: &filter.children,
            tracked: true,
        })
        .collect();
    prepare_tables(tx, row, changed, &wanted)
}

/// GetSyncData: a page of ids and timestamps, after a number.
///
/// # Errors
/// [`SyncError::UnknownDevice`], [`SyncError::Forked`], a failing store.
pub fn data(
    tx: &mut Tx,
    client: Uuid,
    token: &str,
    (after, limit): (u64, u32),
) -> Result<ChangedPage, SyncError> {
    let mut row = known(tx, client)?;
    token::accept(&mut row, token)?;
    let mut pending = tx.pending_sync(client, after, limit.saturating_add(1))?;
    let more = pending.len() > limit as usize;
    pending.truncate(limit as usize);
    let mut page = ChangedPage { through: after, more, ..ChangedPage::default() };
    let column = ["modifiedon".to_owned()];
    for entry in pending {
        let current = match entry.version {
            0 => None,
            _ => tx.get_columns(&entry.table, entry.id, &column)?,
        };
        page.rows.push(Changed {
            version: current.as_ref().and_then(|row| row.version).unwrap_or(0),
            modified: current.as_ref().and_then(|row| match row.value("modifiedon") {
                Value::DateTime(time) => Some(*time),
                _ => None,
            }),
            row: EntityReference::new(entry.table, entry.id),
        });
        page.through = entry.number;
    }
    Ok(page)
}

fn parse(row: &SubscriptionRow) -> Result<Vec<OutlookFilter>, SyncError> {
    serde_json::from_str(&row.filters)
        .map_err(|source| SyncError::DamagedFilters { device: row.device, source })
}
