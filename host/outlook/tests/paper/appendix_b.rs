//! Appendix B, measured: each action is done by each kind of client on each class of item, and the
//! moment at which the server knows of it is the cell.

use super::actions::{fields, table};
use super::support::{ADA, BOB, Client, NOW, Server, mailbox, text};
use super::walk_rows;
use offstage_model::{Entity, Timestamp, Uuid, Value};
use offstage_outlook::engine::Place;
use offstage_outlook::rules::Cell::{
    self, Next as No, NotApplicable as NA, Now as Yes, OnClose, OnSend,
};
use offstage_outlook::rules::{Action, ClientRole, ItemClass, immediate};
use offstage_outlook::{
    EntryId, ItemKind, MailStore as _, Property as P, PropertyValue as V, Regarding,
};

/// The columns of the table, and the role whose client acts.
const COLUMNS: [(&str, Class, ClientRole); 8] = [
    ("Received/Sent: Primary", Class::Mail, ClientRole::Primary),
    ("Received/Sent: Secondary", Class::Mail, ClientRole::Secondary),
    ("Draft: Primary", Class::Draft, ClientRole::Primary),
    ("Draft: Secondary", Class::Draft, ClientRole::Secondary),
    ("Non-E-mail: Primary", Class::Other, ClientRole::Primary),
    ("Non-E-mail: Secondary", Class::Other, ClientRole::Secondary),
    ("Non-E-mail: Delegate", Class::Other, ClientRole::Delegate),
    ("a roaming profile, where all act as primary", Class::Other, ClientRole::Roaming),
];

/// Received or sent, draft, non-e-mail of the primary, non-e-mail of the others.
const TABLE: [(&str, [Cell; 4]); 7] = [
    ("Track in Inspector", [Yes, OnSend, OnClose, No]),
    ("Update in Inspector", [Yes, OnSend, OnClose, No]),
    ("Un-track in Inspector", [Yes, NA, OnClose, No]),
    ("Delete in Inspector", [No, NA, No, No]),
    ("Track in Explorer", [Yes, NA, Yes, No]),
    ("Set Regarding in Explorer", [Yes, NA, Yes, No]),
    ("Delete in Explorer", [No, NA, No, No]),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Mail,
    Draft,
    Other,
}

pub(crate) fn rows(table: &str) {
    walk_rows(table, &TABLE.map(|(row, _)| row), |row| {
        let (_, cells) = TABLE.iter().find(|(name, _)| *name == row).expect("a row");
        for (column, class, role) in COLUMNS {
            let wanted = match (class, role.acts_as_primary()) {
                (Class::Mail, _) => cells[0],
                (Class::Draft, _) => cells[1],
                (Class::Other, true) => cells[2],
                (Class::Other, false) => cells[3],
            };
            let found = World::new(class, role).measured(row);
            assert_eq!(found, wanted, "{row}, {column}");
        }
    });
}

/// A mailbox with the client that acts and, where that is another one, the synchronising client.
struct World {
    server: Server,
    acting: Client,
    primary: Option<Client>,
    kind: ItemKind,
    class: Class,
    role: ClientRole,
    item: EntryId,
    about: Uuid,
}

impl World {
    fn new(class: Class, role: ClientRole) -> Self {
        let server = Server::new();
        let mail = mailbox(&server);
        let user = if role == ClientRole::Delegate { BOB } else { ADA };
        let mut acting = Client::over(&server, mail.clone(), user);
        acting.engine.register("acting", role, false).expect("registered");
        let primary = (!role.acts_as_primary()).then(|| {
            let mut desk = Client::over(&server, mail, ADA);
            desk.engine.register("desk", ClientRole::Primary, false).expect("registered");
            desk
        });
        let kind = if class == Class::Other { ItemKind::Task } else { ItemKind::Email };
        let mut properties = fields(kind);
        properties.retain(|(property, _)| class != Class::Draft || *property != P::SentOn);
        let item = acting.make(kind, &properties);
        let about = server.create(Entity::new("account").with("name", Value::text("C")));
        Self { server, acting, primary, kind, class, role, item, about }
    }

    fn synchronising(&mut self) -> &mut Client {
        self.primary.as_mut().unwrap_or(&mut self.acting)
    }

    /// The item is tracked before the action, by whoever can.
    fn is_tracked_before(&mut self) {
        if self.class == Class::Draft {
            self.acting.engine.track(&self.item, Place::Inspector, None).expect("marked");
            return;
        }
        let item = self.item.clone();
        let mail = self.class == Class::Mail;
        let client = if mail { &mut self.acting } else { self.synchronising() };
        client.engine.track(&item, Place::Explorer, None).expect("tracked");
        assert_eq!(self.records().len(), 1);
    }

    fn records(&self) -> Vec<Entity> {
        self.server.all(table(self.kind))
    }

    /// Does the action, and says when the server, or the pair, shows it.
    fn measured(mut self, row: &str) -> Cell {
        let tracks = row.starts_with("Track");
        if !tracks {
            self.is_tracked_before();
        }
        let place = if row.ends_with("Inspector") { Place::Inspector } else { Place::Explorer };
        if place == Place::Inspector {
            self.acting.engine.open_inspector(&self.item).expect("open");
        }
        let told = self.act(row, place);
        if self.class == Class::Draft && row.starts_with("Un-track") {
            // The wish is taken back: nothing happens when it is sent.
            self.send();
            assert!(self.records().is_empty(), "{row}");
            return told;
        }
        if self.shows(row) {
            return Cell::Now;
        }
        if place == Place::Inspector && !row.starts_with("Delete") {
            self.acting.engine.close_inspector(&self.item).expect("closed");
            if self.shows(row) {
                return Cell::OnClose;
            }
        }
        if self.class == Class::Draft {
            // "Draft e-mails are never placed in CRM."
            self.acting.sync();
            assert!(self.records().is_empty(), "{row}");
            assert!(!row.starts_with("Delete") || !self.is_linked(), "{row}: nothing is left");
            if told == Cell::OnSend {
                self.send();
                assert!(self.shows(row), "{row}");
            }
            return told;
        }
        self.acting.sync();
        if self.primary.is_some() && self.class == Class::Other {
            assert!(!self.shows(row), "{row}: never by this client");
        }
        self.synchronising().sync();
        if row.starts_with("Delete") && !self.shows(row) {
            // The other client took the notification: the item is missed when its turn comes.
            self.synchronising().sync();
        }
        assert!(self.shows(row), "{row}: with the next run");
        assert_eq!(told, Cell::Next, "{row}");
        told
    }

    fn send(&mut self) {
        self.acting.edit(&self.item, P::SentOn, V::Time(Timestamp(NOW)));
        self.acting.engine.sent(&self.item).expect("sent");
    }

    fn act(&mut self, row: &str, place: Place) -> Cell {
        let (item, about) = (self.item.clone(), self.about);
        let about = Some(Regarding { table: "account".into(), id: about });
        let engine = &mut self.acting.engine;
        match row {
            "Track in Inspector" | "Track in Explorer" => {
                engine.track(&item, place, None).expect("tracked").when
            }
            "Un-track in Inspector" => {
                engine.untrack(&item, place, false).expect("un-tracked").when
            }
            "Update in Inspector" if self.class == Class::Mail => {
                engine.set_regarding(&item, place, about).expect("set").when
            }
            "Update in Inspector" => {
                self.acting.edit(&item, P::Subject, text("edited"));
                self.acting.engine.save_inspector(&item).expect("saved").when
            }
            "Set Regarding in Explorer" => {
                engine.set_regarding(&item, place, about).expect("set").when
            }
            "Delete in Inspector" | "Delete in Explorer" => {
                self.acting.mail.delete(&item, None).expect("deleted");
                // A deletion has no door of the engine that could tell: the rule that it goes by does.
                let action = match place {
                    Place::Inspector => Action::DeleteInInspector,
                    Place::Explorer => Action::DeleteInExplorer,
                };
                let class = ItemClass::of(self.kind, self.class == Class::Draft);
                immediate(action, class, self.role)
            }
            other => panic!("no action '{other}'"),
        }
    }

    /// Whether the other side shows what was done.
    fn shows(&mut self, row: &str) -> bool {
        let records = self.records();
        let first = records.first();
        match row {
            "Track in Inspector" | "Track in Explorer" => first.is_some(),
            "Update in Inspector" if self.class != Class::Mail => {
                first.is_some_and(|row| row.text("subject") == Some("edited"))
            }
            "Update in Inspector" | "Set Regarding in Explorer" => first.is_some_and(|row| {
                row.value("regardingobjectid").as_reference().map(|r| r.id) == Some(self.about)
            }),
            "Un-track in Inspector" => !self.is_linked(),
            // Of a mail the record stays, and the pair ends.
            _ if self.class == Class::Other => first.is_none(),
            _ => !self.is_linked() && !records.is_empty(),
        }
    }

    /// Whether the client that has the pair still keeps it in step.
    fn is_linked(&mut self) -> bool {
        let mail = self.class == Class::Mail;
        let client = if mail { &mut self.acting } else { self.synchronising() };
        let mappings = client.engine.cache().write(|tx| tx.mappings()).expect("mappings");
        mappings.iter().any(|mapping| mapping.linked)
    }
}
