//! What `#[plugin]` makes of a function: its type name, its steps and how to call it.
//!
//! These are declarations only; whether a step runs is decided where it is registered.

use crate::context::Context;
use crate::error::PluginError;

/// The function of a plug-in type.
pub type PluginFunction = fn(&mut Context) -> Result<(), PluginError>;

/// One plug-in type; `#[plugin]` puts it beside the function, as `<function>::PLUGIN`.
#[derive(Debug, Clone, Copy)]
pub struct PluginDefinition {
    /// The name that steps are registered under, such as `samples.phone.NormalizePhone`.
    pub type_name: &'static str,
    /// Runs the plug-in.
    pub run: PluginFunction,
    /// The declared steps.
    pub steps: &'static [StepDefinition],
    /// The line of the `offstage:declarations` section, without its line end.
    pub declaration: &'static str,
}

/// When a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Stage 10.
    PreValidation = 10,
    /// Stage 20.
    PreOperation = 20,
    /// Stage 30, of a custom message.
    MainOperation = 30,
    /// Stage 40.
    PostOperation = 40,
}

/// Whether the caller waits for the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// In the request.
    Synchronous = 0,
    /// After the commit.
    Asynchronous = 1,
}

/// Where a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deployment {
    /// On the server only.
    Server = 0,
    /// Offline on the device only.
    Offline = 1,
    /// In both places, and so twice for what was made offline.
    Both = 2,
}

/// How the second run is reconciled with the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Playback {
    /// What both made is kept once; what only the offline run made is carried over, or dropped
    /// where the second run decided otherwise.
    Reconcile,
    /// Only the server's run counts.
    Authoritative,
    /// What was recorded offline is replayed and the step runs as well.
    Classic,
    /// The step does not run a second time.
    Once,
}

/// What happens when a plug-in swallows the error of a nested request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NestedError {
    /// The whole request fails.
    Fail,
    /// The plug-in goes on.
    Catch,
}

/// Which rows an image holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageKind {
    /// The row before the main operation.
    Pre,
    /// The row after it.
    Post,
    /// Both.
    Both,
}

/// One declared step.
#[derive(Debug, Clone, Copy)]
pub struct StepDefinition {
    /// The author's stable key of the step.
    pub key: &'static str,
    /// The message.
    pub message: &'static str,
    /// The primary table; empty for any.
    pub table: &'static str,
    /// When it runs.
    pub stage: Stage,
    /// Whether the caller waits.
    pub mode: Mode,
    /// The order among the steps of a stage, smallest first.
    pub rank: i32,
    /// Where it runs.
    pub deployment: Deployment,
    /// For Update: run only if one of these columns is in the request; empty for always.
    pub filtering: &'static [&'static str],
    /// How the second run is reconciled.
    pub playback: Playback,
    /// What happens to a swallowed nested error.
    pub on_nested_error: NestedError,
    /// The unsecure configuration.
    pub configuration: &'static str,
    /// The images.
    pub images: &'static [ImageDefinition],
}

/// One declared image.
#[derive(Debug, Clone, Copy)]
pub struct ImageDefinition {
    /// The name that the plug-in asks for.
    pub alias: &'static str,
    /// Before, after or both.
    pub kind: ImageKind,
    /// The columns; empty for all.
    pub attributes: &'static [&'static str],
}
