//! What a person does with the journal: look, retry, edit, discard. Each is journaled itself, as a
//! new entry that supersedes the refused one and keeps its root operation id.
//!
//! Offline, a retried or edited request runs through the local pipeline again, on the rows as they
//! are now. Online, a retried entry is frozen anew with its recorded tree and sent at once; an edited
//! one is sent as the bare request, because what plug-ins derived from the old values is void.
//! Never changes an entry.

use super::{Device, DeviceState, Record, identity, not_connected};
use crate::progress::Progress;
use offstage_model::entity::Attributes;
use offstage_model::journal::{
    EntryState, JOURNAL_FORMAT, JournalEntry, OperationNode, Outcome, RowEffect, chain_hash,
};
use offstage_model::request::parameter;
use offstage_model::{EntityReference, Fault, Parameter, code};
use offstage_pipeline::{CallOptions, Superseded};
use offstage_store::{JournalFilter, JournalRow, StoredEntry, Tx};
use std::collections::BTreeSet;
use std::sync::PoisonError;

/// Entries that are looked through when dependants are collected.
const ATTENTION_MAX: usize = 100_000;

/// An entry that a person has to look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// The entry.
    pub row: JournalRow,
    /// Why.
    pub fault: Option<Fault>,
    /// The entry that it waits for.
    pub blocked_by: Option<u64>,
}

/// One entry with everything.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryDetail {
    /// Where it stands.
    pub row: JournalRow,
    /// What was recorded.
    pub entry: JournalEntry,
    /// The server's word on it.
    pub outcome: Option<Outcome>,
    /// Rows that the server's run touched and that are on the server only: they lie outside of what
    /// this device takes offline (hard case *Rows outside the device's filter*).
    pub outside: Vec<EntityReference>,
}

impl Device {
    /// Entries in order.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn journal(&self, filter: &JournalFilter) -> Result<Vec<JournalRow>, Fault> {
        Ok(self.0.pipeline.store().read()?.entries(filter)?)
    }

    /// Entries that a person has to look at, in order.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn attention(&self) -> Result<Vec<Attention>, Fault> {
        attention(&mut self.0.pipeline.store().read()?)
    }

    /// One entry with everything.
    ///
    /// # Errors
    /// [`code::NOT_FOUND`].
    pub fn entry(&self, sequence: u64) -> Result<EntryDetail, Fault> {
        detail(&mut self.0.pipeline.store().read()?, sequence)
    }

    /// Tries a refused entry again; returns the sequence of the new entry.
    ///
    /// # Errors
    /// The entry does not need attention; offline, what refuses the request now; online, that the
    /// server does not answer (the new entry is kept then and sent with the next sync).
    pub fn retry(&self, sequence: u64, progress: &dyn Progress) -> Result<u64, Fault> {
        self.again(sequence, &Attributes::new(), progress)
    }

    /// Tries a refused entry again with other values of some columns.
    ///
    /// # Errors
    /// As [`Device::retry`]; the request has no columns.
    pub fn edit(
        &self,
        sequence: u64,
        columns: &Attributes,
        progress: &dyn Progress,
    ) -> Result<u64, Fault> {
        self.again(sequence, columns, progress)
    }

    /// Withdraws a refused entry and every entry that waits for it; returns the withdrawn ones.
    ///
    /// # Errors
    /// The entry does not need attention; online, that the server does not answer.
    pub fn discard(&self, sequence: u64, progress: &dyn Progress) -> Result<Vec<u64>, Fault> {
        let _work = self.work();
        let gate = self.0.gate.read().unwrap_or_else(PoisonError::into_inner);
        let state = gate.ok_or_else(not_connected)?;
        let mut tx = self.store_tx()?;
        refused(&mut tx, sequence)?;
        let withdrawn = with_dependants(&mut tx, sequence)?;
        for sequence in &withdrawn {
            let old = refused(&mut tx, *sequence)?;
            let root = OperationNode::new(old.root.request.clone());
            self.append(&mut tx, JournalEntry { discards: true, root, ..old })?;
        }
        tx.commit()?;
        drop(gate);
        if !state.is_local() {
            self.shake(false)?;
            self.settle(progress, "offline.page-applied")?;
        }
        Ok(withdrawn)
    }

    fn again(
        &self,
        sequence: u64,
        columns: &Attributes,
        progress: &dyn Progress,
    ) -> Result<u64, Fault> {
        let _work = self.work();
        let gate = self.0.gate.read().unwrap_or_else(PoisonError::into_inner);
        let state = gate.ok_or_else(not_connected)?;
        let mut tx = self.store_tx()?;
        let mut old = refused(&mut tx, sequence)?;
        edit_request(&mut old, columns)?;
        if state.is_local() {
            tx.rollback();
            let supersedes = Some(Superseded { sequence, operation: old.operation });
            let options = CallOptions { supersedes, ..CallOptions::default() };
            let user = self.user()?;
            let (_, new) = self.0.pipeline.execute_journaled(&user, old.root.request, options)?;
            return new.ok_or_else(|| {
                Fault::new(
                    code::INTERNAL,
                    format!("The retry of entry {sequence} changed nothing."),
                )
            });
        }
        self.record_again(&mut tx, &mut old, columns)?;
        let new = self.append(&mut tx, old)?;
        tx.commit()?;
        drop(gate);
        // Says from where a server that was restored wants entries again, before this one.
        self.shake(false)?;
        self.settle(progress, "offline.page-applied")?;
        Ok(new)
    }

    /// Bases the recorded effects on the rows as they are now: the person has looked at them.
    fn record_again(
        &self,
        tx: &mut Tx,
        old: &mut JournalEntry,
        columns: &Attributes,
    ) -> Result<(), Fault> {
        if !columns.is_empty() {
            let request = old.root.request.clone();
            let row = old.root.row;
            let own = |e: &&RowEffect| Some(e.id) == row && e.table == request.primary_table();
            let mut effects: Vec<RowEffect> =
                old.root.effects.iter().filter(own).cloned().collect();
            for effect in &mut effects {
                effect.after.extend(columns.clone());
            }
            old.root = OperationNode { row, effects, ..OperationNode::new(request) };
        }
        rebase(tx, &mut old.root)?;
        old.reads.clear();
        old.metadata_version = tx.catalog().version;
        old.plugin_set.clone_from(&self.0.pipeline.registry()?.hash);
        Ok(())
    }

    /// Appends a copy of `old` that supersedes it.
    fn append(&self, tx: &mut Tx, old: JournalEntry) -> Result<u64, Fault> {
        let identity = identity(tx)?;
        let (last, previous) = tx.last_entry()?.unwrap_or_default();
        let entry = JournalEntry {
            format: JOURNAL_FORMAT,
            device: identity.device,
            epoch: identity.epoch,
            sequence: last + 1,
            previous,
            supersedes: Some(old.sequence),
            time: self.now(),
            ..old
        };
        let frozen = entry.freeze();
        tx.append_entry(&entry, &frozen, &chain_hash(&frozen))?;
        Ok(entry.sequence)
    }
}

fn rebase(tx: &mut Tx, node: &mut OperationNode) -> Result<(), Fault> {
    for effect in &mut node.effects {
        effect.base_version = tx.version(&effect.table, effect.id)?;
    }
    let below = node.steps.iter_mut().flat_map(|step| &mut step.operations);
    for child in below.chain(&mut node.members) {
        rebase(tx, child)?;
    }
    Ok(())
}

fn edit_request(entry: &mut JournalEntry, columns: &Attributes) -> Result<(), Fault> {
    if columns.is_empty() {
        return Ok(());
    }
    match entry.root.request.parameters.get_mut(parameter::TARGET) {
        Some(Parameter::Entity(target)) => {
            target.attributes.extend(columns.clone());
            Ok(())
        }
        _ => Err(Fault::new(
            code::INVALID_ARGUMENT,
            format!(
                "Entry {} is a {}; it has no columns.",
                entry.sequence, entry.root.request.message
            ),
        )
        .hint("Retry or discard it instead.")),
    }
}

fn stored(tx: &mut Tx, sequence: u64) -> Result<StoredEntry, Fault> {
    tx.entry(sequence)?.ok_or_else(|| {
        Fault::new(code::NOT_FOUND, format!("The journal has no entry {sequence}."))
            .hint("`offstage journal list` shows the entries.")
    })
}

fn detail(tx: &mut Tx, sequence: u64) -> Result<EntryDetail, Fault> {
    let stored = stored(tx, sequence)?;
    let entry = thaw(&stored)?;
    let outside = outside(tx, stored.outcome.as_ref())?;
    Ok(EntryDetail { row: stored.row, entry, outcome: stored.outcome, outside })
}

/// Until the pull after the playback is done, what it will bring is not known to be outside.
fn outside(tx: &mut Tx, outcome: Option<&Outcome>) -> Result<Vec<EntityReference>, Fault> {
    let settled = Record::require(tx)?.state != DeviceState::GoingOnline;
    let mut outside = Vec::new();
    for row in outcome.filter(|_| settled).iter().flat_map(|outcome| &outcome.rows) {
        if row.version.is_some() && !tx.exists(&row.table, row.id)? {
            outside.push(EntityReference::new(row.table.clone(), row.id));
        }
    }
    Ok(outside)
}

fn thaw(stored: &StoredEntry) -> Result<JournalEntry, Fault> {
    stored.entry().map_err(|error| {
        let text = format!("Entry {} cannot be read: {error}.", stored.row.sequence);
        Fault::new(code::STORE_UNUSABLE, text)
    })
}

/// An entry that needs attention and that no other one took the place of.
fn refused(tx: &mut Tx, sequence: u64) -> Result<JournalEntry, Fault> {
    let stored = stored(tx, sequence)?;
    let wrong = |text: String| Err(Fault::new(code::WRONG_STATE, text));
    match (stored.row.state, stored.row.superseded_by) {
        (_, Some(by)) => wrong(format!("Entry {by} took the place of entry {sequence}.")),
        (EntryState::Pending | EntryState::Sent, None) => {
            Err(Fault::new(code::WRONG_STATE, format!("Entry {sequence} was not played back yet."))
                .hint("`offstage go-online` plays it back; until then, change the row itself."))
        }
        (state, None) if !state.needs_attention() => {
            let state = format!("{state:?}").to_lowercase();
            wrong(format!("Entry {sequence} was {state}; nothing is left to do."))
        }
        _ => thaw(&stored),
    }
}

fn attention(tx: &mut Tx) -> Result<Vec<Attention>, Fault> {
    let rows = tx.journal_attention(ATTENTION_MAX)?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let outcome = tx.entry(row.sequence)?.and_then(|entry| entry.outcome);
        let blocked_by = outcome.as_ref().and_then(|o| o.blocked_by);
        found.push(Attention { row, fault: outcome.and_then(|o| o.fault), blocked_by });
    }
    Ok(found)
}

/// The entry and, in order, all that wait for it.
fn with_dependants(tx: &mut Tx, sequence: u64) -> Result<Vec<u64>, Fault> {
    let mut waiting = BTreeSet::from([sequence]);
    for entry in attention(tx)? {
        // Entries come in order and wait for earlier ones, so one pass finds all.
        if entry.blocked_by.is_some_and(|by| waiting.contains(&by)) {
            waiting.insert(entry.row.sequence);
        }
    }
    Ok(waiting.into_iter().collect())
}
