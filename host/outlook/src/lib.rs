//! The Outlook sync engine: keeps the items of a mailbox (contacts, tasks, appointments, e-mail) and
//! their records in step, both ways.
//!
//! Invariant: only `stores` know a mail store, and only [`MailStore`] is known of them here. A record
//! is changed through requests only, an item through [`MailStore`] only. Never blocks the host, and
//! never looks at a clock or a network that it was not given.

pub mod convert;
pub mod crm;
pub mod engine;
pub mod item;
pub mod link;
pub mod mail_store;
pub mod mapping;
pub mod original;
pub mod plan;
pub mod property;
pub mod rules;
mod state;
pub mod stores;

pub use engine::{Engine, EngineError, Parts, Trigger};
pub use item::{ChangeKey, EntryId, FileTime, Folder, FolderId, Item, ItemKind};
pub use link::{LinkProperties, LinkState, Regarding};
pub use mail_store::{
    Capabilities, ItemPatch, LeftAlone, MailStore, MailStoreError, NewItem, Notification,
    NotificationKind, Presence, Scan, ScanLink, ScanMark, ScanRow,
};
pub use plan::{Plan, Sides, plan};
pub use property::{Person, Properties, Property, PropertyValue};
pub use state::{Changes, State};
