//! Paths as plug-ins may write them: relative, normalised, and the same file on every system.
//!
//! A pure function: it never looks at a disk, so the names that Windows reserves are refused on
//! Linux as well (attacks C01 and C05). What a path leads to is `directory`'s to check.

use std::fmt;

/// The longest path, in bytes.
pub const PATH_BYTES_MAX: usize = 1_024;
/// The longest name in a path, in bytes.
pub const NAME_BYTES_MAX: usize = 255;
/// The most names in a path.
pub const PATH_NAMES_MAX: usize = 16;

/// Names that Windows takes for devices, with any extension.
const DEVICES: [&str; 8] = ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$", "config$"];
/// Devices with a number: `com1`, and `com¹` too.
const NUMBERED_DEVICES: [&str; 2] = ["com", "lpt"];
/// What Windows forbids in names, or reads as more than a name.
const FORBIDDEN: [char; 8] = ['<', '>', ':', '"', '\\', '|', '?', '*'];

/// A path below a granted directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath(String);

/// Why a text is no such path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// There is nothing.
    #[error("it is empty")]
    Empty,
    /// The path, or a name in it, is too long, or has too many names.
    #[error(
        "it is too long: a path has at most {PATH_BYTES_MAX} bytes and {PATH_NAMES_MAX} names of {NAME_BYTES_MAX} bytes"
    )]
    TooLong,
    /// It starts at a root.
    #[error("it does not start with a name: paths are relative to the granted directory")]
    Absolute,
    /// It has an empty name, `.` or `..`.
    #[error("it is not normalised: empty names, '.' and '..' are not allowed")]
    NotNormal,
    /// It has a character that some system reads in its own way.
    #[error("it has a character that is not allowed in names")]
    Character,
    /// A name ends with a dot or a space, or starts with a space.
    #[error("a name starts with a space, or ends with a dot or a space")]
    Edge,
    /// A name that Windows reserves.
    #[error("a name in it is reserved by Windows")]
    Reserved,
}

impl FilePath {
    /// Reads a path of names separated by `/`.
    ///
    /// # Errors
    /// The text is not relative and normalised, or is not the same file everywhere.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if text.len() > PATH_BYTES_MAX {
            return Err(PathError::TooLong);
        }
        if text.starts_with(['/', '\\']) {
            return Err(PathError::Absolute);
        }
        let mut names = 0;
        for name in text.split('/') {
            check_name(name)?;
            names += 1;
        }
        if names > PATH_NAMES_MAX {
            return Err(PathError::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    /// The path, with `/` between the names.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check_name(name: &str) -> Result<(), PathError> {
    if matches!(name, "" | "." | "..") {
        return Err(PathError::NotNormal);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(PathError::TooLong);
    }
    if name.chars().any(|c| FORBIDDEN.contains(&c) || is_invisible(c)) {
        return Err(PathError::Character);
    }
    if name.starts_with(' ') || name.ends_with(['.', ' ']) {
        return Err(PathError::Edge);
    }
    if is_reserved(name) {
        return Err(PathError::Reserved);
    }
    Ok(())
}

/// Control characters, and those that change how a name looks without being seen.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
        )
}

fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end_matches(' ').to_lowercase();
    if DEVICES.contains(&stem.as_str()) {
        return true;
    }
    let numbered = NUMBERED_DEVICES.iter().any(|device| {
        let mut rest = stem.strip_prefix(device).unwrap_or_default().chars();
        let digit = matches!(rest.next(), Some('0'..='9' | '¹' | '²' | '³'));
        digit && rest.next().is_none()
    });
    numbered || is_short_name(&stem)
}

/// `progra~1`: on Windows another name of a file with a longer one.
fn is_short_name(stem: &str) -> bool {
    stem.rsplit_once('~').is_some_and(|(front, number)| {
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        digits && !front.is_empty() && stem.len() <= 8
    })
}
