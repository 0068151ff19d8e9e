//! `cargo xtask tidy`: what the compiler does not check about the shape of the code.
//!
//! Headers, file sizes, the direction of dependencies, who may know which crate, paths of one
//! machine, attacks without a test, and licences and sources of what others wrote. Never changes a file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::{attacks, supply, workspace};

/// A file longer than this has to be split.
const LINES_MAX: usize = 1_500;

/// Each crate of `host/` with the crates of `host/` that it may use.
const DIRECTION: [(&str, &[&str]); 13] = [
    ("model", &[]),
    ("query", &["model"]),
    ("policy", &["model"]),
    ("store", &["model", "query"]),
    ("sandbox", &["model"]),
    ("pipeline", &["model", "query", "policy", "store", "sandbox"]),
    ("outbound", &["model", "policy", "store", "pipeline"]),
    ("subscription", &["model", "query", "store"]),
    ("outlook", &["model", "query", "policy", "store", "pipeline", "subscription"]),
    ("mailstores", &["model", "store", "outlook"]),
    ("replication", &["model", "query", "store", "policy", "pipeline", "sandbox", "subscription"]),
    (
        "server",
        &[
            "model",
            "query",
            "store",
            "policy",
            "sandbox",
            "pipeline",
            "subscription",
            "replication",
            "outlook",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "query",
            "store",
            "policy",
            "sandbox",
            "pipeline",
            "subscription",
            "replication",
            "outbound",
            "outlook",
            "mailstores",
            "server",
        ],
    ),
];

/// Outside technologies and the one crate that may know each.
const ONE_OWNER: [(&str, &[&str]); 7] = [
    ("rusqlite", &["store"]),
    ("calcard", &["mailstores"]),
    ("outlook-pst", &["mailstores"]),
    ("imap", &["mailstores"]),
    ("wasmtime", &["sandbox"]),
    ("axum", &["server"]),
    ("clap", &["cli"]),
];

/// Runs the command.
pub(crate) fn run() -> Result<()> {
    let mut problems = Vec::new();
    let files = rust_files(workspace::root())?;
    for file in &files {
        check_file(file, &mut problems)?;
    }
    check_direction(&mut problems)?;
    check_mail_stores(&files, &mut problems)?;
    attacks::check(&files, &mut problems)?;
    supply::check(&mut problems)?;
    if problems.is_empty() {
        println!("tidy: {} files, nothing to mend", files.len());
        return Ok(());
    }
    bail!("{} things to mend:\n{}", problems.len(), problems.join("\n"))
}

fn check_file(file: &Path, problems: &mut Vec<String>) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", shown(file)))?;
    if !text.starts_with("//!") && !text.starts_with("#!") {
        problems.push(format!("{}: it does not open with what it does (`//!`)", shown(file)));
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        problems.push(format!("{}: {lines} lines; split it", shown(file)));
    }
    for (number, line) in text.lines().enumerate() {
        // Written in two parts, so that this file does not find itself.
        let home = concat!("/", "root/");
        if line.contains(home) {
            problems.push(format!("{}:{}: a path of one machine", shown(file), number + 1));
        }
    }
    Ok(())
}

fn check_direction(problems: &mut Vec<String>) -> Result<()> {
    for (name, allowed) in DIRECTION {
        let manifest = workspace::root().join("host").join(name).join("Cargo.toml");
        let text = fs::read_to_string(&manifest)
            .with_context(|| format!("cannot read {}", shown(&manifest)))?;
        // Tests may use more than the crate itself.
        let dependencies = text.split("[dev-dependencies]").next().unwrap_or_default();
        for (other, _) in DIRECTION {
            let uses = dependencies.contains(&format!("offstage-{other}."));
            if uses && !allowed.contains(&other) {
                problems.push(format!("host/{name} must not know host/{other}"));
            }
        }
        for (technology, owners) in ONE_OWNER {
            let uses = dependencies
                .lines()
                .any(|line| line.split(['.', '=', ' ']).next().unwrap_or_default() == technology);
            if uses && !owners.contains(&name) {
                problems.push(format!("host/{name} must not know {technology}"));
            }
        }
    }
    for part in ["sdk/rust", "sdk/build"] {
        let sdk = fs::read_to_string(workspace::root().join(part).join("Cargo.toml"))?;
        if sdk.contains("host/") || sdk.contains("offstage-model") {
            problems.push(format!("{part} must not know the host"));
        }
    }
    Ok(())
}

/// The mail stores of `host/outlook` know items only: nothing of records, the cache or the engine;
/// and the rest of the crate does not know them.
fn check_mail_stores(files: &[PathBuf], problems: &mut Vec<String>) -> Result<()> {
    const ALLOWED: [&str; 5] = ["item", "link", "mail_store", "property", "stores"];
    let sources = workspace::root().join("host/outlook/src");
    let stores = sources.join("stores");
    for file in files.iter().filter(|file| file.starts_with(&sources)) {
        let text = fs::read_to_string(file)?;
        let within = file.starts_with(&stores);
        for part in text.split("crate::").skip(1) {
            let module = part.split(|c: char| !c.is_alphanumeric() && c != '_').next();
            let module = module.unwrap_or_default();
            let small = module.starts_with(|c: char| c.is_lowercase());
            if within && small && !ALLOWED.contains(&module) {
                problems.push(format!("{}: a mail store must not know '{module}'", shown(file)));
            }
            if !within && module == "stores" {
                problems.push(format!("{}: only `stores` know a mail store", shown(file)));
            }
        }
    }
    Ok(())
}

/// All Rust files below `folder` that belong to the repository.
fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", shown(folder)))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            // Expected compiler errors of macro tests are no code of ours to head.
            // What others wrote keeps their form.
            let foreign = ["target", "refused", "third-party"].contains(&name.as_str());
            if !foreign && !name.starts_with('.') {
                files.extend(rust_files(&path)?);
            }
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn shown(path: &Path) -> String {
    path.strip_prefix(workspace::root()).unwrap_or(path).display().to_string()
}
