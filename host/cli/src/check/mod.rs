//! `offstage plugin check`: runs a package through both runs on sample data, in stores that go away,
//! and says what it saw.
//!
//! A package is registered, trusted and granted in those stores only. Everything that is said comes
//! from real runs: the pipeline, the journal and the replication of every server and device.

mod analysis;
mod capability;
mod judge;
mod report;
mod sample;
mod sample_file;
mod show;
mod values;
mod watch;
mod world;

pub(crate) use show::show;

use crate::commands::policy::read;
use crate::error::CliError;
use crate::exit::Exit;
use crate::values::FileArgument;
use offstage_model::metadata::DefinitionFile;
use offstage_model::registration::{Deployment, PlaybackMode};
use offstage_policy::TrustFile;
use offstage_sandbox::{PackageFile, Sandbox, SandboxOptions};
use report::{ModeSeen, Report};
use sample::Sample;
use std::sync::Arc;
use world::{Pass, Setup};

/// The name of the policy in which everything that is requested is granted.
const GRANTED: &str = "the check's own policy";
/// The modes, the default one first.
const MODES: [PlaybackMode; 4] = [
    PlaybackMode::Reconcile,
    PlaybackMode::Authoritative,
    PlaybackMode::Once,
    PlaybackMode::Classic,
];

/// What to check, and on what.
pub(crate) struct Subject<'a> {
    /// The package, a `.wasm` file.
    pub(crate) file: &'a FileArgument,
    /// A sample that somebody wrote.
    pub(crate) sample: Option<&'a FileArgument>,
    /// Tables beyond the base tables.
    pub(crate) tables: &'a [FileArgument],
    /// The policy under which it runs; else all that it requests is granted.
    pub(crate) policy: Option<&'a FileArgument>,
}

/// Checks a package.
pub(crate) fn check(subject: &Subject<'_>) -> Result<Report, CliError> {
    let bytes = subject.file.read()?;
    let content = read(subject.file, &bytes)?;
    let declaration = &content.declaration;
    let sandbox = Sandbox::new(SandboxOptions::default()).map_err(|e| CliError::from(e.fault()))?;
    let plugin = sandbox.load(content.component).map_err(|error| CliError::from(error.fault()))?;
    let policy = match subject.policy {
        Some(file) => crate::policy_file::parse(&file.0, &file.read_text()?)?,
        None => capability::grant_requested(declaration)?,
    };
    let setup = Setup {
        sandbox: Arc::new(sandbox),
        bytes: bytes.clone(),
        package: declaration.package.clone(),
        trust: pinned(&content)?,
        policy,
        tables: tables(subject.tables)?,
        folder: tempfile::tempdir()
            .map_err(|error| CliError::file("make", &std::env::temp_dir(), &error))?,
    };
    let (catalog, user) = world::catalog_and_user(&setup)?;
    let sample = match subject.sample {
        Some(file) => sample_file::read(file, &catalog, user)?,
        None => sample::generate(&catalog, &declaration.types, user),
    };
    let declared = world::pass(&setup, &sample, Pass::Declared)?;
    let mut report = analysis::report(&analysis::Seen {
        setup: &setup,
        content: &content,
        sample: &sample,
        plugin: &plugin,
        passed: &declared,
    });
    if report.violations.is_empty() {
        report.modes = modes(&setup, &sample, &content)?;
    }
    judge::judge(&mut report, declared.agree);
    Ok(report)
}

/// Trusts this content, and nothing else.
fn pinned(content: &PackageFile<'_>) -> Result<TrustFile, CliError> {
    let lines =
        TrustFile::pin_lines(&content.declaration.package, &content.sha256, "it is checked");
    TrustFile::parse(&lines, "the check's own trust file").map_err(|error| {
        CliError::new(Exit::Usage, format!("The package cannot be trusted: {error}."))
            .hint(error.hint.clone())
    })
}

fn tables(files: &[FileArgument]) -> Result<Vec<DefinitionFile>, CliError> {
    let parsed = files.iter().map(|file| {
        serde_json::from_str(&file.read_text()?).map_err(|error| {
            let shown = file.0.display();
            CliError::usage(format!("'{shown}' is no file of tables: {error}."))
        })
    });
    parsed.collect()
}

/// What the modes make of steps for both sides.
fn modes(
    setup: &Setup,
    sample: &Sample,
    content: &PackageFile<'_>,
) -> Result<Vec<ModeSeen>, CliError> {
    let mut steps = content.declaration.types.iter().flat_map(|one| &one.steps);
    if steps.all(|step| step.deployment != Deployment::Both) {
        return Ok(Vec::new());
    }
    let seen = MODES.into_iter().map(|mode| {
        let passed = world::pass(setup, sample, Pass::Mode(mode))?;
        Ok(analysis::mode(mode, &passed))
    });
    seen.collect()
}
