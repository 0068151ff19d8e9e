//! The contents table of a folder: newest first, down to the mark.
//!
//! A mark is UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ where the server counts changes, and the number of
//! the last change of a tie. Another UIDVALIDITY forgets the mark: every message has another id then,
//! and the ties move to those. Never reads a message, only its size, keywords and Message-ID.

use std::collections::{BTreeMap, HashMap};

use imap::Error;
use offstage_outlook::{EntryId, MailStoreError, Scan, ScanLink, ScanMark, ScanRow};
use offstage_store::TieRow;

use super::connection::{Connection, Opened, Row};
use super::error::Doing;
use super::id::MessageKey;
use super::settings::ImapLimits;
use super::{ImapStore, change_key, link, ties_failed};

/// Where a scan stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    uid_validity: u32,
    uid_next: u32,
    mod_seq: Option<u64>,
    tie: i64,
}

impl Mark {
    fn text(&self) -> ScanMark {
        let Self { uid_validity, uid_next, mod_seq, tie } = self;
        ScanMark(format!("{uid_validity}:{uid_next}:{}:{tie}", mod_seq.unwrap_or(0)))
    }

    /// A mark that does not read back is a forgotten one.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let mark = Self {
            uid_validity: parts.next()?.parse().ok()?,
            uid_next: parts.next()?.parse().ok()?,
            mod_seq: Some(parts.next()?.parse().ok()?).filter(|mod_seq| *mod_seq > 0),
            tie: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(mark)
    }
}

/// What the server told.
struct Told {
    opened: Opened,
    rows: Vec<Row>,
    complete: bool,
}

impl ImapStore {
    pub(super) fn scan_folder(
        &mut self,
        folder: &str,
        since: Option<&ScanMark>,
    ) -> Result<Scan, MailStoreError> {
        let mark = since.and_then(|mark| Mark::parse(&mark.0));
        // Before the server is asked: a tie that changes meanwhile is seen again.
        let tie = self.ties.last_number().map_err(|error| ties_failed(&error))?;
        let (limits, keywords) = (self.settings.limits, self.settings.keywords);
        let told = self.with(Doing::Open, |c| ask(c, folder, mark, (&limits, keywords)))?;
        let new_mark = Mark {
            uid_validity: told.opened.uid_validity,
            uid_next: told.opened.uid_next,
            mod_seq: told.opened.mod_seq,
            tie,
        };
        let ties = self.ties_of(folder, &told)?;
        let mark = mark.filter(|mark| mark.uid_validity == told.opened.uid_validity);
        let mut rows = Vec::with_capacity(told.rows.len());
        let seen: BTreeMap<EntryId, &Row> =
            told.rows.iter().map(|row| (row.key.entry_id(), row)).collect();
        // A change of a tie is newer than any message.
        let mut changed: Vec<&TieRow> =
            ties.values().filter(|row| mark.is_some_and(|mark| row.number > mark.tie)).collect();
        changed.sort_by_key(|tie| std::cmp::Reverse(tie.number));
        for tie in changed {
            let Some(key) = MessageKey::parse(&tie.item) else { continue };
            if key.uid_validity == told.opened.uid_validity && !seen.contains_key(&key.entry_id()) {
                let row = Row { key, tracked: false, pending: false };
                rows.push(scan_row(&row, Some(tie)));
            }
        }
        let mut told_rows = told.rows;
        told_rows.sort_by_key(|row| std::cmp::Reverse(row.key.uid));
        rows.extend(told_rows.iter().map(|row| {
            let id = row.key.entry_id();
            scan_row(row, ties.get(id.as_str()))
        }));
        Ok(Scan { rows, removed: Vec::new(), mark: new_mark.text(), complete: told.complete })
    }

    /// The ties of a folder. Those of messages that have another id now are moved to it.
    fn ties_of(
        &mut self,
        folder: &str,
        told: &Told,
    ) -> Result<HashMap<String, TieRow>, MailStoreError> {
        let known = self.ties.changed(folder, 0).map_err(|error| ties_failed(&error))?;
        let stale: Vec<MessageKey> = known
            .iter()
            .filter_map(|tie| MessageKey::parse(&tie.item))
            .filter(|key| key.uid_validity != told.opened.uid_validity)
            .collect();
        if stale.is_empty() {
            return Ok(known.into_iter().map(|tie| (tie.item.clone(), tie)).collect());
        }
        let by_content: HashMap<(&str, u32), &MessageKey> =
            told.rows.iter().filter_map(|row| Some((content(&row.key)?, &row.key))).collect();
        for old in stale {
            let Some(new) = content(&old).and_then(|content| by_content.get(&content)) else {
                continue;
            };
            let (old, new) = (old.entry_id(), new.entry_id());
            self.ties
                .rename(old.as_str(), (new.as_str(), folder))
                .map_err(|error| ties_failed(&error))?;
        }
        let known = self.ties.changed(folder, 0).map_err(|error| ties_failed(&error))?;
        Ok(known.into_iter().map(|tie| (tie.item.clone(), tie)).collect())
    }
}

/// What a message is known by under any UIDVALIDITY.
fn content(key: &MessageKey) -> Option<(&str, u32)> {
    Some((key.message_id.as_deref()?, key.size))
}

fn scan_row(row: &Row, tie: Option<&TieRow>) -> ScanRow {
    let link = link(row, tie);
    ScanRow {
        entry_id: row.key.entry_id(),
        change_key: change_key(&row.key, tie),
        modified: None,
        link: Some(ScanLink { crm_id: link.crm_id, state: link.state }),
    }
}

/// Asks the server for the messages of a folder that are new or changed since a mark.
fn ask(
    connection: &mut Connection,
    folder: &str,
    mark: Option<Mark>,
    (limits, keywords): (&ImapLimits, bool),
) -> Result<Told, Error> {
    let opened = connection.examine(folder)?;
    let mark = mark.filter(|mark| mark.uid_validity == opened.uid_validity && opened.uid_next > 0);
    let since = mark.and_then(|mark| mark.mod_seq).filter(|_| opened.mod_seq.is_some());
    let nothing_new = mark.is_some_and(|mark| match since {
        Some(since) => opened.mod_seq == Some(since) && mark.uid_next == opened.uid_next,
        None => mark.uid_next == opened.uid_next,
    });
    let mut rows: BTreeMap<u32, Row> = BTreeMap::new();
    let mut last = if nothing_new { 0 } else { opened.messages };
    let first_of_all = opened.messages.saturating_sub(limits.scan_messages_max) + 1;
    let page = limits.page_messages_max.max(1);
    while last >= first_of_all {
        let first = last.saturating_sub(page - 1).max(first_of_all);
        let found = connection.rows_at((folder, &opened), (first, last), since)?;
        // Without a count of changes the mark is a UID: everything below it was seen.
        let new_from = mark.filter(|_| since.is_none()).map_or(0, |mark| mark.uid_next);
        let reached = found.iter().any(|row| row.key.uid < new_from);
        let new = found.into_iter().filter(|row| row.key.uid >= new_from);
        rows.extend(new.map(|row| (row.key.uid, row)));
        if reached {
            break;
        }
        last = first - 1;
    }
    // A keyword on a message that was seen before shows only to a server that counts changes.
    if keywords && mark.is_some() && since.is_none() {
        let mut wanted = connection.pending()?;
        wanted.retain(|uid| !rows.contains_key(uid));
        let found = connection.rows_of((folder, &opened), &wanted)?;
        rows.extend(found.into_iter().map(|row| (row.key.uid, row)));
    }
    let complete = mark.is_none() && opened.messages <= limits.scan_messages_max;
    Ok(Told { opened, rows: rows.into_values().collect(), complete })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_read_back_and_foreign_ones_are_forgotten() {
        for mod_seq in [None, Some(u64::MAX)] {
            let mark = Mark { uid_validity: 1, uid_next: u32::MAX, mod_seq, tie: 9 };
            assert_eq!(Mark::parse(&mark.text().0), Some(mark));
        }
        for text in ["", "1:2:3", "1:2:3:4:5", "1:2:x:4", "-1:2:3:4"] {
            assert_eq!(Mark::parse(text), None, "{text}");
        }
    }
}
