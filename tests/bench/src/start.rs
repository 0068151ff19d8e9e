//! The program itself: how long a server takes from its start to its first answer, with a compiled
//! plug-in in its cache, and how much memory it has when idle.

use crate::Setting;
use crate::measure::{Rounds, Sample, status_kib};
use crate::report::Line;
use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Time for everything after the start to calm down.
const CALM: Duration = Duration::from_secs(1);
const TARGET_US: f64 = 150_000.0;
const TARGET_MIB: f64 = 60.0;

/// Runs the benchmark; without a built program there is no result.
pub(crate) fn run(setting: &Setting) -> Result<Vec<Line>> {
    let Some(program) = program() else {
        crate::report::progress(
            "start: skipped, no `offstage` beside this program; build it first",
        );
        return Ok(Vec::new());
    };
    let folder = setting.folder()?;
    let data = folder.path().join("server");
    // The first start makes the organization, then the plug-in is added and compiled.
    drop(Server::start(&program, &data)?);
    add_plugin(&program, &data)?;
    drop(Server::start(&program, &data)?);
    let mut rounds = Rounds::default();
    let mut idle_mib = 0.0_f64;
    for _ in 0..setting.rounds {
        let started = Instant::now();
        let server = Server::start(&program, &data)?;
        server.get("/api/data/v9.2/accounts?$top=1")?;
        let wall_us = started.elapsed().as_secs_f64() * 1e6;
        rounds.push(Sample { wall_us, cpu_us: server.cpu_us().unwrap_or(0.0) }, 1);
        std::thread::sleep(CALM);
        let rss = status_kib(&server.child.id().to_string(), "VmRSS").unwrap_or(0);
        idle_mib = idle_mib.max(rss as f64 / 1024.0);
    }
    Ok(vec![
        Line::alone("server: start to first answer", &rounds)
            .target("wall < 150 ms, idle < 60 MiB", |line| {
                line.wall_us.median < TARGET_US && idle_mib < TARGET_MIB
            })
            .note(format!("idle memory {idle_mib:.0} MiB")),
    ])
}

/// The product's program, beside this one.
pub(crate) fn program() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.with_file_name("offstage");
    program.exists().then_some(program)
}

fn add_plugin(program: &Path, data: &Path) -> Result<()> {
    let guest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/guests/phone_numbers.wasm");
    let bytes = std::fs::read(guest).context("run `cargo xtask guests` first")?;
    let sha256 = hex::encode(Sha256::digest(bytes));
    let pin = format!(
        "[[pin]]\npackage = \"samples/phone-numbers\"\nsha256 = \"{sha256}\"\nreason = \"bench\"\n"
    );
    std::fs::write(data.join("trust.toml"), pin)?;
    run_command(program, data, &["plugin", "add", guest])
}

/// Runs a command of the product on a data directory.
pub(crate) fn run_command(program: &Path, data: &Path, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).arg("--data").arg(data).args(arguments).output()?;
    if !output.status.success() {
        bail!("{}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// A running server; dropping it ends it.
pub(crate) struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts the product on a data directory.
    pub(crate) fn start(program: &Path, data: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        command.arg("--data").arg(data).args(["--json", "serve", "--dev"]);
        Self::spawn(command)
    }

    /// Starts a program that says as JSON where it listens.
    pub(crate) fn spawn(mut command: Command) -> Result<Self> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.as_mut().context("its output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let json: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        let url = json["listening"].as_str().unwrap_or_default();
        let address = url.trim_start_matches("http://").to_owned();
        let server = Self { child, address };
        if server.address.is_empty() {
            bail!("the server did not start: {line}");
        }
        Ok(server)
    }

    /// The address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn get(&self, path: &str) -> Result<()> {
        let mut stream = TcpStream::connect(&self.address)?;
        let host = &self.address;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if !answer.starts_with("HTTP/1.1 200") {
            bail!("GET {path}: {}", answer.lines().next().unwrap_or_default());
        }
        Ok(())
    }

    /// CPU time so far, from `/proc`, in microseconds.
    pub(crate) fn cpu_us(&self) -> Option<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
        // Fields 14 and 15 of the whole line, in ticks of 10 ms.
        Some((ticks(11)? + ticks(12)?) * 10_000.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its data directory is locked until it is gone.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
