//! Drives a real gdb or lldb that is attached to a process.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Longer than anything takes; a test that hangs must end.
const PATIENCE: Duration = Duration::from_secs(240);
/// What it says when it waits for a breakpoint.
const READY: &str = "-- ready";

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The number of the line of a source file that holds `text`.
pub(crate) fn line_with(source: &str, text: &str) -> usize {
    let content = std::fs::read_to_string(repository(source)).unwrap();
    1 + content.lines().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{text}"))
}

/// lldb, where its package is new enough to know code made at run time.
const LLDB: &str = "lldb-22";

/// A debugger that runs a script; dropping it ends it.
pub(crate) struct Debugger {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    _script: tempfile::NamedTempFile,
}

impl Debugger {
    /// Attaches gdb to `pid`, runs `before` (breakpoints), then waits for `after` to find the first
    /// stop.
    pub(crate) fn gdb(pid: u64, before: &str, after: &str) -> Self {
        let printers = repository("sdk/rust/gdb/offstage_gdb.py");
        let script = format!(
            "set pagination off\nset confirm off\nset width 0\nset debuginfod enabled off\n\
             source {}\nattach {pid}\n{before}\necho {READY}\\n\ncontinue\n{after}\n\
             delete\ndetach\nquit\n",
            printers.display()
        );
        Self::start("gdb", &["-q", "-nx", "-batch", "-x"], &script)
    }

    /// Whether there is an lldb that knows code made at run time: Debian has it, not every system.
    pub(crate) fn has_lldb() -> bool {
        Command::new(LLDB).arg("--version").output().is_ok_and(|done| done.status.success())
    }

    /// The same with lldb.
    pub(crate) fn lldb(pid: u64, before: &str, after: &str) -> Self {
        let script = format!(
            "settings set use-color false\nprocess attach --pid {pid}\n{before}\n\
             script print(\"{READY}\", flush=True)\nprocess continue\n{after}\n\
             breakpoint delete --force\nprocess detach\nquit\n"
        );
        Self::start(LLDB, &["--no-lldbinit", "--batch", "--source"], &script)
    }

    fn start(program: &str, arguments: &[&str], script: &str) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), script).unwrap();
        let mut child = Command::new(program)
            .args(arguments)
            .arg(file.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{program} does not start ({error}); `cargo xtask setup` installs it")
            });
        let (sender, lines) = channel();
        let stdout = child.stdout.take().unwrap();
        let stderr = child.stderr.take().unwrap();
        for reader in [Box::new(stdout) as Box<dyn std::io::Read + Send>, Box::new(stderr)] {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(reader).lines().map_while(Result::ok) {
                    drop(sender.send(line));
                }
            });
        }
        let mut debugger = Self { child, lines, seen: Vec::new(), _script: file };
        debugger.wait_for(READY);
        debugger
    }

    /// Reads until a line has `text`.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let found = line.contains(text);
                    self.seen.push(line);
                    if found {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("the debugger hangs:\n{}", self.seen.join("\n"))
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the debugger ended without '{text}':\n{}", self.seen.join("\n"))
                }
            }
        }
    }

    /// Everything that it wrote, when its script is done.
    pub(crate) fn finish(mut self) -> String {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.seen.push(line);
        }
        std::mem::take(&mut self.seen).join("\n")
    }
}

impl Drop for Debugger {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
