//! Turns records and items into states, and changes of states back into changes of records.
//!
//! Each conversion is a pure function of its input and of the user's zone. Never decides who wins.

mod form;
mod read;
mod status;
mod write;

pub use form::{Held, crm_form};
pub use read::{Options, Party, Record, item_state, record_state};
pub use write::{PartyChange, RecordChange, item_patch, record_change};
