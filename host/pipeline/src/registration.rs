//! Registration: packages, steps and metadata, checked and refused with one clear sentence.
//!
//! Source: `pipeline.md`, "Registration"; reference/dynamics.md, section 3. Never runs a plug-in.

use crate::access::{is_available_offline, require_administrator};
use crate::audit::{AuditRecord, RefusalRecord};
use crate::caller::Caller;
use crate::package::facts;
use crate::registry::{SkippedPackage, step_id, unknown_step};
use crate::root::Pipeline;
use crate::upgrade::{Before, Newest, refuse_takeover};
use offstage_model::metadata::{Catalog, DefinitionFile};
use offstage_model::registration::{
    Deployment, ImageKind, Mode, Package, PackageDeclaration, Stage, Step, StepDeclaration,
};
use offstage_model::request::message;
use offstage_model::{Fault, code};
use offstage_policy::{CapabilitySet, Decision, RegistrationDenial, decide};
use offstage_sandbox::PackageFile;
use offstage_store::Tx;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The longest key of a step.
const STEP_KEY_LENGTH_MAX: usize = 200;
/// The longest configuration of a step, in bytes.
const CONFIGURATION_LENGTH_MAX: usize = 64 * 1024;

/// What a registration did.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The package.
    pub package: Package,
    /// Its steps.
    pub steps: Vec<Step>,
    /// What the person who registers should know.
    pub notices: Vec<String>,
}

/// A change of a registered step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepChange {
    /// On or off.
    Enabled(bool),
    /// Another rank.
    Rank(i32),
    /// Another unsecure configuration.
    Configuration(String),
    /// Another secure configuration; for server-only steps.
    SecureConfiguration(String),
}

impl Pipeline {
    /// Adds tables and columns, and migrates the store.
    ///
    /// # Errors
    /// The caller is no administrator, or a definition is not valid; nothing changes then.
    pub fn define(&self, caller: &Caller, file: DefinitionFile) -> Result<Arc<Catalog>, Fault> {
        require_administrator(caller, "change metadata")?;
        let next = self.catalog().extended(file).map_err(|error| {
            Fault::new(code::INVALID_ARGUMENT, format!("The definition is not valid: {error}."))
        })?;
        self.adopt(next)?;
        Ok(self.catalog())
    }

    /// Takes a whole catalog: a device takes the server's.
    ///
    /// # Errors
    /// The store cannot be migrated.
    pub fn adopt(&self, catalog: Catalog) -> Result<(), Fault> {
        if *self.catalog() != catalog {
            self.store().migrate(catalog)?;
        }
        Ok(())
    }

    /// Registers a plug-in package with the steps that it declares; the same package id upgrades in
    /// place: what somebody has switched off, added or changed here stays as it is. A refusal is
    /// audited.
    ///
    /// # Errors
    /// The caller is no administrator, the content is no plug-in, the trust file does not allow it
    /// ([`code::PACKAGE_NOT_TRUSTED`]), or a step is not valid; nothing is registered then.
    pub fn register_package(&self, caller: &Caller, bytes: &[u8]) -> Result<Registered, Fault> {
        require_administrator(caller, "register plug-ins")?;
        let file = PackageFile::read(bytes).map_err(|e| invalid_content(&e.to_string()))?;
        let registered = self.register(&file, bytes);
        if let Err(fault) = &registered {
            self.announce(vec![AuditRecord::Refusal(RefusalRecord {
                time: self.clock().now().0,
                package: file.declaration.package.clone(),
                version: file.declaration.version.clone(),
                sha256: file.sha256.clone(),
                user: caller.user.to_string(),
                reason: fault.message.clone(),
            })]);
        }
        registered
    }

    fn register(&self, file: &PackageFile<'_>, bytes: &[u8]) -> Result<Registered, Fault> {
        let declaration = &file.declaration;
        self.require_trust(file)?;
        CapabilitySet::of_requests(declaration.all_requests()).map_err(|(index, error)| {
            invalid_content(&format!("its request {} is not usable: {error}", index + 1))
        })?;
        // Compile before anything is stored: a component of another world never gets in.
        self.sandbox().load(file.component).map_err(|e| invalid_content(&e.to_string()))?;
        let mut tx = self.store().write()?;
        let before = Before::of(&mut tx, &declaration.package)?;
        let package = Package {
            id: declaration.package.clone(),
            version: declaration.version.clone(),
            sha256: file.sha256.clone(),
            size: bytes.len() as u64,
            enabled: before.is_enabled(),
        };
        refuse_takeover(&mut tx, &package)?;
        let registered = self.store_package(&mut tx, &before, package, (declaration, bytes))?;
        tx.commit()?;
        Ok(registered)
    }

    fn store_package(
        &self,
        tx: &mut Tx,
        before: &Before,
        package: Package,
        (declaration, bytes): (&PackageDeclaration, &[u8]),
    ) -> Result<Registered, Fault> {
        let known = tx.steps()?;
        let mut notices = Vec::new();
        let mut steps = Vec::new();
        let mut keys = BTreeSet::new();
        for (plugin_type, step) in
            declaration.types.iter().flat_map(|t| t.steps.iter().map(move |s| (&t.name, s)))
        {
            let registered = known.iter().find(|k| k.declaration.key == step.key);
            let of_another = registered.is_some_and(|k| k.package != package.id);
            if !keys.insert(&step.key) || of_another {
                return Err(duplicate_key(&step.key));
            }
            let declaration = match registered {
                Some(registered) => before.keep(registered, step, &mut notices),
                None => step.clone(),
            };
            notices.extend(check_step(tx.catalog(), &declaration)?);
            self.require_registration(&package.id, &declaration)?;
            steps.push(Step {
                id: step_id(&step.key),
                package: package.id.clone(),
                plugin_type: plugin_type.clone(),
                declaration,
                enabled: registered.is_none_or(|k| k.enabled),
            });
        }
        tx.put_package(&package, bytes)?;
        let is_of_package = |k: &&Step| k.package == package.id;
        for step in known.iter().filter(is_of_package) {
            let key = &step.declaration.key;
            let has_type = declaration.types.iter().any(|t| t.name == step.plugin_type);
            if keys.contains(key) || (has_type && before.was_added(step)) {
                continue;
            }
            tx.remove_step(step.id)?;
            let why = if has_type { "the step" } else { "its plug-in type" };
            notices.push(format!("The step '{key}' is gone: {why} is no longer declared."));
        }
        if !package.enabled {
            let id = &package.id;
            notices.push(format!(
                "The package stays disabled; `offstage plugin enable {id}` lets it run."
            ));
        }
        for step in &steps {
            tx.put_step(step)?;
        }
        Ok(Registered { package, steps, notices })
    }

    fn require_trust(&self, file: &PackageFile<'_>) -> Result<(), Fault> {
        match self.with_keys(|keys| decide(keys.trust, &facts(file), keys.now)) {
            Decision::Allowed { .. } => Ok(()),
            Decision::Denied { reason, hint } => Err(Fault::new(
                code::PACKAGE_NOT_TRUSTED,
                format!("The package '{}' may not run here: {reason}.", file.declaration.package),
            )
            .hint(hint)),
        }
    }

    /// Refuses a step that the policy does not let the package have (attack D11).
    fn require_registration(&self, package: &str, step: &StepDeclaration) -> Result<(), Fault> {
        let denied = self.with_keys(|keys| keys.policy.may_register(package, step));
        let Err(RegistrationDenial { reason, rule }) = denied else {
            return Ok(());
        };
        let text = format!(
            "The policy does not allow the step '{}' of the package '{package}': {reason}.",
            step.key
        );
        let hint = match rule.as_str() {
            "" => format!(
                "An entry [[registration]] of the policy file, with package = \"{package}\" and ranks = [{0}, {0}], allows it.",
                step.rank
            ),
            rule => format!("The entry at {rule} says what is allowed."),
        };
        Err(Fault::new(code::PRIVILEGE_DENIED, text).hint(hint))
    }

    /// Registered steps that the policy would not let anybody register now, each with the reason.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn steps_outside_policy(&self) -> Result<Vec<(String, RegistrationDenial)>, Fault> {
        let registry = self.registry()?;
        let outside = |step: &Arc<Step>| {
            let denied =
                self.with_keys(|keys| keys.policy.may_register(&step.package, &step.declaration));
            Some((step.declaration.key.clone(), denied.err()?))
        };
        Ok(registry.steps.iter().filter_map(outside).collect())
    }

    /// Takes packages and steps as they are, in place of all that are registered: a device takes
    /// the server's. Says which ones do not run here, and why; a version that is older than one that
    /// ran here before is among them.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn replace_registration(
        &self,
        packages: &[(Package, Vec<u8>)],
        steps: &[Step],
    ) -> Result<Vec<SkippedPackage>, Fault> {
        let mut tx = self.store().write()?;
        let registry = self.current_registry(&mut tx)?;
        Newest::remember(&mut tx, &registry)?;
        for step in tx.steps()? {
            tx.remove_step(step.id)?;
        }
        for package in tx.packages()? {
            if packages.iter().all(|(kept, _)| kept.id != package.id) {
                tx.remove_package(&package.id)?;
            }
        }
        for (package, bytes) in packages {
            tx.put_package(package, bytes)?;
        }
        for step in steps {
            tx.put_step(step)?;
        }
        tx.commit()?;
        Ok(self.registry()?.skipped.clone())
    }

    /// Adds a step that the plug-in's source does not declare.
    ///
    /// # Errors
    /// As [`Pipeline::register_package`].
    pub fn add_step(
        &self,
        caller: &Caller,
        package: &str,
        plugin_type: &str,
        declaration: StepDeclaration,
    ) -> Result<(Step, Vec<String>), Fault> {
        require_administrator(caller, "register steps")?;
        let mut tx = self.store().write()?;
        self.require_type(&mut tx, package, plugin_type)?;
        if tx.steps()?.iter().any(|s| s.declaration.key == declaration.key) {
            return Err(duplicate_key(&declaration.key));
        }
        let notices = check_step(tx.catalog(), &declaration)?;
        self.require_registration(package, &declaration)?;
        let step = Step {
            id: step_id(&declaration.key),
            package: package.to_owned(),
            plugin_type: plugin_type.to_owned(),
            declaration,
            enabled: true,
        };
        tx.put_step(&step)?;
        tx.commit()?;
        Ok((step, notices))
    }

    fn require_type(&self, tx: &mut Tx, package: &str, plugin_type: &str) -> Result<(), Fault> {
        let bytes = tx.package_bytes(package)?.ok_or_else(|| unknown_package(package))?;
        let file = PackageFile::read(&bytes).map_err(|e| invalid_content(&e.to_string()))?;
        let declared = file.declaration;
        if declared.types.iter().any(|t| t.name == plugin_type) {
            return Ok(());
        }
        let names: Vec<&str> = declared.types.iter().map(|t| t.name.as_str()).collect();
        Err(Fault::new(
            code::NOT_FOUND,
            format!("The package '{package}' has no plug-in type '{plugin_type}'."),
        )
        .hint(format!("It has: {}.", names.join(", "))))
    }

    /// Changes a registered step.
    ///
    /// # Errors
    /// The caller is no administrator, there is no such step, or the result is not valid.
    pub fn change_step(
        &self,
        caller: &Caller,
        key: &str,
        change: StepChange,
    ) -> Result<Step, Fault> {
        require_administrator(caller, "change steps")?;
        let mut tx = self.store().write()?;
        let mut step = find_step(&mut tx, key)?;
        match change {
            StepChange::Enabled(enabled) => step.enabled = enabled,
            StepChange::Rank(rank) => step.declaration.rank = rank,
            StepChange::Configuration(text) => step.declaration.configuration = text,
            StepChange::SecureConfiguration(text) => step.declaration.secure_configuration = text,
        }
        check_step(tx.catalog(), &step.declaration)?;
        self.require_registration(&step.package, &step.declaration)?;
        tx.put_step(&step)?;
        tx.commit()?;
        Ok(step)
    }

    /// Removes a step with its images.
    ///
    /// # Errors
    /// The caller is no administrator, or there is no such step.
    pub fn remove_step(&self, caller: &Caller, key: &str) -> Result<(), Fault> {
        require_administrator(caller, "remove steps")?;
        let mut tx = self.store().write()?;
        let step = find_step(&mut tx, key)?;
        tx.remove_step(step.id)?;
        Ok(tx.commit()?)
    }

    /// Switches a package on or off.
    ///
    /// # Errors
    /// The caller is no administrator, or there is no such package.
    pub fn set_package_enabled(
        &self,
        caller: &Caller,
        id: &str,
        enabled: bool,
    ) -> Result<Package, Fault> {
        require_administrator(caller, "switch plug-ins")?;
        let mut tx = self.store().write()?;
        let known = tx.packages()?.into_iter().find(|p| p.id == id);
        let mut package = known.ok_or_else(|| unknown_package(id))?;
        let bytes = tx.package_bytes(id)?.ok_or_else(|| unknown_package(id))?;
        package.enabled = enabled;
        tx.put_package(&package, &bytes)?;
        tx.commit()?;
        Ok(package)
    }

    /// Removes a package with its steps.
    ///
    /// # Errors
    /// The caller is no administrator, or there is no such package.
    pub fn remove_package(&self, caller: &Caller, id: &str) -> Result<(), Fault> {
        require_administrator(caller, "remove plug-ins")?;
        let mut tx = self.store().write()?;
        if tx.packages()?.iter().all(|p| p.id != id) {
            return Err(unknown_package(id));
        }
        for step in tx.steps()?.into_iter().filter(|s| s.package == id) {
            tx.remove_step(step.id)?;
        }
        tx.remove_package(id)?;
        Ok(tx.commit()?)
    }
}

fn find_step(tx: &mut Tx, key: &str) -> Result<Step, Fault> {
    let step = tx.steps()?.into_iter().find(|s| s.declaration.key == key);
    step.ok_or_else(|| unknown_step(key))
}

pub(crate) fn unknown_package(id: &str) -> Fault {
    Fault::new(code::NOT_FOUND, format!("There is no plug-in package '{id}'."))
        .hint("`offstage plugin list` shows the packages.")
}

pub(crate) fn invalid_content(reason: &str) -> Fault {
    Fault::new(code::INVALID_PACKAGE_CONTENT, format!("The file is not a plug-in: {reason}."))
        .hint("Build it against the plug-in contract (`sdk/wit`) and make it a component.")
}

fn duplicate_key(key: &str) -> Fault {
    Fault::new(code::INVALID_REGISTRATION, format!("A step '{key}' is registered already."))
        .hint("Each step needs a key of its own in the organization.")
}

/// Checks a step against the rules of the platform; returns notices.
fn check_step(catalog: &Catalog, step: &StepDeclaration) -> Result<Vec<String>, Fault> {
    check_key_and_size(step)?;
    check_names(catalog, step)?;
    check_stage_and_mode(step)?;
    check_deployment(catalog, step)?;
    check_images(step)?;
    let mut notices = Vec::new();
    if step.impersonate.is_some() && step.deployment == Deployment::Both {
        notices.push(format!(
            "The step '{}' acts as another user on the server only; offline it acts as the logged-on user.",
            step.key
        ));
    }
    if !step.filtering.is_empty() && step.message != message::UPDATE {
        notices.push(format!(
            "Filtering attributes of the step '{}' have no effect: they apply to Update only.",
            step.key
        ));
    }
    Ok(notices)
}

fn refuse<T>(code: u32, step: &StepDeclaration, reason: &str) -> Result<T, Fault> {
    Err(Fault::new(code, format!("The step '{}' cannot be registered: {reason}.", step.key)))
}

fn check_key_and_size(step: &StepDeclaration) -> Result<(), Fault> {
    let printable = step.key.chars().all(|c| c.is_ascii_graphic());
    if step.key.is_empty() || step.key.len() > STEP_KEY_LENGTH_MAX || !printable {
        let reason = "its key must be 1 to 200 printable ASCII characters without spaces";
        return refuse(code::INVALID_REGISTRATION, step, reason);
    }
    let longest = step.configuration.len().max(step.secure_configuration.len());
    if longest > CONFIGURATION_LENGTH_MAX {
        return refuse(code::INVALID_REGISTRATION, step, "its configuration is over 64 KiB");
    }
    Ok(())
}

fn check_names(catalog: &Catalog, step: &StepDeclaration) -> Result<(), Fault> {
    if !message::ALL.contains(&step.message.as_str()) {
        let reason = format!("there is no message '{}'", step.message);
        return refuse(code::UNKNOWN_MESSAGE, step, &reason);
    }
    let eligible = !matches!(
        step.message.as_str(),
        message::UPSERT
            | message::EXECUTE_TRANSACTION
            | message::WHO_AM_I
            | message::RETRIEVE_VERSION
    );
    if !eligible {
        let reason = format!(
            "no step may listen to '{}'; an Upsert shows up as Create or Update",
            step.message
        );
        return refuse(code::STEP_NOT_ALLOWED, step, &reason);
    }
    let columns = step.filtering.iter().chain(step.images.iter().flat_map(|i| &i.attributes));
    if step.table.is_empty() {
        return match columns.into_iter().next() {
            Some(_) => refuse(code::INVALID_REGISTRATION, step, "columns need a table"),
            None => Ok(()),
        };
    }
    let table = catalog.table(&step.table)?;
    for column in columns {
        if table.column(column).is_none() {
            return Err(Fault::unknown_column(&step.table, column));
        }
    }
    Ok(())
}

fn check_stage_and_mode(step: &StepDeclaration) -> Result<(), Fault> {
    if step.stage == Stage::MainOperation {
        return refuse(code::INVALID_STAGE, step, "stage 30 is the platform's; use 10, 20 or 40");
    }
    if step.mode == Mode::Synchronous {
        return Ok(());
    }
    if step.stage != Stage::PostOperation {
        return refuse(code::INVALID_REGISTRATION, step, "asynchronous steps run in stage 40 only");
    }
    if step.deployment == Deployment::Offline {
        let reason = "asynchronous steps do not run offline";
        return refuse(code::INVALID_REGISTRATION, step, reason);
    }
    let reason = "this version has no asynchronous steps yet; use mode 0";
    refuse(code::NOT_AVAILABLE, step, reason)
}

fn check_deployment(catalog: &Catalog, step: &StepDeclaration) -> Result<(), Fault> {
    if !step.deployment.runs_offline() {
        return Ok(());
    }
    if !step.secure_configuration.is_empty() {
        let reason = "secure configuration is for steps of the deployment server only";
        return refuse(code::SECURE_CONFIGURATION_OFFLINE, step, reason);
    }
    let table = catalog.tables.get(&step.table);
    if !is_available_offline(&step.message, table) {
        let reason = format!("'{}' is not available offline for '{}'", step.message, step.table);
        return refuse(code::STEP_NOT_ALLOWED, step, &reason);
    }
    if step.impersonate.is_some() && step.deployment == Deployment::Offline {
        let reason = "impersonation is not supported offline";
        return refuse(code::INVALID_REGISTRATION, step, reason);
    }
    Ok(())
}

fn check_images(step: &StepDeclaration) -> Result<(), Fault> {
    let mut aliases = BTreeSet::new();
    for image in &step.images {
        if image.alias.is_empty() || !aliases.insert(&image.alias) {
            let reason = "each image needs an alias of its own";
            return refuse(code::INVALID_REGISTRATION, step, reason);
        }
        let (wants_pre, wants_post) = (image.kind != ImageKind::Post, image.kind != ImageKind::Pre);
        if wants_post && step.stage != Stage::PostOperation {
            let reason = "a post-image exists in stage 40 only";
            return refuse(code::POST_IMAGE_ON_PRE_STEP, step, reason);
        }
        let wrong = match step.message.as_str() {
            message::CREATE => wants_pre,
            message::DELETE => wants_post,
            message::UPDATE | message::SET_STATE | message::ASSIGN => false,
            _ => true,
        };
        if wrong {
            let reason = format!("'{}' has no such image as '{}'", step.message, image.alias);
            return refuse(code::WRONG_IMAGE_TYPE, step, &reason);
        }
    }
    Ok(())
}
