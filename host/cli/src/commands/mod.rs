//! The commands, one file per verb; this file only wires them.
//!
//! A [`Local`] command runs in this process. A [`Work`] command runs where the data directory is
//! open: in the server or host that has it, or else here, under the store's lock.

mod backup;
mod capture;
mod completions;
mod conflicts;
mod connect;
mod create;
mod debug;
mod delete;
mod demo;
mod device;
mod doctor;
mod filter;
mod get;
mod go_offline;
mod go_online;
mod host;
mod journal;
mod man;
mod outbox;
pub(crate) mod outlook;
mod plugin;
pub(crate) mod policy;
mod query;
pub(crate) mod reconcile;
mod replay;
mod request;
mod restore;
pub(crate) mod secret;
mod serve;
mod status;
pub(crate) mod step;
mod sync;
mod table;
mod trace;
mod update;
mod user;
mod verify;

use crate::arguments::{Arguments, Command};
use crate::error::CliError;
use crate::output::Output;
use crate::waiting::Waiting;
use crate::workspace::Workspace;
use crate::{progress, running};
use clap::Subcommand;
use offstage_replication::Progress;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::Path;

pub(crate) use demo::Demo;

/// Commands that run in this process.
#[derive(Debug, Subcommand)]
pub(crate) enum Local {
    /// Run a server on this data directory
    Serve(serve::Serve),
    /// Run the host process of this device: the Web API on loopback, online and offline
    Host(host::Host),
    /// Show the whole story in one go, on temporary directories
    Demo(demo::Demo),
    /// Make this data directory a device of a server
    Connect(connect::Connect),
    /// Make this data directory from a copy that `backup` made
    Restore(restore::Restore),
    /// Run a captured run of a plug-in again, without touching any data
    Replay(replay::Replay),
    /// Print what to type to attach gdb, lldb or VS Code to the running process
    Debug(debug::Debug),
    /// Values that plug-ins may have sent in headers and never see
    #[command(subcommand)]
    Secret(secret::Secret),
    /// Print the shell completions
    Completions(completions::Completions),
    /// Write the manual pages into a folder
    Man(man::Man),
}

/// Commands that run where the data directory is open.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Work {
    /// Show state, user, open entries, last sync, and plug-ins that do not run here
    Status(status::Status),
    /// Bring the data down and work locally from now on
    GoOffline(go_offline::GoOffline),
    /// Play the journal back on the server, then work there from now on
    GoOnline(go_online::GoOnline),
    /// Refresh the local copy while online
    Sync(sync::Sync),
    /// Compare the local copy with the server
    Verify(verify::Verify),
    /// Make a row
    Create(create::Create),
    /// Show a row
    Get(get::Get),
    /// Change a row
    Update(update::Update),
    /// Remove a row
    Delete(delete::Delete),
    /// List rows
    Query(query::Query),
    /// Run any message with its parameters
    Request(request::Request),
    /// Tables and their columns
    #[command(subcommand)]
    Table(table::Table),
    /// What was done offline: look, retry, edit, discard
    #[command(subcommand)]
    Journal(journal::Journal),
    /// Values that two sides changed, and which one stands
    #[command(subcommand)]
    Conflicts(conflicts::Conflicts),
    /// What the two runs of an entry made of it
    #[command(subcommand)]
    Reconcile(reconcile::Reconcile),
    /// Plug-in packages
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    /// Steps: when which plug-in type runs
    #[command(subcommand)]
    Step(step::Step),
    /// HTTP requests of plug-ins: what waits, what was sent, what failed
    #[command(subcommand)]
    Outbox(outbox::Outbox),
    /// What plug-ins did
    #[command(subcommand)]
    Trace(trace::Trace),
    /// Recorded runs of plug-ins, to be run again
    #[command(subcommand)]
    Capture(capture::Capture),
    /// Which plug-in packages may run in this data directory
    #[command(subcommand)]
    Policy(policy::Policy),
    /// What this device takes offline
    Filter(filter::Filter),
    /// Keep a mailbox and the records of its user in step
    #[command(subcommand)]
    Outlook(outlook::Outlook),
    /// The server's devices: who is behind, what is stuck and why
    #[command(subcommand)]
    Device(device::Device),
    /// The server's users
    #[command(subcommand)]
    User(user::User),
    /// Copy this data directory while it is in use
    Backup(backup::Backup),
    /// Check this data directory
    Doctor(doctor::Doctor),
}

/// Runs the command of these arguments.
pub(crate) fn run(arguments: &Arguments) -> Result<Output, CliError> {
    match &arguments.command {
        Command::Local(local) => local.run(arguments),
        Command::Work(work) => work_where_it_is_open(work, arguments),
    }
}

pub(crate) fn work_where_it_is_open(
    work: &Work,
    arguments: &Arguments,
) -> Result<Output, CliError> {
    if let Work::Plugin(plugin) = work
        && let Some(result) = plugin.alone()
    {
        return result;
    }
    let data = arguments.data()?;
    let progress = progress::display(work.verb(), arguments.quiet);
    work.waiting().run(&*progress, || once(work, &data, &*progress))
}

/// Runs the command in the process that has the directory, or here.
fn once(work: &Work, data: &Path, progress: &dyn Progress) -> Result<Output, CliError> {
    if let Some(process) = running::find(data) {
        tracing::debug!(pid = process.pid, url = process.url, "a process has the directory");
        if let Some(result) = running::ask(&process, &json!(work), progress) {
            return result;
        }
    }
    if let Work::Doctor(doctor) = work {
        // Must work on a directory that does not open.
        return doctor.look(data);
    }
    let workspace = Workspace::open(data)?;
    work.clone().run(&workspace, progress)
}

impl Local {
    fn run(&self, arguments: &Arguments) -> Result<Output, CliError> {
        match self {
            Self::Serve(command) => command.run(&arguments.data()?, arguments.json),
            Self::Host(command) => command.run(&arguments.data()?, arguments.json),
            Self::Demo(command) => command.run(arguments),
            Self::Connect(command) => command.run(&arguments.data()?, arguments.quiet),
            Self::Restore(command) => command.run(&arguments.data()?),
            Self::Replay(command) => command.run(arguments),
            Self::Debug(command) => command.run(&arguments.data()?),
            Self::Secret(command) => command.run(&arguments.data()?),
            Self::Completions(command) => Ok(command.run()),
            Self::Man(command) => command.run(),
        }
    }
}

impl Work {
    /// Runs the command on an open data directory.
    pub(crate) fn run(
        self,
        workspace: &Workspace,
        progress: &dyn Progress,
    ) -> Result<Output, CliError> {
        match self {
            Self::Status(command) => command.run(workspace),
            Self::GoOffline(command) => command.run(workspace, progress),
            Self::GoOnline(command) => command.run(workspace, progress),
            Self::Sync(command) => command.run(workspace, progress),
            Self::Verify(command) => command.run(workspace, progress),
            Self::Create(command) => command.run(workspace, progress),
            Self::Get(command) => command.run(workspace, progress),
            Self::Update(command) => command.run(workspace, progress),
            Self::Delete(command) => command.run(workspace, progress),
            Self::Query(command) => command.run(workspace, progress),
            Self::Request(command) => command.run(workspace, progress),
            Self::Table(command) => command.run(workspace),
            Self::Journal(command) => command.run(workspace, progress),
            Self::Conflicts(command) => command.run(workspace),
            Self::Reconcile(command) => command.run(workspace),
            Self::Plugin(command) => command.run(workspace),
            Self::Step(command) => command.run(workspace),
            Self::Outbox(command) => command.run(workspace),
            Self::Trace(command) => command.run(workspace),
            Self::Capture(command) => command.run(workspace),
            Self::Policy(command) => command.run(workspace),
            Self::Filter(command) => command.run(workspace),
            Self::Outlook(command) => command.run(workspace),
            Self::Device(command) => command.run(workspace),
            Self::User(command) => command.run(workspace),
            Self::Backup(command) => command.run(workspace, progress),
            Self::Doctor(command) => command.run(workspace),
        }
    }

    /// Whether the command waits for the server.
    fn waiting(&self) -> Waiting {
        match self {
            Self::GoOffline(command) => command.waiting,
            Self::GoOnline(command) => command.waiting,
            Self::Sync(command) => command.waiting,
            _ => Waiting::default(),
        }
    }

    /// The command's word, for progress lines.
    fn verb(&self) -> &'static str {
        match self {
            Self::GoOffline(_) => "go-offline",
            Self::GoOnline(_) => "go-online",
            Self::Sync(_) => "sync",
            Self::Verify(_) => "verify",
            Self::Journal(_) => "journal",
            Self::Backup(_) => "backup",
            _ => "offstage",
        }
    }
}
