//! What the policy lets a plug-in do, through the real pipeline with a real plug-in: each host
//! function granted and denied, and attacks on the table capabilities by their ids.

mod support;

use offstage_model::registration::StepDeclaration;
use offstage_model::request::message;
use offstage_model::{Entity, Fault, Query, Request, Uuid, Value, code};
use offstage_pipeline::{AuditRecord, DenialRecord, StepChange};
use offstage_policy::{Capability, PolicyFile};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use support::value::row_id;
use support::{AUDIT, World};

/// Everything, by explicit wildcards: what `policies/tests.toml` gives to test plug-ins.
const EVERYTHING: &str = include_str!("../../../policies/tests.toml");

/// The host function that most rows are about.
const EXECUTE: &str = "organization/execute";

/// Requests that a plug-in can make, and one capability that each needs. The first column is the
/// interface and function of `sdk/wit/plugin.wit`.
const MATRIX: &[(&str, &str, &str, &str)] = &[
    (EXECUTE, "create task subject=s:x", "table", "create:task.subject"),
    (EXECUTE, "create task subject=s:x", "table", "create:task"),
    (EXECUTE, "update account {acc} name=s:x", "table", "update:account.name"),
    (EXECUTE, "delete task {tsk}", "table", "delete:task"),
    (EXECUTE, "get account {acc} creditlimit", "table", "read:account.creditlimit"),
    (EXECUTE, "upsert account {acc} fax=s:1", "table", "update:account.fax"),
    (EXECUTE, "upsert account {acc} fax=s:1", "table", "create:account.fax"),
    (EXECUTE, "query contact fullname - -", "table", "read:contact.fullname"),
    (EXECUTE, "query contact contactid - -", "table", "read:contact"),
    (EXECUTE, "query contact * - -", "table", "read:contact.*"),
    (EXECUTE, "query contact fullname jobtitle=s:x -", "table", "read:contact.jobtitle"),
    (EXECUTE, "query contact fullname - jobtitle", "table", "read:contact.jobtitle"),
    (
        EXECUTE,
        "query contact fullname parentcustomerid_account/creditlimit=m:1 -",
        "table",
        "read:account.creditlimit",
    ),
    (
        EXECUTE,
        "query contact fullname parentcustomerid_account/creditlimit=m:1 -",
        "table",
        "read:contact.parentcustomerid",
    ),
    (EXECUTE, "state task {tsk} 1 5", "message", "SetState"),
    (EXECUTE, "state task {tsk} 1 5", "table", "update:task.statecode"),
    (EXECUTE, "state task {tsk} 1 5", "table", "update:task.statuscode"),
    (EXECUTE, "update task {tsk} statuscode=o:5", "table", "update:task.statecode"),
    (EXECUTE, "create task statuscode=o:2", "table", "create:task.statecode"),
    (EXECUTE, "assign account {acc} {usr}", "message", "Assign"),
    (EXECUTE, "assign account {acc} {usr}", "table", "update:account.ownerid"),
    (EXECUTE, "link account {acc} contact_customer_accounts contact {con}", "message", "Associate"),
    (
        EXECUTE,
        "link account {acc} contact_customer_accounts contact {con}",
        "table",
        "update:contact.parentcustomerid",
    ),
    (
        EXECUTE,
        "link account {acc} contact_customer_accounts contact {con}",
        "table",
        "read:account",
    ),
    (
        EXECUTE,
        "unlink account {acc} contact_customer_accounts contact {con}",
        "message",
        "Disassociate",
    ),
    (
        EXECUTE,
        "unlink account {acc} contact_customer_accounts contact {con}",
        "table",
        "read:contact",
    ),
    (
        EXECUTE,
        "link team {tea} teammembership_association systemuser {usr}",
        "table",
        "read:systemuser",
    ),
    (
        EXECUTE,
        "link team {tea} teammembership_association systemuser {usr}",
        "table",
        "create:teammembership",
    ),
    (EXECUTE, "send WhoAmI", "message", "WhoAmI"),
    (EXECUTE, "send RetrieveVersion", "message", "RetrieveVersion"),
    ("files/write", "write shared a.txt x", "file", "write:shared"),
    ("files/read", "write shared a.txt x\nread shared a.txt", "file", "read:shared"),
    ("files/remove", "remove-file shared a.txt", "file", "write:shared"),
    ("files/list", "list shared", "file", "read:shared"),
    ("http/enqueue", "http POST https://hooks.example.com/ x", "http", "https://hooks.example.com"),
    (
        "http/enqueue",
        "http-secret https://hooks.example.com/ hooks-token",
        "secret",
        "hooks-token@https://hooks.example.com",
    ),
];

/// Host functions that reach nothing beyond the operation that runs, each with a script that calls it:
/// any plug-in may.
const FREE: [(&str, &str); 8] = [
    ("organization/parent-context", "trace {parent-message}"),
    ("organization/is-offline-playback", "trace {playback}"),
    ("operation/now", "trace {now}"),
    ("operation/server-now", "trace {server-now}"),
    ("operation/new-guid", "trace {guid}"),
    ("operation/random", "trace {random}"),
    ("operation/keyed-guid", "trace {key:k}"),
    ("tracing/trace", "trace done"),
];

/// One test at a time may look at the audit: it is the process's.
static ORDER: Mutex<()> = Mutex::new(());

/// A server with a few rows and a step on Create of a letter that runs a script.
fn world() -> World {
    let world = World::new();
    let rows = [
        Entity::with_id("account", row_id("acc"))
            .with("name", Value::text("Fabrikam"))
            .with("creditlimit", Value::Money(1.into())),
        Entity::with_id("contact", row_id("con"))
            .with("lastname", Value::text("Lee"))
            .with("parentcustomerid", Value::reference("account", row_id("acc"))),
        Entity::with_id("contact", row_id("co2")).with("lastname", Value::text("Diaz")),
        Entity::with_id("contact", row_id("co3")).with("lastname", Value::text("Kim")),
        Entity::with_id("task", row_id("tsk")).with("subject", Value::text("call")),
        Entity::with_id("team", row_id("tea")).with("name", Value::text("Sales")),
    ];
    for row in rows {
        world.on_server(Request::create(row)).expect("the row is made");
    }
    world.add_step(step("scripted", 40)).expect("the step is added");
    world
}

fn step(key: &str, stage: u32) -> StepDeclaration {
    let json = format!(
        r#"{{"key":"{key}","message":"Create","table":"letter","stage":{stage},"deployment":2}}"#
    );
    serde_json::from_str(&json).expect("a step")
}

fn with_ids(world: &World, script: &str) -> String {
    let mut script = script.replace("{usr}", &world.caller.user.to_string());
    for name in ["acc", "con", "tsk", "tea"] {
        script = script.replace(&format!("{{{name}}}"), &row_id(name).to_string());
    }
    script
}

/// Runs a script under a policy: the step runs it when a letter is made.
#[expect(clippy::result_large_err, reason = "a test looks at both at once")]
fn run(
    world: &World,
    policy: &str,
    key: &str,
    script: &str,
) -> Result<Vec<DenialRecord>, (Fault, Vec<DenialRecord>)> {
    let policy = policy.to_owned() + &support::directories(world.files.path(), "server");
    let policy = PolicyFile::parse(&policy, "policy.toml").expect("the policy is valid");
    world.server.set_policy(policy);
    let change = StepChange::Configuration(with_ids(world, script));
    world.server.change_step(&world.caller, key, change).expect("the step is changed");
    AUDIT.take();
    let letter = Entity::new("letter").with("subject", Value::text("dear"));
    let result = world.on_server(Request::create(letter));
    let records = denials();
    match result {
        Ok(_) => Ok(records),
        Err(fault) => Err((fault, records)),
    }
}

fn without(kind: &str, resource: &str) -> String {
    let capability = Capability::parse(kind, resource).expect("a capability");
    format!(
        "{EVERYTHING}\n[[deny]]\npackage = \"test/script\"\nreason = \"test\"\ndeny = [{}]\n",
        capability.rule_line()
    )
}

fn letters(world: &World) -> usize {
    let mut tx = world.server.store().read().expect("a snapshot");
    let scope = offstage_store::Scope { user: Uuid::nil() };
    tx.query(&Query::all("letter"), &scope).expect("rows").entities.len()
}

/// The functions that the contract's world imports, as `interface/function`.
fn contract() -> BTreeSet<String> {
    let mut resolve = wit_parser::Resolve::default();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/wit");
    let (package, _) = resolve.push_path(path).expect("sdk/wit is valid");
    let world = resolve.select_world(&[package], Some("plugin")).expect("it has the world");
    let mut functions = BTreeSet::new();
    for item in resolve.worlds[world].imports.values() {
        match item {
            wit_parser::WorldItem::Interface { id, .. } => {
                let interface = &resolve.interfaces[*id];
                let name = interface.name.as_deref().expect("interfaces have names");
                functions.extend(interface.functions.keys().map(|f| format!("{name}/{f}")));
            }
            wit_parser::WorldItem::Function(function) => {
                functions.insert(function.name.clone());
            }
            wit_parser::WorldItem::Type { .. } => {}
        }
    }
    functions
}

/// The matrix has every function of the contract, and nothing that the contract has not.
#[test]
fn every_function_of_the_contract_is_in_the_matrix() {
    let rows = MATRIX.iter().map(|(function, ..)| *function);
    let tested: BTreeSet<String> =
        rows.chain(FREE.iter().map(|(function, _)| *function)).map(str::to_owned).collect();
    assert_eq!(contract(), tested, "left: the contract, right: the matrix");
    for (function, _) in FREE {
        assert!(!MATRIX.iter().any(|(name, ..)| *name == function), "{function} is in both");
    }
}

/// Functions without a capability work under a policy that grants nothing.
#[test]
fn functions_that_reach_nothing_need_no_grant() {
    let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    let world = world();
    for (function, script) in FREE {
        let records = run(&world, "", "scripted", script)
            .unwrap_or_else(|(fault, _)| panic!("{function}: {fault}"));
        assert!(records.is_empty(), "{function}: {records:?}");
    }
}

#[test]
fn atk_b01_every_table_and_column_granted_and_denied() {
    check_matrix("table", 15);
}

#[test]
fn atk_b07_every_message_granted_and_denied() {
    check_matrix("message", 6);
}

#[test]
fn atk_c04_files_granted_and_denied() {
    check_matrix("file", 4);
}

#[test]
fn atk_c16_origins_granted_and_denied() {
    check_matrix("http", 1);
}

#[test]
fn atk_c14_secrets_granted_and_denied() {
    check_matrix("secret", 1);
}

/// Every kind of capability has rows, or a test of its own.
#[test]
fn every_kind_of_capability_is_in_the_matrix() {
    for kind in Capability::KINDS.into_iter().filter(|kind| *kind != "impersonate") {
        assert!(MATRIX.iter().any(|(_, _, of, _)| *of == kind), "no row is about '{kind}'");
    }
}

/// A message that a plug-in cannot carry out, and so is denied and granted in a test of its own: the
/// contract's `parameter` has no list of requests, so none can be inside.
const EMPTY: &str = "send ExecuteTransaction";

/// The message that the first command of a script sends.
fn message_of(script: &str) -> &str {
    let words: Vec<&str> = script.split_whitespace().collect();
    match words[0] {
        "create" => message::CREATE,
        "update" => message::UPDATE,
        "delete" => message::DELETE,
        "get" => message::RETRIEVE,
        "upsert" => message::UPSERT,
        "query" => message::RETRIEVE_MULTIPLE,
        "state" => message::SET_STATE,
        "assign" => message::ASSIGN,
        "link" => message::ASSOCIATE,
        "unlink" => message::DISASSOCIATE,
        "send" => words[1],
        other => panic!("{other} sends no message that is known here"),
    }
}

/// Every message that a plug-in may name is granted and denied, and no other is.
#[test]
fn every_message_is_in_the_matrix() {
    let rows = MATRIX.iter().filter(|(function, ..)| *function == EXECUTE);
    let tested: BTreeSet<&str> =
        rows.map(|(_, script, ..)| *script).chain([EMPTY]).map(message_of).collect();
    assert_eq!(tested, message::ALL.iter().copied().collect());
}

/// The message is asked about before anything else; a plug-in that may send it has nothing to put
/// into it.
#[test]
fn atk_b07_a_transaction_of_a_plug_in_needs_its_message() {
    let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    let world = world();
    for (policy, cause) in [
        (without("message", message::EXECUTE_TRANSACTION), "denied"),
        (String::new(), "not-granted"),
    ] {
        let (fault, records) = run(&world, &policy, "scripted", EMPTY).expect_err("it is denied");
        check_denial(&fault, &records, EMPTY, cause);
        assert_eq!(records[0].capability, "message ExecuteTransaction");
    }
    let (fault, records) = run(&world, EVERYTHING, "scripted", EMPTY).expect_err("it is empty");
    assert_eq!(fault.code, code::INVALID_ARGUMENT, "{fault}");
    assert!(fault.message.contains("Requests"), "{fault}");
    assert!(records.is_empty(), "{records:?}");
}

/// Without a grant nothing is done, with one it is: each row of one kind, granted, denied by a rule,
/// and granted by nobody.
fn check_matrix(of: &str, rows_min: usize) {
    let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    let rows = MATRIX.iter().filter(|(_, _, kind, _)| *kind == of);
    let mut checked = 0;
    for (_, script, kind, resource) in rows {
        checked += 1;
        let world = world();
        let capability = format!("{kind} {resource}");
        let records = run(&world, EVERYTHING, "scripted", script)
            .unwrap_or_else(|(fault, _)| panic!("{script}, granted: {fault}"));
        assert!(records.is_empty(), "{script}: {records:?}");
        let before = letters(&world);

        let world = self::world();
        let (fault, records) =
            run(&world, &without(kind, resource), "scripted", script).expect_err("it is denied");
        check_denial(&fault, &records, script, "denied");
        assert_eq!(records[0].capability, capability, "{script}");
        assert_eq!(records[0].rule, format!("policy.toml:{}", deny_line()), "{script}");
        assert_eq!(letters(&world), before - 1, "{script}: everything is rolled back");

        let (fault, records) = run(&world, "", "scripted", script).expect_err("it is denied");
        check_denial(&fault, &records, script, "not-granted");
        assert!(records[0].remedy.contains("[[grant]]"), "{:?}", records[0]);
    }
    assert!(checked >= rows_min, "{checked} rows are about {of}");
}

fn deny_line() -> usize {
    EVERYTHING.lines().count() + 5
}

/// What the policy denied since the last look.
fn denials() -> Vec<DenialRecord> {
    let denial = |record| match record {
        AuditRecord::Denial(denial) => Some(denial),
        _ => None,
    };
    AUDIT.take().into_iter().filter_map(denial).collect()
}

fn check_denial(fault: &Fault, records: &[DenialRecord], script: &str, cause: &str) {
    assert_eq!(fault.code, code::PRIVILEGE_DENIED, "{script}: {fault}");
    assert_eq!(fault.step.as_deref(), Some("scripted"), "{script}");
    assert!(fault.hint.as_deref().unwrap_or("").contains("policy explain test/script"), "{script}");
    assert_eq!(records.len(), 1, "{script}: {records:?}");
    let record = &records[0];
    assert_eq!(record.cause, cause, "{script}: {record:?}");
    assert!(record.requested && record.reason.is_some(), "{script}: {record:?}");
    assert_eq!((record.package.as_str(), record.step.as_str()), ("test/script", "scripted"));
    let line = AuditRecord::Denial(record.clone()).to_line();
    assert!(line.starts_with("{\"event\":\"denial\""), "{line}");
    assert!(!line.contains('\n') && line.contains("\"requested\":true"), "{line}");
}

/// A secret leaves over https only, whatever the policy grants.
#[test]
fn a_secret_is_never_sent_in_the_clear() {
    let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    let world = world();
    let script = "http-secret http://hooks.example.com/ hooks-token";
    let (fault, records) = run(&world, EVERYTHING, "scripted", script).expect_err("in the clear");
    assert_eq!(fault.code, code::INVALID_ARGUMENT, "{fault}");
    assert!(fault.message.contains("over https only"), "{fault}");
    assert!(records.is_empty(), "no grant is asked: {records:?}");
    run(&world, EVERYTHING, "scripted", "http-secret https://hooks.example.com/ hooks-token")
        .expect("over https");
}

/// The plug-in is told code and capability; the rule and the file are for the operator only.
#[test]
fn atk_e08_a_denial_tells_the_plugin_no_more_than_the_capability() {
    let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    let world = world();
    let there = "get account {acc} creditlimit";
    let absent = "get account 00000000-0000-0000-0000-00000000dead creditlimit";
    let unknown = "get nosuchtable {acc} creditlimit";
    let texts: Vec<String> = [there, absent, unknown]
        .iter()
        .map(|script| run(&world, "", "scripted", script).expect_err("denied").0.message)
        .collect();
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[2], texts[0].replace("account", "nosuchtable"));
    for text in &texts {
        assert!(!text.contains("policy.toml") && !text.contains("grant"), "{text}");
    }
}

/// Linking rows, and undoing it, says whether they exist: who may not read them is not told.
#[test]
fn atk_e08_links_do_not_tell_whether_rows_exist() {
    let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    let world = world();
    let absent = "00000000-0000-0000-0000-00000000dead";
    for (verb, relationship, rows, unreadable) in [
        ("link", "contact_customer_accounts", ["account {acc}", "contact {con}"], "account"),
        ("link", "contact_customer_accounts", ["account {acc}", "contact {con}"], "contact"),
        ("unlink", "contact_customer_accounts", ["account {acc}", "contact {con}"], "contact"),
        ("link", "teammembership_association", ["team {tea}", "systemuser {usr}"], "systemuser"),
        ("unlink", "teammembership_association", ["team {tea}", "systemuser {usr}"], "team"),
    ] {
        let there = format!("{verb} {} {relationship} {}", rows[0], rows[1]);
        let at = rows.iter().find(|row| row.starts_with(unreadable)).expect("one of both");
        let gone = there.replace(at, &format!("{unreadable} {absent}"));
        let policy = without("table", &format!("read:{unreadable}"));
        let told = |script: &str, policy: &str| {
            run(&world, policy, "scripted", script).expect_err("it fails").0
        };
        let texts = [&there, &gone].map(|script| told(script, &policy));
        assert_eq!(texts[0].code, code::PRIVILEGE_DENIED, "{there}: {}", texts[0]);
        assert_eq!(texts[0].message, texts[1].message, "{there}");
        // The control: with the right to read, it is told.
        let fault = told(&gone, EVERYTHING);
        assert_eq!(fault.code, code::OBJECT_DOES_NOT_EXIST, "{gone}: {fault}");
    }
}

/// Attack C14: a secret is for the origins that the policy says, whatever else a package may reach.
/// Without any, it is for the one origin that the package is granted; of two, neither gets it.
#[test]
fn atk_c14_a_secret_is_for_its_origins_only() {
    let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    let world = world();
    let send = |host: &str| format!("http-secret https://{host}.example.com/ hooks-token");
    let (hooks, other) =
        ("{ http = \"https://hooks.example.com\" }", "{ http = \"https://other.example.com\" }");
    let below = "{ http = \"https://*.example.com\" }";
    let to = |origin: &str| {
        format!("{{ secret = \"hooks-token\", origins = [\"https://{origin}.example.com\"] }}")
    };
    let bare = "{ secret = \"hooks-token\" }".to_owned();
    let cases = [
        (vec![hooks, other], to("hooks"), true, false),
        (vec![hooks, other], to("other"), false, true),
        (vec![hooks, other], to("*"), true, true),
        (vec![hooks], bare.clone(), true, false),
        (vec![hooks, hooks], bare.clone(), true, false),
        (vec![hooks, other], bare.clone(), false, false),
        (vec![below], bare, false, false),
        (vec![hooks], to("other"), false, false),
    ];
    for (origins, secret, to_hooks, to_other) in cases {
        let rules: Vec<String> = origins.iter().map(|o| (*o).to_owned()).chain([secret]).collect();
        let policy = PolicyFile::grant_lines("test/*", "tests", &rules);
        for (host, is_sent) in [("hooks", to_hooks), ("other", to_other)] {
            let result = run(&world, &policy, "scripted", &send(host));
            assert_eq!(result.is_ok(), is_sent, "{rules:?}, {host}: {result:?}");
            let Err((fault, _)) = result else { continue };
            assert_eq!(fault.code, code::PRIVILEGE_DENIED, "{rules:?}, {host}: {fault}");
        }
    }
    // What a denial says to add is what helps, and what is denied for one origin is for that one.
    let rules = [hooks.to_owned(), other.to_owned()];
    let policy = PolicyFile::grant_lines("test/*", "tests", &rules);
    let (_, records) = run(&world, &policy, "scripted", &send("other")).expect_err("denied");
    assert_eq!(records[0].capability, "secret hooks-token@https://other.example.com");
    let (_, lines) = records[0].remedy.split_once('\n').expect("the lines to add");
    let policy = policy + lines;
    run(&world, &policy, "scripted", &send("other")).unwrap_or_else(|(fault, _)| panic!("{fault}"));
    run(&world, &policy, "scripted", &send("hooks")).expect_err("it is not for that one");
    let both = PolicyFile::grant_lines("test/*", "tests", &[below.to_owned(), to("*")]);
    let deny =
        format!("\n[[deny]]\npackage = \"*\"\nreason = \"tests\"\ndeny = [{}]\n", to("other"));
    run(&world, &(both.clone() + &deny), "scripted", &send("other")).expect_err("denied");
    run(&world, &(both + &deny), "scripted", &send("hooks")).unwrap_or_else(|(f, _)| panic!("{f}"));
}

/// Going on after a denial fails the request, and a denial that is repeated is one record.
#[test]
fn a_denial_is_recorded_once_and_cannot_be_swallowed() {
    let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    let world = world();
    let script = "catch get account {acc} name\ncatch get account {acc} name\ntrace on";
    let (fault, records) = run(&world, "", "scripted", script).expect_err("it is denied");
    assert_eq!(fault.code, code::ISV_TRANSACTION_COUNT, "{fault}");
    assert_eq!(records.len(), 1, "{records:?}");
    let mut tx = world.server.store().read().expect("a snapshot");
    let traces = tx.traces(&offstage_store::TraceFilter::default(), 100);
    let traces = traces.expect("traces");
    assert!(
        traces.iter().any(|t| t.trace.contains("[host] the policy denied table read:account")),
        "{traces:#?}"
    );
}

/// Attack B02: another table is reached by a lookup only with its own grant. (`$expand`, links and
/// aggregates do not exist in the query model.)
#[test]
fn atk_b02_a_path_to_another_table_needs_both() {
    let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    let world = world();
    let contact_only = "[[grant]]\npackage = \"test/script\"\nreason = \"r\"\nallow = [\
        { table = \"contact\", verbs = [\"read\"], columns = [\"*\"] }]\n";
    let direct = "query contact fullname - -";
    run(&world, contact_only, "scripted", direct).unwrap_or_else(|(fault, _)| panic!("{fault}"));
    let through = "query contact fullname parentcustomerid_account/creditlimit=m:1 -";
    let (_, records) = run(&world, contact_only, "scripted", through).expect_err("it is denied");
    assert_eq!(records[0].capability, "table read:account.creditlimit");
    // A path that does not exist tells no more than one that is denied.
    let nowhere = "query contact fullname nosuchlookup/creditlimit=m:1 -";
    let nothing = run(&world, "", "scripted", nowhere).expect_err("it is denied").0;
    assert_eq!(nothing.code, code::PRIVILEGE_DENIED, "{nothing}");
}

/// Attack B04: tables of the store itself are no tables of the model, whatever is granted.
#[test]
fn atk_b04_system_tables_do_not_exist_for_a_plugin() {
    let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    let world = world();
    let names = [
        "sqlite_master",
        "SQLITE_MASTER",
        "\"sqlite_master\"",
        "main.sqlite_master",
        "sqlite_schema",
        "sqlite_temp_master",
        "pragma_table_info",
        "journal",
        "\"journal\"",
        "_journal",
        "receipts",
        "applied",
        "settings",
        "packages",
        "steps",
        "traces",
        "policy",
        "trust",
        "contact\";--",
        "contact--",
        "[contact]",
        "`contact`",
        "Contact",
        "CONTACT",
    ];
    for name in names {
        for script in [
            format!("query {name} * - -"),
            format!("create {name} a=s:1"),
            format!("delete {name} {{acc}}"),
            format!("update {name} {{acc}} sql=s:1"),
            format!("query contact fullname {name}/name=s:1 -"),
            format!("query contact {name} - -"),
            format!("query contact fullname - {name}"),
        ] {
            let result = run(&world, EVERYTHING, "scripted", &script);
            let (fault, _) = result.expect_err(&script);
            assert!(
                [
                    code::UNKNOWN_TABLE,
                    code::UNKNOWN_COLUMN,
                    code::INVALID_QUERY,
                    code::PRIVILEGE_DENIED
                ]
                .contains(&fault.code),
                "{script}: {fault}"
            );
        }
    }
}

/// Attack B05: a wildcard never covers writing owner and state; the platform's own columns are
/// refused even when they are named.
#[test]
fn atk_b05_protected_columns_need_their_names() {
    let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    let world = world();
    let star = "[[grant]]\npackage = \"test/script\"\nreason = \"r\"\nallow = [\
        { table = \"*\", verbs = [\"create\", \"read\", \"update\"], columns = [\"*\"] }]\n";
    for (script, capability) in [
        ("update account {acc} ownerid=r:systemuser:{usr}", "update:account.ownerid"),
        ("update task {tsk} statecode=o:1", "update:task.statecode"),
        ("update task {tsk} statuscode=o:5", "update:task.statuscode"),
        ("create task subject=s:x statecode=o:1", "create:task.statecode"),
        ("create account name=s:x owningbusinessunit=null", "create:account.owningbusinessunit"),
    ] {
        let (_, records) = run(&world, star, "scripted", script).expect_err(script);
        assert_eq!(records[0].capability, format!("table {capability}"), "{script}");
    }
    run(&world, star, "scripted", "update account {acc} name=s:x")
        .unwrap_or_else(|(fault, _)| panic!("{fault}"));
    // The platform's own columns are nobody's to write, whatever is granted.
    world.add_step(step("before", 20)).expect("the step is added");
    let value = "r:systemuser:{usr}";
    for column in ["createdby", "modifiedby"] {
        for (key, script) in [
            ("scripted", format!("update account {{acc}} {column}={value}")),
            ("scripted", format!("create account name=s:x {column}={value}")),
            ("scripted", format!("upsert account {{acc}} {column}={value}")),
            ("before", format!("set {column} {value}")),
        ] {
            let idle = StepChange::Configuration(String::new());
            let other = if key == "before" { "scripted" } else { "before" };
            world.server.change_step(&world.caller, other, idle).expect("it is changed");
            let (fault, _) = run(&world, EVERYTHING, key, &script).expect_err(&script);
            assert_eq!(fault.code, code::READ_ONLY_COLUMN, "{script}: {fault}");
        }
    }
}

/// Columns of Target that a step of stage 10 or 20 writes, sets to the same, or takes away.
#[test]
fn columns_of_target_are_written_with_a_grant_only() {
    let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    for stage in [10, 20] {
        let world = world();
        world.add_step(step("before", stage)).expect("the step is added");
        let denied = without("table", "create:letter.description");
        for script in ["set description s:x", "remove description", "touch description"] {
            run(&world, EVERYTHING, "before", script).unwrap_or_else(|(fault, _)| {
                panic!("{script}, granted: {fault}");
            });
            let (fault, records) = run(&world, &denied, "before", script).expect_err(script);
            assert_eq!(fault.code, code::PRIVILEGE_DENIED, "{script}: {fault}");
            assert_eq!(records[0].capability, "table create:letter.description", "{script}");
            assert_eq!(fault.step.as_deref(), Some("before"));
        }
    }
}

#[test]
fn an_image_shows_only_columns_that_may_be_read() {
    let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    for (attributes, capability) in
        [(r#"["subject"]"#, "read:letter.subject"), ("[]", "read:letter.*")]
    {
        let world = world();
        let json = format!(
            r#"{{"key":"imaged","message":"Update","table":"letter","stage":40,
               "images":[{{"alias":"pre","kind":"pre","attributes":{attributes}}}]}}"#
        );
        world.add_step(serde_json::from_str(&json).expect("a step")).expect("it is added");
        let id = row_id("let");
        let letter = Entity::with_id("letter", id).with("subject", Value::text("dear"));
        world.on_server(Request::create(letter)).expect("the letter is made");
        let update = || {
            let letter = Entity::with_id("letter", id).with("subject", Value::text("sir"));
            world.on_server(Request::update(letter))
        };
        update().expect("everything is granted");
        let policy = PolicyFile::parse(&without("table", "read:letter.subject"), "policy.toml");
        world.server.set_policy(policy.expect("a policy"));
        AUDIT.take();
        let fault = update().expect_err("the image is denied");
        assert_eq!(fault.code, code::PRIVILEGE_DENIED, "{fault}");
        assert_eq!(denials()[0].capability, format!("table {capability}"));
    }
}

#[test]
fn a_step_acts_as_another_user_with_a_grant_only() {
    let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    let world = world();
    let mut declaration = step("acting", 40);
    declaration.deployment = 0.try_into().expect("a deployment");
    declaration.impersonate = Some(row_id("boss"));
    declaration.configuration = "trace {user}".into();
    world.add_step(declaration).expect("the step is added");
    run(&world, EVERYTHING, "acting", "trace {user}")
        .unwrap_or_else(|(fault, _)| panic!("{fault}"));
    let user = row_id("boss").to_string();
    let (fault, records) =
        run(&world, &without("impersonate", &user), "acting", "trace {user}").expect_err("denied");
    assert_eq!(fault.code, code::PRIVILEGE_DENIED, "{fault}");
    assert_eq!(records[0].capability, format!("impersonate {user}"));
}

/// Attack B10: rows of one query are bounded by the policy; pages are made to fit.
#[test]
fn atk_b10_a_query_returns_no_more_rows_than_granted() {
    let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    let world = world();
    let limited = EVERYTHING.replacen(
        "{ message = \"*\" },",
        "{ message = \"*\" },\n  { limit = \"rows_per_query\", value = 2 },",
        1,
    );
    let script = "query contact fullname - -\nthrow {got}";
    let count = |policy: &str| run(&world, policy, "scripted", script).expect_err("it throws").0;
    assert_eq!(count(EVERYTHING).message, "3");
    assert_eq!(count(&limited).message, "2");
    run(&world, &limited, "scripted", "top contact fullname 2")
        .unwrap_or_else(|(fault, _)| panic!("{fault}"));
    let (fault, _) =
        run(&world, &limited, "scripted", "top contact fullname 3").expect_err("too many");
    assert_eq!(fault.code, code::TOO_LARGE_A_REQUEST, "{fault}");
}

#[test]
fn a_limit_of_the_policy_ends_the_run() {
    let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    let world = world();
    let limit = |name: &str, value: u64| {
        let rule = format!("{{ message = \"*\" }},\n  {{ limit = \"{name}\", value = {value} }},");
        EVERYTHING.replacen("{ message = \"*\" },", &rule, 1)
    };
    let script = "get account {acc} name\nget account {acc} name";
    run(&world, EVERYTHING, "scripted", script).unwrap_or_else(|(fault, _)| panic!("{fault}"));
    for (name, value, expected) in [
        ("fuel", 1_000, code::PLUGIN_TIMEOUT),
        ("memory_bytes", 65_536, code::PLUGIN_CRASHED),
        ("organization_calls", 1, code::PLUGIN_CRASHED),
    ] {
        let (fault, _) = run(&world, &limit(name, value), "scripted", script).expect_err(name);
        assert_eq!(fault.code, expected, "{name}: {fault}");
        run(&world, EVERYTHING, "scripted", script).unwrap_or_else(|(f, _)| panic!("{name}: {f}"));
    }
}

/// Attack E10: the device decides by its own policy: what the server grants does not count there.
#[test]
fn atk_e10_server_and_device_decide_on_their_own() {
    let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    let mut world = world();
    let script = with_ids(&world, "create task subject=s:x");
    let change = StepChange::Configuration(script);
    world.server.change_step(&world.caller, "scripted", change).expect("it is changed");
    world.sync();
    world.device.set_policy(PolicyFile::missing("policy.toml"));
    let letter = || Request::create(Entity::new("letter").with("subject", Value::text("dear")));
    let fault = world.on_device(letter()).expect_err("the device denies it");
    assert_eq!(fault.code, code::PRIVILEGE_DENIED, "{fault}");
    world.on_server(letter()).expect("the server allows it");
    // And the other way round: what the device allowed, the server's policy judges in playback.
    let policy = PolicyFile::parse(EVERYTHING, "policy.toml").expect("a policy");
    world.device.set_policy(policy);
    world.on_device(letter()).expect("the device allows it");
    world.server.set_policy(PolicyFile::missing("policy.toml"));
    let outcomes = world.play();
    let fault = outcomes[0].1.as_ref().expect_err("the server denies it");
    assert_eq!(fault.code, code::PRIVILEGE_DENIED, "{fault}");
}
