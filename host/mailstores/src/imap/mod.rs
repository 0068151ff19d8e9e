//! E-mail in an IMAP mailbox, to be tracked: messages are only ever read.
//!
//! A mailbox cannot carry the tie of a message to its record, so a file beside the sync cache does;
//! where the server permits keywords of one's own, a tracked message shows one to other clients, and
//! a message that another client wants tracked is found by one. Messages are found again by size and
//! Message-ID after a move and after a change of UIDVALIDITY. Never fetches without PEEK, never
//! stores a message, and never takes a server that fails for one that says "gone".

mod connection;
mod error;
mod folder_name;
mod id;
mod locate;
mod message;
mod scan;
mod settings;
mod wire;

pub use settings::{ImapLimits, ImapSettings, Security};

use std::path::Path;

use offstage_outlook::{
    Capabilities, ChangeKey, EntryId, Folder, FolderId, Item, ItemKind, ItemPatch, LeftAlone,
    LinkProperties, LinkState, MailStore, MailStoreError, NewItem, Notification, Presence, Scan,
    ScanMark,
};
use offstage_store::{StoreError, TieFile, TieRow};

use connection::{Connection, Mailbox, PENDING, Role, Row, TRACKED};
use error::{Doing, FOLDERS_HINT, STORE, attention, breaks, classify, refused, transient};
use id::MessageKey;
use locate::Located;

/// What the server of an account can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerAbilities {
    /// It counts changes (CONDSTORE): a scan asks for changed messages only.
    pub condstore: bool,
    /// It keeps keywords of one's own in the first folder.
    pub keywords: bool,
}

/// An IMAP mailbox.
pub struct ImapStore {
    settings: ImapSettings,
    ties: TieFile,
    capabilities: Capabilities,
    connection: Option<Connection>,
    mailboxes: Option<Vec<Mailbox>>,
}

impl ImapStore {
    /// Opens the file of ties, and makes it if it is missing. Connects when something is asked.
    ///
    /// # Errors
    /// The file is in use, damaged or from a newer program.
    pub fn open(settings: ImapSettings, ties: &Path) -> Result<Self, MailStoreError> {
        let capabilities = Capabilities {
            kinds: vec![ItemKind::Email],
            writes: true,
            notifies: false,
            server_modification_time: false,
            // The file of ties carries them.
            custom_properties: true,
            conditional_write: true,
            reports_deletions: false,
            sends_invitations: false,
            rewrites: false,
            answers_as_sent: false,
            quiet_ties: true,
        };
        let ties = TieFile::open(ties).map_err(|error| ties_failed(&error))?;
        Ok(Self { settings, ties, capabilities, connection: None, mailboxes: None })
    }

    /// What the server can do.
    ///
    /// # Errors
    /// See [`MailStoreError`].
    pub fn server_abilities(&mut self) -> Result<ServerAbilities, MailStoreError> {
        let mailboxes = self.mailboxes()?;
        let Some(first) = mailboxes.first() else {
            return Err(attention("no folder takes part".to_owned(), FOLDERS_HINT));
        };
        self.with(Doing::Open, |connection| {
            let keywords = connection.keeps_keywords(&first.wire_name)?;
            Ok(ServerAbilities { condstore: connection.has_condstore(), keywords })
        })
    }

    /// Runs commands; once more when a connection turns out to be gone that was there before.
    fn with<T>(
        &mut self,
        doing: Doing,
        work: impl Fn(&mut Connection) -> Result<T, imap::Error>,
    ) -> Result<T, MailStoreError> {
        let mut fresh = false;
        loop {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => {
                    fresh = true;
                    Connection::open(&self.settings)?
                }
            };
            match work(&mut connection) {
                Ok(done) => {
                    self.connection = Some(connection);
                    return Ok(done);
                }
                Err(error) if !breaks(&error) => {
                    self.connection = Some(connection);
                    return Err(classify(&error, doing));
                }
                Err(error) if fresh => return Err(classify(&error, doing)),
                Err(_) => {}
            }
        }
    }

    fn mailboxes(&mut self) -> Result<Vec<Mailbox>, MailStoreError> {
        if let Some(known) = &self.mailboxes {
            return Ok(known.clone());
        }
        let wanted = self.settings.folders.clone();
        let found = self.with(Doing::Command, |connection| connection.mailboxes(&wanted))?;
        let found = found.map_err(|missing| {
            let problem = format!("there is no folder '{missing}'");
            attention(problem, FOLDERS_HINT)
        })?;
        self.mailboxes = Some(found.clone());
        Ok(found)
    }

    fn role(&mut self, folder: &str) -> Result<Role, MailStoreError> {
        let mailboxes = self.mailboxes()?;
        let mailbox = mailboxes.iter().find(|mailbox| mailbox.wire_name == folder);
        Ok(mailbox.map_or(Role::Received, |mailbox| mailbox.role))
    }

    /// A message as it is now, where it is now.
    fn item(&mut self, key: &MessageKey) -> Result<Option<Item>, MailStoreError> {
        let role = self.role(&key.folder)?;
        let limited = self.with(Doing::Open, |connection| {
            let opened = connection.examine(&key.folder)?;
            if opened.uid_validity != key.uid_validity {
                return Ok(None);
            }
            connection.message((&key.folder, &opened), key.uid)
        })?;
        let Some(fetched) = limited else { return Ok(None) };
        let tie = self.tie(&key.entry_id())?;
        Ok(Some(Item {
            entry_id: key.entry_id(),
            kind: ItemKind::Email,
            folder: FolderId::new(&key.folder),
            change_key: change_key(key, tie.as_ref()),
            modified: None,
            properties: message::properties(&fetched, role),
            link: link(&fetched.row, tie.as_ref()),
        }))
    }

    fn tie(&mut self, id: &EntryId) -> Result<Option<TieRow>, MailStoreError> {
        self.ties.tie(id.as_str()).map_err(|error| ties_failed(&error))
    }

    /// Where messages are, and what they are: a message that is elsewhere takes its tie along.
    fn read_one(&mut self, located: Located) -> Result<Option<Item>, MailStoreError> {
        match located {
            Located::There(key) | Located::Moved(key) => self.item(&key),
            Located::Gone => Ok(None),
            Located::Unknown => Err(transient("it cannot be told where a message is")),
        }
    }

    /// Shows other clients what a message is to the CRM.
    fn show(&mut self, key: &MessageKey, state: Option<LinkState>) -> Result<(), MailStoreError> {
        if !self.settings.keywords {
            return Ok(());
        }
        let (set, removed): (Option<&str>, &[&str]) = match state {
            Some(LinkState::Tracked) => (Some(TRACKED), &[PENDING]),
            Some(LinkState::Pending) => (Some(PENDING), &[TRACKED]),
            Some(LinkState::WasTracked) | None => (None, &[TRACKED, PENDING]),
        };
        self.with(Doing::Command, |connection| connection.mark(key, set, removed))
    }
}

/// The tie of a message: that of the file, or what another client asks for by a keyword.
fn link(row: &Row, tie: Option<&TieRow>) -> LinkProperties {
    let named = tie.into_iter().flat_map(|tie| &tie.named);
    let mut link = LinkProperties::from_named(named.map(|(n, v)| (n.as_str(), v.as_str())));
    if row.pending && link.state != Some(LinkState::Tracked) {
        link.state = Some(LinkState::Pending);
    }
    // The synchronising client has done what this one asked for.
    if row.tracked && !row.pending && link.state == Some(LinkState::Pending) {
        link.state = Some(LinkState::Tracked);
    }
    link
}

/// A message never changes; its tie does.
fn change_key(key: &MessageKey, tie: Option<&TieRow>) -> ChangeKey {
    ChangeKey::new(format!("{}.{}", key.size, tie.map_or(0, |tie| tie.number)))
}

fn ties_failed(error: &StoreError) -> MailStoreError {
    attention(error.to_string(), "check the file of ties beside the sync cache")
}

impl MailStore for ImapStore {
    fn name(&self) -> &'static str {
        STORE
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn folders(&mut self) -> Result<Vec<Folder>, MailStoreError> {
        let mailboxes = self.mailboxes()?;
        let folders = mailboxes.into_iter().enumerate().map(|(at, mailbox)| Folder {
            id: FolderId::new(mailbox.wire_name),
            name: mailbox.name,
            kind: ItemKind::Email,
            default: at == 0,
        });
        Ok(folders.collect())
    }

    fn scan(
        &mut self,
        folder: &FolderId,
        since: Option<&ScanMark>,
    ) -> Result<Scan, MailStoreError> {
        self.scan_folder(folder.as_str(), since)
    }

    fn read(&mut self, ids: &[EntryId]) -> Result<Vec<Option<Item>>, MailStoreError> {
        let located = self.locate(ids)?;
        located.into_iter().map(|located| self.read_one(located)).collect()
    }

    fn create(&mut self, _new: &NewItem) -> Result<Item, MailStoreError> {
        Err(refused("no message is made in an IMAP mailbox"))
    }

    fn update(
        &mut self,
        id: &EntryId,
        expected: Option<&ChangeKey>,
        patch: &ItemPatch,
    ) -> Result<Item, MailStoreError> {
        if !patch.properties.is_empty() {
            return Err(refused("a message in an IMAP mailbox does not change"));
        }
        let gone = || MailStoreError::Gone { entry_id: id.clone() };
        let mut item = self.read(std::slice::from_ref(id))?.pop().flatten().ok_or_else(gone)?;
        if expected.is_some_and(|expected| *expected != item.change_key) {
            return Err(MailStoreError::Conflict { entry_id: id.clone() });
        }
        let Some(link) = &patch.link else { return Ok(item) };
        let key = MessageKey::parse(item.entry_id.as_str()).ok_or_else(gone)?;
        // The keyword first: without it nothing is noted, and the whole is tried again.
        self.show(&key, link.state)?;
        let place = (item.entry_id.as_str(), key.folder.as_str());
        let tie = self.ties.put(place, &link.to_named()).map_err(|e| ties_failed(&e))?;
        item.change_key = change_key(&key, Some(&tie));
        item.link = link.clone();
        Ok(item)
    }

    fn delete(
        &mut self,
        _id: &EntryId,
        _expected: Option<&ChangeKey>,
    ) -> Result<(), MailStoreError> {
        Err(refused("no message is deleted in an IMAP mailbox"))
    }

    fn presence(&mut self, ids: &[EntryId]) -> Result<Vec<Presence>, MailStoreError> {
        let located = self.locate(ids)?;
        let presence = |located| match located {
            Located::There(_) => Presence::There,
            Located::Moved(key) => Presence::Moved(key.entry_id()),
            Located::Gone => Presence::Gone,
            Located::Unknown => Presence::Unknown,
        };
        Ok(located.into_iter().map(presence).collect())
    }

    fn notifications(&mut self) -> Result<Vec<Notification>, MailStoreError> {
        Ok(Vec::new())
    }

    fn left_alone(&mut self) -> Vec<LeftAlone> {
        // Of every message something is understood; what is not is absent, and never written.
        Vec::new()
    }
}
