//! Opening a store: checks, creation, and the shared parts of an open one.

use crate::backend::sqlite::{APPLICATION_ID, Purpose, Sqlite};
use crate::pool::Pool;
use crate::schema::{SYSTEM_TABLES, Schema};
use crate::{StoreError, Tx, location, migrate, settings};
use offstage_model::Catalog;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// The format of the store file; a newer one is refused.
pub(crate) const FORMAT: i64 = 1;
/// Up to this size a store is checked as a whole when it is opened; that takes under 50 ms.
const CHECK_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Whose store it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The server's: it gives versions, stamps columns and keeps tombstones.
    Server,
    /// A device's: rows keep the last version that the server gave them.
    Device,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Device => "device",
        }
    }
}

/// How to open a store.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Whose store it is; fixed when it is created.
    pub role: Role,
    /// The metadata of a new store; `None` takes the shipped base tables.
    pub catalog: Option<Catalog>,
    /// How long a transaction waits for a connection; 10 seconds by default.
    pub wait_max: Duration,
    /// The most transactions that read at once; 4 by default.
    pub readers_max: usize,
}

impl StoreOptions {
    /// The defaults for a role.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self { role, catalog: None, wait_max: Duration::from_secs(10), readers_max: 4 }
    }
}

/// An open store; cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: Arc<PathBuf>,
    role: Role,
    schema: RwLock<Arc<Schema>>,
    writer: Pool,
    readers: Pool,
    temporary: Option<PathBuf>,
    /// Released last, after the connections are closed: fields drop in order.
    _lock: File,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store file `path`, and creates it if it is missing; its folder must exist.
    ///
    /// # Errors
    /// The store is in use, on a network file system, not writable, damaged, not a store, from a
    /// newer program, or of another role.
    pub fn open(path: &Path, options: &StoreOptions) -> Result<Self, StoreError> {
        Self::open_at(path, options, None)
    }

    /// A new store in a folder of its own that goes away with the store; for tests.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn in_memory(options: &StoreOptions) -> Result<Self, StoreError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let folder = loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("offstage-{}-{number}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            match std::fs::create_dir(&folder) {
                Ok(()) => break folder,
                // Left by a process that was killed and had the same number.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(StoreError::CannotOpen { path: folder, source }),
            }
        };
        Self::open_at(&folder.join("store.db"), options, Some(folder))
    }

    fn open_at(
        path: &Path,
        options: &StoreOptions,
        temporary: Option<PathBuf>,
    ) -> Result<Self, StoreError> {
        let lock = location::claim(path)?;
        let path = Arc::new(path.to_path_buf());
        let pool = |purpose, size| Pool::new(&path, purpose, size, options.wait_max);
        let writer = pool(Purpose::Write, 1);
        let readers = pool(Purpose::Read, options.readers_max.max(1));
        let mut session = writer.take()?;
        let new = check_format(&path, &mut session)?;
        if !new {
            check_size(&path, &mut session)?;
        }
        writer.give_back(session);
        let store = Self {
            inner: Arc::new(Inner {
                path: Arc::clone(&path),
                role: options.role,
                schema: RwLock::new(Arc::new(Schema::new(Catalog::default())?)),
                writer,
                readers,
                temporary,
                _lock: lock,
            }),
        };
        let catalog = store.prepare(new, options)?;
        store.set_schema(Arc::new(Schema::new(catalog)?));
        Ok(store)
    }

    /// Creates or completes the system tables and returns the catalog.
    fn prepare(&self, new: bool, options: &StoreOptions) -> Result<Catalog, StoreError> {
        let mut tx = self.write()?;
        for tables in SYSTEM_TABLES {
            tx.sql_batch(tables)?;
        }
        let catalog = if new {
            let catalog = options.catalog.clone().unwrap_or_else(Catalog::base);
            migrate::apply(&mut tx, &catalog, options.role)?;
            tx.put_setting(settings::ROLE, &options.role)?;
            tx.put_setting(settings::COLLATION, &migrate::collation_version())?;
            // In the same transaction as the tables: a store is either whole or still empty.
            tx.sql_batch(&format!(
                "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}"
            ))?;
            catalog
        } else {
            self.check_role(&mut tx, options.role)?;
            let damaged = || StoreError::UnreadableSystemRow { what: "metadata" };
            tx.get_setting(settings::CATALOG)?.ok_or_else(damaged)?
        };
        let collation: Option<String> = tx.get_setting(settings::COLLATION)?;
        if collation.as_deref() != Some(&migrate::collation_version()) {
            migrate::refresh_collation(&mut tx)?;
        }
        tx.commit()?;
        Ok(catalog)
    }

    fn check_role(&self, tx: &mut Tx, wanted: Role) -> Result<(), StoreError> {
        match tx.get_setting::<Role>(settings::ROLE)? {
            Some(found) if found == wanted => Ok(()),
            found => Err(StoreError::WrongRole {
                path: self.inner.path.to_path_buf(),
                found: found.map_or("nobody", Role::name).to_owned(),
                wanted: wanted.name(),
            }),
        }
    }

    /// The metadata.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.schema().catalog)
    }

    /// Brings the store in line with other metadata: new tables, columns and keys are added, nothing
    /// is removed.
    ///
    /// # Errors
    /// A column that changes its type or precision, a reserved name, a key that stored rows violate;
    /// nothing changes then.
    pub fn migrate(&self, next: Catalog) -> Result<(), StoreError> {
        migrate::migrate(self, next)
    }

    /// Starts the transaction that writes; there is one at a time.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when another one lasts too long.
    pub fn write(&self) -> Result<Tx, StoreError> {
        Tx::begin_write(self)
    }

    /// Starts a transaction that reads one state of the store, whatever is written meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when too many read for too long.
    pub fn read(&self) -> Result<Tx, StoreError> {
        Tx::begin_read(self)
    }

    /// Checks the whole file, indexes against rows included. Takes time in proportion to its size.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] with the first findings.
    pub fn check(&self) -> Result<(), StoreError> {
        let mut session = self.inner.readers.take()?;
        let result = session.check(true);
        self.inner.readers.give_back(session);
        result
    }

    /// Writes a copy of the store, as it is now, into the new file `target`; requests go on meanwhile.
    ///
    /// # Errors
    /// The file exists or cannot be written; the store fails.
    pub fn back_up(&self, target: &Path) -> Result<(), StoreError> {
        location::make(target)?;
        let session = self.inner.readers.take()?;
        let result = session.copy_to(target);
        self.inner.readers.give_back(session);
        result
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Whose store it is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.inner.role
    }

    pub(crate) fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.inner.schema.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_schema(&self, schema: Arc<Schema>) {
        *self.inner.schema.write().unwrap_or_else(PoisonError::into_inner) = schema;
    }

    pub(crate) fn writer(&self) -> &Pool {
        &self.inner.writer
    }

    pub(crate) fn readers(&self) -> &Pool {
        &self.inner.readers
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(folder) = &self.temporary {
            // The files may still be open, which is no obstacle where tests run.
            if let Err(error) = std::fs::remove_dir_all(folder) {
                tracing::debug!(%error, folder = %folder.display(), "left a temporary store");
            }
        }
    }
}

/// Whether the file is new; refuses a database that is not a store of this format.
fn check_format(path: &Arc<PathBuf>, session: &mut Sqlite) -> Result<bool, StoreError> {
    let found = session.pragma("user_version")?;
    match session.pragma("application_id")? {
        0 if found == 0 && session.table_count()? == 0 => Ok(true),
        APPLICATION_ID if found > FORMAT => {
            Err(StoreError::NewerFormat { path: path.to_path_buf(), found, supported: FORMAT })
        }
        APPLICATION_ID => Ok(false),
        _ => Err(StoreError::NotAStore { path: path.to_path_buf() }),
    }
}

fn check_size(path: &Arc<PathBuf>, session: &mut Sqlite) -> Result<(), StoreError> {
    let cannot = |source| StoreError::CannotOpen { path: path.to_path_buf(), source };
    let size = std::fs::metadata(path.as_path()).map_err(cannot)?.len();
    if size <= CHECK_BYTES_MAX { session.check(false) } else { Ok(()) }
}
