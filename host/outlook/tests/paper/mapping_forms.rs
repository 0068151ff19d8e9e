//! The rows of the mapping tables that are no plain text: dates, choices, groups and people.

use super::mappings::World;
use super::support::{BOB, DAY, MINUTE, NOW, text};
use offstage_model::{Entity, Timestamp, Value};
use offstage_outlook::{EntryId, Person, Property as P, PropertyValue as V};

type Columns = &'static [&'static str];

fn date_of(text: &str) -> V {
    V::Date(text.parse().expect("a day"))
}

fn moment(text: &str) -> Value {
    Value::DateTime(Timestamp::parse(text).expect("a time"))
}

fn time(ms: i64) -> V {
    V::Time(Timestamp(ms))
}

/// A date-only column: no zone moves it.
pub(crate) fn date(world: &mut World, columns: Columns, property: P) {
    let (item, record) = world.made(&[(property, date_of("1984-02-29"))]);
    assert_eq!(world.row(record).value(columns[0]), &moment("1984-02-29T00:00:00Z"));
    world.set(record, columns[0], moment("1753-01-01T00:00:00Z"));
    assert_eq!(world.shown(&item, property), Some(date_of("1753-01-01")));
    world.set(record, columns[0], Value::Null);
    assert_eq!(world.shown(&item, property), None);
    world.rests();
}

/// The day of a task; its time of day is the CRM's own.
pub(crate) fn day(world: &mut World, columns: Columns, property: P) {
    let (item, record) = world.made(&[(property, date_of("2027-03-28"))]);
    assert_eq!(world.row(record).value(columns[0]), &moment("2027-03-28T00:00:00Z"));
    world.set(record, columns[0], moment("2027-10-31T09:30:00Z"));
    assert_eq!(world.shown(&item, property), Some(date_of("2027-10-31")));
    world.edit(&item, property, date_of("2027-11-01"));
    assert_eq!(world.row(record).value(columns[0]), &moment("2027-11-01T09:30:00Z"));
    world.set(record, columns[0], Value::Null);
    assert_eq!(world.shown(&item, property), None);
    world.rests();
}

/// 0 low, 1 normal, 2 high; an item that says nothing is normal.
pub(crate) fn priority(world: &mut World, columns: Columns, property: P) {
    let (item, record) = world.made(&[]);
    assert_eq!(world.row(record).value(columns[0]), &Value::Option(1), "by default");
    for choice in [2, 0, 1] {
        world.edit(&item, property, V::Integer(choice));
        assert_eq!(world.row(record).value(columns[0]), &Value::Option(choice));
    }
    for choice in [0, 2, 1] {
        world.set(record, columns[0], Value::Option(choice));
        assert_eq!(world.shown(&item, property), Some(V::Integer(choice)));
    }
    world.rests();
}

fn states(world: &World, record: offstage_model::Uuid) -> (Option<i32>, Option<i32>) {
    let row = world.row(record);
    (row.value("statecode").as_option(), row.value("statuscode").as_option())
}

fn set_state(world: &mut World, record: offstage_model::Uuid, (state, status): (i32, i32)) {
    let row = Entity::with_id(world.table(), record);
    let row = row.with("statecode", Value::Option(state));
    world.server.update(row.with("statuscode", Value::Option(status)));
    world.client.sync();
}

/// "Computed from Activity State Code and ... Status Code": of the task.
pub(crate) fn task_status(world: &mut World, _: Columns, property: P) {
    let table = [(0, (0, 2)), (1, (0, 3)), (2, (1, 5)), (3, (0, 4)), (4, (0, 7))];
    for (shown, (state, status)) in table {
        let (item, record) = world.made(&[]);
        assert_eq!(states(world, record), (Some(0), Some(2)), "an item that says nothing");
        world.edit(&item, property, V::Integer(shown));
        assert_eq!(states(world, record), (Some(state), Some(status)), "from Outlook: {shown}");
        let (item, record) = world.made(&[(property, V::Integer(if shown == 1 { 3 } else { 1 }))]);
        set_state(world, record, (state, status));
        assert_eq!(world.shown(&item, property), Some(V::Integer(shown)), "from the CRM");
    }
    // Outlook has no "cancelled": the item stays and is put off, and that is no change back.
    let (item, record) = world.made(&[]);
    set_state(world, record, (2, 6));
    assert_eq!(world.shown(&item, property), Some(V::Integer(4)));
    assert_eq!(states(world, record), (Some(2), Some(6)));
    world.rests();
}

/// "Computed from Activity State Code and Appointment Status Code".
pub(crate) fn show_time_as(world: &mut World, _: Columns, property: P) {
    let table = [(0, (0, 1)), (1, (0, 2)), (2, (3, 5)), (3, (3, 6))];
    for (shown, (state, status)) in table {
        let (item, record) = world.made(&[(property, V::Integer(if shown == 2 { 0 } else { 2 }))]);
        world.edit(&item, property, V::Integer(shown));
        assert_eq!(states(world, record), (Some(state), Some(status)), "from Outlook: {shown}");
        let (item, record) = world.made(&[(property, V::Integer(if shown == 1 { 2 } else { 1 }))]);
        set_state(world, record, (state, status));
        assert_eq!(world.shown(&item, property), Some(V::Integer(shown)), "from the CRM");
    }
    // Working elsewhere is busy in the CRM, and stays what it is in Outlook.
    let (item, record) = world.made(&[(property, V::Integer(4))]);
    assert_eq!(states(world, record), (Some(3), Some(5)));
    world.set(record, "location", Value::text("Room 7"));
    assert_eq!(world.shown(&item, property), Some(V::Integer(4)));
    // A completed one leaves what Outlook shows; a cancelled one is free.
    set_state(world, record, (1, 3));
    assert_eq!(world.shown(&item, property), Some(V::Integer(4)));
    let (item, record) = world.made(&[]);
    set_state(world, record, (2, 4));
    assert_eq!(world.shown(&item, property), Some(V::Integer(0)));
    world.rests();
}

/// Several names in one column.
pub(crate) fn children(world: &mut World, columns: Columns, property: P) {
    let names = |names: &[&str]| V::Texts(names.iter().map(|name| (*name).to_owned()).collect());
    let (item, record) = world.made(&[(property, names(&["Ann", "Bob"]))]);
    assert_eq!(world.row(record).text(columns[0]), Some("Ann, Bob"));
    world.set(record, columns[0], Value::text("Ann; Eve"));
    assert_eq!(world.shown(&item, property), Some(names(&["Ann", "Eve"])));
    let many: Vec<String> = (0..60).map(|n| format!("Child{n:02}")).collect();
    world.edit(&item, property, V::Texts(many.clone()));
    let held = world.row(record).text(columns[0]).map(str::to_owned).expect("names");
    assert_eq!(held.chars().count(), 255);
    assert_eq!(world.shown(&item, property), Some(V::Texts(many)));
    world.set(record, columns[0], Value::Null);
    assert_eq!(world.shown(&item, property), None);
    world.rests();
}

/// The lines of the street are three columns, and the address is one group.
pub(crate) fn street(world: &mut World, columns: Columns, property: P) {
    let (item, record) = world.made(&[(property, text("1\r\n2\r\n3\r\n4"))]);
    let lines = |world: &World| {
        let row = world.row(record);
        columns.iter().map(|column| row.text(column).map(str::to_owned)).collect::<Vec<_>>()
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(lines(world), [some("1"), some("2"), some("3, 4")]);
    world.set(record, columns[1], Value::Null);
    assert_eq!(world.shown(&item, property), Some(text("1\n\n3, 4")));
    world.edit(&item, property, text(&"x".repeat(251)));
    assert_eq!(lines(world), [Some("x".repeat(250)), None, None]);
    // A group: the street of one side does not go with the city of the other.
    world.client.edit(&item, P::MailingStreet, text("Outlook's street"));
    world.server.later(MINUTE);
    world.set(record, "address1_city", Value::text("The CRM's city"));
    assert_eq!(world.shown(&item, P::MailingCity), Some(text("The CRM's city")));
    assert_eq!(world.shown(&item, property), Some(text(&"x".repeat(250))));
    world.rests();
}

/// Start, end, duration and whole days are one group: start and end from Outlook, all in step.
fn times(world: &World, record: offstage_model::Uuid) -> (Value, Value, Value) {
    let row = world.row(record);
    let value = |column: &str| row.value(column).clone();
    (value("scheduledstart"), value("scheduledend"), value("scheduleddurationminutes"))
}

fn at(ms: i64) -> Value {
    Value::DateTime(Timestamp(ms))
}

pub(crate) fn start(world: &mut World, columns: Columns, property: P) {
    let (item, record) = world.made(&[]);
    world.edit(&item, property, time(NOW + DAY - 30 * MINUTE));
    let (from, until) = (NOW + DAY - 30 * MINUTE, NOW + DAY + 30 * MINUTE);
    assert_eq!(times(world, record), (at(from), at(until), Value::Integer(60)));
    world.set(record, columns[0], at(NOW + DAY));
    assert_eq!(world.shown(&item, property), Some(time(NOW + DAY)));
    world.rests();
}

pub(crate) fn end(world: &mut World, columns: Columns, property: P) {
    let (item, record) = world.made(&[]);
    world.edit(&item, property, time(NOW + DAY + 90 * MINUTE));
    let until = NOW + DAY + 90 * MINUTE;
    assert_eq!(times(world, record), (at(NOW + DAY), at(until), Value::Integer(90)));
    world.set(record, columns[0], at(NOW + DAY + 15 * MINUTE));
    assert_eq!(world.shown(&item, property), Some(time(NOW + DAY + 15 * MINUTE)));
    // One side moves the start, the other one the end: the later group stands as a whole.
    world.client.edit(&item, P::Start, time(NOW));
    world.server.later(MINUTE);
    world.set(record, columns[0], at(NOW + DAY + 45 * MINUTE));
    assert_eq!(world.shown(&item, P::Start), Some(time(NOW + DAY)));
    assert_eq!(world.shown(&item, property), Some(time(NOW + DAY + 45 * MINUTE)));
    world.rests();
}

pub(crate) fn duration(world: &mut World, columns: Columns, property: P) {
    let (item, record) = world.made(&[]);
    assert_eq!(world.row(record).value(columns[0]), &Value::Integer(30));
    world.edit(&item, P::End, time(NOW + DAY + 75 * MINUTE));
    assert_eq!(world.row(record).value(columns[0]), &Value::Integer(75));
    world.set(record, "scheduledend", at(NOW + DAY + 20 * MINUTE));
    assert_eq!(world.shown(&item, property), Some(V::Integer(20)));
    world.rests();
}

pub(crate) fn all_day(world: &mut World, columns: Columns, property: P) {
    let days = [(P::Start, date_of("2027-03-28")), (P::End, date_of("2027-03-30"))];
    let mut fields = days.to_vec();
    fields.push((property, V::Boolean(true)));
    let (item, record) = world.made(&fields);
    assert_eq!(world.row(record).value(columns[0]), &Value::Boolean(true));
    let (from, until) = (moment("2027-03-28T00:00:00Z"), moment("2027-03-30T00:00:00Z"));
    assert_eq!(times(world, record), (from, until, Value::Integer(2 * 24 * 60)));
    world.set(record, "scheduledend", moment("2027-03-31T00:00:00Z"));
    assert_eq!(world.shown(&item, P::End), Some(date_of("2027-03-31")));
    // From whole days to hours, in the CRM.
    let row = Entity::with_id(world.table(), record)
        .with(columns[0], Value::Boolean(false))
        .with("scheduledstart", at(NOW + DAY))
        .with("scheduledend", at(NOW + DAY + MINUTE));
    world.server.update(row);
    world.client.sync();
    assert_eq!(world.shown(&item, P::Start), Some(time(NOW + DAY)));
    assert!(!matches!(world.shown(&item, property), Some(V::Boolean(true))));
    world.rests();
}

/// The parties of an appointment with this participation type, by address.
fn parties(world: &World, record: offstage_model::Uuid, mask: i32) -> Vec<Entity> {
    let all = world.server.all("activityparty").into_iter();
    let of = |row: &Entity| row.value("activityid").as_reference().map(|r| r.id) == Some(record);
    let mut found: Vec<Entity> = all
        .filter(|row| of(row) && row.value("participationtypemask").as_option() == Some(mask))
        .collect();
    found.sort_by_key(|row| row.text("addressused").map(str::to_owned));
    found
}

fn shown_addresses(world: &mut World, item: &EntryId, property: P) -> Vec<String> {
    let value = world.shown(item, property).unwrap_or(V::People(Vec::new()));
    let mut found: Vec<String> =
        value.people().iter().map(|person| person.address.to_lowercase()).collect();
    found.sort();
    found
}

pub(crate) fn attendees(world: &mut World, _: Columns, property: P) {
    let mask = if property == P::RequiredAttendees { 5 } else { 6 };
    let bob = Person::new("Bob", "Bob@Contoso.example");
    let eve = Person::new("Eve", "eve@elsewhere.example");
    let (item, record) = world.made(&[(property, V::People(vec![eve.clone(), bob.clone()]))]);
    let found = parties(world, record, mask);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0].value("partyid").as_reference().map(|r| r.id), Some(BOB), "a user");
    assert!(found[1].value("partyid").is_null(), "nobody that the CRM knows");
    // Somebody comes and somebody goes in the CRM.
    world.server.delete("activityparty", found[1].id.expect("an id"));
    let address = Value::text("kim@elsewhere.example");
    let party = Entity::new("activityparty")
        .with("activityid", Value::reference("appointment", record))
        .with("addressused", address)
        .with("participationtypemask", Value::Option(mask));
    world.server.create(party);
    world.client.sync();
    let wanted = ["bob@contoso.example", "kim@elsewhere.example"];
    assert_eq!(shown_addresses(world, &item, property), wanted);
    // Another order and another case of the letters are the same people.
    let version = world.row(record).version;
    let kim = Person::new("K.", "KIM@elsewhere.example");
    world.edit(&item, property, V::People(vec![kim, bob]));
    assert_eq!(world.row(record).version, version);
    world.edit(&item, property, V::People(Vec::new()));
    assert_eq!(parties(world, record, mask).len(), 0);
    world.rests();
}

pub(crate) fn organizer(world: &mut World, _: Columns, property: P) {
    let ada = Person::new("Ada", "ada@contoso.example");
    let (item, record) = world.made(&[(property, V::People(vec![ada]))]);
    let found = parties(world, record, 7);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].text("addressused"), Some("ada@contoso.example"));
    // Another one takes it over in the CRM.
    let changed = Entity::with_id("activityparty", found[0].id.expect("an id"))
        .with("partyid", Value::reference("systemuser", BOB))
        .with("partyname", Value::text("Bob"))
        .with("addressused", Value::text("bob@contoso.example"));
    world.server.update(changed);
    world.client.sync();
    assert_eq!(shown_addresses(world, &item, property), ["bob@contoso.example"]);
    world.rests();
}
