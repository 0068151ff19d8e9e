//! Compiled code on disk, so that a start does not compile every plug-in again.
//!
//! Loading compiled code is as unsafe as loading a program. Invariant: not one byte of a file is
//! used before the whole of it was authenticated with this machine's key, in memory, as the code
//! of exactly this component for exactly this engine. Whatever is not right is made again.

use cap_std::fs::{Dir, OpenOptions};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::hash::Hash as _;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::Engine;

/// Starts each file; the number changes with the layout: magic, tag (32 bytes), engine (32 bytes),
/// component (32 bytes), code.
const MAGIC: &[u8; 16] = b"offstage code 1\n";
const TAG_BYTES: usize = 32;
/// The largest file that is read, in bytes: compiled code is a few times the component.
const FILE_BYTES_MAX: u64 = 512 << 20;

/// A private folder for compiled code, and the key that authenticates it.
pub struct CodeCache {
    dir: Dir,
    key: [u8; 32],
    files: AtomicU64,
}

impl CodeCache {
    /// A cache in `dir`, which nobody else may write to, with `key`, which nobody else may read
    /// and which is not kept in that folder.
    #[must_use]
    pub fn new(dir: Dir, key: [u8; 32]) -> Self {
        Self { dir, key, files: AtomicU64::new(0) }
    }

    /// The authenticated code of a component, if there is any.
    pub(crate) fn read(&self, engine: &Fingerprint, component: &[u8; 32]) -> Option<Vec<u8>> {
        let name = file_name(component);
        match self.read_file(&name) {
            Ok(file) => {
                let code = self.verified(&file, engine, component);
                if code.is_none() {
                    tracing::warn!(
                        file = name,
                        "cached plug-in code is not ours; it is made again"
                    );
                }
                code
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(file = name, %error, "cannot read cached plug-in code");
                None
            }
        }
    }

    /// Keeps the code of a component. A cache that cannot be written to only costs time.
    pub(crate) fn write(&self, engine: &Fingerprint, component: &[u8; 32], code: &[u8]) {
        let name = file_name(component);
        if let Err(error) = self.write_file(&name, engine, component, code) {
            tracing::warn!(file = name, %error, "cannot keep compiled plug-in code");
        }
    }

    fn read_file(&self, name: &str) -> std::io::Result<Vec<u8>> {
        let mut file = Vec::new();
        self.dir.open(name)?.take(FILE_BYTES_MAX).read_to_end(&mut file)?;
        Ok(file)
    }

    fn verified(&self, file: &[u8], engine: &Fingerprint, component: &[u8; 32]) -> Option<Vec<u8>> {
        let (magic, rest) = file.split_at_checked(MAGIC.len())?;
        let (tag, signed) = rest.split_at_checked(TAG_BYTES)?;
        let code = signed.strip_prefix(&engine.0)?.strip_prefix(component)?;
        let authentic = self.mac(signed).verify_slice(tag).is_ok();
        (magic == MAGIC && authentic).then(|| code.to_vec())
    }

    fn write_file(
        &self,
        name: &str,
        engine: &Fingerprint,
        component: &[u8; 32],
        code: &[u8],
    ) -> std::io::Result<()> {
        let mut signed = Vec::with_capacity(64 + code.len());
        signed.extend_from_slice(&engine.0);
        signed.extend_from_slice(component);
        signed.extend_from_slice(code);
        let tag = self.mac(&signed).finalize().into_bytes();
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let temporary = format!("{name}.{}.{number}.tmp", std::process::id());
        let written = (|| {
            let mut file = self.dir.open_with(&temporary, &private())?;
            for part in [&MAGIC[..], &tag[..], &signed] {
                file.write_all(part)?;
            }
            self.dir.rename(&temporary, &self.dir, name)
        })();
        if written.is_err() {
            // The first error is the one to report.
            self.dir.remove_file(&temporary).ok();
        }
        written
    }

    fn mac(&self, signed: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key)
            .expect("BUG: HMAC takes keys of every length");
        // The length says where the code ends; the magic says what the tag is for.
        mac.update(MAGIC);
        mac.update(&(signed.len() as u64).to_be_bytes());
        mac.update(signed);
        mac
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

fn file_name(component: &[u8; 32]) -> String {
    format!("{}.code", hex::encode(component))
}

/// Names everything that makes compiled code usable: version and settings of the engine, and the
/// machine's instruction set.
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of an engine.
    pub(crate) fn of(engine: &Engine) -> Self {
        struct Feed(Sha256);
        impl std::hash::Hasher for Feed {
            fn write(&mut self, bytes: &[u8]) {
                self.0.update(bytes);
            }
            fn finish(&self) -> u64 {
                0
            }
        }
        let mut feed = Feed(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut feed);
        Self(feed.0.finalize().into())
    }
}
