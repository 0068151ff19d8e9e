//! Tasks, and phone calls, letters and faxes, which are tasks in Outlook.

use super::{FieldMapping, Form, TableMapping};
use crate::item::ItemKind;
use crate::property::Property as P;

/// The paper's table, in its order, then what it says in words.
const FIELDS: &[FieldMapping] = &[
    FieldMapping::of(P::Body, ("Body", "Description"), &["description"], (Form::Text, 2000)),
    FieldMapping::of(P::DueDate, ("Due Date", "Scheduledend"), &["scheduledend"], (Form::Day, 0)),
    FieldMapping::of(
        P::Importance,
        ("Priority", "Priority"),
        &["prioritycode"],
        (Form::Priority, 0),
    ),
    FieldMapping::of(
        P::StartDate,
        ("Start Date", "Scheduledstart"),
        &["scheduledstart"],
        (Form::Day, 0),
    ),
    FieldMapping::of(
        P::TaskStatus,
        // The paper says "Appointment Status Code" here, which is a slip.
        ("Status", "Computed from Activity State Code and Appointment Status Code"),
        &["statecode", "statuscode"],
        (Form::TaskStatus, 0),
    ),
    FieldMapping::of(P::Subject, ("Subject", "Subject"), &["subject"], (Form::Text, 200)),
    // "when a task has due time set in CRM, it will be synchronized to reminder time in Outlook"
    FieldMapping::of(P::ReminderTime, ("", ""), &["scheduledend"], (Form::TimeOfDay, 0))
        .to_outlook(),
    // "Set Regarding" of the immediate rules.
    FieldMapping::of(P::Regarding, ("", ""), &["regardingobjectid"], (Form::Regarding, 0)),
];

/// The mapping of a table whose rows are tasks in Outlook.
pub(super) const fn table(table: &'static str, object_type: i32) -> TableMapping {
    TableMapping { table, object_type, kind: ItemKind::Task, fields: FIELDS }
}
