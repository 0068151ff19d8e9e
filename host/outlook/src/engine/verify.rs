//! Looks for items: after each run a few whose existence was verified longest ago, and those of
//! which a notification says that they are gone.
//!
//! Only a store that says "gone" of an item makes a deletion of it; one that fails says nothing.

use super::crash::crash_point;
use super::report::Report;
use super::{Engine, EngineError, Run};
use crate::item::{EntryId, FileTime};
use crate::mail_store::Presence;
use crate::rules::{Event, Outcome, deletion};
use offstage_model::EntityReference;
use offstage_store::{CachedChange, ChangeCode, Mapping};

/// The word under which deletions wait.
pub(super) const HELD_DELETIONS: &str = "deletions";

impl Engine {
    /// Verifies a few items, the ones verified longest ago first.
    pub(super) fn verify_some(
        &mut self,
        run: &Run,
        report: &mut Report,
    ) -> Result<(), EngineError> {
        let rows_max = run.settings.verify_per_run as usize;
        let queue = self.cache.write(|tx| tx.due_for_verification(rows_max))?;
        match self.verify(queue).and_then(|()| self.look_for_left_alone(report)) {
            // The store cannot tell now: the same ones are first in line next time.
            Err(error @ EngineError::Mail(_)) => drop(self.note_wait(&error)?),
            other => other?,
        }
        crash_point!("verify.noted");
        Ok(())
    }

    /// Asks the store about the items of pairs, and notes what it says.
    pub(super) fn verify(&mut self, queue: Vec<Mapping>) -> Result<(), EngineError> {
        let ids: Vec<EntryId> =
            queue.iter().filter_map(|m| m.entry_id.as_deref().map(EntryId::new)).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let found = self.store.presence(&ids)?;
        let now = self.clock.now();
        let tracked = queue.into_iter().filter(|mapping| mapping.entry_id.is_some());
        let answers: Vec<(Mapping, Presence)> = tracked.zip(found).collect();
        self.cache.write(|tx| {
            for (mut mapping, presence) in answers {
                match presence {
                    Presence::Unknown => continue,
                    Presence::There => {}
                    Presence::Moved(id) => {
                        mapping.entry_id = Some(id.as_str().to_owned());
                        mapping.change_key = None;
                    }
                    Presence::Gone if mapping.linked && !mapping.deleted_locally => {
                        let known = tx.change(mapping.map_id)?;
                        let map_id = mapping.map_id;
                        let mut change = known
                            .unwrap_or_else(|| CachedChange { map_id, ..CachedChange::default() });
                        if !matches!(
                            change.outlook,
                            ChangeCode::Untrack | ChangeCode::UntrackAndDelete
                        ) {
                            change.outlook = ChangeCode::Delete;
                        }
                        change.outlook_ticks = Some(FileTime::from(now).0);
                        tx.put_change(&change)?;
                    }
                    Presence::Gone => {}
                }
                mapping.verified = Some(now);
                tx.put_mapping(&mapping)?;
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Of changes that leave the CRM, those that would delete the item: a task that is done leaves
    /// its filter and deletes nothing.
    fn that_delete_items(
        &mut self,
        run: &Run,
        changes: Vec<CachedChange>,
    ) -> Result<Vec<CachedChange>, EngineError> {
        let pairs = self.pairs(run, &changes)?;
        let rows: Vec<EntityReference> =
            pairs.iter().map(|p| EntityReference::new(p.table.table, p.mapping.crm_id)).collect();
        let records = self.records(&rows)?;
        let deletes = pairs.into_iter().filter(|pair| {
            let facts = self.facts(run, pair, records.get(&pair.mapping.crm_id), false);
            deletion(pair.table.kind, Event::DeletedInCrm, &facts).0 == Outcome::DeleteItem
        });
        Ok(deletes.map(|pair| pair.change).collect())
    }

    /// Many deletions at once wait for a person, each direction for itself.
    pub(super) fn hold_mass_deletions(&mut self, run: &Run) -> Result<(), EngineError> {
        let quarantine = run.settings.quarantine;
        let (changes, pairs) = self.cache.write(|tx| Ok((tx.changes()?, tx.linked_count()?)))?;
        let waits = |change: &&CachedChange| {
            change.held.is_none() && change.reason.as_deref() != Some(super::duplicates::APPROVED)
        };
        let (in_outlook, in_crm): (Vec<CachedChange>, Vec<CachedChange>) = changes
            .iter()
            .filter(waits)
            .filter(|c| c.outlook == ChangeCode::Delete || c.crm == ChangeCode::Delete)
            .cloned()
            .partition(|change| change.outlook == ChangeCode::Delete);
        // Which of them delete is asked only where so many would wait.
        let in_crm = if quarantine.holds(in_crm.len() as u64, pairs) {
            self.that_delete_items(run, in_crm)?
        } else {
            Vec::new()
        };
        for found in [in_outlook, in_crm] {
            let count = found.len() as u64;
            if !quarantine.holds(count, pairs) {
                continue;
            }
            self.cache.write(|tx| {
                for change in found {
                    let mut held = change;
                    held.held = Some(HELD_DELETIONS.to_owned());
                    held.reason = Some(format!("{count} deletions at once, of {pairs} pairs"));
                    tx.put_change(&held)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}
