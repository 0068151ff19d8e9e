//! What a device says that its plug-ins did, under the server's policy: nothing of it is taken that
//! the plug-in may not do here. And requests that carry more than their message reads.

mod support;

use offstage_model::journal::EntryState;
use offstage_model::registration::StepDeclaration;
use offstage_model::request::{message, parameter};
use offstage_model::{
    Entity, EntityReference, Fault, Parameter, Query, Request, Uuid, Value, code,
};
use offstage_pipeline::{Pipeline, StepChange};
use offstage_policy::{PolicyFile, TrustFile};
use support::World;
use support::value::row_id;

const EVERYTHING: &str = include_str!("../../../policies/tests.toml");

fn policy(deny: &str) -> PolicyFile {
    let text = format!(
        "{EVERYTHING}\n[[deny]]\npackage = \"test/script\"\nreason = \"test\"\ndeny = [{deny}]\n"
    );
    PolicyFile::parse(&text, "policy.toml").expect("the policy is valid")
}

fn rows(pipeline: &Pipeline, table: &str) -> Vec<Entity> {
    let mut tx = pipeline.store().read().expect("a snapshot");
    let scope = offstage_store::Scope { user: Uuid::nil() };
    tx.query(&Query::all(table), &scope).expect("rows").entities
}

fn step(key: &str, table: &str, options: &str, script: &str) -> StepDeclaration {
    let json = format!(r#"{{"key":"{key}","message":"Create","table":"{table}",{options}}}"#);
    let mut step: StepDeclaration = serde_json::from_str(&json).expect("a step");
    step.configuration = script.to_owned();
    step
}

fn letter() -> Request {
    Request::create(Entity::new("letter").with("subject", Value::text("dear")))
}

/// A world whose device ran a step that made a task and set a column of the letter.
fn played(options: &str, change: impl FnOnce(&World)) -> (World, EntryState, Option<Fault>) {
    let mut world = World::new();
    let script = "return-if playback\nset description s:set\ncreate task subject=s:made";
    world.add_step(step("maker", "letter", options, script)).expect("the step is added");
    world.sync();
    world.on_device(letter()).expect("the device allows it");
    assert_eq!(rows(&world.device, "task").len(), 1);
    change(&world);
    let (state, outcome) = world.play().remove(0);
    (world, state, outcome.err())
}

/// The ways in which a step's recorded work is taken over instead of being done again.
const CARRYING: [(&str, &str); 3] = [
    ("a step for offline only", r#""stage":20,"deployment":1"#),
    ("a step that runs once", r#""stage":20,"deployment":2,"playback":"once""#),
    ("a step that returns early in playback", r#""stage":20,"deployment":2"#),
];

#[test]
fn what_the_server_grants_is_taken_over() {
    for (name, options) in CARRYING {
        let (world, state, fault) = played(options, |_| {});
        assert_eq!((state, fault), (EntryState::Applied, None), "{name}");
        assert_eq!(rows(&world.server, "task").len(), 1, "{name}");
        assert_eq!(rows(&world.server, "letter")[0].text("description"), Some("set"), "{name}");
    }
}

/// Attack E10: the device's own policy, loosened or not, counts for nothing on the server.
#[test]
fn atk_e10_what_the_server_denies_is_not_taken_over() {
    let denials = [
        r#"{ table = "task", verbs = ["create"] }"#,
        r#"{ table = "task", verbs = ["create"], columns = ["subject"] }"#,
        r#"{ table = "letter", verbs = ["create"], columns = ["description"] }"#,
    ];
    for (name, options) in CARRYING {
        for denial in denials {
            let (world, state, fault) =
                played(options, |world| world.server.set_policy(policy(denial)));
            let fault = fault.unwrap_or_else(|| panic!("{name}: {denial}"));
            assert_eq!(fault.code, code::PRIVILEGE_DENIED, "{name}: {denial}: {fault}");
            assert_eq!(state, EntryState::Rejected, "{name}: {denial}");
            // Refused as a whole, with the device's row still there to be decided about.
            assert!(rows(&world.server, "task").is_empty(), "{name}: {denial}");
            assert!(rows(&world.server, "letter").is_empty(), "{name}: {denial}");
        }
    }
}

/// Attack D14: what a package did on a device is not taken once the server does not allow it.
#[test]
fn atk_d14_what_a_package_did_before_it_was_revoked_is_not_taken_over() {
    for (name, options) in CARRYING {
        let (world, state, fault) = played(options, |world| {
            let trust = TrustFile::parse("", "trust.toml").expect("an empty file");
            world.server.set_trust(trust);
        });
        let fault = fault.unwrap_or_else(|| panic!("{name}"));
        assert_eq!(fault.code, code::PRIVILEGE_DENIED, "{name}: {fault}");
        assert!(fault.message.contains("'test/script' is not allowed"), "{name}: {fault}");
        assert_eq!(state, EntryState::Rejected, "{name}");
        assert!(rows(&world.server, "task").is_empty(), "{name}");
    }
}

/// Disabled is not denied: a step that is switched off here may have run on the device.
#[test]
fn what_a_disabled_package_did_is_taken_over_under_its_grants() {
    let options = r#""stage":20,"deployment":1"#;
    let disable = |world: &World| {
        let done = world.server.set_package_enabled(&world.caller, "test/script", false);
        done.expect("it is disabled");
    };
    let (world, state, fault) = played(options, disable);
    assert_eq!((state, fault), (EntryState::Applied, None));
    assert_eq!(rows(&world.server, "task").len(), 1);
    let (world, state, _) = played(options, |world| {
        disable(world);
        world.server.set_policy(policy(r#"{ table = "task", verbs = ["create"] }"#));
    });
    assert_eq!(state, EntryState::Rejected);
    assert!(rows(&world.server, "task").is_empty());
}

/// Each message reads one parameter for what it is about; another one must not stand in for it.
#[test]
fn a_request_is_about_what_its_message_reads() {
    let (task, call) = (row_id("tsk"), row_id("call"));
    let moniker = |id| Parameter::Value(Value::reference("phonecall", id));
    let state = Request::new(message::SET_STATE)
        .with(parameter::TARGET, Parameter::Value(Value::reference("task", task)))
        .with(parameter::ENTITY_MONIKER, moniker(call))
        .with(parameter::STATE, Parameter::Value(Value::Option(1)))
        .with(parameter::STATUS, Parameter::Value(Value::Option(2)));
    assert_eq!((state.primary_table(), state.primary_id()), ("phonecall", Some(call)));
    let query = Request::retrieve_multiple(Query::all("contact"))
        .with(parameter::TARGET, Parameter::Value(Value::reference("task", task)));
    assert_eq!((query.primary_table(), query.primary_id()), ("contact", None));

    // So the steps of the table that changes are those that run.
    let world = World::new();
    for row in [
        Entity::with_id("task", task).with("subject", Value::text("t")),
        Entity::with_id("phonecall", call).with("subject", Value::text("p")),
    ] {
        world.on_server(Request::create(row)).expect("the row is made");
    }
    let json = r#"{"key":"calls","message":"SetState","table":"phonecall","stage":20}"#;
    let mut rule: StepDeclaration = serde_json::from_str(json).expect("a step");
    rule.configuration = "throw not yet".to_owned();
    world.add_step(rule).expect("the step is added");
    let fault = world.on_server(state).expect_err("its step refuses");
    assert_eq!(fault.step.as_deref(), Some("calls"), "{fault}");
}

#[test]
fn a_step_cannot_turn_an_associate_to_another_relationship() {
    let world = World::new();
    let (account, contact) = (row_id("acc"), row_id("con"));
    for row in [
        Entity::with_id("account", account).with("name", Value::text("Fabrikam")),
        Entity::with_id("contact", contact).with("lastname", Value::text("Lee")),
    ] {
        world.on_server(Request::create(row)).expect("the row is made");
    }
    let associate = || {
        Request::new(message::ASSOCIATE)
            .with(parameter::TARGET, Parameter::Value(Value::reference("account", account)))
            .with(
                parameter::RELATIONSHIP,
                Parameter::Value(Value::text("contact_customer_accounts")),
            )
            .with(
                parameter::RELATED_ENTITIES,
                Parameter::References(vec![EntityReference::new("contact", contact)]),
            )
    };
    let json = r#"{"key":"turn","message":"Associate","stage":20}"#;
    let rule: StepDeclaration = serde_json::from_str(json).expect("a step");
    world.add_step(rule).expect("the step is added");
    let set = |script: &str| {
        let change = StepChange::Configuration(script.to_owned());
        world.server.change_step(&world.caller, "turn", change).expect("the step is changed");
        world.on_server(associate())
    };
    let fault =
        set("input-set Relationship s:account_parent_account").expect_err("it is about another");
    assert_eq!(fault.code, code::ISV_UNEXPECTED, "{fault}");
    set("input-set Relationship s:contact_customer_accounts").expect("nothing changed");
}

/// The answer's id is for the caller; what later entries mean is the row that was made.
#[test]
fn an_answer_that_a_step_changed_makes_no_alias() {
    let mut world = World::new();
    let other = row_id("other");
    world
        .on_server(Request::create(
            Entity::with_id("task", other).with("subject", Value::text("other")),
        ))
        .expect("the row is made");
    let script = format!("output-id {other}");
    world
        .add_step(step("answer", "task", r#""stage":40,"deployment":0"#, &script))
        .expect("the step is added");
    world.sync();
    let mine = row_id("mine");
    let row = |text: &str| Entity::with_id("task", mine).with("subject", Value::text(text));
    world.on_device(Request::upsert(row("made"))).expect("it is made");
    world.on_device(Request::update(row("changed"))).expect("it is changed");
    for (state, outcome) in world.play() {
        assert_eq!(state, EntryState::Applied, "{outcome:?}");
    }
    let subject = |id: Uuid| {
        let found = rows(&world.server, "task").into_iter().find(|row| row.id == Some(id));
        found.and_then(|row| row.text("subject").map(str::to_owned))
    };
    assert_eq!(subject(mine).as_deref(), Some("changed"));
    assert_eq!(subject(other).as_deref(), Some("other"));
}

/// Names that a plug-in makes up reach people: as plain text, and in bounds.
#[test]
fn names_that_a_plugin_makes_up_do_no_harm() {
    let world = World::new();
    world.add_step(step("scripted", "letter", r#""stage":40"#, "")).expect("the step is added");
    world.server.set_policy(policy(r#"{ table = "*", verbs = ["delete"] }"#));
    let run = |script: &str| {
        let change = StepChange::Configuration(script.to_owned());
        world.server.change_step(&world.caller, "scripted", change).expect("the step is changed");
        world.on_server(letter()).expect_err("it is refused")
    };
    let fault = run(&format!("delete task;rm {}", row_id("tsk")));
    let hint = fault.hint.clone().unwrap_or_default();
    assert!(!hint.contains(';'), "{hint}");
    let fault = run(&format!("delete task\u{1b}[2J {}", row_id("tsk")));
    assert!(!fault.message.contains('\u{1b}'), "{fault:?}");
}
