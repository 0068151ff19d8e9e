//! What the program says about itself.

mod common;

use common::{command, run};

/// Every command with its sub-commands; a command that is not here is not a command.
const COMMANDS: &[(&str, &[&str])] = &[
    ("serve", &[]),
    ("host", &[]),
    ("demo", &[]),
    ("connect", &[]),
    ("replay", &[]),
    ("backup", &[]),
    ("restore", &[]),
    ("debug", &[]),
    ("secret", &["set", "list", "remove"]),
    ("completions", &[]),
    ("man", &[]),
    ("status", &[]),
    ("go-offline", &[]),
    ("go-online", &[]),
    ("sync", &[]),
    ("verify", &[]),
    ("create", &[]),
    ("get", &[]),
    ("update", &[]),
    ("delete", &[]),
    ("query", &[]),
    ("request", &[]),
    ("table", &["list", "show", "add"]),
    ("journal", &["list", "show", "retry", "edit", "discard"]),
    ("conflicts", &["list", "show", "resolve"]),
    ("reconcile", &["show"]),
    (
        "plugin",
        &[
            "new", "build", "keygen", "manifest", "sign", "add", "list", "show", "enable",
            "disable", "resume", "remove", "check",
        ],
    ),
    ("step", &["list", "show", "add", "set", "enable", "disable", "remove"]),
    ("outbox", &["list", "show", "retry", "discard"]),
    ("trace", &["list", "show", "set"]),
    ("capture", &["off", "on-error", "all", "step", "list", "show", "export", "import"]),
    ("policy", &["trust", "check", "explain", "diff", "reload"]),
    ("filter", &["list", "add", "remove"]),
    ("device", &["list", "show", "revoke"]),
    ("user", &["add", "list", "set", "disable", "enable"]),
    (
        "outlook",
        &["status", "sync", "item", "track", "untrack", "set-regarding", "store", "import"],
    ),
    ("doctor", &[]),
];

#[test]
fn help_lists_every_command_and_the_exit_codes() {
    let done = run(command().arg("--help"));
    assert_eq!(done.exit, 0);
    let (list, _) = done.stdout.split_once("Options:").unwrap();
    let listed: Vec<&str> = list
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
        .filter(|word| !list.contains(&format!("      {word}")))
        .collect();
    for (name, _) in COMMANDS {
        assert!(listed.contains(name), "{name} is not listed: {listed:?}");
    }
    for number in 0..=7 {
        assert!(done.stdout.contains(&format!("\n  {number}  ")), "{}", done.stdout);
    }
}

#[test]
fn every_command_has_help_and_says_what_it_does() {
    for (name, subcommands) in COMMANDS {
        let done = run(command().args([name, "--help"]));
        assert_eq!(done.exit, 0, "{name}");
        assert!(done.stdout.contains("Usage: offstage"), "{}", done.stdout);
        assert!(done.stderr.is_empty(), "{}", done.stderr);
        for subcommand in *subcommands {
            assert!(done.stdout.contains(&format!("\n  {subcommand}")), "{name}: {}", done.stdout);
            let done = run(command().args([name, subcommand, "--help"]));
            assert_eq!(done.exit, 0, "{name} {subcommand}");
            assert!(!done.stdout.starts_with("Usage"), "{name} {subcommand} says nothing");
        }
    }
}

#[test]
fn version_and_completions_and_manual_pages() {
    let version = run(command().arg("--version"));
    assert_eq!(version.stdout.trim(), concat!("offstage ", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let done = run(command().args(["completions", shell]));
        assert_eq!(done.exit, 0);
        assert!(done.stdout.contains("go-offline"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    let done = run(command().arg("man").arg(folder.path()));
    assert_eq!(done.exit, 0, "{done:?}");
    assert!(folder.path().join("offstage.1").exists());
    assert!(folder.path().join("offstage-go-offline.1").exists());
}

#[test]
fn wrong_usage_ends_with_2() {
    let cases: &[&[&str]] = &[
        &[],
        &["no-such-command"],
        &["create"],
        &["create", "contact", "lastname"],
        &["update", "contact", "00000000-0000-0000-0000-000000000001"],
        &["query", "contact", "--top", "0"],
        &["query", "contact", "--top", "5001"],
        &["serve", "--listen", "nonsense"],
        &["step", "set", "key"],
        &["trace", "set", "loud"],
        &["status", "-v", "-q"],
    ];
    for arguments in cases {
        let done = run(command().args(*arguments));
        assert_eq!(done.exit, 2, "{arguments:?}: {done:?}");
        assert!(done.stdout.is_empty(), "{arguments:?}: {done:?}");
        assert!(!done.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn wrong_usage_is_json_for_programs() {
    let done = run(command().args(["--json", "no-such-command"]));
    assert_eq!(done.exit, 2);
    let error = &done.json()["error"];
    assert_eq!(error["exit"], 2);
    assert!(error["message"].as_str().unwrap().contains("no-such-command"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    use std::process::Stdio;
    let mut child = command()
        .args(["completions", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
