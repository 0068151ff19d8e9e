//! The server's side of sync: answers devices over a [`Pipeline`].
//!
//! Every call may be repeated. Never changes a business row but through the pipeline.

mod calls;
mod clock;
mod dependence;
mod dispatch;
mod playback;

pub use dispatch::Answer;

use crate::wire::{
    ConnectAnswer, ConnectRequest, HandshakeAnswer, HandshakeRequest, PROTOCOL_VERSION,
};
use offstage_model::registration::{Package, Step};
use offstage_model::{Fault, Timestamp, Uuid, code};
use offstage_pipeline::{Caller, Pipeline};
use offstage_store::{DeviceRow, Tx};
use std::collections::BTreeSet;

/// The setting that holds the store's incarnation: a new one is made when a backup is restored.
pub const INCARNATION: &str = "incarnation";

/// When the receipt of a played entry is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReceiptPlacement {
    /// In the transaction of the entry's effects: exactly once.
    #[default]
    InTransaction,
    /// In a transaction of its own, afterwards. Wrong on purpose: a crash in between plays the entry
    /// twice, and the campaign that looks for that must find it.
    #[cfg(feature = "negative-control")]
    AfterCommit,
}

/// The sync service of one server.
#[derive(Clone)]
pub struct SyncService {
    pipeline: Pipeline,
    placement: ReceiptPlacement,
}

impl SyncService {
    /// The service over the server's pipeline.
    #[must_use]
    pub fn new(pipeline: Pipeline) -> Self {
        Self { pipeline, placement: ReceiptPlacement::default() }
    }

    /// The same service with another place for receipts; for negative controls.
    #[cfg(feature = "negative-control")]
    #[must_use]
    pub fn with_receipts(mut self, placement: ReceiptPlacement) -> Self {
        self.placement = placement;
        self
    }

    /// Makes a directory a device of the caller. A repeat whose first answer was lost gets the same
    /// answer; with `renew`, a known device starts a new epoch with an empty copy.
    ///
    /// # Errors
    /// The device belongs to another user or is in use already ([`code::DEVICE_FORKED`]).
    pub fn connect(
        &self,
        caller: &Caller,
        request: &ConnectRequest,
    ) -> Result<ConnectAnswer, Fault> {
        check_protocol(request.protocol)?;
        if request.device.is_nil() || request.name.chars().count() > 200 {
            let text = "A device needs an id, and a name of at most 200 characters.";
            return Err(Fault::new(code::INVALID_ARGUMENT, text));
        }
        let mut tx = self.pipeline.store().write()?;
        let fresh = self.pipeline.random().guid();
        let known = tx.device(request.device)?;
        let (epoch, token) = match known {
            None => {
                let mut row =
                    DeviceRow::new(request.device, caller.user, &request.name, self.now());
                row.public_key = public_key(request)?;
                tx.put_device(&row)?;
                let token = offstage_subscription::open(&mut tx, row.id, caller.user, fresh)?;
                (row.epoch, token)
            }
            Some(row) if row.user != caller.user => return Err(not_yours(row.id)),
            Some(mut row) if request.renew => {
                row.epoch += 1;
                row.last_sequence = 0;
                row.last_hash = String::new();
                row.last_time = Timestamp(0);
                row.acknowledged = 0;
                tx.put_device(&row)?;
                (row.epoch, offstage_subscription::reset(&mut tx, row.id, fresh)?)
            }
            Some(row) => {
                let token = offstage_subscription::open(&mut tx, row.id, caller.user, fresh)?;
                (row.epoch, token)
            }
        };
        let incarnation = self.incarnation(&mut tx)?;
        tx.commit()?;
        Ok(ConnectAnswer {
            protocol: PROTOCOL_VERSION,
            organization: self.pipeline.organization(),
            incarnation,
            epoch,
            user: caller.clone(),
            token,
        })
    }

    /// Compares versions, clocks, plug-ins and rights before data moves.
    ///
    /// # Errors
    /// Another protocol version, a revoked device, or no right to take data offline
    /// ([`code::GO_OFFLINE_DENIED`]).
    pub fn handshake(
        &self,
        caller: &Caller,
        request: &HandshakeRequest,
    ) -> Result<HandshakeAnswer, Fault> {
        check_protocol(request.protocol)?;
        if request.takes_data && !caller.go_offline {
            return Err(Fault::new(
                code::GO_OFFLINE_DENIED,
                format!("{} has no right to take data offline (prvGoOffline).", caller.name),
            )
            .hint("Ask an administrator; entries made offline can still be played back."));
        }
        let now = self.now();
        let mut tx = self.pipeline.store().write()?;
        let mut row = self.device(&mut tx, caller, request.device)?;
        check_epoch(&row, request.epoch)?;
        row.offset_ms = Some(now.0.saturating_sub(request.device_time.0));
        row.last_seen = now;
        tx.put_device(&row)?;
        let incarnation = self.incarnation(&mut tx)?;
        let token = if request.incarnation == incarnation {
            None
        } else {
            // The server went back in time: what it believes the device to hold may be wrong.
            let fresh = self.pipeline.random().guid();
            Some(offstage_subscription::reset(&mut tx, row.id, fresh)?)
        };
        let filters = offstage_subscription::filters(&mut tx, row.id)?;
        let catalog = tx.catalog().clone();
        tx.commit()?;
        let (packages, steps) = self.for_devices()?;
        Ok(HandshakeAnswer {
            protocol: PROTOCOL_VERSION,
            organization: self.pipeline.organization(),
            incarnation,
            token,
            server_time: now,
            metadata_version: catalog.version,
            catalog: (catalog.version != request.metadata_version).then(|| (*catalog).clone()),
            user: caller.clone(),
            packages,
            steps,
            filters,
            expected_sequence: row.last_sequence + 1,
        })
    }

    /// What runs on devices: steps with deployment offline or both, and their packages.
    fn for_devices(&self) -> Result<(Vec<Package>, Vec<Step>), Fault> {
        let registry = self.pipeline.registry()?;
        let steps: Vec<Step> = registry
            .steps
            .iter()
            .filter(|step| step.declaration.deployment.runs_offline())
            .map(|step| {
                let mut step = (**step).clone();
                // Secrets and impersonation stay on the server.
                step.declaration.secure_configuration = String::new();
                step.declaration.impersonate = None;
                step
            })
            .collect();
        let needed: BTreeSet<&str> = steps.iter().map(|step| step.package.as_str()).collect();
        let packages =
            registry.packages.iter().filter(|p| needed.contains(p.id.as_str())).cloned().collect();
        Ok((packages, steps))
    }

    fn now(&self) -> Timestamp {
        self.pipeline.clock().now()
    }

    /// The caller's device; every call but `connect` begins here.
    fn device(&self, tx: &mut Tx, caller: &Caller, id: Uuid) -> Result<DeviceRow, Fault> {
        let row = tx.device(id)?.ok_or_else(|| {
            Fault::new(code::NOT_FOUND, format!("Device {id} is not connected to this server."))
                .hint("`offstage connect URL` makes this directory a device of the server.")
        })?;
        if row.user != caller.user {
            return Err(not_yours(id));
        }
        if row.revoked {
            return Err(Fault::new(
                code::PLAYBACK_NOT_ALLOWED,
                format!("Device {id} was revoked; nothing of its journal was consumed."),
            )
            .hint(
                "Ask an administrator. A new data directory can be connected as another device.",
            ));
        }
        Ok(row)
    }

    fn incarnation(&self, tx: &mut Tx) -> Result<Uuid, Fault> {
        if let Some(known) = tx.get_setting(INCARNATION)? {
            return Ok(known);
        }
        let fresh = self.pipeline.random().guid();
        tx.put_setting(INCARNATION, &fresh)?;
        Ok(fresh)
    }
}

/// The public key of a request, from hex.
fn public_key(request: &ConnectRequest) -> Result<Option<Vec<u8>>, Fault> {
    let wrong =
        || Fault::new(code::INVALID_ARGUMENT, "The device's public key is not written in hex.");
    let Some(text) = request.public_key.as_deref() else { return Ok(None) };
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()).ok_or_else(wrong))
        .collect::<Result<_, _>>()?;
    if digits.len() % 2 == 1 || digits.len() > 1_024 {
        return Err(wrong());
    }
    Ok(Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()))
}

fn check_protocol(protocol: u32) -> Result<(), Fault> {
    if protocol == PROTOCOL_VERSION {
        return Ok(());
    }
    Err(Fault::new(
        code::NOT_AVAILABLE,
        format!("The device speaks protocol {protocol}, the server {PROTOCOL_VERSION}."),
    )
    .hint("Install the same version of Offstage on both."))
}

fn check_epoch(row: &DeviceRow, epoch: u64) -> Result<(), Fault> {
    if row.epoch == epoch {
        return Ok(());
    }
    Err(forked(row.id, format!("it is in epoch {epoch}, the server knows epoch {}", row.epoch)))
}

/// The fault for a branch of a device that must not be merged.
fn forked(device: Uuid, reason: String) -> Fault {
    tracing::warn!(%device, reason, "a device forked; its branch is not merged");
    Fault::new(
        code::DEVICE_FORKED,
        format!(
            "Device {device} is a copy or was restored from a backup: {reason}. Nothing was merged."
        ),
    )
    .hint(
        "Its entries stay readable (`offstage journal list`). `offstage connect URL --renew` begins a new journal there.",
    )
}

fn not_yours(device: Uuid) -> Fault {
    Fault::new(code::PRIVILEGE_DENIED, format!("Device {device} belongs to another user."))
        .hint("Each user needs a data directory of their own (`--data DIR`).")
}
