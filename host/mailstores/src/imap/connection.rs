//! A signed-in connection: folders, and the few commands that the store needs.
//!
//! Every command gets an answer of limited size and time. Messages are fetched with PEEK from
//! mailboxes opened for reading only; the one thing that is ever written is a keyword.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use imap::types::{Fetch, Flag};
use imap::{Client, Error, Session};
use imap_proto::NameAttribute;
use mail_parser::MessageParser;
use offstage_outlook::MailStoreError;

use super::error::{Doing, attention, classify, classify_wire, transient};
use super::folder_name;
use super::id::{MessageKey, can_be_sought};
use super::settings::{ImapLimits, ImapSettings};
use super::wire::{Meter, Wire};

/// What is asked of a message to know it by.
const ROW: &str = "(UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])";
/// The keyword of a tracked message.
pub(super) const TRACKED: &str = "$CrmTracked";
/// The keyword of a message that a client wants to be tracked.
pub(super) const PENDING: &str = "$CrmPending";

/// What a folder is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Received,
    Sent,
    Drafts,
}

/// A folder that takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mailbox {
    /// As the server names it.
    pub(super) wire_name: String,
    /// As people see it.
    pub(super) name: String,
    pub(super) role: Role,
}

/// The state of an opened mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) messages: u32,
    pub(super) uid_validity: u32,
    pub(super) uid_next: u32,
    /// `HIGHESTMODSEQ`, where the server counts changes (CONDSTORE).
    pub(super) mod_seq: Option<u64>,
}

/// A message as a scan sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) key: MessageKey,
    pub(super) tracked: bool,
    pub(super) pending: bool,
}

/// A message with its beginning.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fetched {
    pub(super) row: Row,
    pub(super) draft: bool,
    /// When it came, in seconds since 1970.
    pub(super) came: Option<i64>,
    pub(super) bytes: Vec<u8>,
}

/// A signed-in connection.
pub(super) struct Connection {
    session: Session<Wire>,
    meter: Arc<Meter>,
    limits: ImapLimits,
    condstore: bool,
}

impl Connection {
    /// Connects and signs in.
    pub(super) fn open(settings: &ImapSettings) -> Result<Self, MailStoreError> {
        let (wire, meter) = Wire::open(settings).map_err(|error| classify_wire(&error))?;
        let mut client = Client::new(wire);
        let greeting = client.read_greeting().map_err(|e| classify(&e, Doing::SignIn))?;
        if !greeting.starts_with(b"* OK") {
            return Err(transient(&String::from_utf8_lossy(&greeting)));
        }
        meter.next_command();
        let before = client.capabilities().map_err(|e| classify(&e, Doing::SignIn))?;
        if before.has_str("LOGINDISABLED") {
            let problem = "the server takes no password on this connection".to_owned();
            return Err(attention(problem, "use TLS"));
        }
        meter.next_command();
        let mut session = client
            .login(&settings.user, &settings.password)
            .map_err(|(error, _)| classify(&error, Doing::SignIn))?;
        meter.next_command();
        let abilities = session.capabilities().map_err(|e| classify(&e, Doing::SignIn))?;
        let condstore = abilities.has_str("CONDSTORE") && abilities.has_str("ENABLE");
        if condstore {
            meter.next_command();
            // From now on EXAMINE tells the count of changes.
            let enabled = session.run_command_and_check_ok("ENABLE CONDSTORE");
            enabled.map_err(|e| classify(&e, Doing::Command))?;
        }
        Ok(Self { session, meter, limits: settings.limits, condstore })
    }

    /// The folders that take part: those asked for, or INBOX and the folder of sent mail. `Err` in
    /// the answer names one that is not there.
    pub(super) fn mailboxes(
        &mut self,
        wanted: &[String],
    ) -> Result<Result<Vec<Mailbox>, String>, Error> {
        self.meter.next_command();
        let names = self.session.list(None, Some("\"*\""))?;
        let mut all: Vec<Mailbox> = names
            .iter()
            .filter(|name| !name.attributes().contains(&NameAttribute::NoSelect))
            .map(|name| Mailbox {
                wire_name: name.name().to_owned(),
                name: folder_name::shown(name.name()),
                role: role(name.attributes()),
            })
            .collect();
        all.sort_by_key(|mailbox| !is_inbox(&mailbox.wire_name));
        if wanted.is_empty() {
            all.retain(|mailbox| is_inbox(&mailbox.wire_name) || mailbox.role == Role::Sent);
            return Ok(Ok(all));
        }
        let is = |mailbox: &Mailbox, wanted: &str| {
            mailbox.name == wanted || (is_inbox(&mailbox.wire_name) && is_inbox(wanted))
        };
        let missing = wanted.iter().find(|wanted| !all.iter().any(|mailbox| is(mailbox, wanted)));
        if let Some(missing) = missing {
            return Ok(Err(missing.clone()));
        }
        all.retain(|mailbox| wanted.iter().any(|wanted| is(mailbox, wanted)));
        Ok(Ok(all))
    }

    /// Opens a mailbox for reading.
    pub(super) fn examine(&mut self, folder: &str) -> Result<Opened, Error> {
        self.meter.next_command();
        let opened = self.session.examine(folder)?;
        Ok(self.opened(&opened))
    }

    fn opened(&self, mailbox: &imap::types::Mailbox) -> Opened {
        Opened {
            messages: mailbox.exists,
            // RFC 9051: a server without the one or the other keeps no UIDs over sessions.
            uid_validity: mailbox.uid_validity.unwrap_or(0),
            uid_next: mailbox.uid_next.unwrap_or(0),
            mod_seq: mailbox.highest_mod_seq.filter(|mod_seq| self.condstore && *mod_seq > 0),
        }
    }

    /// The messages at positions of the open mailbox, those changed since a modification sequence.
    pub(super) fn rows_at(
        &mut self,
        (folder, opened): (&str, &Opened),
        positions: (u32, u32),
        changed_since: Option<u64>,
    ) -> Result<Vec<Row>, Error> {
        let since = changed_since.map(|since| format!(" (CHANGEDSINCE {since})"));
        let query = format!("{ROW}{}", since.unwrap_or_default());
        self.meter.next_command();
        let found = self.session.fetch(format!("{}:{}", positions.0, positions.1), query)?;
        Ok(found.iter().filter_map(|fetch| row(fetch, folder, opened.uid_validity)).collect())
    }

    /// Messages of the open mailbox by UID; those that are not there are missing from the answer.
    pub(super) fn rows_of(
        &mut self,
        (folder, opened): (&str, &Opened),
        uids: &BTreeSet<u32>,
    ) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::with_capacity(uids.len());
        let uids: Vec<u32> = uids.iter().copied().collect();
        for page in uids.chunks(self.limits.page_messages_max.max(1) as usize) {
            self.meter.next_command();
            let found = self.session.uid_fetch(set(page), ROW)?;
            rows.extend(found.iter().filter_map(|f| row(f, folder, opened.uid_validity)));
        }
        rows.retain(|row| uids.binary_search(&row.key.uid).is_ok());
        Ok(rows)
    }

    /// The beginning of a message of the open mailbox.
    pub(super) fn message(
        &mut self,
        (folder, opened): (&str, &Opened),
        uid: u32,
    ) -> Result<Option<Fetched>, Error> {
        self.meter.next_command();
        let query = format!(
            "(UID RFC822.SIZE FLAGS INTERNALDATE BODY.PEEK[]<0.{}>)",
            self.limits.message_bytes_max
        );
        let found = self.session.uid_fetch(uid.to_string(), query)?;
        let fetch = found.iter().find(|fetch| fetch.uid == Some(uid) && fetch.body().is_some());
        Ok(fetch.and_then(|fetch| {
            let bytes = fetch.body()?.to_vec();
            let message_id = message_id(&bytes);
            Some(Fetched {
                row: marked(fetch, folder, opened.uid_validity, message_id)?,
                draft: fetch.flags().contains(&Flag::Draft),
                came: fetch.internal_date().map(|date| date.timestamp()),
                bytes,
            })
        }))
    }

    /// UIDs of the open mailbox with a Message-ID that contains this one.
    pub(super) fn with_message_id(&mut self, message_id: &str) -> Result<BTreeSet<u32>, Error> {
        if !can_be_sought(message_id) {
            return Ok(BTreeSet::new());
        }
        self.search(&format!("HEADER MESSAGE-ID \"{message_id}\""))
    }

    /// UIDs of the open mailbox that a client wants to be tracked.
    pub(super) fn pending(&mut self) -> Result<BTreeSet<u32>, Error> {
        self.search(&format!("KEYWORD {PENDING}"))
    }

    fn search(&mut self, query: &str) -> Result<BTreeSet<u32>, Error> {
        self.meter.next_command();
        Ok(self.session.uid_search(query)?.into_iter().collect())
    }

    /// Sets and removes the keywords of a message, where the server keeps them.
    pub(super) fn mark(
        &mut self,
        key: &MessageKey,
        set: Option<&str>,
        removed: &[&str],
    ) -> Result<(), Error> {
        self.meter.next_command();
        let opened = self.session.select(&key.folder)?;
        if !may_create(&opened) || opened.uid_validity != Some(key.uid_validity) {
            return Ok(());
        }
        let uid = key.uid.to_string();
        self.meter.next_command();
        self.session.uid_store(&uid, format!("-FLAGS.SILENT ({})", removed.join(" ")))?;
        if let Some(keyword) = set {
            self.meter.next_command();
            self.session.uid_store(&uid, format!("+FLAGS.SILENT ({keyword})"))?;
        }
        Ok(())
    }

    /// Whether a mailbox keeps keywords of one's own; one opened for reading never says so.
    pub(super) fn keeps_keywords(&mut self, folder: &str) -> Result<bool, Error> {
        self.meter.next_command();
        Ok(may_create(&self.session.select(folder)?))
    }

    /// The server counts changes.
    pub(super) fn has_condstore(&self) -> bool {
        self.condstore
    }
}

fn may_create(mailbox: &imap::types::Mailbox) -> bool {
    mailbox.permanent_flags.contains(&Flag::MayCreate)
}

fn is_inbox(name: &str) -> bool {
    name.eq_ignore_ascii_case("INBOX")
}

fn role(attributes: &[NameAttribute<'_>]) -> Role {
    if attributes.contains(&NameAttribute::Sent) {
        Role::Sent
    } else if attributes.contains(&NameAttribute::Drafts) {
        Role::Drafts
    } else {
        Role::Received
    }
}

fn set(uids: &[u32]) -> String {
    let mut text = String::new();
    for uid in uids {
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to a text cannot fail.
        write!(text, "{comma}{uid}").unwrap_or_default();
    }
    text
}

/// A server may tell of other messages in between; those lack what was asked for.
fn row(fetch: &Fetch<'_>, folder: &str, uid_validity: u32) -> Option<Row> {
    marked(fetch, folder, uid_validity, message_id(fetch.header()?))
}

fn marked(
    fetch: &Fetch<'_>,
    folder: &str,
    uid_validity: u32,
    message_id: Option<String>,
) -> Option<Row> {
    let has = |keyword: &str| {
        let is = |flag: &Flag<'_>| matches!(flag, Flag::Custom(own) if own.eq_ignore_ascii_case(keyword));
        fetch.flags().iter().any(is)
    };
    Some(Row {
        key: MessageKey {
            folder: folder.to_owned(),
            uid_validity,
            uid: fetch.uid?,
            size: fetch.size?,
            message_id,
        },
        tracked: has(TRACKED),
        pending: has(PENDING),
    })
}

fn message_id(bytes: &[u8]) -> Option<String> {
    let message = MessageParser::new().parse_headers(bytes)?;
    message.message_id().map(str::to_owned).filter(|id| can_be_sought(id))
}
