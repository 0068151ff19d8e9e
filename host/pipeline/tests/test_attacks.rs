//! Attacks of the threat model that a plug-in makes from the inside, by their numbers; the cases are
//! in `cases/attacks.case`. What a policy denies is in `test_policy`, what ends a run in `test_limits`.

mod support;

use offstage_model::query::{CONDITIONS_MAX, FILTER_DEPTH_MAX, Filter, IN_VALUES_MAX, Operator};
use offstage_model::registration::StepDeclaration;
use offstage_model::{Entity, Fault, Query, Request, Value, code};
use offstage_pipeline::StepChange;
use offstage_policy::PolicyFile;
use std::collections::BTreeSet;
use support::World;

const CASES: &str = include_str!("cases/attacks.case");

/// A test for each case, by its title.
macro_rules! attacks {
    ($($test:ident,)*) => {
        $(
            #[test]
            fn $test() {
                check(stringify!($test));
            }
        )*
        /// The cases that have a test.
        const ATTACKS: &[&str] = &[$(stringify!($test)),*];
    };
}

attacks! {
    atk_a19_a_plug_in_that_fails_after_it_wrote_leaves_nothing,
    atk_b08_a_plug_in_that_triggers_itself_ends_at_the_depth_limit,
    atk_b13_a_shared_variable_stays_in_its_operation,
    atk_b14_a_plug_in_that_behaves_on_one_side_only_forks_nothing,
    atk_c04_a_grant_to_read_neither_writes_nor_removes,
    atk_c07_a_directory_never_holds_more_than_its_quota,
    atk_c16_a_grant_of_an_origin_is_for_one_port,
}

fn check(title: &str) {
    let cases = support::scenario::cases(CASES);
    let case = cases.iter().find(|case| case.title == title).expect("a case of this title");
    support::scenario::run("attacks.case", case);
}

#[test]
fn no_case_is_forgotten() {
    let cases = support::scenario::cases(CASES);
    let titles: BTreeSet<&str> = cases.iter().map(|case| case.title.as_str()).collect();
    assert_eq!(titles, ATTACKS.iter().copied().collect());
    assert_eq!(titles.len(), cases.len(), "two cases have one title");
}

/// Attack B11: each size of a query and of a value at its limit, and beyond it.
#[test]
fn atk_b11_queries_and_values_are_bounded() {
    let world = World::new();
    let one = || Filter::eq("lastname", Value::text("x"));
    let names = |count| (0..count).map(|_| Value::text("x")).collect();
    let within = |count| Filter::condition("lastname", Operator::In, names(count));
    let nested = |depth| (1..depth).fold(one(), |inner, _| Filter::All(vec![inner]));
    let many = |count| Filter::Any((0..count).map(|_| one()).collect());
    let ask = |filter| {
        let query = Query::matching("contact", filter);
        world.on_server(Request::retrieve_multiple(query)).map(drop)
    };
    for (what, at, beyond) in [
        ("values", within(IN_VALUES_MAX), within(IN_VALUES_MAX + 1)),
        ("depth", nested(FILTER_DEPTH_MAX), nested(FILTER_DEPTH_MAX + 1)),
        ("conditions", many(CONDITIONS_MAX), many(CONDITIONS_MAX + 1)),
    ] {
        ask(at).unwrap_or_else(|fault| panic!("{what}: {fault}"));
        let fault = ask(beyond).expect_err(what);
        assert_eq!(fault.code, code::INVALID_QUERY, "{what}: {fault}");
    }
    let columns = |count| Query {
        columns: Some(vec!["lastname".to_owned(); count]),
        ..Query::all("contact")
    };
    world.on_server(Request::retrieve_multiple(columns(500))).expect("so many columns");
    let fault = world.on_server(Request::retrieve_multiple(columns(501))).expect_err("one more");
    assert_eq!(fault.code, code::INVALID_QUERY, "{fault}");
    // A text of its column's length, one more, and one beyond every column.
    let make = |length: usize| {
        let name = Value::text("x".repeat(length));
        world.on_server(Request::create(Entity::new("contact").with("lastname", name))).map(drop)
    };
    let catalog = world.server.catalog();
    let column = catalog.column("contact", "lastname").expect("the column");
    let length = column.length_max() as usize;
    make(length).expect("as long as the column is");
    for length in [length + 1, 1 << 20, 80 << 20] {
        let fault = make(length).expect_err("too long");
        assert!(!fault.is_transient() && fault.http_status() < 500, "{length}: {fault}");
    }
}

/// A policy with entries about registration.
fn bounded(world: &World, entries: &str) {
    let text = format!("{}\n{entries}", include_str!("../../../policies/tests.toml"));
    let text = text + &support::directories(world.files.path(), "server");
    world.server.set_policy(PolicyFile::parse(&text, "policy.toml").expect("the policy is valid"));
}

fn step(message: &str, table: &str, stage: u32, rank: i32) -> StepDeclaration {
    let json = format!(
        r#"{{"key":"bounded","message":"{message}","table":"{table}","stage":{stage},"rank":{rank}}}"#
    );
    serde_json::from_str(&json).expect("a step")
}

/// Registers a step, and takes it away again.
fn try_step(world: &World, step: StepDeclaration) -> Result<(), Fault> {
    world.add_step(step)?;
    world.server.remove_step(&world.caller, "bounded")
}

/// Attack D11: the policy bounds on what, where, when and in which order steps run.
#[test]
fn atk_d11_registration_is_bounded_by_message_table_stage_and_rank() {
    let world = World::new();
    // Without an entry the administrator decides, but nobody comes before everybody.
    try_step(&world, step("Update", "account", 10, 1)).expect("the first rank");
    for rank in [0, -1, i32::MIN] {
        let fault = try_step(&world, step("Update", "account", 10, rank)).expect_err("too early");
        assert_eq!(fault.code, code::PRIVILEGE_DENIED, "{fault}");
        assert!(fault.hint.as_deref().is_some_and(|h| h.contains("[[registration]]")), "{fault:?}");
    }
    let entries = "[[registration]]\npackage = \"test/*\"\nreason = \"r\"\n\
        messages = [\"Create\", \"Update\"]\ntables = [\"account\"]\nstages = [20, 40]\n\
        ranks = [100, 999]\n\n[[registration]]\npackage = \"test/script\"\nreason = \"r\"\n\
        messages = [\"Delete\"]\nranks = [-5, -5]\n\n\
        [[registration]]\npackage = \"other/*\"\nreason = \"r\"\n";
    bounded(&world, entries);
    let allowed = [
        step("Create", "account", 20, 100),
        step("Update", "account", 40, 999),
        step("Delete", "contact", 10, -5),
        step("Delete", "", 10, -5),
    ];
    for step in allowed {
        let shown = format!("{step:?}");
        try_step(&world, step).unwrap_or_else(|fault| panic!("{shown}: {fault}"));
    }
    // Each is outside in one way; no two entries together cover one step.
    let denied = [
        (step("Retrieve", "account", 40, 100), "its message 'Retrieve'"),
        (step("Create", "contact", 20, 100), "its table 'contact'"),
        (step("Create", "", 20, 100), "for every table"),
        (step("Create", "account", 10, 100), "its stage 10"),
        (step("Create", "account", 20, 99), "its rank 99 is not from 100 to 999"),
        (step("Create", "account", 20, 1_000), "its rank 1000 is not from 100 to 999"),
        (step("Delete", "account", 20, 100), "its message 'Delete'"),
        (step("Create", "account", 20, -5), "its rank -5 is not from 100 to 999"),
    ];
    for (step, reason) in denied {
        let fault = try_step(&world, step).expect_err(reason);
        assert_eq!(fault.code, code::PRIVILEGE_DENIED, "{fault}");
        assert!(fault.message.contains(reason), "{fault}");
        assert!(fault.hint.as_deref().is_some_and(|h| h.contains("policy.toml:")), "{fault:?}");
    }
}

/// Attack D11, by the other ways to a step: a change of it, and the package's own declaration.
#[test]
fn atk_d11_changes_and_declared_steps_are_bounded_too() {
    let world = World::new();
    world.add_step(step("Create", "account", 20, 5)).expect("nothing bounds it yet");
    let early = StepChange::Rank(-1);
    let fault = world.server.change_step(&world.caller, "bounded", early).expect_err("too early");
    assert_eq!(fault.code, code::PRIVILEGE_DENIED, "{fault}");
    bounded(
        &world,
        "[[registration]]\npackage = \"test/*\"\nreason = \"r\"\nstages = [40]\nranks = [1, 9]\n",
    );
    // What was registered before is told, and cannot be changed into something else that is outside.
    let outside = world.server.steps_outside_policy().expect("the registry");
    let [(key, denial)] = outside.as_slice() else { panic!("{outside:?}") };
    assert_eq!((key.as_str(), denial.reason.contains("its stage 20")), ("bounded", true));
    let rank = StepChange::Rank(6);
    world.server.change_step(&world.caller, "bounded", rank).expect_err("its stage is outside");
    // The package declares a step on stage 40, which is within; now it is not any more.
    world.server.register_package(&world.caller, &support::SCRIPT).expect("it is within");
    bounded(
        &world,
        "[[registration]]\npackage = \"test/*\"\nreason = \"r\"\ntables = [\"account\"]\n",
    );
    let fault =
        world.server.register_package(&world.caller, &support::SCRIPT).expect_err("outside");
    assert!(fault.message.contains("'script-idle'"), "{fault}");
}
