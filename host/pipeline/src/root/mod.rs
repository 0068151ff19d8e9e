//! The pipeline itself and its root operations: one request of a caller, in one transaction, with
//! its journal entry (on a device) or its receipt (on the server).

use crate::audit::{Audit, AuditRecord};
use crate::caller::{CallOptions, Caller};
use crate::capture::{CapturePolicy, PendingCapture};
use crate::file_doors::FileDoors;
use crate::operation::Operation;
use crate::options::{Limits, Organization, PipelineOptions, Side};
use crate::playback::DeviceClock;
use crate::registry::{Registry, SkippedPackage};
use crate::session::{Origin, Root, Session, SessionState};
use crate::suspension::{self, Health, RunEvent};
use crate::trace::TraceLevel;
use offstage_model::identity::{Lineage, digest};
use offstage_model::journal::{
    ENTRY_BYTES_MAX, JOURNAL_FORMAT, JournalEntry, OperationNode, ReconciliationReport, chain_hash,
};
use offstage_model::{
    Clock, EntityReference, Fault, Randomness, Request, Response, Timestamp, Uuid, code,
};
use offstage_policy::{PolicyFile, TrustFile};
use offstage_sandbox::Sandbox;
use offstage_store::{Store, TraceRow, Tx, WriteStamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, RwLock};

mod state;

/// Keys of store settings that the pipeline reads.
pub mod settings {
    /// [`super::DeviceIdentity`].
    pub const DEVICE: &str = "device";
    /// [`crate::TraceLevel`].
    pub const TRACE_LEVEL: &str = "trace.level";
    /// [`crate::CapturePolicy`].
    pub const CAPTURE: &str = "capture.policy";
    /// [`crate::Organization`].
    pub const ORGANIZATION: &str = "organization";
}

/// Whose journal a device writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceIdentity {
    /// The device.
    pub device: Uuid,
    /// Its epoch; sequences and the hash chain begin anew with each.
    pub epoch: u64,
    /// The one user that the store belongs to.
    pub user: Uuid,
}

/// The event execution pipeline of one store.
#[derive(Clone)]
pub struct Pipeline(Arc<Inner>);

struct Inner {
    store: Store,
    sandbox: Arc<Sandbox>,
    side: Side,
    audit: Arc<dyn Audit>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
    limits: Limits,
    state: RwLock<State>,
    file_changes: Mutex<()>,
}

struct State {
    /// Counts the changes of the two files that follow.
    keys: u64,
    trust: TrustFile,
    policy: PolicyFile,
    organization: Organization,
    registry: Option<Arc<Registry>>,
    /// The packages that do not run here which the audit has a line about.
    skipped: Vec<SkippedPackage>,
    health: Option<Arc<Health>>,
    files: Arc<FileDoors>,
    leftovers: Leftovers,
    announcements: Vec<AuditRecord>,
    trace_level: TraceLevel,
    capture: CapturePolicy,
}

/// What outlives the rollback of its request.
#[derive(Default)]
pub(crate) struct Leftovers {
    pub(crate) traces: Vec<TraceRow>,
    pub(crate) events: Vec<RunEvent>,
    pub(crate) captures: Vec<PendingCapture>,
}

impl Leftovers {
    fn is_empty(&self) -> bool {
        self.traces.is_empty() && self.events.is_empty() && self.captures.is_empty()
    }
}

/// What may run, and what is suspended.
pub(crate) struct PluginSet {
    pub(crate) registry: Arc<Registry>,
    pub(crate) health: Arc<Health>,
}

/// What begins a session.
pub(crate) struct RootStart {
    pub(crate) operation: Uuid,
    pub(crate) created_on: Timestamp,
    pub(crate) correlation: Uuid,
    pub(crate) caller: Caller,
    pub(crate) origin: Origin,
    pub(crate) tag: Option<String>,
    pub(crate) stamp: WriteStamp,
    pub(crate) epoch: u64,
    pub(crate) clock: DeviceClock,
}

impl Pipeline {
    /// Makes a pipeline over an open store.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn open(options: PipelineOptions) -> Result<Self, Fault> {
        let mut tx = options.store.read()?;
        let trace_level = tx.get_setting(settings::TRACE_LEVEL)?.unwrap_or_default();
        let capture = tx.get_setting(settings::CAPTURE)?.unwrap_or_default();
        let organization = tx.get_setting(settings::ORGANIZATION)?.unwrap_or(options.organization);
        drop(tx);
        let files = Arc::new(FileDoors::open(&options.policy, Some(options.store.path())));
        let pipeline = Self(Arc::new(Inner {
            store: options.store,
            sandbox: options.sandbox,
            side: options.side,
            audit: options.audit,
            clock: options.clock,
            random: options.random,
            limits: options.limits,
            state: RwLock::new(State {
                keys: 0,
                trust: options.trust,
                policy: options.policy,
                organization,
                registry: None,
                skipped: Vec::new(),
                health: None,
                files,
                leftovers: Leftovers::default(),
                announcements: Vec::new(),
                trace_level,
                capture,
            }),
            file_changes: Mutex::new(()),
        }));
        pipeline.after_commit();
        Ok(pipeline)
    }

    /// Runs one request of `caller` as a root operation.
    ///
    /// # Errors
    /// As [`Pipeline::execute_journaled`].
    pub fn execute(
        &self,
        caller: &Caller,
        request: Request,
        options: CallOptions,
    ) -> Result<Response, Fault> {
        self.execute_journaled(caller, request, options).map(|(response, _)| response)
    }

    /// Runs one request of `caller` as a root operation; the number is that of its journal entry.
    ///
    /// On a device it is an offline operation: its journal entry is written in the transaction of
    /// its effects. Nothing of a request that fails is kept but its trace rows.
    ///
    /// # Errors
    /// Whatever refused the request: the platform, a plug-in, or the store.
    pub fn execute_journaled(
        &self,
        caller: &Caller,
        request: Request,
        options: CallOptions,
    ) -> Result<(Response, Option<u64>), Fault> {
        let is_read = request.is_read();
        let reads = is_read && !self.registry()?.listens(&request.message, request.primary_table());
        let mut tx = if reads { self.store().read()? } else { self.store().write()? };
        let receipt = (options.receipt && !reads).then(|| request_hash(caller, &request));
        if let Some(hash) = &receipt {
            let operation = options.operation.unwrap_or_default();
            if let Some(response) = stored_answer(&mut tx, operation, hash)? {
                return Ok((response, None));
            }
        }
        let start = self.root_start(caller, &options);
        let operation = start.operation;
        let plugins = self.plugin_set(&mut tx)?;
        let mut session = self.start(tx, plugins, start);
        let root = Operation {
            lineage: Lineage::root(operation),
            depth: 1,
            user: caller.user,
            occurrence: 0,
            cascade: None,
            recorded: None,
            issuer: None,
            request,
        };
        let result = session.run(root);
        let mut state = session.into_state();
        match result {
            Ok((mut response, node)) => {
                response.skipped = std::mem::take(&mut state.skipped).into_iter().collect();
                let silent = is_read && node.all_effects().is_empty();
                let mut sequence = None;
                if self.side() == Side::Device && !silent {
                    sequence = Some(self.journal(&mut state, node, &options)?);
                }
                if let Some(hash) = &receipt {
                    let bytes = serde_json::to_vec(&response)
                        .expect("BUG: model types always have a JSON form");
                    state.tx.put_online_receipt(operation, hash, &bytes, state.root.created_on)?;
                }
                self.commit(state)?;
                Ok((response, sequence))
            }
            Err(fault) => {
                state.tx.rollback();
                self.keep_afterwards(Leftovers {
                    traces: state.traces,
                    events: state.run_events,
                    captures: state.captures,
                });
                Err(fault)
            }
        }
    }

    fn root_start(&self, caller: &Caller, options: &CallOptions) -> RootStart {
        let now = self.clock().now();
        let superseded = options.supersedes.as_ref().map(|s| s.operation);
        let operation = superseded.or(options.operation).unwrap_or_else(|| self.random().guid());
        RootStart {
            operation,
            created_on: now,
            correlation: self.random().guid(),
            caller: caller.clone(),
            origin: match self.side() {
                Side::Server => Origin::Online,
                Side::Device => Origin::Offline,
            },
            tag: options.tag.clone(),
            stamp: WriteStamp { time: now, device: Uuid::nil(), sequence: 0 },
            epoch: 0,
            clock: DeviceClock::Measured,
        }
    }

    /// Begins a session on an open transaction.
    pub(crate) fn start(&self, tx: Tx, plugins: PluginSet, start: RootStart) -> Session {
        let time_max = i64::try_from(self.limits().message_time_max.as_millis());
        let deadline = self.clock().now().plus_ms(time_max.unwrap_or(i64::MAX));
        Session::new(SessionState {
            pipeline: self.clone(),
            catalog: Arc::clone(tx.catalog()),
            tx,
            registry: plugins.registry,
            health: plugins.health,
            run_events: Vec::new(),
            has_file_effects: false,
            root: Root {
                operation: start.operation,
                created_on: start.created_on,
                correlation: start.correlation,
                request: self.random().guid(),
                caller: start.caller,
                origin: start.origin,
                tag: start.tag,
                stamp: start.stamp,
                epoch: start.epoch,
                clock: start.clock,
                deadline,
                held_before: self.sandbox().held(),
            },
            frames: Vec::new(),
            traces: Vec::new(),
            captures: Vec::new(),
            touched: BTreeSet::new(),
            reads: BTreeSet::new(),
            skipped: BTreeSet::new(),
            report: ReconciliationReport::default(),
            operations: 0,
        })
    }

    /// Appends the journal entry of a root operation to its transaction; returns its sequence.
    fn journal(
        &self,
        state: &mut SessionState,
        root: OperationNode,
        options: &CallOptions,
    ) -> Result<u64, Fault> {
        let identity: Option<DeviceIdentity> = state.tx.get_setting(settings::DEVICE)?;
        let identity = identity.ok_or_else(|| {
            Fault::new(code::WRONG_STATE, "This directory is not connected to a server.")
                .hint("Run `offstage connect URL` first.")
        })?;
        if identity.user != state.root.caller.user {
            return Err(Fault::new(
                code::PRIVILEGE_DENIED,
                "This data directory belongs to another user.",
            )
            .hint("Each user needs a data directory of their own (`--data DIR`)."));
        }
        let (last, previous) = state.tx.last_entry()?.unwrap_or((0, String::new()));
        let written: BTreeSet<(String, Uuid)> =
            root.all_effects().iter().map(|e| (e.table.clone(), e.id)).collect();
        let entry = JournalEntry {
            format: JOURNAL_FORMAT,
            device: identity.device,
            epoch: identity.epoch,
            sequence: last + 1,
            previous,
            operation: state.root.operation,
            supersedes: options.supersedes.as_ref().map(|s| s.sequence),
            discards: false,
            user: state.root.caller.user,
            time: state.root.created_on,
            correlation: state.root.correlation,
            plugin_set: state.registry.hash.clone(),
            metadata_version: state.catalog.version,
            reads: state
                .reads
                .difference(&written)
                .map(|(table, id)| EntityReference::new(table.clone(), *id))
                .collect(),
            root,
        };
        let frozen = entry.freeze();
        if frozen.len() > ENTRY_BYTES_MAX {
            return Err(Fault::new(
                code::PAYLOAD_TOO_LARGE,
                format!(
                    "The operation makes a journal entry of {} bytes; the limit is {ENTRY_BYTES_MAX}.",
                    frozen.len()
                ),
            )
            .hint("Split it into smaller operations, or do it online."));
        }
        state.tx.append_entry(&entry, &frozen, &chain_hash(&frozen))?;
        Ok(entry.sequence)
    }

    fn commit(&self, mut state: SessionState) -> Result<(), Fault> {
        let now = self.clock().now();
        let (tx, traces) = (&mut state.tx, &mut state.traces);
        let suspended = suspension::keep(tx, &state.run_events, traces, self.limits(), now)?;
        for trace in &state.traces {
            state.tx.put_trace(trace)?;
        }
        if !state.traces.is_empty() {
            state.tx.prune_traces(self.limits().trace_rows_max)?;
        }
        self.put_captures(&mut state.tx, &state.captures)?;
        state.tx.commit()?;
        self.announce(suspended);
        if state.has_file_effects {
            self.after_commit();
        }
        Ok(())
    }

    /// To be called after a commit of what [`Pipeline::play`] did: audits what it announced, and
    /// carries out the file changes of plug-ins. What does not work now waits for the next commit
    /// with such, for a new policy, or for the next start.
    pub fn after_commit(&self) {
        let announcements = self.state_mut(|state| std::mem::take(&mut state.announcements));
        self.announce(announcements);
        if let Err(error) = self.carry_out_file_changes() {
            tracing::error!(%error, "cannot carry out file changes");
        }
    }

    /// Audits what is kept now.
    pub(crate) fn announce(&self, records: Vec<AuditRecord>) {
        for record in records {
            self.audit().record(&record);
        }
    }

    /// Audits this after the transaction that it comes from has committed.
    pub(crate) fn announce_later(&self, records: Vec<AuditRecord>) {
        if !records.is_empty() {
            self.state_mut(|state| state.announcements.extend(records));
        }
    }

    /// Writes what must be known of a request that was rolled back. The caller's fault matters more
    /// than a failure here, which goes to the log.
    fn keep_afterwards(&self, mut leftovers: Leftovers) {
        if leftovers.is_empty() {
            return;
        }
        let mut keep = || -> Result<Vec<AuditRecord>, Fault> {
            let Leftovers { traces, events, captures } = &mut leftovers;
            let mut tx = self.store().write()?;
            let (limits, now) = (self.limits(), self.clock().now());
            let suspended = suspension::keep(&mut tx, events, traces, limits, now)?;
            for trace in traces.iter() {
                tx.put_trace(trace)?;
            }
            tx.prune_traces(self.limits().trace_rows_max)?;
            self.put_captures(&mut tx, captures)?;
            tx.commit()?;
            Ok(suspended)
        };
        match keep() {
            Ok(suspended) => self.announce(suspended),
            Err(error) => {
                tracing::error!(%error, "cannot keep what a rolled-back request leaves");
            }
        }
    }

    /// Sets aside what must be known of an entry whose transaction its caller rolls back.
    pub(crate) fn set_aside(&self, leftovers: Leftovers) {
        self.state_mut(|state| {
            state.leftovers.traces.extend(leftovers.traces);
            state.leftovers.events.extend(leftovers.events);
            state.leftovers.captures.extend(leftovers.captures);
        });
    }

    /// To be called after the transaction of [`Pipeline::play`] was rolled back: keeps traces and
    /// violations of the entry that it failed for.
    pub fn playback_rolled_back(&self) {
        let leftovers = self.state_mut(|state| {
            // What was read in that transaction never was.
            state.health = None;
            state.announcements.clear();
            std::mem::take(&mut state.leftovers)
        });
        self.keep_afterwards(leftovers);
    }
}

fn request_hash(caller: &Caller, request: &Request) -> String {
    let json = serde_json::to_vec(request).expect("BUG: model types always have a JSON form");
    hex::encode(digest(&[caller.user.as_bytes(), &json]))
}

/// The answer that a request with this operation id got before.
fn stored_answer(tx: &mut Tx, operation: Uuid, hash: &str) -> Result<Option<Response>, Fault> {
    let Some(receipt) = tx.online_receipt(operation)? else {
        return Ok(None);
    };
    if receipt.hash != hash {
        return Err(Fault::new(
            code::INVALID_ARGUMENT,
            format!("The operation id {operation} was used for another request."),
        )
        .hint("Use a fresh operation id for each request."));
    }
    serde_json::from_slice(&receipt.response).map(Some).map_err(|error| {
        tracing::error!(%operation, %error, "cannot read a stored answer");
        Fault::new(code::STORE_UNUSABLE, "A stored answer is damaged.")
    })
}
