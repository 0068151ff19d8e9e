//! The registry: the registered steps in the order in which they run, with their loaded plug-ins.
//!
//! A package that the trust file does not allow is skipped, and says why. Never runs anything.

use crate::package::facts;
use crate::upgrade::Newest;
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
    /// Packages that run here.
    plugins: BTreeMap<String, Arc<Plugin>>,
    /// What each package that is allowed here may do; disabled ones too, because their steps may have
    /// run on a device.
    permissions: BTreeMap<String, Arc<Permissions>>,
    /// The first moment at which a rule that allowed a package does not hold any more.
    until: Option<Timestamp>,
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
        let mut plugins = BTreeMap::new();
        let mut permissions = BTreeMap::new();
        let mut skipped = Vec::new();
        let mut ends = Vec::new();
        let newest = Newest::load(tx)?;
        for package in &packages {
            let bytes = tx.package_bytes(&package.id)?;
            let admitted = refuse_look_alikes(&packages, package)
                .and_then(|()| admit(keys, package, bytes.as_deref()))
                .and_then(|admitted| refuse_older(keys, &newest, package).map(|()| admitted));
            match admitted {
                Ok(admitted) => {
                    permissions.insert(package.id.clone(), Arc::new(admitted.permissions));
                    ends.extend(admitted.until);
                    match start(sandbox, package, admitted.component) {
                        Ok(plugin) => drop(plugins.insert(package.id.clone(), Arc::new(plugin))),
                        Err(refusal) => skipped.push(refusal.skipped(keys, package)),
                    }
                }
                Err(refusal) => skipped.push(refusal.skipped(keys, package)),
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
        Ok(Self { version, steps, packages, skipped, hash, plugins, permissions, until })
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
        step.enabled && self.plugins.contains_key(&step.package)
    }

    /// Why a package does not run here, whoever decided that, or nobody.
    pub(crate) fn skip(&self, package: &str) -> Option<&SkippedPackage> {
        self.skipped.iter().find(|skipped| skipped.package == package)
    }

    /// Whether somebody has disabled a package.
    pub(crate) fn is_disabled(&self, package: &str) -> bool {
        self.packages.iter().any(|known| known.id == package && !known.enabled)
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

    /// What a package that is allowed here may do, also while it is disabled.
    #[must_use]
    pub fn permissions(&self, package: &str) -> Option<Arc<Permissions>> {
        self.permissions.get(package).cloned()
    }
}

/// A package whose content is whole, and which the operator's files allow.
struct Admitted<'a> {
    component: &'a [u8],
    permissions: Permissions,
    until: Option<Timestamp>,
}

/// Why a package does not run.
enum Refusal {
    /// Somebody decided so: the operator's files, or whoever disabled it.
    Denied { reason: String, hint: String },
    /// Its content is not what was registered, or does not load.
    Damaged { reason: String, hint: &'static str },
}

impl Refusal {
    fn skipped(self, keys: &Keys<'_>, package: &Package) -> SkippedPackage {
        let (reason, hint, damaged) = match self {
            Self::Denied { reason, hint } => (reason, hint, false),
            // Damage counts for a package that the operator wants to run; another one is just not
            // trusted.
            Self::Damaged { reason, hint } => {
                (reason, hint.to_owned(), package.enabled && is_expected(keys, package))
            }
        };
        let (package, sha256) = (package.id.clone(), package.sha256.clone());
        SkippedPackage { package, sha256, reason, hint, damaged }
    }
}

/// Whether the operator allows a package whose content cannot be asked: by a pin of what was
/// registered, or because a publisher may sign it.
fn is_expected(keys: &Keys<'_>, package: &Package) -> bool {
    let (id, version, sha256) = (&package.id, &package.version, &package.sha256);
    let facts = PackageFacts { id, version, sha256, signed: None };
    decide(keys.trust, &facts, keys.now).is_allowed()
        || keys.trust.publishers().iter().any(|publisher| publisher.signs(id))
}

/// Reads, hashes and verifies the content; says why not, and what to do.
fn admit<'a>(
    keys: &Keys<'_>,
    package: &Package,
    bytes: Option<&'a [u8]>,
) -> Result<Admitted<'a>, Refusal> {
    let damaged = |reason: String, hint| Refusal::Damaged { reason, hint };
    let bytes =
        bytes.ok_or_else(|| damaged("its content is missing".into(), "Add the package again."))?;
    let again = "The store is damaged; add the package again.";
    let content = PackageFile::read(bytes).map_err(|error| damaged(error.to_string(), again))?;
    if content.sha256 != package.sha256 {
        let hash = &content.sha256;
        let reason = format!("its content has the hash {hash}, not {}", package.sha256);
        return Err(damaged(reason, again));
    }
    let (publisher, until) = match decide(keys.trust, &facts(&content), keys.now) {
        Decision::Denied { reason, hint } => return Err(Refusal::Denied { reason, hint }),
        Decision::Allowed { publisher, until, .. } => (publisher, until),
    };
    let permissions = permissions(keys, &content, publisher.as_deref())?;
    Ok(Admitted { component: content.component, permissions, until })
}

/// Refuses an id that people cannot tell from another one. Registration does not let it come to that;
/// a device takes what its server has.
fn refuse_look_alikes(packages: &[Package], package: &Package) -> Result<(), Refusal> {
    let other = packages
        .iter()
        .find(|other| other.id != package.id && other.id.eq_ignore_ascii_case(&package.id));
    let Some(other) = other else { return Ok(()) };
    Err(Refusal::Denied {
        reason: format!("its id differs from that of '{}' in case only", other.id),
        hint: "Remove one of both on the server.".to_owned(),
    })
}

/// Refuses a version that is older than one that ran on this device.
fn refuse_older(keys: &Keys<'_>, newest: &Newest, package: &Package) -> Result<(), Refusal> {
    let (id, version) = (&package.id, &package.version);
    let Some(newer) = newest.forbids(keys.trust, id, version) else { return Ok(()) };
    Err(Refusal::Denied {
        reason: format!("its version is {version}, and {newer} has run here"),
        hint: format!(
            "If the older one is wanted, say so in trust.toml:\n{}",
            TrustFile::minimum_lines(id, version, "…")
        ),
    })
}

/// Compiles the bytes that were verified, unless the package is disabled.
fn start(sandbox: &Sandbox, package: &Package, component: &[u8]) -> Result<Plugin, Refusal> {
    if !package.enabled {
        let hint = format!("`offstage plugin enable {}` enables it.", package.id);
        return Err(Refusal::Denied { reason: "it is disabled".into(), hint });
    }
    sandbox.load(component).map_err(|error| {
        tracing::error!(package = package.id, %error, "cannot load plug-in package");
        Refusal::Damaged {
            reason: error.to_string(),
            hint: "Build the package again for this version.",
        }
    })
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
