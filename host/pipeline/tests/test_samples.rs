//! The sample plug-ins, built as components, through both runs.

mod support;

use offstage_model::journal::{EntryState, Verdict};
use offstage_model::{Entity, Query, Request, Uuid, Value};
use offstage_pipeline::Pipeline;
use support::{SAMPLES, World, guest};

const ACCOUNT: Uuid = Uuid::from_u128(0xacc);
const OPPORTUNITY: Uuid = Uuid::from_u128(0x0bb);

/// A world with the sales tables, every sample and one account on both sides.
fn world() -> World {
    let mut world = World::new();
    let tables = include_str!("../../../sample-plugins/tables/sales.json");
    let tables = serde_json::from_str(tables).expect("the table file is valid");
    world.server.define(&world.caller, tables).expect("the tables are defined");
    for sample in SAMPLES {
        let bytes = guest(&sample.replace('-', "_"));
        let registered = world.server.register_package(&world.caller, &bytes);
        let registered = registered.unwrap_or_else(|fault| panic!("{sample}: {fault}"));
        assert!(!registered.steps.is_empty(), "{sample} has no steps");
    }
    let account = Entity::with_id("account", ACCOUNT)
        .with("name", Value::text("Fabrikam"))
        .with("creditlimit", Value::Money(1000.into()));
    world.on_server(Request::create(account)).expect("the account is made");
    world.sync();
    world
}

fn opportunity(value: i64) -> Request {
    Request::create(
        Entity::with_id("opportunity", OPPORTUNITY)
            .with("name", Value::text("100 chairs"))
            .with("estimatedvalue", Value::Money(value.into()))
            .with("parentaccountid", Value::reference("account", ACCOUNT)),
    )
}

fn rows(pipeline: &Pipeline, table: &str) -> Vec<Entity> {
    let mut tx = pipeline.store().read().expect("a snapshot");
    let scope = offstage_store::Scope { user: Uuid::nil() };
    tx.query(&Query::all(table), &scope).expect("rows").entities
}

fn account(pipeline: &Pipeline) -> Entity {
    rows(pipeline, "account").into_iter().find(|a| a.id == Some(ACCOUNT)).expect("the account")
}

#[test]
fn phone_numbers_are_normalised_in_both_runs() {
    let mut world = world();
    let contact = Entity::new("contact")
        .with("lastname", Value::text("Smith"))
        .with("telephone1", Value::text("(425) 555-0100"));
    world.on_device(Request::create(contact)).expect("the contact is made");
    let stored = rows(&world.device, "contact");
    assert_eq!(stored[0].text("telephone1"), Some("+14255550100"));
    let outcomes = world.play();
    let played = outcomes[0].1.as_ref().expect("it is applied");
    assert_eq!(played.report.count(Verdict::Paired), 1, "{:#?}", played.report);
    assert_eq!(rows(&world.server, "contact")[0].text("telephone1"), Some("+14255550100"));
}

#[test]
fn a_number_that_is_none_is_refused_by_the_plugin_and_nothing_is_kept() {
    let world = world();
    let contact = Entity::new("contact")
        .with("lastname", Value::text("Smith"))
        .with("telephone1", Value::text("call me"));
    let fault = world.on_device(Request::create(contact)).expect_err("it is refused");
    assert_eq!(fault.code_text(), "0x80040265");
    assert!(fault.message.contains("telephone1"), "{fault}");
    assert!(rows(&world.device, "contact").is_empty());
}

#[test]
fn one_follow_up_task_and_one_roll_up_come_of_two_runs() {
    let mut world = world();
    world.on_device(opportunity(400)).expect("the opportunity is made");
    assert_eq!(rows(&world.device, "task").len(), 1);
    assert_eq!(account(&world.device).value("openopportunities"), &Value::Integer(1));
    let outcomes = world.play();
    assert_eq!(outcomes[0].0, EntryState::Applied, "{outcomes:#?}");
    assert_eq!(rows(&world.server, "task").len(), 1);
    let server = account(&world.server);
    assert_eq!(server.value("openopportunities"), &Value::Integer(1));
    assert!(server.value("openvalue").same(&Value::Money(400.into())), "{server:?}");
}

#[test]
fn a_guarded_plugin_keeps_its_task() {
    let mut world = world();
    let quote = Entity::new("quote").with("name", Value::text("Q-1"));
    world.on_device(Request::create(quote)).expect("the quote is made");
    let outcomes = world.play();
    let played = outcomes[0].1.as_ref().expect("it is applied");
    assert_eq!(played.report.count(Verdict::CarriedOver), 1, "{:#?}", played.report);
    assert_eq!(rows(&world.server, "task").len(), 1);
}

#[test]
fn the_server_s_credit_rule_rejects_what_the_device_could_not_know() {
    let mut world = world();
    world.on_device(opportunity(5000)).expect("offline nothing speaks against it");
    let outcomes = world.play();
    let (state, result) = &outcomes[0];
    assert_eq!(*state, EntryState::Rejected);
    let fault = result.as_ref().expect_err("it is rejected");
    assert!(fault.message.contains("Fabrikam"), "{fault}");
    assert!(rows(&world.server, "opportunity").is_empty());
    assert!(rows(&world.server, "task").is_empty());
}

#[test]
fn a_second_contact_with_the_same_address_is_refused() {
    let world = world();
    let contact = |address: &str| {
        let row = Entity::new("contact").with("lastname", Value::text("Smith"));
        Request::create(row.with("emailaddress1", Value::text(address)))
    };
    world.on_device(contact("ada@example.com")).expect("the first is made");
    let fault = world.on_device(contact("ADA@example.com")).expect_err("the second is refused");
    assert_eq!(fault.code_text(), "0x80040265");
    assert!(fault.message.contains("Smith"), "{fault}");
}
