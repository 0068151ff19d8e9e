//! What becomes of file changes between the commit and the disk; the rest is in `cases/effects.case`.

mod support;

use offstage_model::{Entity, Request, Value, code};
use offstage_pipeline::StepChange;
use offstage_policy::PolicyFile;
use std::path::Path;
use support::World;

/// Puts a change where a process that ended right after the commit leaves it.
fn leave(world: &World, directory: &str, path: &str, contents: Option<&str>) {
    let contents = contents.map(|text| text.as_bytes().to_vec());
    let mut tx = world.server.store().write().expect("a transaction");
    tx.put_file_effect("test/script", directory, path, contents).expect("a change");
    tx.commit().expect("it is kept");
}

fn waiting(world: &World) -> Vec<String> {
    let mut tx = world.server.store().read().expect("a snapshot");
    let effects = tx.file_effects(0, 1_000).expect("changes");
    effects.into_iter().map(|effect| effect.path).collect()
}

fn policy(entries: &str) -> PolicyFile {
    let text = format!("{}\n{entries}", include_str!("../../../policies/tests.toml"));
    PolicyFile::parse(&text, "tests.toml").expect("the policy is valid")
}

fn entry(name: &str, path: &Path) -> String {
    format!("\n[[directory]]\nname = \"{name}\"\npath = {path:?}\n")
}

#[test]
fn changes_that_a_crash_left_are_carried_out_in_their_order() {
    let world = World::new();
    leave(&world, "shared", "a.txt", Some("first"));
    leave(&world, "shared", "a.txt", Some("second"));
    leave(&world, "shared", "gone.txt", Some("x"));
    leave(&world, "shared", "gone.txt", None);
    for number in 0..150 {
        leave(&world, "shared", &format!("many/{number}"), Some("x"));
    }
    world.server.carry_out_file_changes().expect("the store works");
    assert!(waiting(&world).is_empty());
    let read = std::fs::read_to_string(world.file("server", "shared", "a.txt"));
    assert_eq!(read.expect("the file"), "second");
    assert!(!world.file("server", "shared", "gone.txt").exists());
    assert!(world.file("server", "shared", "many/149").exists());
    // Doing it again does nothing.
    world.server.carry_out_file_changes().expect("the store works");
}

/// A directory that is not there now gets its changes when it is; others do not wait for it.
/// Attack D14: what the plug-in may not do any more when the disk is written is not done.
#[test]
fn atk_d14_a_change_that_is_not_granted_any_more_is_not_carried_out() {
    let world = World::new();
    leave(&world, "other", "a.txt", Some("never asked for"));
    leave(&world, "shared", "a.txt", Some("asked for"));
    world.server.carry_out_file_changes().expect("the store works");
    assert!(waiting(&world).is_empty());
    assert!(!world.file("server", "other", "a.txt").exists());
    assert!(world.file("server", "shared", "a.txt").exists());
}

#[test]
fn a_directory_that_cannot_be_used_lets_its_changes_wait() {
    let world = World::new();
    let later = world.files.path().join("later");
    let shared = world.files.path().join("server/shared");
    let grant = "[[grant]]\npackage = \"test/script\"\nreason = \"A test.\"\n\
                 allow = [{ directory = \"notes\", access = [\"write\"] }]\n";
    let named = grant.to_owned() + &entry("shared", &shared) + &entry("notes", &later);
    world.server.set_policy(policy(&named));
    let states = world.server.directories();
    let unusable: Vec<_> = states.iter().filter(|d| d.unusable.is_some()).collect();
    assert_eq!(unusable.len(), 1, "{states:?}");
    assert_eq!(unusable[0].name, "notes");
    leave(&world, "notes", "b.txt", Some("late"));
    leave(&world, "shared", "a.txt", Some("now"));
    world.server.carry_out_file_changes().expect("the store works");
    assert_eq!(waiting(&world), ["b.txt"]);
    assert!(world.file("server", "shared", "a.txt").exists());

    std::fs::create_dir(&later).expect("the folder is made");
    world.server.set_policy(policy(&named));
    assert!(waiting(&world).is_empty());
    assert_eq!(std::fs::read_to_string(later.join("b.txt")).expect("the file"), "late");
}

/// What the policy does not name any more is not written.
#[test]
fn a_directory_that_is_taken_away_gets_nothing_more() {
    let world = World::new();
    leave(&world, "shared", "a.txt", Some("x"));
    world.server.set_policy(policy(""));
    assert!(waiting(&world).is_empty());
    assert!(!world.file("server", "shared", "a.txt").exists());
}

/// Attack C07: files on the disk, and those that wait for a commit or for the disk, are counted
/// together; what is replaced or removed is not counted twice.
#[test]
fn atk_c07_a_directory_never_holds_more_files_than_its_quota() {
    let world = World::new();
    let entries = support::directories(world.files.path(), "server");
    let text = include_str!("../../../policies/tests.toml");
    let text = text.replace("bytes_max = 100", "bytes_max = 100, files_max = 3") + &entries;
    world.server.set_policy(PolicyFile::parse(&text, "tests.toml").expect("a policy"));
    let json = r#"{"key":"files","message":"Create","table":"letter","stage":40,"deployment":0}"#;
    world.add_step(serde_json::from_str(json).expect("a step")).expect("it is added");
    let run = |script: &str| {
        let change = StepChange::Configuration(script.into());
        world.server.change_step(&world.caller, "files", change).expect("it is changed");
        let letter = Entity::new("letter").with("subject", Value::text("dear"));
        world.on_server(Request::create(letter)).map(drop)
    };
    let refused = |script: &str| {
        let fault = run(script).expect_err(script);
        assert_eq!(fault.code, code::PAYLOAD_TOO_LARGE, "{script}: {fault}");
        assert!(fault.message.contains("in 3 files"), "{script}: {fault}");
    };
    let exists = |path: &str| world.file("server", "shared", path).exists();

    run("write shared a x\nwrite shared b x").expect("two files");
    // One that waits for the commit is the third, the next is one too many, and neither stays.
    refused("write shared c x\nwrite shared d x");
    assert!(!exists("c") && !exists("d"));
    run("write shared a y\nwrite shared c x").expect("the third, and one that is replaced");
    assert!(exists("c"));
    refused("write shared d x");
    run("remove-file shared a\nwrite shared d x").expect("one goes, one comes");
    assert!(exists("d") && !exists("a"));
    run("remove-file shared d").expect("two are left");
    // What is committed and not on the disk yet counts like what is.
    leave(&world, "shared", "e", Some("x"));
    refused("write shared f x");
    run("write shared e y").expect("it is the third");
    assert!(exists("e") && !exists("f"));
}
