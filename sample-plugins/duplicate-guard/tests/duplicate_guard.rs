//! New contacts with addresses that are taken and free.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use duplicate_guard::refuse_duplicate;
use offstage_sdk::testkit::Organization;
use offstage_sdk::{Entity, Guid, Request};

fn organization() -> Organization {
    Organization::new().with_plugin(&refuse_duplicate::PLUGIN).with_row(
        Entity::with_id("contact", Guid::from_u128(1))
            .with("fullname", "Ann Lee")
            .with("emailaddress1", "Ann@Example.com"),
    )
}

#[test]
fn a_taken_address_is_refused_in_any_case() {
    let cases = [
        (Some("ann@example.com"), false),
        (Some(" ANN@EXAMPLE.COM "), false),
        (Some("ann@example.org"), true),
        (Some(""), true),
        (None, true),
    ];
    for (email, accepted) in cases {
        let contact = Entity::new("contact").with("emailaddress1", email);
        let result = organization().execute(Request::create(contact));
        assert_eq!(result.is_ok(), accepted, "{email:?}");
    }
}

#[test]
fn the_refusal_names_the_other_contact() {
    let contact = Entity::new("contact").with("emailaddress1", "ann@example.com");
    let error = organization().execute(Request::create(contact)).unwrap_err();
    assert_eq!(
        error.message(),
        "ann@example.com belongs to contact Ann Lee already. \
         Open that contact, or use another address."
    );
}

#[test]
fn an_address_taken_on_the_server_meanwhile_rejects_the_playback() {
    let device = Organization::new().with_plugin(&refuse_duplicate::PLUGIN);
    let contact =
        || Request::create(Entity::new("contact").with("emailaddress1", "ann@example.com"));
    device.clone().run_twice(contact()).assert_clean();
    let runs = device.run_twice_against(&organization(), contact());
    assert!(runs.problems()[0].starts_with("the playback is rejected: ann@example.com belongs"));
}
