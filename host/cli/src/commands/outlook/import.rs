//! `offstage outlook import`: the items of a PST file into the embedded mailbox.
//!
//! A message that cannot be read is listed with its reason and stops nothing. Never writes to the
//! file, and makes no item a second time.

use super::{mail_error, mailbox, stores};
use crate::error::CliError;
use crate::output::Output;
use crate::values::FileArgument;
use crate::workspace::Workspace;
use clap::Args;
use offstage_mailstores::codec::zone::Zone;
use offstage_mailstores::pst;
use offstage_outlook::{EntryId, ItemKind, MailStore, MailStoreError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Lines of one list that are shown to people; all are in `--json`.
const SHOWN_MAX: usize = 50;

/// A file to import.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Import {
    /// The PST file
    file: FileArgument,
    /// The zone of days that the file keeps as points in time; that of the settings when left out
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
}

fn ids(mailbox: &mut dyn MailStore) -> Result<BTreeSet<EntryId>, MailStoreError> {
    let mut ids = BTreeSet::new();
    for folder in mailbox.folders()? {
        ids.extend(mailbox.scan(&folder.id, None)?.rows.into_iter().map(|row| row.entry_id));
    }
    Ok(ids)
}

impl Import {
    pub(super) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        if let Some(used) = stores::in_use(workspace)? {
            let text = format!("'{}' is in use; files go into the embedded mailbox.", used.name);
            return Err(CliError::usage(text)
                .hint("`offstage outlook store use embedded` goes back to it."));
        }
        let home = self.zone(workspace)?;
        let mut mailbox = mailbox(workspace)?;
        let mut known = ids(&mut mailbox).map_err(mail_error)?;
        let mut fresh: BTreeMap<ItemKind, usize> = BTreeMap::new();
        let take = |item: offstage_outlook::NewItem| {
            let kind = item.kind;
            let made = mailbox.create(&item)?;
            *fresh.entry(kind).or_default() += usize::from(known.insert(made.entry_id));
            Ok(())
        };
        let report = pst::import(&self.file.0, &home, take)
            .map_err(|error| {
                CliError::usage(format!("{error}.")).hint("Is it a PST file, and whole?")
            })?
            .map_err(mail_error)?;
        Ok(self.output(&report, &fresh))
    }

    fn zone(&self, workspace: &Workspace) -> Result<Zone, CliError> {
        match &self.time_zone {
            Some(name) => stores::zone(name),
            None => stores::zone(&stores::settings(workspace, None)?.time_zone),
        }
    }

    fn output(&self, report: &pst::ImportReport, fresh: &BTreeMap<ItemKind, usize>) -> Output {
        let list = |entries: &[pst::Unread]| -> Vec<serde_json::Value> {
            entries.iter().map(|one| json!({ "place": one.place, "reason": one.reason })).collect()
        };
        let counts = |counts: &BTreeMap<ItemKind, usize>| -> serde_json::Map<String, _> {
            counts.iter().map(|(kind, count)| (kind.name().to_owned(), json!(count))).collect()
        };
        let json = json!({
            "file": self.file.0,
            "read": report.read,
            "items": counts(&report.imported),
            "new": counts(fresh),
            "unread": list(&report.unread),
            "notes": list(&report.notes),
        });
        let rows = |entries: &[pst::Unread]| -> Vec<Vec<String>> {
            let shown = entries.iter().take(SHOWN_MAX);
            shown.map(|one| vec![one.place.clone(), one.reason.clone()]).collect()
        };
        let classes = report.read.iter().map(|(class, n)| vec![class.clone(), n.to_string()]);
        let kinds = report.imported.iter().map(|(kind, count)| {
            let new = fresh.get(kind).copied().unwrap_or_default();
            vec![kind.to_string(), count.to_string(), new.to_string()]
        });
        let mut output = Output::new(json)
            .table(&["Class", "Read"], classes.collect(), "The file holds no message.")
            .table(&["Item", "In the file", "New here"], kinds.collect(), "Nothing was imported.");
        for (header, entries) in [("Not read", &report.unread), ("Note", &report.notes)] {
            if !entries.is_empty() {
                output = output.table(&[header, "Why"], rows(entries), "");
            }
            if entries.len() > SHOWN_MAX {
                output =
                    output.text(format!("{} more; `--json` lists all.", entries.len() - SHOWN_MAX));
            }
        }
        output
    }
}
