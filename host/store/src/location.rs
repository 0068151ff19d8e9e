//! The place of a store: its file, its lock and its folder. Never opens a database.

use crate::StoreError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// The first bytes of every SQLite file.
const HEADER: &[u8; 16] = b"SQLite format 3\0";

/// Makes the file if it is missing, and takes the lock that keeps other programs away.
///
/// The lock is on a file of its own: closing any handle of a database file would drop the locks
/// that SQLite holds on it.
pub(crate) fn claim(path: &Path) -> Result<File, StoreError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    check_folder(path, folder)?;
    let lock = open_for_writing(path, &lock_path(path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::InUse { path: path.to_path_buf() });
        }
        Err(TryLockError::Error(source)) => {
            return Err(StoreError::CannotOpen { path: path.to_path_buf(), source });
        }
    }
    // Only after the lock: a file of a store in use must not even be opened.
    check_header(path, open_for_writing(path, path)?)?;
    Ok(lock)
}

/// Makes the empty file of a copy; it must not exist.
pub(crate) fn make(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private(&mut options);
    options.open(path).map(drop).map_err(|source| cannot_write(path, source))
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn open_for_writing(store: &Path, file: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    private(&mut options);
    options.open(file).map_err(|source| cannot_write(store, source))
}

/// Rows are private to the user who owns them.
fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
}

fn cannot_write(store: &Path, source: std::io::Error) -> StoreError {
    match source.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            StoreError::NotWritable { path: store.to_path_buf() }
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            StoreError::DiskFull { path: store.to_path_buf() }
        }
        _ => StoreError::CannotOpen { path: store.to_path_buf(), source },
    }
}

fn check_header(path: &Path, mut file: File) -> Result<(), StoreError> {
    let cannot = |source| StoreError::CannotOpen { path: path.to_path_buf(), source };
    if file.metadata().map_err(cannot)?.len() == 0 {
        return Ok(());
    }
    let mut header = [0; HEADER.len()];
    match file.read_exact(&mut header) {
        Ok(()) if header == *HEADER => Ok(()),
        Ok(()) => Err(StoreError::NotAStore { path: path.to_path_buf() }),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(StoreError::NotAStore { path: path.to_path_buf() })
        }
        Err(source) => Err(cannot(source)),
    }
}

#[cfg(target_os = "linux")]
fn check_folder(path: &Path, folder: &Path) -> Result<(), StoreError> {
    let cannot = |error: rustix::io::Errno| StoreError::CannotOpen {
        path: path.to_path_buf(),
        source: error.into(),
    };
    let kind = rustix::fs::statfs(folder).map_err(cannot)?.f_type;
    // The numbers are 32 bits wide; the field is wider on some machines and signed on others.
    let magic = u32::try_from(kind & 0xFFFF_FFFF).unwrap_or_default();
    match network_file_system(magic) {
        Some(file_system) => {
            Err(StoreError::NetworkFolder { path: path.to_path_buf(), file_system })
        }
        None => Ok(()),
    }
}

// Other systems: no check. SQLite's own locks fail there in most cases, and `doctor` says so.
#[cfg(not(target_os = "linux"))]
fn check_folder(_path: &Path, _folder: &Path) -> Result<(), StoreError> {
    Ok(())
}

/// The network file systems of statfs(2). FUSE is not among them: it is local as often as not.
#[cfg(target_os = "linux")]
fn network_file_system(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517B | 0xFE53_4D42 => "SMB",
        0xFF53_4D42 => "CIFS",
        0x5346_414F => "AFS",
        0x7375_7245 => "Coda",
        0x564C => "NCP",
        0x0102_1997 => "9P",
        0x00C3_6400 => "Ceph",
        0x0BD0_0BD0 => "Lustre",
        _ => return None,
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn network_file_systems_are_known_and_local_ones_are_not_among_them() {
        for (magic, network) in
            [(0x6969, true), (0xFF53_4D42, true), (0xEF53, false), (0x0102_1994, false)]
        {
            assert_eq!(super::network_file_system(magic).is_some(), network, "{magic:x}");
        }
    }
}
