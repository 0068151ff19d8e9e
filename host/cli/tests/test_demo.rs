//! The demo tells its story and what it tells is true. Needs the built sample plug-ins.

mod common;

use common::{command, run};
use std::path::PathBuf;

fn guests() -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/guests"));
    let folder = std::env::var_os("OFFSTAGE_GUESTS").map_or(folder, PathBuf::from);
    folder.join("credit_rule.wasm").exists().then_some(folder)
}

#[test]
fn the_demo_tells_the_whole_story() {
    let guests = guests().expect("the plug-ins are built: run `cargo xtask guests` first");
    let done = run(command().args(["demo", "--accounts", "30", "--guests"]).arg(guests));
    assert_eq!(done.exit, 0, "{done:?}");
    let story = [
        "1. A server, with its business rules",
        "2. Rosa takes her data offline",
        "A rule stored it as +12065550143.",
        "A rule made the task \"Follow up: Pumps for the new hall\".",
        "belongs to contact",
        "4. Meanwhile, others work on the server",
        "5. Rosa is back",
        "kept once",
        "Chief Buyer",
        "Credit limit of",
        "estimatedvalue=20000",
        "Both sides hold the same.",
        "exactly once",
    ];
    let mut rest = done.stdout.as_str();
    for words in story {
        let (_, after) = rest.split_once(words).unwrap_or_else(|| {
            panic!("'{words}' is missing or in another place:\n{}\n{}", done.stdout, done.stderr)
        });
        rest = after;
    }
}

#[test]
fn the_demo_says_what_to_build_first() {
    let folder = tempfile::tempdir().unwrap();
    let done = run(command().args(["demo", "--guests"]).arg(folder.path()));
    assert_eq!(done.exit, 4, "{done:?}");
    assert!(done.stderr.contains("cargo xtask guests"), "{done:?}");
}
