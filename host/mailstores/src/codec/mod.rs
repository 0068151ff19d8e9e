//! Between the text forms of the standards (vCard, iCalendar) and the fields of an item.
//!
//! Reading maps what is understood; writing patches the mapped lines of the text that was there and
//! touches nothing else. Never does I/O and never asks for the time.

pub mod icalendar;
pub mod lines;
mod link;
pub(crate) mod text;
pub mod vcard;
pub mod zone;

/// Names this program in the objects that it makes.
const PRODUCT: &str = "-//Offstage//Outlook synchronization//EN";

/// An object that is larger than this program reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the object has more than {limit} {what}; it is left alone")]
pub struct LimitExceeded {
    /// What there is too much of.
    pub what: &'static str,
    /// How much is allowed.
    pub limit: usize,
}
