//! Files of the Outlook engine: its sync cache, the embedded mailbox, and ties of items whose store
//! cannot carry them. Plain rows only; what they mean is up to `offstage-outlook` and its stores.

mod cache;
mod mailbox;
mod ties;

pub use cache::{
    CacheTx, CachedChange, ChangeCode, Mapping, MappingKey, NoteRow, RunRow, SyncCache, UndoRow,
};
pub use mailbox::{MailboxFile, MailboxFolder, MailboxItem, MailboxNote, MailboxRow};
pub use ties::{TieFile, TieRow};
