//! A real gdb on a plug-in in the middle of an offline operation and of a playback: file, line,
//! arguments, locals, stepping, and that all goes on afterwards.
//!
//! Needs gdb and the plug-ins of `cargo xtask guests`; both are what `cargo xtask test` brings.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "in a test a panic is the right answer")]

mod common;
#[path = "common/debugger.rs"]
mod debugger;

use common::{Place, Serving};
use debugger::{Debugger, line_with, repository};
use serde_json::Value as Json;

const SOURCE: &str = "sample-plugins/account-rollup/src/lib.rs";
const PACKAGE: &str = "samples/account-rollup";

fn component(name: &str) -> String {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(Into::into);
    let target = target.unwrap_or_else(|| repository("target"));
    target.join("guests").join(name).to_str().unwrap().to_owned()
}

/// Allows and registers the sales tables, a debug build of one plug-in and a release of another.
fn register(place: &Place) {
    place.good(&["table", "add", repository("sample-plugins/tables/sales.json").to_str().unwrap()]);
    for file in packages() {
        trust(place, &file);
        place.good(&["plugin", "add", &file]);
    }
}

fn packages() -> [String; 2] {
    [component("debug/account_rollup.wasm"), component("phone_numbers.wasm")]
}

fn trust(place: &Place, file: &str) {
    place.good(&["policy", "trust", "pin", file, "--reason", "a test", "--grant", "requested"]);
}

fn pid(place: &Place) -> u64 {
    let bytes = std::fs::read(place.path().join("running.json")).unwrap();
    serde_json::from_slice::<Json>(&bytes).unwrap()["pid"].as_u64().unwrap()
}

/// What a person does at the line that adds up the values: look, step over it, look again.
fn look() -> (String, String) {
    let line = line_with(SOURCE, "value += opportunity");
    let before =
        format!("break account-rollup/src/lib.rs:{line}\nbreak account_rollup::parent_after");
    let after = "echo -- function\\n\nbacktrace 2\ninfo args\nnext\necho -- stepped\\n\nframe\n\
                 continue\necho -- line\\n\nframe\ninfo args\ninfo locals\nprint value\n\
                 next\necho -- after\\n\nprint value\nstep\nframe"
        .to_owned();
    (before, after)
}

/// The part of a transcript between two marks.
#[track_caller]
fn part<'a>(transcript: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = transcript.split_once(from).unwrap_or_else(|| panic!("{from}: {transcript}"));
    rest.split_once(to).unwrap_or_else(|| panic!("{to}: {transcript}")).0
}

#[track_caller]
fn has(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "no '{wanted}' in:\n{text}");
    }
}

#[track_caller]
fn check(transcript: &str) {
    let sum = line_with(SOURCE, "value += opportunity");
    let guard = line_with(SOURCE, "if context.message_name == \"Delete\"");
    let target = line_with(SOURCE, "let target = context.target()?;");
    has(
        part(transcript, "-- function", "-- stepped"),
        &[
            "account_rollup::parent_after",
            &format!("lib.rs:{guard}"),
            "Create",
            "opportunity",
            "before = ",
        ],
    );
    has(part(transcript, "-- stepped", "-- line"), &[&format!("{target}\t"), "parent_after"]);
    has(
        part(transcript, "-- line", "-- after"),
        &[
            "account_rollup::recompute",
            &format!("account-rollup/src/lib.rs:{sum}"),
            // Arguments, then locals of the function and of the loop in it.
            "account(",
            "value = 0",
            "open = 1 items",
            "opportunity = ",
            "estimatedvalue",
            "12.5",
            "$1 = 0",
        ],
    );
    has(part(transcript, "-- after", "detached"), &["$2 = 12.5", "lib.rs:"]);
}

/// The other plug-in runs, and the debugged one did its work.
fn check_effects(place: &Place, account: &str) {
    let row = place.good(&["get", "account", account]);
    assert_eq!(row["attributes"]["openopportunities"], 1, "{row}");
    assert_eq!(row["attributes"]["openvalue"], "12.5", "{row}");
    let contact = place.make(&["contact", "lastname=Lee", "telephone1=(425) 555-0100"]);
    let row = place.good(&["get", "contact", &contact]);
    assert_eq!(row["attributes"]["telephone1"], "+14255550100", "{row}");
}

#[test]
fn gdb_stops_a_plug_in_in_an_offline_operation_and_in_a_playback() {
    let (server, device) = (Place::new(), Place::new());
    let serving = server.serve(&["--dev", "--debug-plugins", PACKAGE]);
    register(&server);
    let account = server.make(&["account", "name=Alpine Bakery"]);
    device.good(&["connect", &serving.url]);
    for file in packages() {
        trust(&device, &file);
    }
    let host = Serving::start(&device.path(), "host", &["--debug-plugins", "account-rollup"]);
    device.good(&["go-offline"]);
    let (before, after) = look();

    let mut gdb = Debugger::gdb(pid(&device), &before, &after);
    std::thread::scope(|scope| {
        let parent = format!("parentaccountid=account:{account}");
        let device = &device;
        let made = scope.spawn(move || {
            device.make(&["opportunity", "name=Pumps", "estimatedvalue=12.50", &parent])
        });
        gdb.wait_for("-- after");
        check(&gdb.finish());
        made.join().unwrap();
    });
    check_effects(&device, &account);
    drop(host);

    let mut gdb = Debugger::gdb(pid(&server), &before, &after);
    std::thread::scope(|scope| {
        let device = &device;
        let played = scope.spawn(move || device.good(&["go-online"]));
        gdb.wait_for("-- after");
        check(&gdb.finish());
        assert_eq!(played.join().unwrap()["counts"]["applied"], 2);
    });
    check_effects(&server, &account);
}

/// lldb stops on the same line, shows arguments and locals, and steps. It has no printers for the
/// SDK's types.
#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn lldb_stops_a_plug_in_where_its_package_allows() {
    if !Debugger::has_lldb() {
        eprintln!("SKIPPED: there is no lldb 22; `cargo xtask setup` installs it on Debian");
        return;
    }
    let server = Place::new();
    let _serving = server.serve(&["--dev", "--debug-plugins", PACKAGE]);
    register(&server);
    let account = server.make(&["account", "name=Alpine Bakery"]);
    let parent = format!("parentaccountid=account:{account}");
    let sell = |name| server.make(&["opportunity", name, "estimatedvalue=12.50", &parent]);
    sell("name=Pumps");
    let first = line_with(SOURCE, "let query = Query::new(\"account\")");
    let sum = line_with(SOURCE, "value += opportunity");
    let source = repository(SOURCE).canonicalize().unwrap();
    let stop = |line| format!("breakpoint set --file {} --line {line}\n", source.display());
    let mark = |text| format!("script print(\"-- {text}\", flush=True)\n");
    let look = "frame info\nframe variable account\n";
    let value = "frame info\nframe variable value\n";
    let after = [
        &mark("start"),
        look,
        "thread step-over\nframe info\n",
        &mark("stepped"),
        "process continue\n",
        value,
        "process continue\n",
        value,
        &mark("after"),
    ];
    let mut lldb = Debugger::lldb(pid(&server), &(stop(first) + &stop(sum)), &after.concat());
    std::thread::scope(|scope| {
        let sold = scope.spawn(|| sell("name=Ovens"));
        lldb.wait_for("-- after");
        let transcript = lldb.finish();
        let stopped = part(&transcript, "-- start", "-- stepped");
        has(
            stopped,
            &[
                "account_rollup::recompute",
                &format!("lib.rs:{first}:"),
                "EntityReference>) account = (__ptr = ",
                "stop reason = step over",
                &format!("lib.rs:{}:", first + 1),
            ],
        );
        // The loop's second turn has added 125 with one decimal digit (the scale is in the flags).
        let (one, two) =
            part(&transcript, "-- stepped", "-- after").rsplit_once(") value = ").unwrap();
        has(one, &[&format!("lib.rs:{sum}:"), ") value = (flags = 0, hi = 0, lo = 0,"]);
        has(two, &["(flags = 65536, hi = 0, lo = 125,"]);
        sold.join().unwrap();
    });
    let row = server.good(&["get", "account", &account]);
    assert_eq!(row["attributes"]["openvalue"], "25", "{row}");
}

#[test]
fn a_captured_run_is_replayed_under_gdb() {
    let server = Place::new();
    let _serving = server.serve(&["--dev"]);
    register(&server);
    server.good(&["capture", "step", "rollup-on-create"]);
    let account = server.make(&["account", "name=Alpine Bakery"]);
    let parent = format!("parentaccountid=account:{account}");
    server.make(&["opportunity", "name=Pumps", "estimatedvalue=12.50", &parent]);
    let list = server.good(&["capture", "list"]);
    let id = list["captures"][0]["id"].as_str().unwrap();
    // Without a terminal gdb ends at the first prompt, which it shows when the breakpoint is hit.
    let done = server.run(&["replay", id, "--gdb", "--break", "account_rollup::recompute"]);
    assert_eq!(done.exit, 0, "{done:?}");
    let line = line_with(SOURCE, "let query = Query::new(\"account\")");
    for part in [
        "hit Breakpoint 1, account_rollup::recompute".to_owned(),
        format!("account=&account({account})"),
        format!("account-rollup/src/lib.rs:{line}"),
    ] {
        assert!(done.stdout.contains(&part), "no '{part}' in {done:?}");
    }
    let release = component("account_rollup.wasm");
    let done = server.json(&["replay", id, "--gdb", "--with", &release]);
    assert_eq!(done.exit, 2, "{done:?}");
}

#[test]
fn debug_says_what_to_type() {
    let server = Place::new();
    let done = server.json(&["debug"]);
    assert_eq!(done.exit, 4, "{done:?}");
    assert!(done.json()["error"]["hint"].as_str().unwrap().contains("--debug-plugins"));
    {
        let _serving = server.serve(&["--dev"]);
        assert_eq!(server.json(&["debug"]).exit, 2, "nothing is debugged");
    }
    let _serving = server.serve(&["--dev", "--debug-plugins", "phone-numbers"]);
    register(&server);
    let answer = server.good(&["debug", "samples/phone-numbers"]);
    let pid = pid(&server);
    assert_eq!(answer["pid"], pid);
    assert!(answer["gdb"].as_str().unwrap().starts_with(&format!("gdb -p {pid} -x ")));
    assert!(std::path::Path::new(answer["gdbScript"].as_str().unwrap()).exists());
    assert_eq!(answer["launch"]["configurations"][0]["processId"], pid.to_string());
    for (name, exit) in [("samples/account-rollup", 2), ("no/such", 4)] {
        assert_eq!(server.json(&["debug", name]).exit, exit, "{name}");
    }
    let shown = server.run(&["debug"]).stdout;
    for part in ["gdb -p", "lldb -p", "launch.json", "break src/lib.rs:40"] {
        assert!(shown.contains(part), "no '{part}' in {shown}");
    }
}
