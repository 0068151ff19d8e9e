//! The settings of Appendix C, and those that the paper does not have.

use crate::item::ItemKind;
use serde::{Deserialize, Serialize};

/// When deletions wait for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quarantine {
    /// More deletions than this in one run wait. Default 10.
    pub deletions_max: u64,
    /// More than this part of all tracked pairs waits too, in percent. Default 5.
    pub percent_max: u64,
    /// The percentage counts from so many tracked pairs on; below, one deletion would be too many.
    /// Default 100.
    pub percent_pairs_min: u64,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self { deletions_max: 10, percent_max: 5, percent_pairs_min: 100 }
    }
}

impl Quarantine {
    /// Whether so many deletions among so many pairs wait for a person.
    #[must_use]
    pub fn holds(&self, deletions: u64, pairs: u64) -> bool {
        deletions > self.deletions_max
            || (pairs >= self.percent_pairs_min && deletions * 100 > pairs * self.percent_max)
    }
}

/// The settings of one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// "Synchronize Microsoft Dynamics CRM items with my default Outlook Folder": contacts come from
    /// the CRM. Has no effect on what goes to it.
    pub contacts: bool,
    /// Tasks, phone calls, letters and faxes come from the CRM.
    pub tasks: bool,
    /// Appointments come from the CRM.
    pub appointments: bool,
    /// "Update the Company Field for Outlook Contacts": off by default.
    pub update_company: bool,
    /// "Schedule automatic Synchronization with Outlook": the interval in minutes, 0 for never.
    /// Default 15.
    pub interval_minutes: u32,
    /// The user's time zone, as an IANA name.
    pub time_zone: String,
    /// Attendees are written to stores that mail them. Off by default.
    pub send_invitations: bool,
    /// Pairs whose item is looked for after each run. Default 25.
    pub verify_per_run: u32,
    /// When deletions wait.
    pub quarantine: Quarantine,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            contacts: true,
            tasks: true,
            appointments: true,
            update_company: false,
            interval_minutes: 15,
            time_zone: "UTC".to_owned(),
            send_invitations: false,
            verify_per_run: 25,
            quarantine: Quarantine::default(),
        }
    }
}

impl Settings {
    /// Whether rows of this kind come from the CRM.
    #[must_use]
    pub fn takes(&self, kind: ItemKind) -> bool {
        match kind {
            ItemKind::Contact => self.contacts,
            ItemKind::Task => self.tasks,
            ItemKind::Appointment => self.appointments,
            ItemKind::Email => false,
        }
    }
}
