//! Refuses opportunities that an account's credit does not cover.
//!
//! It runs on the server only: a device holds neither all accounts nor the newest limits. What was
//! made offline is judged when it is played back.

use offstage_sdk::{Context, Entity, PluginError, plugin};

/// The pre-image of an update.
const IMAGE: &str = "before";

/// Compares the opportunity's value with the credit of its account.
///
/// # Errors
/// Refuses the request if the account is on hold or its limit is exceeded.
#[plugin(
    type = "samples.credit.CreditRule",
    step(
        key = "credit-on-create", message = "Create", table = "opportunity",
        stage = PreOperation, deployment = Server,
    ),
    step(
        key = "credit-on-update", message = "Update", table = "opportunity",
        stage = PreOperation, deployment = Server,
        filtering("estimatedvalue", "parentaccountid"),
        image(kind = Pre, alias = "before", attributes("estimatedvalue", "parentaccountid")),
    ),
    request(
        table = "opportunity", verbs(read), columns("estimatedvalue", "parentaccountid"),
        reason = "Knows the value that an update leaves as it is.",
    ),
    request(
        table = "account", verbs(read), columns("name", "creditonhold", "creditlimit"),
        reason = "Compares the value with the account's credit.",
    ),
)]
pub fn check_credit(context: &mut Context) -> Result<(), PluginError> {
    let opportunity = resulting_row(context)?;
    let Some(account) = opportunity.lookup("parentaccountid")? else {
        return Ok(());
    };
    let account = context.service().retrieve(account, ["name", "creditonhold", "creditlimit"])?;
    let name = account.text("name")?.unwrap_or("the account");
    if account.boolean("creditonhold")? == Some(true) {
        return Err(PluginError::new(format!("{name} is on credit hold.")));
    }
    let value = opportunity.money("estimatedvalue")?;
    match (value, account.money("creditlimit")?) {
        (Some(value), Some(limit)) if value > limit => {
            Err(PluginError::new(format!("Credit limit of {name} is {limit}; {value} exceeds it.")))
        }
        _ => Ok(()),
    }
}

/// Returns the row as the request leaves it: an update mentions only what it changes.
fn resulting_row(context: &Context) -> Result<Entity, PluginError> {
    let target = context.target()?;
    if context.message_name == "Create" {
        return Ok(target.clone());
    }
    Ok(context.pre_image(IMAGE)?.overlaid_with(target))
}

offstage_sdk::export!(package = "samples/credit-rule", plugins = [check_credit]);
