//! What is wrong with a trust file, where, and what to write instead.
//!
//! Never quotes more than the one value that is wrong.

/// A trust file that cannot be used. None of its rules counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {reason}")]
pub struct PolicyError {
    /// The file's name, as it was given.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
}
