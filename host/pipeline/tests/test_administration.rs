//! What only an administrator may do about plug-ins, one by one.

mod support;

use offstage_model::metadata::DefinitionFile;
use offstage_model::registration::StepDeclaration;
use offstage_model::{Fault, code};
use offstage_pipeline::{Caller, Pipeline, StepChange};
use support::World;
use support::hostile::{HOSTILE, STEP, harmless};

type Act = fn(&Pipeline, &Caller) -> Result<(), Fault>;

fn step(key: &str) -> StepDeclaration {
    let json = format!(
        r#"{{"key":"{key}","message":"Create","table":"account","stage":20,"deployment":2}}"#
    );
    serde_json::from_str(&json).expect("a step")
}

/// Everything that changes what runs, in an order in which each of them works.
const ACTS: [(&str, Act); 10] = [
    ("register", |p, c| p.register_package(c, &harmless()).map(drop)),
    ("add a step", |p, c| p.add_step(c, HOSTILE, "tests.Hostile", step("added")).map(drop)),
    ("change a step", |p, c| p.change_step(c, "added", StepChange::Rank(5)).map(drop)),
    ("disable a step", |p, c| p.change_step(c, STEP, StepChange::Enabled(false)).map(drop)),
    ("remove a step", |p, c| p.remove_step(c, "added")),
    ("disable", |p, c| p.set_package_enabled(c, HOSTILE, false).map(drop)),
    ("enable", |p, c| p.set_package_enabled(c, HOSTILE, true).map(drop)),
    ("resume", |p, c| p.resume_package(c, HOSTILE).map(drop)),
    ("define", |p, c| {
        let file: DefinitionFile = serde_json::from_str("{}").expect("an empty file");
        p.define(c, file).map(drop)
    }),
    ("remove", |p, c| p.remove_package(c, HOSTILE)),
];

/// Attack J14: with a user's rights nothing about plug-ins can be changed.
#[test]
fn atk_j14_only_an_administrator_changes_what_runs() {
    let world = World::new();
    world.pin(&harmless());
    let user = Caller { administrator: false, ..support::caller() };
    let registered = || {
        let registry = world.server.registry().expect("a registry");
        (registry.hash.clone(), registry.packages.clone(), registry.steps.clone())
    };
    for (what, act) in ACTS {
        let before = registered();
        let fault = act(&world.server, &user).expect_err(what);
        assert_eq!(fault.code, code::PRIVILEGE_DENIED, "{what}: {fault}");
        assert_eq!(registered(), before, "{what}");
        act(&world.server, &world.caller).unwrap_or_else(|fault| panic!("{what}: {fault}"));
    }
}
