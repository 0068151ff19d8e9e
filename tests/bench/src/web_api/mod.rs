//! The Web API over loopback at 1, 8 and 64 connections: a row by its id, a page of 50, and a create
//! with two steps of a plug-in. The floor is a server of axum and rusqlite alone, in a process of its
//! own as the product is, that answers the same requests and makes the same rows.
//!
//! CPU time is the server's; the clients' is in neither.

pub(crate) mod floor;

use crate::Setting;
use crate::measure::{Rounds, Sample};
use crate::report::{Line, progress};
use crate::rows;
use crate::start::{Server, program, run_command};
use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::{Value as Json, json};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const CONNECTIONS: [usize; 3] = [1, 8, 64];
const ROWS: usize = 500;
const PACKAGE: &str = "test/script";
/// The product's share of the floor's speed.
const TARGET: f64 = 0.6;
const ACCOUNTS: &str = "/api/data/v9.2/accounts";

/// What clients ask for.
#[derive(Clone, Copy)]
enum Kind {
    Read,
    Page,
    Create,
}

/// Runs the benchmark; without a built program there is no result.
pub(crate) fn run(setting: &Setting) -> Result<Vec<Line>> {
    let Some(program) = program() else {
        progress("web-api: skipped, no `offstage` beside this program; build it first");
        return Ok(Vec::new());
    };
    let folder = setting.folder()?;
    let product = product(&program, folder.path())?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(floor::COMMAND).arg(folder.path().join("floor.db"));
    let floor = Server::spawn(command)?;
    fill(&floor)?;
    // Both have new rows from here on, with numbers that nobody has yet.
    let number = AtomicUsize::new(ROWS);
    let mut lines = Vec::new();
    for (kind, name, count) in [
        (Kind::Read, "read by id", setting.size(64, 4_000, 20_000)),
        (Kind::Page, "page of 50", setting.size(64, 500, 2_000)),
        (Kind::Create, "create with two steps", setting.size(64, 500, 2_000)),
    ] {
        for connections in CONNECTIONS {
            let (mut ours, mut theirs) = (Rounds::default(), Rounds::default());
            let mut slowest = Vec::new();
            for round in 0..=setting.rounds {
                let (fast, _) = load(&floor, kind, connections, count, &number)?;
                let (time, mut latencies) = load(&product, kind, connections, count, &number)?;
                // The first round warms caches up.
                if round > 0 {
                    theirs.push(fast, count);
                    ours.push(time, count);
                    slowest.append(&mut latencies);
                }
            }
            lines.push(
                Line::beside(format!("Web API: {name}, {connections} connections"), &ours, &theirs)
                    .target(format!("wall <= {:.2} x", 1.0 / TARGET), |line| {
                        line.wall_ratio <= Some(1.0 / TARGET)
                    })
                    .note(format!("p99 {:.1} ms", percentile(&mut slowest).as_secs_f64() * 1e3)),
            );
        }
    }
    Ok(lines)
}

/// A server with rows, and then with the logic, through the program's own commands.
fn product(program: &Path, folder: &Path) -> Result<Server> {
    let data = folder.join("server");
    let server = Server::start(program, &data)?;
    fill(&server)?;
    let guest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/guests/script.wasm");
    let offstage = |arguments: &[&str]| run_command(program, &data, arguments);
    offstage(&[
        "policy",
        "trust",
        "pin",
        guest,
        "--reason",
        "a benchmark",
        "--grant",
        "requested",
    ])?;
    offstage(&["plugin", "add", guest])?;
    for (stage, key, configuration) in [
        (20, "bench-derive", "set description s:derived"),
        (40, "bench-audit", "create task subject=s:audit regardingobjectid=r:account:{id}"),
    ] {
        let step = json!({
            "key": key, "message": "Create", "table": "account", "stage": stage,
            "configuration": configuration,
        });
        let file = folder.join("step.json");
        std::fs::write(&file, step.to_string())?;
        let file = file.to_str().context("a folder with a plain name")?;
        offstage(&["step", "add", PACKAGE, "test.Script", file])?;
    }
    Ok(server)
}

fn account(number: usize) -> Json {
    json!({
        "accountid": rows::id(number), "name": format!("Contoso {number} Handels GmbH"),
        "accountnumber": format!("AC-{number:07}"), "telephone1": "+49 30 901820",
        "emailaddress1": format!("office{number}@contoso.example"),
        "address1_city": rows::city(number), "numberofemployees": 120, "industrycode": 3,
    })
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().proxy(None).build().into()
}

fn create(agent: &ureq::Agent, server: &Server, number: usize) -> Result<()> {
    let answer = agent.post(server.url(ACCOUNTS)).send_json(account(number))?;
    ensure!(answer.status() == 204, "a create was answered with {}", answer.status());
    Ok(())
}

fn fill(server: &Server) -> Result<()> {
    let agent = agent();
    (0..ROWS).try_for_each(|number| create(&agent, server, number))
}

/// Sends `count` requests over `connections`; returns the time of all and of each.
fn load(
    server: &Server,
    kind: Kind,
    connections: usize,
    count: usize,
    number: &AtomicUsize,
) -> Result<(Sample, Vec<Duration>)> {
    let before = server.cpu_us().context("the server's CPU time")?;
    let begun = Instant::now();
    let client = |requests: usize| {
        let agent = agent();
        let mut latencies = Vec::with_capacity(requests);
        for at in 0..requests {
            let sent = Instant::now();
            one(&agent, server, kind, at, number)?;
            latencies.push(sent.elapsed());
        }
        Ok::<_, anyhow::Error>(latencies)
    };
    let latencies = std::thread::scope(|scope| {
        let client = &client;
        let share = |n: usize| count / connections + usize::from(n < count % connections);
        let threads: Vec<_> =
            (0..connections).map(|n| scope.spawn(move || client(share(n)))).collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a client panicked"))));
        joined.collect::<Result<Vec<_>>>()
    })?;
    let wall_us = begun.elapsed().as_secs_f64() * 1e6;
    let cpu_us = server.cpu_us().context("the server's CPU time")? - before;
    Ok((Sample { wall_us, cpu_us }, latencies.concat()))
}

fn one(
    agent: &ureq::Agent,
    server: &Server,
    kind: Kind,
    at: usize,
    number: &AtomicUsize,
) -> Result<()> {
    let path = match kind {
        Kind::Create => return create(agent, server, number.fetch_add(1, Ordering::Relaxed)),
        Kind::Read => format!("{ACCOUNTS}({})", rows::id(at * 7 % ROWS)),
        Kind::Page => format!("{ACCOUNTS}?$top=50"),
    };
    let body: Json = agent.get(server.url(&path)).call()?.body_mut().read_json()?;
    let found = match kind {
        Kind::Page => body["value"].as_array().map_or(0, Vec::len) == 50,
        _ => body["name"].is_string(),
    };
    ensure!(found, "{path} was answered with something else");
    Ok(())
}

fn percentile(latencies: &mut [Duration]) -> Duration {
    latencies.sort_unstable();
    let at = latencies.len().saturating_sub(1) * 99 / 100;
    latencies.get(at).copied().unwrap_or_default()
}
