//! Running plug-ins for a native debugger: the option of `serve` and `host`, and what makes a
//! process easy to attach to.
//!
//! Never attaches anything itself.

use crate::error::CliError;
use crate::output::complain;
use crate::owned_file;
use crate::workspace::Workspace;
use clap::{ArgAction, Args};
use offstage_sandbox::DebugPlugins;
use offstage_server::Limits;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `--debug-plugins` without a name.
const ALL: &str = "*";
/// The longest time for one request while somebody may sit in a debugger.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(4 * 60 * 60);
/// What gdb needs to show a plug-in's values; it comes with the SDK and is kept in this program too.
const GDB_SCRIPT: &str = include_str!("../../../sdk/rust/gdb/offstage_gdb.py");

/// The option for debugging plug-ins.
#[derive(Clone, Debug, Args)]
pub(crate) struct DebugOption {
    /// Run plug-ins for a native debugger: the package or type NAME, or all; may be repeated
    #[arg(
        long = "debug-plugins", value_name = "NAME", action = ArgAction::Append,
        num_args = 0..=1, default_missing_value = ALL
    )]
    names: Vec<String>,
}

impl DebugOption {
    /// Which plug-ins run for a debugger.
    pub(crate) fn plugins(&self) -> DebugPlugins {
        match self.names.as_slice() {
            [] => DebugPlugins::None,
            names if names.iter().any(|name| name == ALL) => DebugPlugins::All,
            names => DebugPlugins::Named(names.to_vec()),
        }
    }

    /// The names, for `running.json`.
    pub(crate) fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    /// Limits of the HTTP side: who waits for an answer waits for the person at the debugger too.
    pub(crate) fn limits(&self) -> Limits {
        let defaults = Limits::default();
        match self.names.is_empty() {
            true => defaults,
            false => Limits { request_time_max: REQUEST_TIME_MAX, ..defaults },
        }
    }

    /// Says what it costs, lets debuggers of this user attach, and names what is not registered.
    pub(crate) fn announce(&self, workspace: &Workspace) -> Result<(), CliError> {
        if self.names.is_empty() {
            return Ok(());
        }
        complain(
            "warning: --debug-plugins: debuggers of this user may attach to this process; for development only",
        );
        allow_attaching();
        let registry = workspace.pipeline().registry()?;
        for name in self.names.iter().filter(|name| *name != ALL) {
            let one = DebugPlugins::Named(vec![name.clone()]);
            let known = registry.packages.iter().any(|package| {
                let types = registry.steps.iter().filter(|step| step.package == package.id);
                one.names(&package.id, types.map(|step| step.plugin_type.as_str()))
            });
            if !known {
                complain(&format!("warning: no registered package or type is named '{name}' yet"));
            }
        }
        Ok(())
    }
}

/// Lets any process of this user attach, where the kernel would only allow parents (Yama).
fn allow_attaching() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_ptracer(rustix::process::PTracer::Any) {
        // A kernel without Yama has nothing to allow.
        tracing::debug!(%error, "ptrace needs no permission here, or none can be given");
    }
}

/// Puts the gdb script into the data directory, and returns where it is.
pub(crate) fn gdb_script(folder: &Path) -> Result<PathBuf, CliError> {
    let path = folder.join("offstage_gdb.py");
    if std::fs::read_to_string(&path).ok().as_deref() != Some(GDB_SCRIPT) {
        owned_file::write(&path, GDB_SCRIPT.as_bytes())?;
    }
    Ok(path)
}
