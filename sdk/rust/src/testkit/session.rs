//! One root operation while it runs: the host behind the plug-ins' calls, and what they did.
//!
//! It never keeps anything after the run; rows live in the organization.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::derive;
use super::organization::{Pass, State, StepRun};
use crate::context::ExecutionContext;
use crate::definition::StepDefinition;
use crate::entity::Entity;
use crate::error::PluginError;
use crate::files::FileEntry;
use crate::guid::Guid;
use crate::host::Host;
use crate::http::HttpRequest;
use crate::request::{Parameters, Request};
use crate::timestamp::Timestamp;
use crate::value::Value;

/// How much later the server's clock is in the playback pass: a day at work without a connection.
const PLAYBACK_DELAY_DAYS: i32 = 1;

/// A change that a plug-in asked the platform for.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// The steps from the root to the one that asked, by their keys.
    pub path: String,
    /// The message.
    pub message: String,
    /// The row as it was written, after the pre-operation steps; only table and id for a delete.
    pub row: Entity,
    /// For messages other than Create, Update and Delete: the parameters, as text.
    pub parameters: String,
}

/// The step that runs now.
pub(crate) struct Frame {
    pub(crate) path: String,
    pub(crate) context: ExecutionContext,
    pub(crate) nested_error: Option<PluginError>,
    pub(crate) asked_playback: bool,
    ordinals: BTreeMap<String, u32>,
}

/// One root operation.
pub(crate) struct Session {
    pub(crate) state: Rc<RefCell<State>>,
    pub(crate) pass: Pass,
    pub(crate) root: Guid,
    pub(crate) created_on: Timestamp,
    pub(crate) frames: RefCell<Vec<Frame>>,
    pub(crate) operations: RefCell<Vec<Operation>>,
    pub(crate) steps: RefCell<Vec<StepRun>>,
    pub(crate) lines: RefCell<Vec<String>>,
}

impl Session {
    /// The path of the step that runs now; empty at the root.
    pub(crate) fn path(&self) -> String {
        self.frames.borrow().last().map(|frame| frame.path.clone()).unwrap_or_default()
    }

    pub(crate) fn enter(&self, step: &StepDefinition, context: ExecutionContext) {
        let path = match self.path() {
            outer if outer.is_empty() => step.key.to_owned(),
            outer => format!("{outer}/{}", step.key),
        };
        self.frames.borrow_mut().push(Frame {
            path,
            context,
            nested_error: None,
            asked_playback: false,
            ordinals: BTreeMap::new(),
        });
    }

    pub(crate) fn leave(&self) -> Frame {
        self.frames.borrow_mut().pop().expect("BUG: leave follows enter")
    }

    /// Derives an id for a row that has none: by step, table and lookups, then by occurrence.
    pub(crate) fn row_id(&self, row: &Entity) -> Guid {
        let kind = format!("{}|{}", row.table, lookups(row));
        self.derived(&kind, derive::guid)
    }

    /// Derives a value from the root, the step, `kind` and how often the step asked for that kind.
    pub(crate) fn derived<T>(&self, kind: &str, make: impl FnOnce(&[&str]) -> T) -> T {
        let ordinal = match self.frames.borrow_mut().last_mut() {
            Some(frame) => {
                let ordinal = frame.ordinals.entry(kind.to_owned()).or_default();
                *ordinal += 1;
                *ordinal
            }
            None => 0,
        };
        make(&[&self.root.to_string(), &self.path(), kind, &ordinal.to_string()])
    }
}

/// The lookups of a row as text, in the order of their columns.
pub(crate) fn lookups(row: &Entity) -> String {
    let mut lookups: Vec<String> = row
        .attributes()
        .filter_map(|(column, value)| match value {
            Value::Reference(to) => Some(format!("{column}={}:{}", to.table, to.id)),
            _ => None,
        })
        .collect();
    lookups.sort();
    lookups.join(",")
}

/// The plug-ins' calls. `Rc` is the handle that [`crate::testkit::with_host`] keeps.
impl Host for Session {
    fn execute(&self, request: Request) -> Result<Parameters, PluginError> {
        let outcome = self.request(request);
        if let (Err(error), Some(frame)) = (&outcome, self.frames.borrow_mut().last_mut()) {
            frame.nested_error = Some(error.clone());
        }
        outcome
    }

    fn parent_context(&self, level: u32) -> Option<ExecutionContext> {
        let frames = self.frames.borrow();
        let at = frames.len().checked_sub(1)?.checked_sub(level as usize)?;
        frames.get(at).map(|frame| frame.context.clone())
    }

    fn is_offline_playback(&self) -> bool {
        if let Some(frame) = self.frames.borrow_mut().last_mut() {
            frame.asked_playback = true;
        }
        self.pass == Pass::Playback
    }

    fn now(&self) -> Timestamp {
        self.created_on
    }

    fn server_now(&self) -> Timestamp {
        match self.pass {
            Pass::Playback => self.created_on.add_days(PLAYBACK_DELAY_DAYS),
            Pass::Online | Pass::Offline => self.created_on,
        }
    }

    fn new_guid(&self) -> Guid {
        self.derived("new-guid", derive::guid)
    }

    fn random(&self) -> u64 {
        self.derived("random", derive::bits) as u64
    }

    fn keyed_guid(&self, key: &str) -> Guid {
        derive::guid(&[&self.root.to_string(), &self.path(), "keyed-guid", key])
    }

    fn trace(&self, text: &str) {
        self.lines.borrow_mut().push(text.to_owned());
    }

    fn read_file(&self, directory: &str, path: &str) -> Result<Vec<u8>, PluginError> {
        self.read(directory, path)
    }

    fn write_file(&self, directory: &str, path: &str, contents: &[u8]) -> Result<(), PluginError> {
        self.write(directory, path, Some(contents))
    }

    fn remove_file(&self, directory: &str, path: &str) -> Result<(), PluginError> {
        self.write(directory, path, None)
    }

    fn list_files(
        &self,
        directory: &str,
        path: Option<&str>,
    ) -> Result<Vec<FileEntry>, PluginError> {
        self.list(directory, path)
    }

    fn enqueue_http(&self, request: HttpRequest) -> Result<Guid, PluginError> {
        self.enqueue(request)
    }
}
