//! Captures: recorded, frozen, read again, and replayed without any services.
//!
//! Needs `cargo xtask guests`.

mod support;

use offstage_model::{ContextChange, ExecutionContext, Fault, Timestamp, Uuid, Value, code};
use offstage_sandbox::capture::{
    CAPTURE_BYTES_MAX, Call, Capture, CaptureFile, CaptureHead, Outcome, Place, Question, REDACTED,
    Recorder, pairs,
};
use offstage_sandbox::{Plugin, RunLimits, Sandbox};
use support::{Answers, context, repository, sandbox};

const ID: &str = "00000000-0000-0000-0000-000000000001";

fn script() -> Vec<u8> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(Into::into);
    let target = target.unwrap_or_else(|| repository("target"));
    let path = target.join("guests/script.wasm");
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("cannot read {}: {error}; run `cargo xtask guests` first", path.display())
    })
}

fn scripted(script: &str) -> ExecutionContext {
    ExecutionContext { configuration: script.into(), ..context() }
}

/// Runs a script and captures it.
fn captured(sandbox: &Sandbox, plugin: &Plugin, context: &ExecutionContext) -> Capture {
    let head = CaptureHead {
        id: Uuid::from_u128(9),
        time: Timestamp(5),
        place: Place::Offline,
        package: "tests/script".into(),
        sha256: plugin.sha256(),
        plugin_type: "test.Script".into(),
    };
    let limits = RunLimits::default();
    let recorder = Recorder::new(Answers::default(), context);
    let (recorder, run) = sandbox.run(plugin, "test.Script", context, &limits, recorder);
    let (_, recording) = recorder.finish();
    Capture::new(head, &limits, context, recording, &run)
}

/// Everything that a plug-in can ask.
const EVERYTHING: &str = "set description s:{guid}-{key:a}-{random}-{now}-{playback}-{parent:x}\n\
                          create task subject=s:{guid} estimatedvalue=m:12.50\n\
                          set name s:{got}\n\
                          trace done~with~it";

#[test]
fn a_replay_of_the_same_plug_in_is_exact() {
    let sandbox = sandbox();
    let plugin = sandbox.load(&script()).expect("it loads");
    for (text, failed) in [
        (EVERYTHING, false),
        ("", false),
        ("create task subject=s:a\nthrow no", true),
        ("panic over", true),
        ("loop", true),
        ("set n i:1\ncatch get account 00000000-0000-0000-0000-000000000001 name", false),
    ] {
        let capture = captured(&sandbox, &plugin, &scripted(text));
        assert_eq!(capture.failed(), failed, "{text}: {:?}", capture.outcome);
        let thawed = Capture::thaw(&capture.freeze()).expect("it can be read");
        assert_eq!(thawed, capture, "{text}");
        let replay = sandbox.replay(&plugin, &thawed, None);
        assert!(replay.is_exact() && replay.same_plugin, "{text}: {replay:?}");
        assert_eq!(replay.answered, capture.calls.len(), "{text}");
    }
}

#[test]
fn faults_are_answered_as_they_were() {
    let sandbox = sandbox();
    let plugin = sandbox.load(&script()).expect("it loads");
    let context = scripted("catch create task subject=s:a\ncreate task subject=s:b");
    let fault = Fault::new(code::DUPLICATE_RECORD, "It is there already.");
    let services = Answers { fault: Some(fault), ..Answers::default() };
    let limits = RunLimits::default();
    let recorder = Recorder::new(services, &context);
    let (recorder, run) = sandbox.run(&plugin, "test.Script", &context, &limits, recorder);
    let head = CaptureHead {
        id: Uuid::from_u128(9),
        time: Timestamp(5),
        place: Place::Playback,
        package: "tests/script".into(),
        sha256: plugin.sha256(),
        plugin_type: "test.Script".into(),
    };
    let capture = Capture::new(head, &limits, &context, recorder.finish().1, &run);
    assert!(matches!(&capture.outcome, Outcome::Failed { ended, .. } if ended == "refused"));
    assert!(sandbox.replay(&plugin, &capture, None).is_exact());
}

#[test]
fn numbers_that_json_has_not_survive() {
    let sandbox = sandbox();
    let plugin = sandbox.load(&script()).expect("it loads");
    let mut context = scripted("create task subject=s:a");
    let numbers = [f64::NAN, f64::INFINITY, -0.0, 0.1 + 0.2, 5e-324, 1.797e308];
    for (index, number) in numbers.into_iter().enumerate() {
        let value = offstage_model::Parameter::Value(Value::Double(number));
        context.shared_variables.insert(format!("n{index}"), value);
    }
    let capture = captured(&sandbox, &plugin, &context);
    let thawed = Capture::thaw(&capture.freeze()).expect("it can be read");
    for (name, value) in &context.shared_variables {
        let offstage_model::Parameter::Value(Value::Double(before)) = value else { continue };
        let after = match &thawed.context.shared_variables[name] {
            offstage_model::Parameter::Value(Value::Double(after)) => *after,
            other => panic!("{name}: {other:?}"),
        };
        let same = before.to_bits() == after.to_bits() || (before.is_nan() && after.is_nan());
        assert!(same, "{name}: {before} became {after}");
    }
    assert!(sandbox.replay(&plugin, &thawed, None).is_exact());
}

#[test]
fn another_run_shows_its_first_difference() {
    let sandbox = sandbox();
    let plugin = sandbox.load(&script()).expect("it loads");
    let subject = |text: &str| format!("create task subject=s:{text}");
    // Recorded script, replayed script, number of the call, recorded, now.
    let cases = [
        (
            subject("a"),
            subject("b"),
            1,
            Some("Create task subject=a"),
            Some("Create task subject=b"),
        ),
        (subject("{now}"), subject("x"), 1, Some("now"), Some("Create task subject=x")),
        (subject("a"), String::new(), 1, Some("Create task subject=a"), None),
        (String::new(), subject("a"), 1, None, Some("Create task subject=a")),
        (
            format!("{}\n{}", subject("a"), subject("b")),
            format!("{}\ndelete task {ID}\n{}", subject("a"), subject("b")),
            2,
            Some("Create task subject=b"),
            Some("Delete task(00000000-0000-0000-0000-000000000001)"),
        ),
    ];
    for (recorded, replayed, call, expected, got) in cases {
        let mut capture = captured(&sandbox, &plugin, &scripted(&recorded));
        capture.context.configuration.clone_from(&replayed);
        let replay = sandbox.replay(&plugin, &capture, None);
        assert!(!replay.is_exact());
        let divergence = replay.divergence.unwrap_or_else(|| panic!("{recorded} / {replayed}"));
        let text = |question: &Option<Question>| question.as_ref().map(ToString::to_string);
        assert_eq!(divergence.call, call, "{recorded} / {replayed}");
        assert_eq!(text(&divergence.expected).as_deref(), expected, "{recorded} / {replayed}");
        assert_eq!(text(&divergence.got).as_deref(), got, "{recorded} / {replayed}");
    }
}

#[test]
fn a_secret_is_nowhere_in_a_capture_and_a_replay_that_knows_it_is_exact() {
    let sandbox = sandbox();
    let plugin = sandbox.load(&script()).expect("it loads");
    let secret = "hunter22-very-secret";
    let mut context = scripted(&format!(
        "trace key~is~{secret}\nset name s:{secret}\ncreate task subject=s:{secret}\nthrow {secret}"
    ));
    context.secure_configuration = secret.into();
    let capture = captured(&sandbox, &plugin, &context);
    let bytes = capture.freeze();
    let text = String::from_utf8(bytes).expect("it is JSON");
    assert!(!text.contains(secret), "{text}");
    assert_eq!(capture.context.secure_configuration, REDACTED);
    let thawed = Capture::thaw(text.as_bytes()).expect("it can be read");
    let replay = sandbox.replay(&plugin, &thawed, Some(secret));
    assert!(replay.is_exact(), "{replay:?}");
    assert!(!format!("{:?}", replay.outcome).contains(secret));
    // Without the secret it runs too, with the stand-in; only its length differs.
    let replay = sandbox.replay(&plugin, &thawed, None);
    assert!(replay.divergence.is_none() && replay.same_outcome, "{replay:?}");
}

/// A plug-in takes the key out of its configuration and uses that.
#[test]
fn a_part_of_a_secret_is_nowhere_in_a_capture_either() {
    let sandbox = sandbox();
    let plugin = sandbox.load(&script()).expect("it loads");
    let key = "hunter22-very-secret";
    for secret in [
        format!("{{\"url\": \"https://a.example\", \"keys\": [{{\"api\": \"{key}\"}}]}}"),
        format!("user=ada\nkey = \"{key}\"\n"),
        format!("Server=db.example;Key={key};"),
    ] {
        let mut context = scripted(&format!("trace Bearer~{key}\ncreate task subject=s:{key}"));
        context.secure_configuration = secret.clone();
        let capture = captured(&sandbox, &plugin, &context);
        let text = String::from_utf8(capture.freeze()).expect("it is JSON");
        assert!(!text.contains(key) && text.contains("Bearer [redacted:"), "{text}");
        let thawed = Capture::thaw(text.as_bytes()).expect("it can be read");
        let replay = sandbox.replay(&plugin, &thawed, Some(&secret));
        assert!(replay.is_exact(), "{replay:?}");
    }
}

#[test]
fn a_recording_is_bounded_and_says_so() {
    let sandbox = sandbox();
    let plugin = sandbox.load(&script()).expect("it loads");
    let long = "x".repeat(60_000);
    let line = format!("create task subject=s:{long}\n");
    let count = CAPTURE_BYTES_MAX / 60_000 + 3;
    let capture = captured(&sandbox, &plugin, &scripted(&line.repeat(count)));
    assert!(capture.truncated && capture.calls.len() < count, "{} calls", capture.calls.len());
    let replay = sandbox.replay(&plugin, &capture, None);
    let divergence = replay.divergence.expect("the recording ends");
    assert!(divergence.recording_full && divergence.call == capture.calls.len() + 1);
}

#[test]
fn files_are_checked_when_they_are_read() {
    let sandbox = sandbox();
    let plugin = sandbox.load(&script()).expect("it loads");
    let capture = captured(&sandbox, &plugin, &scripted(EVERYTHING));
    let good = CaptureFile::write(std::slice::from_ref(&capture));
    assert_eq!(CaptureFile::read(&good).expect("it can be read"), [capture]);
    let text = String::from_utf8(good).expect("it is JSON");
    let changed = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    let cases = [
        (String::new(), "damaged"),
        ("[]".into(), "damaged"),
        ("{}".into(), "no file of captures"),
        (r#"{"kind":"other","format":1}"#.into(), "no file of captures"),
        (changed("\"format\":1", "\"format\":2"), "its format is 2"),
        (changed("[\n{\"format\":1", "[\n{\"format\":9"), "its format is 9"),
        (changed("\"format\":1", "\"format\":1.5"), "damaged"),
        (changed("\"captures\"", "\"more\":1,\"captures\""), "damaged"),
        (changed("\"place\":\"offline\"", "\"place\":\"moon\""), "damaged"),
        (changed("test.Script", ""), "plug-in type"),
        (text.replace(&plugin.sha256(), "00"), "content hash"),
        (changed("\"fuel\":500000000", "\"fuel\":18446744073709551615"), "fuel"),
        (text[..text.len() / 2].to_owned(), "damaged"),
    ];
    for (bad, expected) in cases {
        let error = CaptureFile::read(bad.as_bytes()).expect_err(expected);
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
}

#[test]
fn the_two_runs_of_a_step_stand_side_by_side() {
    let sandbox = sandbox();
    let plugin = sandbox.load(&script()).expect("it loads");
    let run = |place: Place, playback: bool, request: u128| {
        let mut context = scripted("create task subject=s:{offline}\nset name s:a");
        context.is_executing_offline = !playback;
        context.is_offline_playback = playback;
        context.request_id = Uuid::from_u128(request);
        let mut capture = captured(&sandbox, &plugin, &context);
        capture.place = place;
        capture
    };
    // The first attempt of the playback does not count.
    let captures = [
        run(Place::Offline, false, 1),
        run(Place::Playback, true, 2),
        run(Place::Playback, true, 3),
    ];
    let refs: Vec<&Capture> = captures.iter().collect();
    let pairs = pairs(&refs);
    let [pair] = pairs.as_slice() else { panic!("{pairs:?}") };
    assert_eq!(pair.playback.expect("it ran").context.request_id, Uuid::from_u128(3));
    let what: Vec<&str> = pair.context.iter().map(|d| d.what.as_str()).collect();
    assert_eq!(what, ["is_executing_offline", "is_offline_playback"]);
    let row = pair.first_difference().expect("the subject differs");
    assert!(!row.same_question());
    assert!(matches!(row.offline, Some((1, Call::Execute { .. }))), "{row:?}");
    assert_eq!(pair.same_outcome, Some(true));
}

#[test]
fn a_replay_changes_nothing_of_the_context_it_was_given() {
    let sandbox = sandbox();
    let plugin = sandbox.load(&script()).expect("it loads");
    let capture = captured(&sandbox, &plugin, &scripted("set name s:Fabrikam"));
    let expected = ContextChange::SetAttribute {
        parameter: "Target".into(),
        column: "name".into(),
        value: Value::text("Fabrikam"),
    };
    assert_eq!(capture.outcome, Outcome::Changed(vec![expected]));
    let before = capture.clone();
    drop(sandbox.replay(&plugin, &capture, None));
    assert_eq!(capture, before);
}
