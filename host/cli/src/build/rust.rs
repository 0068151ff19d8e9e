//! Plug-ins in Rust: cargo makes a core module, which becomes a component here. Steps and requests
//! are declared in the source (`#[plugin]`).

use super::{Built, Kind, Language};
use crate::error::CliError;
use crate::exit::Exit;
use offstage_build::DEBUGGING;
use std::path::Path;
use std::process::Command;
use wit_component::ComponentEncoder;

/// The target of plug-ins: WebAssembly without a system.
const TARGET: &str = "wasm32-unknown-unknown";

pub(super) const LANGUAGE: Language = Language {
    name: "rust",
    files: &[
        ("Cargo.toml", include_str!("../../templates/rust/Cargo.toml.in")),
        ("src/lib.rs", include_str!("../../templates/rust/lib.rs.in")),
        ("tests/both_runs.rs", include_str!("../../templates/rust/both_runs.rs.in")),
        ("README.md", include_str!("../../templates/rust/README.md.in")),
        (".gitignore", "/target\n*.wasm\n*.key\n"),
        DEBUGGING[0],
        DEBUGGING[1],
    ],
    sdk: None,
    recognises: |folder| folder.join("Cargo.toml").exists(),
    build,
};

fn build(folder: &Path, kind: Kind) -> Result<Built, CliError> {
    let profile = match kind {
        Kind::Release => "release",
        Kind::Debugging => "debugging",
    };
    let name = crate_name(folder)?;
    let target = folder.join("target");
    let status = Command::new("cargo")
        .args(["build", "--profile", profile, "--lib", "--target", TARGET, "--target-dir"])
        .arg(&target)
        .current_dir(folder)
        // This program may itself run under cargo, with settings for another build.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WRAPPER")
        .status()
        .map_err(|error| {
            CliError::usage(format!("'cargo' does not start: {error}."))
                .hint("Plug-ins in Rust need rustup and cargo: https://rustup.rs")
        })?;
    if !status.success() {
        return Err(CliError::usage("The plug-in does not build; cargo said why.").hint(format!(
            "A missing target is added by `rustup target add {TARGET}`, a missing profile by \
                 [profile.debugging] in Cargo.toml (docs/guide/debugging.md)."
        )));
    }
    let file = target.join(TARGET).join(profile).join(format!("{name}.wasm"));
    let module = std::fs::read(&file).map_err(|error| CliError::file("read", &file, &error))?;
    let component = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| CliError::usage(format!("It makes no component: {error:#}.")))?;
    Ok(Built { name, component })
}

/// The crate's name, as the compiler names its files.
fn crate_name(folder: &Path) -> Result<String, CliError> {
    let path = folder.join("Cargo.toml");
    let text =
        std::fs::read_to_string(&path).map_err(|error| CliError::file("read", &path, &error))?;
    let manifest: toml::Table = toml::from_str(&text).map_err(|error| {
        CliError::usage(format!("'{}' cannot be read: {}.", path.display(), error.message()))
    })?;
    let name = manifest.get("package").and_then(|package| package.get("name")?.as_str());
    let name = name.ok_or_else(|| {
        CliError::new(Exit::Usage, format!("'{}' has no package name.", path.display()))
    })?;
    Ok(name.replace('-', "_"))
}
