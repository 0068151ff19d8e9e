//! `cargo xtask guests`: builds the plug-ins of this repository as components.
//!
//! Core modules come from cargo; each becomes a component, is validated, and is refused if it
//! imports anything but the plug-in contract. It never writes a file that did not change.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use wasmparser::{ComponentTypeRef, Parser, Payload, TypeBounds, Validator, WasmFeatures};
use wit_component::ComponentEncoder;

use crate::{debug_guests, setup, workspace};

/// Every import of a plug-in is an interface of this package.
const CONTRACT: &str = "offstage:plugin/";
/// The custom section in which a package declares its types and steps.
const DECLARATIONS: &str = "offstage:declarations";
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

/// Runs the command.
pub(crate) fn run() -> Result<()> {
    let mut guests = build()?;
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

/// Builds all plug-ins and returns them by name.
///
/// # Errors
/// If the target is missing and cannot be added, a crate does not build, or a component is invalid
/// or imports something outside the contract.
pub(crate) fn build() -> Result<Vec<Guest>> {
    setup::ensure()?;
    let folder = workspace::target().join("guests");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
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
    check(&component).with_context(|| format!("{name} is no plug-in component"))?;
    let path = folder.join(format!("{name}.wasm"));
    let changed = fs::read(&path).ok().as_deref() != Some(component.as_slice());
    if changed {
        fs::write(&path, &component).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(Guest { name, path, size: component.len(), changed })
}

fn encode(core: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default().validate(true).module(core)?.encode()
}

/// Refuses a component that a host would refuse: foreign imports, or no declarations.
fn check(component: &[u8]) -> Result<()> {
    Validator::new_with_features(WasmFeatures::default()).validate_all(component)?;
    let mut depth = 0_usize;
    let mut declarations = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            // Inner components only rename what the outermost one imports.
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import?;
                    let name = import.name.name;
                    // The world's `use` makes an import that only names a type of the contract.
                    let alias = matches!(import.ty, ComponentTypeRef::Type(TypeBounds::Eq(_)));
                    ensure!(
                        alias || name.starts_with(CONTRACT),
                        "it imports `{name}`; a plug-in may import {CONTRACT}* only"
                    );
                }
            }
            Payload::CustomSection(section) if section.name() == DECLARATIONS => declarations += 1,
            _ => {}
        }
    }
    ensure!(
        declarations == 1,
        "it has {declarations} sections `{DECLARATIONS}` and must have one; use offstage_sdk::export!"
    );
    Ok(())
}
