//! One task per opportunity and per quote, whether the plug-in is guarded or not.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use follow_up_task::{guarded, unguarded};
use offstage_sdk::testkit::{Organization, Outcome};
use offstage_sdk::{Entity, EntityReference, Guid, PluginError, Request};

const ID: Guid = Guid::from_u128(1);

fn organization() -> Organization {
    Organization::new().with_plugin(&unguarded::PLUGIN).with_plugin(&guarded::PLUGIN)
}

fn create(table: &str) -> Request {
    Request::create(Entity::with_id(table, ID).with("name", "New roof"))
}

#[test]
fn a_task_is_due_in_a_week() {
    for table in ["opportunity", "quote"] {
        let organization = organization();
        organization.execute(create(table)).unwrap();
        let tasks = organization.rows("task");
        assert_eq!(tasks.len(), 1);
        assert_eq!(tasks[0].text("subject").unwrap(), Some("Follow up: New roof"));
        let due = tasks[0].date_time("scheduledend").unwrap().unwrap();
        assert_eq!(due, organization.now().add_days(7));
        let regarding = tasks[0].lookup("regardingobjectid").unwrap().unwrap();
        assert!(regarding.is_same_row(&EntityReference::new(table, ID)));
    }
}

#[test]
fn unguarded_the_two_tasks_are_one() {
    let runs = organization().run_twice(create("opportunity"));
    runs.assert_clean();
    assert_eq!(runs.offline.operations, runs.playback.operations, "the same id, date and text");
    assert_eq!(runs.reconciliation.paired(), 1);
}

#[test]
fn guarded_the_offline_task_is_carried_over() {
    let runs = organization().run_twice(create("quote"));
    runs.assert_clean();
    assert!(runs.playback.operations.is_empty());
    assert_eq!(runs.reconciliation.count(Outcome::CarriedOver), 1);
}

#[test]
fn a_task_that_cannot_be_made_undoes_the_opportunity() {
    let organization = organization().with_fault("Create", "task", PluginError::new("no tasks"), 1);
    let error = organization.execute(create("opportunity")).unwrap_err();
    assert_eq!(error.message(), "no tasks");
    assert!(organization.rows("opportunity").is_empty());
}
