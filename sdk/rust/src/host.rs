//! The door to the host: the imports of the contract as one small trait.
//!
//! In a guest the imports are the one and only back end. A native build has none until a testkit
//! sets one for its thread, so that a unit test can never reach anything real.

use crate::context::ExecutionContext;
use crate::error::PluginError;
use crate::files::FileEntry;
use crate::guid::Guid;
use crate::http::HttpRequest;
use crate::request::{Parameters, Request};
use crate::timestamp::Timestamp;

/// What a host does for a plug-in; one method per import of the contract.
#[allow(missing_docs, reason = "each method is the import of the same name in plugin.wit")]
pub trait Host {
    fn execute(&self, request: Request) -> Result<Parameters, PluginError>;
    fn parent_context(&self, level: u32) -> Option<ExecutionContext>;
    fn is_offline_playback(&self) -> bool;
    fn now(&self) -> Timestamp;
    fn server_now(&self) -> Timestamp;
    fn new_guid(&self) -> Guid;
    fn random(&self) -> u64;
    fn keyed_guid(&self, key: &str) -> Guid;
    fn trace(&self, text: &str);
    fn read_file(&self, directory: &str, path: &str) -> Result<Vec<u8>, PluginError>;
    fn write_file(&self, directory: &str, path: &str, contents: &[u8]) -> Result<(), PluginError>;
    fn remove_file(&self, directory: &str, path: &str) -> Result<(), PluginError>;
    fn list_files(
        &self,
        directory: &str,
        path: Option<&str>,
    ) -> Result<Vec<FileEntry>, PluginError>;
    fn enqueue_http(&self, request: HttpRequest) -> Result<Guid, PluginError>;
}

#[cfg(target_arch = "wasm32")]
pub(crate) fn current<T>(call: impl FnOnce(&dyn Host) -> T) -> T {
    call(&crate::guest::Imports)
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::current;
#[cfg(not(target_arch = "wasm32"))]
pub use native::with_host;

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::Host;

    thread_local! {
        static HOST: RefCell<Option<Rc<dyn Host>>> = const { RefCell::new(None) };
    }

    /// Restores the outer host also when a plug-in panics, so that tests on one thread stay apart.
    struct Restore(Option<Rc<dyn Host>>);

    impl Drop for Restore {
        fn drop(&mut self) {
            HOST.set(self.0.take());
        }
    }

    /// Runs `body` with `host` behind all host calls of this thread. Calls may nest.
    pub fn with_host<T>(host: Rc<dyn Host>, body: impl FnOnce() -> T) -> T {
        let _restore = Restore(HOST.replace(Some(host)));
        body()
    }

    /// # Panics
    /// If no host is set: plug-in code was called outside a testkit run.
    pub(crate) fn current<T>(call: impl FnOnce(&dyn Host) -> T) -> T {
        let host = HOST
            .with_borrow(Clone::clone)
            .expect("BUG: host call without a host; run the plug-in through offstage_sdk::testkit");
        call(&*host)
    }
}
