//! Phone numbers as people type them.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use offstage_sdk::testkit::Organization;
use offstage_sdk::{Entity, EntityReference, Guid, Request, codes};
use phone_numbers::normalize;

const ID: Guid = Guid::from_u128(1);

fn organization() -> Organization {
    Organization::new().with_plugin(&normalize::PLUGIN)
}

#[test]
fn numbers_become_e164() {
    let cases = [
        ("US", "(202) 555-0173", "+12025550173"),
        ("US", "+49 30 901820", "+4930901820"),
        ("US", "202-555-0173 ext. 12", "+12025550173 x12"),
        ("DE", "030 901820", "+4930901820"),
        ("de", "0049 30 901820", "+4930901820"),
        ("GB", "020 7946 0958", "+442079460958"),
        ("", "2025550173", "+12025550173"),
    ];
    for (region, typed, expected) in cases {
        let organization = organization().with_configuration("phone-on-contact-create", region);
        let contact = Entity::with_id("contact", ID).with("telephone1", typed);
        organization.execute(Request::create(contact)).unwrap();
        let row = organization.row(&EntityReference::new("contact", ID)).unwrap();
        assert_eq!(row.text("telephone1").unwrap(), Some(expected), "{typed} in {region}");
    }
}

#[test]
fn a_normalised_number_stays_as_it_is() {
    for typed in ["+12025550173", "+12025550173 x12"] {
        let row = Entity::new("account").with("fax", typed);
        let run = organization().run(Request::create(row));
        run.result.unwrap();
        assert!(run.steps[0].changes.is_empty(), "{typed}");
    }
}

#[test]
fn an_unreadable_number_is_refused_with_its_column() {
    let organization = organization().with_row(Entity::with_id("contact", ID));
    let change = Entity::with_id("contact", ID).with("mobilephone", "call me");
    let error = organization.execute(Request::update(change)).unwrap_err();
    assert_eq!(error.code(), codes::ISV_ABORTED);
    assert!(
        error.message().starts_with("Mobile Phone (mobilephone): \"call me\" is no phone number"),
        "{error}"
    );
    assert!(
        !organization.row(&EntityReference::new("contact", ID)).unwrap().contains("mobilephone")
    );
}

#[test]
fn columns_that_are_empty_or_not_mentioned_are_left_alone() {
    let organization = organization().with_row(Entity::with_id("contact", ID));
    let run =
        organization.run(Request::update(Entity::with_id("contact", ID).with("lastname", "Ito")));
    assert!(run.steps.is_empty());
    let cleared = Entity::with_id("contact", ID).with("fax", None::<&str>).with("telephone1", " ");
    let run = organization.run(Request::update(cleared));
    assert!(run.result.is_ok() && run.steps[0].changes.is_empty());
}

#[test]
fn both_runs_agree() {
    let contact =
        Entity::new("contact").with("telephone1", "202 555 0173").with("fax", "2025550174");
    let runs = organization().run_twice(Request::create(contact));
    runs.assert_clean();
    assert_eq!(runs.reconciliation.paired(), 2);
}
