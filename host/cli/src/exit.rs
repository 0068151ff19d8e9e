//! The documented exit codes, and which one a fault has.
//!
//! Never ends the process; `main` does.

use offstage_model::code;
use serde::{Deserialize, Serialize};

/// How the program ends; `offstage --help` has the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Exit {
    /// 0: done.
    #[default]
    Done,
    /// 1: something inside broke.
    Internal,
    /// 2: what was typed or given is not valid.
    Usage,
    /// 3: a rule of the platform or of a plug-in refused it.
    Refused,
    /// 4: what was named does not exist.
    NotFound,
    /// 5: a conflict, or entries that need attention remain.
    Attention,
    /// 6: the device is offline, or the server does not answer.
    Unreachable,
    /// 7: the policy or the caller's rights do not allow it.
    Denied,
}

impl Exit {
    /// The number.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    /// The exit code of a fault with this code.
    pub(crate) fn of_fault(fault_code: u32) -> Self {
        match fault_code {
            code::UNREACHABLE | code::WRONG_STATE | code::INVALID_OFFLINE_OPERATION => {
                Self::Unreachable
            }
            code::OBJECT_DOES_NOT_EXIST
            | code::UNKNOWN_TABLE
            | code::UNKNOWN_COLUMN
            | code::UNKNOWN_MESSAGE
            | code::NOT_FOUND => Self::NotFound,
            code::CONFLICT
            | code::DUPLICATE_RECORD
            | code::DUPLICATE_KEY
            | code::VERSION_MISMATCH
            | code::BLOCKED
            | code::DEVICE_FORKED
            | code::SEQUENCE_GAP
            | code::METADATA_MISMATCH => Self::Attention,
            code::PACKAGE_NOT_TRUSTED
            | code::PRIVILEGE_DENIED
            | code::UNAUTHORIZED
            | code::GO_OFFLINE_DENIED => Self::Denied,
            code::INVALID_ARGUMENT
            | code::INVALID_QUERY
            | code::INVALID_PACKAGE_CONTENT
            | code::PAYLOAD_TOO_LARGE
            | code::NOT_AVAILABLE => Self::Usage,
            code::INTERNAL | code::STORE_UNUSABLE | code::LIMIT_EXCEEDED => Self::Internal,
            _ => Self::Refused,
        }
    }
}

/// The list for the help text.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done
  1  something inside broke
  2  what was typed or given is not valid
  3  a rule of the platform or of a plug-in refused it
  4  what was named does not exist
  5  a conflict, or journal entries that need attention remain
  6  the device is offline, or the server does not answer
  7  the policy or the caller's rights do not allow it";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_have_the_documented_exit_codes() {
        let cases = [
            (code::INTERNAL, 1),
            (code::STORE_UNUSABLE, 1),
            (code::INVALID_ARGUMENT, 2),
            (code::INVALID_QUERY, 2),
            (code::ISV_ABORTED, 3),
            (code::INVALID_VALUE, 3),
            (code::DELETE_RESTRICTED, 3),
            (code::OBJECT_DOES_NOT_EXIST, 4),
            (code::UNKNOWN_TABLE, 4),
            (code::NOT_FOUND, 4),
            (code::CONFLICT, 5),
            (code::DUPLICATE_RECORD, 5),
            (code::UNREACHABLE, 6),
            (code::WRONG_STATE, 6),
            (code::PRIVILEGE_DENIED, 7),
            (code::PACKAGE_NOT_TRUSTED, 7),
        ];
        for (fault, number) in cases {
            assert_eq!(Exit::of_fault(fault).number(), number, "{:?}", code::symbol(fault));
        }
    }

    #[test]
    fn the_help_names_every_number() {
        for number in 0..=7 {
            assert!(HELP.contains(&format!("\n  {number}  ")), "{number}");
        }
    }
}
