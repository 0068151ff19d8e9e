//! Files and the outbox of the fake organization: granted by the test, in memory.
//!
//! Paths and URLs are not checked as a host does, nor are secrets known here.

use super::derive;
use super::session::Session;
use crate::error::{PluginError, codes};
use crate::files::FileEntry;
use crate::guid::Guid;
use crate::http::HttpRequest;
use std::collections::BTreeMap;

/// Files by directory and path, and requests in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Effects {
    pub(crate) directories: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    pub(crate) origins: Vec<String>,
    pub(crate) outbox: Vec<HttpRequest>,
}

fn denied(what: &str) -> PluginError {
    PluginError::new(format!("'{what}' is not granted.")).with_code(codes::PRIVILEGE_DENIED)
}

impl Session {
    fn with_directory<T>(
        &self,
        directory: &str,
        use_it: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) -> Result<T, PluginError>,
    ) -> Result<T, PluginError> {
        let mut state = self.state.borrow_mut();
        let files = state.effects.directories.get_mut(directory);
        use_it(files.ok_or_else(|| denied(directory))?)
    }

    pub(crate) fn read(&self, directory: &str, path: &str) -> Result<Vec<u8>, PluginError> {
        self.with_directory(directory, |files| {
            files.get(path).cloned().ok_or_else(|| {
                PluginError::new(format!("'{path}' in '{directory}': there is no such file."))
            })
        })
    }

    pub(crate) fn write(
        &self,
        directory: &str,
        path: &str,
        contents: Option<&[u8]>,
    ) -> Result<(), PluginError> {
        self.with_directory(directory, |files| {
            match contents {
                Some(contents) => files.insert(path.to_owned(), contents.to_vec()),
                None => files.remove(path),
            };
            Ok(())
        })
    }

    pub(crate) fn list(
        &self,
        directory: &str,
        path: Option<&str>,
    ) -> Result<Vec<FileEntry>, PluginError> {
        let below = path.map(|path| format!("{path}/")).unwrap_or_default();
        self.with_directory(directory, |files| {
            let entry = |(path, contents): (&String, &Vec<u8>)| {
                let name = path.strip_prefix(&below).filter(|name| !name.contains('/'))?;
                Some(FileEntry { name: name.to_owned(), size: contents.len() as u64 })
            };
            Ok(files.iter().filter_map(entry).collect())
        })
    }

    pub(crate) fn enqueue(&self, request: HttpRequest) -> Result<Guid, PluginError> {
        let key = self.http_key(&request);
        let mut state = self.state.borrow_mut();
        let granted = |origin: &String| {
            request
                .url
                .strip_prefix(origin.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        };
        if !state.effects.origins.iter().any(granted) {
            return Err(denied(&request.url));
        }
        state.effects.outbox.push(request);
        Ok(key)
    }

    fn http_key(&self, request: &HttpRequest) -> Guid {
        let text = format!("{request:?}");
        self.derived(&format!("http|{text}"), derive::guid)
    }
}
