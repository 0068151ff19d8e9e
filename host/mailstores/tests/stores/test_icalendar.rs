//! Appointments and tasks: times that never shift, rules that stay, and nobody mailed.

use offstage_mailstores::codec::icalendar::{
    CalendarError, CalendarObject, Writing, canonical_rule,
};
use offstage_mailstores::codec::zone::Zone;
use offstage_model::Timestamp;
use offstage_outlook::{ItemKind, ItemPatch, Person, Properties, Property, PropertyValue};

const NOW: Timestamp = Timestamp(1_767_225_600_000);

fn home() -> Zone {
    Zone::named("Europe/Berlin").unwrap()
}

fn event(lines: &str) -> CalendarObject {
    object("VEVENT", lines)
}

fn object(name: &str, lines: &str) -> CalendarObject {
    let text = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:{name}\r\nUID:u\r\n{lines}\r\nEND:{name}\r\nEND:VCALENDAR\r\n"
    );
    CalendarObject::parse(text.as_bytes()).unwrap()
}

fn corpus(name: &str) -> Vec<CalendarObject> {
    let path = format!("{}/tests/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
    CalendarObject::parse_all(&std::fs::read(path).unwrap()).unwrap()
}

fn text(object: &CalendarObject) -> String {
    String::from_utf8(object.to_bytes()).unwrap()
}

fn time(text: &str) -> PropertyValue {
    PropertyValue::Time(Timestamp::parse(text).unwrap())
}

fn date(text: &str) -> PropertyValue {
    PropertyValue::Date(text.parse().unwrap())
}

fn write(object: &mut CalendarObject, changes: &[(Property, Option<PropertyValue>)]) {
    let patch = ItemPatch { properties: changes.iter().cloned().collect(), link: None };
    object.patch(&patch, Writing { home: &home(), now: NOW }).unwrap();
}

fn read(object: &CalendarObject) -> Properties {
    object.properties(&home()).unwrap()
}

#[test]
fn times_are_the_instants_that_their_zones_say() {
    let cases = [
        ("DTSTART:20260701T120000Z", time("2026-07-01T12:00:00Z")),
        ("DTSTART;TZID=Europe/Berlin:20260701T120000", time("2026-07-01T10:00:00Z")),
        ("DTSTART;TZID=Pacific/Kiritimati:20260101T003000", time("2025-12-31T10:30:00Z")),
        ("DTSTART;TZID=Etc/GMT+12:20251231T233000", time("2026-01-01T11:30:00Z")),
        ("DTSTART;TZID=W. Europe Standard Time:20260101T120000", time("2026-01-01T11:00:00Z")),
        // Without a zone: the user's own.
        ("DTSTART:20260701T120000", time("2026-07-01T10:00:00Z")),
        // An hour that does not exist counts from before the change, one that comes twice is the first.
        ("DTSTART;TZID=Europe/Berlin:20260329T023000", time("2026-03-29T01:30:00Z")),
        ("DTSTART;TZID=Europe/Berlin:20261025T023000", time("2026-10-25T00:30:00Z")),
        ("DTSTART;TZID=Pacific/Apia:20111230T120000", time("2011-12-30T22:00:00Z")),
        ("DTSTART;VALUE=DATE:20260329", date("2026-03-29")),
    ];
    for (line, wanted) in cases {
        assert_eq!(read(&event(line)).get(&Property::Start), Some(&wanted), "{line}");
    }
}

#[test]
fn whole_days_are_the_same_days_in_every_zone() {
    let zones =
        ["Pacific/Kiritimati", "Etc/GMT+12", "America/Los_Angeles", "Asia/Kathmandu", "UTC"];
    for zone in zones {
        let object = &corpus("whole-days.ics")[0];
        let properties = object.properties(&Zone::named(zone).unwrap()).unwrap();
        assert_eq!(properties.get(&Property::Start), Some(&date("2026-03-29")), "{zone}");
        assert_eq!(properties.get(&Property::End), Some(&date("2026-04-01")), "{zone}");
        assert_eq!(properties.get(&Property::Duration), Some(&PropertyValue::Integer(3 * 1440)));
    }
}

#[test]
fn an_unknown_zone_is_reported_and_a_defined_one_is_used() {
    let objects = corpus("own-zone.ics");
    assert_eq!(read(&objects[0]).get(&Property::Start), Some(&time("2026-07-01T10:00:00Z")));
    let unknown = CalendarError::UnknownZone { zone: "Customized Time Zone 2".to_owned() };
    assert_eq!(objects[1].properties(&home()), Err(unknown.clone()));
    let mut object = objects[1].clone();
    let patch = ItemPatch {
        properties: [(Property::Start, Some(time("2026-07-01T10:00:00Z")))].into(),
        link: None,
    };
    let result = object.patch(&patch, Writing { home: &home(), now: NOW });
    assert_eq!(result, Err(unknown));
    assert_eq!(object.to_bytes(), objects[1].to_bytes(), "nothing was written");
}

#[test]
fn a_start_that_moves_keeps_the_form_of_its_line() {
    let cases = [
        (
            "DTSTART;TZID=Europe/Berlin:20260701T120000\r\nDTEND;TZID=Europe/Berlin:20260701T130000",
            "DTSTART;TZID=Europe/Berlin:20260702T090000\r\nDTEND;TZID=Europe/Berlin:20260702T100000\r\n",
        ),
        (
            "DTSTART:20260701T120000Z\r\nDURATION:PT1H",
            "DTSTART:20260702T070000Z\r\nDTEND:20260702T080000Z\r\n",
        ),
        ("DTSTART:20260701T120000\r\nX-A:b", "DTSTART:20260702T090000\r\nX-A:b\r\nDTEND"),
    ];
    for (lines, wanted) in cases {
        let mut event = event(lines);
        write(&mut event, &[(Property::Start, Some(time("2026-07-02T07:00:00Z")))]);
        assert!(text(&event).contains(wanted), "{lines}\n{}", text(&event));
    }
}

#[test]
fn the_second_of_two_equal_hours_is_written_in_utc() {
    let mut event = event("DTSTART;TZID=Europe/Berlin:20261025T010000\r\nDURATION:PT1H");
    let second = time("2026-10-25T01:30:00Z");
    write(&mut event, &[(Property::Start, Some(second.clone()))]);
    assert_eq!(read(&event).get(&Property::Start), Some(&second));
}

#[test]
fn a_series_keeps_its_rule_and_its_exceptions() {
    let object = &corpus("weekly.ics")[0];
    let properties = read(object);
    let wanted = "RRULE:FREQ=WEEKLY;COUNT=10;BYDAY=TU\nEXDATE:20260317\nEXDATE:20260324\n\
                  INSTANCE;ID=20260331;START=20260331T110000;END=20260331T113000:Weekly figures\\, later";
    assert_eq!(properties.get(&Property::Recurrence), Some(&PropertyValue::text(wanted)));
    assert_eq!(properties.get(&Property::TimeZone), Some(&PropertyValue::text("Europe/Berlin")));

    // The series moves to another hour: its exceptions go along, and its rule is the same text.
    let mut moved = object.clone();
    write(&mut moved, &[(Property::Start, Some(time("2026-03-03T13:00:00Z")))]);
    assert_eq!(read(&moved).get(&Property::Recurrence), Some(&PropertyValue::text(wanted)));
    let after = text(&moved);
    let exdate = "EXDATE;TZID=\"W. Europe Standard Time\":20260317T140000,20260324T140000";
    assert!(after.replace("\r\n ", "").contains(exdate), "{after}");
    let id = "RECURRENCE-ID;TZID=\"W. Europe Standard Time\":20260331T140000";
    assert!(after.contains(id), "{after}");
    assert!(after.contains("X-UNKNOWN;X-P=\"a;b:c\":kept\r\n"));
}

#[test]
fn a_canonical_text_makes_the_same_series_anew() {
    let source = read(&corpus("weekly.ics")[0]);
    let wanted = [Property::Start, Property::End, Property::TimeZone, Property::Recurrence];
    let changes: Vec<_> = wanted.iter().map(|p| (*p, source.get(p).cloned())).collect();
    let mut made = CalendarObject::new(ItemKind::Appointment, "made", NOW);
    write(&mut made, &changes);
    let again = CalendarObject::parse(&made.to_bytes()).unwrap();
    for property in wanted {
        assert_eq!(read(&again).get(&property), source.get(&property), "{}", text(&made));
    }
    assert!(text(&made).contains("BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\n"));

    // An instance less, an exception less, another rule.
    let rule = "RRULE:FREQ=DAILY;COUNT=3\nEXDATE:20260317";
    write(&mut made, &[(Property::Recurrence, Some(PropertyValue::text(rule)))]);
    assert_eq!(read(&made).get(&Property::Recurrence), Some(&PropertyValue::text(rule)));
    write(&mut made, &[(Property::Recurrence, None)]);
    assert_eq!(read(&made).get(&Property::Recurrence), None);
    assert_eq!(text(&made).matches("BEGIN:VEVENT").count(), 1);
}

#[test]
fn equal_rules_are_equal_texts() {
    let same =
        ["FREQ=WEEKLY;BYDAY=TU;COUNT=10", "COUNT=10;INTERVAL=1;FREQ=WEEKLY;WKST=MO;BYDAY=TU"];
    let texts: Vec<_> = same.iter().map(|rule| canonical_rule(rule)).collect();
    assert!(texts[0].is_some());
    assert_eq!(texts[0], texts[1]);
    assert_eq!(canonical_rule("EVERY=DAY"), None);
}

#[test]
fn a_day_becomes_hours_and_hours_a_day() {
    let mut object = corpus("whole-days.ics").remove(0);
    let hours = [
        (Property::AllDay, Some(PropertyValue::Boolean(false))),
        (Property::Start, Some(time("2026-03-29T07:00:00Z"))),
        (Property::End, Some(time("2026-03-29T08:00:00Z"))),
    ];
    write(&mut object, &hours);
    assert!(text(&object).contains("DTSTART:20260329T070000Z\nDTEND:20260329T080000Z\n"));
    assert!(text(&object).contains("X-MICROSOFT-CDO-ALLDAYEVENT:FALSE\n"));
    let days = [
        (Property::AllDay, Some(PropertyValue::Boolean(true))),
        (Property::Start, Some(date("2026-03-29"))),
        (Property::End, Some(date("2026-04-01"))),
    ];
    write(&mut object, &days);
    assert_eq!(object.to_bytes(), corpus("whole-days.ics")[0].to_bytes());
}

#[test]
fn show_time_as_and_importance_are_read_from_what_there_is() {
    let start = "DTSTART:20260701T120000Z\r\n";
    let cases = [
        ("X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE", Property::ShowTimeAs, 4),
        ("TRANSP:TRANSPARENT", Property::ShowTimeAs, 0),
        ("STATUS:TENTATIVE", Property::ShowTimeAs, 1),
        ("SUMMARY:x", Property::ShowTimeAs, 2),
        ("PRIORITY:2", Property::Importance, 2),
        ("PRIORITY:9", Property::Importance, 0),
        ("PRIORITY:0\r\nX-MICROSOFT-CDO-IMPORTANCE:0", Property::Importance, 0),
        ("SUMMARY:x", Property::Importance, 1),
    ];
    for (line, property, wanted) in cases {
        let value = read(&event(&format!("{start}{line}"))).remove(&property);
        assert_eq!(value, Some(PropertyValue::Integer(wanted)), "{line}");
    }
}

#[test]
fn every_show_time_as_survives() {
    for busy in 0..=4 {
        for line in ["TRANSP:TRANSPARENT", "STATUS:TENTATIVE", "X-MICROSOFT-CDO-BUSYSTATUS:BUSY"] {
            let mut event = event(&format!("DTSTART:20260701T120000Z\r\n{line}"));
            let value = PropertyValue::Integer(busy);
            write(&mut event, &[(Property::ShowTimeAs, Some(value.clone()))]);
            assert_eq!(read(&event).get(&Property::ShowTimeAs), Some(&value), "{line}");
        }
    }
}

#[test]
fn tasks_keep_what_follows_from_their_status() {
    let cases = [
        (
            "STATUS:NEEDS-ACTION",
            2,
            "STATUS:COMPLETED\r\nCOMPLETED:20260101T000000Z\r\nPERCENT-COMPLETE:100\r\n",
        ),
        (
            "STATUS:COMPLETED\r\nCOMPLETED:20250101T000000Z\r\nPERCENT-COMPLETE:100",
            0,
            "STATUS:NEEDS-ACTION\r\nEND",
        ),
        (
            "STATUS:IN-PROCESS\r\nPERCENT-COMPLETE:40",
            3,
            "STATUS:NEEDS-ACTION\r\nX-CRM-TASK-STATUS:3\r\nEND",
        ),
    ];
    for (lines, status, wanted) in cases {
        let mut task = object("VTODO", lines);
        let value = PropertyValue::Integer(status);
        write(&mut task, &[(Property::TaskStatus, Some(value.clone()))]);
        assert!(text(&task).contains(wanted), "{lines}\n{}", text(&task));
        assert_eq!(read(&task).get(&Property::TaskStatus), Some(&value));
    }
}

#[test]
fn due_days_are_days() {
    let cases = [
        ("DUE;VALUE=DATE:20260115", "2026-01-15", "DUE;VALUE=DATE:20260120\r\n"),
        (
            "DUE;TZID=Pacific/Kiritimati:20260115T003000",
            "2026-01-15",
            "DUE;TZID=Pacific/Kiritimati:20260120T003000\r\n",
        ),
        // Written in UTC it is the day of the user's clock.
        ("DUE:20260114T233000Z", "2026-01-15", "DUE:20260119T233000Z\r\n"),
    ];
    for (line, wanted, written) in cases {
        let mut task = object("VTODO", line);
        assert_eq!(read(&task).get(&Property::DueDate), Some(&date(wanted)), "{line}");
        write(&mut task, &[(Property::DueDate, Some(date("2026-01-20")))]);
        assert!(text(&task).contains(written), "{}", text(&task));
    }
}

#[test]
fn the_reminder_is_an_alarm_of_its_own() {
    let mut task = corpus("to-dos.ics").remove(1);
    let before = task.to_bytes();
    let at = time("2026-01-12T09:00:00Z");
    write(&mut task, &[(Property::ReminderTime, Some(at.clone()))]);
    assert_eq!(read(&task).get(&Property::ReminderTime), Some(&at));
    assert!(text(&task).contains("DESCRIPTION:not ours\r\n"));
    write(&mut task, &[(Property::ReminderTime, None)]);
    assert_eq!(task.to_bytes(), before);
}

#[test]
fn attendees_are_written_so_that_nobody_is_mailed() {
    let mut meeting = corpus("meeting.ics").remove(0);
    let people = read(&meeting).remove(&Property::RequiredAttendees).unwrap();
    assert_eq!(people.people(), [Person::new("Kim", "kim@example.org")]);
    let wanted = PropertyValue::People(vec![
        Person::new("Kim", "KIM@example.org"),
        Person::new("New: one", "new@example.org"),
    ]);
    write(&mut meeting, &[(Property::RequiredAttendees, Some(wanted))]);
    let after = text(&meeting).replace("\r\n ", "");
    let kept = "ATTENDEE;CN=Kim;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:kim@example.org\r\n";
    assert!(after.contains(kept), "{after}");
    let new = "ATTENDEE;CN=\"New: one\";ROLE=REQ-PARTICIPANT;SCHEDULE-AGENT=CLIENT:mailto:new@example.org\r\n";
    assert!(after.contains(new), "{after}");
    assert!(after.contains("CUTYPE=ROOM"), "rooms are nobody's property");
    assert!(meeting.mails_attendees(), "the lines of others still would");
    assert!(!event("DTSTART:20260701T120000Z").mails_attendees());
}

#[test]
fn a_broken_object_keeps_its_broken_lines() {
    let mut object = corpus("broken.ics").remove(0);
    write(&mut object, &[(Property::Subject, Some(PropertyValue::text("Mended")))]);
    let bytes = object.to_bytes();
    let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    for part in [
        &b"this is no content line\r\n"[..],
        b":nameless\r\n",
        b"X-BIN:\xff\xfe\r\n",
        b"SUMMARY:Mended\r\n",
    ] {
        assert!(has(part), "{}", String::from_utf8_lossy(&bytes));
    }
}
