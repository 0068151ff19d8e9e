//! Contents tables of collections.
//!
//! Never says that an object is gone because a listing lacks it.

use offstage_outlook::{ChangeKey, EntryId, MailStoreError, Scan, ScanLink, ScanMark, ScanRow};

use super::client::Object;
use super::multistatus::Resource;
use super::{
    CTAG, Collection, DavStore, ObjectError, READ_KEPT_MAX, STORE, http_date, report_of, unescaped,
};
use std::collections::BTreeSet;

/// The server was asked for an object that it lists, and gave none.
fn unanswered(href: &str, status: Option<u16>) -> MailStoreError {
    let status = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    MailStoreError::Transient { store: STORE, detail: format!("{href}: {status}") }
}

impl DavStore {
    pub(super) fn keep_read(&mut self, id: &EntryId, object: Object) {
        if self.read_last.len() >= READ_KEPT_MAX {
            self.read_last.clear();
        }
        self.read_last.insert(id.clone(), object);
    }

    /// The rows of a contents table, each with its tie: objects are read in batches, so that the
    /// engine need not ask for each. An object that is not answered for makes all of it fail: with
    /// the next mark nobody would hear of its change again.
    pub(super) fn rows(
        &mut self,
        collection: &Collection,
        found: &[Resource],
    ) -> Result<Vec<ScanRow>, MailStoreError> {
        let hrefs: Vec<String> = found.iter().map(|one| one.href.clone()).collect();
        let mut rows = Vec::new();
        let report = report_of(collection.kind);
        let mut open: BTreeSet<Vec<u8>> = hrefs.iter().map(|href| unescaped(href)).collect();
        for resource in self.client.multiget(&collection.path, report, &hrefs, true)? {
            open.remove(&unescaped(&resource.href));
            let entry_id = EntryId::new(&resource.href);
            let data = match (resource.status, resource.data.as_deref()) {
                // Gone since it was listed: the next listing says so.
                (Some(404), _) => continue,
                (_, Some(data)) => data,
                (Some(status), None) if (400..500).contains(&status) && status != 429 => {
                    self.leave(&entry_id, collection, &ObjectError::Withheld(status));
                    continue;
                }
                (status, None) => return Err(unanswered(&resource.href, status)),
            };
            // The whole mapping: what cannot be read is told now, not when it is tracked.
            let link = match self.mapped(collection.kind, data.as_bytes()) {
                Ok((_, _, link)) => link,
                Err(error) => {
                    self.leave(&entry_id, collection, &error);
                    continue;
                }
            };
            rows.push(ScanRow {
                entry_id,
                change_key: ChangeKey::new(resource.etag.as_deref().unwrap_or_default()),
                modified: resource.modified.as_deref().and_then(http_date),
                link: Some(ScanLink { crm_id: link.crm_id, state: link.state }),
            });
        }
        match hrefs.iter().find(|href| open.contains(&unescaped(href))) {
            Some(href) => Err(unanswered(href, None)),
            None => Ok(rows),
        }
    }

    /// The listing of a server that does not synchronise: everything, unless nothing changed.
    pub(super) fn listing(
        &mut self,
        collection: &Collection,
        since: Option<&ScanMark>,
    ) -> Result<(Scan, Vec<Resource>), MailStoreError> {
        let state = self.client.propfind(&collection.path, "0", "<S:getctag/>")?;
        let ctag = state.responses.first().and_then(|one| one.ctag.clone());
        let mark = ScanMark(format!("{CTAG}{}", ctag.clone().unwrap_or_default()));
        let unchanged = ctag.is_some() && since == Some(&mark);
        let scan = Scan { rows: Vec::new(), removed: Vec::new(), mark, complete: !unchanged };
        if unchanged {
            return Ok((scan, Vec::new()));
        }
        let all = self.client.propfind(
            &collection.path,
            "1",
            "<D:getetag/><D:getlastmodified/><D:resourcetype/>",
        )?;
        let object = |one: &Resource| {
            one.status.is_none_or(|status| status < 300)
                && !one.href.ends_with('/')
                && !one.kinds.iter().any(|kind| kind == "collection")
        };
        Ok((scan, all.responses.into_iter().filter(object).collect()))
    }
}
