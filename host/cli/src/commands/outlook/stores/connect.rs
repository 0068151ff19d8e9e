//! Opens mail stores: the one in use, connected when it is first asked for something.
//!
//! Never decides what is synchronised.

use super::super::{CACHE_FILE, mail_error, mailbox};
use super::kept::{self, Access, Imap, Kept, Stores};
use crate::error::CliError;
use crate::machine::SystemClock;
use crate::workspace::Workspace;
use offstage_mailstores::codec::zone::Zone;
use offstage_mailstores::dav::{DavOptions, DavStore};
use offstage_mailstores::graph::{GraphOptions, GraphStore};
use offstage_mailstores::http::{Credentials, Network};
use offstage_mailstores::imap::{ImapLimits, ImapSettings, ImapStore, Security};
use offstage_mailstores::pst::PstStore;
use offstage_outlook::rules::Settings;
use offstage_outlook::{
    Capabilities, ChangeKey, EntryId, Folder, FolderId, Item, ItemPatch, LeftAlone, MailStore,
    MailStoreError, NewItem, Notification, Presence, Scan, ScanMark,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a server may take to accept a connection, and to answer.
const CONNECT: Duration = Duration::from_secs(20);
const ANSWER: Duration = Duration::from_secs(120);
/// The ties of a store that cannot carry them, in the folder of the store.
const TIES_FILE: &str = "ties.db";

/// The store in use; none stands for the embedded mailbox.
pub(crate) fn in_use(workspace: &Workspace) -> Result<Option<Kept>, CliError> {
    Ok(Stores::load(&workspace.data)?.in_use().cloned())
}

/// The sync cache of a store: each has its own, because ids mean nothing in another one.
pub(crate) fn cache_file(data: &Path, kept: Option<&Kept>) -> PathBuf {
    match kept {
        Some(kept) => kept::folder(data, &kept.name).join(CACHE_FILE),
        None => data.join(CACHE_FILE),
    }
}

/// A store, which is connected when it is first asked for something.
pub(crate) fn open(
    workspace: &Workspace,
    kept: Option<&Kept>,
    settings: &Settings,
) -> Result<Box<dyn MailStore>, CliError> {
    let Some(kept) = kept else { return Ok(Box::new(mailbox(workspace)?)) };
    Ok(Box::new(Later {
        kept: kept.clone(),
        data: workspace.data.clone(),
        settings: settings.clone(),
        store: None,
        before: Capabilities {
            kinds: Vec::new(),
            writes: false,
            notifies: false,
            server_modification_time: false,
            custom_properties: false,
            conditional_write: false,
            reports_deletions: false,
            sends_invitations: false,
            rewrites: false,
            answers_as_sent: false,
            quiet_ties: true,
        },
    }))
}

/// Connects a store with the secret that is kept.
pub(super) fn connect(
    kept: &Kept,
    data: &Path,
    settings: &Settings,
) -> Result<Box<dyn MailStore>, CliError> {
    zone(&settings.time_zone)?;
    connected(kept, data, settings).map_err(mail_error)
}

/// Connects a store with another secret than the one that is kept.
pub(super) fn connect_with(
    kept: &Kept,
    data: &Path,
    settings: &Settings,
    secret: &str,
) -> Result<Box<dyn MailStore>, CliError> {
    zone(&settings.time_zone)?;
    connected_with(kept, data, settings, Some(secret.to_owned())).map_err(mail_error)
}

/// The zone of an IANA name.
pub(crate) fn zone(name: &str) -> Result<Zone, CliError> {
    Zone::named(name).ok_or_else(|| {
        CliError::usage(format!("There is no time zone '{name}'."))
            .hint("Use an IANA name such as Europe/Berlin.")
    })
}

fn connected(
    kept: &Kept,
    data: &Path,
    settings: &Settings,
) -> Result<Box<dyn MailStore>, MailStoreError> {
    let secret = kept::secret(&kept::folder(data, &kept.name)).map_err(|error| {
        MailStoreError::NeedsAttention {
            store: kept.access.kind(),
            problem: format!("its secret cannot be read: {error}"),
            hint: "`offstage outlook store secret NAME` takes a new one",
        }
    })?;
    connected_with(kept, data, settings, secret)
}

fn connected_with(
    kept: &Kept,
    data: &Path,
    settings: &Settings,
    secret: Option<String>,
) -> Result<Box<dyn MailStore>, MailStoreError> {
    let kind = kept.access.kind();
    let attention =
        |problem: String, hint| MailStoreError::NeedsAttention { store: kind, problem, hint };
    let folder = kept::folder(data, &kept.name);
    let home = Zone::named(&settings.time_zone).ok_or_else(|| {
        let hint = "set it with `offstage outlook settings set --time-zone`";
        attention(format!("there is no time zone '{}'", settings.time_zone), hint)
    })?;
    let network = || Box::new(Network::new(CONNECT, ANSWER));
    let mail_attendees = settings.send_invitations;
    Ok(match &kept.access {
        Access::Dav { address, user } => {
            let credentials = match (user, secret) {
                (Some(user), Some(password)) => Credentials::Basic { user: user.clone(), password },
                _ => Credentials::None,
            };
            let options = DavOptions { url: address.clone(), credentials, home, mail_attendees };
            Box::new(DavStore::connect(network(), Box::new(SystemClock), options)?)
        }
        Access::Graph { address } => {
            let credentials = secret.map_or(Credentials::None, Credentials::Bearer);
            let options = GraphOptions { url: address.clone(), credentials, mail_attendees };
            Box::new(GraphStore::connect(network(), Box::new(SystemClock), options)?)
        }
        Access::Imap(imap) => {
            let settings = imap_settings(imap, secret.unwrap_or_default());
            Box::new(ImapStore::open(settings, &folder.join(TIES_FILE))?)
        }
        Access::Pst { file } => {
            let store = PstStore::open(file, home);
            Box::new(store.map_err(|error| {
                attention(error.to_string(), "check that the file is there, whole, and a PST file")
            })?)
        }
    })
}

fn imap_settings(imap: &Imap, password: String) -> ImapSettings {
    let security = if imap.plain {
        Security::PlainToLoopback
    } else {
        Security::Tls { ca_file: imap.authorities.clone() }
    };
    ImapSettings {
        host: imap.host.clone(),
        port: imap.port,
        security,
        user: imap.user.clone(),
        password,
        folders: imap.folders.clone(),
        keywords: imap.keywords,
        limits: ImapLimits::default(),
    }
}

/// A store that is connected when it is first asked for something. A server that does not answer is
/// then a matter of the run that asked, and has its place in the run's report.
struct Later {
    kept: Kept,
    data: PathBuf,
    settings: Settings,
    store: Option<Box<dyn MailStore>>,
    /// Nothing, until it was asked.
    before: Capabilities,
}

impl Later {
    fn store(&mut self) -> Result<&mut dyn MailStore, MailStoreError> {
        if self.store.is_none() {
            self.store = Some(connected(&self.kept, &self.data, &self.settings)?);
        }
        Ok(self.store.as_deref_mut().expect("BUG: it was connected just now"))
    }
}

impl MailStore for Later {
    fn name(&self) -> &'static str {
        self.kept.access.kind()
    }
    fn capabilities(&self) -> &Capabilities {
        self.store.as_ref().map_or(&self.before, |store| store.capabilities())
    }
    fn folders(&mut self) -> Result<Vec<Folder>, MailStoreError> {
        self.store()?.folders()
    }
    fn scan(
        &mut self,
        folder: &FolderId,
        since: Option<&ScanMark>,
    ) -> Result<Scan, MailStoreError> {
        self.store()?.scan(folder, since)
    }
    fn read(&mut self, ids: &[EntryId]) -> Result<Vec<Option<Item>>, MailStoreError> {
        self.store()?.read(ids)
    }
    fn create(&mut self, new: &NewItem) -> Result<Item, MailStoreError> {
        self.store()?.create(new)
    }
    fn update(
        &mut self,
        id: &EntryId,
        expected: Option<&ChangeKey>,
        patch: &ItemPatch,
    ) -> Result<Item, MailStoreError> {
        self.store()?.update(id, expected, patch)
    }
    fn delete(&mut self, id: &EntryId, expected: Option<&ChangeKey>) -> Result<(), MailStoreError> {
        self.store()?.delete(id, expected)
    }
    fn presence(&mut self, ids: &[EntryId]) -> Result<Vec<Presence>, MailStoreError> {
        self.store()?.presence(ids)
    }
    fn notifications(&mut self) -> Result<Vec<Notification>, MailStoreError> {
        self.store()?.notifications()
    }
    fn left_alone(&mut self) -> Vec<LeftAlone> {
        self.store.as_mut().map(|store| store.left_alone()).unwrap_or_default()
    }
}
