//! Refuses a new contact whose e-mail address another contact has.
//!
//! It runs before validation, where refusing is cheapest, and never looks at inactive duplicates
//! differently: an address belongs to one contact.

use offstage_sdk::{Context, PluginError, Query, column, plugin};

/// Looks for another contact with the same `emailaddress1`, in any case.
///
/// # Errors
/// Refuses the request and names the other contact.
#[plugin(
    type = "samples.duplicates.ContactEmail",
    step(
        key = "duplicate-email", message = "Create", table = "contact",
        stage = PreValidation, deployment = Both,
    ),
    request(
        table = "contact", verbs(read), columns("fullname", "emailaddress1", "createdon"),
        reason = "Looks for another contact with the address.",
    ),
)]
pub fn refuse_duplicate(context: &mut Context) -> Result<(), PluginError> {
    let target = context.target()?;
    let Some(email) = target.text("emailaddress1")?.map(str::trim).filter(|text| !text.is_empty())
    else {
        return Ok(());
    };
    let query = Query::new("contact")
        .columns(["contactid", "fullname", "emailaddress1"])
        .filter(column("emailaddress1").equals(email))
        .order_by("createdon");
    for contact in context.service().retrieve_all(query)? {
        if contact.id == target.id {
            continue;
        }
        let other = contact.text("fullname")?.unwrap_or("without a name");
        return Err(PluginError::new(format!(
            "{email} belongs to contact {other} already. Open that contact, or use another address."
        )));
    }
    Ok(())
}

offstage_sdk::export!(package = "samples/duplicate-guard", plugins = [refuse_duplicate]);
