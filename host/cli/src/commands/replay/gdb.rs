//! Runs a replay under gdb: a process of its own that holds nothing but the capture and the plug-in.
//!
//! Never attaches to a server or host.

use crate::debugging;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, complain};
use offstage_sandbox::capture::{Capture, CaptureFile};
use offstage_sandbox::has_debug_info;
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// What is debugged.
pub(super) struct Session<'a> {
    pub(super) capture: &'a Capture,
    pub(super) component: &'a [u8],
    pub(super) secret: Option<&'a str>,
    pub(super) breakpoints: &'a [String],
}

/// Starts gdb on a process that replays, and waits for it to end.
pub(super) fn run(session: &Session<'_>) -> Result<Output, CliError> {
    if !has_debug_info(session.component) {
        let message = "This build of the plug-in has no debug information.";
        return Err(CliError::usage(message).hint(
            "Build it for debugging and name that build with `--with FILE.wasm`; a build of the same source asks the same.",
        ));
    }
    let folder = tempfile::tempdir()
        .map_err(|error| CliError::file("make a folder in", &std::env::temp_dir(), &error))?;
    // Readable by this user only, and gone with gdb.
    let capture = folder.path().join("capture.json");
    let plugin = folder.path().join("plugin.wasm");
    let secret = folder.path().join("secret");
    let files = [
        (&capture, CaptureFile::write(std::slice::from_ref(session.capture))),
        (&plugin, session.component.to_vec()),
        (&secret, session.secret.unwrap_or_default().into()),
    ];
    for (path, bytes) in files {
        std::fs::write(path, bytes).map_err(|error| CliError::file("write", path, &error))?;
    }
    let script = debugging::gdb_script(folder.path())?;
    let program = std::env::current_exe()
        .map_err(|error| CliError::file("find", Path::new("offstage"), &error))?;
    let mut gdb = Command::new("gdb");
    gdb.arg("-q").arg("-x").arg(&script);
    for location in session.breakpoints {
        gdb.arg("-ex").arg(format!("break {location}"));
    }
    if session.breakpoints.is_empty() {
        complain("hint: set a breakpoint (`break FILE:LINE` or `break FUNCTION`), then `run`");
    } else {
        gdb.arg("-ex").arg("run");
    }
    gdb.arg("--args").arg(program).arg("--data").arg(folder.path().join("none"));
    gdb.args(["replay", "--for-debugger", "--file"]).arg(&capture).arg("--with").arg(&plugin);
    gdb.arg("--secret-file").arg(&secret);
    let status = gdb.status().map_err(|error| no_gdb(&error))?;
    let json = json!({ "gdb": status.code() });
    let exit = if status.success() { Exit::Done } else { Exit::Internal };
    Ok(Output::new(json).exit(exit))
}

fn no_gdb(error: &std::io::Error) -> CliError {
    CliError::new(Exit::NotFound, format!("gdb does not start: {error}."))
        .hint("Install it (Debian: `apt-get install gdb`), or attach another debugger to `offstage host --debug-plugins`.")
}
