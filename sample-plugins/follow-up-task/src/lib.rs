//! Makes a follow-up task for each new opportunity and each new quote.
//!
//! The two plug-in types do the same and differ in one thing: whether they look at
//! `IsOfflinePlayback`. Both end with one task per row; see the README.

use offstage_sdk::{Context, Entity, PluginError, now, plugin};

/// The longest subject of a task, in characters.
const SUBJECT_LENGTH_MAX: usize = 200;
/// Days until the task is due.
const DUE_DAYS: i32 = 7;

/// Makes the task in both runs, as if there were only one.
///
/// # Errors
/// What creating the task fails with.
#[plugin(
    type = "samples.followup.Unguarded",
    step(
        key = "follow-up-opportunity", message = "Create", table = "opportunity",
        stage = PostOperation, deployment = Both,
    ),
    request(
        table = "task", verbs(create), columns("subject", "scheduledend", "regardingobjectid"),
        reason = "Makes the follow-up task of the opportunity.",
    ),
)]
pub fn unguarded(context: &mut Context) -> Result<(), PluginError> {
    create_task(context)
}

/// Makes the task in the first run only, with the guard that Dynamics plug-ins had to have.
///
/// # Errors
/// What creating the task fails with.
#[plugin(
    type = "samples.followup.Guarded",
    step(
        key = "follow-up-quote", message = "Create", table = "quote",
        stage = PostOperation, deployment = Both,
    ),
    request(
        table = "task", verbs(create), columns("subject", "scheduledend", "regardingobjectid"),
        reason = "Makes the follow-up task of the quote.",
    ),
)]
pub fn guarded(context: &mut Context) -> Result<(), PluginError> {
    if context.is_offline_playback() {
        context.trace("made offline already; returning");
        return Ok(());
    }
    create_task(context)
}

fn create_task(context: &Context) -> Result<(), PluginError> {
    let name = context.target()?.text("name")?.unwrap_or("(no name)");
    let subject: String = format!("Follow up: {name}").chars().take(SUBJECT_LENGTH_MAX).collect();
    let task = Entity::new("task")
        .with("subject", subject)
        .with("scheduledend", now().add_days(DUE_DAYS))
        .with("regardingobjectid", context.primary_reference()?);
    let id = context.service().create(task)?;
    context.trace(format!("task {id} is due in {DUE_DAYS} days"));
    Ok(())
}

offstage_sdk::export!(package = "samples/follow-up-task", plugins = [unguarded, guarded]);
