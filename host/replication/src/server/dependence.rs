//! Whether an entry depends on one that was refused: the refused entry's write set, of its whole
//! tree, against the later entry's writes, lookups and reads.
//!
//! Never plays an entry; it only looks at what the device recorded.

use offstage_model::entity::Attributes;
use offstage_model::journal::{EffectKind, JournalEntry};
use offstage_model::{Catalog, Fault, Parameter, Request, Uuid, Value, code};
use offstage_store::{JournalId, RefusedWrite, StoreError, Tx};
use std::collections::{BTreeMap, BTreeSet};

type Row = (String, Uuid);

/// What an entry writes, refers to and read, row by row.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Footprint {
    writes: BTreeMap<(Row, Kind), BTreeSet<String>>,
    refers: BTreeSet<Row>,
    reads: BTreeSet<Row>,
}

/// [`EffectKind`] with an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Created,
    Updated,
    Deleted,
}

impl From<EffectKind> for Kind {
    fn from(kind: EffectKind) -> Self {
        match kind {
            EffectKind::Created => Self::Created,
            EffectKind::Updated => Self::Updated,
            EffectKind::Deleted => Self::Deleted,
        }
    }
}

impl From<Kind> for EffectKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Created => Self::Created,
            Kind::Updated => Self::Updated,
            Kind::Deleted => Self::Deleted,
        }
    }
}

impl Footprint {
    /// The footprint of an entry's whole tree.
    pub(super) fn of(entry: &JournalEntry, catalog: &Catalog) -> Self {
        // Every update sets "modified on"; that makes no update depend on another.
        let own = |table: &str, column: &String| {
            catalog.tables.get(table).and_then(|t| t.column(column)).is_none_or(|c| !c.system)
        };
        let mut print = Self::default();
        for node in entry.root.all() {
            print.refer_request(&node.request);
            for effect in &node.effects {
                let row = (effect.table.clone(), effect.id);
                let columns = print.writes.entry((row, effect.kind.into())).or_default();
                let changed = effect.after.keys().chain(effect.before.keys());
                columns.extend(changed.filter(|c| own(&effect.table, c)).cloned());
                print.refer(&effect.after);
            }
        }
        print.reads.extend(entry.reads.iter().map(|r| (r.table.clone(), r.id)));
        print
    }

    fn refer_request(&mut self, request: &Request) {
        for parameter in request.parameters.values() {
            match parameter {
                Parameter::Entity(entity) => {
                    self.refers.extend(entity.id.map(|id| (entity.table.clone(), id)));
                    self.refer(&entity.attributes);
                    self.refer(&entity.key);
                }
                Parameter::Value(value) => self.refer_value(value),
                Parameter::References(references) => {
                    self.refers.extend(references.iter().map(|r| (r.table.clone(), r.id)));
                }
                _ => {}
            }
        }
    }

    fn refer(&mut self, attributes: &Attributes) {
        for value in attributes.values() {
            self.refer_value(value);
        }
    }

    fn refer_value(&mut self, value: &Value) {
        if let Value::Reference(reference) = value {
            self.refers.insert((reference.table.clone(), reference.id));
        }
    }

    /// The first refused entry that this one depends on. `original` is the place of this one in the
    /// order of what the person did: a retry stands where the retried entry stood, so two refused
    /// entries never wait for each other.
    pub(super) fn blocked_by(
        &self,
        tx: &mut Tx,
        journal: JournalId,
        original: u64,
    ) -> Result<Option<u64>, StoreError> {
        let rows: BTreeSet<&Row> =
            self.writes.keys().map(|(row, _)| row).chain(&self.refers).chain(&self.reads).collect();
        let mut first: Option<RefusedWrite> = None;
        for row in rows {
            for refused in tx.refused_writes(journal, &row.0, row.1)? {
                let earlier = refused.original < original && self.depends(row, &refused);
                if earlier && first.as_ref().is_none_or(|f| refused.original < f.original) {
                    first = Some(refused);
                }
            }
        }
        Ok(first.map(|refused| refused.sequence))
    }

    fn depends(&self, row: &Row, refused: &RefusedWrite) -> bool {
        let writes = || self.writes.iter().filter(|((written, _), _)| written == row);
        match refused.kind {
            // Whatever touches a row that does not exist cannot be right.
            EffectKind::Created => true,
            EffectKind::Updated => {
                let overlaps = writes().any(|((_, kind), columns)| {
                    *kind == Kind::Updated && refused.columns.iter().any(|c| columns.contains(c))
                });
                overlaps || self.reads.contains(row)
            }
            EffectKind::Deleted => writes().next().is_some() || self.reads.contains(row),
        }
    }

    /// Keeps the write set of an entry that was refused.
    pub(super) fn remember(
        &self,
        tx: &mut Tx,
        journal: JournalId,
        (sequence, original): (u64, u64),
    ) -> Result<(), StoreError> {
        tx.put_refused_entry(journal, sequence, original)?;
        for (((table, id), kind), columns) in &self.writes {
            let columns = columns.iter().cloned().collect();
            let write = RefusedWrite { sequence, original, kind: (*kind).into(), columns };
            tx.put_refused_write(journal, (table, *id), &write)?;
        }
        Ok(())
    }
}

/// The fault of an entry that waits for another one.
pub(super) fn blocked(by: u64) -> Fault {
    Fault::new(code::BLOCKED, format!("The operation depends on entry {by}, which was refused."))
        .hint(format!("Retry, edit or discard entry {by} first, then retry this one."))
}
