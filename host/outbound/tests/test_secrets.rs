//! Secrets as files: who may read them, what they may be, and that nothing shows them.

use offstage_outbound::{SecretError, SecretFolder, SecretValue, Secrets};

#[test]
fn a_secret_is_set_read_listed_and_removed() {
    let root = tempfile::tempdir().expect("a folder");
    let secrets = SecretFolder::new(root.path().join("secrets"));
    assert!(secrets.names().expect("none").is_empty());
    let value = SecretValue::parse("abc 123").expect("a value");
    secrets.set("hooks-token", &value).expect("it is set");
    assert_eq!(secrets.value("hooks-token").expect("it is there").expose(), "abc 123");
    assert_eq!(secrets.names().expect("one"), ["hooks-token"]);
    assert!(secrets.remove("hooks-token").expect("it goes"));
    assert!(!secrets.remove("hooks-token").expect("it is gone"));
    assert!(matches!(secrets.value("hooks-token"), Err(SecretError::Unset(_))));
}

#[cfg(unix)]
#[test]
fn atk_e05_a_file_that_others_may_read_is_no_secret() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("secrets");
    let secrets = SecretFolder::new(folder.clone());
    let value = SecretValue::parse("abc").expect("a value");
    secrets.set("token", &value).expect("it is set");
    let mode = |path: &std::path::Path| {
        std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
    };
    assert_eq!((mode(&folder), mode(&folder.join("token"))), (0o700, 0o600));
    for exposed in [0o604, 0o640, 0o644, 0o620, 0o666] {
        let permissions = std::fs::Permissions::from_mode(exposed);
        std::fs::set_permissions(folder.join("token"), permissions).expect("the mode changes");
        let result = secrets.value("token");
        assert!(matches!(result, Err(SecretError::Exposed(_))), "{exposed:o}: {result:?}");
    }
}

#[test]
fn names_and_values_are_checked() {
    let root = tempfile::tempdir().expect("a folder");
    let secrets = SecretFolder::new(root.path().join("secrets"));
    for name in ["", ".", "..", "../x", "a/b", "A", "a b", ".part", "ä", &"x".repeat(65)] {
        assert!(matches!(secrets.value(name), Err(SecretError::Name(_))), "{name:?}");
    }
    for value in ["", "a\nb", "a\r\nHost: x", "\u{e9}", "a\0b", &"x".repeat(8_193)] {
        assert!(matches!(SecretValue::parse(value), Err(SecretError::Value)), "{value:?}");
    }
}

#[test]
fn nothing_shows_a_value() {
    let value = SecretValue::parse("s3cr3t").expect("a value");
    assert!(!format!("{value:?}").contains("s3cr3t"));
    let error = SecretValue::parse("s3cr3t\n").expect_err("a line end");
    assert!(!format!("{error} {error:?}").contains("s3cr3t"));
}
