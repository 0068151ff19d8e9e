//! Appointments: the paper's table, and what repeating ones need.

use super::{FieldMapping, Form, Group};
use crate::property::Property as P;

/// The paper's table, in its order, then what it does not list.
pub(super) const FIELDS: &[FieldMapping] = &[
    FieldMapping::of(
        P::AllDay,
        ("All Day Event", "Isalldayevent"),
        &["isalldayevent"],
        (Form::Boolean, 0),
    )
    .within(Group::AppointmentTime),
    FieldMapping::of(P::Body, ("Body", "Description"), &["description"], (Form::Text, 2000)),
    FieldMapping::of(
        P::Duration,
        ("Duration", "Scheduleddurationminutes"),
        &["scheduleddurationminutes"],
        (Form::Number, 0),
    )
    .within(Group::AppointmentTime),
    FieldMapping::of(P::End, ("End", "Scheduledend"), &["scheduledend"], (Form::Moment, 0))
        .within(Group::AppointmentTime),
    FieldMapping::of(P::Location, ("Location", "Location"), &["location"], (Form::Text, 200)),
    FieldMapping::of(
        P::OptionalAttendees,
        ("Optional Attendees", "Optionalattendees"),
        &[],
        (Form::Parties(6), 0),
    ),
    FieldMapping::of(P::Organizer, ("Organizer", "Organizer"), &[], (Form::Parties(7), 0)),
    FieldMapping::of(
        P::Importance,
        ("Priority", "Priority"),
        &["prioritycode"],
        (Form::Priority, 0),
    ),
    FieldMapping::of(
        P::RequiredAttendees,
        ("Required Attendees", "Requiredattendees"),
        &[],
        (Form::Parties(5), 0),
    ),
    FieldMapping::of(
        P::ShowTimeAs,
        ("Show Time As", "Computed from Activity State Code and Appointment Status Code"),
        &["statecode", "statuscode"],
        (Form::ShowTimeAs, 0),
    ),
    FieldMapping::of(P::Start, ("Start", "Scheduledstart"), &["scheduledstart"], (Form::Moment, 0))
        .within(Group::AppointmentTime),
    FieldMapping::of(P::Subject, ("Subject", "Subject"), &["subject"], (Form::Text, 200)),
    FieldMapping::of(P::Recurrence, ("", ""), &["recurrencepattern"], (Form::Text, 16_384))
        .within(Group::AppointmentTime),
    FieldMapping::of(P::TimeZone, ("", ""), &["timezonename"], (Form::Text, 100))
        .within(Group::AppointmentTime),
    FieldMapping::of(P::Regarding, ("", ""), &["regardingobjectid"], (Form::Regarding, 0)),
];
