//! PrepareSync, GetSyncData, PostSync: the three calls of a sync round, each safe to repeat.
//!
//! Prepared rows get ascending numbers that are never used twice; a device asks for what comes after
//! the last number it applied and acknowledges through a number. Never looks at a clock.

use crate::SyncError;
use crate::filters::{DataFilter, OwnFilters, SYSTEM_PREFIX, check, subset};
use crate::token::{self, Link};
use offstage_model::identity::digest;
use offstage_model::query::Filter;
use offstage_model::{Catalog, Entity, EntityReference, Fault, Timestamp, Uuid, code};
use offstage_store::{ChildRule, Mark, SubscriptionRow, SyncTableState, Tx};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A page ends after about so many bytes of rows.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The setting with the filters of every device.
const SYSTEM_FILTERS: &str = "subscription.system-filters";

/// What a device lacks of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCount {
    /// The table.
    pub table: String,
    /// Rows to bring.
    pub upserts: u64,
    /// Rows to remove.
    pub removals: u64,
}

/// One page of what was prepared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SyncPage {
    /// Rows to bring, as they are now.
    pub rows: Vec<Entity>,
    /// Rows to remove.
    pub removals: Vec<EntityReference>,
    /// The number of the last row of this page; asks for the next page, and acknowledges.
    pub through: u64,
    /// Whether another page follows.
    pub more: bool,
}

/// Named rows, as far as the subscription shows them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Specific {
    /// Those that it shows.
    pub rows: Vec<Entity>,
    /// Those that do not exist or that it does not show.
    pub absent: Vec<EntityReference>,
}

/// Makes the subscription of a device with the default filters and returns its first token. A repeat
/// before the first acknowledgement, whose answer may have been lost, returns the same token.
///
/// # Errors
/// [`SyncError::Forked`] when the device has used its subscription already.
pub fn open(tx: &mut Tx, device: Uuid, user: Uuid, fresh: Uuid) -> Result<String, SyncError> {
    if let Some(known) = tx.subscription(device)? {
        if known.seen || known.previous_token.is_some() || known.user != user {
            return Err(SyncError::Forked { device });
        }
        return Ok(known.token);
    }
    let filters = json(&OwnFilters::default());
    begin(tx, (device, user), filters, fresh)
}

/// Writes a new subscription and returns its first token.
pub(crate) fn begin(
    tx: &mut Tx,
    (device, user): (Uuid, Uuid),
    filters: String,
    fresh: Uuid,
) -> Result<String, SyncError> {
    let token = token::link("", fresh);
    tx.put_subscription(&SubscriptionRow {
        device,
        user,
        filters,
        token: token.clone(),
        previous_token: None,
        seen: false,
        numbered: 0,
        synced_on: Timestamp::default(),
    })?;
    Ok(token)
}

/// Starts the subscription of a device again: it holds nothing, and gets a new first token. Its
/// filters stay.
///
/// # Errors
/// [`SyncError::UnknownDevice`].
pub fn reset(tx: &mut Tx, device: Uuid, fresh: Uuid) -> Result<String, SyncError> {
    let mut row = known(tx, device)?;
    tx.forget_sync_entries(device)?;
    row.token = token::link(&row.token, fresh);
    row.previous_token = None;
    row.seen = false;
    tx.put_subscription(&row)?;
    Ok(row.token)
}

/// When the device last acknowledged a sync round, on the server's clock.
///
/// # Errors
/// [`SyncError::UnknownDevice`].
pub fn synced_on(tx: &mut Tx, device: Uuid) -> Result<Timestamp, SyncError> {
    Ok(known(tx, device)?.synced_on)
}

/// The device's data filters.
///
/// # Errors
/// [`SyncError::UnknownDevice`].
pub fn filters(tx: &mut Tx, device: Uuid) -> Result<Vec<DataFilter>, SyncError> {
    let row = known(tx, device)?;
    effective(tx, &row)
}

/// The filters that an administrator sets for every device.
///
/// # Errors
/// A failing store.
pub fn system_filters(tx: &mut Tx) -> Result<Vec<DataFilter>, SyncError> {
    Ok(tx.get_setting(SYSTEM_FILTERS)?.unwrap_or_default())
}

/// Replaces the filters of every device; the next PrepareSync of each looks at the changed tables
/// only.
///
/// # Errors
/// A filter that the metadata does not allow.
pub fn set_system_filters(tx: &mut Tx, filters: &[DataFilter]) -> Result<(), SyncError> {
    let catalog = tx.catalog().clone();
    check(filters, &catalog)?;
    if let Some(other) = filters.iter().find(|filter| !filter.name.starts_with(SYSTEM_PREFIX)) {
        let text = format!("'{}' is no name of a system filter.", other.name);
        let hint = format!("Let it begin with '{SYSTEM_PREFIX}'.");
        return Err(SyncError::Filter(Fault::new(code::INVALID_ARGUMENT, text).hint(hint)));
    }
    for (table, filter) in subset(filters, &catalog) {
        tx.check_sync_filter(&table, &filter, Uuid::nil())?;
    }
    Ok(tx.put_setting(SYSTEM_FILTERS, &filters)?)
}

/// Replaces the device's data filters; the next PrepareSync looks at the changed tables only.
///
/// # Errors
/// A filter that the metadata does not allow.
pub fn set_filters(tx: &mut Tx, device: Uuid, filters: &[DataFilter]) -> Result<(), SyncError> {
    let mut row = known(tx, device)?;
    let catalog = tx.catalog().clone();
    check(filters, &catalog)?;
    let own = OwnFilters::of(filters, &system_filters(tx)?, &catalog)?;
    for (table, filter) in subset(filters, &catalog) {
        tx.check_sync_filter(&table, &filter, row.user)?;
    }
    row.filters = json(&own);
    Ok(tx.put_subscription(&row)?)
}

/// Finds out what the device lacks and numbers it. The cost grows with what changed since the last
/// time; only a table whose filter changed is looked at as a whole.
///
/// # Errors
/// [`SyncError::UnknownDevice`], [`SyncError::Forked`], a failing store.
pub fn prepare_sync(tx: &mut Tx, device: Uuid, token: &str) -> Result<Vec<TableCount>, SyncError> {
    let mut row = known(tx, device)?;
    let catalog = tx.catalog().clone();
    let subset = subset(&effective(tx, &row)?, &catalog);
    let wanted: Vec<Wanted<'_>> = subset
        .iter()
        .map(|(table, filter)| Wanted { table, filter, children: &[], tracked: false })
        .collect();
    let (_, mut changed) = token::accept(&mut row, token)?;
    for state in tx.sync_tables(device)? {
        if !subset.contains_key(&state.table) {
            row.numbered = tx.mark_table_for_removal(device, &state.table, row.numbered)?;
            changed = true;
        }
    }
    prepare_tables(tx, row, changed, &wanted)
}

/// Rows of one table that a subscription takes.
pub(crate) struct Wanted<'a> {
    pub(crate) table: &'a str,
    pub(crate) filter: &'a Filter,
    pub(crate) children: &'a [ChildRule],
    pub(crate) tracked: bool,
}

/// Prepares the tables of a subscription; `changed` says whether `row` has to be written anyway.
pub(crate) fn prepare_tables(
    tx: &mut Tx,
    mut row: SubscriptionRow,
    mut changed: bool,
    wanted: &[Wanted<'_>],
) -> Result<Vec<TableCount>, SyncError> {
    let (device, catalog) = (row.device, tx.catalog().clone());
    let states: BTreeMap<String, SyncTableState> =
        tx.sync_tables(device)?.into_iter().map(|s| (s.table.clone(), s)).collect();
    let latest = tx.current_version()?;
    for Wanted { table, filter, children, tracked } in wanted {
        let signature = signature(filter, children, row.user, &catalog, table);
        let since = match states.get(*table) {
            Some(state) if state.signature != signature => None,
            Some(state) if state.prepared_to == latest => continue,
            Some(state) => Some(state.prepared_to),
            None => None,
        };
        row.numbered = tx.mark_for_sync(&Mark {
            device,
            user: row.user,
            table,
            filter,
            children,
            tracked: *tracked,
            since,
            numbered: row.numbered,
        })?;
        let state = SyncTableState { table: (*table).to_owned(), signature, prepared_to: latest };
        tx.put_sync_table(device, &state)?;
        changed = true;
    }
    if changed {
        tx.put_subscription(&row)?;
    }
    let counts = tx.sync_counts(device)?;
    Ok(counts
        .into_iter()
        .map(|(table, upserts, removals)| TableCount { table, upserts, removals })
        .collect())
}

/// A page of what was prepared, after number `after`. Changes nothing that a repeat would notice.
///
/// # Errors
/// [`SyncError::UnknownDevice`], [`SyncError::Forked`], a failing store.
pub fn get_sync_data(
    tx: &mut Tx,
    device: Uuid,
    token: &str,
    after: u64,
    limit: u32,
) -> Result<SyncPage, SyncError> {
    let mut row = known(tx, device)?;
    token::accept(&mut row, token)?;
    let pending = tx.pending_sync(device, after, limit.saturating_add(1))?;
    let mut page = SyncPage { through: after, ..SyncPage::default() };
    let mut bytes = 0;
    for (ordinal, entry) in pending.into_iter().enumerate() {
        if ordinal >= limit as usize || bytes >= PAGE_BYTES_MAX {
            page.more = true;
            break;
        }
        let current = if entry.version == 0 { None } else { tx.get(&entry.table, entry.id)? };
        match current {
            Some(entity) => {
                bytes += entity.attributes.values().map(|v| v.size() + 24).sum::<usize>();
                page.rows.push(entity);
            }
            None => page.removals.push(EntityReference::new(entry.table, entry.id)),
        }
        page.through = entry.number;
    }
    Ok(page)
}

/// Acknowledges everything through a number and returns the next token of the chain. A repeat whose
/// first answer was lost changes nothing and returns the same token. `fresh` is random; `now` is only
/// kept, for [`synced_on`].
///
/// # Errors
/// [`SyncError::UnknownDevice`], [`SyncError::Forked`], a failing store.
pub fn post_sync(
    tx: &mut Tx,
    device: Uuid,
    token: &str,
    through: u64,
    (fresh, now): (Uuid, Timestamp),
) -> Result<String, SyncError> {
    let mut row = known(tx, device)?;
    let (link, _) = token::accept(&mut row, token)?;
    if link == Link::Current {
        tx.acknowledge_sync(device, through.min(row.numbered))?;
        token::rotate(&mut row, fresh);
        row.synced_on = now;
        tx.put_subscription(&row)?;
    }
    Ok(row.token)
}

/// Named rows as they are now, as far as the subscription's filters show them.
///
/// # Errors
/// [`SyncError::UnknownDevice`], a failing store.
pub fn get_specific(
    tx: &mut Tx,
    device: Uuid,
    wanted: &[EntityReference],
) -> Result<Specific, SyncError> {
    let row = known(tx, device)?;
    let subset = subset(&effective(tx, &row)?, &tx.catalog().clone());
    let mut specific = Specific::default();
    for reference in wanted {
        let shown = match subset.get(&reference.table) {
            Some(filter) => tx.is_shown(&reference.table, filter, row.user, reference.id)?,
            None => false,
        };
        let found = if shown { tx.get(&reference.table, reference.id)? } else { None };
        match found {
            Some(entity) => specific.rows.push(entity),
            None => specific.absent.push(EntityReference::new(&*reference.table, reference.id)),
        }
    }
    Ok(specific)
}

pub(crate) fn known(tx: &mut Tx, device: Uuid) -> Result<SubscriptionRow, SyncError> {
    tx.subscription(device)?.ok_or(SyncError::UnknownDevice { device })
}

/// What decides about membership besides the rows: the filter, its user, and where its paths lead.
fn signature(
    filter: &Filter,
    children: &[ChildRule],
    user: Uuid,
    catalog: &Catalog,
    table: &str,
) -> String {
    let targets: Vec<&[String]> = filter
        .conditions()
        .iter()
        .filter_map(|condition| condition.path.first())
        .filter_map(|lookup| catalog.tables.get(table)?.column(lookup))
        .map(|column| column.targets.as_slice())
        .collect();
    let (filter, targets) = (json(&filter), json(&targets));
    let mut parts = vec![filter.as_bytes(), user.as_bytes(), targets.as_bytes()];
    let children = if children.is_empty() { String::new() } else { json(&children) };
    if !children.is_empty() {
        parts.push(children.as_bytes());
    }
    let bytes = digest(&parts);
    bytes[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Everything that the device takes. Stored filters were checked when they were stored.
pub(crate) fn effective(tx: &mut Tx, row: &SubscriptionRow) -> Result<Vec<DataFilter>, SyncError> {
    // Never "no filters" instead: that would remove everything from the device.
    let own: OwnFilters = serde_json::from_str(&row.filters)
        .map_err(|source| SyncError::DamagedFilters { device: row.device, source })?;
    let system = system_filters(tx)?;
    Ok(own.all(system, tx.catalog()))
}

pub(crate) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("BUG: filters always have a JSON form")
}
