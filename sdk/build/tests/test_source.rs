//! `plugin.toml` as people write it, right and wrong.
#![allow(clippy::unwrap_used, reason = "a test")]

use offstage_build::{Language, Source, with_declarations, write_sdk};
use std::fs;

const GOOD: &str = r#"
package = "mine/titles"
version = "1.0.0"
language = "python"
entry = "titles.py"

[[type]]
name = "mine.titles.Tidy"

[[type.step]]
key = "titles-on-create"
message = "Create"
table = "contact"
stage = "PreOperation"
deployment = "both"
rank = 5

[[type.step.images]]
alias = "before"
kind = "pre"
"#;

fn read(text: &str) -> Result<Source, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("plugin.toml"), text).unwrap();
    fs::write(folder.path().join("titles.py"), "").unwrap();
    fs::create_dir(folder.path().join("sdk")).unwrap();
    Source::read(folder.path()).map_err(|error| error.to_string())
}

#[test]
fn names_become_the_platform_s_numbers_and_the_rest_is_passed_on() {
    let source = read(GOOD).unwrap();
    assert_eq!(source.language, Language::Python);
    let expected = concat!(
        r#"{"package":"mine/titles","version":"1.0.0"}"#,
        "\n",
        r#"{"steps":[{"deployment":2,"images":[{"alias":"before","kind":"pre"}],"#,
        r#""key":"titles-on-create","message":"Create","rank":5,"stage":20,"table":"contact"}],"#,
        r#""type":"mine.titles.Tidy"}"#,
        "\n",
    );
    assert_eq!(source.declarations, expected);
}

#[test]
fn what_is_wrong_is_named() {
    let cases = [
        ("python", "cobol", "unknown variant `cobol`"),
        ("titles.py", "other.py", "its entry other.py is not there"),
        ("PreOperation", "Before", "titles-on-create of mine.titles.Tidy has the stage \"Before\""),
        ("both", "everywhere", "it is one of server, offline, both"),
        ("name = \"mine.titles.Tidy\"", "", "a [[type]] has no `name"),
        ("version =", "built = 1\nversion =", "unknown field `built`"),
        ("version = \"1.0.0\"", "", "missing field `version`"),
        ("entry = ", "sdk = \"../nowhere\"\nentry = ", "its sdk ../nowhere is not there"),
    ];
    for (from, to, expected) in cases {
        let error = read(&GOOD.replace(from, to)).unwrap_err();
        assert!(error.contains(expected), "{from} -> {to}: {error}");
    }
    let types = GOOD.find("[[type]]").unwrap();
    let error = read(&GOOD[..types]).unwrap_err();
    assert!(error.contains("no [[type]] is declared"), "{error}");
}

#[test]
fn the_section_of_the_declarations_can_be_read_back() {
    let long = "x".repeat(300);
    let component = with_declarations(b"\0asm\x0d\0\x01\0", &long);
    let mut found = Vec::new();
    for payload in wasmparser::Parser::new(0).parse_all(&component) {
        if let wasmparser::Payload::CustomSection(section) = payload.unwrap() {
            found.push((section.name().to_owned(), section.data().to_vec()));
        }
    }
    assert_eq!(found, [("offstage:declarations".to_owned(), long.into_bytes())]);
}

/// The lists of files in `sdk.rs` against the folders.
#[test]
fn the_whole_sdk_is_written_beside_a_plug_in() {
    let cases =
        [(Language::C, "../c"), (Language::Javascript, "../js"), (Language::Python, "../python")];
    for (language, folder) in cases {
        let written = tempfile::tempdir().unwrap();
        write_sdk(language, written.path()).unwrap();
        let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let expected: Vec<String> =
            files(&here).into_iter().filter(|name| !name.starts_with("tools/")).collect();
        assert_eq!(files(written.path()), expected, "{language}");
    }
}

fn files(folder: &std::path::Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
            let made = ["__pycache__", "tests", "node_modules", "README.md"];
            if made.iter().any(|made| name.ends_with(made)) {
                continue;
            }
            if path.is_dir() { folders.push(path) } else { names.push(name) }
        }
    }
    names.sort();
    names
}
