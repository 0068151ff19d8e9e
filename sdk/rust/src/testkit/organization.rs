//! The fake organization: what a test sets up, asks for and looks at.
//!
//! It belongs to one thread and holds everything in memory; two organizations share nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::effects::Effects;
use super::reconcile::{self, Reconciliation};
use super::session::{Operation, Session};
use super::store::Store;
use super::{derive, evaluate, pipeline};
use crate::change::Change;
use crate::definition::{PluginDefinition, StepDefinition};
use crate::entity::{Entity, EntityReference};
use crate::error::PluginError;
use crate::guid::Guid;
use crate::http::HttpRequest;
use crate::query::Query;
use crate::request::{Parameters, Request};
use crate::timestamp::Timestamp;

/// When operations are made unless the test says otherwise: 2026-03-02T09:00:00Z, a Monday.
const MADE_ON: Timestamp = Timestamp::from_millis(1_772_442_000_000);

/// Where and as what a run happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// On the server, made there.
    Online,
    /// On the device: IsExecutingOffline.
    Offline,
    /// On the server, of what was made offline: IsOfflinePlayback.
    Playback,
}

/// One run of one step.
#[derive(Debug, Clone)]
pub struct StepRun {
    /// The steps from the root to this one, by their keys.
    pub path: String,
    /// The step.
    pub step: &'static StepDefinition,
    /// What it explicitly did to its context.
    pub changes: Vec<Change>,
    /// Whether it read IsOfflinePlayback.
    pub asked_playback: bool,
}

/// One root operation with all that it caused.
#[derive(Debug, Clone)]
pub struct Run {
    /// What the caller gets.
    pub result: Result<Parameters, PluginError>,
    /// The lines of the trace, in order.
    pub trace: Vec<String>,
    /// The steps that ran, in the order they ended; nested ones before the outer one.
    pub steps: Vec<StepRun>,
    /// What plug-ins asked the platform to write; empty if the operation failed.
    pub operations: Vec<Operation>,
}

/// One operation run offline and then played back.
#[derive(Debug)]
pub struct TwoRuns {
    /// The run on the device.
    pub offline: Run,
    /// The run on the server.
    pub playback: Run,
    /// How the two fit together.
    pub reconciliation: Reconciliation,
}

impl TwoRuns {
    /// Returns what is not clean, one line each: results that differ, and effects of one run that
    /// the other dropped, added or decided otherwise.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.reconciliation.problems();
        match (&self.offline.result, &self.playback.result) {
            (Ok(_), Err(error)) => problems.push(format!("the playback is rejected: {error}")),
            (Err(error), _) => problems.push(format!("the offline run fails: {error}")),
            (Ok(_), Ok(_)) => {}
        }
        problems
    }

    /// Checks that both runs succeed and that nothing is dropped, added or different in the second.
    ///
    /// # Panics
    /// With all problems, if there are any.
    #[track_caller]
    pub fn assert_clean(&self) {
        let problems = self.problems();
        assert!(problems.is_empty(), "the two runs do not agree:\n  {}", problems.join("\n  "));
    }
}

#[derive(Debug, Clone)]
struct Fault {
    message: String,
    table: String,
    error: PluginError,
    remaining: u32,
}

/// What an organization holds.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) plugins: Vec<&'static PluginDefinition>,
    pub(crate) configurations: BTreeMap<String, String>,
    pub(crate) user: Guid,
    pub(crate) effects: Effects,
    faults: Vec<Fault>,
    now: Timestamp,
    roots: u32,
}

impl State {
    pub(crate) fn take_fault(&mut self, message: &str, table: &str) -> Option<PluginError> {
        let fault = self.faults.iter_mut().find(|fault| {
            fault.remaining > 0 && fault.message == message && fault.table == table
        })?;
        fault.remaining -= 1;
        Some(fault.error.clone())
    }
}

/// A fake organization in memory.
#[derive(Debug)]
pub struct Organization {
    state: Rc<RefCell<State>>,
}

impl Default for Organization {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for Organization {
    /// Copies everything; the copies share nothing.
    fn clone(&self) -> Self {
        Self { state: Rc::new(RefCell::new(self.state.borrow().clone())) }
    }
}

impl Organization {
    /// Makes an organization without rows and plug-ins.
    pub fn new() -> Self {
        let state = State {
            store: Store::default(),
            plugins: Vec::new(),
            configurations: BTreeMap::new(),
            user: derive::guid(&["user"]),
            effects: Effects::default(),
            faults: Vec::new(),
            now: MADE_ON,
            roots: 0,
        };
        Self { state: Rc::new(RefCell::new(state)) }
    }

    fn change(self, change: impl FnOnce(&mut State)) -> Self {
        change(&mut self.state.borrow_mut());
        self
    }

    /// Registers a plug-in type with all its declared steps.
    #[must_use]
    pub fn with_plugin(self, plugin: &'static PluginDefinition) -> Self {
        self.change(|state| state.plugins.push(plugin))
    }

    /// Gives a step another configuration than it declares.
    #[must_use]
    pub fn with_configuration(self, step_key: &str, configuration: &str) -> Self {
        self.change(|state| {
            state.configurations.insert(step_key.to_owned(), configuration.to_owned());
        })
    }

    /// Puts a row in without running any step.
    ///
    /// # Panics
    /// If a row with this id is there already.
    #[must_use]
    pub fn with_row(self, row: Entity) -> Self {
        self.change(|state| {
            state.roots += 1;
            let made = || derive::guid(&["row", &row.table, &state.roots.to_string()]);
            let id = row.id.unwrap_or_else(made);
            let inserted = state.store.insert(row, id);
            assert!(inserted.is_ok(), "the test puts a row in twice: {inserted:?}");
        })
    }

    /// Grants a directory, empty.
    #[must_use]
    pub fn with_directory(self, directory: &str) -> Self {
        self.change(|state| {
            state.effects.directories.entry(directory.to_owned()).or_default();
        })
    }

    /// Grants a directory and puts a file into it.
    #[must_use]
    pub fn with_file(self, directory: &str, path: &str, contents: impl AsRef<[u8]>) -> Self {
        self.change(|state| {
            let files = state.effects.directories.entry(directory.to_owned()).or_default();
            files.insert(path.to_owned(), contents.as_ref().to_vec());
        })
    }

    /// Grants an origin, such as `https://hooks.example.com`.
    #[must_use]
    pub fn with_origin(self, origin: &str) -> Self {
        self.change(|state| state.effects.origins.push(origin.to_owned()))
    }

    /// Makes the next `times` requests of this message on this table fail.
    #[must_use]
    pub fn with_fault(self, message: &str, table: &str, error: PluginError, times: u32) -> Self {
        self.change(|state| {
            state.faults.push(Fault {
                message: message.to_owned(),
                table: table.to_owned(),
                error,
                remaining: times,
            });
        })
    }

    /// Sets when the next operations are made.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        self.change(|state| state.now = now)
    }

    /// Returns the id of the user who makes the requests.
    pub fn user(&self) -> Guid {
        self.state.borrow().user
    }

    /// Returns when the next operation is made.
    pub fn now(&self) -> Timestamp {
        self.state.borrow().now
    }

    /// Returns a file of a granted directory.
    pub fn file(&self, directory: &str, path: &str) -> Option<Vec<u8>> {
        self.state.borrow().effects.directories.get(directory)?.get(path).cloned()
    }

    /// Returns the requests that wait to be sent, in order.
    pub fn outbox(&self) -> Vec<HttpRequest> {
        self.state.borrow().effects.outbox.clone()
    }

    /// Returns a row as it is stored.
    pub fn row(&self, target: &EntityReference) -> Option<Entity> {
        self.state.borrow().store.get(&target.table, target.id).cloned()
    }

    /// Returns all rows of a table, by id.
    pub fn rows(&self, table: &str) -> Vec<Entity> {
        self.state.borrow().store.table(table).cloned().collect()
    }

    /// Returns the rows that a query finds, without running any step.
    pub fn query(&self, query: &Query) -> Vec<Entity> {
        let state = self.state.borrow();
        evaluate::run(&state.store, query, state.user).entities
    }

    /// Tells whether two rows are linked.
    pub fn is_linked(&self, relationship: &str, from: Guid, to: Guid) -> bool {
        self.state.borrow().store.is_linked(relationship, from, to)
    }

    /// Runs a request online and returns what the caller gets.
    ///
    /// # Errors
    /// Those of a step, or of the platform.
    pub fn execute(&self, request: Request) -> Result<Parameters, PluginError> {
        self.run(request).result
    }

    /// Runs a request online and returns all that it caused.
    pub fn run(&self, request: Request) -> Run {
        self.run_as(Pass::Online, request)
    }

    /// Runs a request in a pass of the test's choice.
    pub fn run_as(&self, pass: Pass, request: Request) -> Run {
        let root = {
            let mut state = self.state.borrow_mut();
            state.roots += 1;
            derive::guid(&["root", &state.roots.to_string()])
        };
        self.run_root(pass, root, request)
    }

    /// Runs a request on a copy of this organization as the device, and plays it back on this one.
    pub fn run_twice(&self, request: Request) -> TwoRuns {
        self.clone().run_twice_against(self, request)
    }

    /// Runs a request on this organization as the device, and plays it back on `server`, whose
    /// rows and plug-ins may differ. What is carried over is reported, not carried out.
    pub fn run_twice_against(&self, server: &Self, request: Request) -> TwoRuns {
        let root = {
            let mut state = self.state.borrow_mut();
            state.roots += 1;
            derive::guid(&["root", &state.roots.to_string()])
        };
        let offline = self.run_root(Pass::Offline, root, request.clone());
        let playback = server.run_root(Pass::Playback, root, request);
        let reconciliation = reconcile::reconcile(&offline, &playback);
        TwoRuns { offline, playback, reconciliation }
    }

    fn run_root(&self, pass: Pass, root: Guid, request: Request) -> Run {
        let session = Rc::new(Session {
            state: Rc::clone(&self.state),
            pass,
            root,
            created_on: self.now(),
            frames: RefCell::default(),
            operations: RefCell::default(),
            steps: RefCell::default(),
            lines: RefCell::default(),
        });
        let result = pipeline::run_root(&session, request);
        Run {
            result,
            trace: session.lines.take(),
            steps: session.steps.take(),
            operations: session.operations.take(),
        }
    }
}
