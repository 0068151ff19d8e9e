//! Auto-number columns: text that the server numbers when a row is created.
//!
//! Pure: whoever counts passes the number in. Never assigns a number itself.

use crate::Uuid;
use serde::{Deserialize, Serialize};

/// The shortest column that holds every number and every provisional one.
pub const AUTONUMBER_LENGTH_MIN: u32 = 40;
/// The most digits to which a number is filled up.
const DIGITS_MAX: usize = 16;

/// The format of an auto-number column: text around one `{SEQNUM:n}`, which stands for the next
/// number, filled up with zeros to `n` digits (Dataverse, `AutoNumberFormat`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AutoNumber {
    before: String,
    digits: usize,
    after: String,
}

impl AutoNumber {
    /// The text of a number.
    #[must_use]
    pub fn text(&self, number: u64) -> String {
        format!("{}{number:0digits$}{}", self.before, self.after, digits = self.digits)
    }

    /// What a row shows until the server has numbered it: no two devices make the same.
    #[must_use]
    pub fn provisional(device: Uuid, number: u64) -> String {
        let device = device.simple().to_string();
        format!("OFFLINE-{}-{number}", &device[device.len() - 8..])
    }
}

impl TryFrom<String> for AutoNumber {
    type Error = &'static str;

    fn try_from(format: String) -> Result<Self, Self::Error> {
        const FORM: &str =
            "'autonumber' is short text with one {SEQNUM:n}, n from 1 to 16, such as A-{SEQNUM:5}";
        let (before, rest) = format.split_once("{SEQNUM:").ok_or(FORM)?;
        let (digits, after) = rest.split_once('}').ok_or(FORM)?;
        let digits = digits.parse().ok().filter(|d| (1..=DIGITS_MAX).contains(d)).ok_or(FORM)?;
        let text = [before, after].concat();
        // 20 digits of the largest number and the text fit into the shortest column.
        if text.contains(['{', '}', '\0']) || text.chars().count() > 20 {
            return Err(FORM);
        }
        Ok(Self { before: before.to_owned(), digits, after: after.to_owned() })
    }
}

impl From<AutoNumber> for String {
    fn from(format: AutoNumber) -> Self {
        format!("{}{{SEQNUM:{}}}{}", format.before, format.digits, format.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_read_and_numbers_written() {
        let format = AutoNumber::try_from("CAS-{SEQNUM:5}/X".to_owned()).expect("a format");
        assert_eq!(format.text(7), "CAS-00007/X");
        assert_eq!(format.text(1_234_567), "CAS-1234567/X");
        assert_eq!(String::from(format), "CAS-{SEQNUM:5}/X");
        let refused = [
            "",
            "A",
            "{SEQNUM}",
            "{SEQNUM:0}",
            "{SEQNUM:17}",
            "{SEQNUM:x}",
            "{SEQNUM:3",
            "{SEQNUM:3}{SEQNUM:3}",
            "{RANDSTRING:4}{SEQNUM:3}",
            "far-too-long-a-text-for-it-{SEQNUM:3}",
        ];
        for format in refused {
            AutoNumber::try_from(format.to_owned()).expect_err(format);
        }
        assert!(format!("{:020}", u64::MAX).len() + 20 <= AUTONUMBER_LENGTH_MIN as usize);
        let provisional = AutoNumber::provisional(Uuid::from_u128(0xabc), u64::MAX);
        assert_eq!(AutoNumber::provisional(Uuid::from_u128(0xabc), 3), "OFFLINE-00000abc-3");
        assert!(provisional.len() <= AUTONUMBER_LENGTH_MIN as usize, "{provisional}");
    }
}
