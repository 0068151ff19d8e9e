//! Makes a component of a plug-in that is written in C, JavaScript or Python.
//!
//! Invariant: a folder with a `plugin.toml` goes in, a component that imports nothing but the
//! contract comes out, or an error that says what to do. It runs the tools that it names and no
//! others, writes below the folders it is given, and never talks to a host.

mod component;
mod declarations;
mod error;
mod language;
mod names;
mod project;
mod rust_sdk;
mod sdk;
mod source;
mod tools;

pub use component::{check, with_declarations};
pub use error::BuildError;
pub use language::Language;
use language::javascript;
pub use project::{Files, Project, new_project, template};
pub use rust_sdk::DEBUGGING;
pub use sdk::write_sdk;
pub use source::{MANIFEST, Source};

use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// Where a build may write.
#[derive(Clone, Debug)]
pub struct BuildFolders {
    /// Tools that it installs, one folder per language; shared by all builds.
    pub tools: PathBuf,
    /// Files between source and component, one folder per package; also what is known of the last
    /// build.
    pub work: PathBuf,
}

/// What came of a build.
#[derive(Clone, Debug)]
pub struct Built {
    /// The component.
    pub component: Vec<u8>,
    /// Whether it was made now; otherwise nothing had changed since the last time.
    pub made: bool,
}

/// Makes the component of the plug-in in `folder`, or takes the last one if nothing changed.
///
/// # Errors
/// `plugin.toml` cannot be used, a tool is missing and cannot be installed, the source does not
/// build, or what was built imports something outside the contract.
pub fn build(folder: &Path, folders: &BuildFolders) -> Result<Built, BuildError> {
    let source = Source::read(folder)?;
    let work = folders.work.join(source.package.replace('/', "_"));
    let stamp = stamp(&source)?;
    let (stamp_path, component_path) = (work.join("stamp"), work.join("component.wasm"));
    if fs::read_to_string(&stamp_path).is_ok_and(|known| known == stamp)
        && let Ok(component) = fs::read(&component_path)
    {
        return Ok(Built { component, made: false });
    }
    let tools = folders.tools.join(source.language.name());
    tools::ensure(source.language, &tools)?;
    tools::make_folder(&work)?;
    let bare = source.language.compile(&source, &tools, &work)?;
    let component = with_declarations(&bare, &source.declarations);
    check(&component)?;
    tools::write(&component_path, &component)?;
    // Last: a build that was interrupted is made again.
    tools::write(&stamp_path, stamp.as_bytes())?;
    Ok(Built { component, made: true })
}

/// Installs what a language needs to be built, if it is missing.
///
/// # Errors
/// It is missing and cannot be installed; the error says what to do.
pub fn install_tools(language: Language, folders: &BuildFolders) -> Result<(), BuildError> {
    tools::ensure(language, &folders.tools.join(language.name()))
}

/// The Node.js that plug-ins in JavaScript are built with, for their unit tests; after
/// [`install_tools`].
#[must_use]
pub fn node(folders: &BuildFolders) -> PathBuf {
    javascript::node(&folders.tools.join(Language::Javascript.name()))
}

/// A hash of all that a component is made of: the source, the SDK, the contract and the tools.
fn stamp(source: &Source) -> Result<String, BuildError> {
    let mut hash = Sha256::new();
    let mut files = Vec::new();
    for folder in [&source.folder, &source.sdk] {
        tools::collect(folder, &mut files)?;
    }
    files.sort();
    for path in files {
        let content = fs::read(&path).map_err(|source| BuildError::read(&path, source))?;
        hash.update(path.to_string_lossy().as_bytes());
        hash.update((content.len() as u64).to_be_bytes());
        hash.update(content);
    }
    hash.update(sdk::CONTRACT);
    for (_, content) in sdk::tool_files(source.language) {
        hash.update(content);
    }
    let digits: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(digits)
}
