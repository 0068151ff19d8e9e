//! The directories that the policy of this machine names, opened and checked when it is loaded.
//!
//! Never opens one that holds, or lies in, the store's or the policy's own directory (attack C08).

use offstage_policy::PolicyFile;
use offstage_sandbox::GrantedDirectory;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A directory that the policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedDirectory {
    /// The name that grants and plug-ins use.
    pub name: String,
    /// Why it cannot be used on this machine.
    pub unusable: Option<String>,
}

/// Named directories; those that cannot be used say why.
#[derive(Debug, Default)]
pub(crate) struct FileDoors(BTreeMap<String, Result<Arc<GrantedDirectory>, String>>);

impl FileDoors {
    /// Opens every directory of `policy`.
    pub(crate) fn open(policy: &PolicyFile, store: Option<&Path>) -> Self {
        let mut protected: Vec<PathBuf> = Vec::new();
        protected.extend(store.and_then(Path::parent).map(Path::to_owned));
        protected.extend(Path::new(policy.file()).parent().map(Path::to_owned));
        protected.retain(|path| !path.as_os_str().is_empty());
        let door = |path: &str| {
            GrantedDirectory::open(Path::new(path), &protected)
                .map(Arc::new)
                .map_err(|error| error.to_string())
        };
        let doors = policy.directories().map(|directory| {
            let door = door(&directory.path).inspect_err(|reason| {
                tracing::warn!(directory = directory.name, reason, "directory not usable");
            });
            (directory.name.clone(), door)
        });
        Self(doors.collect())
    }

    /// A directory by its name; `None` when the policy names no such, or it cannot be used.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<GrantedDirectory>> {
        self.0.get(name)?.as_ref().ok().cloned()
    }

    /// Whether the policy names such a directory, usable or not.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Every directory of the policy.
    pub(crate) fn all(&self) -> Vec<NamedDirectory> {
        let named = |(name, door): (&String, &Result<_, String>)| NamedDirectory {
            name: name.clone(),
            unusable: door.as_ref().err().cloned(),
        };
        self.0.iter().map(named).collect()
    }
}
