//! Items of a mailbox as plain values: ids, kinds, folders and times.
//!
//! Never reads or writes a store, and has no stored form of its own.

use crate::link::LinkProperties;
use crate::property::Properties;
use offstage_model::Timestamp;
use std::fmt;

/// What an item is. Phone calls, letters and faxes of the CRM are tasks here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ItemKind {
    /// `IPM.Contact`
    Contact,
    /// `IPM.Task`
    Task,
    /// `IPM.Appointment`
    Appointment,
    /// `IPM.Note`
    Email,
}

impl ItemKind {
    /// All kinds, in the order in which the engine works.
    pub const ALL: [Self; 4] = [Self::Contact, Self::Task, Self::Appointment, Self::Email];

    /// The message class of the kind.
    #[must_use]
    pub fn message_class(self) -> &'static str {
        match self {
            Self::Contact => "IPM.Contact",
            Self::Task => "IPM.Task",
            Self::Appointment => "IPM.Appointment",
            Self::Email => "IPM.Note",
        }
    }

    /// The kind of a message class; sub-classes such as `IPM.Contact.Custom` count.
    #[must_use]
    pub fn of_message_class(class: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| {
            let base = kind.message_class();
            class.get(..base.len()).is_some_and(|head| head.eq_ignore_ascii_case(base))
                && class[base.len()..].chars().next().is_none_or(|c| c == '.')
        })
    }

    /// The word for commands and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Task => "task",
            Self::Appointment => "appointment",
            Self::Email => "email",
        }
    }

    /// The kind with this [`ItemKind::name`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for ItemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Defines a newtype over text whose case counts.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is: case counts, and any length goes.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// Names one item in its store. Case counts (Graph ids differ by case only), and it may be long
    /// (a DAV address can exceed the 400 characters of the paper's column).
    EntryId
}
text_id! {
    /// Names one folder in its store.
    FolderId
}
text_id! {
    /// Changes with every change of an item: a row version, an ETag or a changeKey. Never compared
    /// but for equality.
    ChangeKey
}

/// A folder that takes part: the default folder of a kind, or one of several that hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// The folder.
    pub id: FolderId,
    /// What people call it.
    pub name: String,
    /// What it holds.
    pub kind: ItemKind,
    /// Where new items of the kind go; one folder per kind.
    pub default: bool,
}

/// Milliseconds from 1601-01-01 to 1970-01-01.
const EPOCH_MS: i64 = 11_644_473_600_000;
/// Ticks in a millisecond.
const TICKS_PER_MS: i64 = 10_000;

/// A time as MAPI keeps it: ticks of 100 ns since 1601-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileTime(pub i64);

impl FileTime {
    /// The time in milliseconds; finer parts are cut off.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        Timestamp(self.0.div_euclid(TICKS_PER_MS).saturating_sub(EPOCH_MS))
    }
}

impl From<Timestamp> for FileTime {
    fn from(time: Timestamp) -> Self {
        Self(time.0.saturating_add(EPOCH_MS).saturating_mul(TICKS_PER_MS))
    }
}

impl fmt::Display for FileTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.timestamp().fmt(f)
    }
}

/// One item as its store has it now. What the mapping does not name stays in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its id.
    pub entry_id: EntryId,
    /// What it is.
    pub kind: ItemKind,
    /// Where it is.
    pub folder: FolderId,
    /// Changes with every change.
    pub change_key: ChangeKey,
    /// When it was last changed, on the store's clock; `None` when the store cannot tell.
    pub modified: Option<FileTime>,
    /// The mapped properties that are set. An empty text is absent.
    pub properties: Properties,
    /// The tie to a record, where the store can carry it.
    pub link: LinkProperties,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_classes_and_their_sub_classes_have_a_kind() {
        let cases = [
            ("IPM.Contact", Some(ItemKind::Contact)),
            ("ipm.contact.Custom", Some(ItemKind::Contact)),
            ("IPM.Contacts", None),
            ("IPM.Note.SMIME", Some(ItemKind::Email)),
            ("IPM.StickyNote", None),
            ("IPM", None),
        ];
        for (class, kind) in cases {
            assert_eq!(ItemKind::of_message_class(class), kind, "{class}");
        }
    }

    #[test]
    fn file_times_keep_milliseconds() {
        let cases = [(0, 116_444_736_000_000_000), (1, 116_444_736_000_010_000), (-EPOCH_MS, 0)];
        for (ms, ticks) in cases {
            assert_eq!(FileTime::from(Timestamp(ms)), FileTime(ticks));
            assert_eq!(FileTime(ticks + 9_999).timestamp(), Timestamp(ms));
        }
    }
}
