//! Secrets: values that a plug-in may have sent in a header and never sees.
//!
//! Each is a file that only its owner may read. Never logged, never traced, never in a journal: what
//! is stored anywhere is the name.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// The longest value, in bytes.
const VALUE_BYTES_MAX: usize = 8 << 10;

/// The value of a secret. It shows itself to nobody who does not ask for it by name.
pub struct SecretValue(String);

impl SecretValue {
    /// Takes a value that can stand in a header.
    ///
    /// # Errors
    /// It is empty, too long, or has other than visible ASCII characters.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if text.is_empty() || text.len() > VALUE_BYTES_MAX || !is_visible {
            return Err(SecretError::Value);
        }
        Ok(Self(text.to_owned()))
    }

    /// The value itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

/// Why a secret has no value. Never says what the value is.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The name is none.
    #[error("'{0}' is not a name of a secret: use 1 to 64 of a-z 0-9 - _ .")]
    Name(String),
    /// There is none of this name.
    #[error("the secret '{0}' is not set on this machine")]
    Unset(String),
    /// Others may read it.
    #[error("the file of the secret '{0}' can be read by others; its mode must be 0600")]
    Exposed(String),
    /// The value cannot stand in a header.
    #[error("a secret has 1 to 8192 visible ASCII characters")]
    Value,
    /// The disk fails.
    #[error("the secret '{name}' cannot be used: {source}")]
    Io {
        /// Its name.
        name: String,
        /// What the system says.
        source: io::Error,
    },
}

/// Gives the values of secrets.
pub trait Secrets: Send + Sync + 'static {
    /// The value of a secret.
    ///
    /// # Errors
    /// It is not set, or not kept as a secret.
    fn value(&self, name: &str) -> Result<SecretValue, SecretError>;
}

/// Secrets as files of one folder.
#[derive(Clone, Debug)]
pub struct SecretFolder(PathBuf);

impl SecretFolder {
    /// The secrets of this folder, which need not exist.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    fn file(&self, name: &str) -> Result<PathBuf, SecretError> {
        let allowed = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
        };
        let is_name = !name.is_empty()
            && name.len() <= NAME_BYTES_MAX
            && !name.starts_with('.')
            && name.bytes().all(allowed);
        if is_name {
            Ok(self.0.join(name))
        } else {
            let shown = name.chars().take(NAME_BYTES_MAX).filter(|c| c.is_ascii_graphic());
            Err(SecretError::Name(shown.collect()))
        }
    }

    /// Sets a secret.
    ///
    /// # Errors
    /// The name is none, or the disk fails.
    pub fn set(&self, name: &str, value: &SecretValue) -> Result<(), SecretError> {
        let file = self.file(name)?;
        let failed = |source| SecretError::Io { name: name.to_owned(), source };
        write_private(&self.0, &file, value.expose()).map_err(failed)
    }

    /// Removes a secret; returns whether there was one.
    ///
    /// # Errors
    /// The name is none, or the disk fails.
    pub fn remove(&self, name: &str) -> Result<bool, SecretError> {
        match std::fs::remove_file(self.file(name)?) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(SecretError::Io { name: name.to_owned(), source }),
        }
    }

    /// The names of all secrets, in order.
    ///
    /// # Errors
    /// The disk fails.
    pub fn names(&self) -> Result<Vec<String>, SecretError> {
        let failed = |source| SecretError::Io { name: String::new(), source };
        let entries = match std::fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(failed(source)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name().into_string().unwrap_or_default();
            names.extend(self.file(&name).is_ok().then_some(name));
        }
        names.sort();
        Ok(names)
    }
}

impl Secrets for SecretFolder {
    fn value(&self, name: &str) -> Result<SecretValue, SecretError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => SecretError::Unset(name.to_owned()),
            _ => SecretError::Io { name: name.to_owned(), source },
        };
        let mut file = std::fs::File::open(self.file(name)?).map_err(failed)?;
        let known = file.metadata().map_err(failed)?;
        if is_exposed(&known) {
            return Err(SecretError::Exposed(name.to_owned()));
        }
        let mut text = String::new();
        io::Read::read_to_string(&mut file, &mut text).map_err(failed)?;
        SecretValue::parse(text.trim_end_matches(['\r', '\n']))
    }
}

#[cfg(unix)]
fn is_exposed(known: &std::fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&known.permissions()) & 0o077 != 0
}

#[cfg(not(unix))]
fn is_exposed(_known: &std::fs::Metadata) -> bool {
    // The folder is in the user's own data directory; access lists are not looked at.
    false
}

/// Writes a file that only its owner may read, as a whole or not at all.
fn write_private(folder: &std::path::Path, file: &std::path::Path, text: &str) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let part = folder.join(".part");
    match std::fs::remove_file(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut written = options.open(&part)?;
    io::Write::write_all(&mut written, text.as_bytes())?;
    written.sync_all()?;
    std::fs::rename(&part, file)
}
