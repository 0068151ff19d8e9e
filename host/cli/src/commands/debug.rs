//! `offstage debug`: what to type to attach a debugger to the running process.
//!
//! Never attaches and never changes the process.

use crate::debugging;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;
use crate::progress;
use crate::running::{self, Running};
use clap::Args;
use offstage_sandbox::DebugPlugins;
use serde_json::{Value as Json, json};
use std::path::Path;

/// Decides whether a process may attach to another one that is not its child.
const PTRACE_SCOPE: &str = "/proc/sys/kernel/yama/ptrace_scope";

/// Print what to type to attach gdb, lldb or VS Code to the running server or host.
#[derive(Clone, Debug, Args)]
pub(crate) struct Debug {
    /// The package or plug-in type to debug [default: what the process debugs]
    plugin: Option<String>,
}

impl Debug {
    pub(crate) fn run(&self, data: &Path) -> Result<Output, CliError> {
        let process = running::find(data).filter(|process| is_alive(process.pid));
        let process = process.ok_or_else(|| not_running(data, self.plugin.as_deref()))?;
        if let Some(plugin) = &self.plugin {
            check(&process, plugin)?;
        } else if process.debug_plugins.is_empty() {
            return Err(not_debugging(&process, "NAME"));
        }
        let script = debugging::gdb_script(data)?;
        let program = std::fs::read_link(format!("/proc/{}/exe", process.pid))
            .or_else(|_| std::env::current_exe())
            .map_err(|error| CliError::file("find", Path::new("offstage"), &error))?;
        Ok(answer(&process, &script, &program))
    }
}

fn answer(process: &Running, script: &Path, program: &Path) -> Output {
    let pid = process.pid;
    let gdb = format!("gdb -p {pid} -x {}", quoted(script));
    let lldb = format!("lldb -p {pid}");
    let launch = launch_json(pid, script, program);
    let scope = std::fs::read_to_string(PTRACE_SCOPE).ok().map(|text| text.trim().to_owned());
    let hint = ptrace_hint(scope.as_deref());
    let json = json!({
        "pid": pid, "url": process.url, "debugPlugins": process.debug_plugins,
        "gdb": gdb, "lldb": lldb, "gdbScript": script, "program": program, "launch": launch,
        "ptraceScope": scope, "ptraceHint": hint,
    });
    let pretty = serde_json::to_string_pretty(&launch).unwrap_or_default();
    Output::new(json)
        .text(format!("Process {pid} at {} debugs: {}.", process.url, shown(&process.debug_plugins)))
        .text(format!("\ngdb:\n  $ {gdb}"))
        .text("  (gdb) break src/lib.rs:40        # or a function: break roll_up")
        .text("  (gdb) continue                   # now run the operation in another terminal")
        .text("  (gdb) info args                  # then: info locals, next, step, finish, detach")
        .text(format!("\nlldb (version 22; Debian: lldb-22):\n  $ {lldb}"))
        .text("  (lldb) breakpoint set --file /full/path/of/src/lib.rs --line 40")
        .text("  (lldb) continue")
        .text("  (lldb) expression __vmctx->set() # once per stop, before pointers are followed")
        .text(format!("\nVS Code, in .vscode/launch.json of the plug-in (extension ms-vscode.cpptools):\n{pretty}"))
        .text(format!("\n{hint}"))
}

fn shown(names: &[String]) -> String {
    match names {
        names if names.iter().any(|name| name == "*") => "every plug-in".into(),
        names => names.join(", "),
    }
}

/// The VS Code configuration with this process filled in.
fn launch_json(pid: u32, script: &Path, program: &Path) -> Json {
    json!({
        "version": "0.2.0",
        "configurations": [{
            "name": "Offstage plug-in (attach)",
            "type": "cppdbg",
            "request": "attach",
            "program": program,
            "processId": pid.to_string(),
            "MIMode": "gdb",
            "setupCommands": [
                { "text": format!("source {}", script.display()) },
                { "text": "set breakpoint pending on" },
            ],
        }],
    })
}

fn ptrace_hint(scope: Option<&str>) -> &'static str {
    match scope {
        None | Some("0") => "Any process of this user may attach (no ptrace_scope in force).",
        Some("1") => {
            "ptrace_scope is 1: the process has allowed debuggers of the same user to attach; as another user, use sudo."
        }
        Some("2") => "ptrace_scope is 2: only root may attach: put sudo before the command.",
        Some(_) => {
            "ptrace_scope is 3: nobody may attach to a process on this machine until it restarts with another setting; `offstage replay ID --gdb` needs none."
        }
    }
}

fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Refuses a plug-in that is not registered, or that the process does not debug.
fn check(process: &Running, plugin: &str) -> Result<(), CliError> {
    let steps =
        running::ask(process, &json!({ "step": "list" }), &*progress::display("debug", true));
    let listed = steps.transpose()?.map(|output| output.json).unwrap_or_default();
    let steps = listed["steps"].as_array().cloned().unwrap_or_default();
    let text = |step: &Json, name: &str| step[name].as_str().unwrap_or_default().to_owned();
    let wanted = DebugPlugins::Named(vec![plugin.to_owned()]);
    let found = steps.iter().find(|step| {
        let plugin_type = text(step, "plugin_type");
        wanted.names(&text(step, "package"), std::iter::once(plugin_type.as_str()))
    });
    let Some(step) = found else {
        return Err(CliError::new(Exit::NotFound, format!("No step has a plug-in '{plugin}'."))
            .hint("`offstage plugin list` shows the packages, `offstage step list` the types."));
    };
    let debugged = match process.debug_plugins.as_slice() {
        names if names.iter().any(|name| name == "*") => DebugPlugins::All,
        names => DebugPlugins::Named(names.to_vec()),
    };
    let plugin_type = text(step, "plugin_type");
    if debugged.names(&text(step, "package"), std::iter::once(plugin_type.as_str())) {
        return Ok(());
    }
    Err(not_debugging(process, plugin))
}

fn not_debugging(process: &Running, plugin: &str) -> CliError {
    let what = if plugin == "NAME" { "plug-ins" } else { plugin };
    let message = format!("Process {} does not run {what} for a debugger.", process.pid);
    CliError::new(Exit::Usage, message)
        .hint(format!("Stop it, and start it with `--debug-plugins {plugin}`."))
}

fn not_running(data: &Path, plugin: Option<&str>) -> CliError {
    let name = plugin.unwrap_or("NAME");
    CliError::new(Exit::NotFound, format!("No process has '{}' open.", data.display())).hint(format!(
        "Start `offstage host --debug-plugins {name}` on a device, or `offstage serve --debug-plugins {name}` on a server."
    ))
}

/// Whether there is such a process; where that cannot be told, yes.
fn is_alive(pid: u32) -> bool {
    !cfg!(target_os = "linux") || Path::new(&format!("/proc/{pid}")).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_for_a_shell_when_needed() {
        assert_eq!(quoted(Path::new("/home/a_b/x-1.py")), "/home/a_b/x-1.py");
        assert_eq!(quoted(Path::new("/home/a b/it's.py")), r"'/home/a b/it'\''s.py'");
    }

    #[test]
    fn every_ptrace_scope_has_its_hint() {
        for (scope, part) in [
            (None, "may attach"),
            (Some("1"), "sudo"),
            (Some("2"), "only root"),
            (Some("3"), "replay"),
        ] {
            assert!(ptrace_hint(scope).contains(part), "{scope:?}");
        }
    }
}
