//! Faults: what a caller is told when a request fails, with the platform's known codes.
//!
//! Never holds internals: what only an administrator may see goes to the trace or the log.

use crate::EntityReference;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Codes of the platform (Dataverse "Web service error codes") and, from `0x8F000000`, our own.
pub mod code {
    /// Declares the codes with their symbol and HTTP status in one table.
    macro_rules! codes {
        ($($(#[$doc:meta])* $name:ident = $value:literal, $status:literal;)*) => {
            $($(#[$doc])* pub const $name: u32 = $value;)*

            /// The symbol of a code, such as `OBJECT_DOES_NOT_EXIST`.
            #[must_use]
            pub fn symbol(code: u32) -> Option<&'static str> {
                match code { $($value => Some(stringify!($name)),)* _ => None }
            }

            /// The HTTP status of a code; 400 for unknown ones.
            #[must_use]
            pub fn status(code: u32) -> u16 {
                match code { $($value => $status,)* _ => 400 }
            }
        };
    }

    codes! {
        /// IsvAborted: a plug-in refused with a message of its own.
        ISV_ABORTED = 0x8004_0265, 400;
        /// IsvUnExpected: a plug-in failed in another way; details are in the trace.
        ISV_UNEXPECTED = 0x8004_0224, 500;
        /// A plug-in swallowed the failure of a nested request (IsvTransactionCount).
        ISV_TRANSACTION_COUNT = 0x8009_000C, 400;
        /// SdkCorrelationTokenDepthTooHigh: an endless loop of plug-ins.
        DEPTH_TOO_HIGH = 0x8004_4182, 400;
        /// InvalidOfflineOperation.
        INVALID_OFFLINE_OPERATION = 0x8004_410E, 400;
        /// SdkMessageNotSupportedOnServer.
        MESSAGE_NOT_SUPPORTED_ON_SERVER = 0x8004_4180, 400;
        /// SdkMessageNotSupportedOnClient.
        MESSAGE_NOT_SUPPORTED_ON_CLIENT = 0x8004_4181, 400;
        /// SdkEntityOfflineQueuePlaybackIsNotAllowed.
        PLAYBACK_NOT_ALLOWED = 0x8004_4188, 400;
        /// OnlyStepInPredefinedStagesCanBeModified: a stage that no step may use.
        INVALID_STAGE = 0x8004_4184, 400;
        /// OnlyStepInServerOnlyCanHaveSecureConfiguration.
        SECURE_CONFIGURATION_OFFLINE = 0x8004_4185, 400;
        /// SdkCustomProcessingStepIsNotAllowed.
        STEP_NOT_ALLOWED = 0x8004_4187, 400;
        /// A post-image on a step before the main operation.
        POST_IMAGE_ON_PRE_STEP = 0x8004_416E, 400;
        /// An image type that the message does not have.
        WRONG_IMAGE_TYPE = 0x8004_416D, 400;
        /// InvalidPluginRegistrationConfiguration.
        INVALID_REGISTRATION = 0x8004_4170, 400;
        /// PluginAssemblyMustHavePublicKeyToken: the package is neither signed nor pinned.
        PACKAGE_NOT_TRUSTED = 0x8004_416C, 403;
        /// The content of the package is not a plug-in component.
        INVALID_PACKAGE_CONTENT = 0x8004_418B, 400;
        /// SandboxWorkerPluginTimeout: the plug-in used up its time or fuel.
        PLUGIN_TIMEOUT = 0x8004_4173, 500;
        /// The sandbox ended the plug-in (trap, memory, stack, host-call limit).
        PLUGIN_CRASHED = 0x8004_418D, 500;
        /// PrivilegeDenied.
        PRIVILEGE_DENIED = 0x8004_0220, 403;
        /// The caller is not known, or its token is not valid.
        UNAUTHORIZED = 0x8004_0276, 401;
        /// ObjectDoesNotExist.
        OBJECT_DOES_NOT_EXIST = 0x8004_0217, 404;
        /// DuplicateRecord: cannot insert a duplicate key.
        DUPLICATE_RECORD = 0x8004_0237, 412;
        /// DuplicateRecordEntityKey: an alternate key has that value already.
        DUPLICATE_KEY = 0x8006_0892, 412;
        /// ConcurrencyVersionMismatch.
        VERSION_MISMATCH = 0x8006_0882, 412;
        /// InvalidArgument.
        INVALID_ARGUMENT = 0x8004_0203, 400;
        /// The table is not known to the metadata.
        UNKNOWN_TABLE = 0x8004_0800, 404;
        /// QueryBuilderNoAttribute: the table has no such column.
        UNKNOWN_COLUMN = 0x8004_1103, 400;
        /// The message is not known.
        UNKNOWN_MESSAGE = 0x8004_4192, 404;
        /// StringLengthTooLong.
        STRING_TOO_LONG = 0x8004_4331, 400;
        /// ValidationError: a value is outside its range or not of its type.
        INVALID_VALUE = 0x8004_4339, 400;
        /// A column that only the platform may set.
        READ_ONLY_COLUMN = 0x8004_4340, 400;
        /// A status that does not belong to its state, or a forbidden transition.
        INVALID_STATE_TRANSITION = 0x8004_8408, 400;
        /// Delete is refused because related rows exist.
        DELETE_RESTRICTED = 0x8004_0227, 400;
        /// The text is not a valid query.
        INVALID_QUERY = 0x8004_1D01, 400;
        /// The payload or a value is larger than allowed.
        PAYLOAD_TOO_LARGE = 0x8004_4A02, 413;
        /// GoOfflineMetadataVersionsMismatch.
        METADATA_MISMATCH = 0x8004_4220, 409;
        /// GoOffline is not allowed for the caller.
        GO_OFFLINE_DENIED = 0x8004_4229, 403;
        /// The server does not answer.
        UNREACHABLE = 0x8F00_0001, 503;
        /// The device is in a state in which this cannot be done.
        WRONG_STATE = 0x8F00_0002, 409;
        /// The journal of a device forked: a restored backup or a clone.
        DEVICE_FORKED = 0x8F00_0003, 422;
        /// Entries were sent with a gap before them.
        SEQUENCE_GAP = 0x8F00_0004, 409;
        /// A step that took part offline is missing or incompatible on the server.
        STEP_MISSING = 0x8F00_0005, 409;
        /// The entry waits for an entry that was refused.
        BLOCKED = 0x8F00_0006, 409;
        /// Something inside broke; the log has the details.
        INTERNAL = 0x8F00_0007, 500;
        /// The store is damaged, newer than this program, in use, or not writable.
        STORE_UNUSABLE = 0x8F00_0008, 500;
        /// The part is not available in this version.
        NOT_AVAILABLE = 0x8F00_0009, 501;
        /// Both sides changed the same row in a way that no policy decides.
        CONFLICT = 0x8F00_000A, 409;
        /// Something that was named does not exist (entry, step, plug-in, device ...).
        NOT_FOUND = 0x8F00_000B, 404;
        /// The request is larger than a limit allows, and always will be.
        TOO_LARGE_A_REQUEST = 0x8F00_000D, 400;
        /// A plug-in that is suspended would have to run.
        PLUGIN_SUSPENDED = 0x8F00_000E, 503;
        /// Busy: too much at once.
        LIMIT_EXCEEDED = 0x8F00_000C, 429;
    }
}

/// What a caller is told when a request fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The HRESULT-style code.
    pub code: u32,
    /// The message for the caller: names the thing and the reason.
    pub message: String,
    /// The HTTP status, when it is not the one of the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The trace row that tells more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<uuid::Uuid>,
    /// The step that refused, by its stable key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The row that stands in the way: one with the same id or the same values of a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<Box<EntityReference>>,
    /// Time ran out, which says nothing about the request itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub timed_out: bool,
}

impl Fault {
    /// A fault with a code and a message.
    pub fn new(code: u32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            status: None,
            hint: None,
            trace_id: None,
            step: None,
            row: None,
            timed_out: false,
        }
    }

    /// Says that time ran out: the same request may succeed later.
    #[must_use]
    pub fn timed_out(mut self) -> Self {
        self.timed_out = true;
        self
    }

    /// Adds the next step for the person who reads it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        self.status.unwrap_or_else(|| code::status(self.code))
    }

    /// The code as clients write it, `0x80040217`.
    #[must_use]
    pub fn code_text(&self) -> String {
        format!("0x{:08x}", self.code)
    }

    /// Whether the same request may succeed later without anybody changing it: such a fault never
    /// becomes the outcome of a journal entry (`playback.md`, "Found by trying", 10).
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.timed_out
            || matches!(
                self.code,
                code::UNREACHABLE
                    | code::INTERNAL
                    | code::STORE_UNUSABLE
                    | code::LIMIT_EXCEEDED
                    | code::PLUGIN_SUSPENDED
            )
    }

    /// The row `id` of `table` does not exist; the text that clients match (cases W5, C59).
    #[must_use]
    pub fn no_such_row(table: &str, id: uuid::Uuid) -> Self {
        Self::new(code::OBJECT_DOES_NOT_EXIST, format!("{table} With Id = {id} Does Not Exist"))
    }

    /// The table is not known.
    #[must_use]
    pub fn unknown_table(table: &str) -> Self {
        Self::new(code::UNKNOWN_TABLE, format!("The table '{table}' does not exist."))
            .hint("`offstage table list` shows the tables; `offstage table add FILE` adds one.")
    }

    /// The table has no such column; the text of case Q86.
    #[must_use]
    pub fn unknown_column(table: &str, column: &str) -> Self {
        let mut name = table.to_owned();
        if let Some(first) = name.get_mut(0..1) {
            first.make_ascii_uppercase();
        }
        Self::new(
            code::UNKNOWN_COLUMN,
            format!(
                "'{name}' entity doesn't contain attribute with Name = '{column}' and NameMapping = 'Logical'"
            ),
        )
        .hint(format!("`offstage table show {table}` lists the columns."))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code_text())
    }
}

impl std::error::Error for Fault {}
