//! What a new build of a package keeps of the one that it replaces, and which builds never take the
//! place of another.
//!
//! Never stores anything but the newest versions that a device had.

use crate::registration::invalid_content;
use crate::registry::Registry;
use offstage_model::registration::{Package, PackageDeclaration, Step, StepDeclaration};
use offstage_model::{Fault, code};
use offstage_policy::{PackagePattern, TrustFile};
use offstage_sandbox::PackageFile;
use offstage_store::{StoreError, Tx};
use semver::Version;
use std::collections::BTreeMap;

/// The setting with the newest version of each package that was allowed to run on this device.
const NEWEST: &str = "plugins.newest";

/// What is registered of a package before a new build comes.
pub(crate) struct Before {
    package: Option<Package>,
    declared: Option<PackageDeclaration>,
}

impl Before {
    pub(crate) fn of(tx: &mut Tx, id: &str) -> Result<Self, StoreError> {
        let package = tx.packages()?.into_iter().find(|known| known.id == id);
        let bytes = tx.package_bytes(id)?;
        let declared = bytes.and_then(|b| PackageFile::read(&b).ok().map(|file| file.declaration));
        Ok(Self { package, declared })
    }

    /// What somebody disabled stays disabled.
    pub(crate) fn is_enabled(&self) -> bool {
        self.package.as_ref().is_none_or(|package| package.enabled)
    }

    fn step(&self, key: &str) -> Option<&StepDeclaration> {
        let types = self.declared.iter().flat_map(|declared| &declared.types);
        types.flat_map(|t| &t.steps).find(|step| step.key == key)
    }

    /// Whether the step was added by somebody, and not declared by the package.
    pub(crate) fn was_added(&self, step: &Step) -> bool {
        self.declared.is_some() && self.step(&step.declaration.key).is_none()
    }

    /// What the new build declares, with what somebody had changed of the old declaration; a notice
    /// for each of these.
    pub(crate) fn keep(
        &self,
        registered: &Step,
        declared: &StepDeclaration,
        notices: &mut Vec<String>,
    ) -> StepDeclaration {
        let mut kept = declared.clone();
        let Some(old) = self.step(&declared.key) else {
            return kept;
        };
        let now = &registered.declaration;
        let mut note = |what: &str| {
            notices.push(format!(
                "The step '{}' keeps its {what}, which was changed here.",
                declared.key
            ));
        };
        if now.rank != old.rank && now.rank != kept.rank {
            kept.rank = now.rank;
            note("rank");
        }
        if now.configuration != old.configuration && now.configuration != kept.configuration {
            kept.configuration.clone_from(&now.configuration);
            note("configuration");
        }
        if now.secure_configuration != old.secure_configuration
            && now.secure_configuration != kept.secure_configuration
        {
            kept.secure_configuration.clone_from(&now.secure_configuration);
            note("secure configuration");
        }
        kept
    }
}

/// An older version never takes the place of a newer one: it may have holes that are closed. Nor is
/// there room for two ids that people cannot tell apart.
pub(crate) fn refuse_takeover(tx: &mut Tx, package: &Package) -> Result<(), Fault> {
    let version = parse_version(&package.version)?;
    for known in tx.packages()? {
        if known.id != package.id && known.id.eq_ignore_ascii_case(&package.id) {
            return Err(Fault::new(
                code::INVALID_REGISTRATION,
                format!(
                    "The package id '{}' differs from '{}', which is registered, in case only.",
                    package.id, known.id
                ),
            )
            .hint("Build it with the id that is registered, or with another one."));
        }
        // One that was registered before versions were compared gives way to any.
        if known.id == package.id
            && Version::parse(&known.version).is_ok_and(|known| version < known)
        {
            return Err(Fault::new(
                code::INVALID_REGISTRATION,
                format!(
                    "The package '{}' {version} is older than {}, which is registered.",
                    package.id, known.version
                ),
            )
            .hint("Build it with a higher version, or remove the registered one first."));
        }
    }
    Ok(())
}

fn parse_version(text: &str) -> Result<Version, Fault> {
    Version::parse(text).map_err(|error| {
        invalid_content(&format!("its version {text:?} is not one such as 1.2.0: {error}"))
    })
}

/// The newest version of each package that a device has let run.
#[derive(Default)]
pub(crate) struct Newest(BTreeMap<String, String>);

impl Newest {
    pub(crate) fn load(tx: &mut Tx) -> Result<Self, StoreError> {
        Ok(Self(tx.get_setting(NEWEST)?.unwrap_or_default()))
    }

    /// Remembers what `registry` lets run. A version that nobody here trusts counts for nothing: it
    /// could keep every later one away.
    pub(crate) fn remember(tx: &mut Tx, registry: &Registry) -> Result<(), StoreError> {
        let mut newest = Self::load(tx)?;
        for package in &registry.packages {
            let Ok(version) = Version::parse(&package.version) else { continue };
            let is_news = newest.of(&package.id).is_none_or(|known| known < version);
            if is_news && registry.permissions(&package.id).is_some() {
                newest.0.insert(package.id.clone(), package.version.clone());
            }
        }
        tx.put_setting(NEWEST, &newest.0)
    }

    fn of(&self, id: &str) -> Option<Version> {
        Version::parse(self.0.get(id)?).ok()
    }

    /// The newer version that ran here, unless the operator has said what the oldest of this package
    /// is.
    pub(crate) fn forbids(&self, trust: &TrustFile, id: &str, version: &str) -> Option<Version> {
        let newest = self.of(id)?;
        let is_older = Version::parse(version).is_ok_and(|version| version < newest);
        let one = PackagePattern::One(id.to_owned());
        let is_said = trust.minimums().iter().any(|minimum| minimum.package == one);
        (is_older && !is_said).then_some(newest)
    }
}
