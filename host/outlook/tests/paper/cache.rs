//! The two tables of the sync cache, column by column, and the paper's example of a merge.

use super::support::{Client, DAY, Server, text};
use super::walk_rows;
use offstage_model::{Entity, Uuid, Value};
use offstage_outlook::{EntryId, ItemKind, MailStore as _, Property as P, Trigger};
use offstage_store::{CachedChange, ChangeCode, Mapping};

/// The columns with the types of the paper; a key's type is the database's own.
const ID_MAPPING: [(&str, &str); 8] = [
    ("MapId", "INTEGER PRIMARY KEY"),
    ("CrmId", "uniqueidentifier"),
    ("EntryId", "nvarchar(400)"),
    ("ObjectType", "int"),
    ("DeletedLocally", "bit"),
    ("Linked", "bit"),
    ("Visited", "bit"),
    ("VerifiedTime", "datetime"),
];
const OUTLOOK_SYNC: [(&str, &str); 6] = [
    ("ChangeId", "INTEGER PRIMARY KEY"),
    ("MapId", "int NOT NULL REFERENCES IDMappingTable (MapId)"),
    ("OutlookTimestamp", "datetime"),
    ("OutlookChange", "int"),
    ("CrmTimestamp", "datetime"),
    ("CrmChange", "int"),
];

struct World {
    server: Server,
    client: Client,
    record: Uuid,
    item: EntryId,
}

impl World {
    /// A task that is in both.
    fn new() -> Self {
        let server = Server::new();
        let mut client = Client::primary(&server);
        let record = server.create(Entity::new("task").with("subject", Value::text("t")));
        client.sync();
        let item = client.items(ItemKind::Task)[0].entry_id.clone();
        Self { server, client, record, item }
    }

    fn mapping(&mut self) -> Mapping {
        self.client.engine.cache().write(|tx| tx.mappings()).expect("mappings").remove(0)
    }

    /// The change after both sides changed, seen and not yet worked on.
    fn change(&mut self) -> CachedChange {
        self.client.edit(&self.item, P::Body, text("in Outlook"));
        self.server
            .update(Entity::with_id("task", self.record).with("description", Value::text("x")));
        self.client.engine.plan_only().expect("a plan");
        self.client.engine.cache().write(|tx| tx.changes()).expect("changes").remove(0)
    }

    /// The statement that made a table, as it stands in the file.
    fn made_by(&self, table: &str) -> String {
        let mut bytes = Vec::new();
        for ending in ["", "-wal"] {
            let mut path = self.client.cache_path().into_os_string();
            path.push(ending);
            bytes.extend(std::fs::read(path).unwrap_or_default());
        }
        let all = String::from_utf8_lossy(&bytes).into_owned();
        let from = all.find(&format!("CREATE TABLE {table}")).expect("the table is there");
        all[from..].split(')').take(4).collect::<Vec<_>>().join(")")
    }

    fn has_column(&self, table: &str, (column, kind): (&str, &str)) {
        let made = self.made_by(table);
        assert!(made.contains(&format!("{column} {kind}")), "{column} {kind}: {made}");
    }
}

pub(crate) fn id_mapping_table(table: &str) {
    walk_rows(table, &ID_MAPPING.map(|(column, _)| column), |column| {
        let mut world = World::new();
        let wanted = ID_MAPPING.iter().find(|(name, _)| *name == column).expect("a column");
        world.has_column("IDMappingTable", *wanted);
        let before = world.mapping();
        match column {
            "MapId" => assert!(before.map_id > 0),
            "CrmId" => assert_eq!(before.crm_id, world.record),
            "EntryId" => assert_eq!(before.entry_id.as_deref(), Some(world.item.as_str())),
            "ObjectType" => assert_eq!(before.object_type, 4212, "a task"),
            // The engine deleted it itself: that is no deletion of the user.
            "DeletedLocally" => {
                assert!(!before.deleted_locally);
                world.server.delete("task", world.record);
                world.client.sync();
                assert!(world.client.item(&world.item).is_none());
                assert!(world.mapping().deleted_locally);
            }
            "Linked" => {
                assert!(before.linked);
                world.client.mail.delete(&world.item, None).expect("deleted");
                world.client.sync();
                assert!(!world.mapping().linked);
            }
            // Kept as the paper names it; the engine asks the store instead (VerifiedTime).
            "Visited" => {
                world.client.edit(&world.item, P::Body, text("x"));
                world.client.sync();
                assert!(world.mapping().visited, "the scan has seen it");
            }
            "VerifiedTime" => {
                let start = before.verified.expect("it was there");
                world.server.later(DAY);
                world.client.sync();
                assert!(world.mapping().verified.expect("looked for") >= start.plus_ms(DAY));
            }
            other => panic!("no case for the column {other}"),
        }
    });
}

pub(crate) fn outlook_sync_table(table: &str) {
    walk_rows(table, &OUTLOOK_SYNC.map(|(column, _)| column), |column| {
        let mut world = World::new();
        let wanted = OUTLOOK_SYNC.iter().find(|(name, _)| *name == column).expect("a column");
        world.has_column("OutlookSyncTable", *wanted);
        let start = world.server.pipeline.clock().now();
        let change = world.change();
        match column {
            "ChangeId" => assert!(change.change_id > 0),
            "MapId" => assert_eq!(change.map_id, world.mapping().map_id),
            "OutlookTimestamp" => {
                let ticks = change.outlook_ticks.expect("the item has a time");
                assert!(offstage_outlook::FileTime(ticks).timestamp() >= start);
            }
            "OutlookChange" => assert_eq!(change.outlook, ChangeCode::Update),
            "CrmTimestamp" => assert!(change.crm_time >= Some(start)),
            "CrmChange" => assert_eq!(change.crm, ChangeCode::Update),
            other => panic!("no case for the column {other}"),
        }
        // "changes that fail to synchronize" stay and are tried again.
        world.client.link.down.store(true, std::sync::atomic::Ordering::SeqCst);
        world.client.engine.synchronise(Trigger::Schedule).expect("a run");
        let kept = world.client.engine.cache().write(|tx| tx.changes()).expect("changes");
        assert_eq!(kept.len(), 1);
        world.client.link.down.store(false, std::sync::atomic::Ordering::SeqCst);
        world.client.sync();
        assert!(world.client.engine.cache().write(|tx| tx.changes()).expect("changes").is_empty());
    });
}

const COLUMNS: [(&str, P); 3] =
    [("firstname", P::FirstName), ("lastname", P::LastName), ("jobtitle", P::JobTitle)];

/// The values of one column of the graphic: of Outlook, OriginalXML or the CRM.
type Three = [&'static str; 3];

/// The graphic of the paper: Outlook has A1 B1 C1, and later the CRM A2 B2.
pub(crate) fn merging(table: &str) {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let contact = |values: Three| {
        COLUMNS.iter().zip(values).fold(Entity::new("contact"), |row, ((column, _), value)| {
            row.with(*column, Value::text(value))
        })
    };
    let record = server.create(contact(["A", "B", "C"]));
    client.sync();
    let item = client.items(ItemKind::Contact)[0].entry_id.clone();
    for ((_, property), value) in COLUMNS.iter().zip(["A1", "B1", "C1"]) {
        client.edit(&item, *property, text(value));
    }
    server.later(60_000);
    let later = Entity { id: Some(record), ..contact(["A2", "B2", "C"]) };
    server.update(later);
    let shows = |client: &mut Client, outlook: Three, original: Three, crm: Three| {
        let shown = client.item(&item).expect("there");
        let xml = shown.link.original_xml.clone().expect("OriginalXML");
        let base = offstage_outlook::original::read(&xml).expect("it reads").state;
        let row = server.get("contact", record).expect("a row");
        for (at, (column, property)) in COLUMNS.iter().enumerate() {
            assert_eq!(shown.properties[property], text(outlook[at]), "Outlook's {column}");
            assert_eq!(base.get(*property), Some(&text(original[at])), "OriginalXML's {column}");
            assert_eq!(row.text(column), Some(crm[at]), "the CRM's {column}");
        }
    };
    let rows = [
        "Prior to Synchronization",
        "After CRM to Outlook Synchronization",
        "After Outlook to CRM Synchronization",
    ];
    let (one, two) = (["A2", "B2", "C1"], ["A2", "B2", "C"]);
    walk_rows(table, &rows, |row| match row {
        "Prior to Synchronization" => {
            shows(&mut client, ["A1", "B1", "C1"], ["A", "B", "C"], two);
        }
        // The answer to the write of the second direction gets lost before it is made.
        "After CRM to Outlook Synchronization" => {
            client.link.refuse_writes.store(true, std::sync::atomic::Ordering::SeqCst);
            client.engine.synchronise(Trigger::Schedule).expect("a run");
            shows(&mut client, one, two, two);
            client.link.refuse_writes.store(false, std::sync::atomic::Ordering::SeqCst);
        }
        _ => {
            client.sync();
            shows(&mut client, one, one, one);
        }
    });
}
