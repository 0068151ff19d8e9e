//! Compiled code on disk: used when it is exactly ours, made again whenever it is not.

mod support;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use offstage_sandbox::{CodeCache, RunLimits, Sandbox, SandboxOptions};
use std::path::{Path, PathBuf};
use support::{hostile, run};

const KEY: [u8; 32] = [7; 32];

fn sandbox(folder: &Path, key: [u8; 32]) -> Sandbox {
    let dir = Dir::open_ambient_dir(folder, ambient_authority()).expect("the folder is there");
    let cache = Some(CodeCache::new(dir, key));
    Sandbox::new(SandboxOptions { cache, ..SandboxOptions::default() }).expect("it starts")
}

/// Loads and runs a plug-in in a new sandbox: nothing is in memory yet.
fn use_once(folder: &Path, key: [u8; 32], component: &[u8]) {
    let sandbox = sandbox(folder, key);
    let plugin = sandbox.load(component).expect("it loads");
    let (services, run) = run(&sandbox, &plugin, &RunLimits::default());
    assert_eq!(run.result.expect("it runs"), vec![]);
    assert_eq!(services.requests, 1);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    entries.map(|entry| entry.expect("it can be read").path()).collect()
}

/// Makes the cache and returns its one file with its content.
fn filled(folder: &Path, component: &[u8]) -> (PathBuf, Vec<u8>) {
    use_once(folder, KEY, component);
    let [file] = &files(folder)[..] else { panic!("one file: {:?}", files(folder)) };
    (file.clone(), std::fs::read(file).expect("it can be read"))
}

#[test]
fn code_is_kept_and_used_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let component = hostile("good");
    let (file, _) = filled(folder.path(), &component);
    let made = std::fs::metadata(&file).and_then(|m| m.modified()).expect("it has a time");
    use_once(folder.path(), KEY, &component);
    let used = std::fs::metadata(&file).and_then(|m| m.modified()).expect("it has a time");
    assert_eq!(made, used, "it was not made again");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&file).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else may read or write it");
    }
}

#[test]
fn a_changed_file_is_never_used_and_is_made_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let component = hostile("good");
    let (file, content) = filled(folder.path(), &component);
    let positions = (0..120).chain((120..content.len()).step_by(content.len() / 60));
    let flipped = positions.map(|at| {
        let mut changed = content.clone();
        changed[at] ^= 1;
        (format!("byte {at} flipped"), changed)
    });
    let cut = [0, 1, 16, 111, 112, content.len() - 1]
        .map(|end| (format!("cut off at {end}"), content[..end].to_vec()));
    let longer = [("one byte more".to_owned(), [&content[..], &[0]].concat())];
    for (what, changed) in flipped.chain(cut).chain(longer) {
        std::fs::write(&file, &changed).expect("it can be written");
        use_once(folder.path(), KEY, &component);
        let now = std::fs::read(&file).expect("it can be read");
        assert!(now != changed, "{what}: it was not made again");
        assert_eq!(files(folder.path()), [file.as_path()], "{what}: no other file is left");
    }
}

#[test]
fn code_of_another_key_or_another_component_is_not_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = hostile("good");
    let (file, content) = filled(folder.path(), &good);

    use_once(folder.path(), [8; 32], &good);
    assert_ne!(std::fs::read(&file).expect("it is there")[16..48], content[16..48]);

    // The authentic code of a plug-in that traps, under the name of a good one.
    let other = tempfile::tempdir().expect("a folder");
    let trapping = sandbox(other.path(), KEY);
    trapping.load(&hostile("trap")).expect("it loads");
    std::fs::copy(&files(other.path())[0], &file).expect("it can be copied");
    use_once(folder.path(), KEY, &good);
}

#[test]
fn a_cache_that_cannot_be_written_to_only_costs_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path(), KEY);
    std::fs::remove_dir_all(folder.path()).expect("it can be removed");
    let plugin = sandbox.load(&hostile("good")).expect("it loads all the same");
    let (_, run) = run(&sandbox, &plugin, &RunLimits::default());
    assert_eq!(run.result.expect("it runs"), vec![]);
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_folder_is_not_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let outside = tempfile::tempdir().expect("a folder");
    let good = hostile("good");
    let (file, content) = filled(folder.path(), &good);
    let target = outside.path().join("code");
    std::fs::write(&target, &content).expect("it can be written");
    std::fs::remove_file(&file).expect("it can be removed");
    std::os::unix::fs::symlink(&target, &file).expect("it can be linked");
    use_once(folder.path(), KEY, &good);
    assert!(!file.is_symlink(), "it was replaced by a file");
    assert_eq!(std::fs::read(&target).expect("it is there"), content, "the target is untouched");
}
