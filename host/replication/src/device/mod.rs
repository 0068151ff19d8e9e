//! A device: the durable state machine between online and offline, over a device pipeline and a link
//! to the server.
//!
//! Long work runs one at a time; requests go on meanwhile. A crash anywhere leaves a state from which
//! the same call resumes. Never writes a row except through the pipeline or the replica applier.

mod apply;
mod execute;
mod journal;
mod offline;
mod online;
mod pull;
mod record;
mod verify;

pub use journal::{Attention, EntryDetail};
pub use offline::{GoOfflineReport, SyncReport};
pub use online::GoOnlineReport;
pub use record::{DeviceState, PlaybackCounts};
pub use verify::{RowDifference, TableDifference};

use crate::link::ServerLink;
use crate::wire::{ConnectRequest, FiltersRequest, PROTOCOL_VERSION};
use offstage_model::{Fault, Timestamp, Uuid, code};
use offstage_pipeline::{Caller, DeviceIdentity, Organization, Pipeline, SkippedPackage, settings};
use offstage_store::{JournalCounts, Tx};
use offstage_subscription::DataFilter;
use record::{OnlineWrite, Record, not_connected};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// What a device is made of.
pub struct DeviceOptions {
    /// The device's pipeline, over its store.
    pub pipeline: Pipeline,
    /// The way to its server.
    pub link: Arc<dyn ServerLink>,
}

/// A device; cheap to clone.
#[derive(Clone)]
pub struct Device(Arc<Inner>);

struct Inner {
    pipeline: Pipeline,
    link: Arc<dyn ServerLink>,
    /// The state that requests see. They hold it while they run, so a switch waits for them.
    gate: RwLock<Option<DeviceState>>,
    /// The user as the record has it, so that requests need not read it.
    user: RwLock<Option<Caller>>,
    /// Long work, one at a time.
    work: Mutex<()>,
    /// Online writes on their way, whose outcome nobody needs to ask for.
    in_flight: Mutex<BTreeSet<Uuid>>,
}

/// Where a device stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The device.
    pub device: Uuid,
    /// Its journal's epoch.
    pub epoch: u64,
    /// What people call it.
    pub name: String,
    /// Its state.
    pub state: DeviceState,
    /// Its organization.
    pub organization: Organization,
    /// Its user, with the rights of the last contact.
    pub user: Caller,
    /// Entries per state.
    pub journal: JournalCounts,
    /// Entries that a person has to look at, without those that another one took the place of.
    pub attention: u64,
    /// Online writes whose outcome is unknown.
    pub unknown_writes: u64,
    /// When the subset was last in step with the server, on this clock.
    pub last_sync: Option<Timestamp>,
    /// A whole subset came down once.
    pub offline_capable: bool,
    /// Server clock minus this clock, in milliseconds.
    pub offset_ms: i64,
    /// Packages that do not run here, and why.
    pub skipped: Vec<SkippedPackage>,
}

impl Device {
    /// Opens the device of a store. It may not be connected yet.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn open(options: DeviceOptions) -> Result<Self, Fault> {
        let mut tx = options.pipeline.store().read()?;
        let record = Record::load(&mut tx)?;
        drop(tx);
        Ok(Self(Arc::new(Inner {
            pipeline: options.pipeline,
            link: options.link,
            gate: RwLock::new(record.as_ref().map(|record| record.state)),
            user: RwLock::new(record.map(|record| record.user)),
            work: Mutex::new(()),
            in_flight: Mutex::new(BTreeSet::new()),
        })))
    }

    /// Makes this directory a device of the link's server and user. Repeating it does no harm.
    ///
    /// # Errors
    /// The directory belongs to another user or organization; what the server says.
    pub fn connect(&self, name: &str, public_key: Option<String>) -> Result<Status, Fault> {
        let _work = self.work();
        let mut tx = self.store_tx()?;
        if Record::load(&mut tx)?.is_some() {
            drop(tx);
            return self.status();
        }
        // The id is kept before the server hears of it, so that a repeat names the same device.
        let device = self.own_id(&mut tx)?;
        tx.commit()?;
        self.sign_up(device, name, public_key, false)?;
        self.status()
    }

    /// Ends the device's epoch and begins a new one with an empty copy: the way out after a fork.
    /// Entries of the old epoch stay readable. What the server still takes is played back first.
    ///
    /// # Errors
    /// What the server says, other than that the journal forked.
    pub fn renew(&self) -> Result<Status, Fault> {
        let _work = self.work();
        let played = self.shake(false).and_then(|_| self.send(&crate::Silent));
        if let Err(fault) = played
            && fault.code != code::DEVICE_FORKED
        {
            return Err(fault);
        }
        let mut tx = self.store_tx()?;
        let record = Record::require(&mut tx)?;
        let identity = identity(&mut tx)?;
        drop(tx);
        self.sign_up(identity.device, &record.name, None, true)?;
        self.status()
    }

    fn own_id(&self, tx: &mut Tx) -> Result<Uuid, Fault> {
        const OWN_ID: &str = "replication.device-id";
        if let Some(known) = tx.get_setting(OWN_ID)? {
            return Ok(known);
        }
        let fresh = self.0.pipeline.random().guid();
        tx.put_setting(OWN_ID, &fresh)?;
        Ok(fresh)
    }

    fn sign_up(
        &self,
        device: Uuid,
        name: &str,
        public_key: Option<String>,
        renew: bool,
    ) -> Result<(), Fault> {
        let request = ConnectRequest {
            protocol: PROTOCOL_VERSION,
            device,
            name: name.to_owned(),
            public_key,
            renew,
        };
        let answer = self.0.link.connect(&request)?;
        self.0.pipeline.set_organization(answer.organization.clone())?;
        let mut gate = self.0.gate.write().unwrap_or_else(PoisonError::into_inner);
        let mut tx = self.store_tx()?;
        let identity = DeviceIdentity { device, epoch: answer.epoch, user: answer.user.user };
        tx.put_setting(settings::DEVICE, &identity)?;
        if renew {
            tx.begin_epoch(answer.epoch)?;
        }
        let record = Record {
            state: DeviceState::Online,
            name: name.to_owned(),
            organization: answer.organization,
            incarnation: answer.incarnation,
            user: answer.user,
            token: answer.token,
            after: 0,
            posted: 0,
            adopted: false,
            offline_capable: false,
            prune: renew,
            offset_ms: 0,
            last_sync: None,
            counts: PlaybackCounts::default(),
        };
        record.store(&mut tx)?;
        tx.commit()?;
        self.know_user(record.user);
        *gate = Some(DeviceState::Online);
        Ok(())
    }

    /// Where the device stands.
    ///
    /// # Errors
    /// The directory is not connected.
    pub fn status(&self) -> Result<Status, Fault> {
        let mut tx = self.0.pipeline.store().read()?;
        let record = Record::require(&mut tx)?;
        let identity = identity(&mut tx)?;
        let attention = tx.journal_attention(usize::MAX)?.len();
        Ok(Status {
            device: identity.device,
            epoch: identity.epoch,
            name: record.name,
            state: record.state,
            organization: record.organization,
            user: record.user,
            journal: tx.journal_counts()?,
            attention: attention as u64,
            unknown_writes: OnlineWrite::all(&mut tx)?.len() as u64,
            last_sync: record.last_sync,
            offline_capable: record.offline_capable,
            offset_ms: record.offset_ms,
            skipped: self.skipped()?,
        })
    }

    /// Packages that do not run here by the trust file of now, and why.
    fn skipped(&self) -> Result<Vec<SkippedPackage>, Fault> {
        Ok(self.0.pipeline.registry()?.skipped.clone())
    }

    /// The state; `None` before the directory is connected.
    #[must_use]
    pub fn state(&self) -> Option<DeviceState> {
        *self.0.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The user of the directory, with the rights of the last contact.
    ///
    /// # Errors
    /// The directory is not connected.
    pub fn user(&self) -> Result<Caller, Fault> {
        let user = self.0.user.read().unwrap_or_else(PoisonError::into_inner);
        user.clone().ok_or_else(not_connected)
    }

    /// The device's pipeline.
    #[must_use]
    pub fn pipeline(&self) -> &Pipeline {
        &self.0.pipeline
    }

    /// What the device takes offline, as the server has it.
    ///
    /// # Errors
    /// What the server says.
    pub fn filters(&self) -> Result<Vec<DataFilter>, Fault> {
        // A handshake may reopen entries, so none may be on its way.
        let _work = self.work();
        Ok(self.shake(false)?.filters)
    }

    /// Sets what the device takes offline; the next sync brings and removes rows.
    ///
    /// # Errors
    /// What the server says.
    pub fn set_filters(&self, filters: Vec<DataFilter>) -> Result<(), Fault> {
        let device = self.identity()?.device;
        self.0.link.set_filters(&FiltersRequest { device, filters })
    }

    fn identity(&self) -> Result<DeviceIdentity, Fault> {
        identity(&mut self.0.pipeline.store().read()?)
    }

    fn record(&self) -> Result<Record, Fault> {
        Record::require(&mut self.0.pipeline.store().read()?)
    }

    /// Changes the record in a transaction of its own.
    fn change(&self, change: impl FnOnce(&mut Record)) -> Result<(), Fault> {
        let mut tx = self.store_tx()?;
        let mut record = Record::require(&mut tx)?;
        change(&mut record);
        record.store(&mut tx)?;
        Ok(tx.commit()?)
    }

    /// Takes over the user of a record that was committed.
    fn know_user(&self, user: Caller) {
        *self.0.user.write().unwrap_or_else(PoisonError::into_inner) = Some(user);
    }

    /// Changes the state, durably, when no request is running.
    fn switch(&self, to: DeviceState) -> Result<(), Fault> {
        let mut gate = self.0.gate.write().unwrap_or_else(PoisonError::into_inner);
        self.change(|record| record.state = to)?;
        *gate = Some(to);
        Ok(())
    }

    fn require_state(&self) -> Result<DeviceState, Fault> {
        self.state().ok_or_else(not_connected)
    }

    fn store_tx(&self) -> Result<Tx, Fault> {
        Ok(self.0.pipeline.store().write()?)
    }

    fn work(&self) -> MutexGuard<'_, ()> {
        self.0.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.0.pipeline.clock().now()
    }
}

fn identity(tx: &mut Tx) -> Result<DeviceIdentity, Fault> {
    tx.get_setting(settings::DEVICE)?.ok_or_else(not_connected)
}

/// The fault of work that was stopped on request.
fn stopped() -> Fault {
    Fault::new(code::WRONG_STATE, "The work was stopped on request.")
        .hint("Nothing is lost; the same command goes on where it stopped.")
}
