//! Files for plug-ins: named directories that an operator granted, and nothing above them.
//!
//! A plug-in never sees a path of this machine. Never decides who gets a directory.

mod directory;
mod path;

pub use directory::{DirectoryError, FileError, GrantedDirectory, Usage};
pub use path::{FilePath, NAME_BYTES_MAX, PATH_BYTES_MAX, PATH_NAMES_MAX, PathError};
