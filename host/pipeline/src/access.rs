//! What may be asked for: which messages and tables exist offline, and the caller's rights.
//!
//! Rights in this version are flags of the user. Never reads rows.

use crate::caller::Caller;
use crate::options::Side;
use offstage_model::metadata::Table;
use offstage_model::request::message;
use offstage_model::{Fault, code};

/// Messages that a device can answer offline (reference/dynamics.md, section 4, "Availability").
const OFFLINE_MESSAGES: &[&str] = &[
    message::CREATE,
    message::RETRIEVE,
    message::RETRIEVE_MULTIPLE,
    message::UPDATE,
    message::UPSERT,
    message::DELETE,
    message::ASSOCIATE,
    message::DISASSOCIATE,
    message::SET_STATE,
    message::EXECUTE_TRANSACTION,
    message::WHO_AM_I,
    message::RETRIEVE_VERSION,
];

/// Whether a message can run offline on a table (`None`: the message is about no table).
pub(crate) fn is_available_offline(message_name: &str, table: Option<&Table>) -> bool {
    let reads = matches!(message_name, message::RETRIEVE | message::RETRIEVE_MULTIPLE);
    OFFLINE_MESSAGES.contains(&message_name)
        && table.is_none_or(|table| table.offline && (reads || !table.administrative))
}

/// Refuses what the side cannot do.
pub(crate) fn check_available(
    side: Side,
    message_name: &str,
    table: Option<&Table>,
) -> Result<(), Fault> {
    if !message::ALL.contains(&message_name) {
        let shown: String = message_name.chars().take(80).collect();
        return Err(Fault::new(
            code::UNKNOWN_MESSAGE,
            format!("The message '{shown}' does not exist."),
        )
        .hint(format!("Known messages: {}.", message::ALL.join(", "))));
    }
    if side == Side::Server || is_available_offline(message_name, table) {
        return Ok(());
    }
    let on = table.map(|t| format!(" on '{}'", t.name)).unwrap_or_default();
    Err(Fault::new(
        code::INVALID_OFFLINE_OPERATION,
        format!("Operation not valid when offline: '{message_name}'{on}."),
    )
    .hint("Go online first (`offstage go-online`), then try again."))
}

/// Refuses what the caller may not do.
pub(crate) fn authorize(
    caller: &Caller,
    message_name: &str,
    table: Option<&Table>,
) -> Result<(), Fault> {
    let reads = matches!(
        message_name,
        message::RETRIEVE
            | message::RETRIEVE_MULTIPLE
            | message::WHO_AM_I
            | message::RETRIEVE_VERSION
    );
    match table {
        Some(table) if table.administrative && !reads && !caller.administrator => Err(Fault::new(
            code::PRIVILEGE_DENIED,
            format!("{} may not {message_name} rows of '{}'.", caller.name, table.name),
        )
        .hint("Ask an administrator.")),
        _ => Ok(()),
    }
}

/// Refuses administration by anybody but an administrator.
pub(crate) fn require_administrator(caller: &Caller, what: &str) -> Result<(), Fault> {
    if caller.administrator {
        return Ok(());
    }
    Err(Fault::new(
        code::PRIVILEGE_DENIED,
        format!("{} is not an administrator and may not {what}.", caller.name),
    ))
}
