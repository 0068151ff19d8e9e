//! Appendix C: each setting, by what it changes.

use super::Case;
use super::support::{ADA, Client, DAY, MINUTE, NOW, Server, mailbox, text};
use offstage_model::{Entity, Timestamp, Uuid, Value};
use offstage_outlook::engine::Place;
use offstage_outlook::rules::{ClientRole, Settings};
use offstage_outlook::{ItemKind, Property as P, Trigger};

pub(crate) const SETTINGS: [Case; 4] = [
    ("Synchronize Microsoft Dynamics CRM items with my default Outlook Folder", kinds),
    ("Update the Company Field for Outlook Contacts", company),
    ("Set Synchronizing Client", synchronising_client),
    ("Schedule automatic Synchronization with Outlook", schedule),
];

fn row(table: &str, name: &str) -> Entity {
    let column = if table == "contact" { "lastname" } else { "subject" };
    let row = Entity::new(table).with(column, Value::text(name));
    if table != "appointment" {
        return row;
    }
    let time = |ms| Value::DateTime(Timestamp(ms));
    row.with("scheduledstart", time(NOW + DAY)).with("scheduledend", time(NOW + DAY + MINUTE))
}

/// "PrepareSync process will ignore any unchecked items ... However, the user can still promote".
fn kinds() {
    let kinds: [(ItemKind, &[&str]); 3] = [
        (ItemKind::Contact, &["contact"]),
        (ItemKind::Task, &["task", "phonecall", "letter", "fax"]),
        (ItemKind::Appointment, &["appointment"]),
    ];
    for (off, _) in kinds {
        let server = Server::new();
        let mut client = Client::primary(&server);
        let settings = Settings {
            contacts: off != ItemKind::Contact,
            tasks: off != ItemKind::Task,
            appointments: off != ItemKind::Appointment,
            ..Settings::default()
        };
        client.engine.set_settings(&settings).expect("settings");
        for (_, tables) in kinds {
            for table in tables {
                server.create(row(table, "from the CRM"));
            }
        }
        client.sync();
        for (kind, tables) in kinds {
            let come = if kind == off { 0 } else { tables.len() };
            assert_eq!(client.items(kind).len(), come, "without {off}: {kind}");
        }
        // "no effect on Outlook to CRM synchronization".
        let before = server.all(kinds.iter().find(|(k, _)| *k == off).expect("a kind").1[0]).len();
        let item = client.make(off, &super::actions::fields(off));
        client.engine.track(&item, Place::Explorer, None).expect("tracked");
        assert_eq!(server.all(super::actions::table(off)).len(), before + 1, "{off}");
        client.edit(&item, P::Body, text("edited"));
        client.sync();
        let record = client.record_of(&item).expect("tracked");
        let found = server.get(super::actions::table(off), record).expect("a row");
        assert_eq!(found.text("description"), Some("edited"), "{off}");
    }
}

fn company() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let name = |server: &Server, id: Uuid, name: &str| {
        server.update(Entity::with_id("account", id).with("name", Value::text(name)));
    };
    let account = server.create(Entity::new("account").with("name", Value::text("Fabrikam")));
    let parent = Value::reference("account", account);
    let record = server.create(row("contact", "Lee").with("parentcustomerid", parent.clone()));
    client.sync();
    let item = client.items(ItemKind::Contact)[0].entry_id.clone();
    let shown = |client: &mut Client| {
        client.item(&item).expect("there").properties.get(&P::Company).map(ToString::to_string)
    };
    assert_eq!(shown(&mut client), None, "off by default");
    client.edit(&item, P::Company, text("what the user wrote"));
    let settings = Settings { update_company: true, ..Settings::default() };
    client.engine.set_settings(&settings).expect("settings");
    // "can be inserted or used to overwrite the names".
    client.sync();
    assert_eq!(shown(&mut client).as_deref(), Some("Fabrikam"), "overwritten");
    // "Changes are not synchronized in Microsoft Dynamics CRM."
    client.edit(&item, P::Company, text("Contoso"));
    client.sync();
    let account_row = server.get("account", account).expect("a row");
    assert_eq!(account_row.text("name"), Some("Fabrikam"));
    let found = server.get("contact", record).expect("a row");
    assert_eq!(found.value("parentcustomerid"), &parent);
    // The contact changes, and the name that its account has by now goes with it.
    name(&server, account, "Northgate");
    server.update(Entity::with_id("contact", record).with("jobtitle", Value::text("CEO")));
    client.sync();
    assert_eq!(shown(&mut client).as_deref(), Some("Northgate"));
}

/// "One client computer per user can run automatic synchronization. This setting designates if the
/// current client will be the primary, or synchronizing, client."
fn synchronising_client() {
    let server = Server::new();
    let mail = mailbox(&server);
    let mut desk = Client::over(&server, mail.clone(), ADA);
    let mut laptop = Client::over(&server, mail, ADA);
    desk.engine.register("desk", ClientRole::Primary, false).expect("registered");
    laptop.engine.register("laptop", ClientRole::Secondary, false).expect("registered");
    let due = |client: &mut Client| client.engine.is_due().expect("due");
    assert!(due(&mut desk) && !due(&mut laptop), "one of them runs by itself");
    // There is one; a second one is refused, and nothing changes.
    assert!(laptop.engine.register("laptop", ClientRole::Primary, false).is_err());
    assert!(due(&mut desk) && !due(&mut laptop));
    // The setting moves: the other one gives up its place, and says so of itself.
    laptop.engine.register("laptop", ClientRole::Primary, true).expect("designated");
    server.create(row("task", "from the CRM"));
    desk.engine.synchronise(Trigger::Schedule).expect("a run");
    let role = |client: &mut Client| client.engine.client().expect("kept").expect("known").role();
    assert_eq!((role(&mut desk), role(&mut laptop)), (ClientRole::Secondary, ClientRole::Primary));
    assert_eq!(desk.items(ItemKind::Task).len(), 0, "not by the one that was");
    assert!(!due(&mut desk) && due(&mut laptop));
    laptop.sync();
    assert_eq!(laptop.items(ItemKind::Task).len(), 1);
    // And back, with everything that both know: nothing is doubled.
    desk.engine.register("desk", ClientRole::Primary, true).expect("designated");
    server.create(row("task", "another"));
    desk.sync();
    laptop.sync();
    desk.sync();
    assert_eq!((desk.items(ItemKind::Task).len(), server.all("task").len()), (2, 2));
    assert!(desk.engine.held().expect("held").is_empty());
}

/// "if automatic synchronization occurs, and the interval at which it occurs".
fn schedule() {
    for minutes in [15, 30, 5] {
        let server = Server::new();
        let mut client = Client::primary(&server);
        let settings = Settings { interval_minutes: minutes, ..Settings::default() };
        client.engine.set_settings(&settings).expect("settings");
        client.sync();
        server.later(i64::from(minutes) * MINUTE - MINUTE);
        assert!(!client.engine.is_due().expect("due"), "before {minutes} minutes");
        server.later(MINUTE);
        assert!(client.engine.is_due().expect("due"), "after {minutes} minutes");
        let never = Settings { interval_minutes: 0, ..Settings::default() };
        client.engine.set_settings(&never).expect("settings");
        server.later(DAY);
        assert!(!client.engine.is_due().expect("due"), "switched off");
    }
    assert_eq!(Settings::default().interval_minutes, 15);
}
