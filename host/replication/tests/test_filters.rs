//! Data filters: unions, parents, changes of the filter, and copies of a device's token.

mod support;

use offstage_model::query::{Condition, Filter, Operator};
use offstage_model::{Entity, Request, Uuid, Value, code};
use offstage_replication::Silent;
use offstage_replication::wire::PrepareRequest;
use offstage_subscription::DataFilter;
use support::{World, rename};

fn filter(name: &str, table: &str, filter: Option<Filter>) -> DataFilter {
    DataFilter { name: name.into(), table: table.into(), filter }
}

fn named(prefix: &str) -> Filter {
    Filter::condition("name", Operator::BeginsWith, vec![Value::text(prefix)])
}

fn contact(world: &World, account: Uuid) -> Uuid {
    let row = Entity::new("contact")
        .with("lastname", Value::text("Lovelace"))
        .with("parentcustomerid", Value::reference("account", account));
    world.run(Request::create(row)).expect("created").id().expect("an id")
}

fn of_accounts_named(prefix: &str) -> Filter {
    Filter::Condition(Condition {
        path: vec!["parentcustomerid_account".into()],
        column: "name".into(),
        operator: Operator::BeginsWith,
        values: vec![Value::text(prefix)],
    })
}

#[test]
fn rows_enter_and_leave_with_their_parent() {
    let world = World::new();
    let (yes, no) = (world.account("A1"), world.account("B1"));
    let (of_yes, of_no) = (contact(&world, yes), contact(&world, no));
    let unit = world.device();
    unit.device
        .set_filters(vec![filter("mine", "contact", Some(of_accounts_named("A")))])
        .expect("set");
    unit.go_offline();
    assert!(unit.row("contact", of_yes).is_some() && unit.row("contact", of_no).is_none());
    unit.go_online();
    world.run(rename(yes, "B2")).expect("renamed");
    world.run(rename(no, "A2")).expect("renamed");
    let report = unit.device.sync(&Silent).expect("refreshed");
    assert_eq!((report.rows, report.removals), (1, 1));
    assert!(unit.row("contact", of_yes).is_none() && unit.row("contact", of_no).is_some());
    unit.assert_same();
    world.run(Request::delete("account", no)).expect("deleted");
    unit.device.sync(&Silent).expect("refreshed");
    assert!(unit.row("contact", of_no).is_none(), "its parent is gone");
    unit.assert_same();
}

#[test]
fn several_filters_are_a_union_and_a_changed_one_is_looked_at_anew() {
    let world = World::new();
    let ids: Vec<_> = ["A", "B", "C"].iter().map(|name| world.account(name)).collect();
    let unit = world.device();
    let set = |filters: Vec<DataFilter>| unit.device.set_filters(filters).expect("set");
    let here = || ids.iter().map(|id| unit.row("account", *id).is_some()).collect::<Vec<_>>();
    set(vec![filter("a", "account", Some(named("A"))), filter("b", "account", Some(named("B")))]);
    unit.go_offline();
    assert_eq!(here(), [true, true, false]);
    unit.go_online();
    set(vec![filter("b", "account", Some(named("B"))), filter("c", "account", Some(named("C")))]);
    let report = unit.device.sync(&Silent).expect("refreshed");
    assert_eq!((report.rows, report.removals), (1, 1));
    assert_eq!(here(), [false, true, true]);
    unit.assert_same();
    set(vec![filter("users", "systemuser", None)]);
    unit.device.sync(&Silent).expect("refreshed");
    assert_eq!(here(), [false, false, false], "a table without a filter is not taken");
    unit.assert_same();
}

#[test]
fn bad_filters_are_refused() {
    let world = World::new();
    let unit = world.device();
    let refuse = |f: DataFilter| unit.device.set_filters(vec![f]).expect_err("refused").code;
    assert_eq!(refuse(filter("x", "nothing", None)), code::UNKNOWN_TABLE);
    let unknown = Filter::eq("nothing", Value::text("x"));
    assert_eq!(refuse(filter("x", "account", Some(unknown))), code::UNKNOWN_COLUMN);
}

#[test]
fn a_token_from_the_past_is_a_fork_and_renewing_ends_it() {
    let world = World::new();
    world.account("a");
    let unit = world.device();
    let status = unit.device.status().expect("status");
    unit.go_offline();
    unit.go_online();
    world.account("b");
    unit.device.sync(&Silent).expect("refreshed");
    world.account("c");
    unit.device.sync(&Silent).expect("refreshed");
    let old = PrepareRequest { device: status.device, token: "0".repeat(32) };
    let fault = world.service.prepare(&world.ada, &old).expect_err("an unknown link");
    assert_eq!(fault.code, code::DEVICE_FORKED);
    let renewed = unit.device.renew().expect("renewed");
    assert_eq!(renewed.epoch, status.epoch + 1);
    unit.go_offline();
    let id = unit.account("in the new epoch");
    assert_eq!(unit.go_online().applied, 1);
    assert!(world.server_row("account", id).is_some());
    unit.assert_same();
}

#[test]
fn a_server_that_was_restored_gets_its_devices_back_in_step() {
    let world = World::new();
    let id = world.account("a");
    let unit = world.device();
    unit.go_offline();
    unit.go_online();
    let mut tx = world.server.store().write().expect("a transaction");
    tx.put_setting(offstage_replication::server::INCARNATION, &Uuid::from_u128(7)).expect("set");
    tx.commit().expect("kept");
    world.run(Request::delete("account", id)).expect("deleted");
    let report = unit.device.sync(&Silent).expect("refreshed");
    assert!(report.rows > 0, "everything comes again");
    assert!(unit.row("account", id).is_none());
    unit.assert_same();
}

#[test]
fn rows_outside_of_the_filter_stay_on_the_server_and_are_named() {
    let world = World::new();
    let unit = world.device();
    unit.device.set_filters(vec![filter("a", "account", Some(named("A")))]).expect("set");
    unit.go_offline();
    let script = "create account name=s:B-by-the-server";
    world.server_step(("copy", 40), ("Create", "contact"), &[], script);
    let contact = Request::create(Entity::new("contact").with("lastname", Value::text("Lovelace")));
    let id = unit.run(contact).expect("created").id().expect("an id");
    unit.go_online();
    let outside = unit.device.entry(1).expect("the entry").outside;
    // The contact is outside too: no filter takes contacts.
    assert_eq!(outside.len(), 2, "{outside:?}");
    assert!(outside.iter().any(|row| row.table == "contact" && row.id == id), "{outside:?}");
    let account = outside.iter().find(|row| row.table == "account").expect("the step's row");
    assert!(world.server_row("account", account.id).is_some());
    assert!(unit.row("account", account.id).is_none());
    unit.assert_same();
}
