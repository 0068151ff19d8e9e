//! Going online: plays the journal on the server, pulls what its run decided, and repairs every row
//! that an entry touched.
//!
//! Entries are streamed in order; the switch to online happens under the writer's lock with nothing
//! open. Never changes an entry.

use super::pull::Pulled;
use super::record::PlaybackCounts;
use super::{Device, DeviceState, Record, apply, stopped};
use crate::crash::crash_point;
use crate::progress::Progress;
use crate::wire::{
    BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, Frozen, PlaybackAnswer, PlaybackRequest, SPECIFIC_MAX,
    SpecificRequest,
};
use offstage_model::journal::{EntryState, Outcome};
use offstage_model::{Fault, code};
use offstage_store::Tx;
use std::sync::PoisonError;

/// What going online did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoOnlineReport {
    /// What became of the entries since the device was last offline.
    pub counts: PlaybackCounts,
    /// Rows that the pull brought.
    pub rows: u64,
    /// Rows that it removed.
    pub removals: u64,
}

type Batch = Vec<(u64, Vec<u8>)>;

impl Device {
    /// Goes online. Interrupted anywhere, the device stays "going online" and the next call goes on;
    /// requests run locally meanwhile, and their entries are played too.
    ///
    /// # Errors
    /// The device is online already, the server does not answer, or it refuses the device
    /// ([`code::DEVICE_FORKED`], [`code::PLAYBACK_NOT_ALLOWED`]). Entries that are refused are no
    /// error; the report counts them.
    pub fn go_online(&self, progress: &dyn Progress) -> Result<GoOnlineReport, Fault> {
        let _work = self.work();
        match self.require_state()? {
            DeviceState::Online => {
                return Err(Fault::new(code::WRONG_STATE, "The device is online already."));
            }
            DeviceState::GoingOffline => {
                self.switch(DeviceState::Online)?;
                return Ok(GoOnlineReport::default());
            }
            DeviceState::Offline => {
                self.change(|record| record.counts = PlaybackCounts::default())?;
                self.switch(DeviceState::GoingOnline)?;
            }
            DeviceState::GoingOnline => {}
        }
        crash_point!("online.state-written");
        self.resolve_online_writes(progress)?;
        let answer = self.shake(false)?;
        self.note_skew(progress)?;
        let mut report = GoOnlineReport::default();
        loop {
            self.send(progress)?;
            if answer.user.go_offline {
                let Pulled { rows, removals, .. } = self.pull(progress, "online.page-applied")?;
                report.rows += rows;
                report.removals += removals;
            } else {
                progress
                    .note("Nothing is brought down: the right to take data offline is missing.");
            }
            crash_point!("online.after-pull");
            self.repair(progress)?;
            crash_point!("online.after-repair");
            crash_point!("online.before-switch");
            if self.switch_online_when_empty()? {
                if !answer.user.go_offline {
                    self.give_up_copy(progress)?;
                }
                report.counts = self.record()?.counts;
                return Ok(report);
            }
        }
    }

    /// Switches to online if no entry is open, under the writer's lock; whether it did.
    fn switch_online_when_empty(&self) -> Result<bool, Fault> {
        let mut gate = self.0.gate.write().unwrap_or_else(PoisonError::into_inner);
        let mut tx = self.store_tx()?;
        if tx.journal_counts()?.open() > 0 {
            return Ok(false);
        }
        let mut record = Record::require(&mut tx)?;
        record.state = DeviceState::Online;
        record.store(&mut tx)?;
        tx.commit()?;
        *gate = Some(DeviceState::Online);
        Ok(true)
    }

    /// A server that was restored from a backup expects entries again that it had decided: they are
    /// offered again, with the same bytes.
    pub(super) fn reopen_from(&self, expected: u64) -> Result<(), Fault> {
        let mut tx = self.store_tx()?;
        let (last, _) = tx.last_entry()?.unwrap_or_default();
        if expected > last + 1 {
            return Err(Fault::new(
                code::DEVICE_FORKED,
                format!(
                    "The server has entries up to {}, this directory only up to {last}.",
                    expected - 1
                ),
            )
            .hint(
                "This directory was restored from a backup or copied. `offstage connect URL --renew` begins a new journal.",
            ));
        }
        // Open entries are the end of the journal, so what was decided lies before the first one.
        let first_open = tx.frozen_after(0, 1, 1)?.first().map_or(last + 1, |(first, _)| *first);
        for sequence in expected..first_open {
            tx.set_state(sequence, EntryState::Pending)?;
        }
        Ok(tx.commit()?)
    }

    /// Sends open entries in order until none is left.
    pub(super) fn send(&self, progress: &dyn Progress) -> Result<(), Fault> {
        let mut tx = self.store_tx()?;
        let open = tx.journal_counts()?.open();
        if open == 0 {
            return Ok(());
        }
        let mut batch = next_batch(&mut tx, 0)?;
        tx.commit()?;
        progress.start("Playing back", Some(open));
        while let Some((first, _)) = batch.first() {
            if progress.cancelled() {
                return Err(stopped());
            }
            crash_point!("online.before-send");
            let answer = self.play(*first, &batch)?;
            crash_point!("online.after-send");
            batch = self.record_outcomes(&batch, &answer, progress)?;
            crash_point!("online.outcomes-recorded");
            if let Some(fault) = answer.stopped {
                return Err(fault);
            }
        }
        progress.finish();
        Ok(())
    }

    fn play(&self, first: u64, batch: &Batch) -> Result<PlaybackAnswer, Fault> {
        let identity = self.identity()?;
        let answer = self.0.link.playback(&PlaybackRequest {
            device: identity.device,
            epoch: identity.epoch,
            entries: batch.iter().map(|(_, bytes)| Frozen(bytes.clone())).collect(),
            acknowledged_through: first - 1,
            offset_ms: Some(self.record()?.offset_ms),
        })?;
        if answer.outcomes.is_empty() && answer.stopped.is_none() {
            return Err(Fault::new(code::INTERNAL, "The server decided nothing and said nothing."));
        }
        Ok(answer)
    }

    /// Records outcomes, and reads the next batch in the same transaction.
    fn record_outcomes(
        &self,
        batch: &Batch,
        answer: &PlaybackAnswer,
        progress: &dyn Progress,
    ) -> Result<Batch, Fault> {
        let mut tx = self.store_tx()?;
        let mut record = Record::require(&mut tx)?;
        let mut last = batch.first().map_or(0, |(first, _)| first - 1);
        for ((sequence, _), frozen) in batch.iter().zip(&answer.outcomes) {
            let outcome: Outcome = serde_json::from_slice(&frozen.0).map_err(|error| {
                Fault::new(
                    code::INTERNAL,
                    format!("The outcome of entry {sequence} cannot be read: {error}."),
                )
                .hint("Nothing is lost. Install the newer version of Offstage here.")
            })?;
            if outcome.sequence != *sequence || outcome.state.is_open() {
                let text = format!(
                    "The server answered for entry {} instead of {sequence}.",
                    outcome.sequence
                );
                return Err(Fault::new(code::INTERNAL, text));
            }
            tx.record_outcome(&outcome)?;
            count(&mut record.counts, outcome.state);
            last = *sequence;
            if let (true, Some(fault)) = (outcome.state.needs_attention(), &outcome.fault) {
                progress.note(&format!("Entry {sequence} needs attention: {}", fault.message));
            }
        }
        record.store(&mut tx)?;
        let next = next_batch(&mut tx, last)?;
        tx.commit()?;
        progress.advance(answer.outcomes.len() as u64);
        Ok(next)
    }

    /// Brings every row that a decided entry touched, and that the pull did not refresh, in line with
    /// the server: fetched anew, or removed. Leaves no ghost of a refused entry.
    pub(super) fn repair(&self, progress: &dyn Progress) -> Result<(), Fault> {
        let device = self.identity()?.device;
        let mut last = None;
        let mut started = false;
        loop {
            let rows = self.0.pipeline.store().read()?.dirty_rows(last.as_ref(), SPECIFIC_MAX)?;
            let Some(end) = rows.last().cloned() else { break };
            if !started {
                started = true;
                progress.start("Comparing touched rows", None);
            }
            if progress.cancelled() {
                return Err(stopped());
            }
            let count = rows.len() as u64;
            let answer = self.0.link.specific(&SpecificRequest { device, rows })?;
            let mut tx = self.store_tx()?;
            for row in &answer.rows {
                apply::put(&mut tx, row, false)?;
            }
            for row in &answer.absent {
                apply::remove(&mut tx, row)?;
            }
            tx.commit()?;
            progress.advance(count);
            last = Some(end);
        }
        if started {
            progress.finish();
        }
        Ok(())
    }
}

/// The next entries to send, marked as sent.
fn next_batch(tx: &mut Tx, after: u64) -> Result<Batch, Fault> {
    let batch = tx.frozen_after(after, BATCH_ENTRIES_MAX, BATCH_BYTES_MAX)?;
    for (sequence, _) in &batch {
        tx.set_state(*sequence, EntryState::Sent)?;
    }
    Ok(batch)
}

fn count(counts: &mut PlaybackCounts, state: EntryState) {
    match state {
        EntryState::Applied => counts.applied += 1,
        EntryState::Conflict => counts.conflict += 1,
        EntryState::Rejected => counts.rejected += 1,
        EntryState::Blocked => counts.blocked += 1,
        EntryState::Discarded => counts.discarded += 1,
        EntryState::Pending | EntryState::Sent => {}
    }
}
