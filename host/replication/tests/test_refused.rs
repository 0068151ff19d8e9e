//! Entries that a rule of the server refuses: what waits for them, what becomes of the local rows,
//! and what a person can do.

mod support;

use offstage_model::journal::EntryState;
use offstage_model::{Entity, Request, Uuid, Value, code};
use offstage_replication::Silent;
use support::{Unit, World, rename, set};

fn states(unit: &Unit) -> Vec<EntryState> {
    let rows = unit.device.journal(&Default::default()).expect("the journal");
    rows.into_iter().map(|row| row.state).collect()
}

fn contact_of(account: Uuid) -> Request {
    Request::create(
        Entity::new("contact")
            .with("lastname", Value::text("Lovelace"))
            .with("parentcustomerid", Value::reference("account", account)),
    )
}

use EntryState::{Applied, Blocked, Discarded, Rejected};

#[test]
fn a_rejected_create_blocks_what_refers_to_it_and_leaves_no_ghost() {
    let world = World::new();
    let other = world.account("other");
    let unit = world.device();
    unit.go_offline();
    world.refuse("no-accounts", "Create", "account", &[]);
    let id = unit.account("refused");
    unit.run(rename(id, "refused still")).expect("updated");
    let contact = unit.run(contact_of(id)).expect("created").id().expect("an id");
    unit.run(set(other, "fax", "1")).expect("updated");
    let counts = unit.go_online();
    assert_eq!((counts.applied, counts.rejected, counts.blocked), (1, 1, 2));
    assert_eq!(states(&unit), [Rejected, Blocked, Blocked, Applied]);
    assert!(unit.row("account", id).is_none() && unit.row("contact", contact).is_none());
    unit.assert_same();
    let attention = unit.device.attention().expect("the list");
    assert_eq!(attention[0].fault.as_ref().expect("why").message, "the rule says no");
    assert_eq!((attention[1].blocked_by, attention[2].blocked_by), (Some(1), Some(1)));
}

#[test]
fn a_rejected_update_returns_to_the_server_and_blocks_only_its_columns() {
    let world = World::new();
    let id = world.account("server");
    let unit = world.device();
    unit.go_offline();
    world.refuse("no-fax", "Update", "account", &["fax"]);
    unit.run(set(id, "fax", "1")).expect("updated");
    unit.run(set(id, "telephone1", "2")).expect("updated");
    unit.run(set(id, "fax", "3")).expect("updated");
    let counts = unit.go_online();
    assert_eq!(states(&unit), [Rejected, Applied, Blocked], "{counts:?}");
    let row = unit.row("account", id).expect("here");
    assert_eq!((row.text("fax"), row.text("telephone1")), (None, Some("2")));
    unit.assert_same();
}

#[test]
fn a_retry_online_takes_the_place_of_the_refused_entry_and_unblocks() {
    let world = World::new();
    let unit = world.device();
    unit.go_offline();
    world.refuse("no-accounts", "Create", "account", &[]);
    let id = unit.account("later");
    unit.run(contact_of(id)).expect("created");
    unit.go_online();
    world.allow("no-accounts");
    let fault = unit.device.retry(9, &Silent).expect_err("there is no such entry");
    assert_eq!(fault.code, code::NOT_FOUND);
    assert_eq!(unit.device.retry(1, &Silent).expect("retried"), 3);
    assert_eq!(unit.device.retry(2, &Silent).expect("retried"), 4);
    assert_eq!(states(&unit), [Rejected, Blocked, Applied, Applied]);
    assert!(unit.device.attention().expect("the list").is_empty());
    assert_eq!(unit.row("account", id).expect("the same id").text("name"), Some("later"));
    let fault = unit.device.retry(1, &Silent).expect_err("it was retried");
    assert_eq!(fault.code, code::WRONG_STATE);
    unit.assert_same();
}

#[test]
fn a_retry_offline_runs_the_request_again() {
    let world = World::new();
    let id = world.account("server");
    let unit = world.device();
    unit.go_offline();
    world.refuse("no-fax", "Update", "account", &["fax"]);
    unit.run(set(id, "fax", "1")).expect("updated");
    unit.go_online();
    unit.go_offline();
    assert_eq!(unit.device.retry(1, &Silent).expect("retried"), 2);
    assert_eq!(unit.row("account", id).expect("here").text("fax"), Some("1"));
    world.allow("no-fax");
    assert_eq!(unit.go_online().applied, 1);
    assert_eq!(world.server_row("account", id).expect("there").text("fax"), Some("1"));
    unit.assert_same();
}

#[test]
fn retries_of_two_refused_entries_on_one_column_do_not_wait_for_each_other() {
    let world = World::new();
    let id = world.account("server");
    let unit = world.device();
    unit.go_offline();
    world.refuse("no-fax", "Update", "account", &["fax"]);
    unit.run(set(id, "fax", "1")).expect("updated");
    unit.run(set(id, "fax", "3")).expect("updated");
    unit.go_online();
    assert_eq!(unit.device.retry(1, &Silent).expect("retried"), 3);
    assert_eq!(unit.device.retry(2, &Silent).expect("retried"), 4);
    assert_eq!(states(&unit), [Rejected, Blocked, Rejected, Blocked], "in the original order");
    world.allow("no-fax");
    unit.device.retry(3, &Silent).expect("retried");
    unit.device.retry(4, &Silent).expect("retried");
    assert_eq!(states(&unit)[4..], [Applied, Applied]);
    assert_eq!(world.server_row("account", id).expect("there").text("fax"), Some("3"));
    unit.assert_same();
}

#[test]
fn an_edit_sends_other_values() {
    let world = World::new();
    let unit = world.device();
    unit.go_offline();
    world.refuse("no-accounts", "Create", "account", &[]);
    let id = unit.account("wrong");
    unit.go_online();
    world.allow("no-accounts");
    let columns = [("name".to_owned(), Value::text("right"))].into();
    unit.device.edit(1, &columns, &Silent).expect("edited");
    assert_eq!(world.server_row("account", id).expect("there").text("name"), Some("right"));
    unit.assert_same();
}

#[test]
fn a_discard_takes_what_waits_for_it_along() {
    let world = World::new();
    let unit = world.device();
    unit.go_offline();
    world.refuse("no-accounts", "Create", "account", &[]);
    let id = unit.account("never");
    unit.run(contact_of(id)).expect("created");
    let kept = unit.account("also never");
    unit.go_online();
    assert_eq!(unit.device.discard(1, &Silent).expect("discarded"), [1, 2]);
    assert_eq!(states(&unit), [Rejected, Blocked, Rejected, Discarded, Discarded]);
    let attention = unit.device.attention().expect("the list");
    assert_eq!(attention.iter().map(|a| a.row.sequence).collect::<Vec<_>>(), [3]);
    assert!(unit.row("account", kept).is_none());
    unit.assert_same();
}

#[test]
fn an_entry_that_was_not_played_cannot_be_discarded() {
    let world = World::new();
    let unit = world.device();
    unit.go_offline();
    unit.account("open");
    let fault = unit.device.discard(1, &Silent).expect_err("it is open");
    assert_eq!(fault.code, code::WRONG_STATE);
}
