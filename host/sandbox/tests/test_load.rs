//! What is no plug-in is refused before anything of it runs, and what is one says what it is.

mod support;

use offstage_model::code;
use offstage_model::registration::{Deployment, Mode, Stage};
use offstage_sandbox::{COMPONENT_BYTES_MAX, Sandbox, SandboxError, inspect};
use support::{component, component_with_declarations, encode, hostile, sandbox, with_instances};
use wit_parser::{Resolve, Type, TypeDefKind};

const RUN: &str = "(func $run)";

fn text(component: &str) -> Vec<u8> {
    wat::parse_str(component).expect("the text is WebAssembly")
}

/// A component without declarations: what an SDK of another language could make.
fn silent() -> Vec<u8> {
    let module = text(
        r#"(module
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
            (func (export "execute") (param i32) (result i32) i32.const 0))"#,
    );
    encode(&module)
}

#[test]
fn what_is_no_plug_in_is_refused_with_the_reason_and_a_hint() {
    let wasi = "(component (import \"wasi:clocks/wall-clock@0.2.0\" (instance)))";
    let version = "(component (import \"offstage:plugin/organization@2.0.0\" (instance)))";
    let many_modules = format!("(component {})", "(core module)".repeat(65));
    let lines = component_with_declarations;
    let package = r#"{"package":"a/b","version":"1"}"#;
    let with_line = |line: &str| lines(RUN, &format!("{package}\n{line}\n"));
    let cases: Vec<(Vec<u8>, &str, &str)> = vec![
        (Vec::new(), "the content is not WebAssembly", "*.wasm"),
        (b"PK\x03\x04 a zip".to_vec(), "the content is not WebAssembly", "*.wasm"),
        (text("(module)"), "a core WebAssembly module and not a component", "cargo xtask guests"),
        (
            vec![0; COMPONENT_BYTES_MAX + 1],
            "the component has 33554433 bytes; at most 33554432",
            "split",
        ),
        (text("(component)"), "does not export 'execute'", "offstage_sdk::export!"),
        (
            text(wasi),
            "imports 'wasi:clocks/wall-clock@0.2.0', which no plug-in gets",
            "wasm32-unknown-unknown",
        ),
        (text(version), "imports 'offstage:plugin/organization@2.0.0'", "organization@1.0.0"),
        (text(&many_modules), "has 65 modules; at most 64", "split"),
        (hostile("good")[..900].to_vec(), "the component is not valid", "again"),
        (silent(), "no custom section 'offstage:declarations'", "offstage_sdk::export!"),
        (lines(RUN, "\n"), "no custom section", "export!"),
        (lines(RUN, "{"), "line 1 of the declarations: EOF while parsing", "JSON"),
        (
            lines(RUN, r#"{"package":"a b","version":"1"}"#),
            "line 1 of the declarations: 'a b' is not a package id",
            "JSON",
        ),
        (
            lines(RUN, r#"{"package":"a","version":"1","x":1}"#),
            "line 1 of the declarations: unknown field `x`",
            "JSON",
        ),
        (
            with_line(r#"{"type":"t","steps":[{"key":"k","message":"Update","stage":15}]}"#),
            "line 2 of the declarations: 15 is not a stage",
            "JSON",
        ),
        (
            with_line("{\"type\":\"t\"}\n\n{\"type\":\"t\"}"),
            "line 4 of the declarations: the type 't' is declared twice",
            "JSON",
        ),
        (lines(RUN, &" ".repeat((1 << 20) + 1)), "the declarations have 1048577 bytes", "JSON"),
    ];
    for (bytes, reason, hint) in cases {
        let error = inspect(&bytes).expect_err(reason);
        let fault = error.fault();
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.hint().contains(hint), "{error}: {}", error.hint());
        assert!(fault.message.contains(&reason[4..]) && fault.message.ends_with('.'), "{fault}");
        assert_eq!(fault.hint, Some(error.hint()));
        let large = matches!(error, SandboxError::TooLarge { .. });
        let code = if large { code::PAYLOAD_TOO_LARGE } else { code::INVALID_PACKAGE_CONTENT };
        assert_eq!(fault.code, code, "{fault}");
    }
}

#[test]
fn atk_d01_any_prefix_of_a_component_ends_without_a_panic() {
    let component = hostile("good");
    let accepted = (0..component.len()).filter(|end| inspect(&component[..*end]).is_ok()).count();
    // Only custom sections come after the exports, and the end of each may be the end of all.
    assert!(accepted < 5, "{accepted} beginnings are accepted");
}

#[test]
fn declarations_say_what_the_package_has() {
    let lines = concat!(
        "{\"package\":\"samples/phone-numbers\",\"version\":\"1.2.3\"}\n",
        "{\"type\":\"samples.phone.NormalizePhone\",\"steps\":[{\"key\":\"phone.create\",",
        "\"message\":\"Create\",\"table\":\"account\",\"stage\":20,\"deployment\":2}]}\n",
        "{\"type\":\"samples.phone.Empty\",\"steps\":[]}\n",
    );
    let package = inspect(&component_with_declarations(RUN, lines)).expect("it is a plug-in");
    assert_eq!(
        (package.package.as_str(), package.version.as_str()),
        ("samples/phone-numbers", "1.2.3")
    );
    assert_eq!(package.types.len(), 2);
    let step = &package.types[0].steps[0];
    assert_eq!((step.stage, step.mode, step.rank), (Stage::PreOperation, Mode::Synchronous, 1));
    assert_eq!(step.deployment, Deployment::Both);
}

#[test]
fn atk_a05_a17_proposals_that_are_off_do_not_load() {
    let sandbox = sandbox();
    let cases = [
        ("garbage collection", "(type (struct (field i32)))", "gc"),
        ("exceptions", "(tag (param i32))", "exceptions"),
        ("function references", "(type $t (func)) (func (param (ref $t)))", "function references"),
        ("stack switching", "(type $t (func)) (type (cont $t))", "stack switching"),
        (
            "wide arithmetic",
            "(func (drop (drop (i64.mul_wide_u (i64.const 1) (i64.const 1)))))",
            "wide arithmetic",
        ),
    ];
    for (proposal, field, named) in cases {
        refused(&sandbox, proposal, &component(&format!("{RUN} {field}")), named);
    }
    // The odd memory is a module's only one: a second one would be refused anyway.
    let with_memory = |memory: &str| {
        let module = text(&format!("(module (memory {memory}))"));
        let size = u8::try_from(module.len()).expect("a small module");
        assert!(size < 0x80, "its size has one byte");
        // Section 1 of a component is a core module.
        [hostile("good"), vec![1, size], module].concat()
    };
    sandbox.load(&with_memory("1")).expect("an ordinary memory loads");
    let memories = [
        ("64-bit memory", "i64 1", "memory64"),
        ("shared memory", "1 1 shared", "threads"),
        ("custom page sizes", "1 (pagesize 1)", "custom page sizes"),
    ];
    for (proposal, memory, named) in memories {
        refused(&sandbox, proposal, &with_memory(memory), named);
    }
}

/// The component is refused because of the proposal, and the error says so.
#[track_caller]
fn refused(sandbox: &Sandbox, proposal: &str, bytes: &[u8], named: &str) {
    match sandbox.load(bytes) {
        Err(SandboxError::Invalid { reason }) if reason.contains(named) => {}
        other => panic!("{proposal}: {other:?}"),
    }
}

#[test]
fn atk_a04_more_memory_than_a_run_may_have_does_not_load() {
    let module = "(module (memory (export \"memory\") 1025)
        (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) i32.const 0)
        (func (export \"execute\") (param i32) (result i32) i32.const 0))";
    let error = sandbox().load(&encode(&text(module))).expect_err("64 MiB and one page");
    assert!(matches!(error, SandboxError::Invalid { .. }), "{error}");
}

#[test]
fn atk_a04_more_tables_memories_or_instances_than_a_run_may_have_do_not_load() {
    let sandbox = sandbox();
    let tables = |count: usize| component(&format!("{RUN} {}", "(table 1 funcref)".repeat(count)));
    let memories = |count: usize| component(&format!("{RUN} {}", "(memory 1)".repeat(count)));
    let instances = |count: usize| with_instances(hostile("good"), count);
    // One table and one memory per module; the prelude has the memory already.
    sandbox.load(&tables(1)).expect("a table loads");
    sandbox.load(&memories(0)).expect("a memory loads");
    sandbox.load(&instances(20)).expect("few instances load");
    let many = with_instances(instances(40), 40);
    for (what, bytes) in [("tables", tables(2)), ("memories", memories(1)), ("instances", many)] {
        let error = sandbox.load(&bytes).expect_err(what);
        assert!(matches!(error, SandboxError::Invalid { .. }), "{what}: {error}");
    }
}

#[test]
fn names_of_the_contract_with_other_types_do_not_load() {
    let other = text(
        r#"(component
            (core module $m (func (export "f") (result i32) i32.const 0))
            (core instance $i (instantiate $m))
            (func (export "execute") (result u32) (canon lift (core func $i "f"))))"#,
    );
    let error = sandbox().load(&other).expect_err("execute takes a context");
    assert!(matches!(error, SandboxError::OtherWorld { .. }), "{error}");
    assert!(error.to_string().contains("execute"), "{error}");
}

#[test]
fn the_same_bytes_are_compiled_once() {
    let sandbox = sandbox();
    let bytes = hostile("good");
    let first = sandbox.load(&bytes).expect("it loads");
    let started = std::time::Instant::now();
    let second = sandbox.load(&bytes).expect("it loads");
    assert_eq!(first.sha256(), second.sha256());
    assert!(started.elapsed() < std::time::Duration::from_millis(20));
}

/// Attack A08: what would take long to compile is refused by its size and counts, before it is.
#[test]
fn atk_a08_compile_bombs_are_refused_before_they_are_compiled() {
    let bodies = |count: usize| component(&format!("{RUN} {}", "(func)".repeat(count)));
    let modules = |count: usize| text(&format!("(component {})", "(core module)".repeat(count)));
    let nested =
        |depth: usize| text(&format!("{}{}", "(component ".repeat(depth), ")".repeat(depth)));
    let cases = [
        (bodies(100_000), "functions; at most 100000"),
        (modules(65), "65 modules; at most 64"),
        (nested(10), "9 levels of components; at most 8"),
        (vec![0; COMPONENT_BYTES_MAX + 1], "33554433 bytes; at most 33554432"),
    ];
    for (bytes, reason) in cases {
        let error = inspect(&bytes).expect_err(reason).to_string();
        assert!(error.contains(reason), "{error}");
    }
}

/// Attack A13: the contract has no handles, so that there is none to leak.
#[test]
fn atk_a13_the_contract_has_no_handles_to_leak() {
    let resolve = contract();
    assert!(resolve.types.iter().count() > 20, "the contract was read");
    for (_, def) in resolve.types.iter() {
        let kind = &def.kind;
        let is_handle = matches!(kind, TypeDefKind::Resource | TypeDefKind::Handle(_));
        assert!(!is_handle, "{:?} is one", def.name);
    }
}

/// Attack A17: a plug-in has no clock but milliseconds that the host tells it, and nothing to count
/// with beside its own run.
#[test]
fn atk_a17_there_is_no_clock_finer_than_a_millisecond() {
    let resolve = contract();
    let clocks: Vec<_> = resolve
        .interfaces
        .iter()
        .flat_map(|(_, interface)| interface.functions.values())
        .filter(|function| function.name.contains("now") || function.name.contains("time"))
        .collect();
    let names: Vec<_> = clocks.iter().map(|clock| clock.name.as_str()).collect();
    assert_eq!(names, ["now", "server-now"]);
    for clock in clocks {
        assert_eq!(clock.result, Some(Type::S64), "{}: whole milliseconds", clock.name);
    }
    for clock in ["monotonic-clock", "wall-clock"] {
        let other = text(&format!("(component (import \"wasi:clocks/{clock}@0.2.0\" (instance)))"));
        let error = inspect(&other).expect_err(clock);
        assert!(matches!(error, SandboxError::ForeignImport { .. }), "{error}");
    }
}

/// Attack D10: a package is one component, never an archive: no names, links or sizes to lie with.
#[test]
fn atk_d10_an_archive_is_no_package() {
    let archives: [(&str, &[u8]); 5] = [
        ("zip", b"PK\x03\x04\x14\0"),
        ("empty zip", b"PK\x05\x06\0\0"),
        ("gzip", &[0x1f, 0x8b, 8, 0]),
        ("zstd", &[0x28, 0xb5, 0x2f, 0xfd]),
        ("tar", b"../../etc/passwd\0\0\0\0"),
    ];
    for (what, bytes) in archives {
        assert!(matches!(inspect(bytes), Err(SandboxError::NotWasm)), "{what}");
        // Behind a component it is no part of it.
        let behind = [hostile("good").as_slice(), bytes].concat();
        assert!(inspect(&behind).is_err(), "{what} behind a component");
    }
}

fn contract() -> Resolve {
    let mut resolve = Resolve::default();
    resolve.push_path(support::repository("sdk/wit")).expect("sdk/wit is valid");
    resolve
}
