//! Stores the phone numbers of contacts and accounts in one form, E.164, wherever they are typed.
//!
//! It changes only columns that the request mentions, and asks nothing of the host.

use offstage_sdk::{Context, PluginError, plugin};
use phonelib::PhoneNumber;

/// The columns that hold a phone number, with the names that users know.
const COLUMNS: [(&str, &str); 4] = [
    ("telephone1", "Business Phone"),
    ("mobilephone", "Mobile Phone"),
    ("telephone2", "Other Phone"),
    ("fax", "Fax"),
];

/// The region of numbers without a country code, where the step's configuration names none.
const DEFAULT_REGION: &str = "US";

/// Normalises the phone numbers of the row in `Target`.
///
/// # Errors
/// Refuses the request if a number cannot be read, and names the column.
#[plugin(
    type = "samples.phone.NormalizePhone",
    step(
        key = "phone-on-contact-create", message = "Create", table = "contact",
        stage = PreOperation, deployment = Both, rank = 10, configuration = "US",
    ),
    step(
        key = "phone-on-contact-update", message = "Update", table = "contact",
        stage = PreOperation, deployment = Both, rank = 10, configuration = "US",
        filtering("telephone1", "mobilephone", "telephone2", "fax"),
    ),
    step(
        key = "phone-on-account-create", message = "Create", table = "account",
        stage = PreOperation, deployment = Both, rank = 10, configuration = "US",
    ),
    step(
        key = "phone-on-account-update", message = "Update", table = "account",
        stage = PreOperation, deployment = Both, rank = 10, configuration = "US",
        filtering("telephone1", "telephone2", "fax"),
    ),
    request(
        table = "contact", verbs(create, update),
        columns("telephone1", "mobilephone", "telephone2", "fax"),
        reason = "Stores the numbers of contacts in one form.",
    ),
    request(
        table = "account", verbs(create, update), columns("telephone1", "telephone2", "fax"),
        reason = "Stores the numbers of accounts in one form.",
    ),
)]
pub fn normalize(context: &mut Context) -> Result<(), PluginError> {
    let configured = context.configuration.trim().to_ascii_uppercase();
    let region = if configured.is_empty() { DEFAULT_REGION.to_owned() } else { configured };
    let mut target = context.target_mut()?;
    for (column, label) in COLUMNS {
        let Some(typed) = target.text(column)?.map(str::to_owned) else {
            continue;
        };
        if typed.trim().is_empty() {
            continue;
        }
        let number = e164(&typed, &region).map_err(|reason| {
            PluginError::new(format!(
                "{label} ({column}): \"{typed}\" is no phone number: {reason}."
            ))
        })?;
        if number != typed {
            offstage_sdk::trace!("{column}: {typed} -> {number}");
            target.set(column, number);
        }
    }
    Ok(())
}

/// Returns the number in E.164, with ` x<digits>` after it where there is an extension.
fn e164(typed: &str, region: &str) -> Result<String, phonelib::ParseError> {
    let number = PhoneNumber::try_parse_with_country(typed, region)?;
    Ok(match number.extension() {
        Some(extension) => format!("{} x{extension}", number.e164()),
        None => number.e164().to_owned(),
    })
}

offstage_sdk::export!(package = "samples/phone-numbers", plugins = [normalize]);
