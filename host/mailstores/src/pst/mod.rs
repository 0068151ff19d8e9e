//! PST files: a mail store that can only be read, and the importer.
//!
//! A file that asks for a password is opened without it: the format keeps a check sum of the
//! password and encrypts nothing with it. Never writes to the file and never stops at a message
//! that cannot be read; each is listed with its reason.

mod file;
mod map;
mod recurrence;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use offstage_model::Uuid;
use offstage_outlook::{
    Capabilities, ChangeKey, EntryId, FileTime, Folder, FolderId, Item, ItemKind, ItemPatch,
    LeftAlone, MailStore, MailStoreError, NewItem, Notification, Presence, Scan, ScanMark, ScanRow,
};

use crate::codec::zone::Zone;
use file::{FolderInfo, PstFile};

/// A file that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PstError {
    /// Not there, not a PST file, or damaged at its root.
    #[error("{} cannot be read as a PST file: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What an import found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Messages that were read, by message class.
    pub read: BTreeMap<String, usize>,
    /// Items that were handed over, by kind.
    pub imported: BTreeMap<ItemKind, usize>,
    /// Messages and folders that were not, with the reason.
    pub unread: Vec<Unread>,
    /// What is missing of items that were read.
    pub notes: Vec<Unread>,
}

/// A message or folder with something to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The folder and the id of the message in it.
    pub place: String,
    /// What.
    pub reason: String,
}

impl ImportReport {
    /// Messages in the file, read or not.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.read.values().sum::<usize>() + self.unread.len()
    }
}

/// Reads every message of a file and hands those that are items to `take`.
///
/// The transaction of a new item is derived from the message's id: a second import is recognised.
pub fn import<E>(
    path: &Path,
    home: &Zone,
    mut take: impl FnMut(NewItem) -> Result<(), E>,
) -> Result<Result<ImportReport, E>, PstError> {
    let file = PstFile::open(path)?;
    let mut report = ImportReport::default();
    let unread = |place: &str, reason: String| Unread { place: place.to_owned(), reason };
    let folders = match file.folders() {
        Ok((folders, problems)) => {
            report.unread.extend(problems.into_iter().map(|reason| unread("folders", reason)));
            folders
        }
        Err(reason) => return Err(PstError::File { path: path.to_owned(), reason }),
    };
    for folder in folders {
        let rows = match file.rows(&folder.id) {
            Ok(rows) => rows,
            Err(reason) => {
                report.unread.push(unread(&folder.path, reason));
                continue;
            }
        };
        for row in rows {
            let place = format!("{}/{}", folder.path, row.id);
            let message = match file.message(&row.id) {
                Ok(message) => message,
                Err(reason) => {
                    report.unread.push(unread(&place, reason));
                    continue;
                }
            };
            *report.read.entry(message.class.clone()).or_default() += 1;
            let Some(kind) = ItemKind::of_message_class(&message.class) else {
                report.notes.push(unread(
                    &place,
                    format!("{} is no item that is synchronised", message.class),
                ));
                continue;
            };
            let mapped = map::map(&message, kind, home);
            report.notes.extend(mapped.notes.into_iter().map(|note| unread(&place, note)));
            let new = NewItem {
                kind,
                folder: None,
                properties: mapped.properties,
                // The tie is that of another mailbox.
                link: Default::default(),
                transaction: transaction(&row.id),
            };
            if let Err(error) = take(new) {
                return Ok(Err(error));
            }
            *report.imported.entry(kind).or_default() += 1;
        }
    }
    Ok(Ok(report))
}

/// The 20 bytes of an entry id that differ, folded into a GUID.
fn transaction(id: &str) -> Uuid {
    let mut bytes = [0u8; 16];
    for (at, byte) in id.bytes().enumerate() {
        let slot = &mut bytes[at % 16];
        *slot = slot.rotate_left(3) ^ byte;
    }
    Uuid::from_bytes(bytes)
}

/// A PST file as a mail store.
#[derive(Debug)]
pub struct PstStore {
    path: PathBuf,
    home: Zone,
    capabilities: Capabilities,
    /// Messages that were met and cannot be read.
    left_alone: Vec<LeftAlone>,
}

impl PstStore {
    /// Opens a file; `home` is the zone of days that the file keeps as points in time only.
    pub fn open(path: &Path, home: Zone) -> Result<Self, PstError> {
        PstFile::open(path)?;
        let capabilities = Capabilities {
            kinds: ItemKind::ALL.to_vec(),
            writes: false,
            notifies: false,
            server_modification_time: true,
            custom_properties: false,
            conditional_write: false,
            reports_deletions: false,
            sends_invitations: false,
            rewrites: false,
            answers_as_sent: false,
            quiet_ties: true,
        };
        Ok(Self { path: path.to_owned(), home, capabilities, left_alone: Vec::new() })
    }

    fn file(&self) -> Result<PstFile, MailStoreError> {
        PstFile::open(&self.path).map_err(|error| attention(error.to_string()))
    }

    fn read_only(&self) -> MailStoreError {
        MailStoreError::Refused { store: "pst", reason: "a PST file is only read".to_owned() }
    }
}

fn attention(problem: String) -> MailStoreError {
    let hint = "check that the file is there and whole; Outlook's Inbox Repair Tool mends it";
    MailStoreError::NeedsAttention { store: "pst", problem, hint }
}

fn kind_of(folder: &FolderInfo) -> Option<ItemKind> {
    match folder.class.as_str() {
        "IPF.Contact" => Some(ItemKind::Contact),
        "IPF.Task" => Some(ItemKind::Task),
        "IPF.Appointment" => Some(ItemKind::Appointment),
        "" | "IPF.Note" => Some(ItemKind::Email),
        _ => None,
    }
}

/// Where each message is, and when it was changed.
fn homes(file: &PstFile) -> Result<BTreeMap<String, (FolderId, Option<i64>)>, MailStoreError> {
    let (folders, _) = file.folders().map_err(attention)?;
    let mut homes = BTreeMap::new();
    for folder in folders {
        for row in file.rows(&folder.id).unwrap_or_default() {
            homes.insert(row.id, (FolderId::new(folder.id.clone()), row.modified));
        }
    }
    Ok(homes)
}

impl MailStore for PstStore {
    fn name(&self) -> &'static str {
        "pst"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn folders(&mut self) -> Result<Vec<Folder>, MailStoreError> {
        let (folders, _) = self.file()?.folders().map_err(attention)?;
        let mut seen = Vec::new();
        let mut found = Vec::new();
        for folder in folders {
            let Some(kind) = kind_of(&folder) else { continue };
            let default = !seen.contains(&kind);
            seen.push(kind);
            found.push(Folder { id: FolderId::new(folder.id), name: folder.path, kind, default });
        }
        Ok(found)
    }

    fn scan(
        &mut self,
        folder: &FolderId,
        since: Option<&ScanMark>,
    ) -> Result<Scan, MailStoreError> {
        let since: Option<i64> = since.and_then(|mark| mark.0.parse().ok());
        let file = self.file()?;
        let rows = file.rows(folder.as_str()).map_err(attention)?;
        let newest = rows.iter().filter_map(|row| row.modified).max();
        let mut rows: Vec<_> = rows
            .into_iter()
            .filter(|row| {
                row.class.as_deref().is_none_or(|class| ItemKind::of_message_class(class).is_some())
            })
            // A row without a time may have changed at any.
            .filter(|row| since.is_none_or(|since| row.modified.is_none_or(|time| time >= since)))
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.modified));
        rows.retain(|row| match file.message(&row.id) {
            Ok(_) => true,
            Err(reason) => {
                let entry_id = EntryId::new(row.id.clone());
                self.left_alone.push(LeftAlone { entry_id, folder: folder.clone(), reason });
                false
            }
        });
        let row = |row: file::Row| ScanRow {
            entry_id: EntryId::new(row.id),
            change_key: ChangeKey::new(row.modified.unwrap_or_default().to_string()),
            modified: row.modified.map(FileTime),
            link: None,
        };
        Ok(Scan {
            rows: rows.into_iter().map(row).collect(),
            removed: Vec::new(),
            mark: ScanMark(newest.unwrap_or(since.unwrap_or_default()).to_string()),
            complete: since.is_none(),
        })
    }

    fn read(&mut self, ids: &[EntryId]) -> Result<Vec<Option<Item>>, MailStoreError> {
        let file = self.file()?;
        let homes = homes(&file)?;
        let mut items = Vec::new();
        for id in ids {
            let Some((folder, modified)) = homes.get(id.as_str()).cloned() else {
                items.push(None);
                continue;
            };
            let message = match file.message(id.as_str()) {
                Ok(message) => message,
                Err(reason) => {
                    self.left_alone.push(LeftAlone { entry_id: id.clone(), folder, reason });
                    items.push(None);
                    continue;
                }
            };
            let Some(kind) = ItemKind::of_message_class(&message.class) else {
                items.push(None);
                continue;
            };
            let mapped = map::map(&message, kind, &self.home);
            items.push(Some(Item {
                entry_id: id.clone(),
                kind,
                folder,
                change_key: ChangeKey::new(modified.unwrap_or_default().to_string()),
                modified: modified.map(FileTime),
                properties: mapped.properties,
                link: mapped.link,
            }));
        }
        Ok(items)
    }

    fn create(&mut self, _new: &NewItem) -> Result<Item, MailStoreError> {
        Err(self.read_only())
    }

    fn update(
        &mut self,
        _id: &EntryId,
        _expected: Option<&ChangeKey>,
        _patch: &ItemPatch,
    ) -> Result<Item, MailStoreError> {
        Err(self.read_only())
    }

    fn delete(
        &mut self,
        _id: &EntryId,
        _expected: Option<&ChangeKey>,
    ) -> Result<(), MailStoreError> {
        Err(self.read_only())
    }

    fn presence(&mut self, ids: &[EntryId]) -> Result<Vec<Presence>, MailStoreError> {
        // One that cannot be read is there all the same.
        let homes = homes(&self.file()?)?;
        let there = |id: &EntryId| homes.contains_key(id.as_str());
        let presence = |id| if there(id) { Presence::There } else { Presence::Gone };
        Ok(ids.iter().map(presence).collect())
    }

    fn notifications(&mut self) -> Result<Vec<Notification>, MailStoreError> {
        Ok(Vec::new())
    }

    fn left_alone(&mut self) -> Vec<LeftAlone> {
        std::mem::take(&mut self.left_alone)
    }
}
