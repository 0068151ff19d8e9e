//! Opportunities against the credit of their account.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use credit_rule::check_credit;
use offstage_sdk::testkit::{Organization, Pass};
use offstage_sdk::{Decimal, Entity, EntityReference, Guid, Money, Request};

const FINE: Guid = Guid::from_u128(1);
const HELD: Guid = Guid::from_u128(2);
const OPEN: Guid = Guid::from_u128(3);
const DEAL: Guid = Guid::from_u128(9);

fn account(id: Guid, name: &str) -> Entity {
    Entity::with_id("account", id).with("name", name)
}

fn money(amount: i64) -> Money {
    Money(Decimal::from(amount))
}

fn organization() -> Organization {
    Organization::new()
        .with_plugin(&check_credit::PLUGIN)
        .with_row(account(FINE, "Fabrikam").with("creditlimit", money(5000)))
        .with_row(account(HELD, "Litware").with("creditonhold", true))
        .with_row(account(OPEN, "Contoso"))
}

fn deal(account: Guid, value: i64) -> Entity {
    Entity::with_id("opportunity", DEAL)
        .with("parentaccountid", EntityReference::new("account", account))
        .with("estimatedvalue", money(value))
}

#[test]
fn a_new_opportunity_is_judged() {
    let cases = [
        (FINE, 5000, None),
        (FINE, 5001, Some("Credit limit of Fabrikam is 5000; 5001 exceeds it.")),
        (HELD, 1, Some("Litware is on credit hold.")),
        (OPEN, 1_000_000, None),
    ];
    for (account, value, expected) in cases {
        let result = organization().execute(Request::create(deal(account, value)));
        assert_eq!(result.as_ref().err().map(|error| error.message()), expected);
    }
    let unparented = Entity::new("opportunity").with("estimatedvalue", money(1_000_000));
    organization().execute(Request::create(unparented)).unwrap();
}

#[test]
fn an_update_is_judged_with_what_it_does_not_mention() {
    let organization = organization().with_row(deal(FINE, 4000));
    let update = |row: Entity| organization.execute(Request::update(row));
    let row = || Entity::with_id("opportunity", DEAL);
    let error = update(row().with("estimatedvalue", money(6000))).unwrap_err();
    assert_eq!(error.message(), "Credit limit of Fabrikam is 5000; 6000 exceeds it.");
    let held = EntityReference::new("account", HELD);
    let error = update(row().with("parentaccountid", held)).unwrap_err();
    assert_eq!(error.message(), "Litware is on credit hold.");
    update(row().with("name", "Roof")).unwrap();
    update(row().with("parentaccountid", EntityReference::new("account", OPEN))).unwrap();
    update(row().with("estimatedvalue", money(6000))).unwrap();
}

#[test]
fn the_device_accepts_what_playback_rejects() {
    let organization = organization();
    assert!(organization.run_as(Pass::Offline, Request::create(deal(HELD, 1))).steps.is_empty());
    let runs = self::organization().run_twice(Request::create(deal(HELD, 1)));
    assert!(runs.offline.result.is_ok());
    assert_eq!(runs.problems(), ["the playback is rejected: Litware is on credit hold."]);
}
