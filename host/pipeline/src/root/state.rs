//! What a pipeline knows and is made of: the operator's two files, the registry that follows from
//! them, the settings that outlive the process, and its parts.
//!
//! Never runs a request.

use super::{PluginSet, State, settings};
use crate::audit::{Audit, AuditRecord, SkipRecord};
use crate::capture::CapturePolicy;
use crate::file_doors::{FileDoors, NamedDirectory};
use crate::options::{Limits, Organization, Side};
use crate::registry::{Keys, Registry, SkippedPackage};
use crate::root::Pipeline;
use crate::suspension::Health;
use crate::trace::TraceLevel;
use offstage_model::{Catalog, Clock, Fault, Randomness};
use offstage_policy::{PolicyFile, TrustFile};
use offstage_sandbox::Sandbox;
use offstage_store::{Store, Tx};
use serde::Serialize;
use std::sync::{Arc, MutexGuard, PoisonError};

impl Pipeline {
    /// What may run, as of `tx`.
    pub(crate) fn plugin_set(&self, tx: &mut Tx) -> Result<PluginSet, Fault> {
        Ok(PluginSet { registry: self.current_registry(tx)?, health: self.current_health(tx)? })
    }

    /// The directories that the policy names.
    pub(crate) fn file_doors(&self) -> Arc<FileDoors> {
        Arc::clone(&self.0.state.read().unwrap_or_else(PoisonError::into_inner).files)
    }

    /// The directories that the policy names, each with the reason when it cannot be used.
    #[must_use]
    pub fn directories(&self) -> Vec<NamedDirectory> {
        self.file_doors().all()
    }

    /// Held while file changes are carried out, so that their order holds.
    pub(crate) fn file_changes_lock(&self) -> MutexGuard<'_, ()> {
        self.0.file_changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn cached_health(&self) -> Option<Arc<Health>> {
        self.0.state.read().unwrap_or_else(PoisonError::into_inner).health.clone()
    }

    pub(crate) fn cache_health(&self, health: Option<Arc<Health>>) {
        self.state_mut(|state| state.health = health);
    }

    /// The registry of the current registration version.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn registry(&self) -> Result<Arc<Registry>, Fault> {
        let mut tx = self.store().read()?;
        self.current_registry(&mut tx)
    }

    pub(crate) fn current_registry(&self, tx: &mut Tx) -> Result<Arc<Registry>, Fault> {
        let version = tx.registration_version()?;
        let now = self.clock().now();
        loop {
            let (number, trust, policy) = {
                let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
                match &state.registry {
                    Some(known) if known.holds(version, now) => return Ok(Arc::clone(known)),
                    _ => (state.keys, state.trust.clone(), state.policy.clone()),
                }
            };
            let keys = Keys { trust: &trust, policy: &policy, now };
            let registry = Arc::new(Registry::load(tx, self.sandbox(), &keys)?);
            // Loading takes time. What was read from files that were replaced meanwhile must neither
            // stay nor decide: a revocation would be lost.
            let news = self.state_mut(|state| {
                (state.keys == number).then(|| {
                    state.registry = Some(Arc::clone(&registry));
                    let before = std::mem::replace(&mut state.skipped, registry.skipped.clone());
                    registry.skipped.iter().filter(|s| !before.contains(s)).cloned().collect()
                })
            });
            if let Some(news) = news {
                self.announce_skipped(news);
                return Ok(registry);
            }
        }
    }

    fn announce_skipped(&self, skipped: Vec<SkippedPackage>) {
        let record = |skipped: SkippedPackage| {
            let SkippedPackage { package, sha256, reason, hint, .. } = skipped;
            tracing::warn!(package, reason, "plug-in package skipped");
            let time = self.clock().now().0;
            AuditRecord::Skip(SkipRecord { time, package, sha256, reason, remedy: hint })
        };
        self.announce(skipped.into_iter().map(record).collect());
    }

    pub(super) fn state_mut<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.state.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The metadata in force.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        self.store().catalog()
    }

    pub(crate) fn audit(&self) -> &Arc<dyn Audit> {
        &self.0.audit
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// The random source.
    #[must_use]
    pub fn random(&self) -> &Arc<dyn Randomness> {
        &self.0.random
    }

    /// The side of the wire.
    #[must_use]
    pub fn side(&self) -> Side {
        self.0.side
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// The organization.
    #[must_use]
    pub fn organization(&self) -> Organization {
        self.0.state.read().unwrap_or_else(PoisonError::into_inner).organization.clone()
    }

    /// Which step runs are traced.
    #[must_use]
    pub fn trace_level(&self) -> TraceLevel {
        self.0.state.read().unwrap_or_else(PoisonError::into_inner).trace_level
    }

    /// Sets which step runs are traced, durably.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn set_trace_level(&self, level: TraceLevel) -> Result<(), Fault> {
        self.put_setting(settings::TRACE_LEVEL, &level)?;
        self.state_mut(|state| state.trace_level = level);
        Ok(())
    }

    /// Which runs are captured, and how many captures are kept.
    #[must_use]
    pub fn capture_policy(&self) -> CapturePolicy {
        self.with_capture_policy(CapturePolicy::clone)
    }

    /// Sets which runs are captured and how many captures are kept, durably.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn set_capture_policy(&self, policy: CapturePolicy) -> Result<(), Fault> {
        self.put_setting(settings::CAPTURE, &policy)?;
        let mut tx = self.store().write()?;
        tx.prune_captures(policy.count_max, policy.bytes_max)?;
        tx.commit()?;
        self.state_mut(|state| state.capture = policy);
        Ok(())
    }

    pub(crate) fn with_capture_policy<T>(&self, look: impl FnOnce(&CapturePolicy) -> T) -> T {
        look(&self.0.state.read().unwrap_or_else(PoisonError::into_inner).capture)
    }

    /// Takes the organization of the server that a device was connected to, durably.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn set_organization(&self, organization: Organization) -> Result<(), Fault> {
        self.put_setting(settings::ORGANIZATION, &organization)?;
        self.state_mut(|state| state.organization = organization);
        Ok(())
    }

    /// Takes a new trust file; packages are looked at again by the next request.
    pub fn set_trust(&self, trust: TrustFile) {
        self.set_keys(Some(trust), None);
    }

    /// Takes a new policy file; what each package may do is worked out again by the next request.
    pub fn set_policy(&self, policy: PolicyFile) {
        self.set_keys(None, Some(policy));
    }

    /// Takes new files, in one step where both are given.
    pub fn set_keys(&self, trust: Option<TrustFile>, policy: Option<PolicyFile>) {
        let files = policy
            .as_ref()
            .map(|policy| Arc::new(FileDoors::open(policy, Some(self.store().path()))));
        self.state_mut(|state| {
            state.keys += 1;
            state.registry = None;
            state.trust = trust.unwrap_or_else(|| std::mem::take(&mut state.trust));
            state.policy = policy.unwrap_or_else(|| std::mem::take(&mut state.policy));
            state.files = files.unwrap_or_else(|| Arc::clone(&state.files));
        });
        // A directory that can be used again gets what waited for it.
        self.after_commit();
    }

    /// Whether these are the files that are in force.
    #[must_use]
    pub fn has_keys(&self, trust: &TrustFile, policy: &PolicyFile) -> bool {
        self.with_keys(|keys| (keys.trust, keys.policy) == (trust, policy))
    }

    pub(crate) fn sandbox(&self) -> &Arc<Sandbox> {
        &self.0.sandbox
    }

    /// Shows the operator's two files to `look`.
    pub(crate) fn with_keys<T>(&self, look: impl FnOnce(&Keys<'_>) -> T) -> T {
        let now = self.clock().now();
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        look(&Keys { trust: &state.trust, policy: &state.policy, now })
    }

    pub(super) fn put_setting<T: Serialize>(&self, key: &str, value: &T) -> Result<(), Fault> {
        let mut tx = self.store().write()?;
        tx.put_setting(key, value)?;
        Ok(tx.commit()?)
    }
}
