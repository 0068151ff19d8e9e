//! The state gate: a request goes to the server or runs here, by the device's state.
//!
//! An online write has a durable operation id. If its answer is lost, its outcome is asked for at the
//! next contact; it is never sent a second time on its own, because the caller was told that it may
//! not have arrived.

use super::record::OnlineWrite;
use super::{Device, apply, not_connected};
use crate::crash::crash_point;
use crate::progress::Progress;
use crate::wire::{ExecuteRequest, SpecificRequest};
use offstage_model::{EntityReference, Fault, Request, Response, Uuid, code};
use offstage_pipeline::CallOptions;
use std::sync::PoisonError;

impl Device {
    /// Runs one request of the directory's user: on the server while online, here while offline.
    ///
    /// # Errors
    /// Whatever refuses the request; [`code::UNREACHABLE`] when the server does not answer.
    pub fn execute(&self, request: Request, options: CallOptions) -> Result<Response, Fault> {
        // Held while the request runs, so that the state cannot change under it.
        let gate = self.0.gate.read().unwrap_or_else(PoisonError::into_inner);
        let state = gate.ok_or_else(not_connected)?;
        if state.is_local() {
            return self.0.pipeline.execute(&self.user()?, request, options);
        }
        if request.is_read() {
            return self.0.link.execute(&ExecuteRequest {
                operation: self.0.pipeline.random().guid(),
                request,
                tag: options.tag,
                lookup: false,
            });
        }
        self.write_online(request, options)
    }

    fn write_online(&self, request: Request, options: CallOptions) -> Result<Response, Fault> {
        let operation = options.operation.unwrap_or_else(|| self.0.pipeline.random().guid());
        let named =
            request.primary_id().map(|id| EntityReference::new(request.primary_table(), id));
        let table = request.primary_table().to_owned();
        // Before the record can be seen: who finds it must not ask for a write on its way.
        let _in_flight = InFlight::new(self, operation);
        let mut tx = self.store_tx()?;
        OnlineWrite {
            operation,
            message: request.message.clone(),
            row: named.clone(),
            time: self.now(),
        }
        .add(&mut tx)?;
        tx.commit()?;
        crash_point!("execute.pending-written");
        let ask = ExecuteRequest { operation, request, tag: options.tag, lookup: false };
        let answer = self.0.link.execute(&ask);
        crash_point!("execute.answered");
        let row = match &answer {
            Err(fault) if fault.code == code::UNREACHABLE => {
                let mut fault = fault.clone();
                fault.hint = Some(format!(
                    "Whether operation {operation} arrived is asked at the next contact. `offstage go-offline` lets work go on."
                ));
                return Err(fault);
            }
            // An answer that says nothing about the write: the record stays, and is asked about.
            Err(fault) if fault.code == code::INTERNAL => return answer,
            Ok(response) => {
                named.or_else(|| response.id().map(|id| EntityReference::new(table, id)))
            }
            Err(_) => None,
        };
        if let Err(error) = self.settle_online_write(operation, row) {
            // The server did it; the copy catches up with the next refresh.
            tracing::warn!(%operation, %error, "cannot write an online change through");
        }
        answer
    }

    /// Forgets an online write whose outcome is known, and brings its row up to date here.
    fn settle_online_write(
        &self,
        operation: Uuid,
        row: Option<EntityReference>,
    ) -> Result<(), Fault> {
        let fresh = match row {
            Some(row) if self.record()?.offline_capable => {
                let device = self.identity()?.device;
                let request = SpecificRequest { device, rows: vec![row] };
                self.0.link.specific(&request).ok()
            }
            _ => None,
        };
        let mut tx = self.store_tx()?;
        OnlineWrite::remove(&mut tx, operation)?;
        if let Some(fresh) = fresh {
            for row in &fresh.rows {
                apply::put_newer(&mut tx, row, false)?;
            }
            for row in &fresh.absent {
                apply::remove(&mut tx, row)?;
            }
        }
        Ok(tx.commit()?)
    }

    /// Asks the server about online writes whose answer was lost.
    pub(super) fn resolve_online_writes(&self, progress: &dyn Progress) -> Result<(), Fault> {
        let writes = OnlineWrite::all(&mut self.0.pipeline.store().read()?)?;
        for write in writes {
            let flying = self.0.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
            let on_its_way = flying.contains(&write.operation);
            drop(flying);
            if on_its_way {
                continue;
            }
            let ask = ExecuteRequest {
                operation: write.operation,
                request: Request::new(write.message.clone()),
                tag: None,
                lookup: true,
            };
            let (known, row) = match self.0.link.execute(&ask) {
                Ok(_) => ("was applied", write.row.clone()),
                Err(fault) if fault.code == code::NOT_FOUND => ("was not applied", None),
                Err(fault) => return Err(fault),
            };
            progress.note(&format!("The online {} of {} {known}.", write.message, write.time));
            self.settle_online_write(write.operation, row)?;
        }
        Ok(())
    }
}

/// Marks an online write as on its way while it is.
struct InFlight<'a> {
    device: &'a Device,
    operation: Uuid,
}

impl<'a> InFlight<'a> {
    fn new(device: &'a Device, operation: Uuid) -> Self {
        device.0.in_flight.lock().unwrap_or_else(PoisonError::into_inner).insert(operation);
        Self { device, operation }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut flying = self.device.0.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        flying.remove(&self.operation);
    }
}
