//! The registry: the registered steps in the order in which they run, with their loaded plug-ins.
//!
//! A package that the trust file does not allow is skipped, and says why. Never runs anything.

use crate::package::facts;
use offstage_model::registration::{Mode, Package, Stage, Step};
use offstage_model::{Fault, Timestamp, Uuid, code};
use offstage_policy::{Decision, Holder, PackageFacts, Permissions, PolicyFile, TrustFile, decide};
use offstage_sandbox::{PackageFile, Plugin, Sandbox};
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
    runnable: BTreeMap<String, Runnable>,
    /// The first moment at which a rule that allowed a package does not hold any more.
    until: Option<Timestamp>,
}

/// A package that runs here.
struct Runnable {
    plugin: Arc<Plugin>,
    permissions: Arc<Permissions>,
}

/// What decides about packages: the operator's two files, at a moment.
pub(crate) struct Keys<'a> {
    pub(crate) trust: &'a TrustFile,
    pub(crate) policy: &'a PolicyFile,
    pub(crate) now: Timestamp,
}

impl Registry {
    /// Reads the registration and loads the plug-ins that may run.
    pub(crate) fn load(tx: &mut Tx, sandbox: &Sandbox, keys: &Keys<'_>) -> Result<Self, Fault> {
        let version = tx.registration_version()?;
        let packages = tx.packages()?;
        let mut runnable = BTreeMap::new();
        let mut skipped = Vec::new();
        let mut ends = Vec::new();
        for package in &packages {
            match load_package(tx, sandbox, keys, package)? {
                Ok((loaded, until)) => {
                    runnable.insert(package.id.clone(), loaded);
                    ends.extend(until);
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
        let until = ends.into_iter().min();
        Ok(Self { version, steps, packages, skipped, hash, runnable, until })
    }

    /// Whether it still says what a fresh one would, as far as the registration and time go.
    pub(crate) fn holds(&self, version: u64, now: Timestamp) -> bool {
        self.version == version && self.until.is_none_or(|until| now < until)
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
        step.enabled && self.runnable.contains_key(&step.package)
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
        self.runnable.get(package).map(|package| Arc::clone(&package.plugin))
    }

    /// What a package that runs here may do.
    #[must_use]
    pub fn permissions(&self, package: &str) -> Option<Arc<Permissions>> {
        self.runnable.get(package).map(|package| Arc::clone(&package.permissions))
    }
}

type Loaded = (Runnable, Option<Timestamp>);

fn load_package(
    tx: &mut Tx,
    sandbox: &Sandbox,
    keys: &Keys<'_>,
    package: &Package,
) -> Result<Result<Loaded, SkippedPackage>, Fault> {
    let skip = |reason: String, hint: String| SkippedPackage {
        package: package.id.clone(),
        sha256: package.sha256.clone(),
        reason,
        hint,
        damaged: false,
    };
    // Damage counts for a package that the operator wants to run; another one is just not trusted.
    let damaged = |reason: String, hint: &str| SkippedPackage {
        damaged: is_expected(keys, package),
        ..skip(reason, hint.into())
    };
    if !package.enabled {
        let hint = format!("`offstage plugin enable {}` enables it.", package.id);
        return Ok(Err(skip("it is disabled".into(), hint)));
    }
    let Some(bytes) = tx.package_bytes(&package.id)? else {
        return Ok(Err(damaged("its content is missing".into(), "Add the package again.")));
    };
    Ok(admit(sandbox, keys, package, &bytes).map_err(|refusal| match refusal {
        Refusal::Denied { reason, hint } => skip(reason, hint),
        Refusal::Damaged { reason, hint } => damaged(reason, hint),
    }))
}

/// Why a package does not run.
enum Refusal {
    /// The operator's files do not allow it.
    Denied { reason: String, hint: String },
    /// Its content is not what was registered, or does not load.
    Damaged { reason: String, hint: &'static str },
}

/// Whether the operator allows a package whose content cannot be asked: by a pin of what was
/// registered, or because a publisher may sign it.
fn is_expected(keys: &Keys<'_>, package: &Package) -> bool {
    let (id, version, sha256) = (&package.id, &package.version, &package.sha256);
    let facts = PackageFacts { id, version, sha256, signed: None };
    decide(keys.trust, &facts, keys.now).is_allowed()
        || keys.trust.publishers().iter().any(|publisher| publisher.signs(id))
}

/// Reads, hashes, verifies and compiles the same bytes; says why not, and what to do.
fn admit(
    sandbox: &Sandbox,
    keys: &Keys<'_>,
    package: &Package,
    bytes: &[u8],
) -> Result<Loaded, Refusal> {
    let again = "The store is damaged; add the package again.";
    let damaged = |reason: String| Refusal::Damaged { reason, hint: again };
    let content = PackageFile::read(bytes).map_err(|error| damaged(error.to_string()))?;
    if content.sha256 != package.sha256 {
        let hash = &content.sha256;
        return Err(damaged(format!("its content has the hash {hash}, not {}", package.sha256)));
    }
    let (publisher, until) = match decide(keys.trust, &facts(&content), keys.now) {
        Decision::Denied { reason, hint } => return Err(Refusal::Denied { reason, hint }),
        Decision::Allowed { publisher, until, .. } => (publisher, until),
    };
    let plugin = sandbox.load(content.component).map_err(|error| {
        tracing::error!(package = package.id, %error, "cannot load plug-in package");
        Refusal::Damaged {
            reason: error.to_string(),
            hint: "Build the package again for this version.",
        }
    })?;
    let permissions = permissions(keys, &content, publisher.as_deref())?;
    Ok((Runnable { plugin: Arc::new(plugin), permissions: Arc::new(permissions) }, until))
}

fn permissions(
    keys: &Keys<'_>,
    content: &PackageFile<'_>,
    publisher: Option<&str>,
) -> Result<Permissions, Refusal> {
    let ceiling = publisher.and_then(|name| keys.trust.publisher(name)).map(|p| &p.ceiling);
    let holder = Holder { package: &content.declaration.package, publisher, ceiling };
    let requests = content.declaration.all_requests();
    Permissions::new(keys.policy, &holder, requests).map_err(|(index, error)| Refusal::Denied {
        reason: format!("its request {} is not usable: {error}", index + 1),
        hint: "The package's author must correct it.".to_owned(),
    })
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
