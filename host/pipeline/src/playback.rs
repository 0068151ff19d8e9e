//! Plays one journal entry on the server: the caller's request runs a second time through the
//! server's pipeline, in its own savepoint, and the two runs are reconciled.
//!
//! Never writes a receipt and never commits; replication does both, in the same transaction.

use crate::alias;
use crate::caller::Caller;
use crate::operation::Operation;
use crate::root::{Leftovers, Pipeline, RootStart};
use crate::session::{Origin, Session};
use crate::suspension;
use offstage_model::entity::Attributes;
use offstage_model::identity::Lineage;
use offstage_model::journal::{
    EffectKind, EntryState, JournalEntry, OperationNode, ReconciliationReport, ReportLine,
    RowEffect, RowOutcome, StepRun, Verdict,
};
use offstage_model::registration::{Mode, StepDeclaration};
use offstage_model::request::{message, parameter};
use offstage_model::{EntityReference, Fault, Parameter, Response, Timestamp, Uuid, Value, code};
use offstage_store::conflicts::Winner;
use offstage_store::{ConflictRow, Stamp, Tx, WriteStamp};
use std::collections::BTreeSet;

/// What the server knows about the device whose entry is played.
#[derive(Clone, Debug)]
pub struct PlayContext {
    /// The user who made the entry, with the rights of now.
    pub caller: Caller,
    /// When the entry was made, on the server's clock; what `latest` compares.
    pub time: Timestamp,
    /// How far that time can be believed.
    pub clock: DeviceClock,
}

/// How far the clock of a device can be believed where `latest` decides (hard case *Clocks*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceClock {
    /// Its offset was measured, and is plausible: the later value stands.
    Measured,
    /// It is too far off to be a matter of correction: the server's value stands.
    TooFarOff,
    /// Nobody measured it: what both sides changed waits for a person.
    Unknown,
}

/// Whether a registered step is the one that a device says it ran.
fn is_compatible(step: &StepDeclaration, node: &OperationNode, run: &StepRun) -> bool {
    let table = node.request.primary_table();
    step.deployment.runs_offline()
        && step.mode == Mode::Synchronous
        && step.message == node.request.message
        && (step.table.is_empty() || step.table == table)
        && step.stage.number() == run.stage
}

/// What became of an entry that was applied.
#[derive(Clone, Debug)]
pub struct Played {
    /// The answer to the caller's request.
    pub response: Response,
    /// What the two runs made of it.
    pub report: ReconciliationReport,
    /// The state of every row in either tree.
    pub rows: Vec<RowOutcome>,
}

/// A write by somebody else since the device last saw the row.
pub(crate) struct ForeignWrite {
    pub(crate) value: Value,
    pub(crate) time: Timestamp,
    pub(crate) device: Uuid,
}

/// The final state of an entry that was refused with `fault`.
#[must_use]
pub fn refused_state(fault: &Fault) -> EntryState {
    match fault.code {
        code::CONFLICT
        | code::OBJECT_DOES_NOT_EXIST
        | code::DUPLICATE_RECORD
        | code::DUPLICATE_KEY => EntryState::Conflict,
        code::BLOCKED => EntryState::Blocked,
        _ => EntryState::Rejected,
    }
}

impl Pipeline {
    /// Runs `entry` inside `tx`, in a savepoint of its own.
    ///
    /// Returns the transaction, and what happened. After a fault the savepoint has been rolled back
    /// and only trace rows and captures were added; a transient fault ([`Fault::is_transient`]) says
    /// nothing about the entry, and the caller rolls the whole transaction back and then calls
    /// [`Pipeline::playback_rolled_back`].
    pub fn play(
        &self,
        mut tx: Tx,
        entry: &JournalEntry,
        play: &PlayContext,
    ) -> (Tx, Result<Played, Fault>) {
        let now = self.clock().now();
        let start = RootStart {
            operation: entry.operation,
            created_on: entry.time,
            correlation: entry.correlation,
            caller: play.caller.clone(),
            origin: Origin::Playback,
            tag: None,
            clock: play.clock,
            stamp: WriteStamp { time: play.time, device: entry.device, sequence: entry.sequence },
            epoch: entry.epoch,
        };
        let plugins = match self.plugin_set(&mut tx) {
            Ok(plugins) => plugins,
            Err(fault) => return (tx, Err(fault)),
        };
        let mut session = self.start(tx, plugins, start);
        let result = session.play_root(entry);
        let mut state = session.into_state();
        let mut traces = std::mem::take(&mut state.traces);
        let events = std::mem::take(&mut state.run_events);
        let captures = std::mem::take(&mut state.captures);
        if result.as_ref().is_err_and(Fault::is_transient) {
            self.set_aside(Leftovers { traces, events, captures });
            return (state.tx, result);
        }
        let kept = suspension::keep(&mut state.tx, &events, &mut traces, self.limits(), now);
        let kept = kept.map(|suspended| self.announce_later(suspended));
        let stored =
            kept.and_then(|()| traces.iter().try_for_each(|trace| state.tx.put_trace(trace)));
        let stored = stored.and_then(|()| self.put_captures(&mut state.tx, &captures));
        let result = match (result, stored) {
            (Ok(_), Err(error)) => Err(Fault::from(error)),
            (result, _) => result,
        };
        (state.tx, result)
    }
}

impl Session {
    fn play_root(&mut self, entry: &JournalEntry) -> Result<Played, Fault> {
        self.check_recorded(&entry.root)?;
        let root = alias::applied(&mut self.tx, entry.device, &entry.root)?;
        let operation = Operation {
            request: root.request.clone(),
            lineage: Lineage::root(entry.operation),
            depth: 1,
            user: self.root.caller.user,
            occurrence: 0,
            cascade: None,
            recorded: Some(root),
            issuer: None,
        };
        let (response, _) = self.run_in_savepoint(operation)?;
        let rows = self.row_outcomes(entry)?;
        Ok(Played { response, report: std::mem::take(&mut self.report), rows })
    }

    /// A device is not believed: each step that it says ran must be registered here for offline
    /// ("Found by trying to break it", 11 and 16).
    fn check_recorded(&self, root: &OperationNode) -> Result<(), Fault> {
        for (node, run) in root.all().iter().flat_map(|n| n.steps.iter().map(move |r| (n, r))) {
            let known = self.registry.step(&run.key);
            if !known.is_some_and(|step| is_compatible(&step.declaration, node, run)) {
                return Err(Fault::new(
                    code::STEP_MISSING,
                    format!(
                        "The step '{}' took part in this operation offline, and the server has no such step for offline use, or one for something else.",
                        run.key
                    ),
                )
                .hint("Register the plug-in on the server, then retry the entry."));
            }
        }
        Ok(())
    }

    fn row_outcomes(&mut self, entry: &JournalEntry) -> Result<Vec<RowOutcome>, Fault> {
        let mut rows: BTreeSet<(String, Uuid)> = self.touched.clone();
        rows.extend(entry.root.all_effects().iter().map(|e| (e.table.clone(), e.id)));
        let mut outcomes = Vec::with_capacity(rows.len());
        for (table, id) in rows {
            if self.catalog.tables.contains_key(&table) {
                let version = self.tx.version(&table, id)?;
                outcomes.push(RowOutcome { table, id, version });
            }
        }
        Ok(outcomes)
    }

    /// Decides columns of an update that others wrote since the device last saw the row, before
    /// stage 10 ("Found by trying to break it", 8). Only the caller's own columns; what plug-ins
    /// write is looked at where it is carried over.
    pub(crate) fn resolve_conflicts(&mut self) -> Result<(), Fault> {
        let is_root = self.frames.iter().all(|frame| frame.context.depth == 1);
        if self.root.origin != Origin::Playback || !is_root {
            return Ok(());
        }
        let context = &self.frame().context;
        let (table, id) = (context.primary_entity_name.clone(), context.primary_entity_id);
        let effect =
            self.frame().recorded.as_ref().and_then(|node| {
                node.effects.iter().find(|e| e.table == table && e.id == id).cloned()
            });
        let Some(effect) = effect else { return Ok(()) };
        match (effect.kind, self.frame().context.message_name.as_str()) {
            (EffectKind::Updated, message::UPDATE) => {
                self.resolve_columns(&table, id, effect.base_version.unwrap_or(0), &effect.before)
            }
            (EffectKind::Updated, message::SET_STATE) => {
                self.resolve_state(&table, id, effect.base_version.unwrap_or(0), &effect)
            }
            (EffectKind::Deleted, message::DELETE) => {
                self.refuse_delete_of_changed(&table, id, effect.base_version.unwrap_or(0))
            }
            _ => Ok(()),
        }
    }

    fn resolve_columns(
        &mut self,
        table: &str,
        id: Uuid,
        base: u64,
        before: &Attributes,
    ) -> Result<(), Fault> {
        let columns: Vec<(String, Value)> = self
            .frame()
            .target()
            .map(|t| t.attributes.iter().map(|(c, v)| (c.clone(), v.clone())).collect())
            .unwrap_or_default();
        for (column, value) in columns {
            let Some(foreign) = self.foreign_write(table, id, &column, base, &value)? else {
                continue;
            };
            let base_value = before.get(&column).cloned().unwrap_or_default();
            let server_stands =
                self.log_conflict(table, id, &column, (base_value, value), foreign)?;
            if server_stands && let Some(target) = self.frame_mut().target_mut() {
                target.attributes.remove(&column);
            }
        }
        Ok(())
    }

    /// State and status are one thing: where the server's stands, the request asks for what is.
    fn resolve_state(
        &mut self,
        table: &str,
        id: Uuid,
        base: u64,
        effect: &RowEffect,
    ) -> Result<(), Fault> {
        let value =
            |attributes: &Attributes| attributes.get("statuscode").cloned().unwrap_or_default();
        let (before, after) = (value(&effect.before), value(&effect.after));
        let Some(foreign) = self.foreign_write(table, id, "statuscode", base, &after)? else {
            return Ok(());
        };
        let current = foreign.value.clone();
        if self.log_conflict(table, id, "statuscode", (before, after), foreign)? {
            let parameters = &mut self.frame_mut().context.input_parameters;
            parameters.remove(parameter::STATE);
            parameters.insert(parameter::STATUS.to_owned(), Parameter::Value(current));
        }
        Ok(())
    }

    /// Decides by `latest`, keeps the loser in the conflict log, and says whether the server's
    /// value stands.
    fn log_conflict(
        &mut self,
        table: &str,
        id: Uuid,
        column: &str,
        (base, client): (Value, Value),
        foreign: ForeignWrite,
    ) -> Result<bool, Fault> {
        let (server_stands, decided_by) = self.latest(table, column, &foreign)?;
        let row = ConflictRow {
            id: self.pipeline.random().guid(),
            time: self.pipeline.clock().now(),
            device: self.root.stamp.device,
            epoch: self.root.epoch,
            sequence: self.root.stamp.sequence,
            table: table.to_owned(),
            row: id,
            column: Some(column.to_owned()),
            winner: if server_stands { Winner::Server } else { Winner::Client },
            base,
            server: foreign.value.clone(),
            client: client.clone(),
            decided_by: decided_by.to_owned(),
        };
        self.tx.put_conflict(&row)?;
        self.report.push(ReportLine {
            step: String::new(),
            operation: format!("Update {table}({id})"),
            row: Some(EntityReference::new(table, id)),
            column: Some(column.to_owned()),
            verdict: if server_stands { Verdict::ServerStands } else { Verdict::DeviceStands },
            offline: Some(client),
            server: Some(foreign.value),
        });
        Ok(server_stands)
    }

    /// The later value stands; at the same time that of the server's own users, then that of the
    /// device with the greater id, so that it does not matter which one came first.
    fn latest(
        &self,
        table: &str,
        column: &str,
        foreign: &ForeignWrite,
    ) -> Result<(bool, &'static str), Fault> {
        match self.root.clock {
            DeviceClock::TooFarOff => Ok((true, "clock too far off")),
            DeviceClock::Unknown => Err(Fault::new(
                code::CONFLICT,
                format!(
                    "'{table}.{column}' was changed on both sides, and which change is the later one is not known: nobody measured the device's clock."
                ),
            )
            .hint("Look at the row, then retry the entry or discard it.")),
            DeviceClock::Measured => {
                let own = self.root.stamp;
                let tie = foreign.device.is_nil() || foreign.device > own.device;
                let later = foreign.time > own.time || (foreign.time == own.time && tie);
                Ok((later, "latest"))
            }
        }
    }

    /// What somebody else wrote into a column after version `base`, when it is not `value` already.
    pub(crate) fn foreign_write(
        &mut self,
        table: &str,
        id: Uuid,
        column: &str,
        base: u64,
        value: &Value,
    ) -> Result<Option<ForeignWrite>, Fault> {
        let Some(row) = self.tx.get(table, id)? else {
            return Ok(None);
        };
        let stamps = self.tx.stamps(table, id)?;
        let device = self.root.stamp.device;
        let foreign = |stamp: &&Stamp| stamp.version > base && stamp.device != device;
        let Some(stamp) = stamps.of(column).filter(foreign) else {
            return Ok(None);
        };
        let current = row.value(column);
        let differs = !current.same(value);
        Ok(differs.then(|| ForeignWrite {
            value: current.clone(),
            time: stamp.time,
            device: stamp.device,
        }))
    }

    /// Whether anybody but the device wrote to the row since the device last saw it.
    pub(crate) fn is_changed_by_others(
        &mut self,
        table: &str,
        id: Uuid,
        base: u64,
    ) -> Result<bool, Fault> {
        if !self.tx.exists(table, id)? {
            return Ok(false);
        }
        let stamps = self.tx.stamps(table, id)?;
        let device = self.root.stamp.device;
        let mut all = stamps.columns.values().chain(&stamps.created);
        Ok(all.any(|stamp| stamp.version > base && stamp.device != device))
    }

    /// The last server version that the device knew of the innermost operation's row.
    pub(crate) fn recorded_base(&self) -> Option<u64> {
        let context = &self.frame().context;
        let (table, id) = (&context.primary_entity_name, context.primary_entity_id);
        let effects = &self.frame().recorded.as_ref()?.effects;
        let effect = effects.iter().find(|e| e.table == *table && e.id == id)?;
        Some(effect.base_version.unwrap_or(0))
    }

    /// A delete never takes away what others wrote meanwhile.
    pub(crate) fn refuse_delete_of_changed(
        &mut self,
        table: &str,
        id: Uuid,
        base: u64,
    ) -> Result<(), Fault> {
        if !self.is_changed_by_others(table, id, base)? {
            return Ok(());
        }
        Err(Fault::new(
            code::CONFLICT,
            format!("{table}({id}) was changed on the server after the device last saw it."),
        )
        .hint("Look at the row, then retry the entry to delete it or discard the entry."))
    }
}
