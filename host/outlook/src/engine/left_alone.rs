//! Items that the mail store has and cannot map, tracked or not: kept with the reason, so that a
//! person sees which stay out of step.
//!
//! Never changes such an item, and never takes one for deleted.

use super::report::Report;
use super::{Engine, EngineError};
use crate::item::EntryId;
use crate::mail_store::{LeftAlone, MailStoreError, Presence};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const LEFT_ALONE: &str = "left-alone";
/// So many are listed; a mailbox of which nothing is understood has one cause.
const LISTED_MAX: usize = 1_000;
/// So many are looked for in a run: those that are gone leave the list.
const LOOKED_FOR_MAX: usize = 25;

/// An item that is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftAloneView {
    /// The item.
    pub item: String,
    /// Its folder.
    pub folder: String,
    /// Why it is not understood.
    pub reason: String,
}

impl From<LeftAlone> for LeftAloneView {
    fn from(met: LeftAlone) -> Self {
        Self {
            item: met.entry_id.as_str().to_owned(),
            folder: met.folder.as_str().to_owned(),
            reason: met.reason,
        }
    }
}

impl Engine {
    /// The items that are left alone, at most 1,000.
    ///
    /// # Errors
    /// The cache fails.
    pub fn left_alone(&mut self) -> Result<Vec<LeftAloneView>, EngineError> {
        Ok(self.stored(LEFT_ALONE)?.unwrap_or_default())
    }

    /// Takes what the store met since the last time; those that `over` says are not left alone any
    /// more.
    pub(super) fn note_left_alone(
        &mut self,
        over: impl Fn(&LeftAloneView) -> bool,
        report: &mut Report,
    ) -> Result<(), EngineError> {
        let before = self.left_alone()?;
        let met = self.store.left_alone();
        let kept = before.iter().filter(|known| !over(known)).cloned();
        let mut all: BTreeMap<String, LeftAloneView> =
            kept.map(|view| (view.item.clone(), view)).collect();
        for view in met.into_iter().map(LeftAloneView::from) {
            report.left_alone.retain(|known| known.item != view.item);
            report.left_alone.push(view.clone());
            if all.len() < LISTED_MAX || all.contains_key(&view.item) {
                all.insert(view.item.clone(), view);
            }
        }
        let after: Vec<LeftAloneView> = all.into_values().collect();
        report.left_alone.truncate(LISTED_MAX);
        report.counts.left_alone = after.len() as u64;
        if after == before { Ok(()) } else { self.keep(LEFT_ALONE, &after) }
    }

    /// Looks for some of them: one that is gone is nobody's concern any more.
    pub(super) fn look_for_left_alone(&mut self, report: &mut Report) -> Result<(), EngineError> {
        let ids: Vec<EntryId> = self
            .left_alone()?
            .into_iter()
            .take(LOOKED_FOR_MAX)
            .map(|v| EntryId::new(v.item))
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        let found = self.store.presence(&ids)?;
        let gone: Vec<&str> = ids
            .iter()
            .zip(&found)
            .filter(|(_, presence)| **presence == Presence::Gone)
            .map(|(id, _)| id.as_str())
            .collect();
        self.note_left_alone(|known| gone.contains(&known.item.as_str()), report)
    }

    /// Why an item that is there was not read.
    pub(super) fn unread(&mut self, id: &EntryId) -> Result<MailStoreError, EngineError> {
        let met = self.store.left_alone();
        let mut known = self.left_alone()?;
        known.extend(met.into_iter().map(LeftAloneView::from));
        let reason = known.iter().rev().find(|view| view.item == id.as_str());
        let reason = reason.map_or("it is there, and cannot be read", |view| view.reason.as_str());
        let reason = format!("the item {id} is left alone: {reason}");
        known.dedup_by(|a, b| a.item == b.item);
        self.keep(LEFT_ALONE, &known)?;
        Ok(MailStoreError::Refused { store: self.store.name(), reason })
    }
}
