//! The Rust SDK's files, and the debugging helpers of its projects, as this version has them.
//!
//! In the repository the SDK inherits versions from the workspace; a project's own copy says them
//! itself. Never reads the disk.

use crate::{BuildError, sdk, tools};
use std::path::Path;

/// The repository's manifest, which the SDK's manifests inherit from.
const WORKSPACE: &str = include_str!("../../../Cargo.toml");

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../rust/", $name)))),+]
    };
}

/// The sources; paths in the SDK's folder.
const SOURCES: &[(&str, &str)] = files!(
    "macros/src/check.rs",
    "macros/src/emit.rs",
    "macros/src/lib.rs",
    "macros/src/parse.rs",
    "src/change.rs",
    "src/context.rs",
    "src/definition.rs",
    "src/entity.rs",
    "src/error.rs",
    "src/export.rs",
    "src/files.rs",
    "src/filter.rs",
    "src/guest/convert.rs",
    "src/guest/mod.rs",
    "src/guid.rs",
    "src/host.rs",
    "src/http.rs",
    "src/lib.rs",
    "src/operation.rs",
    "src/query.rs",
    "src/request.rs",
    "src/service.rs",
    "src/testkit/derive.rs",
    "src/testkit/effects.rs",
    "src/testkit/evaluate.rs",
    "src/testkit/mod.rs",
    "src/testkit/organization.rs",
    "src/testkit/pipeline.rs",
    "src/testkit/reconcile.rs",
    "src/testkit/session.rs",
    "src/testkit/store.rs",
    "src/timestamp.rs",
    "src/value.rs",
);
/// The manifests.
const MANIFESTS: &[(&str, &str)] = files!("Cargo.toml", "macros/Cargo.toml");

/// What a project has in `.vscode`: the configuration of the editor, and the script for gdb.
pub const DEBUGGING: &[(&str, &str)] = &[
    (".vscode/launch.json", include_str!("../../rust/gdb/launch.json")),
    (".vscode/offstage_gdb.py", include_str!("../../rust/gdb/offstage_gdb.py")),
];

/// Writes the Rust SDK into `folder/rust`, and the contract beside it, over what is there.
///
/// # Errors
/// A file cannot be written.
pub(crate) fn write_rust_sdk(folder: &Path) -> Result<(), BuildError> {
    let rust = folder.join("rust");
    for (name, content) in SOURCES {
        write(&rust.join(name), content)?;
    }
    for (name, content) in MANIFESTS {
        write(&rust.join(name), &alone(content))?;
    }
    write(&folder.join("wit/plugin.wit"), sdk::CONTRACT)
}

fn write(path: &Path, content: &str) -> Result<(), BuildError> {
    tools::make_folder(path.parent().unwrap_or(path))?;
    tools::write(path, content.as_bytes())
}

/// A manifest that inherits nothing: with the workspace's values in place of references to them,
/// and without what only the repository's own tests and lints need.
fn alone(manifest: &str) -> String {
    let parse = |text: &str| -> toml::Table {
        toml::from_str(text).expect("BUG: cargo reads the same manifest")
    };
    let (mut manifest, workspace) = (parse(manifest), parse(WORKSPACE));
    for part in ["package", "dependencies"] {
        let values = &workspace["workspace"][part];
        let table = manifest.get_mut(part).and_then(toml::Value::as_table_mut);
        for (name, value) in table.into_iter().flatten() {
            if value.get("workspace").is_some() {
                *value = values[name].clone();
            }
        }
    }
    for part in ["dev-dependencies", "lints"] {
        manifest.remove(part);
    }
    toml::to_string(&manifest).expect("BUG: a table that was read can be written")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_source_of_the_sdk_is_forgotten() {
        let rust = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rust");
        let mut found = Vec::new();
        for folder in ["src", "macros/src"] {
            tools::collect(&rust.join(folder), &mut found).unwrap();
        }
        let found: BTreeSet<String> = found
            .iter()
            .map(|path| path.strip_prefix(&rust).unwrap().to_string_lossy().replace('\\', "/"))
            .collect();
        let known: BTreeSet<String> = SOURCES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(known, found);
    }

    #[test]
    fn the_manifests_inherit_nothing() {
        for (name, manifest) in MANIFESTS {
            let text = alone(manifest);
            assert!(!text.contains("workspace"), "{name}: {text}");
            assert!(text.contains("version = \"0.1.0\"") || text.contains("version"), "{text}");
        }
        assert!(alone(MANIFESTS[0].1).contains("thiserror"));
    }
}
