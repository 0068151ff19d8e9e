//! `cargo xtask guests`: builds the plug-ins of this repository as components.
//!
//! Core modules come from cargo; each becomes a component, is validated, and is refused if it
//! imports anything but the plug-in contract. With `--all` the plug-ins in other languages are built
//! as well, which installs their tools. It never writes a file that did not change.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use offstage_build::{BuildFolders, MANIFEST};
use wit_component::ComponentEncoder;

use crate::{debug_guests, setup, workspace};

/// The workspaces with plug-ins, in the repository; the ones that exist are built.
const WORKSPACES: [&str; 3] = ["sample-plugins", "tests/hostile-plugins", "tests/test-plugins"];

/// One built component.
pub(crate) struct Guest {
    /// The crate's name with `_` for `-`.
    pub(crate) name: String,
    /// Where the component is: `target/guests/<name>.wasm`.
    pub(crate) path: PathBuf,
    /// Its size in bytes.
    pub(crate) size: usize,
    /// Whether this build changed it.
    pub(crate) changed: bool,
}

/// Where the plug-ins in other languages are: each folder with a `plugin.toml`.
const LANGUAGES: &str = "sample-plugins";

/// Runs the command; `all` builds the plug-ins in other languages too.
pub(crate) fn run(all: bool) -> Result<()> {
    let mut guests = if all { build_all()? } else { build()? };
    guests.extend(debug_guests::build()?);
    let width = guests.iter().map(|guest| guest.name.len()).max().unwrap_or_default();
    for guest in &guests {
        let kib = guest.size as f64 / 1024.0;
        let state = if guest.changed { "written" } else { "unchanged" };
        let path = guest.path.strip_prefix(workspace::root()).unwrap_or(&guest.path);
        println!("{:width$}  {kib:7.1} KiB  {state:9}  {}", guest.name, path.display());
    }
    Ok(())
}

/// Builds the plug-ins of every language and returns them by name.
///
/// # Errors
/// As [`build`], and if a tool of a language is missing and cannot be installed.
pub(crate) fn build_all() -> Result<Vec<Guest>> {
    let mut guests = build()?;
    let folder = guests_folder()?;
    let folders = language_folders();
    let samples = workspace::root().join(LANGUAGES);
    for entry in fs::read_dir(&samples).with_context(|| format!("cannot list {LANGUAGES}"))? {
        let plugin = entry?.path();
        if !plugin.join(MANIFEST).exists() {
            continue;
        }
        let name = plugin.file_name().unwrap_or_default().to_string_lossy().replace('-', "_");
        println!("building {}", plugin.display());
        let built = offstage_build::build(&plugin, &folders).map_err(setup::with_hint)?;
        guests.push(keep(name, &built.component, &folder)?);
    }
    guests.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(guests)
}

/// Where builds in other languages keep their tools and what they know.
pub(crate) fn language_folders() -> BuildFolders {
    let target = workspace::target();
    BuildFolders { tools: target.join("plugin-tools"), work: target.join("plugin-builds") }
}

fn guests_folder() -> Result<PathBuf> {
    let folder = workspace::target().join("guests");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// Builds the plug-ins in Rust and returns them by name.
///
/// # Errors
/// If the target is missing and cannot be added, a crate does not build, or a component is invalid
/// or imports something outside the contract.
pub(crate) fn build() -> Result<Vec<Guest>> {
    setup::ensure()?;
    let folder = guests_folder()?;
    let mut guests = Vec::new();
    for workspace_folder in WORKSPACES.map(|path| workspace::root().join(path)) {
        if !workspace_folder.join("Cargo.toml").exists() {
            continue;
        }
        for module in build_modules(&workspace_folder)? {
            guests.push(make_component(&module, &folder)?);
        }
    }
    guests.sort_by(|left, right| left.name.cmp(&right.name));
    if let Some(pair) = guests.windows(2).find(|pair| pair[0].name == pair[1].name) {
        bail!("two plug-in crates are named {}; rename one", pair[0].name);
    }
    Ok(guests)
}

/// Builds one workspace and returns its core modules.
fn build_modules(workspace_folder: &Path) -> Result<Vec<PathBuf>> {
    println!("building {}", workspace_folder.display());
    let target = workspace_folder.join("target");
    let status = workspace::cargo()
        .args(["build", "--release", "--target", setup::TARGET])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(workspace_folder)
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "building {} failed ({status})", workspace_folder.display());
    let output = target.join(setup::TARGET).join("release");
    let mut modules = Vec::new();
    for name in crate_names(workspace_folder)? {
        let module = output.join(format!("{name}.wasm"));
        if module.exists() {
            modules.push(module);
        }
    }
    Ok(modules)
}

/// Lists the crates of a workspace: its folders with a manifest. Reading the built folder instead
/// would bring back crates that were removed.
fn crate_names(workspace_folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(workspace_folder)? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").exists() {
            names.push(entry.file_name().to_string_lossy().replace('-', "_"));
        }
    }
    Ok(names)
}

/// Makes a component of a core module and writes it if it changed.
pub(crate) fn make_component(module: &Path, folder: &Path) -> Result<Guest> {
    let name = module.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let core = fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    let component = encode(&core).with_context(|| format!("{name} makes no component"))?;
    offstage_build::check(&component).with_context(|| {
        format!("{name} is no plug-in component; it ends with offstage_sdk::export!")
    })?;
    keep(name, &component, folder)
}

/// Writes a component if it changed.
fn keep(name: String, component: &[u8], folder: &Path) -> Result<Guest> {
    let path = folder.join(format!("{name}.wasm"));
    let changed = fs::read(&path).ok().as_deref() != Some(component);
    if changed {
        fs::write(&path, component).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(Guest { name, path, size: component.len(), changed })
}

fn encode(core: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default().validate(true).module(core)?.encode()
}
