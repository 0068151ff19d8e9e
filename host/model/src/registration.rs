//! Registration: plug-in packages, plug-in types, steps and images, as they are declared in a
//! component and kept in a store.
//!
//! Never decides whether a registration is allowed; `offstage-pipeline` does.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The custom section of a component that holds its declarations, one JSON document per line.
pub const DECLARATIONS_SECTION: &str = "offstage:declarations";

/// A stage of the event execution pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub enum Stage {
    /// Before security checks of the main operation.
    PreValidation,
    /// Inside the transaction, before the main operation.
    PreOperation,
    /// The platform, or the plug-in of a custom message.
    MainOperation,
    /// After the main operation.
    PostOperation,
}

impl Stage {
    /// The platform's number.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::PreValidation => 10,
            Self::PreOperation => 20,
            Self::MainOperation => 30,
            Self::PostOperation => 40,
        }
    }
}

impl From<Stage> for u32 {
    fn from(stage: Stage) -> Self {
        stage.number()
    }
}

impl TryFrom<u32> for Stage {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, String> {
        match number {
            10 => Ok(Self::PreValidation),
            20 => Ok(Self::PreOperation),
            30 => Ok(Self::MainOperation),
            40 => Ok(Self::PostOperation),
            _ => Err(format!("{number} is not a stage; use 10, 20 or 40")),
        }
    }
}

/// When a step runs relative to its request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub enum Mode {
    /// In the request.
    #[default]
    Synchronous,
    /// After it, from a job queue.
    Asynchronous,
}

impl From<Mode> for u32 {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Synchronous => 0,
            Mode::Asynchronous => 1,
        }
    }
}

impl TryFrom<u32> for Mode {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, String> {
        match number {
            0 => Ok(Self::Synchronous),
            1 => Ok(Self::Asynchronous),
            _ => Err(format!("{number} is not a mode; use 0 (synchronous) or 1 (asynchronous)")),
        }
    }
}

/// Where a step runs (`supporteddeployment`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub enum Deployment {
    /// On the server only.
    #[default]
    Server,
    /// On a device that is offline only.
    Offline,
    /// On both: offline, and a second time in playback.
    Both,
}

impl Deployment {
    /// Whether the step runs on a device that is offline.
    #[must_use]
    pub fn runs_offline(self) -> bool {
        self != Self::Server
    }

    /// Whether the step runs on the server.
    #[must_use]
    pub fn runs_on_server(self) -> bool {
        self != Self::Offline
    }
}

impl From<Deployment> for u32 {
    fn from(deployment: Deployment) -> Self {
        match deployment {
            Deployment::Server => 0,
            Deployment::Offline => 1,
            Deployment::Both => 2,
        }
    }
}

impl TryFrom<u32> for Deployment {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, String> {
        match number {
            0 => Ok(Self::Server),
            1 => Ok(Self::Offline),
            2 => Ok(Self::Both),
            _ => Err(format!("{number} is not a deployment; use 0 server, 1 offline or 2 both")),
        }
    }
}

/// What playback does with a step that ran offline (`playback.md`, "Reconciling the two runs").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlaybackMode {
    /// Both runs are paired; what only the offline run made is carried over where the server's run
    /// did not decide.
    #[default]
    Reconcile,
    /// Only what the server's run makes counts.
    Authoritative,
    /// As in Dynamics 365: the recorded operations are replayed and the step runs as well.
    Classic,
    /// The step does not run a second time; its offline effects are replayed.
    Once,
}

/// What happens when a plug-in goes on after a nested request failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnNestedError {
    /// The whole request fails (0x8009000C), as on the platform.
    #[default]
    Fail,
    /// The plug-in may go on; the nested request is rolled back to its savepoint.
    Catch,
}

/// Which images a step gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageKind {
    /// Before the main operation.
    Pre,
    /// After it.
    Post,
    /// Both, under one alias.
    Both,
}

/// An image of a step: a snapshot of the row under an alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageDeclaration {
    /// The name under which the plug-in finds it.
    pub alias: String,
    /// Before, after or both.
    pub kind: ImageKind,
    /// The columns; empty means all.
    #[serde(default)]
    pub attributes: Vec<String>,
}

/// A step: a plug-in type bound to a message, table and stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepDeclaration {
    /// The author's stable key, unique in the organization.
    pub key: String,
    /// The message name.
    pub message: String,
    /// The table; empty means every table.
    #[serde(default)]
    pub table: String,
    /// 10, 20 or 40; without one, 40 (case P8).
    #[serde(default = "post_operation")]
    pub stage: Stage,
    /// Synchronous or asynchronous.
    #[serde(default)]
    pub mode: Mode,
    /// Lower ranks run first.
    #[serde(default = "first_rank")]
    pub rank: i32,
    /// Server, offline or both.
    #[serde(default)]
    pub deployment: Deployment,
    /// For Update: the columns of which one must be in the request; empty means any.
    #[serde(default)]
    pub filtering: Vec<String>,
    /// What playback does.
    #[serde(default)]
    pub playback: PlaybackMode,
    /// What a swallowed nested failure does.
    #[serde(default)]
    pub on_nested_error: OnNestedError,
    /// The user that the step acts as, on the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impersonate: Option<Uuid>,
    /// Text for the plug-in.
    #[serde(default)]
    pub configuration: String,
    /// Text for the plug-in that never leaves the server.
    #[serde(default)]
    pub secure_configuration: String,
    /// Images.
    #[serde(default)]
    pub images: Vec<ImageDeclaration>,
}

fn post_operation() -> Stage {
    Stage::PostOperation
}

fn first_rank() -> i32 {
    1
}

/// A plug-in type with the steps that its source declares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeDeclaration {
    /// The type name, such as `samples.phone.NormalizePhone`.
    #[serde(rename = "type")]
    pub name: String,
    /// Its steps.
    #[serde(default)]
    pub steps: Vec<StepDeclaration>,
    /// What it asks the operator to allow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<CapabilityDeclaration>,
}

/// Everything that a component declares about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageDeclaration {
    /// The package id, such as `samples/phone-numbers`.
    pub package: String,
    /// Its version.
    pub version: String,
    /// Its plug-in types.
    #[serde(default)]
    pub types: Vec<TypeDeclaration>,
    /// What the package as a whole asks the operator to allow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<CapabilityDeclaration>,
}

impl PackageDeclaration {
    /// Everything that the package asks for: the package's own requests, then those of each type.
    pub fn all_requests(&self) -> impl Iterator<Item = &CapabilityDeclaration> {
        self.requests.iter().chain(self.types.iter().flat_map(|t| &t.requests))
    }
}

/// One capability as it is written: in a plug-in's source, a manifest, a policy or a trust file.
///
/// Exactly one of `table`, `message`, `impersonate`, `directory`, `http`, `secret` and `limit` says
/// what it is about; the other keys say more about that one. `offstage-policy` checks it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapabilityDeclaration {
    /// Rows of this table; `*` is every table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// For a table: `create`, `read`, `update`, `delete`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verbs: Vec<String>,
    /// For a table: the columns; `*` is every column.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Sending this message; `*` is every message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Acting as this user, by id; `*` is every user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impersonate: Option<String>,
    /// Files in the directory that the policy has under this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// For a directory: `read`, `write`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<String>,
    /// For a directory: the most bytes that the plug-in may keep there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_max: Option<u64>,
    /// For a directory: the most files that the plug-in may keep there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_max: Option<u64>,
    /// HTTP requests to this origin: scheme, host and port, such as `https://*.example.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// Using the secret that the host has under this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// For a secret: the origins that it may be sent to, written as for `http`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
    /// Another value for this limit of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// For a limit: its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
    /// Why; requests must say it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// A registered package, without its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// The package id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the component, in hex.
    pub sha256: String,
    /// The component's size in bytes.
    pub size: u64,
    /// Off: none of its steps runs.
    pub enabled: bool,
}

/// A registered step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The step's id.
    pub id: Uuid,
    /// The package that has its plug-in type.
    pub package: String,
    /// The plug-in type.
    pub plugin_type: String,
    /// What is registered.
    #[serde(flatten)]
    pub declaration: StepDeclaration,
    /// Off: the step does not run.
    pub enabled: bool,
}
