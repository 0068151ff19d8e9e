//! Runs untrusted plug-in components under limits (`sandbox.md`).
//!
//! Invariant: a plug-in reaches nothing but the [`Services`] that its run was given, and whatever
//! it does, the run ends within its [`RunLimits`] with one clear error and the host goes on.
//! Never knows stores, steps or trust: which package may run is `offstage-policy`'s decision.

mod bindings;
mod cache;
pub mod capture;
mod convert;
mod deadline;
mod debug;
mod engine;
mod error;
mod files;
mod inspect;
mod limits;
mod manifest;
mod meter;
mod package;
mod reuse;
mod run_error;
mod sandbox;
mod state;
mod state_capabilities;
mod ticker;
mod trace;

pub use cache::CodeCache;
pub use convert::ConvertError;
pub use debug::{DebugPlugins, has_debug_info};
pub use error::SandboxError;
pub use files::{
    DirectoryError, FileError, FilePath, GrantedDirectory, NAME_BYTES_MAX, PATH_BYTES_MAX,
    PATH_NAMES_MAX, PathError, Usage as DirectoryUsage,
};
pub use inspect::{COMPONENT_BYTES_MAX, inspect};
pub use limits::{
    CORE_INSTANCES_MAX, INSTANCES_MAX, MEMORIES_MAX, MEMORY_BYTES_MAX, RunLimits, STACK_BYTES_MAX,
    TABLE_ELEMENTS_MAX, TABLES_MAX,
};
pub use package::{PackageFile, SIGNATURE_COMMENT, with_declarations};
pub use run_error::{CallClass, RunError, RunErrorKind};
pub use sandbox::{Plugin, Run, Sandbox, SandboxOptions, Usage};
pub use state::Services;
