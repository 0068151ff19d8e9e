//! The door to a mail store: what every store can be asked, what it may be unable to do, and how it
//! says no.
//!
//! The engine is right with every notification dropped: [`MailStore::scan`] is the truth. A store
//! that answers "nothing" or fails never means that items were deleted; [`MailStore::presence`] is
//! asked item by item for that. Never knows a record.

use crate::item::{ChangeKey, EntryId, FileTime, Folder, FolderId, Item, ItemKind};
use crate::link::{LinkProperties, LinkState};
use crate::property::{Properties, Property, PropertyValue};
use offstage_model::Uuid;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a store can do. What it cannot, the engine does without, and says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The kinds that it holds.
    pub kinds: Vec<ItemKind>,
    /// It can be written to; an archive file cannot.
    pub writes: bool,
    /// It tells of changes as they happen.
    pub notifies: bool,
    /// It keeps the time of an item's last change, by a server's clock. Otherwise the time is this
    /// machine's, or that at which the change was seen, and the engine corrects it by the skew.
    pub server_modification_time: bool,
    /// Items carry the custom properties of [`LinkProperties`]. Otherwise the sync cache alone does.
    pub custom_properties: bool,
    /// A write can depend on the change key. Otherwise the item is read again just before.
    pub conditional_write: bool,
    /// [`Scan::removed`] names deleted items.
    pub reports_deletions: bool,
    /// Writing an appointment with attendees mails them. Attendees are left out then unless the
    /// user asked for it.
    pub sends_invitations: bool,
    /// The stored form may differ from what was written.
    pub rewrites: bool,
    /// A write answers with the item as it was sent, under its new change key. What the store made
    /// of it is to be read afterwards, of many items at once.
    pub answers_as_sent: bool,
    /// Writing the tie alone disturbs nobody. Otherwise every other client of the mailbox sees a
    /// changed item and fetches it, and OriginalXML goes onto the item with the next write that is
    /// made anyway.
    pub quiet_ties: bool,
}

/// Where a scan of a folder stopped: opaque, of the store that gave it, and kept in the sync cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanMark(pub String);

/// The tie of an item as a contents table shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanLink {
    /// `crmid`
    pub crm_id: Option<Uuid>,
    /// `crmLinkState`
    pub state: Option<LinkState>,
}

/// One row of a contents table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanRow {
    /// The item.
    pub entry_id: EntryId,
    /// Its change key.
    pub change_key: ChangeKey,
    /// When it was last changed; `None` when the store cannot tell.
    pub modified: Option<FileTime>,
    /// Its tie; `None` when the contents table does not show it and the item has to be read.
    pub link: Option<ScanLink>,
}

/// What changed in a folder since a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Changed and new items, the newest first. May hold more than changed, never less.
    pub rows: Vec<ScanRow>,
    /// Items that the store says are gone. A hint: each is asked for before it counts as deleted.
    pub removed: Vec<EntryId>,
    /// The mark for the next scan.
    pub mark: ScanMark,
    /// The rows are all items of the folder: there was no mark, or the store has forgotten it.
    pub complete: bool,
}

/// An item that the store has and cannot map. It stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftAlone {
    /// The item.
    pub entry_id: EntryId,
    /// Where it is.
    pub folder: FolderId,
    /// Why it is not understood: for people.
    pub reason: String,
}

/// Whether an item is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    There,
    /// It is, under another id: it was moved.
    Moved(EntryId),
    /// It is not: deleted, or moved out of every folder that takes part.
    Gone,
    /// The store cannot tell now.
    Unknown,
}

/// What happened to an item, as a notification says. A hint only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotificationKind {
    /// It is new.
    Created,
    /// It changed.
    Modified,
    /// It is gone.
    Deleted,
    /// It went to another folder.
    Moved,
}

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// What happened.
    pub kind: NotificationKind,
    /// To which item.
    pub entry_id: EntryId,
    /// In which folder.
    pub folder: FolderId,
}

/// An item to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewItem {
    /// What it is.
    pub kind: ItemKind,
    /// Where it goes; the kind's default folder when absent.
    pub folder: Option<FolderId>,
    /// Its properties.
    pub properties: Properties,
    /// Its tie.
    pub link: LinkProperties,
    /// The same for every attempt to make this item: a store that can recognises a repeat by it.
    pub transaction: Uuid,
}

/// What to change of an item: only what is named here. Everything else of the item stays as it is,
/// byte for byte.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ItemPatch {
    /// New values; `None` clears a property.
    pub properties: BTreeMap<Property, Option<PropertyValue>>,
    /// The whole new tie; `None` leaves it. A default one removes it.
    pub link: Option<LinkProperties>,
}

impl ItemPatch {
    /// Whether nothing is to be changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.properties.is_empty() && self.link.is_none()
    }
}

/// Why a store did not do what it was asked. The class decides what the engine does next.
#[derive(Debug, thiserror::Error)]
pub enum MailStoreError {
    /// It may work later; tried again with a growing wait.
    #[error("the mail store '{store}' cannot do it now: {detail}")]
    Transient {
        /// The store.
        store: &'static str,
        /// What happened.
        detail: String,
    },
    /// The item is not there.
    #[error("the item {entry_id} is gone")]
    Gone {
        /// The item.
        entry_id: EntryId,
    },
    /// The item was changed by somebody else since it was read; nothing was written.
    #[error("the item {entry_id} was changed meanwhile")]
    Conflict {
        /// The item.
        entry_id: EntryId,
    },
    /// The store has a rule against it; it waits for a person and is not tried again by itself.
    #[error("the mail store '{store}' refuses: {reason}")]
    Refused {
        /// The store.
        store: &'static str,
        /// Its rule.
        reason: String,
    },
    /// Too many requests; nothing more is sent until then.
    #[error("the mail store '{store}' asks to wait {} s", retry_after.as_secs())]
    Throttled {
        /// The store.
        store: &'static str,
        /// How long to wait.
        retry_after: Duration,
    },
    /// Somebody has to do something first: sign in again, make room, mend a file.
    #[error("the mail store '{store}' needs attention: {problem}")]
    NeedsAttention {
        /// The store.
        store: &'static str,
        /// What to do something about.
        problem: String,
        /// What to do.
        hint: &'static str,
    },
}

/// A mailbox.
///
/// All calls block; the engine runs on a thread of its own. Every call may be repeated.
pub trait MailStore: Send {
    /// A short name of the technology, for messages and reports.
    fn name(&self) -> &'static str;

    /// What it can do; the same for its whole life.
    fn capabilities(&self) -> &Capabilities;

    /// The folders that take part: at least the default one of each kind.
    ///
    /// # Errors
    /// As every call: see [`MailStoreError`].
    fn folders(&mut self) -> Result<Vec<Folder>, MailStoreError>;

    /// The contents table of a folder, newest first, down to the mark; everything without one. A
    /// mark that the store has forgotten gives everything too. Items changed at the very time of the
    /// mark are given again.
    ///
    /// # Errors
    /// See [`MailStoreError`]. A failing scan says nothing about any item.
    fn scan(&mut self, folder: &FolderId, since: Option<&ScanMark>)
    -> Result<Scan, MailStoreError>;

    /// Items as they are now, in the order asked for; `None` for one that is gone.
    ///
    /// # Errors
    /// See [`MailStoreError`].
    fn read(&mut self, ids: &[EntryId]) -> Result<Vec<Option<Item>>, MailStoreError>;

    /// Makes an item and returns it as it is stored, or as it was sent where
    /// [`Capabilities::answers_as_sent`] is set. A repeat with the same
    /// [`NewItem::transaction`] returns the first one where the store can tell.
    ///
    /// # Errors
    /// See [`MailStoreError`].
    fn create(&mut self, new: &NewItem) -> Result<Item, MailStoreError>;

    /// Changes what the patch names and returns the item as it is stored then, or as it was sent
    /// (see [`MailStore::create`]). With `expected`, only if the item still has that change key.
    ///
    /// # Errors
    /// [`MailStoreError::Conflict`] when the key differs, [`MailStoreError::Gone`]; see there.
    fn update(
        &mut self,
        id: &EntryId,
        expected: Option<&ChangeKey>,
        patch: &ItemPatch,
    ) -> Result<Item, MailStoreError>;

    /// Removes an item. With `expected`, only if it still has that change key. One that is gone
    /// already is no error.
    ///
    /// # Errors
    /// [`MailStoreError::Conflict`] when the key differs; see [`MailStoreError`].
    fn delete(&mut self, id: &EntryId, expected: Option<&ChangeKey>) -> Result<(), MailStoreError>;

    /// Whether items are still there, in the order asked for.
    ///
    /// # Errors
    /// See [`MailStoreError`]. A failing call says nothing about any item.
    fn presence(&mut self, ids: &[EntryId]) -> Result<Vec<Presence>, MailStoreError>;

    /// Notifications since the last call, in any order, with gaps, perhaps repeated. Empty where
    /// [`Capabilities::notifies`] is not set.
    ///
    /// # Errors
    /// See [`MailStoreError`].
    fn notifications(&mut self) -> Result<Vec<Notification>, MailStoreError>;

    /// Items that a scan or a reading met since the last call and that are not understood, tracked
    /// or not. They are in no scan's rows, or are not read; empty for a store that maps all it has.
    fn left_alone(&mut self) -> Vec<LeftAlone>;
}
