//! One granted directory, opened once; every use goes through its handle.
//!
//! The kernel resolves each path below the handle (cap-std: `openat2` with `RESOLVE_BENEATH`, or the
//! same step by step), so that no link and no race leads out (attack C02). Regular files only: a
//! device, pipe or socket is never read.

use super::path::FilePath;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirEntry, File, OpenOptions};
use offstage_model::FileEntry;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Names that start like this are the host's own: unfinished writes.
const PART_PREFIX: &str = ".offstage-";
/// What is written before it takes its name.
const PART: &str = ".offstage-part";
/// The deepest nesting that is counted for a quota.
const DEPTH_MAX: usize = 32;

/// A directory that plug-ins may use.
#[derive(Debug)]
pub struct GrantedDirectory {
    dir: Dir,
}

/// Why a directory cannot be granted.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It does not open.
    #[error("it cannot be opened: {source}")]
    Open {
        /// What the system says.
        source: io::Error,
    },
    /// It holds, or lies in, what the host needs for itself.
    #[error("it overlaps '{}', which holds the host's own files", .protected.display())]
    Overlaps {
        /// What it overlaps.
        protected: PathBuf,
    },
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is no such file here; what lies outside is not here either.
    #[error("there is no such file")]
    NotFound,
    /// It is a directory, link, device, pipe or socket, or a name of the host.
    #[error("it is not a regular file")]
    NotAFile,
    /// The file has more bytes than one call may carry.
    #[error("it has more than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// The directory has more entries than a listing may have.
    #[error("the directory has more than {entries_max} entries")]
    TooMany {
        /// The limit.
        entries_max: usize,
    },
    /// The disk fails.
    #[error("the disk fails: {source}")]
    Io {
        /// What the system says.
        source: io::Error,
    },
}

impl From<io::Error> for FileError {
    fn from(source: io::Error) -> Self {
        match source.kind() {
            // cap-std reports a path that leads out as a denied permission. Which of both it was
            // must not be seen: it would tell what exists outside (attack E08).
            ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::NotADirectory => {
                Self::NotFound
            }
            // A file where a directory is wanted, or the other way round.
            ErrorKind::IsADirectory | ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty => {
                Self::NotAFile
            }
            _ => Self::Io { source },
        }
    }
}

impl FileError {
    /// The error of a change that was accepted before. A permission that the system denies may come
    /// back, unlike a path that leads out, for which cap-std has no number of the system.
    fn of_change(source: io::Error) -> Self {
        if source.kind() == ErrorKind::PermissionDenied && source.raw_os_error().is_some() {
            return Self::Io { source };
        }
        source.into()
    }
}

/// How much a directory holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes in all regular files.
    pub bytes: u64,
    /// Regular files and directories.
    pub files: u64,
}

impl GrantedDirectory {
    /// Opens the directory `path` of this machine, which must have nothing to do with `protected`:
    /// neither hold one of these, nor be one, nor lie in one, by whatever name (attack C08).
    ///
    /// # Errors
    /// It does not open, or overlaps.
    pub fn open(path: &Path, protected: &[PathBuf]) -> Result<Self, DirectoryError> {
        let opened = |source| DirectoryError::Open { source };
        let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(opened)?;
        let granted = Place::of_dir(&dir, path).map_err(opened)?;
        let above = Place::and_above(path).map_err(opened)?;
        for protected in protected {
            let Ok(places) = Place::and_above(protected) else {
                // What does not exist cannot be reached.
                continue;
            };
            let lies_in = places.first().is_some_and(|own| above.contains(own));
            if places.contains(&granted) || lies_in {
                return Err(DirectoryError::Overlaps { protected: protected.clone() });
            }
        }
        Ok(Self { dir })
    }

    /// The content of a file of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// There is no such regular file, it is larger, or the disk fails.
    pub fn read(&self, path: &FilePath, bytes_max: u64) -> Result<Vec<u8>, FileError> {
        let file = self.open_file(path)?;
        let mut content = Vec::new();
        file.take(bytes_max.saturating_add(1)).read_to_end(&mut content)?;
        if content.len() as u64 > bytes_max {
            return Err(FileError::TooLarge { bytes_max });
        }
        Ok(content)
    }

    fn open_file(&self, path: &FilePath) -> Result<File, FileError> {
        refuse_own_names(path)?;
        let mut options = OpenOptions::new();
        options.read(true);
        // A pipe that nobody writes to must not hold the host up.
        #[cfg(unix)]
        cap_std::fs::OpenOptionsExt::custom_flags(&mut options, O_NONBLOCK);
        let file = self.dir.open_with(path.as_str(), &options)?;
        // The open file is asked, not the path: nothing can change in between.
        if file.metadata()?.is_file() { Ok(file) } else { Err(FileError::NotAFile) }
    }

    /// Whether `path` is a regular file now, and its size.
    ///
    /// # Errors
    /// It is something else, or the disk fails.
    pub fn size(&self, path: &FilePath) -> Result<Option<u64>, FileError> {
        match self.open_file(path) {
            Ok(file) => Ok(Some(file.metadata()?.len())),
            Err(FileError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives the file `path` this content, as a whole or not at all; makes the directories above it.
    ///
    /// A link of that name is replaced and never followed.
    ///
    /// # Errors
    /// The path is taken by something else, leads out, or the disk fails.
    pub fn write(&self, path: &FilePath, content: &[u8]) -> Result<(), FileError> {
        refuse_own_names(path)?;
        self.write_now(path, content).map_err(FileError::of_change)
    }

    fn write_now(&self, path: &FilePath, content: &[u8]) -> io::Result<()> {
        if let Some((above, _)) = path.as_str().rsplit_once('/') {
            self.dir.create_dir_all(above)?;
        }
        match self.dir.remove_file(PART) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = self.dir.open_with(PART, OpenOptions::new().write(true).create_new(true))?;
        file.write_all(content)?;
        file.sync_all()?;
        drop(file);
        self.dir.rename(PART, &self.dir, path.as_str())?;
        above(path).try_for_each(|above| self.sync(above))
    }

    /// Removes a file, and directories above it that hold nothing more; a file that is not there is
    /// removed already.
    ///
    /// # Errors
    /// The path is no regular file, or the disk fails.
    pub fn remove(&self, path: &FilePath) -> Result<(), FileError> {
        refuse_own_names(path)?;
        match self.dir.symlink_metadata(path.as_str()) {
            Ok(known) if known.is_dir() => return Err(FileError::NotAFile),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(FileError::of_change(error)),
        }
        self.remove_now(path).map_err(FileError::of_change)
    }

    fn remove_now(&self, path: &FilePath) -> io::Result<()> {
        self.dir.remove_file(path.as_str())?;
        // One that is not empty stays, and with it all above.
        let kept = above(path).find(|above| *above == "." || self.dir.remove_dir(above).is_err());
        self.sync(kept.unwrap_or("."))
    }

    /// The regular files right below `path`, or below the directory itself, by name.
    ///
    /// # Errors
    /// There is no such directory, it has more than `entries_max` entries, or the disk fails.
    pub fn list(
        &self,
        path: Option<&FilePath>,
        entries_max: usize,
    ) -> Result<Vec<FileEntry>, FileError> {
        let dir = match path {
            Some(path) => self.dir.open_dir(path.as_str())?,
            None => self.dir.try_clone()?,
        };
        let mut entries = Vec::new();
        for (count, entry) in dir.entries()?.enumerate() {
            if count >= entries_max {
                return Err(FileError::TooMany { entries_max });
            }
            entries.extend(file_entry(&entry?));
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// How much the directory holds. Counting stops above `files_max` files.
    ///
    /// # Errors
    /// The disk fails.
    pub fn usage(&self, files_max: u64) -> Result<Usage, FileError> {
        let mut usage = Usage::default();
        // Paths, not handles: one directory is open at a time, however many there are.
        let mut waiting = vec![(PathBuf::from("."), 0)];
        while let Some((path, depth)) = waiting.pop() {
            // What vanishes while it is looked at is gone.
            let Some(dir) = there(self.dir.open_dir(&path))? else { continue };
            for entry in dir.entries()? {
                let entry = entry?;
                let Some(known) = there(entry.metadata())? else { continue };
                let name = entry.file_name();
                if name.to_str().is_some_and(is_own_name) {
                    continue;
                }
                if known.is_dir() || known.is_file() {
                    usage.files += 1;
                }
                if known.is_dir() && depth < DEPTH_MAX {
                    waiting.push((path.join(name), depth + 1));
                } else if known.is_file() {
                    usage.bytes = usage.bytes.saturating_add(known.len());
                }
                if usage.files > files_max {
                    return Ok(usage);
                }
            }
        }
        Ok(usage)
    }

    /// Makes a change of the names in `directory` survive a loss of power.
    #[cfg(unix)]
    fn sync(&self, directory: &str) -> io::Result<()> {
        // The directory's own handle is for looking up only.
        self.dir.open(directory)?.sync_all()
    }

    #[cfg(not(unix))]
    #[expect(clippy::unused_self, reason = "the same call on every system")]
    fn sync(&self, _directory: &str) -> io::Result<()> {
        Ok(())
    }
}

/// The directories above a path, the closest first, and the granted one last.
fn above(path: &FilePath) -> impl Iterator<Item = &str> {
    fn one(path: &str) -> Option<&str> {
        path.rsplit_once('/').map(|(above, _)| above)
    }
    std::iter::successors(one(path.as_str()), |path| one(path)).chain(["."])
}

/// `None` for what is not there.
fn there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// `O_NONBLOCK` of Linux and of the BSDs.
#[cfg(target_os = "linux")]
const O_NONBLOCK: i32 = 0o4000;
#[cfg(all(unix, not(target_os = "linux")))]
const O_NONBLOCK: i32 = 0x4;

fn refuse_own_names(path: &FilePath) -> Result<(), FileError> {
    if path.as_str().split('/').any(is_own_name) { Err(FileError::NotAFile) } else { Ok(()) }
}

fn is_own_name(name: &str) -> bool {
    name.get(..PART_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PART_PREFIX))
}

/// What a plug-in sees of an entry: regular files with names that it could write itself.
fn file_entry(entry: &DirEntry) -> Option<FileEntry> {
    let known = entry.file_type().ok()?;
    let name = entry.file_name().into_string().ok()?;
    let path = FilePath::parse(&name).ok()?;
    let visible = known.is_file() && refuse_own_names(&path).is_ok();
    visible.then(|| Some(FileEntry { name, size: entry.metadata().ok()?.len() }))?
}

/// What a path leads to, whatever it is called: device and inode where there are such.
#[derive(Debug, PartialEq, Eq)]
struct Place(#[cfg(unix)] (u64, u64), #[cfg(not(unix))] PathBuf);

impl Place {
    /// The place of an open directory.
    #[cfg(unix)]
    fn of_dir(dir: &Dir, _path: &Path) -> io::Result<Self> {
        use cap_std::fs::MetadataExt;
        let known = dir.dir_metadata()?;
        Ok(Self((known.dev(), known.ino())))
    }

    #[cfg(not(unix))]
    fn of_dir(_dir: &Dir, path: &Path) -> io::Result<Self> {
        path.canonicalize().map(Self)
    }

    /// The places of a path and of everything above it, itself first.
    fn and_above(path: &Path) -> io::Result<Vec<Self>> {
        let path = path.canonicalize()?;
        path.ancestors().map(Self::of).collect()
    }

    #[cfg(unix)]
    fn of(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let known = std::fs::metadata(path)?;
        Ok(Self((known.dev(), known.ino())))
    }

    #[cfg(not(unix))]
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self(path.to_owned()))
    }
}
