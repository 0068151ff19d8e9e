//! Going offline, and the refresh while online.

use super::pull::Pulled;
use super::{Device, DeviceState, Record};
use crate::crash::crash_point;
use crate::progress::Progress;
use offstage_model::query::Filter;
use offstage_model::{Fault, Timestamp, Uuid, code};
use offstage_pipeline::SkippedPackage;
use offstage_subscription::TableCount;
use std::sync::PoisonError;

/// Rows that are removed at once when the copy is given up.
const COPY_PAGE: u32 = 1_000;

/// What going offline brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoOfflineReport {
    /// What the server had prepared, per table.
    pub tables: Vec<TableCount>,
    /// Rows that came.
    pub rows: u64,
    /// Rows that went.
    pub removals: u64,
    /// Packages that do not run here, and why.
    pub skipped: Vec<SkippedPackage>,
    /// Set when the server did not answer, and the device went offline with the copy of that time.
    pub copy_of: Option<Timestamp>,
}

/// What a refresh brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// What the server had prepared, per table.
    pub tables: Vec<TableCount>,
    /// Rows that came.
    pub rows: u64,
    /// Rows that went.
    pub removals: u64,
}

impl Device {
    /// Goes offline: brings metadata, plug-ins and the subset down, then switches. Called again after
    /// an interruption, it goes on where it stopped.
    ///
    /// A server that does not answer is no obstacle to a device that has a whole copy already: it
    /// goes offline with that one, and the report says so.
    ///
    /// # Errors
    /// The device is offline already; [`code::GO_OFFLINE_DENIED`], after which the device is online;
    /// what the server says, or that it does not answer.
    pub fn go_offline(&self, progress: &dyn Progress) -> Result<GoOfflineReport, Fault> {
        self.leave(progress).or_else(|fault| match fault.code {
            code::UNREACHABLE => self.go_with_the_copy(fault, progress),
            _ => Err(fault),
        })
    }

    /// As [`Device::go_offline`], and never with an older copy.
    ///
    /// # Errors
    /// As there.
    pub fn go_offline_fresh(&self, progress: &dyn Progress) -> Result<GoOfflineReport, Fault> {
        self.leave(progress)
    }

    fn leave(&self, progress: &dyn Progress) -> Result<GoOfflineReport, Fault> {
        let _work = self.work();
        match self.require_state()? {
            DeviceState::Online | DeviceState::GoingOffline => {}
            DeviceState::Offline => {
                return Err(Fault::new(code::WRONG_STATE, "The device is offline already."));
            }
            DeviceState::GoingOnline => {
                return Err(Fault::new(code::WRONG_STATE, "The device is going online.")
                    .hint("`offstage go-online` finishes that; work goes on locally meanwhile."));
            }
        }
        self.switch(DeviceState::GoingOffline)?;
        match self.bring_down(progress) {
            Ok(mut report) => {
                let last = self.switch_offline(progress)?;
                report.rows += last.rows;
                report.removals += last.removals;
                Ok(report)
            }
            Err(fault) if fault.code == code::GO_OFFLINE_DENIED => {
                self.switch(DeviceState::Online)?;
                self.give_up_copy(progress)?;
                Err(fault)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Switches to offline. Requests of the last moments went to the server: no new one may start
    /// while what they wrote is brought down, or the copy would lack it.
    fn switch_offline(&self, progress: &dyn Progress) -> Result<Pulled, Fault> {
        let mut gate = self.0.gate.write().unwrap_or_else(PoisonError::into_inner);
        let pulled = self.pull(progress, "offline.page-applied")?;
        self.change(|record| record.state = DeviceState::Offline)?;
        *gate = Some(DeviceState::Offline);
        Ok(pulled)
    }

    /// The right to take data offline is gone: once nothing waits to be played back, the local copy
    /// goes too (`playback.md`, "GoOffline", 1). The journal stays.
    pub(super) fn give_up_copy(&self, progress: &dyn Progress) -> Result<(), Fault> {
        let mut tx = self.store_tx()?;
        if tx.journal_counts()?.open() > 0 {
            return Ok(());
        }
        let user = self.identity()?.user;
        let tables: Vec<String> = tx.catalog().tables.keys().cloned().collect();
        let mut removed = 0_u64;
        for table in tables {
            loop {
                let all = Filter::All(Vec::new());
                let ids = tx.shown_ids(&table, &all, user, (None, COPY_PAGE))?;
                if ids.is_empty() {
                    break;
                }
                for id in ids {
                    tx.remove_replica(&table, id)?;
                    tx.clear_dirty(&table, id)?;
                    removed += 1;
                }
            }
        }
        let mut record = Record::require(&mut tx)?;
        record.user.go_offline = false;
        record.offline_capable = false;
        record.last_sync = None;
        // The next handshake that is allowed begins with an empty subscription.
        record.incarnation = Uuid::nil();
        record.store(&mut tx)?;
        tx.commit()?;
        self.know_user(record.user);
        progress.note(&format!(
            "The right to take data offline is gone: {removed} rows were removed here."
        ));
        Ok(())
    }

    fn bring_down(&self, progress: &dyn Progress) -> Result<GoOfflineReport, Fault> {
        self.resolve_online_writes(progress)?;
        progress.start("Comparing with the server", None);
        let answer = self.shake(true)?;
        self.note_skew(progress)?;
        crash_point!("offline.after-handshake");
        self.adopt_plugins(&answer.packages, &answer.steps, progress)?;
        crash_point!("offline.after-adopt");
        progress.finish();
        let pulled = self.settle(progress, "offline.page-applied")?;
        let skipped = self.skipped()?;
        Ok(GoOfflineReport {
            tables: pulled.tables,
            rows: pulled.rows,
            removals: pulled.removals,
            skipped,
            copy_of: None,
        })
    }

    fn go_with_the_copy(
        &self,
        fault: Fault,
        progress: &dyn Progress,
    ) -> Result<GoOfflineReport, Fault> {
        let _work = self.work();
        let record = self.record()?;
        let allowed = record.offline_capable && record.user.go_offline;
        let (true, Some(copy_of)) = (allowed, record.last_sync) else {
            return Err(fault);
        };
        progress.note(&format!("The server does not answer; the copy of {copy_of} is used."));
        self.switch(DeviceState::Offline)?;
        Ok(GoOfflineReport {
            skipped: self.skipped()?,
            copy_of: Some(copy_of),
            ..GoOfflineReport::default()
        })
    }

    /// Refreshes the copy while online; also sends entries that were retried or discarded meanwhile.
    ///
    /// # Errors
    /// The device is not online; what the server says.
    pub fn sync(&self, progress: &dyn Progress) -> Result<SyncReport, Fault> {
        let _work = self.work();
        if self.require_state()? != DeviceState::Online {
            return Err(Fault::new(
                code::WRONG_STATE,
                "Only a device that is online is refreshed.",
            )
            .hint("`offstage go-online` plays the journal back and refreshes."));
        }
        self.resolve_online_writes(progress)?;
        let answer = match self.shake(true) {
            Err(fault) if fault.code == code::GO_OFFLINE_DENIED => {
                self.give_up_copy(progress)?;
                return Err(fault);
            }
            answer => answer?,
        };
        self.note_skew(progress)?;
        self.adopt_plugins(&answer.packages, &answer.steps, progress)?;
        let pulled = self.settle(progress, "offline.page-applied")?;
        let Pulled { tables, rows, removals } = pulled;
        Ok(SyncReport { tables, rows, removals })
    }

    /// Sends what is open, pulls, and brings rows that entries touched in line with the server.
    pub(super) fn settle(
        &self,
        progress: &dyn Progress,
        page_applied: &'static str,
    ) -> Result<Pulled, Fault> {
        self.send(progress)?;
        let pulled = self.pull(progress, page_applied)?;
        self.repair(progress)?;
        self.change(|record| record.offline_capable = true)?;
        Ok(pulled)
    }
}
