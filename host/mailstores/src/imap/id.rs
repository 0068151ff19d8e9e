//! The id of a message: where it is, and how it is found again when it is there no more.
//!
//! `FOLDER/UIDVALIDITY/UID/SIZE/MESSAGE-ID`, folder and Message-ID percent-encoded. The first three
//! are the place, as the server counts; size and Message-ID stay the same in every folder and under
//! every UIDVALIDITY. Never trusts a text that it did not write: what does not read back whole is no
//! id.

use std::fmt::Write as _;

use offstage_outlook::EntryId;

/// A Message-ID that is longer is taken for absent; RFC 5322 allows lines of 998 characters.
const MESSAGE_ID_MAX: usize = 900;

/// Where a message is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MessageKey {
    /// The mailbox, as the server names it.
    pub(super) folder: String,
    /// Until this changes, a UID names the same message.
    pub(super) uid_validity: u32,
    /// The message in its mailbox.
    pub(super) uid: u32,
    /// Its size in bytes, as the server counts it.
    pub(super) size: u32,
    /// Its Message-ID without the angle brackets, if it has one that can be looked for.
    pub(super) message_id: Option<String>,
}

impl MessageKey {
    /// The id that the engine knows the message by.
    pub(super) fn entry_id(&self) -> EntryId {
        let mut text = encoded(&self.folder);
        let message_id = self.message_id.as_deref().map(encoded).unwrap_or_default();
        let Self { uid_validity, uid, size, .. } = self;
        text += &format!("/{uid_validity}/{uid}/{size}/{message_id}");
        EntryId::new(text)
    }

    /// Reads an id back.
    pub(super) fn parse(id: &str) -> Option<Self> {
        let mut parts = id.split('/');
        let folder = decoded(parts.next()?).filter(|folder| !folder.is_empty())?;
        let mut number = || parts.next()?.parse().ok();
        let (uid_validity, uid, size) = (number()?, number()?, number()?);
        let message_id = decoded(parts.next()?)?;
        let message_id = (!message_id.is_empty()).then_some(message_id);
        if parts.next().is_some() || message_id.as_deref().is_some_and(|id| !can_be_sought(id)) {
            return None;
        }
        Some(Self { folder, uid_validity, uid, size, message_id })
    }

    /// Whether the other is the same message, wherever it is.
    pub(super) fn same_message(&self, other: &Self) -> bool {
        self.message_id.is_some() && self.message_id == other.message_id && self.size == other.size
    }
}

/// Whether a Message-ID can be put into a search without a doubt about what is searched for.
pub(super) fn can_be_sought(message_id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    !message_id.is_empty() && message_id.len() <= MESSAGE_ID_MAX && message_id.bytes().all(plain)
}

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@$+=&!".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            write!(encoded, "%{byte:02X}").unwrap_or_default();
        }
    }
    encoded
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_whole_and_nothing_else_does() {
        let key = MessageKey {
            folder: "Work/Entw&APw-rfe %".into(),
            uid_validity: 7,
            uid: 4_294_967_295,
            size: 12,
            message_id: Some("a/b+c=d@example.com".into()),
        };
        assert_eq!(MessageKey::parse(key.entry_id().as_str()), Some(key.clone()));
        let bare = MessageKey { message_id: None, ..key };
        assert_eq!(MessageKey::parse(bare.entry_id().as_str()), Some(bare));
        let refused = [
            "",
            "INBOX",
            "INBOX/1/2/3",
            "/1/2/3/a",
            "INBOX/1/2/x/a",
            "INBOX/1/2/3/a/b",
            "INBOX/1/2/3/%",
            "INBOX/1/2/3/%FF",
            "INBOX/1/4294967296/3/a",
            "INBOX/1/2/3/a%0D%0AA1%20LOGOUT",
            "INBOX/1/2/3/a%22b",
        ];
        for text in refused {
            assert_eq!(MessageKey::parse(text), None, "{text}");
        }
    }
}
