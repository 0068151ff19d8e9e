//! Files of plug-ins: reads now, writes after the commit.
//!
//! A write becomes a row in the operation's transaction, so that a rollback takes it back and a
//! crash does not lose it; when the transaction has committed, the rows are carried out on the disk
//! in their order. Nothing of it is journaled: each side has its own directories.

use crate::root::Pipeline;
use crate::services::StepServices;
use offstage_model::{CapabilityAnswer, Fault, code};
use offstage_policy::{Capability, FileAccess};
use offstage_sandbox::{FileError, FilePath, GrantedDirectory};
use offstage_store::file_effects::FileEffect;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The largest file that is read, in bytes.
const READ_BYTES_MAX: u64 = 1 << 20;
/// The most entries in one listing.
const LIST_ENTRIES_MAX: usize = 1_000;
/// Bytes in all files of a directory, when no quota says otherwise.
const QUOTA_BYTES: u64 = 64 << 20;
/// Files in a directory, when no quota says otherwise.
const QUOTA_FILES: u64 = 1_000;
/// Changes that are carried out before the store hears of them.
const BATCH: usize = 64;

impl StepServices {
    pub(crate) fn read_file(
        &mut self,
        directory: &str,
        path: &str,
    ) -> Result<CapabilityAnswer, Fault> {
        let door = self.door(directory, FileAccess::Read)?;
        let path = parse(path)?;
        match self.session.tx.file_effect(directory, path.as_str())? {
            Some(Some(contents)) => Ok(CapabilityAnswer::Contents(contents)),
            Some(None) => Err(refusal(directory, path.as_str(), &FileError::NotFound)),
            None => door
                .read(&path, READ_BYTES_MAX)
                .map(CapabilityAnswer::Contents)
                .map_err(|error| refusal(directory, path.as_str(), &error)),
        }
    }

    pub(crate) fn write_file(
        &mut self,
        directory: &str,
        path: &str,
        contents: Vec<u8>,
    ) -> Result<CapabilityAnswer, Fault> {
        let door = self.door(directory, FileAccess::Write)?;
        let path = parse(path)?;
        self.check_quota(&door, directory, &path, contents.len() as u64)?;
        let package = self.guard.permissions().package().to_owned();
        self.session.tx.put_file_effect(&package, directory, path.as_str(), Some(contents))?;
        self.session.has_file_effects = true;
        Ok(CapabilityAnswer::Done)
    }

    pub(crate) fn remove_file(
        &mut self,
        directory: &str,
        path: &str,
    ) -> Result<CapabilityAnswer, Fault> {
        let door = self.door(directory, FileAccess::Write)?;
        let path = parse(path)?;
        door.size(&path).map_err(|error| refusal(directory, path.as_str(), &error))?;
        let package = self.guard.permissions().package().to_owned();
        self.session.tx.put_file_effect(&package, directory, path.as_str(), None)?;
        self.session.has_file_effects = true;
        Ok(CapabilityAnswer::Done)
    }

    pub(crate) fn list_files(
        &mut self,
        directory: &str,
        path: Option<&str>,
    ) -> Result<CapabilityAnswer, Fault> {
        let door = self.door(directory, FileAccess::Read)?;
        let below = path.map(parse).transpose()?;
        door.list(below.as_ref(), LIST_ENTRIES_MAX)
            .map(CapabilityAnswer::Files)
            .map_err(|error| refusal(directory, path.unwrap_or_default(), &error))
    }

    fn door(
        &mut self,
        directory: &str,
        access: FileAccess,
    ) -> Result<Arc<GrantedDirectory>, Fault> {
        self.guard.require(&self.session, &[Capability::File { directory, access }])?;
        self.session.pipeline.file_doors().get(directory).ok_or_else(|| {
            Fault::new(
                code::NOT_FOUND,
                format!("The directory '{directory}' is not available here."),
            )
        })
    }

    /// Checks what the directory would hold with this write and all that wait to be carried out.
    fn check_quota(
        &mut self,
        door: &GrantedDirectory,
        directory: &str,
        path: &FilePath,
        size: u64,
    ) -> Result<(), Fault> {
        let quota = self.guard.permissions().quota(directory);
        let (bytes_max, files_max) =
            (quota.bytes_max.unwrap_or(QUOTA_BYTES), quota.files_max.unwrap_or(QUOTA_FILES));
        let failed = |error: FileError| refusal(directory, path.as_str(), &error);
        let usage = door.usage(files_max).map_err(failed)?;
        let (mut bytes, mut files) = (i128::from(usage.bytes), i128::from(usage.files));
        let mut sizes = self.session.tx.file_effect_sizes(directory)?;
        refuse_nested(door, path, &sizes).map_err(failed)?;
        sizes.retain(|(pending, _)| pending != path.as_str());
        sizes.push((path.as_str().to_owned(), Some(size)));
        for (path, after) in sizes {
            let before = match FilePath::parse(&path) {
                Ok(path) => door.size(&path).map_err(failed)?,
                Err(_) => None,
            };
            bytes += i128::from(after.unwrap_or(0)) - i128::from(before.unwrap_or(0));
            files += i128::from(after.is_some()) - i128::from(before.is_some());
        }
        if bytes > i128::from(bytes_max) || files > i128::from(files_max) {
            return Err(Fault::new(
                code::PAYLOAD_TOO_LARGE,
                format!(
                    "The directory '{directory}' may hold {bytes_max} bytes in {files_max} files for this plug-in."
                ),
            ));
        }
        Ok(())
    }
}

/// Refuses a file below a file, or one where a directory will be: on the disk or among what waits.
fn refuse_nested(
    door: &GrantedDirectory,
    path: &FilePath,
    pending: &[(String, Option<u64>)],
) -> Result<(), FileError> {
    let is_below = |path: &str, above: &str| {
        path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
    };
    let own = path.as_str();
    let mut files = pending.iter().filter(|(_, size)| size.is_some()).map(|(other, _)| other);
    if files.any(|other| is_below(own, other) || is_below(other, own)) {
        return Err(FileError::NotAFile);
    }
    for (at, _) in own.match_indices('/') {
        let above = &own[..at];
        let goes = pending.iter().any(|(other, size)| other == above && size.is_none());
        if let (false, Ok(above)) = (goes, FilePath::parse(above)) {
            match door.size(&above) {
                Ok(Some(_)) => return Err(FileError::NotAFile),
                // A directory, or nothing yet.
                Ok(None) | Err(FileError::NotAFile) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn parse(path: &str) -> Result<FilePath, Fault> {
    FilePath::parse(path).map_err(|error| {
        // The text is the plug-in's own; no need to repeat it.
        Fault::new(code::INVALID_ARGUMENT, format!("The path is not usable: {error}."))
    })
}

/// What the plug-in is told: never a path of the machine, never what lies elsewhere.
fn refusal(directory: &str, path: &str, error: &FileError) -> Fault {
    let code = match error {
        FileError::NotFound => code::NOT_FOUND,
        FileError::NotAFile | FileError::TooMany { .. } => code::INVALID_ARGUMENT,
        FileError::TooLarge { .. } => code::PAYLOAD_TOO_LARGE,
        FileError::Io { source } => {
            tracing::error!(directory, path, %source, "a granted directory fails");
            let text = format!("The directory '{directory}' fails on this machine.");
            return Fault::new(code::INTERNAL, text);
        }
    };
    Fault::new(code, format!("'{path}' in '{directory}': {error}."))
}

/// What became of a change.
enum Carried {
    /// The disk has it, or never will: it is done with.
    Done,
    /// The disk cannot take it now.
    Later,
}

impl Pipeline {
    /// Carries out the file changes of committed operations, those of one directory in order; what a
    /// directory cannot take now waits for the next call, and no other directory waits with it. To be
    /// called after each commit that may have some, after a new policy, and once at the start.
    ///
    /// # Errors
    /// The store fails.
    pub fn carry_out_file_changes(&self) -> Result<(), Fault> {
        let _one_at_a_time = self.file_changes_lock();
        let (mut after, mut waiting) = (0, BTreeSet::new());
        loop {
            let effects = self.store().read()?.file_effects(after, BATCH)?;
            let Some(last) = effects.last() else { return Ok(()) };
            after = last.number;
            let mut done = Vec::new();
            for effect in effects {
                if waiting.contains(&effect.directory) {
                    continue;
                }
                match self.carry_out(&effect) {
                    Carried::Done => done.push(effect.number),
                    Carried::Later => {
                        waiting.insert(effect.directory);
                    }
                }
            }
            self.forget_file_changes(&done)?;
        }
    }

    fn forget_file_changes(&self, numbers: &[u64]) -> Result<(), Fault> {
        if numbers.is_empty() {
            return Ok(());
        }
        let mut tx = self.store().write()?;
        for number in numbers {
            tx.remove_file_effect(*number)?;
        }
        Ok(tx.commit()?)
    }

    fn carry_out(&self, effect: &FileEffect) -> Carried {
        let FileEffect { package, directory, path, contents, .. } = effect;
        let doors = self.file_doors();
        let Some(door) = doors.get(directory) else {
            if doors.names(directory) {
                tracing::warn!(package, directory, path, "a file change waits for its directory");
                return Carried::Later;
            }
            let reason = "the policy names no such directory any more";
            tracing::error!(package, directory, path, reason, "a file change is dropped");
            return Carried::Done;
        };
        // What was granted when it was asked for may be taken back by now (attack D14).
        let access = FileAccess::Write;
        let allowed = match self.registry() {
            Ok(registry) => registry
                .permissions(package)
                .is_some_and(|known| known.allows(&Capability::File { directory, access })),
            Err(fault) => {
                tracing::warn!(package, directory, path, %fault, "a file change waits");
                return Carried::Later;
            }
        };
        if !allowed {
            let reason = "the plug-in may not write there any more";
            tracing::error!(package, directory, path, reason, "a file change is dropped");
            return Carried::Done;
        }
        let Ok(parsed) = FilePath::parse(path) else {
            let reason = "its path is none";
            tracing::error!(package, directory, path, reason, "a file change is dropped");
            return Carried::Done;
        };
        let result = match contents {
            Some(contents) => door.write(&parsed, contents),
            None => door.remove(&parsed),
        };
        match result {
            Ok(()) => Carried::Done,
            Err(FileError::Io { source }) => {
                tracing::warn!(package, directory, path, %source, "a file change waits");
                Carried::Later
            }
            Err(error) => {
                tracing::error!(package, directory, path, %error, "a file change is dropped");
                Carried::Done
            }
        }
    }
}
