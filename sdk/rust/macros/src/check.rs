//! Refuses declarations that no host would register, each with one sentence at its place.
//!
//! The rules are those of the platform's registration; a host checks them again.

use syn::{Error, FnArg, ItemFn, LitStr, Result, ReturnType};

use crate::parse::{Arguments, Choice, Image, Step};

/// Checks the function's shape and every step.
pub(crate) fn check(arguments: &Arguments, function: &ItemFn) -> Result<()> {
    check_function(function)?;
    not_empty(&arguments.type_name, "type")?;
    if arguments.steps.is_empty() {
        return Err(Error::new(
            arguments.type_name.span(),
            "a plug-in without a step never runs; add `step(key = …, message = …, stage = …)`",
        ));
    }
    for (index, step) in arguments.steps.iter().enumerate() {
        if arguments.steps[..index].iter().any(|other| other.key.value() == step.key.value()) {
            return Err(Error::new(step.key.span(), "another step of this type has the same key"));
        }
        check_step(step)?;
    }
    Ok(())
}

fn check_function(function: &ItemFn) -> Result<()> {
    let signature = &function.sig;
    let one_argument =
        signature.inputs.len() == 1 && matches!(signature.inputs.first(), Some(FnArg::Typed(_)));
    let plain = signature.asyncness.is_none() && signature.generics.params.is_empty();
    let returns = matches!(signature.output, ReturnType::Type(..));
    if one_argument && plain && returns {
        return Ok(());
    }
    Err(Error::new_spanned(
        signature,
        "a plug-in is a plain function `fn name(context: &mut Context) -> Result<(), PluginError>`",
    ))
}

fn check_step(step: &Step) -> Result<()> {
    not_empty(&step.key, "key")?;
    not_empty(&step.message, "message")?;
    let message = step.message.value();
    let asynchronous = step.mode.name == "Asynchronous";
    if asynchronous && step.stage.name != "PostOperation" {
        return refuse(&step.mode, "an asynchronous step runs in stage PostOperation only");
    }
    if asynchronous && step.deployment.name == "Offline" {
        return refuse(&step.mode, "an asynchronous step cannot be offline only");
    }
    if let Some(column) = step.filtering.first().filter(|_| message != "Update") {
        return Err(Error::new(column.span(), "filtering columns apply to message Update only"));
    }
    for column in &step.filtering {
        not_empty(column, "column")?;
    }
    for (index, image) in step.images.iter().enumerate() {
        let alias = image.alias.value();
        if step.images[..index].iter().any(|other| other.alias.value() == alias) {
            return Err(Error::new(image.alias.span(), "another image has the same alias"));
        }
        check_image(step, &message, image)?;
    }
    Ok(())
}

fn check_image(step: &Step, message: &str, image: &Image) -> Result<()> {
    not_empty(&image.alias, "alias")?;
    let (pre, post) = (image.kind.name != "Post", image.kind.name != "Pre");
    if post && step.stage.name != "PostOperation" {
        return refuse(&image.kind, "a post-image exists in stage PostOperation only");
    }
    if pre && message == "Create" {
        return refuse(&image.kind, "Create has no pre-image: there is no row yet");
    }
    if post && message == "Delete" {
        return refuse(&image.kind, "Delete has no post-image: the row is gone");
    }
    Ok(())
}

fn refuse(choice: &Choice, reason: &str) -> Result<()> {
    Err(Error::new(choice.span, reason))
}

fn not_empty(text: &LitStr, what: &str) -> Result<()> {
    if text.value().trim().is_empty() {
        return Err(Error::new(text.span(), format!("the {what} is empty")));
    }
    Ok(())
}
