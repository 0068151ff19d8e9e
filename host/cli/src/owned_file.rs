//! Files of a data directory: read only while nobody else can write them, and written as a whole or
//! not at all.
//!
//! Never decides by a file that somebody else could have put there (attack E05).

use crate::error::CliError;
use crate::exit::Exit;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;

/// The text of a policy or trust file; empty when there is none. One that others can write, or could
/// replace, is refused: it would not be the operator who decides.
pub(crate) fn text(path: &Path) -> Result<String, CliError> {
    let failed = |error: &std::io::Error| CliError::file("read", path, error);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(failed(&error)),
    };
    // Of the file that is read, not of what the name means a moment earlier.
    refuse_others(path, &file.metadata().map_err(|error| failed(&error))?)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let found =
        std::fs::metadata(folder).map_err(|error| CliError::file("read", folder, &error))?;
    refuse_others(folder, &found)?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|error| failed(&error))?;
    Ok(text)
}

#[cfg(unix)]
fn refuse_others(path: &Path, found: &Metadata) -> Result<(), CliError> {
    use std::os::unix::fs::MetadataExt as _;
    let (shown, mode, own) = (path.display(), found.mode() & 0o777, rustix::process::getuid());
    if found.uid() != own.as_raw() && found.uid() != 0 {
        let text = format!("'{shown}' belongs to another user, so it does not count.");
        return Err(
            CliError::new(Exit::Denied, text).hint(format!("`chown {} {shown}`", own.as_raw()))
        );
    }
    if mode & 0o022 == 0 {
        return Ok(());
    }
    let text = format!("Others can write '{shown}' (mode {mode:o}), so it does not count.");
    Err(CliError::new(Exit::Denied, text).hint(format!("`chmod go-w {shown}`")))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "it has the form of the other one")]
fn refuse_others(_: &Path, _: &Metadata) -> Result<(), CliError> {
    Ok(())
}

/// Writes a file, for its owner's eyes only, as a whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = || -> std::io::Result<()> {
        // Temporary files are made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    written().map_err(|error| CliError::file("write", path, &error))
}

/// Appends lines to a file that a person also writes, and returns what `read` makes of all of it.
/// Read before it counts, so that the file never becomes unreadable.
pub(crate) fn append<T>(
    path: &Path,
    title: &str,
    lines: &str,
    read: impl FnOnce(&str) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let mut whole = text(path)?;
    if whole.is_empty() {
        whole = format!("# {title} No rule: denied.\n");
    }
    if !whole.ends_with('\n') {
        whole.push('\n');
    }
    whole.push('\n');
    whole.push_str(lines);
    let known = read(&whole)?;
    write(path, whole.as_bytes())?;
    Ok(known)
}
