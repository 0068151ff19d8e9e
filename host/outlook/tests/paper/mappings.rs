//! "Data Mapping": each row of the three tables goes both ways through the engine, with the values,
//! lengths and choices that a record can hold, and touches no other column.

use super::mapping_forms as forms;
use super::support::{Client, Server, text};
use super::walk_rows;
use offstage_model::{Entity, Uuid, Value};
use offstage_outlook::mapping::of_table;
use offstage_outlook::{EntryId, ItemKind, Property as P, PropertyValue as V};

/// The Outlook field of the paper, what it is here, the columns of the record, and how it is checked.
struct Row {
    field: &'static str,
    property: P,
    columns: &'static [&'static str],
    form: Form,
}

/// How a row is checked.
#[derive(Clone, Copy)]
enum Form {
    /// A text with a length in characters.
    Text(usize),
    /// Anything that a function of its own tells.
    Special(fn(&mut World, &'static [&'static str], P)),
}

use Form::{Special, Text};

const fn row(
    field: &'static str,
    property: P,
    columns: &'static [&'static str],
    form: Form,
) -> Row {
    Row { field, property, columns, form }
}

const TASKS: [Row; 6] = [
    row("Body", P::Body, &["description"], Text(2000)),
    row("Due Date", P::DueDate, &["scheduledend"], Special(forms::day)),
    row("Priority", P::Importance, &["prioritycode"], Special(forms::priority)),
    row("Start Date", P::StartDate, &["scheduledstart"], Special(forms::day)),
    row("Status", P::TaskStatus, &["statecode", "statuscode"], Special(forms::task_status)),
    row("Subject", P::Subject, &["subject"], Text(200)),
];

const APPOINTMENTS: [Row; 12] = [
    row("All Day Event", P::AllDay, &["isalldayevent"], Special(forms::all_day)),
    row("Body", P::Body, &["description"], Text(2000)),
    row("Duration", P::Duration, &["scheduleddurationminutes"], Special(forms::duration)),
    row("End", P::End, &["scheduledend"], Special(forms::end)),
    row("Location", P::Location, &["location"], Text(200)),
    row("Optional Attendees", P::OptionalAttendees, &[], Special(forms::attendees)),
    row("Organizer", P::Organizer, &[], Special(forms::organizer)),
    row("Priority", P::Importance, &["prioritycode"], Special(forms::priority)),
    row("Required Attendees", P::RequiredAttendees, &[], Special(forms::attendees)),
    row("Show Time As", P::ShowTimeAs, &["statecode", "statuscode"], Special(forms::show_time_as)),
    row("Start", P::Start, &["scheduledstart"], Special(forms::start)),
    row("Subject", P::Subject, &["subject"], Text(200)),
];

const CONTACTS: [Row; 35] = [
    row("Anniversary", P::Anniversary, &["anniversary"], Special(forms::date)),
    row("Assistant Name", P::AssistantName, &["assistantname"], Text(100)),
    row("Assistant Telephone Number", P::AssistantTelephone, &["assistantphone"], Text(50)),
    row("Birthday", P::Birthday, &["birthdate"], Special(forms::date)),
    row("Body", P::Body, &["description"], Text(2000)),
    row("Business Fax Number", P::BusinessFax, &["fax"], Text(50)),
    row("Business Telephone Number", P::BusinessTelephone, &["telephone1"], Text(50)),
    row("Children", P::Children, &["childrensnames"], Special(forms::children)),
    row("Department", P::Department, &["department"], Text(100)),
    row("E-mail1Address", P::Email1, &["emailaddress1"], Text(100)),
    row("E-mail2Address", P::Email2, &["emailaddress2"], Text(100)),
    row("E-mail3Address", P::Email3, &["emailaddress3"], Text(100)),
    row("First Name", P::FirstName, &["firstname"], Text(50)),
    row("FTP Site", P::FtpSite, &["ftpsiteurl"], Text(200)),
    row("Government ID Number", P::GovernmentId, &["governmentid"], Text(50)),
    row("Home Telephone Number", P::HomeTelephone, &["telephone2"], Text(50)),
    row("Job Title", P::JobTitle, &["jobtitle"], Text(100)),
    row("Last Name", P::LastName, &["lastname"], Text(50)),
    row("Mailing Address City", P::MailingCity, &["address1_city"], Text(80)),
    row("Mailing Address Country", P::MailingCountry, &["address1_country"], Text(80)),
    row(
        "Mailing Address Post Office Box",
        P::MailingPostOfficeBox,
        &["address1_postofficebox"],
        Text(20),
    ),
    row("Mailing Address Postal Code", P::MailingPostalCode, &["address1_postalcode"], Text(20)),
    row("Mailing Address State", P::MailingState, &["address1_stateorprovince"], Text(50)),
    row(
        "Mailing Address Street",
        P::MailingStreet,
        &["address1_line1", "address1_line2", "address1_line3"],
        Special(forms::street),
    ),
    row("Manager Name", P::ManagerName, &["managername"], Text(100)),
    row("Middle Name", P::MiddleName, &["middlename"], Text(50)),
    row("Mobile Telephone Number", P::MobileTelephone, &["mobilephone"], Text(50)),
    row("Nickname", P::Nickname, &["nickname"], Text(100)),
    row("Other Telephone Number", P::OtherTelephone, &["telephone3"], Text(50)),
    row("Pager Number", P::Pager, &["pager"], Text(50)),
    row("Spouse", P::Spouse, &["spousesname"], Text(100)),
    row("Title", P::Title, &["salutation"], Text(100)),
    row("Web Page", P::WebPage, &["websiteurl"], Text(200)),
    row("Yomi First Name", P::YomiFirstName, &["yomifirstname"], Text(150)),
    row("Yomi Last Name", P::YomiLastName, &["yomilastname"], Text(150)),
];

pub(crate) fn tasks(table: &str) {
    check(table, ItemKind::Task, &TASKS);
}

pub(crate) fn appointments(table: &str) {
    check(table, ItemKind::Appointment, &APPOINTMENTS);
}

pub(crate) fn contacts(table: &str) {
    check(table, ItemKind::Contact, &CONTACTS);
}

fn check(table: &str, kind: ItemKind, rows: &[Row]) {
    let names: Vec<&str> = rows.iter().map(|row| row.field).collect();
    let server = Server::new();
    let client = Client::primary(&server);
    let mut world = World { server, client, kind };
    walk_rows(table, &names, |name| {
        let row = rows.iter().find(|row| row.field == name).expect("a row");
        match row.form {
            Text(length_max) => texts(&mut world, row, length_max),
            Special(check) => check(&mut world, row.columns, row.property),
        }
    });
}

/// One server and one mailbox for all rows of a table.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) client: Client,
    pub(crate) kind: ItemKind,
}

impl World {
    pub(crate) fn table(&self) -> &'static str {
        super::actions::table(self.kind)
    }

    /// A tracked item with these values besides what every item has.
    pub(crate) fn made(&mut self, values: &[(P, V)]) -> (EntryId, Uuid) {
        let mut fields = super::actions::fields(self.kind);
        fields.retain(|(property, _)| !values.iter().any(|(other, _)| other == property));
        fields.extend(values.iter().cloned());
        let item = self.client.make_tracked(self.kind, &fields);
        self.client.sync();
        let record = self.client.record_of(&item).expect("tracked");
        (item, record)
    }

    pub(crate) fn row(&self, record: Uuid) -> Entity {
        self.server.get(self.table(), record).expect("a row")
    }

    pub(crate) fn set(&mut self, record: Uuid, column: &str, value: Value) {
        self.server.update(Entity::with_id(self.table(), record).with(column, value));
        self.client.sync();
    }

    pub(crate) fn edit(&mut self, item: &EntryId, property: P, value: V) {
        self.client.edit(item, property, value);
        self.client.sync();
    }

    pub(crate) fn shown(&mut self, item: &EntryId, property: P) -> Option<V> {
        self.client.item(item).expect("there").properties.get(&property).cloned()
    }

    /// Nothing goes back and forth any more.
    pub(crate) fn rests(&mut self) {
        let report = self.client.sync();
        assert!(report.pairs.is_empty(), "{report:#?}");
    }

    /// The mapped columns that are set and that an item of this kind does not always have.
    fn set_columns(&self, record: Uuid) -> Vec<&'static str> {
        let always = ["lastname", "subject", "statecode", "statuscode", "prioritycode"];
        let times =
            ["scheduledstart", "scheduledend", "scheduleddurationminutes", "instancetypecode"];
        let row = self.row(record);
        let columns = of_table(self.table()).expect("a table").columns().into_iter();
        let set = columns.filter(|column| !row.value(column).is_null());
        let set = set.filter(|column| *row.value(column) != Value::Boolean(false));
        set.filter(|column| !always.contains(column) && !times.contains(column)).collect()
    }
}

fn texts(world: &mut World, row: &Row, length_max: usize) {
    let (property, column) = (row.property, row.columns[0]);
    let required = ["lastname", "subject"].contains(&column);
    let (item, record) = world.made(&[(property, text("first"))]);
    let value = |world: &World| world.row(record).text(column).map(str::to_owned);
    assert_eq!(value(world).as_deref(), Some("first"));
    let wanted: &[&str] = if required { &[] } else { row.columns };
    assert_eq!(world.set_columns(record), wanted, "no other column");
    world.set(record, column, Value::text("Zoë & <second>"));
    assert_eq!(world.shown(&item, property), Some(text("Zoë & <second>")));
    // What does not fit is cut, in characters; Outlook keeps the whole, and it does not go on.
    let long = "ü".repeat(length_max + 1);
    world.edit(&item, property, text(&long));
    assert_eq!(value(world), Some("ü".repeat(length_max)));
    assert_eq!(world.shown(&item, property), Some(text(&long)));
    world.rests();
    let fits = "é".repeat(length_max);
    world.edit(&item, property, text(&fits));
    assert_eq!(value(world), Some(fits));
    if property == P::Body {
        line_ends(world, &item, record);
    }
    if required {
        return;
    }
    // Empty is missing, on both sides.
    world.edit(&item, property, text(""));
    assert_eq!(value(world), None, "emptied in Outlook");
    world.set(record, column, Value::text(""));
    assert_eq!(world.shown(&item, property), None);
    world.rests();
    world.set(record, column, Value::text("third"));
    world.set(record, column, Value::Null);
    assert_eq!(world.shown(&item, property), None, "emptied in the CRM");
    world.rests();
}

/// CRLF is LF, and a line end at the end is none.
fn line_ends(world: &mut World, item: &EntryId, record: Uuid) {
    world.edit(item, P::Body, text("one\r\ntwo\r\n"));
    assert_eq!(world.row(record).text("description"), Some("one\ntwo"));
    let version = world.row(record).version;
    world.edit(item, P::Body, text("one\ntwo"));
    assert_eq!(world.row(record).version, version, "the same text");
    world.set(record, "description", Value::text("one\r\ntwo"));
    let shown = world.shown(item, P::Body).expect("a body").to_string();
    assert_eq!(shown.replace("\r\n", "\n").trim_end(), "one\ntwo");
    world.rests();
}
