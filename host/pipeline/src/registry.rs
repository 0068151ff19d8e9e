//! The registry: the registered steps in the order in which they run, with their loaded plug-ins.
//!
//! A package that the trust file does not allow is skipped, and says why. Never runs anything.

use offstage_model::registration::{Mode, Package, Stage, Step};
use offstage_model::{Fault, Uuid, code};
use offstage_policy::{Decision, TrustFile, decide};
use offstage_sandbox::{Plugin, Sandbox};
use offstage_store::Tx;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A package that does not run here, and why. Never silent (`departures.md`, seed 002).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedPackage {
    /// The package id.
    pub package: String,
    /// Its content hash.
    pub sha256: String,
    /// Why.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
    /// It is allowed, and its content is damaged or does not load: nobody decided that its rules do
    /// not count. On a server its steps refuse.
    pub damaged: bool,
}

/// All registered steps of one registration version.
pub struct Registry {
    /// The registration version that this was read from.
    pub version: u64,
    /// Every registered step, in run order.
    pub steps: Vec<Arc<Step>>,
    /// Every registered package.
    pub packages: Vec<Package>,
    /// Packages that do not run here.
    pub skipped: Vec<SkippedPackage>,
    /// A hash of packages and steps: the plug-in set of journal entries.
    pub hash: String,
    plugins: BTreeMap<String, Arc<Plugin>>,
}

impl Registry {
    /// Reads the registration and loads the plug-ins that may run.
    pub(crate) fn load(tx: &mut Tx, sandbox: &Sandbox, trust: &TrustFile) -> Result<Self, Fault> {
        let version = tx.registration_version()?;
        let packages = tx.packages()?;
        let mut plugins = BTreeMap::new();
        let mut skipped = Vec::new();
        for package in &packages {
            match load_plugin(tx, sandbox, trust, package)? {
                Ok(plugin) => {
                    plugins.insert(package.id.clone(), Arc::new(plugin));
                }
                Err(reason) => skipped.push(reason),
            }
        }
        let mut steps: Vec<Arc<Step>> = tx.steps()?.into_iter().map(Arc::new).collect();
        // Ties of the rank are decided by the author's key, which is the same on both sides.
        steps.sort_by(|a, b| {
            let order = |s: &Step| (s.declaration.stage, s.declaration.rank);
            order(a).cmp(&order(b)).then_with(|| a.declaration.key.cmp(&b.declaration.key))
        });
        let hash = plugin_set_hash(&packages, &steps);
        Ok(Self { version, steps, packages, skipped, hash, plugins })
    }

    /// The step with this key.
    #[must_use]
    pub fn step(&self, key: &str) -> Option<&Arc<Step>> {
        self.steps.iter().find(|step| step.declaration.key == key)
    }

    /// Synchronous steps of a message, table and stage, in run order, enabled or not.
    pub(crate) fn steps_of(&self, message: &str, table: &str, stage: Stage) -> Vec<Arc<Step>> {
        let fits = |step: &&Arc<Step>| {
            let d = &step.declaration;
            d.stage == stage
                && d.mode == Mode::Synchronous
                && d.message == message
                && (d.table.is_empty() || d.table == table)
        };
        self.steps.iter().filter(fits).cloned().collect()
    }

    /// Whether any enabled step listens to a message on a table.
    pub(crate) fn listens(&self, message: &str, table: &str) -> bool {
        self.steps.iter().any(|step| {
            let d = &step.declaration;
            step.enabled && d.message == message && (d.table.is_empty() || d.table == table)
        })
    }

    /// Whether a step can run: it and its package are enabled and the package was loaded.
    #[must_use]
    pub fn is_runnable(&self, step: &Step) -> bool {
        step.enabled && self.plugins.contains_key(&step.package)
    }

    /// Why a package that may run cannot.
    pub(crate) fn damage(&self, package: &str) -> Option<&SkippedPackage> {
        self.skipped.iter().find(|skipped| skipped.damaged && skipped.package == package)
    }

    /// The hash of the registered build of a package; empty for none.
    pub(crate) fn build(&self, package: &str) -> &str {
        self.packages.iter().find(|known| known.id == package).map_or("", |p| p.sha256.as_str())
    }

    /// The loaded plug-in of a package.
    pub(crate) fn plugin(&self, package: &str) -> Option<Arc<Plugin>> {
        self.plugins.get(package).cloned()
    }
}

fn load_plugin(
    tx: &mut Tx,
    sandbox: &Sandbox,
    trust: &TrustFile,
    package: &Package,
) -> Result<Result<Plugin, SkippedPackage>, Fault> {
    let skip = |reason: String, hint: String| SkippedPackage {
        package: package.id.clone(),
        sha256: package.sha256.clone(),
        reason,
        hint,
        damaged: false,
    };
    let damaged =
        |reason: String, hint: &str| SkippedPackage { damaged: true, ..skip(reason, hint.into()) };
    if !package.enabled {
        let hint = format!("`offstage plugin enable {}` enables it.", package.id);
        return Ok(Err(skip("it is disabled".into(), hint)));
    }
    if let Decision::Denied { reason, hint } = decide(trust, &package.id, &package.sha256) {
        return Ok(Err(skip(reason, hint)));
    }
    let Some(bytes) = tx.package_bytes(&package.id)? else {
        return Ok(Err(damaged("its content is missing".into(), "Add the package again.")));
    };
    // The hash that was allowed must be the hash of the bytes that are compiled.
    let actual = hex::encode(Sha256::digest(&bytes));
    if actual != package.sha256 {
        let reason = format!("its content has the hash {actual}, not {}", package.sha256);
        return Ok(Err(damaged(reason, "The store is damaged; add the package again.")));
    }
    Ok(sandbox.load(&bytes).map_err(|error| {
        tracing::error!(package = package.id, %error, "cannot load plug-in package");
        damaged(error.to_string(), "Build the package again for this version.")
    }))
}

/// A hash of what may run: the same on both sides when they have the same packages and steps.
fn plugin_set_hash(packages: &[Package], steps: &[Arc<Step>]) -> String {
    let mut hasher = Sha256::new();
    for package in packages {
        hasher.update(&package.id);
        hasher.update(&package.sha256);
    }
    for step in steps {
        let json = serde_json::to_vec(&step.declaration);
        hasher.update(json.expect("BUG: model types always have a JSON form"));
    }
    hex::encode(hasher.finalize())
}

/// The error for a step that is not registered.
pub(crate) fn unknown_step(key: &str) -> Fault {
    Fault::new(code::NOT_FOUND, format!("There is no step '{key}'."))
        .hint("`offstage step list` shows the steps.")
}

/// The id of a step, derived from its key, so that it is the same on server and device.
pub(crate) fn step_id(key: &str) -> Uuid {
    offstage_model::identity::Lineage::root(Uuid::nil()).keyed_guid(key)
}
