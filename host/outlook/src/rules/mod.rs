//! The rules of the paper as data: when an action is synchronised at once, what a deletion does on
//! the other side, which rows of the CRM come to Outlook, and the settings.
//!
//! Each table is the paper's, row by row; code only looks them up. Never reads or writes anything.

mod deletion;
mod filters;
mod immediate;
mod settings;

pub use deletion::{
    Condition, DELETION_RULES, DeletionFacts, DeletionRule, Event, Outcome, deletion,
};
pub use filters::{FILTERS, KindFilter, Rows};
pub use immediate::{
    Action, Cell, ClientRole, IMMEDIATE_RULES, ImmediateRule, ItemClass, immediate,
};
pub use settings::{Quarantine, Settings};
