//! Listens to the policy during a pass: what the package was allowed to do and did, and what it was
//! denied.

use offstage_pipeline::{Audit, AuditRecord, DenialRecord};
use offstage_policy::Capability;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A capability as its kind and its resource.
pub(crate) type Named = (&'static str, String);

/// What was seen.
#[derive(Default)]
pub(crate) struct Watch(Mutex<Seen>);

/// What was seen.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) used: BTreeSet<Named>,
    pub(crate) denied: Vec<DenialRecord>,
}

impl Watch {
    /// What was seen so far.
    pub(crate) fn seen(&self) -> Seen {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Audit for Watch {
    fn record(&self, record: &AuditRecord) {
        // A suspension is seen by the runs that it ends.
        if let AuditRecord::Denial(denial) = record {
            self.lock().denied.push(denial.clone());
        }
    }

    fn used(&self, _package: &str, capabilities: &[Capability<'_>]) {
        let named = capabilities.iter().map(|one| (one.kind(), one.resource()));
        self.lock().used.extend(named);
    }
}
