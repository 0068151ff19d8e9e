//! The operator's files count only while nobody else can write them (attack E05).

#![cfg(unix)]

mod common;

use common::Place;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("the mode is set");
}

#[test]
fn atk_e05_files_that_others_can_write_do_not_count() {
    let place = Place::new();
    drop(place.serve(&["--dev"]));
    let folder = place.path();
    for name in ["policy.toml", "trust.toml"] {
        let file = folder.join(name);
        fs::write(&file, "# nothing\n").unwrap();
        set_mode(&file, 0o644);
        place.good(&["status"]);
        for mode in [0o664, 0o646, 0o666] {
            set_mode(&file, mode);
            let done = place.json(&["status"]);
            assert_eq!(done.exit, 7, "{name} {mode:o}: {done:?}");
            let text = done.json()["error"]["message"].to_string();
            assert!(text.contains(name) && text.contains("Others can write"), "{text}");
        }
        set_mode(&file, 0o644);
        // Who may write the folder may put another file there.
        for mode in [0o770, 0o777] {
            set_mode(&folder, mode);
            let done = place.json(&["status"]);
            assert_eq!(done.exit, 7, "folder {mode:o}: {done:?}");
        }
        set_mode(&folder, 0o700);
        // Only root can give a file away, so only there this can be tried.
        if chown(&file, Some(12_345), None).is_ok() {
            let done = place.json(&["status"]);
            assert_eq!(done.exit, 7, "{name}: {done:?}");
            let text = done.json()["error"]["message"].to_string();
            assert!(text.contains("belongs to another user"), "{text}");
        }
        fs::remove_file(&file).unwrap();
        place.good(&["status"]);
    }
}
