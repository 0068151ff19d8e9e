//! `audit.jsonl` in the data directory: what was denied to plug-ins, which of their runs were ended,
//! and which packages were suspended, resumed, skipped or refused, a line each.
//!
//! Bounded: a full file becomes `audit.1.jsonl`, in place of the one before. Never fails a request.

use offstage_pipeline::{Audit, AuditRecord};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The largest audit file, in bytes; there are at most two.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Appends records to the file of a data directory.
pub(crate) struct FileAudit {
    path: PathBuf,
    /// One record at a time, so that lines stay whole.
    file: Mutex<Option<File>>,
}

/// The file in a data directory.
pub(crate) fn path(data: &Path) -> PathBuf {
    data.join("audit.jsonl")
}

impl FileAudit {
    /// The audit of a data directory. The file is made by the first record.
    pub(crate) fn new(data: &Path) -> Self {
        Self { path: path(data), file: Mutex::new(None) }
    }

    fn append(&self, line: &str) -> std::io::Result<()> {
        let mut open = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = match open.take() {
            Some(file) => file,
            None => create(&self.path)?,
        };
        if file.metadata()?.len() > FILE_BYTES_MAX {
            std::fs::rename(&self.path, self.path.with_extension("1.jsonl"))?;
            file = create(&self.path)?;
        }
        // One write, so that a crash leaves whole lines.
        open.insert(file).write_all(format!("{line}\n").as_bytes())
    }
}

/// Opens the file for appending, readable by its owner only.
fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

impl Audit for FileAudit {
    fn record(&self, record: &AuditRecord) {
        let line = record.to_line();
        if let Err(error) = self.append(&line) {
            // The denial stands; the record goes where somebody may still see it.
            tracing::error!(%error, audit = line, "cannot write the audit file");
        }
    }
}
