//! Finds messages: at their place, and elsewhere by size and Message-ID when they are not there.
//!
//! Says "gone" only when a server that answered every question has no such message; never when
//! UIDVALIDITY changed and the message has nothing to be known by.

use std::collections::{BTreeMap, BTreeSet};

use imap::Error;
use offstage_outlook::{EntryId, MailStoreError};

use super::connection::Connection;
use super::error::Doing;
use super::id::MessageKey;
use super::{ImapStore, ties_failed};

/// Where a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Located {
    There(MessageKey),
    Moved(MessageKey),
    Gone,
    Unknown,
}

impl ImapStore {
    /// Where messages are, in the order asked for. An id that is none of this store's is gone.
    pub(super) fn locate(&mut self, ids: &[EntryId]) -> Result<Vec<Located>, MailStoreError> {
        let keys: Vec<Option<MessageKey>> =
            ids.iter().map(|id| MessageKey::parse(id.as_str())).collect();
        let mut at_place = BTreeMap::new();
        let mut by_folder: BTreeMap<&str, Vec<&MessageKey>> = BTreeMap::new();
        for key in keys.iter().flatten() {
            by_folder.entry(&key.folder).or_default().push(key);
        }
        let mailboxes = self.mailboxes()?;
        for (folder, keys) in by_folder {
            // A folder that takes part no longer holds nothing that does.
            let takes_part = mailboxes.iter().any(|mailbox| mailbox.wire_name == folder);
            if takes_part {
                at_place.extend(self.with(Doing::Open, |c| look_at_place(c, folder, &keys))?);
            }
        }
        let mut located = Vec::with_capacity(keys.len());
        for key in keys {
            located.push(match key {
                None => Located::Gone,
                Some(key) => match at_place.get(&key) {
                    Some(AtPlace::There) => Located::There(key),
                    Some(AtPlace::OtherUids) => self.elsewhere(&key, Located::Unknown)?,
                    Some(AtPlace::Missing) | None => self.elsewhere(&key, Located::Gone)?,
                },
            });
        }
        Ok(located)
    }

    /// Looks for a message in every folder that takes part; its tie goes along.
    fn elsewhere(
        &mut self,
        key: &MessageKey,
        without_id: Located,
    ) -> Result<Located, MailStoreError> {
        let Some(message_id) = key.message_id.clone() else { return Ok(without_id) };
        for mailbox in self.mailboxes()? {
            let folder = mailbox.wire_name;
            let found = self.with(Doing::Open, |c| look_in(c, &folder, key, &message_id))?;
            let Some(found) = found else { continue };
            let (old, new) = (key.entry_id(), found.entry_id());
            self.ties
                .rename(old.as_str(), (new.as_str(), &folder))
                .map_err(|error| ties_failed(&error))?;
            return Ok(Located::Moved(found));
        }
        Ok(Located::Gone)
    }
}

/// What a server says of the place of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AtPlace {
    There,
    Missing,
    /// The UIDs of the folder mean other messages now.
    OtherUids,
}

fn look_at_place(
    connection: &mut Connection,
    folder: &str,
    keys: &[&MessageKey],
) -> Result<Vec<(MessageKey, AtPlace)>, Error> {
    let opened = connection.examine(folder)?;
    let current = |key: &&&MessageKey| key.uid_validity == opened.uid_validity;
    let uids: BTreeSet<u32> = keys.iter().filter(current).map(|key| key.uid).collect();
    let rows = connection.rows_of((folder, &opened), &uids)?;
    let there: BTreeSet<MessageKey> = rows.into_iter().map(|row| row.key).collect();
    let state = |key: &&MessageKey| {
        if key.uid_validity != opened.uid_validity {
            AtPlace::OtherUids
        } else if there.contains(*key) {
            AtPlace::There
        } else {
            AtPlace::Missing
        }
    };
    Ok(keys.iter().map(|key| ((*key).clone(), state(key))).collect())
}

/// The message in this folder, the oldest copy if there are several.
fn look_in(
    connection: &mut Connection,
    folder: &str,
    key: &MessageKey,
    message_id: &str,
) -> Result<Option<MessageKey>, Error> {
    let opened = connection.examine(folder)?;
    let candidates = connection.with_message_id(message_id)?;
    if candidates.is_empty() {
        return Ok(None);
    }
    let rows = connection.rows_of((folder, &opened), &candidates)?;
    let mut same: Vec<MessageKey> =
        rows.into_iter().map(|row| row.key).filter(|found| found.same_message(key)).collect();
    same.sort();
    Ok(same.into_iter().next())
}
