//! Plays journal entries: in order, exactly once, in groups of one transaction.
//!
//! Each entry has its own savepoint inside the group; its receipt and outcome are written beside its
//! effects, so a crash before the commit forgets both, and the device sends the group again. Every
//! decision about an entry is final. Never merges a second branch of a device.

use super::clock::EntryClock;
use super::dependence::{Footprint, blocked};
use super::{ReceiptPlacement, SyncService, check_epoch, forked};
use crate::wire::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, Frozen, PlaybackAnswer, PlaybackRequest};
use offstage_model::journal::{
    ENTRY_BYTES_MAX, EntryState, JournalEntry, Outcome, ReconciliationReport, RowOutcome,
    chain_hash,
};
use offstage_model::{Fault, code};
use offstage_pipeline::{Caller, PlayContext, refused_state};
use offstage_store::{DeviceRow, JournalId, Receipt, Tx};
use std::collections::BTreeSet;

/// An entry as it arrived.
struct Arrived {
    entry: JournalEntry,
    hash: String,
}

/// How a group ended.
struct Group {
    outcomes: Vec<Frozen>,
    expected: u64,
    stopped: Option<Fault>,
}

/// Why a group was given up: nothing of it counts.
struct GivenUp {
    /// The entries before the one that failed; they can be played without it.
    played: usize,
    fault: Fault,
}

impl SyncService {
    /// Plays entries and returns their outcomes. An entry that was played before gets the stored
    /// outcome, byte for byte.
    ///
    /// # Errors
    /// [`code::DEVICE_FORKED`] for a second branch, [`code::PLAYBACK_NOT_ALLOWED`] for a revoked
    /// device or another user's entry, [`code::PAYLOAD_TOO_LARGE`]. Nothing was consumed then. What
    /// stops a batch in the middle is in the answer.
    pub fn playback(
        &self,
        caller: &Caller,
        request: &PlaybackRequest,
    ) -> Result<PlaybackAnswer, Fault> {
        check_size(request)?;
        let arrived: Vec<Arrived> = request
            .entries
            .iter()
            .map(|frozen| self.read(caller, request, frozen))
            .collect::<Result<_, _>>()?;
        let mut count = arrived.len();
        let mut stopped = None;
        loop {
            match self.play_group(caller, request, &arrived[..count]) {
                Ok(group) => {
                    self.pipeline.after_commit();
                    return Ok(PlaybackAnswer {
                        outcomes: group.outcomes,
                        expected: group.expected,
                        stopped: stopped.or(group.stopped),
                    });
                }
                // One entry that fails for a while must not hold up the ones before it.
                Err(given_up) if given_up.played > 0 && given_up.fault.is_transient() => {
                    self.pipeline.playback_rolled_back();
                    count = given_up.played;
                    stopped = Some(given_up.fault);
                }
                Err(given_up) => {
                    self.pipeline.playback_rolled_back();
                    return Err(given_up.fault);
                }
            }
        }
    }

    fn read(
        &self,
        caller: &Caller,
        request: &PlaybackRequest,
        frozen: &Frozen,
    ) -> Result<Arrived, Fault> {
        let entry = JournalEntry::thaw(&frozen.0).map_err(|error| {
            Fault::new(code::INVALID_ARGUMENT, format!("A journal entry cannot be read: {error}."))
                .hint("Nothing was consumed. Install the newer version of Offstage on the server.")
        })?;
        if entry.device != request.device || entry.epoch != request.epoch {
            let text = "A journal entry belongs to another device or epoch than its batch.";
            return Err(Fault::new(code::INVALID_ARGUMENT, text));
        }
        if entry.user != caller.user {
            return Err(Fault::new(
                code::PLAYBACK_NOT_ALLOWED,
                format!(
                    "Entry {} was made by another user than the one signed in.",
                    entry.sequence
                ),
            )
            .hint("Sign in as the user of this data directory. Nothing was consumed."));
        }
        let hash = chain_hash(&frozen.0);
        Ok(Arrived { entry, hash })
    }

    /// Plays entries in one transaction.
    fn play_group(
        &self,
        caller: &Caller,
        request: &PlaybackRequest,
        arrived: &[Arrived],
    ) -> Result<Group, GivenUp> {
        let give_up = |fault: Fault| GivenUp { played: 0, fault };
        let store = self.pipeline.store();
        let mut tx = store.write().map_err(|e| give_up(e.into()))?;
        let mut row = self.device(&mut tx, caller, request.device).map_err(give_up)?;
        check_epoch(&row, request.epoch).map_err(give_up)?;
        let acknowledged = request.acknowledged_through.min(row.last_sequence);
        if acknowledged > row.acknowledged {
            let (device, epoch) = (row.id, row.epoch);
            tx.forget_receipts(device, epoch, acknowledged).map_err(|e| give_up(e.into()))?;
            row.acknowledged = acknowledged;
        }
        let mut group =
            Group { outcomes: Vec::new(), expected: row.last_sequence + 1, stopped: None };
        let last_sync = offstage_subscription::synced_on(&mut tx, row.id);
        let clock = EntryClock {
            offset_ms: request.offset_ms,
            last_sync: last_sync.map_err(|e| give_up(e.into()))?,
            now: self.now(),
        };
        let mut receipts = Vec::new();
        for (ordinal, arrived) in arrived.iter().enumerate() {
            let fail = |fault: Fault| GivenUp { played: ordinal, fault };
            if arrived.entry.sequence <= row.last_sequence {
                group.outcomes.push(repeated(&mut tx, &row, arrived).map_err(fail)?);
                continue;
            }
            if arrived.entry.sequence != row.last_sequence + 1 {
                group.stopped = Some(gap(row.last_sequence + 1, arrived.entry.sequence));
                break;
            }
            if arrived.entry.previous != row.last_hash {
                let reason =
                    format!("entry {} does not follow the last one", arrived.entry.sequence);
                return Err(fail(forked(row.id, reason)));
            }
            let play = PlayContext {
                caller: caller.clone(),
                time: clock.time(arrived.entry.time, row.last_time),
                clock: clock.trust(),
            };
            let (next, outcome) = self.decide(tx, &row, &arrived.entry, &play);
            tx = next;
            let outcome = outcome.map_err(fail)?;
            let bytes =
                serde_json::to_vec(&outcome).expect("BUG: model types always have a JSON form");
            let receipt = Receipt {
                device: row.id,
                epoch: row.epoch,
                sequence: arrived.entry.sequence,
                hash: arrived.hash.clone(),
                operation: arrived.entry.operation,
                state: outcome.state,
                outcome: Some(bytes.clone()),
            };
            row.last_sequence = arrived.entry.sequence;
            row.last_hash.clone_from(&arrived.hash);
            row.last_time = play.time;
            receipts.push(receipt);
            group.outcomes.push(Frozen(bytes));
        }
        group.expected = row.last_sequence + 1;
        self.finish(tx, &row, &receipts).map_err(give_up)?;
        Ok(group)
    }

    /// Writes the receipts and commits.
    fn finish(&self, mut tx: Tx, row: &DeviceRow, receipts: &[Receipt]) -> Result<(), Fault> {
        match self.placement {
            ReceiptPlacement::InTransaction => {}
            #[cfg(feature = "negative-control")]
            ReceiptPlacement::AfterCommit => {
                tx.commit()?;
                crate::crash::crash_point!("server.between-commits");
                tx = self.pipeline.store().write()?;
            }
        }
        for receipt in receipts {
            tx.put_receipt(receipt)?;
        }
        tx.put_device(row)?;
        Ok(tx.commit()?)
    }

    /// Decides what becomes of the next entry. A fault says nothing about the entry.
    fn decide(
        &self,
        mut tx: Tx,
        row: &DeviceRow,
        entry: &JournalEntry,
        play: &PlayContext,
    ) -> (Tx, Result<Outcome, Fault>) {
        let journal = JournalId { device: row.id, epoch: row.epoch };
        let print = Footprint::of(entry, tx.catalog());
        let before = match self.before_playing(&mut tx, journal, entry, &print) {
            Ok(before) => before,
            Err(fault) => return (tx, Err(fault)),
        };
        let outcome = match before {
            Before::Decided(outcome) => Ok(*outcome),
            Before::Play => {
                let (next, played) = self.pipeline.play(tx, entry, play);
                tx = next;
                match played {
                    Ok(played) => Ok(Outcome {
                        response: Some(played.response),
                        report: played.report,
                        rows: played.rows,
                        ..self.outcome(entry, EntryState::Applied)
                    }),
                    Err(fault) if fault.is_transient() => Err(fault),
                    Err(fault) => {
                        let state = refused_state(&fault);
                        Ok(Outcome { fault: Some(fault), ..self.outcome(entry, state) })
                    }
                }
            }
        };
        let outcome = outcome
            .and_then(|outcome| self.after_playing(&mut tx, journal, entry, &print, outcome));
        (tx, outcome)
    }

    fn before_playing(
        &self,
        tx: &mut Tx,
        journal: JournalId,
        entry: &JournalEntry,
        print: &Footprint,
    ) -> Result<Before, Fault> {
        let decided = |outcome: Outcome| Ok(Before::Decided(Box::new(outcome)));
        if let Some(superseded) = entry.supersedes
            && !tx.is_refused(journal, superseded)?
        {
            let text = format!("Entry {superseded} was applied, discarded or retried already.");
            let fault = Fault::new(code::WRONG_STATE, text)
                .hint("Look at the row as it is now, and make the change anew if it is missing.");
            let state = EntryState::Rejected;
            return decided(Outcome { fault: Some(fault), ..self.outcome(entry, state) });
        }
        if entry.discards {
            return decided(self.outcome(entry, EntryState::Discarded));
        }
        let original = original_order(tx, journal, entry)?;
        if let Some(by) = print.blocked_by(tx, journal, original)? {
            return decided(Outcome {
                fault: Some(blocked(by)),
                blocked_by: Some(by),
                ..self.outcome(entry, EntryState::Blocked)
            });
        }
        Ok(Before::Play)
    }

    /// Keeps what dependence needs, and names the rows of an entry that was not applied.
    fn after_playing(
        &self,
        tx: &mut Tx,
        journal: JournalId,
        entry: &JournalEntry,
        print: &Footprint,
        mut outcome: Outcome,
    ) -> Result<Outcome, Fault> {
        let original = original_order(tx, journal, entry)?;
        if let Some(superseded) = entry.supersedes
            && tx.is_refused(journal, superseded)?
        {
            // Refused again, the new entry's own writes take the place of the old one's.
            tx.forget_refused(journal, superseded)?;
        }
        if outcome.state.needs_attention() {
            print.remember(tx, journal, (entry.sequence, original))?;
            let rows: BTreeSet<_> =
                entry.root.all_effects().iter().map(|e| (e.table.clone(), e.id)).collect();
            for (table, id) in rows {
                if tx.catalog().tables.contains_key(&table) {
                    let version = tx.version(&table, id)?;
                    outcome.rows.push(RowOutcome { table, id, version });
                }
            }
        }
        Ok(outcome)
    }

    fn outcome(&self, entry: &JournalEntry, state: EntryState) -> Outcome {
        Outcome {
            sequence: entry.sequence,
            state,
            response: None,
            fault: None,
            blocked_by: None,
            report: ReconciliationReport::default(),
            rows: Vec::new(),
            decided_on: self.now(),
        }
    }
}

/// The place of an entry in the order of what the person did: that of the entry it retries.
fn original_order(tx: &mut Tx, journal: JournalId, entry: &JournalEntry) -> Result<u64, Fault> {
    match entry.supersedes {
        Some(superseded) => Ok(tx.refused_order(journal, superseded)?),
        None => Ok(entry.sequence),
    }
}

/// What is known about an entry before it is played.
enum Before {
    Play,
    Decided(Box<Outcome>),
}

fn check_size(request: &PlaybackRequest) -> Result<(), Fault> {
    let bytes: usize = request.entries.iter().map(|frozen| frozen.0.len()).sum();
    let too_many = request.entries.len() > BATCH_ENTRIES_MAX;
    let too_large = bytes > BATCH_BYTES_MAX.max(ENTRY_BYTES_MAX)
        || (request.entries.len() > 1 && bytes > BATCH_BYTES_MAX);
    if too_many || too_large {
        let text = format!(
            "A batch has at most {BATCH_ENTRIES_MAX} entries and {BATCH_BYTES_MAX} bytes, or one larger entry."
        );
        return Err(Fault::new(code::PAYLOAD_TOO_LARGE, text));
    }
    Ok(())
}

/// The stored outcome of an entry that was consumed before.
fn repeated(tx: &mut Tx, row: &DeviceRow, arrived: &Arrived) -> Result<Frozen, Fault> {
    let sequence = arrived.entry.sequence;
    let receipt = tx.receipt(row.id, row.epoch, sequence)?;
    match receipt.filter(|receipt| receipt.hash == arrived.hash) {
        None => Err(forked(row.id, format!("entry {sequence} exists with other content"))),
        Some(receipt) => match receipt.outcome {
            Some(outcome) if sequence > row.acknowledged => Ok(Frozen(outcome)),
            // A copy of the device that sends it again is older than the acknowledgement.
            _ => Err(forked(row.id, format!("it acknowledged entry {sequence} already"))),
        },
    }
}

fn gap(expected: u64, sequence: u64) -> Fault {
    Fault::new(
        code::SEQUENCE_GAP,
        format!("Entry {sequence} came, but entry {expected} is expected next."),
    )
    .hint("Nothing after the gap was consumed; the entries are sent again from there.")
}
