//! Files in directories that the operator of the machine granted, each known by a name.
//!
//! Each side has its own directories. Reads see the disk of the machine that runs now, so a decision
//! that must be the same in both runs never depends on them. Writes are done after the operation has
//! committed, and not at all when it is rolled back.

use crate::error::PluginError;
use crate::host;

/// A granted directory.
///
/// ```no_run
/// # use offstage_sdk::{Directory, PluginError};
/// # fn example() -> Result<(), PluginError> {
/// let reports = Directory::named("reports");
/// reports.write("2026/orders.csv", "number,total\n1,20.00\n")?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Every call fails with the host's error when the directory is not granted, the path is not
/// relative and normalised, or the file is not a regular one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    name: String,
}

/// A regular file in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
}

#[expect(clippy::missing_errors_doc, reason = "documented once, at the type")]
impl Directory {
    /// Names a directory of the policy.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// Reads a file, with what this operation wrote to it.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, PluginError> {
        host::current(|host| host.read_file(&self.name, path))
    }

    /// Gives a file this content, as a whole, after the commit.
    pub fn write(&self, path: &str, contents: impl AsRef<[u8]>) -> Result<(), PluginError> {
        host::current(|host| host.write_file(&self.name, path, contents.as_ref()))
    }

    /// Removes a file after the commit; one that is not there is removed already.
    pub fn remove(&self, path: &str) -> Result<(), PluginError> {
        host::current(|host| host.remove_file(&self.name, path))
    }

    /// Lists the regular files right in the directory, as they are on the disk.
    pub fn list(&self) -> Result<Vec<FileEntry>, PluginError> {
        host::current(|host| host.list_files(&self.name, None))
    }

    /// Lists the regular files right below a path, as they are on the disk.
    pub fn list_below(&self, path: &str) -> Result<Vec<FileEntry>, PluginError> {
        host::current(|host| host.list_files(&self.name, Some(path)))
    }
}
