//! Reconciles the two runs of a step: what both made is kept once, what only the offline run made
//! is carried over or dropped, and every decision becomes a line of the report.
//!
//! Source: `playback.md`, "Reconciling the two runs", "Hard cases, decided" and "Found by trying to
//! break it", 2, 3, 7, 8. Never runs a plug-in itself; replayed operations go through the pipeline.

use crate::context::{describe, is_platform_column};
use crate::guard::Guard;
use crate::operation::{Issuer, Operation};
use crate::services::{FinishedServices, IssuedOperation, RecordedOperation};
use crate::session::Session;
use crate::step_run::Columns;
use offstage_model::identity::Fingerprint;
use offstage_model::journal::{ColumnChange, OperationNode, ReportLine, StepRun, Verdict};
use offstage_model::registration::{PlaybackMode, Stage, Step};
use offstage_model::request::{message, parameter};
use offstage_model::{ContextChange, Entity, EntityReference, Fault, Parameter, Value, code};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is done with what only the offline run made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leftover {
    Carry,
    Drop,
}

impl Session {
    /// Reconciles a step that has just run here with its offline run.
    pub(crate) fn reconcile(
        &mut self,
        step: &Arc<Step>,
        recorded: Option<StepRun>,
        columns: &Columns,
        finished: FinishedServices,
    ) -> Result<(), Fault> {
        let Some(recorded) = recorded else {
            self.report_added(step, &Columns::new(), columns, &finished.issued);
            return Ok(());
        };
        match step.declaration.playback {
            PlaybackMode::Classic => {
                self.report_added(step, &Columns::new(), columns, &finished.issued);
                self.replay_operations(step, &recorded.operations)
            }
            mode => {
                // A run that looked at IsOfflinePlayback may have returned early because of it; a
                // run that did not is the server's decision.
                let carries = mode == PlaybackMode::Reconcile && finished.outcome.read_playback;
                let leftover = if carries { Leftover::Carry } else { Leftover::Drop };
                self.report_added(step, &recorded.columns, columns, &finished.issued);
                self.reconcile_columns(step, &recorded.columns, columns, leftover)?;
                self.reconcile_operations(step, finished, leftover)
            }
        }
    }

    /// Replays a step that does not run here at all: offline-only, `once`, or switched off.
    pub(crate) fn carry_over(&mut self, step: &Arc<Step>, recorded: &StepRun) -> Result<(), Fault> {
        self.reconcile_columns(step, &recorded.columns, &Columns::new(), Leftover::Carry)?;
        self.replay_operations(step, &recorded.operations)
    }

    /// Reports everything of a step as dropped: its trigger is gone.
    pub(crate) fn drop_recorded(
        &mut self,
        step: &Arc<Step>,
        recorded: &StepRun,
    ) -> Result<(), Fault> {
        self.reconcile_columns(step, &recorded.columns, &Columns::new(), Leftover::Drop)?;
        for node in &recorded.operations {
            self.report_operation(step, node, Verdict::Dropped);
        }
        Ok(())
    }

    fn reconcile_columns(
        &mut self,
        step: &Arc<Step>,
        offline: &Columns,
        server: &Columns,
        leftover: Leftover,
    ) -> Result<(), Fault> {
        for (column, offline_change) in offline {
            // A column that the offline step took out of the request is left to the server's run.
            let ColumnChange::Set(offline_value) = offline_change else {
                continue;
            };
            let (verdict, server_value) = match server.get(column) {
                Some(ColumnChange::Set(value)) if value.same(offline_value) => {
                    (Verdict::Paired, Some(value.clone()))
                }
                Some(ColumnChange::Set(value)) => (Verdict::Differs, Some(value.clone())),
                Some(ColumnChange::Removed) => (Verdict::Dropped, None),
                None if leftover == Leftover::Carry
                    && self.carry_column(step, column, offline_value)? =>
                {
                    (Verdict::CarriedOver, None)
                }
                None => (Verdict::Dropped, None),
            };
            let operation = self.own_operation();
            self.report.push(ReportLine {
                step: step.declaration.key.clone(),
                operation,
                row: None,
                column: Some(column.clone()),
                verdict,
                offline: Some(offline_value.clone()),
                server: server_value,
            });
        }
        Ok(())
    }

    /// Puts an offline value into Target; `false` when the server has its own ways with the column.
    fn carry_column(
        &mut self,
        step: &Arc<Step>,
        column: &str,
        value: &Value,
    ) -> Result<bool, Fault> {
        let table = self.frame().context.primary_entity_name.clone();
        if is_platform_column(self, &table, column) || self.is_foreign_since(column, value)? {
            return Ok(false);
        }
        // After the main operation nothing of Target reaches a row.
        if step.declaration.stage < Stage::MainOperation {
            let change = ContextChange::SetAttribute {
                parameter: parameter::TARGET.to_owned(),
                column: column.to_owned(),
                value: value.clone(),
            };
            self.recorded_guard(step)?.require_change(self, &change)?;
        }
        let value = value.clone();
        let Some(target) = self.frame_mut().target_mut() else {
            return Ok(false);
        };
        target.attributes.insert(column.to_owned(), value);
        Ok(true)
    }

    /// Holds what a device says that a step did to what the step may do here: the device's own policy
    /// counts for nothing ("Found by trying to break it", 11).
    fn recorded_guard(&self, step: &Arc<Step>) -> Result<Guard, Fault> {
        let package = &step.package;
        let permissions = self.registry.permissions(package).ok_or_else(|| {
            let text = format!(
                "The plug-in '{package}' is not allowed on this server, so what it did on the device is not taken."
            );
            Fault::new(code::PRIVILEGE_DENIED, text).hint(format!(
                "`offstage plugin show {package}` on the server says why. Allow it and retry the entry, or discard the entry."
            ))
        })?;
        Ok(Guard::new(step, permissions))
    }

    /// Whether somebody else wrote the column since the device last saw the row: then the server
    /// wins for columns that plug-ins write.
    fn is_foreign_since(&mut self, column: &str, value: &Value) -> Result<bool, Fault> {
        let Some(base) = self.recorded_base() else {
            return Ok(false);
        };
        let context = &self.frame().context;
        let (table, id) = (context.primary_entity_name.clone(), context.primary_entity_id);
        Ok(self.foreign_write(&table, id, column, base, value)?.is_some())
    }

    fn reconcile_operations(
        &mut self,
        step: &Arc<Step>,
        finished: FinishedServices,
        leftover: Leftover,
    ) -> Result<(), Fault> {
        let FinishedServices { recorded, issued, .. } = finished;
        for operation in &issued {
            let Some(pair) = operation.pair else { continue };
            let recorded = &recorded[pair];
            let settled = issued_columns(&issued, recorded);
            let Some(settled) = settled.filter(|_| leftover == Leftover::Carry) else {
                self.report_pair(step, &recorded.node, &operation.node);
                continue;
            };
            self.report_operation(step, &recorded.node, Verdict::Paired);
            // The steps that the update triggers have met their recorded runs already.
            let node = OperationNode { steps: Vec::new(), ..recorded.node.clone() };
            self.replay_remaining_columns(step, &node, &settled)?;
        }
        for operation in recorded.iter().filter(|r| !r.paired) {
            let settled = issued_columns(&issued, operation);
            if leftover == Leftover::Drop {
                self.report_operation(step, &operation.node, Verdict::Dropped);
            } else if let Some(settled) = settled {
                self.replay_remaining_columns(step, &operation.node, &settled)?;
            } else {
                self.replay_operation(step, &operation.node)?;
            }
        }
        Ok(())
    }

    fn replay_operations(
        &mut self,
        step: &Arc<Step>,
        operations: &[OperationNode],
    ) -> Result<(), Fault> {
        operations.iter().try_for_each(|node| self.replay_operation(step, node))
    }

    /// Executes a recorded nested operation now; its own steps run and are reconciled in turn.
    fn replay_operation(&mut self, step: &Arc<Step>, node: &OperationNode) -> Result<(), Fault> {
        let mut request = node.request.clone();
        if let Some(Parameter::Entity(target)) = request.parameters.get_mut(parameter::TARGET)
            && target.key.is_empty()
        {
            target.id = target.id.or(node.row);
            if request.message == message::UPDATE
                && !self.keep_own_columns(step, node, &mut request)?
            {
                return Ok(());
            }
        }
        // Outbound HTTP has a question of its own, which its main operation asks.
        if request.message != message::ENQUEUE_HTTP {
            self.recorded_guard(step)?.require_request(self, &request)?;
        }
        if self.is_already_so(&request)? {
            self.report_operation(step, node, Verdict::Paired);
            return Ok(());
        }
        let fingerprint = Fingerprint::of(&node.request);
        let frame = self.frame();
        let operation = Operation {
            lineage: frame
                .lineage
                .step(&step.declaration.key)
                .operation(&fingerprint, node.occurrence),
            depth: frame.context.depth + 1,
            user: frame.context.user_id,
            occurrence: node.occurrence,
            cascade: None,
            recorded: Some(node.clone()),
            issuer: Some(Issuer::of(step)),
            request,
        };
        self.report_operation(step, node, Verdict::CarriedOver);
        self.run_in_savepoint(operation).map(|_| ())
    }

    /// A delete of a row that is gone has nothing left to do.
    fn is_already_so(&mut self, request: &offstage_model::Request) -> Result<bool, Fault> {
        match (request.message.as_str(), request.primary_id()) {
            (message::DELETE, Some(id)) => {
                let table = request.primary_table();
                self.catalog.table(table)?;
                Ok(!self.tx.exists(table, id)?)
            }
            _ => Ok(false),
        }
    }

    /// Takes columns out of a replayed update that others wrote meanwhile: columns that plug-ins
    /// write are server-wins. `false` when nothing is left.
    fn keep_own_columns(
        &mut self,
        step: &Step,
        node: &OperationNode,
        request: &mut offstage_model::Request,
    ) -> Result<bool, Fault> {
        let Some(Parameter::Entity(target)) = request.parameters.get_mut(parameter::TARGET) else {
            return Ok(true);
        };
        let Some(id) = target.id else { return Ok(true) };
        let effect = node.effects.iter().find(|e| e.table == target.table && e.id == id);
        let Some(base) = effect.map(|e| e.base_version.unwrap_or(0)) else {
            return Ok(true);
        };
        let columns: Vec<String> = target.attributes.keys().cloned().collect();
        for column in columns {
            let value = target.value(&column).clone();
            let table = target.table.clone();
            if let Some(server) = self.foreign_write(&table, id, &column, base, &value)? {
                target.attributes.remove(&column);
                self.report.push(ReportLine {
                    step: step.declaration.key.clone(),
                    operation: describe(&node.request, node.row),
                    row: Some(EntityReference::new(table, id)),
                    column: Some(column),
                    verdict: Verdict::ServerStands,
                    offline: Some(value),
                    server: Some(server.value),
                });
            }
        }
        Ok(!target.attributes.is_empty())
    }

    /// Replays the columns of an offline update that the server's updates of that row left alone.
    fn replay_remaining_columns(
        &mut self,
        step: &Arc<Step>,
        node: &OperationNode,
        settled: &BTreeMap<String, Value>,
    ) -> Result<(), Fault> {
        let mut rest = node.clone();
        if let Some(Parameter::Entity(target)) = rest.request.parameters.get_mut(parameter::TARGET)
        {
            let mut both = target.attributes.clone();
            both.retain(|column, _| settled.contains_key(column));
            self.report_columns(step, node, &both, settled);
            target.attributes.retain(|column, _| !settled.contains_key(column));
            if target.attributes.is_empty() {
                return Ok(());
            }
        }
        self.replay_operation(step, &rest)
    }

    fn report_pair(&mut self, step: &Step, offline: &OperationNode, server: &OperationNode) {
        self.report_operation(step, offline, Verdict::Paired);
        if let (Some(offline_target), Some(server_target)) = (target(offline), target(server)) {
            let (a, b) = (offline_target.attributes.clone(), server_target.attributes.clone());
            self.report_columns(step, offline, &a, &b);
        }
    }

    /// Reports columns that both runs gave different values.
    fn report_columns(
        &mut self,
        step: &Step,
        node: &OperationNode,
        offline: &BTreeMap<String, Value>,
        server: &BTreeMap<String, Value>,
    ) {
        for (column, offline_value) in offline {
            let server_value = server.get(column);
            if server_value.is_some_and(|value| value.same(offline_value)) {
                continue;
            }
            self.report.push(ReportLine {
                step: step.declaration.key.clone(),
                operation: describe(&node.request, node.row),
                row: None,
                column: Some(column.clone()),
                verdict: Verdict::Differs,
                offline: Some(offline_value.clone()),
                server: server_value.cloned(),
            });
        }
    }

    fn report_operation(&mut self, step: &Step, node: &OperationNode, verdict: Verdict) {
        self.report.push(ReportLine {
            step: step.declaration.key.clone(),
            operation: describe(&node.request, node.row),
            row: None,
            column: None,
            verdict,
            offline: None,
            server: None,
        });
    }

    fn report_added(
        &mut self,
        step: &Step,
        offline: &Columns,
        server: &Columns,
        issued: &[IssuedOperation],
    ) {
        for (column, change) in server {
            if offline.contains_key(column) {
                continue;
            }
            let operation = self.own_operation();
            self.report.push(ReportLine {
                step: step.declaration.key.clone(),
                operation,
                row: None,
                column: Some(column.clone()),
                verdict: Verdict::AddedByServer,
                offline: None,
                server: match change {
                    ColumnChange::Set(value) => Some(value.clone()),
                    ColumnChange::Removed => None,
                },
            });
        }
        for operation in issued.iter().filter(|o| o.pair.is_none()) {
            self.report_operation(step, &operation.node, Verdict::AddedByServer);
        }
    }

    fn own_operation(&self) -> String {
        let frame = self.frame();
        describe(&frame.node.request, Some(frame.context.primary_entity_id))
    }
}

fn target(node: &OperationNode) -> Option<&Entity> {
    match node.request.parameters.get(parameter::TARGET)? {
        Parameter::Entity(entity) => Some(entity),
        _ => None,
    }
}

/// Updates of one row by one step run fold into one column map: what this run's updates of the row
/// of `recorded` set, or `None` when it made none.
fn issued_columns(
    issued: &[IssuedOperation],
    recorded: &RecordedOperation,
) -> Option<BTreeMap<String, Value>> {
    if recorded.node.request.message != message::UPDATE {
        return None;
    }
    let same_row: Vec<&Entity> = issued
        .iter()
        .filter(|o| o.node.request.message == message::UPDATE)
        .filter(|o| Fingerprint::of(&o.node.request) == recorded.fingerprint)
        .filter_map(|o| target(&o.node))
        .collect();
    if same_row.is_empty() {
        return None;
    }
    Some(same_row.into_iter().flat_map(|t| t.attributes.clone()).collect())
}
