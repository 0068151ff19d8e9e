//! The same limits with a plug-in that the SDK made: `tests/hostile-plugins/hostile`.
//!
//! Needs `cargo xtask guests`.

mod support;

use offstage_model::{ContextChange, ExecutionContext, Parameter, Value, code};
use offstage_sandbox::{CallClass, RunErrorKind as Kind, RunLimits, Sandbox, inspect};
use support::{Answers, context, repository, sandbox};

fn hostile() -> Vec<u8> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(Into::into);
    let target = target.unwrap_or_else(|| repository("target"));
    let path = target.join("guests/hostile.wasm");
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("cannot read {}: {error}; run `cargo xtask guests` first", path.display())
    })
}

fn context_of(attack: &str) -> ExecutionContext {
    let mut context = context();
    if let Some(Parameter::Entity(target)) = context.input_parameters.get_mut("Target") {
        target.attributes.insert("description".into(), Value::text(attack));
    }
    context
}

#[test]
fn a_plug_in_of_the_sdk_hits_the_same_limits() {
    let sandbox = sandbox();
    let plugin = sandbox.load(&hostile()).expect("it loads");
    let limits = RunLimits { fuel: 300_000_000, ..RunLimits::default() };
    let attack = |name: &str| {
        sandbox
            .run(&plugin, "tests.hostile.Attack", &context_of(name), &limits, Answers::default())
            .1
    };
    type Expected = fn(&Kind) -> bool;
    let cases: [(&str, Expected, u32); 7] = [
        ("panic", |k| matches!(k, Kind::Trapped { .. }), code::ISV_UNEXPECTED),
        ("loop", |k| matches!(k, Kind::OutOfFuel { .. }), code::PLUGIN_TIMEOUT),
        ("allocate", |k| matches!(k, Kind::OutOfMemory { .. }), code::PLUGIN_CRASHED),
        // The SDK's guests have their stack in linear memory: it ends in a trap.
        ("recurse", |k| matches!(k, Kind::Trapped { .. } | Kind::StackOverflow), 0),
        (
            "flood",
            |k| matches!(k, Kind::TooManyCalls { class: CallClass::Organization, .. }),
            code::PLUGIN_CRASHED,
        ),
        ("refuse", |k| matches!(k, Kind::Refused(_)), code::ISV_ABORTED),
        ("huge-message", |k| matches!(k, Kind::TooMuchData { .. }), code::PLUGIN_CRASHED),
    ];
    for (name, expected, code) in cases {
        let run = attack(name);
        let error = run.result.expect_err(name);
        assert!(expected(&error.kind), "{name}: {error}");
        assert!(code == 0 || error.fault().code == code, "{name}: {error}");
        assert!(run.trace.starts_with(&format!("attack: {name}\n")), "{}", run.trace);
        let next = attack("none");
        assert_eq!(next.result.expect("it runs"), vec![], "after {name}");
    }
    assert!(attack("panic").trace.contains("the plug-in gave up"));
    assert_eq!(
        attack("refuse").result.expect_err("no").fault().message,
        "This account is refused."
    );
    let changes = attack("random-name").result.expect("it runs");
    let expected = ContextChange::SetAttribute {
        parameter: "Target".into(),
        column: "name".into(),
        value: Value::text("4"),
    };
    assert_eq!(changes, [expected]);
}

#[test]
fn an_unknown_type_is_a_fault() {
    let sandbox = sandbox();
    let plugin = sandbox.load(&hostile()).expect("it loads");
    let limits = RunLimits::default();
    let (_, run) = sandbox.run(&plugin, "no.Such", &context(), &limits, Answers::default());
    let error = run.result.expect_err("there is no such type");
    assert!(error.fault().message.contains("no.Such"), "{error}");
}

#[test]
fn its_declarations_can_be_read() {
    let package = Sandbox::inspect(&hostile()).expect("it is a plug-in");
    assert_eq!(package, inspect(&hostile()).expect("it is a plug-in"));
    assert_eq!(package.package, "tests/hostile");
    assert_eq!(package.types[0].steps[0].key, "hostile-attack");
}
