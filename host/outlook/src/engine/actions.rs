//! What a user does with items in the inspector and the explorer, and when each is synchronised.
//!
//! An action marks the item; the matrix of Appendix B says whether the pair is worked on now, when
//! the inspector closes, when the mail is sent, or with the next run. Never waits for a server that
//! does not answer: the mark stays, and the next run finds it.

use super::observe::note;
use super::report::Report;
use super::{Engine, EngineError, Trigger};
use crate::item::{EntryId, FileTime, Folder, Item};
use crate::link::{LinkProperties, LinkState, Regarding};
use crate::mail_store::{ItemPatch, MailStoreError, Presence};
use crate::property::Property;
use crate::rules::{Action, Cell, ClientRole, ItemClass, immediate};
use offstage_model::{Fault, code};
use offstage_store::{ChangeCode, Mapping, MappingKey};
use std::collections::BTreeSet;

const OPEN: &str = "open-inspectors";

/// Where an action happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The form of one item.
    Inspector,
    /// The list of items.
    Explorer,
}

/// When an action is synchronised, and what came of it if that was now.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionAnswer {
    /// The cell of Appendix B.
    pub when: Cell,
    /// The report of the immediate synchronisation.
    pub report: Option<Report>,
}

impl Engine {
    /// "Track in CRM", with what it is about.
    ///
    /// # Errors
    /// There is no such item; the mailbox or the cache fails.
    pub fn track(
        &mut self,
        id: &EntryId,
        place: Place,
        regarding: Option<Regarding>,
    ) -> Result<ActionAnswer, EngineError> {
        let item = self.one(id)?;
        let mut link = item.link.clone();
        if link.state != Some(LinkState::Tracked) {
            link.state = Some(LinkState::Pending);
            // A copy starts with a tie that is not its own.
            if link.entry_id.as_ref().is_some_and(|own| own != id) {
                link = LinkProperties { state: Some(LinkState::Pending), ..Default::default() };
            }
        }
        link.regarding = regarding.or(link.regarding);
        self.mark(&item, link)?;
        let action = match place {
            Place::Inspector => Action::TrackInInspector,
            Place::Explorer => Action::TrackInExplorer,
        };
        self.act(action, &item)
    }

    /// Un-tracks an item; `delete` asks for the record to be deleted too, where the rules let it.
    ///
    /// # Errors
    /// See [`Engine::track`]; the item is not tracked.
    pub fn untrack(
        &mut self,
        id: &EntryId,
        place: Place,
        delete: bool,
    ) -> Result<ActionAnswer, EngineError> {
        let item = self.one(id)?;
        let mapping = self.pair_of(id)?.filter(|mapping| mapping.linked);
        let pending = item.link.state == Some(LinkState::Pending);
        if mapping.is_none() && item.link.crm_id.is_none() && !pending {
            let text = format!("The item {id} is not tracked.");
            return Err(Fault::new(code::WRONG_STATE, text).into());
        }
        match mapping {
            // The mark cannot carry that wish, and must not lose it.
            None if delete && !pending => {
                let text = format!("The item {id} is kept in step by another client.");
                return Err(Fault::new(code::WRONG_STATE, text)
                    .hint("Un-track it without deleting the record, or do it on that client.")
                    .into());
            }
            // It was to be tracked, and is not yet: the wish is taken back.
            None if item.link.crm_id.is_none() => self.mark(&item, LinkProperties::default())?,
            Some(mapping) => {
                let code = if delete { ChangeCode::UntrackAndDelete } else { ChangeCode::Untrack };
                let ticks = FileTime::from(self.clock.now()).0;
                self.cache.write(|tx| note(tx, &mapping, code, ticks))?;
            }
            // Of a pair of the synchronising client, which sees the mark in its next scan.
            None => {
                let link =
                    LinkProperties { state: Some(LinkState::WasTracked), ..item.link.clone() };
                self.mark(&item, link)?;
            }
        }
        let action = match place {
            Place::Inspector => Action::UntrackInInspector,
            Place::Explorer => Action::UntrackInExplorer,
        };
        self.act(action, &item)
    }

    /// Sets what an item is about.
    ///
    /// # Errors
    /// See [`Engine::track`].
    pub fn set_regarding(
        &mut self,
        id: &EntryId,
        place: Place,
        regarding: Option<Regarding>,
    ) -> Result<ActionAnswer, EngineError> {
        let item = self.one(id)?;
        let link = LinkProperties { regarding, ..item.link.clone() };
        self.mark(&item, link)?;
        let action = match place {
            Place::Inspector => Action::UpdateInInspector,
            Place::Explorer => Action::SetRegardingInExplorer,
        };
        self.act(action, &item)
    }

    /// An inspector opens.
    ///
    /// # Errors
    /// See [`Engine::track`].
    pub fn open_inspector(&mut self, id: &EntryId) -> Result<(), EngineError> {
        self.one(id)?;
        let mut open = self.open_ones()?;
        open.insert(id.as_str().to_owned());
        self.keep(OPEN, &open)
    }

    /// An item is saved in its inspector: mail is synchronised now, everything else when the
    /// inspector closes.
    ///
    /// # Errors
    /// See [`Engine::track`].
    pub fn save_inspector(&mut self, id: &EntryId) -> Result<ActionAnswer, EngineError> {
        let item = self.one(id)?;
        let when = immediate(Action::UpdateInInspector, class(&item), self.role()?);
        let report = if when == Cell::Now { self.synchronise_item(&item)? } else { None };
        Ok(ActionAnswer { when, report })
    }

    /// An inspector closes: what was done in it is synchronised now, by a client whose business it
    /// is.
    ///
    /// # Errors
    /// See [`Engine::track`].
    pub fn close_inspector(&mut self, id: &EntryId) -> Result<ActionAnswer, EngineError> {
        let mut open = self.open_ones()?;
        open.remove(id.as_str());
        self.keep(OPEN, &open)?;
        let item = self.one(id)?;
        let when = immediate(Action::UpdateInInspector, class(&item), self.role()?);
        let now = matches!(when, Cell::OnClose | Cell::Now);
        let report = if now { self.synchronise_item(&item)? } else { None };
        Ok(ActionAnswer { when, report })
    }

    /// A mail was sent: now it is tracked, if the user chose so.
    ///
    /// # Errors
    /// See [`Engine::track`].
    pub fn sent(&mut self, id: &EntryId) -> Result<ActionAnswer, EngineError> {
        let item = self.one(id)?;
        let report = self.synchronise_item(&item)?;
        Ok(ActionAnswer { when: Cell::OnSend, report })
    }

    /// Something was done with an item: worked on now when the matrix says so.
    ///
    /// # Errors
    /// See [`Engine::track`].
    pub fn act(&mut self, action: Action, item: &Item) -> Result<ActionAnswer, EngineError> {
        let when = immediate(action, class(item), self.role()?);
        let open = self.open_ones()?.contains(item.entry_id.as_str());
        let report = match when {
            Cell::Now => {
                let now = self.one(&item.entry_id)?;
                self.synchronise_item(&now)?
            }
            // Nothing is open that could close: it is closed already.
            Cell::OnClose if !open => {
                let now = self.one(&item.entry_id)?;
                self.synchronise_item(&now)?
            }
            _ => None,
        };
        Ok(ActionAnswer { when, report })
    }

    /// Works on the pair of one item, and on nothing else.
    fn synchronise_item(&mut self, item: &Item) -> Result<Option<Report>, EngineError> {
        if class(item) == ItemClass::Draft {
            return Ok(None);
        }
        let folders = self.store.folders()?;
        let Some(folder) = folders.into_iter().find(|folder| folder.id == item.folder) else {
            return Ok(None);
        };
        let Some(map_id) = self.note_item(&folder, item)? else { return Ok(None) };
        self.run(Trigger::Immediate, false, Some(map_id)).map(Some)
    }

    /// Notes the change of one item as a scan would; returns its pair, if it has one.
    fn note_item(&mut self, folder: &Folder, item: &Item) -> Result<Option<i64>, EngineError> {
        let now = self.clock.now();
        let at = item.modified.unwrap_or_else(|| FileTime::from(now));
        let fresh = self.random.guid();
        let pair = self.cache.write(|tx| {
            super::observe::note_item(tx, folder, item, (fresh, at.0))?;
            let mapping = tx.mapping(MappingKey::Item(item.entry_id.as_str()))?;
            let Some(mapping) = mapping else { return Ok(None) };
            Ok(tx.change(mapping.map_id)?.map(|change| change.map_id))
        })?;
        Ok(pair)
    }

    fn mark(&mut self, item: &Item, link: LinkProperties) -> Result<(), EngineError> {
        if link == item.link {
            return Ok(());
        }
        if !self.store.capabilities().custom_properties {
            return self.mark_in_cache(item, &link);
        }
        let patch = ItemPatch { link: Some(link), ..ItemPatch::default() };
        let expected = self.condition(item).cloned();
        self.store.update(&item.entry_id, expected.as_ref(), &patch)?;
        Ok(())
    }

    /// What the user wants of an item that cannot say so itself.
    fn mark_in_cache(&mut self, item: &Item, link: &LinkProperties) -> Result<(), EngineError> {
        let ticks = FileTime::from(self.clock.now()).0;
        let object_type = crate::mapping::of_kind(item.kind).object_type;
        let known = self.pair_of(&item.entry_id)?;
        let fresh = self.random.guid();
        let mut mapping = known.unwrap_or_else(|| Mapping::new(fresh, object_type));
        let code = if mapping.map_id == 0 || !mapping.linked {
            ChangeCode::Create
        } else {
            ChangeCode::Update
        };
        mapping.entry_id = Some(item.entry_id.as_str().to_owned());
        mapping.folder = Some(item.folder.as_str().to_owned());
        mapping.linked = true;
        mapping.manual |= code == ChangeCode::Create;
        mapping.regarding = link.regarding.as_ref().map(ToString::to_string);
        Ok(self.cache.write(|tx| note(tx, &mapping, code, ticks))?)
    }

    fn one(&mut self, id: &EntryId) -> Result<Item, EngineError> {
        let ids = std::slice::from_ref(id);
        if let Some(found) = self.items(ids)?.pop().flatten() {
            return Ok(found);
        }
        Err(match self.store.presence(ids)?.pop() {
            Some(Presence::There) => self.unread(id)?.into(),
            _ => MailStoreError::Gone { entry_id: id.clone() }.into(),
        })
    }

    fn role(&mut self) -> Result<ClientRole, EngineError> {
        Ok(self.client()?.ok_or_else(super::not_registered)?.role())
    }

    fn open_ones(&mut self) -> Result<BTreeSet<String>, EngineError> {
        Ok(self.stored(OPEN)?.unwrap_or_default())
    }
}

fn class(item: &Item) -> ItemClass {
    ItemClass::of(item.kind, !item.properties.contains_key(&Property::SentOn))
}
