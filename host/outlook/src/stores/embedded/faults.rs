//! Faults that a test can ask for: lost, repeated and shuffled notifications, and calls that fail.
//!
//! Seeded: the same faults come in every run. Nothing goes wrong by default.

use crate::mail_store::Notification;

/// What is to go wrong, in percent of cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Where the faults begin; printed by tests.
    pub seed: u64,
    /// Notifications that are lost.
    pub lost_percent: u64,
    /// Notifications that come twice; order is lost too.
    pub repeated_percent: u64,
    /// Calls that fail for now.
    pub failing_percent: u64,
}

impl Faults {
    /// Every notification is lost.
    #[must_use]
    pub fn all_notifications_lost() -> Self {
        Self { lost_percent: 100, ..Self::default() }
    }

    fn draw(&mut self) -> u64 {
        // SplitMix64: small, and good enough to spread faults.
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % 100
    }

    pub(super) fn trips(&mut self) -> bool {
        self.failing_percent > 0 && self.draw() < self.failing_percent
    }

    pub(super) fn garble(&mut self, notifications: Vec<Notification>) -> Vec<Notification> {
        let mut garbled = Vec::with_capacity(notifications.len());
        for notification in notifications {
            if self.lost_percent > 0 && self.draw() < self.lost_percent {
                continue;
            }
            if self.repeated_percent > 0 && self.draw() < self.repeated_percent {
                garbled.insert(0, notification.clone());
            }
            garbled.push(notification);
        }
        garbled
    }
}
