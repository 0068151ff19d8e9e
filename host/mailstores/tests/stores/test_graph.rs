//! Microsoft Graph against the double: the suite, and what only Graph does.

use offstage_mailstores::graph::{GraphOptions, GraphStore};
use offstage_mailstores::http::Credentials;
use offstage_model::Timestamp;
use offstage_outlook::{
    EntryId, FolderId, Item, ItemKind, ItemPatch, LinkProperties, MailStore, MailStoreError,
    NewItem, Person, Property, PropertyValue, ScanMark,
};
use serde_json::json;

use crate::graph_double::{BASE, Double};
use crate::suite;
use crate::test_dav::Fixed;

pub(crate) fn connect(double: &Double) -> GraphStore {
    let options = GraphOptions {
        url: BASE.to_owned(),
        credentials: Credentials::Bearer("token-1".to_owned()),
        mail_attendees: false,
    };
    GraphStore::connect(Box::new(double.clone()), Box::new(Fixed), options).unwrap()
}

fn only(property: Property, value: PropertyValue) -> ItemPatch {
    ItemPatch { properties: [(property, Some(value))].into(), link: None }
}

#[test]
fn graph_is_a_mail_store() {
    let mut store = connect(&Double::default());
    for kind in [ItemKind::Contact, ItemKind::Appointment, ItemKind::Task] {
        suite::check_kinds(&mut store, &[kind]);
    }
    let mail = suite::sample(ItemKind::Email, 1);
    assert!(matches!(store.create(&mail), Err(MailStoreError::Refused { .. })));
}

#[test]
fn a_lost_answer_makes_no_second_item() {
    for kind in [ItemKind::Contact, ItemKind::Appointment] {
        let double = Double::default();
        let mut store = connect(&double);
        double.0.lock().unwrap().lose = 1;
        let new = suite::sample(kind, 1);
        assert!(matches!(store.create(&new), Err(MailStoreError::Transient { .. })));
        store.create(&new).unwrap();
        let folder =
            store.folders().unwrap().into_iter().find(|folder| folder.kind == kind).unwrap();
        assert_eq!(store.scan(&folder.id, None).unwrap().rows.len(), 1, "{kind}");
    }
}

#[test]
fn faults_have_the_class_that_decides_what_is_next() {
    let double = Double::default();
    let mut store = connect(&double);
    let cases = [(429, "12"), (503, "12"), (401, ""), (500, ""), (403, "")];
    for (status, wait) in cases {
        let header = vec![("retry-after".to_owned(), wait.to_owned())];
        double.0.lock().unwrap().faults.push_back((status, header));
        let error = store.scan(&FolderId::new("contacts"), None).unwrap_err();
        let fits = match (status, &error) {
            (429 | 503, MailStoreError::Throttled { retry_after, .. }) => {
                retry_after.as_secs() == 12
            }
            (401, MailStoreError::NeedsAttention { .. })
            | (500, MailStoreError::Transient { .. }) => true,
            (403, MailStoreError::Refused { .. }) => true,
            _ => false,
        };
        assert!(fits, "{status}: {error:?}");
    }
}

#[test]
fn a_forgotten_token_lists_everything() {
    let double = Double::default();
    let mut store = connect(&double);
    for number in 0..5 {
        double.0.lock().unwrap().put(
            "/me/contacts",
            &format!("C{number}"),
            json!({"givenName": "x"}),
        );
    }
    let folder = FolderId::new("contacts");
    let first = store.scan(&folder, None).unwrap();
    assert_eq!((first.rows.len(), first.complete), (5, true), "pages are put together");
    let nothing = store.scan(&folder, Some(&first.mark)).unwrap();
    assert!(nothing.rows.is_empty() && !nothing.complete);
    double.0.lock().unwrap().forget_tokens = true;
    let again = store.scan(&folder, Some(&first.mark)).unwrap();
    assert_eq!((again.rows.len(), again.complete), (5, true));
}

#[test]
fn a_window_that_grew_old_is_moved_on() {
    let mut store = connect(&Double::default());
    let folder = FolderId::new("calendar");
    let scan = store.scan(&folder, None).unwrap();
    let (day, link) = scan.mark.0.split_once('|').unwrap();
    let old = ScanMark(format!("{}|{link}", day.parse::<i64>().unwrap() - 31));
    assert!(store.scan(&folder, Some(&old)).unwrap().complete);
    assert!(!store.scan(&folder, Some(&scan.mark)).unwrap().complete);
}

#[test]
fn the_token_stays_with_its_server() {
    let double = Double::default();
    let mut store = connect(&double);
    for number in 0..5 {
        double.0.lock().unwrap().put("/me/contacts", &format!("C{number}"), json!({}));
    }
    double.0.lock().unwrap().next_link_elsewhere = true;
    let error = store.scan(&FolderId::new("contacts"), None).unwrap_err();
    assert!(matches!(error, MailStoreError::NeedsAttention { .. }), "{error:?}");
    assert!(double.0.lock().unwrap().asked.iter().all(|(_, url)| url.starts_with(BASE)));
}

#[test]
fn nobody_is_mailed_by_accident() {
    let double = Double::default();
    let mut store = connect(&double);
    let meeting = json!({
        "subject": "Review", "isAllDay": false,
        "start": {"dateTime": "2026-12-01T10:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2026-12-01T11:00:00.0000000", "timeZone": "UTC"},
        "attendees": [{"type": "required", "emailAddress": {"name": "Kim", "address": "kim@example.org"}}]
    });
    double.0.lock().unwrap().put("/me/events", "M=", meeting);
    let id = EntryId::new("event/M=");
    let refused = [
        store.update(&id, None, &only(Property::Subject, PropertyValue::text("New"))).map(|_| ()),
        store.delete(&id, None),
    ];
    let mut new = suite::sample(ItemKind::Appointment, 1);
    let people = PropertyValue::People(vec![Person::new("Kim", "kim@example.org")]);
    new.properties.insert(Property::RequiredAttendees, people);
    for result in refused.into_iter().chain([store.create(&new).map(|_| ())]) {
        assert!(matches!(result, Err(MailStoreError::Refused { .. })), "{result:?}");
    }
    let writes = |double: &Double| {
        double.0.lock().unwrap().asked.iter().filter(|(method, _)| method != "GET").count()
    };
    assert_eq!(writes(&double), 0);
    // The tie alone is no change that anybody hears of.
    let tie = ItemPatch {
        link: Some(suite::sample(ItemKind::Appointment, 1).link),
        ..ItemPatch::default()
    };
    assert_ne!(store.update(&id, None, &tie).unwrap().link, LinkProperties::default());
    assert_eq!(writes(&double), 1);
}

#[test]
fn series_travel_as_rules_and_what_has_no_words_is_refused() {
    let cases = [
        "RRULE:FREQ=DAILY;COUNT=5",
        "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;WKST=SU",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=15",
        "RRULE:FREQ=MONTHLY;BYDAY=-1FR",
        "RRULE:FREQ=YEARLY;BYMONTHDAY=24;BYMONTH=12",
        "RRULE:FREQ=YEARLY;UNTIL=20300101;BYDAY=2MO;BYMONTH=5",
    ];
    for rule in cases {
        let mut store = connect(&Double::default());
        let mut new = suite::sample(ItemKind::Appointment, 1);
        new.properties.insert(Property::Recurrence, PropertyValue::text(rule));
        let made = store.create(&new).unwrap();
        let read = made.properties.get(&Property::Recurrence).map(ToString::to_string);
        let parts = |text: &str| {
            let mut parts: Vec<String> = text.split([';', ':']).map(str::to_owned).collect();
            parts.sort();
            parts
        };
        assert_eq!(read.as_deref().map(parts), Some(parts(rule)), "{rule}");
    }
    let foreign = [
        "RRULE:FREQ=HOURLY",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1",
        "RRULE:FREQ=DAILY\nRDATE:20270329T080000",
        "RRULE:FREQ=DAILY\nINSTANCE;ID=20270329;STATUS=CANCELLED:Off",
    ];
    for rule in foreign {
        let mut store = connect(&Double::default());
        let mut new = suite::sample(ItemKind::Appointment, 1);
        new.properties.insert(Property::Recurrence, PropertyValue::text(rule));
        let result = store.create(&new);
        assert!(matches!(result, Err(MailStoreError::Refused { .. })), "{rule}: {result:?}");
    }
}

fn recurrence(item: &Item) -> String {
    item.properties[&Property::Recurrence].to_string()
}

/// A weekly series of Berlin, nine to half past.
fn weekly(exceptions: &str) -> NewItem {
    let mut new = suite::sample(ItemKind::Appointment, 1);
    let time = |at: &str| PropertyValue::Time(Timestamp::parse(at).unwrap());
    new.properties.insert(Property::Start, time("2027-03-16T08:00:00Z"));
    new.properties.insert(Property::End, time("2027-03-16T08:30:00Z"));
    new.properties.insert(Property::TimeZone, PropertyValue::text("Europe/Berlin"));
    let rule = format!("RRULE:FREQ=WEEKLY;BYDAY=TU{exceptions}");
    new.properties.insert(Property::Recurrence, PropertyValue::text(&rule));
    new
}

#[test]
fn exceptions_of_a_series_go_both_ways() {
    let double = Double::default();
    let mut store = connect(&double);
    let exceptions = "\nEXDATE:20270323\n\
        INSTANCE;ID=20270330;START=20270330T100000;END=20270330T103000;LOCATION=Room 2:Later\\, once";
    // An answer is lost on the way: the next attempt goes on where the first one ended.
    double.0.lock().unwrap().lose = 1;
    assert!(store.create(&weekly(exceptions)).is_err());
    let made = store.create(&weekly(exceptions)).unwrap();
    assert_eq!(recurrence(&made), format!("RRULE:FREQ=WEEKLY;BYDAY=TU{exceptions}"));
    {
        let state = double.0.lock().unwrap();
        let known = state.occurrences.values().next().unwrap();
        assert_eq!(known["2027-03-23"], None);
        // After the change to summer time the clock of the series says ten, and means it.
        let start = &known["2027-03-30"].as_ref().unwrap()["start"];
        assert_eq!(start["dateTime"], "2027-03-30T10:00:00");
        assert_eq!(start["timeZone"], "Europe/Berlin");
    }
    // One more goes, and another one moves.
    let more = "\nEXDATE:20270323\nEXDATE:20270406\n\
        INSTANCE;ID=20270330;START=20270331T100000;END=20270331T103000;LOCATION=Room 2:Later\\, once";
    let text = format!("RRULE:FREQ=WEEKLY;BYDAY=TU{more}");
    let patch = only(Property::Recurrence, PropertyValue::text(&text));
    let changed = store.update(&made.entry_id, Some(&made.change_key), &patch).unwrap();
    assert_eq!(recurrence(&changed), text);

    // What Graph cannot take back is refused, and nothing was written.
    let count = |double: &Double| {
        double.0.lock().unwrap().asked.iter().filter(|(method, _)| method != "GET").count()
    };
    let before = count(&double);
    let refused = [
        "\nEXDATE:20270406\nINSTANCE;ID=20270330:Later",
        "\nEXDATE:20270323\nEXDATE:20270406",
        "\nEXDATE:20270323\nEXDATE:20270406\nINSTANCE;ID=20270330;STATUS=CANCELLED:Later",
    ];
    for exceptions in refused {
        let text = format!("RRULE:FREQ=WEEKLY;BYDAY=TU{exceptions}");
        let patch = only(Property::Recurrence, PropertyValue::text(&text));
        let result = store.update(&made.entry_id, None, &patch);
        assert!(matches!(result, Err(MailStoreError::Refused { .. })), "{text}: {result:?}");
    }
    assert_eq!(count(&double), before);

    // A cloud that tells no exceptions: the rule is read, and exceptions are not touched.
    double.0.lock().unwrap().tells_no_exceptions = true;
    let item = store.read(std::slice::from_ref(&made.entry_id)).unwrap().remove(0).unwrap();
    assert_eq!(recurrence(&item), "RRULE:FREQ=WEEKLY;BYDAY=TU");
    let result = store.update(&made.entry_id, None, &patch);
    assert!(matches!(result, Err(MailStoreError::Refused { .. })), "{result:?}");
    assert_eq!(count(&double), before);
}

#[test]
fn exceptions_are_named_by_the_day_of_their_series() {
    let master = json!({
        "subject": "Early", "isAllDay": false, "originalStartTimeZone": "Tokyo Standard Time",
        "start": {"dateTime": "2027-03-15T22:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2027-03-15T22:30:00.0000000", "timeZone": "UTC"},
        "recurrence": {
            "pattern": {"type": "daily", "interval": 1},
            "range": {"type": "noEnd", "startDate": "2027-03-16"},
        },
    });
    let double = Double::default();
    {
        let mut state = double.0.lock().unwrap();
        state.put("/me/events", "E=", master);
        // Without an `occurrenceId`, the original start tells the day: the 18th in Tokyo.
        let changed = json!({
            "subject": "Late", "originalStart": "2027-03-17T22:00:00Z",
            "start": {"dateTime": "2027-03-18T01:00:00.0000000", "timeZone": "UTC"},
            "end": {"dateTime": "2027-03-18T02:00:00.0000000", "timeZone": "UTC"},
        });
        let days = [("2027-03-17".to_owned(), None), ("2027-03-18".to_owned(), Some(changed))];
        state.occurrences.insert("E=".to_owned(), days.into());
    }
    let mut store = connect(&double);
    let item = store.read(&[EntryId::new("event/E=")]).unwrap().remove(0).unwrap();
    let wanted = "RRULE:FREQ=DAILY\nEXDATE:20270317\n\
        INSTANCE;ID=20270318;START=20270318T100000;END=20270318T110000:Late";
    assert_eq!(recurrence(&item), wanted);
    // A new series begins on the day that its zone has: Monday evening in UTC is Tuesday there.
    let mut new = weekly("");
    let time = PropertyValue::Time(Timestamp::parse("2027-03-15T22:00:00Z").unwrap());
    new.properties.insert(Property::Start, time);
    new.properties.insert(Property::TimeZone, PropertyValue::text("Asia/Tokyo"));
    let made = store.create(&new).unwrap();
    let id = made.entry_id.as_str().strip_prefix("event/").unwrap().to_owned();
    let stored = double.0.lock().unwrap().item("/me/events", &id);
    assert_eq!(stored["recurrence"]["range"]["startDate"], "2027-03-16", "{stored}");
}

/// Which days a rule means is known only with its zone.
#[test]
fn a_series_in_a_zone_that_nobody_knows_is_not_written() {
    let master = json!({
        "subject": "Custom", "isAllDay": false,
        "originalStartTimeZone": "tzone://Microsoft/Custom",
        "start": {"dateTime": "2027-03-15T22:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2027-03-15T22:30:00.0000000", "timeZone": "UTC"},
        "recurrence": {
            "pattern": {"type": "daily", "interval": 1},
            "range": {"type": "noEnd", "startDate": "2027-03-16"},
        },
    });
    let double = Double::default();
    double.0.lock().unwrap().put("/me/events", "C=", master.clone());
    let mut store = connect(&double);
    let rule = PropertyValue::text("RRULE:FREQ=DAILY;INTERVAL=2");
    let patch = ItemPatch { properties: [(Property::Recurrence, Some(rule))].into(), link: None };
    let refused = store.update(&EntryId::new("event/C="), None, &patch).unwrap_err();
    assert!(refused.to_string().contains("time zone"), "{refused}");
    let stored = double.0.lock().unwrap().item("/me/events", "C=");
    assert_eq!(stored["recurrence"], master["recurrence"]);
}

#[test]
fn days_stay_days_and_mail_is_read() {
    let double = Double::default();
    let mut store = connect(&double);
    let all_day = json!({
        "subject": "Fair", "isAllDay": true, "showAs": "free",
        "start": {"dateTime": "2026-03-29T00:00:00.0000000", "timeZone": "Tonga Standard Time"},
        "end": {"dateTime": "2026-04-01T00:00:00.0000000", "timeZone": "Tonga Standard Time"}
    });
    let letter = json!({
        "subject": "Hello", "internetMessageId": "<1@example.org>", "isDraft": false,
        "receivedDateTime": "2026-11-25T10:00:00Z", "sentDateTime": "2026-11-25T09:59:00Z",
        "body": {"contentType": "html", "content": "<p>Hi <b>there</b></p>"},
        "from": {"emailAddress": {"name": "Kim", "address": "kim@example.org"}},
        "toRecipients": [{"emailAddress": {"name": "Jo", "address": "jo@example.org"}}]
    });
    {
        let mut state = double.0.lock().unwrap();
        state.put("/me/events", "E=", all_day);
        state.put("/me/messages", "M=", letter);
        state.put("/me/mailFolders/inbox/messages", "M=", json!({"isDraft": false}));
        state.put("/me/mailFolders/inbox/messages", "D=", json!({"isDraft": true}));
    }
    let event = store.read(&[EntryId::new("event/E=")]).unwrap().remove(0).unwrap();
    let day = |text: &str| Some(PropertyValue::Date(text.parse().unwrap()));
    assert_eq!(event.properties.get(&Property::Start).cloned(), day("2026-03-29"));
    assert_eq!(event.properties.get(&Property::End).cloned(), day("2026-04-01"));
    let inbox = store.scan(&FolderId::new("inbox"), None).unwrap();
    assert_eq!(inbox.rows.len(), 1, "drafts take no part");
    let item = store.read(&[inbox.rows[0].entry_id.clone()]).unwrap().remove(0).unwrap();
    assert_eq!(item.properties.get(&Property::Body), Some(&PropertyValue::text("Hi there")));
    let id = PropertyValue::text("<1@example.org>");
    assert_eq!(item.properties.get(&Property::MessageId), Some(&id));
}
