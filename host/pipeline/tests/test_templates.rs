//! What `plugin new` makes, in C, JavaScript and Python: created, built, and run in both runs.
//!
//! Needs the tools of the languages: `cargo xtask setup`.

mod support;

use offstage_build::{BuildFolders, Language, Project, build, new_project};
use offstage_model::journal::{EntryState, Verdict};
use offstage_model::{Entity, Query, Request, Uuid, Value};
use offstage_pipeline::Pipeline;
use std::path::Path;
use std::process::Command;
use support::World;

const CONTACT: Uuid = Uuid::from_u128(0xc0);

fn folders(work: &Path) -> BuildFolders {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugin-tools");
    BuildFolders { tools, work: work.to_owned() }
}

/// Makes a project and returns its component, built; `test` runs its own unit tests.
fn component(language: Language, test: impl FnOnce(&Path)) -> Vec<u8> {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("tidy-title");
    // The tests' policy and trust know this package.
    let project = Project::new(language, &folder, "test/template");
    new_project(&project).expect("the project is made");
    test(&folder);
    let folders = folders(&folder.join("target"));
    let built = build(&folder, &folders)
        .unwrap_or_else(|error| panic!("{language}: {error}\nhint: {}", error.hint()));
    assert!(built.made);
    let again = build(&folder, &folders).expect("it is known");
    assert!(!again.made, "nothing changed, so it is not made again");
    assert_eq!(again.component, built.component);
    built.component
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
}

fn title(pipeline: &Pipeline) -> Option<String> {
    let mut tx = pipeline.store().read().expect("a snapshot");
    let scope = offstage_store::Scope { user: Uuid::nil() };
    let rows = tx.query(&Query::all("contact"), &scope).expect("rows").entities;
    rows.first().and_then(|row| row.text("jobtitle").map(str::to_owned))
}

/// The template's rule, offline and in playback.
fn check(component: &[u8]) {
    let mut world = World::with_package("test/template", component);
    let contact = |title: &str| {
        let row = Entity::with_id("contact", CONTACT).with("lastname", Value::text("Lee"));
        Request::create(row.with("jobtitle", Value::text(title)))
    };
    let fault = world.on_device(contact(&"x".repeat(61))).expect_err("it is too long");
    assert_eq!(fault.code_text(), "0x80040265");
    assert!(fault.message.contains("at most 60"), "{fault}");
    world.on_device(contact("  Boss ")).expect("it is taken");
    assert_eq!(title(&world.device).as_deref(), Some("Boss"));
    let outcomes = world.play();
    assert_eq!(outcomes[0].0, EntryState::Applied, "{outcomes:#?}");
    let played = outcomes[0].1.as_ref().expect("it is applied");
    assert_eq!(played.report.count(Verdict::Paired), 1, "{:#?}", played.report);
    assert_eq!(title(&world.server).as_deref(), Some("Boss"));
}

#[test]
fn a_project_in_c() {
    check(&component(Language::C, |_| {}));
}

#[test]
fn a_project_in_javascript() {
    check(&component(Language::Javascript, |folder| {
        let mut node = Command::new(offstage_build::node(&folders(folder)));
        node.args(["--import", "./sdk/register.mjs", "--test", "tests/tidy-title.test.js"]);
        succeeds(node.current_dir(folder));
    }));
}

#[test]
fn a_project_in_python() {
    check(&component(Language::Python, |folder| {
        let mut python = Command::new("python3");
        python.args(["-m", "unittest", "discover", "-s", "tests"]).env("PYTHONPATH", "sdk:.");
        succeeds(python.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(folder));
    }));
}
