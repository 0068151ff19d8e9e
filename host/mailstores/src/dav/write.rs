//! Writing an object: the text that it has, patched, and only if nobody else changed it.
//!
//! Never touches what the server would write to people about.

use offstage_outlook::{ChangeKey, EntryId, Item, ItemPatch, MailStore as _, MailStoreError};

use super::client::{Object, Only};
use super::{Collection, DavStore, ObjectError, Parsed, STORE, media_type, unmapped};
use crate::codec::icalendar::Writing;

impl DavStore {
    /// The object that a write changes: as it was read last, if that is the state which the write
    /// depends on, else as it is now.
    pub(super) fn before_write(
        &mut self,
        id: &EntryId,
        expected: Option<&ChangeKey>,
    ) -> Result<Object, MailStoreError> {
        let known = self.read_last.remove(id);
        let same = |known: &Object| {
            !known.etag.is_empty() && expected.is_some_and(|key| key.as_str() == known.etag)
        };
        if let Some(known) = known.filter(same) {
            return Ok(known);
        }
        let now = self.client.get(id)?;
        let now = now.ok_or_else(|| MailStoreError::Gone { entry_id: id.clone() })?;
        if expected.is_some_and(|expected| expected.as_str() != now.etag) {
            return Err(MailStoreError::Conflict { entry_id: id.clone() });
        }
        Ok(now)
    }

    /// Writes an object; the item as it was sent, or as it is stored where the answer does not name
    /// its state.
    pub(super) fn write(
        &mut self,
        (id, collection): (&EntryId, &Collection),
        only: Only<'_>,
        body: Vec<u8>,
    ) -> Result<Item, MailStoreError> {
        let etag = self.client.put(id, only, media_type(collection.kind), body.clone())?;
        let Some(etag) = etag else { return self.stored(id) };
        match self.item(id, collection, &Object { etag, modified: None, body }) {
            Ok(item) => Ok(item),
            Err(_) => self.stored(id),
        }
    }

    /// The object as it is stored now.
    pub(super) fn stored(&mut self, id: &EntryId) -> Result<Item, MailStoreError> {
        // By the same report as every reading, so that the same item is the same value.
        let item = self.read(std::slice::from_ref(id))?.pop().flatten();
        item.ok_or_else(|| match self.left_alone.get(id) {
            Some(left) => MailStoreError::Refused { store: STORE, reason: left.reason.clone() },
            None => MailStoreError::Gone { entry_id: id.clone() },
        })
    }

    /// Writes a patch into an object's text.
    pub(super) fn patched(
        &self,
        parsed: &mut Parsed,
        patch: &ItemPatch,
    ) -> Result<Vec<u8>, MailStoreError> {
        let writing = Writing { home: &self.options.home, now: self.clock.now() };
        let written = match parsed {
            Parsed::Card(card) => {
                card.patch(patch).map(|()| card.to_bytes()).map_err(ObjectError::from)
            }
            Parsed::Calendar(event) => {
                event.patch(patch, writing).map(|()| event.to_bytes()).map_err(ObjectError::from)
            }
        };
        written.map_err(|error| unmapped(&error))
    }

    /// Refuses to touch what the server would write to people about.
    pub(super) fn check_mails(&self, parsed: &Parsed) -> Result<(), MailStoreError> {
        let Parsed::Calendar(event) = parsed else { return Ok(()) };
        if self.capabilities.sends_invitations
            && !self.options.mail_attendees
            && event.mails_attendees()
        {
            return Err(MailStoreError::Refused {
                store: STORE,
                reason:
                    "the server would write to the attendees of this event, which was not allowed"
                        .to_owned(),
            });
        }
        Ok(())
    }
}
