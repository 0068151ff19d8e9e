//! The mail stores beyond the embedded one: PST files, CardDAV and CalDAV, Microsoft Graph, IMAP.
//!
//! Invariant: the only part that speaks a mail server's protocol or reads a mail file's format.
//! Never knows a record, the sync cache or the plan, and never looks at a clock or a network that it
//! was not given.

pub mod codec;
pub mod dav;
pub mod graph;
pub mod http;
pub mod imap;
pub mod pst;
