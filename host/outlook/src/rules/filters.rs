//! Which rows of the CRM come to Outlook: fixed per kind and not editable. The only limit is
//! switching a kind off. They are not the offline data filters.

use crate::item::ItemKind;

/// Which rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// The user is the owner.
    Own,
    /// The user is the owner, and the state is open.
    OwnOpen,
    /// The user is the owner, the organizer or an attendee.
    OwnOrParty,
}

/// The filter of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindFilter {
    /// The table.
    pub table: &'static str,
    /// The kind that switches it off.
    pub kind: ItemKind,
    /// Which rows.
    pub rows: Rows,
}

/// The filters. E-mail goes from Outlook to the CRM only, by being tracked.
pub const FILTERS: [KindFilter; 6] = [
    KindFilter { table: "contact", kind: ItemKind::Contact, rows: Rows::Own },
    KindFilter { table: "task", kind: ItemKind::Task, rows: Rows::OwnOpen },
    KindFilter { table: "phonecall", kind: ItemKind::Task, rows: Rows::OwnOpen },
    KindFilter { table: "letter", kind: ItemKind::Task, rows: Rows::OwnOpen },
    KindFilter { table: "fax", kind: ItemKind::Task, rows: Rows::OwnOpen },
    KindFilter { table: "appointment", kind: ItemKind::Appointment, rows: Rows::OwnOrParty },
];
