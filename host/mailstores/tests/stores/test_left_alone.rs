//! Items that a store has and does not understand: shown, tracked or not, and never taken for
//! deleted.

use offstage_outlook::engine::Report;
use offstage_outlook::{Engine, EntryId, MailStore, Presence, Trigger};
use serde_json::{Value, json};

use crate::graph_double::Double;
use crate::servers::radicale;
use crate::support::{Server, engine_over};
use crate::{test_dav, test_graph};

fn run(engine: &mut Engine) -> Report {
    engine.synchronise(Trigger::Manual).unwrap()
}

/// The ids of what is left alone, in the report of a run and in the status.
fn left(engine: &mut Engine) -> (Vec<String>, Vec<String>) {
    let report = run(engine);
    let status: Vec<String> =
        engine.left_alone().unwrap().into_iter().map(|view| view.item).collect();
    assert_eq!(report.counts.left_alone, status.len() as u64);
    (report.left_alone.into_iter().map(|view| view.item).collect(), status)
}

fn event(zone: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:u\r\n\
         DTSTAMP:20260101T000000Z\r\nDTSTART;TZID={zone}:20270101T100000\r\n\
         DTEND;TZID={zone}:20270101T110000\r\nSUMMARY:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

#[test]
fn over_a_real_server_until_it_is_mended() {
    let Some(radicale) = radicale() else { return };
    let path = "/jo/calendar/u.ics";
    let put = |zone: &str| {
        radicale.raw("PUT", path, &[("content-type", "text/calendar")], event(zone).as_bytes()).0
    };
    let status = put("Nowhere/Land");
    if status != 201 {
        println!("the server itself refuses an unknown zone ({status})");
        return;
    }
    let server = Server::new();
    let (mut engine, _folder) = engine_over(&server, Box::new(test_dav::connect(&radicale)));
    let one = vec![path.to_owned()];
    assert_eq!(left(&mut engine), (one.clone(), one.clone()), "met by the scan, tracked or not");
    assert!(engine.left_alone().unwrap()[0].reason.contains("Nowhere/Land"));
    // The next scan has nothing new, and it is still so.
    assert_eq!(left(&mut engine), (vec![], one));
    // Whoever acts on it hears why, and not that it is gone.
    let id = EntryId::new(path);
    let place = offstage_outlook::engine::Place::Explorer;
    let refused = engine.track(&id, place, None).unwrap_err().to_string();
    assert!(refused.contains("Nowhere/Land"), "{refused}");
    // Mended, it leaves the list.
    assert!(put("Europe/Berlin") < 300);
    assert_eq!(left(&mut engine), (vec![], vec![]));
    engine.track(&id, place, None).unwrap();
    assert_eq!(server.all("appointment").len(), 1);
    // Tracked, and not understood again: the record stays as it is.
    let (_, tracked) = radicale.raw("GET", path, &[], b"");
    let tracked = String::from_utf8(tracked).unwrap().replace("Europe/Berlin", "Nowhere/Land");
    // The server adds the zone's definition; here nobody defines it.
    let (before, rest) = tracked.split_once("BEGIN:VTIMEZONE").unwrap_or((&tracked, ""));
    let after = rest.split_once("END:VTIMEZONE\r\n").map_or(rest, |(_, after)| after);
    let tracked = format!("{before}{after}");
    let typed = [("content-type", "text/calendar")];
    assert!(radicale.raw("PUT", path, &typed, tracked.as_bytes()).0 < 300);
    let (met, _) = left(&mut engine);
    assert_eq!(met, [path]);
    assert_eq!(server.all("appointment").len(), 1);
    // Gone, it is nobody's concern any more.
    assert!(radicale.raw("DELETE", path, &[], b"").0 < 300);
    assert_eq!(left(&mut engine), (vec![], vec![]));
}

/// A series with a rule or in a zone that nobody knows.
fn series(rule: &str, zone: &str) -> Value {
    json!({
        "subject": "Odd", "isAllDay": false, "originalStartTimeZone": zone,
        "start": {"dateTime": "2027-03-15T22:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2027-03-15T22:30:00.0000000", "timeZone": "UTC"},
        "recurrence": {
            "pattern": {"type": rule, "interval": 1},
            "range": {"type": "noEnd", "startDate": "2027-03-16"},
        },
    })
}

#[test]
fn over_graph_a_rule_or_a_zone_that_nobody_knows() {
    let server = Server::new();
    let double = Double::default();
    let put = |id: &str, item: Value| double.0.lock().unwrap().put("/me/events", id, item);
    put("R=", series("lunar", "UTC"));
    put("Z=", series("daily", "tzone://Microsoft/Custom"));
    put("G=", series("daily", "Tokyo Standard Time"));
    let mut times = series("daily", "UTC");
    times["start"]["timeZone"] = json!("Nowhere");
    put("T=", times);
    let (mut engine, _folder) = engine_over(&server, Box::new(test_graph::connect(&double)));
    let odd = ["event/R=", "event/T=", "event/Z="].map(str::to_owned).to_vec();
    let (mut met, status) = left(&mut engine);
    met.sort();
    assert_eq!((&met, &status), (&odd, &odd));
    // Mended or removed, they leave the list.
    put("R=", series("daily", "UTC"));
    double.0.lock().unwrap().remove("/me/events", "Z=");
    assert_eq!(left(&mut engine), (vec![], vec!["event/T=".to_owned()]));
    assert_eq!(server.all("appointment").len(), 0, "none was tracked");
}

/// A delta of a calendar view says `@removed` of an event that only left the window, and the folder
/// of mail says it of a message that was moved.
#[test]
fn over_graph_an_item_that_left_the_window_is_not_deleted() {
    let server = Server::new();
    let double = Double::default();
    let event = |subject: &str| {
        json!({
            "subject": subject, "isAllDay": false,
            "start": {"dateTime": "2027-03-15T22:00:00.0000000", "timeZone": "UTC"},
            "end": {"dateTime": "2027-03-15T22:30:00.0000000", "timeZone": "UTC"},
        })
    };
    let put = |id: &str| double.0.lock().unwrap().put("/me/events", id, event(id));
    put("leaves=");
    put("goes=");
    let (mut engine, _folder) = engine_over(&server, Box::new(test_graph::connect(&double)));
    let place = offstage_outlook::engine::Place::Explorer;
    for id in ["event/leaves=", "event/goes="] {
        engine.track(&EntryId::new(id), place, None).unwrap();
    }
    assert_eq!(server.all("appointment").len(), 2);
    run(&mut engine);
    {
        let mut state = double.0.lock().unwrap();
        state.remove("/me/events", "goes=");
        state.out_of_view.insert("leaves=".to_owned());
    }
    let mut store = test_graph::connect(&double);
    let ids = ["event/leaves=", "event/goes="].map(EntryId::new);
    assert_eq!(store.presence(&ids).unwrap(), [Presence::There, Presence::Gone]);
    put("leaves=");
    let report = run(&mut engine);
    let told = double.0.lock().unwrap().removed_told;
    assert_eq!(told, 2, "both were told of as removed: {report:#?}");
    let left: Vec<_> = server.all("appointment");
    let subjects: Vec<_> = left.iter().map(|row| row.text("subject")).collect();
    assert_eq!(subjects, [Some("leaves=")], "{report:#?}");
    assert!(engine.held().unwrap().is_empty());
}
