//! The way down: handshake, adoption of metadata and plug-ins, and the sync round of prepare, data
//! and post. Every page is applied in one transaction with the number that it reaches.

use super::{Device, Record, apply, stopped};
use crate::crash::crash_point;
use crate::progress::Progress;
use crate::wire::{
    DataRequest, DigestRowsRequest, HandshakeAnswer, HandshakeRequest, PAGE_ROWS_MAX,
    PROTOCOL_VERSION, PostRequest, PrepareRequest,
};
use offstage_model::query::Filter;
use offstage_model::registration::{Package, Step};
use offstage_model::{EntityReference, Fault, code};
use offstage_subscription::TableCount;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

/// A larger difference between the clocks is worth a note.
const SKEW_NOTE_MS: i64 = 5 * 60 * 1_000;
/// Local ids that are compared at once when rows are pruned.
const PRUNE_PAGE: u32 = 1_000;

/// What a sync round brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pulled {
    pub(super) tables: Vec<TableCount>,
    pub(super) rows: u64,
    pub(super) removals: u64,
}

impl Device {
    /// Shakes hands, and takes over clock offset, rights, metadata and, after a server was restored,
    /// a fresh token.
    pub(super) fn shake(&self, takes_data: bool) -> Result<HandshakeAnswer, Fault> {
        let record = self.record()?;
        let identity = self.identity()?;
        let sent = self.now();
        let version = if record.adopted { self.0.pipeline.catalog().version } else { 0 };
        let mut answer = self.0.link.handshake(&HandshakeRequest {
            protocol: PROTOCOL_VERSION,
            device: identity.device,
            epoch: identity.epoch,
            incarnation: record.incarnation,
            metadata_version: version,
            device_time: sent,
            takes_data,
        })?;
        if answer.protocol != PROTOCOL_VERSION {
            return Err(Fault::new(
                code::NOT_AVAILABLE,
                format!("The server speaks protocol {}, not {PROTOCOL_VERSION}.", answer.protocol),
            )
            .hint("Install the same version of Offstage on both."));
        }
        if let Some(catalog) = answer.catalog.take() {
            self.0.pipeline.adopt(catalog)?;
        }
        let middle = sent.0.midpoint(self.now().0);
        self.change(|record| {
            record.adopted = true;
            record.offset_ms = answer.server_time.0.saturating_sub(middle);
            record.user = answer.user.clone();
            record.incarnation = answer.incarnation;
            if let Some(token) = answer.token.take() {
                record.token = token;
                record.after = 0;
                record.posted = 0;
                record.prune = true;
            }
        })?;
        self.know_user(answer.user.clone());
        self.reopen_from(answer.expected_sequence)?;
        Ok(answer)
    }

    /// Tells about a clock that is far off.
    pub(super) fn note_skew(&self, progress: &dyn Progress) -> Result<(), Fault> {
        let offset_ms = self.record()?.offset_ms;
        if offset_ms.abs() > SKEW_NOTE_MS {
            progress.note(&format!(
                "This computer's clock differs from the server's by {} s; times of offline work are corrected.",
                offset_ms / 1_000
            ));
        }
        Ok(())
    }

    /// Takes the server's packages and steps, fetching only packages that are not here.
    pub(super) fn adopt_plugins(
        &self,
        packages: &[Package],
        steps: &[Step],
        progress: &dyn Progress,
    ) -> Result<(), Fault> {
        let mut contents = Vec::with_capacity(packages.len());
        for package in packages {
            let bytes = match self.local_package(package)? {
                Some(bytes) => bytes,
                None => {
                    progress.note(&format!("Fetching {} {}", package.id, package.version));
                    self.0.link.package(&package.sha256)?
                }
            };
            contents.push((package.clone(), bytes));
        }
        let skipped = self.0.pipeline.replace_registration(&contents, steps)?;
        for package in &skipped {
            progress.note(&format!("{} does not run here: {}", package.package, package.reason));
        }
        Ok(())
    }

    /// The package's content if it is here, whole: by its own hash, since a damaged one must be
    /// fetched again and not kept.
    fn local_package(&self, package: &Package) -> Result<Option<Vec<u8>>, Fault> {
        let bytes = self.0.pipeline.store().read()?.package_bytes(&package.id)?;
        Ok(bytes.filter(|bytes| hex::encode(Sha256::digest(bytes)) == package.sha256))
    }

    /// One sync round. Interrupted anywhere, the next one goes on where this one stopped.
    pub(super) fn pull(
        &self,
        progress: &dyn Progress,
        page_applied: &'static str,
    ) -> Result<Pulled, Fault> {
        let device = self.identity()?.device;
        let token = self.record()?.token;
        let prepared = self.0.link.prepare(&PrepareRequest { device, token })?;
        crash_point!("offline.after-prepare");
        let total = prepared.counts.iter().map(|c| c.upserts + c.removals).sum();
        progress.start("Bringing rows", Some(total));
        let mut pulled = Pulled { tables: prepared.counts, ..Pulled::default() };
        loop {
            if progress.cancelled() {
                return Err(stopped());
            }
            let more = self.pull_page(&mut pulled, progress)?;
            Self::page_point(page_applied)?;
            if !more {
                break;
            }
        }
        crash_point!("offline.before-post");
        self.post()?;
        crash_point!("offline.after-post");
        self.prune(progress)?;
        progress.finish();
        Ok(pulled)
    }

    fn page_point(name: &'static str) -> Result<(), Fault> {
        if name == "online.page-applied" {
            crash_point!("online.page-applied");
        } else {
            crash_point!("offline.page-applied");
        }
        Ok(())
    }

    fn pull_page(&self, pulled: &mut Pulled, progress: &dyn Progress) -> Result<bool, Fault> {
        let record = self.record()?;
        let page = self.0.link.data(&DataRequest {
            device: self.identity()?.device,
            token: record.token.clone(),
            after: record.after,
            limit: PAGE_ROWS_MAX,
        })?;
        if page.through == record.after && !page.more {
            return Ok(false);
        }
        let mut tx = self.store_tx()?;
        let undisturbed = apply::is_undisturbed(&mut tx)?;
        for row in &page.rows {
            // After the server was restored, its versions start over.
            if record.prune {
                apply::put(&mut tx, row, undisturbed)?;
            } else {
                apply::put_newer(&mut tx, row, undisturbed)?;
            }
        }
        for row in &page.removals {
            apply::remove(&mut tx, row)?;
        }
        let mut record = Record::require(&mut tx)?;
        record.after = page.through;
        record.store(&mut tx)?;
        tx.commit()?;
        pulled.rows += page.rows.len() as u64;
        pulled.removals += page.removals.len() as u64;
        progress.advance((page.rows.len() + page.removals.len()) as u64);
        Ok(page.more)
    }

    /// Acknowledges what was applied, when there is something to acknowledge.
    fn post(&self) -> Result<(), Fault> {
        let record = self.record()?;
        if record.after == record.posted {
            return self.change(|record| record.last_sync = Some(self.now()));
        }
        let device = self.identity()?.device;
        let through = record.after;
        let answer = self.0.link.post(&PostRequest { device, token: record.token, through })?;
        self.change(|record| {
            record.token = answer.token;
            record.posted = through;
            record.last_sync = Some(self.now());
        })
    }

    /// After the server forgot what this device holds and brought everything again: drops rows that
    /// did not come.
    fn prune(&self, progress: &dyn Progress) -> Result<(), Fault> {
        if !self.record()?.prune {
            return Ok(());
        }
        let identity = self.identity()?;
        let tables: Vec<String> = self.0.pipeline.catalog().tables.keys().cloned().collect();
        for table in tables {
            let request = DigestRowsRequest { device: identity.device, table: table.clone() };
            let shown: BTreeSet<_> =
                self.0.link.digest_rows(&request)?.into_iter().map(|row| row.id).collect();
            let mut tx = self.store_tx()?;
            let mut last = None;
            let mut dropped = 0;
            loop {
                let all = Filter::All(Vec::new());
                let ids = tx.shown_ids(&table, &all, identity.user, (last, PRUNE_PAGE))?;
                let Some(end) = ids.last().copied() else { break };
                for id in ids.into_iter().filter(|id| !shown.contains(id)) {
                    apply::remove(&mut tx, &EntityReference::new(&*table, id))?;
                    dropped += 1;
                }
                last = Some(end);
            }
            tx.commit()?;
            if dropped > 0 {
                progress.note(&format!("{dropped} rows of {table} are no longer on the server."));
            }
        }
        self.change(|record| record.prune = false)
    }
}
