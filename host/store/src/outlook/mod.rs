//! Files of the Outlook engine: its sync cache and the embedded mailbox. Plain rows only; what they
//! mean is up to `offstage-outlook`.

mod cache;
mod mailbox;

pub use cache::{
    CacheTx, CachedChange, ChangeCode, Mapping, MappingKey, NoteRow, RunRow, SyncCache, UndoRow,
};
pub use mailbox::{MailboxFile, MailboxFolder, MailboxItem, MailboxNote, MailboxRow};
