//! `offstage plugin new` in Rust, outside of the repository: the project has its SDK and what a
//! debugger needs, and builds.
//!
//! Needs crates of the SDK from crates.io, as every build does.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the right answer")]

mod common;

use common::{Place, command, run};
use offstage_sandbox::has_debug_info;
use std::path::Path;
use std::process::Command;

#[test]
fn a_project_in_rust_has_its_sdk_and_its_debugger_and_builds_for_both() {
    let place = Place::new();
    let folder = place.path().with_file_name("tidy-title");
    let shown = folder.to_str().unwrap();
    let outside = folder.parent().unwrap();
    let new = ["--json", "plugin", "new", shown, "--vendor", "acme"];
    let made = run(command().current_dir(outside).args(new)).good();
    assert_eq!(made["package"], "acme/tidy-title");
    for name in [
        "sdk/rust/src/lib.rs",
        "sdk/wit/plugin.wit",
        ".vscode/launch.json",
        ".vscode/offstage_gdb.py",
    ] {
        assert!(folder.join(name).exists(), "{name}");
    }
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    assert!(manifest.contains("path = \"sdk/rust\""), "{manifest}");

    reuse(&folder);
    // As its README.md says: its own tests, then what runs, then what a debugger needs.
    let tested = Command::new("cargo").arg("test").current_dir(&folder).output().unwrap();
    let shown_tests = String::from_utf8_lossy(&tested.stdout);
    assert!(tested.status.success(), "{shown_tests}{}", String::from_utf8_lossy(&tested.stderr));
    assert!(shown_tests.contains("both_runs_agree ... ok"), "{shown_tests}");
    let built = place.json(&["plugin", "build", shown]).good();
    assert_eq!(built["package"], "acme/tidy-title");
    let file = folder.join("tidy_title.wasm");
    assert!(!has_debug_info(&std::fs::read(&file).unwrap()), "what runs is small");
    let report = place.json(&["plugin", "check", file.to_str().unwrap()]).good();
    assert_eq!(report["verdict"], "good", "{report:#}");
    let built = place.json(&["plugin", "build", shown, "--debug"]).good();
    assert_eq!(built["package"], "acme/tidy-title");
    let file = folder.join("tidy_title.debug.wasm");
    assert!(has_debug_info(&std::fs::read(&file).unwrap()), "gdb finds its lines");
    let report = place.json(&["plugin", "check", file.to_str().unwrap()]).good();
    assert_eq!(report["verdict"], "good", "{report:#}");

    let sdk = outside.join("elsewhere");
    let other = outside.join("other-title");
    let other = other.to_str().unwrap();
    place.json(&["plugin", "new", other, "--sdk", sdk.to_str().unwrap()]).good();
    let manifest = std::fs::read_to_string(outside.join("other-title/Cargo.toml")).unwrap();
    assert!(manifest.contains(sdk.to_str().unwrap()), "{manifest}");
    assert!(!outside.join("other-title/sdk").exists(), "it refers to the one that is named");
}

/// What would not build is not made.
#[test]
fn names_that_a_language_has_taken_are_refused() {
    let place = Place::new();
    let outside = place.path().with_file_name("projects");
    for (lang, name, what) in [
        ("rust", "match", "a keyword of Rust"),
        ("rust", "self", "a keyword of Rust"),
        ("rust", "proc-macro", "a crate of Rust"),
        ("rust", "offstage-sdk", "a crate of Rust or the SDK"),
        ("python", "class", "a keyword of Python"),
        ("python", "json", "a module of Python"),
        ("python", "py-compile", "a module of Python"),
        ("python", "offstage", "a module of Python or the SDK"),
    ] {
        let folder = outside.join(name);
        let refused = place.json(&["plugin", "new", folder.to_str().unwrap(), "--lang", lang]);
        assert_eq!(refused.exit, 2, "{lang} {name}: {refused:?}");
        for part in [&format!("'{name}' is no name"), what, "Choose another"] {
            assert!(refused.stdout.contains(part), "{lang} {name}: {refused:?}");
        }
        assert!(!folder.exists(), "nothing is left: {name}");
    }
    // Free in the other languages, where a name is that of a file only.
    for (lang, name) in
        [("c", "int"), ("javascript", "class"), ("rust", "json"), ("python", "match")]
    {
        let folder = outside.join(lang).join(name);
        place.good(&["plugin", "new", folder.to_str().unwrap(), "--lang", lang]);
    }
}

/// A folder may be called what it likes: cargo reads the path that was given.
#[cfg(unix)]
#[test]
fn a_path_of_the_sdk_is_a_string_of_toml() {
    let place = Place::new();
    let outside = place.path().with_file_name("projects");
    let sdk = outside.join("it's a \"quote\" and C:\\new");
    let folder = outside.join("tidy-title");
    let new = ["plugin", "new", folder.to_str().unwrap(), "--sdk", sdk.to_str().unwrap()];
    place.good(&new);
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let manifest: toml::Table = toml::from_str(&manifest).unwrap();
    assert_eq!(manifest["dependencies"]["offstage-sdk"]["path"].as_str(), sdk.to_str());
}

#[test]
fn only_a_project_in_rust_refers_to_an_sdk_elsewhere() {
    let place = Place::new();
    let outside = place.path().with_file_name("projects");
    let sdk = outside.join("elsewhere");
    // The other languages have theirs in the project: nothing is left out quietly.
    for lang in ["c", "javascript", "python"] {
        let folder = outside.join(lang);
        let new = ["plugin", "new", folder.to_str().unwrap(), "--lang", lang];
        let refused = place.json(&[&new[..], &["--sdk", sdk.to_str().unwrap()]].concat());
        assert_eq!(refused.exit, 2, "{refused:?}");
        assert!(refused.json()["error"]["hint"].to_string().contains("plugin.toml"), "{refused:?}");
        assert!(!folder.exists(), "{lang}: nothing is made");
        place.json(&new).good();
        assert!(folder.join("sdk").is_dir(), "{lang}");
    }
}

/// What the samples were built with need not be built again.
fn reuse(project: &Path) {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sample-plugins");
    std::fs::copy(samples.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    #[cfg(unix)]
    {
        let target = samples.canonicalize().unwrap().join("target");
        std::fs::create_dir_all(&target).unwrap();
        std::os::unix::fs::symlink(target, project.join("target")).unwrap();
    }
}

#[test]
fn only_rust_is_built_for_a_debugger() {
    let place = Place::new();
    let folder = place.path().with_file_name("scores");
    let shown = folder.to_str().unwrap();
    place.json(&["plugin", "new", shown, "--lang", "c"]).good();
    let refused = place.json(&["plugin", "build", shown, "--debug"]);
    assert_eq!(refused.exit, 2, "{refused:?}");
    assert!(refused.stdout.contains("Only plug-ins in Rust"), "{refused:?}");
}
