//! The tables of the paper, row by row. Each case names its row.

use offstage_outlook::ItemKind::{self, Appointment, Contact, Email, Task};
use offstage_outlook::mapping::{TABLES, of_kind};
use offstage_outlook::rules::{
    Action, Cell, ClientRole, DeletionFacts, Event, FILTERS, ItemClass, Outcome, Quarantine, Rows,
    Settings, deletion, immediate,
};

/// Appendix B: row, received/sent primary, secondary, draft, non-e-mail primary, secondary/delegate.
#[test]
fn appendix_b_immediate_synchronization() {
    use Action as A;
    use Cell::{Next as No, NotApplicable as NA, Now as Yes, OnClose, OnSend};
    let rows = [
        ("Track in Inspector", A::TrackInInspector, [Yes, Yes, OnSend, OnClose, No]),
        ("Update in Inspector", A::UpdateInInspector, [Yes, Yes, OnSend, OnClose, No]),
        ("Un-track in Inspector", A::UntrackInInspector, [Yes, Yes, NA, OnClose, No]),
        ("Delete in Inspector", A::DeleteInInspector, [No, No, NA, No, No]),
        ("Track in Explorer", A::TrackInExplorer, [Yes, Yes, NA, Yes, No]),
        ("Set Regarding in Explorer", A::SetRegardingInExplorer, [Yes, Yes, NA, Yes, No]),
        ("Delete in Explorer", A::DeleteInExplorer, [No, No, NA, No, No]),
        // Not in the paper; read like "Set Regarding in Explorer".
        ("Un-track in Explorer", A::UntrackInExplorer, [Yes, Yes, NA, Yes, No]),
    ];
    for (row, action, cells) in rows {
        let (mail, draft, other) =
            (ItemClass::ReceivedOrSent, ItemClass::Draft, ItemClass::NonEmail);
        let (primary, secondary) = (ClientRole::Primary, ClientRole::Secondary);
        let found = [
            immediate(action, mail, primary),
            immediate(action, mail, secondary),
            immediate(action, draft, primary),
            immediate(action, other, primary),
            immediate(action, other, secondary),
        ];
        assert_eq!(found, cells, "{row}");
        assert_eq!(immediate(action, draft, secondary), cells[2], "{row}: draft, secondary");
        assert_eq!(immediate(action, other, ClientRole::Delegate), cells[4], "{row}: delegate");
        let roaming = immediate(action, other, ClientRole::Roaming);
        assert_eq!(roaming, cells[3], "{row}: roaming profile, all act as primary");
    }
}

/// Facts by their words in the paper.
fn facts(words: &[&str]) -> DeletionFacts {
    let has = |word| words.contains(&word);
    DeletionFacts {
        asked: has("designated"),
        open_or_scheduled: has("open"),
        starts_in_future: has("future"),
        owner: has("owner"),
        organizer: has("organizer"),
        completed: has("completed"),
    }
}

#[test]
fn deletions_that_occur_in_outlook() {
    use Event::{DeletedInOutlook as Deleted, UntrackedInOutlook as Untracked};
    use Outcome::{DeleteRecord, Unlink};
    let all: &[&str] = &["open", "future", "owner"];
    let rows: [(&str, ItemKind, Event, &[&str], Outcome); 18] = [
        ("Contacts: deleted", Contact, Deleted, &["owner"], Unlink),
        ("Contacts: untracked, designated", Contact, Untracked, &["designated"], DeleteRecord),
        ("Contacts: untracked", Contact, Untracked, &["owner"], Unlink),
        ("Appointments: deleted, all true", Appointment, Deleted, all, DeleteRecord),
        (
            "Appointments: organizer",
            Appointment,
            Deleted,
            &["open", "future", "organizer"],
            DeleteRecord,
        ),
        ("Appointments: not open", Appointment, Deleted, &["future", "owner"], Unlink),
        ("Appointments: past", Appointment, Deleted, &["open", "owner"], Unlink),
        (
            "Appointments: neither owner nor organizer",
            Appointment,
            Deleted,
            &["open", "future"],
            Unlink,
        ),
        ("Appointments: untracked, all true", Appointment, Untracked, all, DeleteRecord),
        ("Appointments: untracked, past", Appointment, Untracked, &["open", "owner"], Unlink),
        ("Appointments: untracked, not open", Appointment, Untracked, &["future", "owner"], Unlink),
        ("Tasks: deleted, not completed", Task, Deleted, &[], DeleteRecord),
        ("Tasks: deleted, completed", Task, Deleted, &["completed"], Unlink),
        ("Tasks: untracked (not in the paper)", Task, Untracked, &["designated"], Unlink),
        ("E-mails: deleted", Email, Deleted, &["owner", "designated"], Unlink),
        ("E-mails: untracked, designated", Email, Untracked, &["designated"], DeleteRecord),
        ("E-mails: untracked", Email, Untracked, &[], Unlink),
        ("Contacts: deleted, designated or not", Contact, Deleted, &["designated"], Unlink),
    ];
    for (row, kind, event, words, outcome) in rows {
        assert_eq!(deletion(kind, event, &facts(words)).0, outcome, "{row}");
    }
}

#[test]
fn deletions_that_occur_in_crm() {
    use Outcome::{DeleteItem, Unlink};
    let rows: [(&str, ItemKind, &[&str], Outcome); 8] = [
        ("Contacts: user is not the owner", Contact, &[], DeleteItem),
        ("Contacts: user is the owner", Contact, &["owner"], Unlink),
        ("Appointments: future", Appointment, &["future"], DeleteItem),
        ("Appointments: past", Appointment, &["open", "owner"], Unlink),
        ("Tasks: not completed", Task, &[], DeleteItem),
        ("Tasks: completed", Task, &["completed"], Unlink),
        ("E-mails", Email, &[], Unlink),
        ("E-mails: whatever holds", Email, &["future", "designated"], Unlink),
    ];
    for (row, kind, words, outcome) in rows {
        assert_eq!(deletion(kind, Event::DeletedInCrm, &facts(words)).0, outcome, "{row}");
    }
}

/// The data mappings: Outlook field, Dynamics CRM field as printed, column.
const TASKS: &str = "Body|Description|description
Due Date|Scheduledend|scheduledend
Priority|Priority|prioritycode
Start Date|Scheduledstart|scheduledstart
Status|Computed from Activity State Code and Appointment Status Code|statecode,statuscode
Subject|Subject|subject";
const APPOINTMENTS: &str = "All Day Event|Isalldayevent|isalldayevent
Body|Description|description
Duration|Scheduleddurationminutes|scheduleddurationminutes
End|Scheduledend|scheduledend
Location|Location|location
Optional Attendees|Optionalattendees|
Organizer|Organizer|
Priority|Priority|prioritycode
Required Attendees|Requiredattendees|
Show Time As|Computed from Activity State Code and Appointment Status Code|statecode,statuscode
Start|Scheduledstart|scheduledstart
Subject|Subject|subject";
const CONTACTS: &str = "Anniversary|Anniversary|anniversary
Assistant Name|Assistantname|assistantname
Assistant Telephone Number|Assistantphone|assistantphone
Birthday|Birthdate|birthdate
Body|Description|description
Business Fax Number|Fax|fax
Business Telephone Number|telephone1|telephone1
Children|childrensnames|childrensnames
Department|department|department
E-mail1Address|e-mailaddress1|emailaddress1
E-mail2Address|e-mailaddress2|emailaddress2
E-mail3Address|e-mailaddresss3|emailaddress3
First Name|firstname|firstname
FTP Site|ftpsiteurl|ftpsiteurl
Government ID Number|governmentid|governmentid
Home Telephone Number|telephone2|telephone2
Job Title|jobtitle|jobtitle
Last Name|lastname|lastname
Mailing Address City|address1_city|address1_city
Mailing Address Country|addresss1_country|address1_country
Mailing Address Post Office Box|addresss1_postofficebox|address1_postofficebox
Mailing Address Postal Code|address1_postalcode|address1_postalcode
Mailing Address State|addresss1_stateorprovince|address1_stateorprovince
Mailing Address Street|address1_line1; address1_line2; address1_line3|address1_line1,address1_line2,address1_line3
Manager Name|managername|managername
Middle Name|middlename|middlename
Mobile Telephone Number|mobilephone|mobilephone
Nickname|nickname|nickname
Other Telephone Number|telephone3|telephone3
Pager Number|pager|pager
Spouse|spousesname|spousesname
Title|salutation|salutation
Web Page|websiteurl|websiteurl
Yomi First Name|yomifirstname|yomifirstname
Yomi Last Name|yomilastname|yomilastname";

#[test]
fn data_mappings_of_the_paper() {
    for (kind, rows) in [(Task, TASKS), (Appointment, APPOINTMENTS), (Contact, CONTACTS)] {
        let fields: Vec<_> =
            of_kind(kind).fields.iter().filter(|field| !field.paper_field.is_empty()).collect();
        assert_eq!(fields.len(), rows.lines().count(), "{kind}");
        for row in rows.lines() {
            let parts: Vec<&str> = row.split('|').collect();
            let field = fields.iter().find(|field| field.paper_field == parts[0]);
            let field = field.unwrap_or_else(|| panic!("{kind}: no row '{row}'"));
            assert_eq!(field.paper_column, parts[1], "{row}");
            assert_eq!(field.columns.join(","), parts[2], "{row}");
        }
    }
}

#[test]
fn filters_are_fixed_per_kind() {
    let rows = [
        ("contact", Contact, Rows::Own),
        ("task", Task, Rows::OwnOpen),
        ("phonecall", Task, Rows::OwnOpen),
        ("letter", Task, Rows::OwnOpen),
        ("fax", Task, Rows::OwnOpen),
        ("appointment", Appointment, Rows::OwnOrParty),
    ];
    let found = FILTERS.map(|filter| (filter.table, filter.kind, filter.rows));
    assert_eq!(found, rows);
    // Phone calls, letters and faxes are tasks in Outlook; an item that is tracked becomes a task.
    let kinds: Vec<_> = TABLES.iter().map(|table| (table.table, table.kind)).collect();
    assert_eq!(kinds.iter().filter(|(_, kind)| *kind == Task).count(), 4);
    assert_eq!(of_kind(Task).table, "task");
}

#[test]
fn appendix_c_settings() {
    let settings = Settings::default();
    assert!(settings.takes(Contact), "Synchronize ... items with my default Outlook Folder");
    assert!(settings.takes(Task) && settings.takes(Appointment) && !settings.takes(Email));
    assert!(!settings.update_company, "Update the Company Field for Outlook Contacts");
    assert_eq!(settings.interval_minutes, 15, "Schedule automatic Synchronization: 15 minutes");
    let off = Settings { contacts: false, ..Settings::default() };
    assert!(!off.takes(Contact) && off.takes(Task));
}

#[test]
fn more_than_ten_or_five_percent_wait() {
    let cases =
        [(10, 50, false), (11, 50, true), (11, 5_000, true), (6, 100, true), (5, 100, false)];
    for (deletions, pairs, holds) in cases {
        assert_eq!(Quarantine::default().holds(deletions, pairs), holds, "{deletions} of {pairs}");
    }
}
