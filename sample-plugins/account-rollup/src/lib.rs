//! Keeps the number and the value of an account's open opportunities on the account.
//!
//! It always counts anew and never adds a difference, so that running twice, or after a repair,
//! gives the same figures.

use offstage_sdk::{
    Context, Decimal, Entity, EntityReference, Money, OptionValue, OrganizationService,
    PluginError, Query, column, plugin,
};

/// The state of an open opportunity.
const OPEN: OptionValue = OptionValue(0);
/// The pre-image of an update or delete.
const IMAGE: &str = "before";

/// Recomputes the accounts that the opportunity belongs to, or belonged to.
///
/// # Errors
/// What reading the opportunities or changing the account fails with.
#[plugin(
    type = "samples.rollup.AccountRollup",
    step(
        key = "rollup-on-create", message = "Create", table = "opportunity",
        stage = PostOperation, deployment = Both, rank = 20,
    ),
    step(
        key = "rollup-on-update", message = "Update", table = "opportunity",
        stage = PostOperation, deployment = Both, rank = 20,
        filtering("parentaccountid", "estimatedvalue", "statecode"),
        image(kind = Pre, alias = "before", attributes("parentaccountid")),
    ),
    step(
        key = "rollup-on-delete", message = "Delete", table = "opportunity",
        stage = PostOperation, deployment = Both, rank = 20,
        image(kind = Pre, alias = "before", attributes("parentaccountid")),
    ),
    request(
        table = "opportunity", verbs(read),
        columns("estimatedvalue", "parentaccountid", "statecode"),
        reason = "Counts the open opportunities of an account.",
    ),
    request(table = "account", verbs(read), reason = "Looks whether the account is still there."),
    request(
        table = "account", verbs(update), columns("openopportunities", "openvalue"),
        reason = "Keeps the figures on the account."),
)]
pub fn roll_up(context: &mut Context) -> Result<(), PluginError> {
    let before = parent_before(context)?;
    let after = parent_after(context, before.as_ref())?;
    let service = context.service();
    if let Some(account) = &after {
        recompute(service, account)?;
    }
    match before {
        Some(account) if !after.is_some_and(|after| after.is_same_row(&account)) => {
            recompute(service, &account)
        }
        _ => Ok(()),
    }
}

fn parent_before(context: &Context) -> Result<Option<EntityReference>, PluginError> {
    if context.message_name == "Create" {
        return Ok(None);
    }
    Ok(context.pre_image(IMAGE)?.lookup("parentaccountid")?.cloned())
}

fn parent_after(
    context: &Context,
    before: Option<&EntityReference>,
) -> Result<Option<EntityReference>, PluginError> {
    if context.message_name == "Delete" {
        return Ok(None);
    }
    let target = context.target()?;
    if !target.contains("parentaccountid") {
        return Ok(before.cloned());
    }
    Ok(target.lookup("parentaccountid")?.cloned())
}

fn recompute(service: OrganizationService, account: &EntityReference) -> Result<(), PluginError> {
    // An account that is being deleted takes its opportunities with it; there is nothing to keep.
    let query = Query::new("account")
        .columns(["accountid"])
        .filter(column("accountid").equals(account.id))
        .top(1);
    if service.retrieve_multiple(query)?.entities.is_empty() {
        return Ok(());
    }
    let query = Query::new("opportunity")
        .columns(["estimatedvalue"])
        .filter(column("parentaccountid").equals(account) & column("statecode").equals(OPEN));
    let open = service.retrieve_all(query)?;
    let mut value = Decimal::ZERO;
    for opportunity in &open {
        value += opportunity.money("estimatedvalue")?.unwrap_or_default();
    }
    let count = i32::try_from(open.len()).unwrap_or(i32::MAX);
    offstage_sdk::trace!("{}: {count} open, {value}", account.label());
    service.update(
        Entity::with_id("account", account.id)
            .with("openopportunities", count)
            .with("openvalue", Money(value)),
    )
}

offstage_sdk::export!(package = "samples/account-rollup", plugins = [roll_up]);
