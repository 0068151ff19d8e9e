//! Applies what the server sends to local rows: "local row = server version + recorded after-values
//! of open entries" (`playback.md`, "Found by trying to break it", 15).
//!
//! Never re-runs a plug-in and never changes an entry.

use offstage_model::journal::EffectKind;
use offstage_model::{Entity, EntityReference, Fault, Uuid};
use offstage_store::{PendingEffect, Tx};

/// Puts a row of the server in place of the local one. `undisturbed`: no entry touched any row, so
/// there is nothing to lay over.
pub(super) fn put(tx: &mut Tx, row: &Entity, undisturbed: bool) -> Result<(), Fault> {
    let Some(id) = row.id else { return Ok(()) };
    tx.put_replica(row)?;
    if undisturbed {
        return Ok(());
    }
    let effects = tx.pending_effects(&row.table, id)?;
    overlay(tx, row, id, &effects)?;
    Ok(tx.clear_dirty(&row.table, id)?)
}

/// Puts a row of the server in place of the local one, unless that is newer: an answer may overtake
/// another one.
pub(super) fn put_newer(tx: &mut Tx, row: &Entity, undisturbed: bool) -> Result<(), Fault> {
    let known = match row.id {
        Some(id) => tx.version(&row.table, id)?,
        None => None,
    };
    if known > row.version {
        return Ok(());
    }
    put(tx, row, undisturbed)
}

/// Lays what open entries made of the row over the server's values, in order.
fn overlay(tx: &mut Tx, row: &Entity, id: Uuid, effects: &[PendingEffect]) -> Result<(), Fault> {
    for (_, effect) in effects {
        match effect.kind {
            EffectKind::Updated => tx.apply_overlay(&row.table, id, &effect.after)?,
            EffectKind::Deleted => {
                tx.remove_replica(&row.table, id)?;
            }
            EffectKind::Created => {
                let mut made = Entity::with_id(row.table.clone(), id);
                made.version = row.version;
                made.attributes.clone_from(&effect.after);
                tx.put_replica(&made)?;
            }
        }
    }
    Ok(())
}

/// Removes a row that the server does not show. One that open entries touched stays until they are
/// decided.
pub(super) fn remove(tx: &mut Tx, row: &EntityReference) -> Result<(), Fault> {
    if !tx.catalog().tables.contains_key(&row.table)
        || !tx.pending_effects(&row.table, row.id)?.is_empty()
    {
        return Ok(());
    }
    tx.remove_replica(&row.table, row.id)?;
    Ok(tx.clear_dirty(&row.table, row.id)?)
}

/// Whether no entry touched any row since it was brought in line with the server.
pub(super) fn is_undisturbed(tx: &mut Tx) -> Result<bool, Fault> {
    Ok(tx.dirty_rows(None, 1)?.is_empty())
}
