//! Figures on the account after every kind of change.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use account_rollup::roll_up;
use offstage_sdk::testkit::Organization;
use offstage_sdk::{Decimal, Entity, EntityReference, Guid, Money, OptionValue, Request};

const FIRST: Guid = Guid::from_u128(1);
const SECOND: Guid = Guid::from_u128(2);

fn account(id: Guid) -> EntityReference {
    EntityReference::new("account", id)
}

fn organization() -> Organization {
    Organization::new()
        .with_plugin(&roll_up::PLUGIN)
        .with_row(Entity::with_id("account", FIRST))
        .with_row(Entity::with_id("account", SECOND))
}

fn deal(number: u128) -> Entity {
    Entity::with_id("opportunity", Guid::from_u128(100 + number))
}

fn new_deal(number: u128, parent: Guid, value: i64) -> Entity {
    let deal = deal(number).with("parentaccountid", account(parent));
    deal.with("estimatedvalue", Money(Decimal::from(value)))
}

fn figures(organization: &Organization, id: Guid) -> (i32, Decimal) {
    let row = organization.row(&account(id)).unwrap();
    let count = row.integer("openopportunities").unwrap().unwrap_or(-1);
    (count, row.money("openvalue").unwrap().unwrap_or_default())
}

#[test]
fn figures_follow_create_change_move_close_and_delete() {
    let organization = organization();
    let none = (-1, Decimal::ZERO);
    let is = |count: i32, value: i64| (count, Decimal::from(value));
    let update = Request::update;
    let cases = [
        ("create", Request::create(new_deal(1, FIRST, 100)), is(1, 100), none),
        ("create", Request::create(new_deal(2, FIRST, 50)), is(2, 150), none),
        ("value", update(deal(1).with("estimatedvalue", Money(30.into()))), is(2, 80), none),
        ("unrelated", update(deal(1).with("name", "Roof")), is(2, 80), none),
        ("move", update(deal(2).with("parentaccountid", account(SECOND))), is(1, 30), is(1, 50)),
        ("close", update(deal(1).with("statecode", OptionValue(1))), is(0, 0), is(1, 50)),
        ("reopen", update(deal(1).with("statecode", OptionValue(0))), is(1, 30), is(1, 50)),
        ("detach", update(deal(1).with("parentaccountid", None::<Guid>)), is(0, 0), is(1, 50)),
        ("delete", Request::delete(deal(2).reference().unwrap()), is(0, 0), is(0, 0)),
    ];
    for (name, request, first, second) in cases {
        organization.execute(request).unwrap();
        assert_eq!(figures(&organization, FIRST), first, "first account after {name}");
        assert_eq!(figures(&organization, SECOND), second, "second account after {name}");
    }
}

#[test]
fn more_opportunities_than_a_page_are_all_counted() {
    let mut organization = organization();
    for number in 0..1200 {
        organization = organization.with_row(new_deal(number, FIRST, 2));
    }
    organization.execute(Request::create(new_deal(5000, FIRST, 3))).unwrap();
    assert_eq!(figures(&organization, FIRST), (1201, Decimal::from(2403)));
}

#[test]
fn both_runs_agree_and_a_missing_account_is_no_error() {
    let organization = organization();
    let runs = organization.run_twice(Request::create(new_deal(1, FIRST, 100)));
    runs.assert_clean();
    assert_eq!(runs.reconciliation.paired(), 1);
    organization.execute(Request::create(new_deal(2, Guid::from_u128(77), 1))).unwrap();
}

#[test]
fn where_the_server_knows_more_its_figures_stand() {
    let server = organization().with_row(new_deal(9, FIRST, 1000));
    let runs = organization().run_twice_against(&server, Request::create(new_deal(1, FIRST, 100)));
    assert_eq!(figures(&server, FIRST), (2, Decimal::from(1100)));
    let effect = &runs.reconciliation.operations[0];
    let columns: Vec<&str> =
        effect.differences.iter().map(|(column, ..)| column.as_str()).collect();
    assert_eq!(columns, ["openopportunities", "openvalue"]);
}
