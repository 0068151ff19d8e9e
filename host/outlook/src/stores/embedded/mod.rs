//! The embedded mailbox: shaped like MAPI (24-byte EntryIDs, folders, contents tables, named
//! properties, recipients, notifications), in one file. The default store, and the reference.
//!
//! Properties that are not mapped stay as they are. Never talks to a network.

mod faults;
mod properties;

pub use faults::Faults;

use crate::item::{ChangeKey, EntryId, FileTime, Folder, FolderId, Item, ItemKind};
use crate::mail_store::{
    Capabilities, ItemPatch, LeftAlone, MailStore, MailStoreError, NewItem, Notification,
    NotificationKind, Presence, Scan, ScanLink, ScanMark, ScanRow,
};
use offstage_model::{Clock, Randomness, Uuid};
use offstage_query::SqlValue;
use offstage_store::{MailboxFile, MailboxItem, StoreError};
use properties::Names;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const NAME: &str = "embedded";
/// The default folders of a new mailbox.
const FOLDERS: [(&str, ItemKind); 5] = [
    ("Contacts", ItemKind::Contact),
    ("Tasks", ItemKind::Task),
    ("Calendar", ItemKind::Appointment),
    ("Inbox", ItemKind::Email),
    ("Sent Items", ItemKind::Email),
];

/// The embedded mailbox.
pub struct EmbeddedStore {
    file: MailboxFile,
    names: Names,
    clock: Arc<dyn Clock>,
    capabilities: Capabilities,
    faults: Faults,
}

impl EmbeddedStore {
    /// Opens the mailbox file, and makes it with its default folders if it is missing.
    ///
    /// # Errors
    /// The file is in use, damaged or from a newer program.
    pub fn open(
        path: &Path,
        clock: Arc<dyn Clock>,
        random: &dyn Randomness,
    ) -> Result<Self, MailStoreError> {
        let mut file = MailboxFile::open(path, random.guid()).map_err(failed)?;
        for (name, kind) in FOLDERS {
            let default = name != "Sent Items";
            file.add_folder(name, kind.message_class(), default).map_err(failed)?;
        }
        let names = Names::new(&mut file).map_err(failed)?;
        let capabilities = Capabilities {
            kinds: ItemKind::ALL.to_vec(),
            writes: true,
            notifies: true,
            server_modification_time: false,
            custom_properties: true,
            conditional_write: true,
            reports_deletions: false,
            sends_invitations: false,
            rewrites: false,
            answers_as_sent: false,
            quiet_ties: true,
        };
        Ok(Self { file, names, clock, capabilities, faults: Faults::default() })
    }

    /// Lets some things go wrong from now on; for tests.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// Copies an item, with all its custom properties, as Outlook does.
    ///
    /// # Errors
    /// See [`MailStoreError`].
    pub fn copy(&mut self, id: &EntryId) -> Result<Item, MailStoreError> {
        let mut item = self.stored(id)?.ok_or_else(|| gone(id))?;
        item.nid = 0;
        let made = self.file.put(&item, (None, None), self.now()).map_err(failed)?;
        made.map(|made| self.item(&made)).ok_or_else(|| gone(id))
    }

    /// Moves an item to another folder; it gets a new id, as in a mailbox on a server.
    ///
    /// # Errors
    /// See [`MailStoreError`].
    pub fn move_to(&mut self, id: &EntryId, folder: &FolderId) -> Result<EntryId, MailStoreError> {
        let nid = self.nid(id).ok_or_else(|| gone(id))?;
        let folder = folder_nid(folder)?;
        let now = self.now();
        let moved = self.file.renumber(nid, folder, now).map_err(failed)?;
        moved.map(|nid| self.entry_id(nid)).ok_or_else(|| gone(id))
    }

    /// Sets a property by its tag, mapped or not; for tests of what is not understood.
    ///
    /// # Errors
    /// See [`MailStoreError`].
    pub fn set_raw(
        &mut self,
        id: &EntryId,
        tag: u32,
        value: SqlValue,
    ) -> Result<(), MailStoreError> {
        let mut item = self.stored(id)?.ok_or_else(|| gone(id))?;
        item.properties.retain(|(known, _)| *known != tag);
        item.properties.push((tag, value));
        self.file.put(&item, (None, None), self.now()).map_err(failed)?;
        Ok(())
    }

    /// The tag of a named property of this type, made if it is new; for tests.
    ///
    /// # Errors
    /// The ids are used up; the file fails.
    pub fn named_tag(&mut self, set: Uuid, lid: u32, kind: u16) -> Result<u32, MailStoreError> {
        let id = self.file.named(set, Some(lid), None).map_err(failed)?;
        Ok(u32::from(id) << 16 | u32::from(kind))
    }

    /// All properties of an item by tag, mapped or not.
    ///
    /// # Errors
    /// See [`MailStoreError`].
    pub fn raw(&mut self, id: &EntryId) -> Result<BTreeMap<u32, SqlValue>, MailStoreError> {
        Ok(self.stored(id)?.ok_or_else(|| gone(id))?.properties.into_iter().collect())
    }

    fn now(&self) -> i64 {
        FileTime::from(self.clock.now()).0
    }

    /// `00000000`, the record key of the mailbox, and the id of the message: 24 bytes in hex.
    fn entry_id(&self, nid: u32) -> EntryId {
        EntryId::new(entry_id(self.file.store_key(), nid))
    }

    fn nid(&self, id: &EntryId) -> Option<u32> {
        let text = id.as_str();
        let nid = u32::from_str_radix(text.get(40..48)?, 16).ok()?;
        (self.entry_id(nid) == *id).then_some(nid)
    }

    fn stored(&mut self, id: &EntryId) -> Result<Option<MailboxItem>, MailStoreError> {
        match self.nid(id) {
            Some(nid) => self.file.item(nid).map_err(failed),
            None => Ok(None),
        }
    }

    fn item(&self, stored: &MailboxItem) -> Item {
        let kind = ItemKind::of_message_class(&stored.class).unwrap_or(ItemKind::Email);
        Item {
            entry_id: self.entry_id(stored.nid),
            kind,
            folder: FolderId::new(stored.folder.to_string()),
            change_key: ChangeKey::new(stored.version.to_string()),
            modified: Some(FileTime(stored.modified)),
            properties: self.names.read(kind, stored),
            link: self.names.link(stored),
        }
    }

    fn trip(&mut self) -> Result<(), MailStoreError> {
        if self.faults.trips() {
            let detail = "a fault was asked for".to_owned();
            return Err(MailStoreError::Transient { store: NAME, detail });
        }
        Ok(())
    }
}

impl MailStore for EmbeddedStore {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn folders(&mut self) -> Result<Vec<Folder>, MailStoreError> {
        let folders = self.file.folders().map_err(failed)?;
        let read = folders.into_iter().filter_map(|folder| {
            Some(Folder {
                id: FolderId::new(folder.nid.to_string()),
                name: folder.name,
                kind: ItemKind::of_message_class(&folder.class)?,
                default: folder.default,
            })
        });
        Ok(read.collect())
    }

    fn scan(
        &mut self,
        folder: &FolderId,
        since: Option<&ScanMark>,
    ) -> Result<Scan, MailStoreError> {
        self.trip()?;
        let from = since.and_then(|mark| mark.0.parse().ok());
        let found = self.file.contents(folder_nid(folder)?, from.unwrap_or(0)).map_err(failed)?;
        let newest = found.first().map_or(from.unwrap_or(0), |row| row.modified);
        let mut rows = Vec::with_capacity(found.len());
        for row in found {
            let values = self.file.columns(row.nid, &self.names.scan_columns()).map_err(failed)?;
            let link = self.names.scan_link(&values);
            rows.push(ScanRow {
                entry_id: self.entry_id(row.nid),
                change_key: ChangeKey::new(row.version.to_string()),
                modified: Some(FileTime(row.modified)),
                link: Some(ScanLink { crm_id: link.crm_id, state: link.state }),
            });
        }
        let mark = ScanMark(newest.to_string());
        Ok(Scan { rows, removed: Vec::new(), mark, complete: from.is_none() })
    }

    fn read(&mut self, ids: &[EntryId]) -> Result<Vec<Option<Item>>, MailStoreError> {
        self.trip()?;
        ids.iter().map(|id| Ok(self.stored(id)?.map(|stored| self.item(&stored)))).collect()
    }

    fn create(&mut self, new: &NewItem) -> Result<Item, MailStoreError> {
        self.trip()?;
        if let Some(nid) = self.file.made_by(new.transaction).map_err(failed)? {
            let made = self.file.item(nid).map_err(failed)?;
            return made.map(|made| self.item(&made)).ok_or_else(|| gone(&self.entry_id(nid)));
        }
        let folder = match &new.folder {
            Some(folder) => folder_nid(folder)?,
            None => self.default_folder(new.kind)?,
        };
        let mut stored = MailboxItem {
            nid: 0,
            folder,
            class: new.kind.message_class().to_owned(),
            modified: 0,
            version: 0,
            properties: Vec::new(),
            recipients: Vec::new(),
        };
        let set = new.properties.iter().map(|(p, value)| (*p, Some(value.clone()))).collect();
        self.names.write(&mut stored, &set, self.clock.now());
        self.names.write_link(&mut stored, &new.link);
        let transaction = Some(new.transaction).filter(|id| *id != Uuid::nil());
        // The tie names the item's own id, which nobody knows before.
        let tied = new.link.crm_id.is_some() && new.link.entry_id.is_none();
        let (tag, key) = (self.names.entry_id_tag(), self.file.store_key());
        let own_id = |nid| tied.then(|| (tag, SqlValue::Text(entry_id(key, nid))));
        let now = self.now();
        let made = self.file.put_with_own_id(&stored, (None, transaction), now, own_id);
        let made = made.map_err(failed)?.expect("BUG: a new message is not conditional");
        Ok(self.item(&made))
    }

    fn update(
        &mut self,
        id: &EntryId,
        expected: Option<&ChangeKey>,
        patch: &ItemPatch,
    ) -> Result<Item, MailStoreError> {
        self.trip()?;
        let mut stored = self.stored(id)?.ok_or_else(|| gone(id))?;
        self.names.write(&mut stored, &patch.properties, self.clock.now());
        if let Some(link) = &patch.link {
            self.names.write_link(&mut stored, link);
        }
        let expected = version(id, expected)?;
        let written = self.file.put(&stored, (expected, None), self.now()).map_err(failed)?;
        written
            .map(|written| self.item(&written))
            .ok_or_else(|| MailStoreError::Conflict { entry_id: id.clone() })
    }

    fn delete(&mut self, id: &EntryId, expected: Option<&ChangeKey>) -> Result<(), MailStoreError> {
        self.trip()?;
        let Some(nid) = self.nid(id) else { return Ok(()) };
        let expected = version(id, expected)?;
        let now = self.now();
        self.file
            .remove(nid, expected, now)
            .map_err(failed)?
            .ok_or_else(|| MailStoreError::Conflict { entry_id: id.clone() })
    }

    fn presence(&mut self, ids: &[EntryId]) -> Result<Vec<Presence>, MailStoreError> {
        self.trip()?;
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(nid) = self.nid(id) else {
                found.push(Presence::Gone);
                continue;
            };
            let there = self.file.item(nid).map_err(failed)?.is_some();
            let moved = if there { None } else { self.file.moved_to(nid).map_err(failed)? };
            found.push(match (there, moved) {
                (true, _) => Presence::There,
                (false, Some(nid)) => Presence::Moved(self.entry_id(nid)),
                (false, None) => Presence::Gone,
            });
        }
        Ok(found)
    }

    fn notifications(&mut self) -> Result<Vec<Notification>, MailStoreError> {
        let notes = self.file.take_notes().map_err(failed)?;
        let read = notes.into_iter().map(|note| Notification {
            kind: match note.kind {
                0 => NotificationKind::Created,
                2 => NotificationKind::Deleted,
                3 => NotificationKind::Moved,
                _ => NotificationKind::Modified,
            },
            entry_id: self.entry_id(note.nid),
            folder: FolderId::new(note.folder.to_string()),
        });
        let read = read.collect();
        Ok(self.faults.garble(read))
    }

    fn left_alone(&mut self) -> Vec<LeftAlone> {
        // It holds what was written to it: every item is understood.
        Vec::new()
    }
}

impl EmbeddedStore {
    fn default_folder(&mut self, kind: ItemKind) -> Result<u32, MailStoreError> {
        let folders = self.file.folders().map_err(failed)?;
        let class = kind.message_class();
        let found = folders.iter().find(|folder| folder.class == class && folder.default);
        found.map(|folder| folder.nid).ok_or_else(|| MailStoreError::Refused {
            store: NAME,
            reason: format!("there is no folder for {kind} items"),
        })
    }
}

fn entry_id(store_key: [u8; 16], nid: u32) -> String {
    let key: String = store_key.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("00000000{key}{nid:08X}")
}

fn folder_nid(folder: &FolderId) -> Result<u32, MailStoreError> {
    folder.as_str().parse().map_err(|_| MailStoreError::Refused {
        store: NAME,
        reason: format!("there is no folder '{folder}'"),
    })
}

fn version(id: &EntryId, key: Option<&ChangeKey>) -> Result<Option<u64>, MailStoreError> {
    // A key that is no number is of another store: nothing here has it.
    key.map(|key| {
        key.as_str().parse().map_err(|_| MailStoreError::Conflict { entry_id: id.clone() })
    })
    .transpose()
}

fn gone(id: &EntryId) -> MailStoreError {
    MailStoreError::Gone { entry_id: id.clone() }
}

fn failed(error: StoreError) -> MailStoreError {
    match error {
        StoreError::Busy { .. } => {
            MailStoreError::Transient { store: NAME, detail: error.to_string() }
        }
        other => MailStoreError::NeedsAttention {
            store: NAME,
            problem: other.to_string(),
            hint: "`offstage doctor` looks at the data directory.",
        },
    }
}
