//! An organization for one pass: a server and a device with stores of their own that go away, joined
//! within this process. Pipeline, journal and replication are those of every server and device.
//!
//! Never opens a data directory, and never a socket.

use super::sample::Sample;
use super::watch::Watch;
use crate::error::CliError;
use crate::machine::{SystemClock, SystemRandom};
use crate::{bootstrap, workspace};
use offstage_model::metadata::DefinitionFile;
use offstage_model::registration::{Deployment, PlaybackMode};
use offstage_model::{Clock, Fault, Request, Timestamp, Uuid, code};
use offstage_pipeline::{
    CallOptions, Caller, CaptureMode, CapturePolicy, Limits, Organization, Pipeline,
    PipelineOptions, Side,
};
use offstage_policy::{PolicyFile, TrustFile};
use offstage_replication::{
    Device, DeviceOptions, EntryDetail, LocalLink, ServerLink, Silent, SyncService,
};
use offstage_sandbox::Sandbox;
use offstage_sandbox::capture::Capture;
use offstage_store::{CaptureFilter, JournalFilter, Role, Store, StoreOptions};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How far the server's clock is ahead of the device's: no two machines agree.
const SERVER_AHEAD_MS: i64 = 3_000;
/// More captures than a pass makes.
const CAPTURES_MAX: usize = 100_000;
const CAPTURE_BYTES_MAX: u64 = 1 << 30;
/// More entries than a sample has requests.
const ENTRIES_MAX: usize = 100_000;

/// What all passes of one check have in common.
pub(crate) struct Setup {
    pub(crate) sandbox: Arc<Sandbox>,
    /// The package file.
    pub(crate) bytes: Vec<u8>,
    pub(crate) package: String,
    pub(crate) trust: TrustFile,
    pub(crate) policy: PolicyFile,
    pub(crate) tables: Vec<DefinitionFile>,
    /// Where the directories of the policy are, in place of the real ones.
    pub(crate) folder: TempDir,
}

/// One pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// The package as it is, with captures.
    Declared,
    /// Steps for both sides with another playback mode.
    Mode(PlaybackMode),
}

/// What came of one request of the sample.
pub(crate) struct Ran {
    /// Its journal entry, or why there is none.
    pub(crate) offline: Result<Option<u64>, Fault>,
    /// A read of the server, for requests that are not journaled.
    pub(crate) online: Option<Result<(), Fault>>,
}

/// What came of a pass.
pub(crate) struct Passed {
    pub(crate) ran: Vec<Ran>,
    /// How long the offline requests took together.
    pub(crate) time: Duration,
    /// The journal with the server's outcomes.
    pub(crate) entries: Vec<EntryDetail>,
    /// Both sides hold the same afterwards.
    pub(crate) agree: bool,
    pub(crate) captures: Vec<Capture>,
    pub(crate) watch: Arc<Watch>,
}

/// The id of the root operation of a request of the sample.
pub(crate) fn operation(index: usize) -> Uuid {
    super::sample::row_id("request", &index.to_string())
}

/// A clock that is ahead of the machine's.
struct Ahead(i64);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_ms(self.0)
    }
}

/// The catalog of an organization with these tables, and the user who does everything.
pub(crate) fn catalog_and_user(
    setup: &Setup,
) -> Result<(Arc<offstage_model::Catalog>, Uuid), CliError> {
    let (server, administrator) = server(setup, &Arc::new(Watch::default()))?;
    Ok((server.catalog(), administrator.user))
}

/// Runs the sample offline and plays it back.
pub(crate) fn pass(setup: &Setup, sample: &Sample, pass: Pass) -> Result<Passed, CliError> {
    let watch = Arc::new(Watch::default());
    let (server, administrator) = server(setup, &watch)?;
    let owner = |row: &offstage_model::Entity| {
        let mut row = row.clone();
        // Each organization has an administrator of its own.
        if row.attributes.contains_key("ownerid") {
            let user = offstage_model::Value::reference("systemuser", administrator.user);
            row.attributes.insert("ownerid".to_owned(), user);
        }
        row
    };
    for row in &sample.rows {
        let request = Request::create(owner(row));
        server.execute(&administrator, request, CallOptions::default()).map_err(|fault| {
            let text = format!("The sample row of '{}' cannot be made", row.table);
            CliError::usage(format!("{text}: {}", fault.message))
        })?;
    }
    register(setup, &server, &administrator, pass)?;
    let device = device(setup, &watch, &server, &administrator)?;
    device.go_offline(&Silent)?;
    if pass == Pass::Declared {
        for pipeline in [&server, device.pipeline()] {
            pipeline.set_capture_policy(CapturePolicy {
                mode: CaptureMode::All,
                count_max: CAPTURES_MAX,
                bytes_max: CAPTURE_BYTES_MAX,
            })?;
        }
    }
    let user = device.user()?;
    let started = Instant::now();
    let mut ran = Vec::new();
    for (index, one) in sample.requests.iter().enumerate() {
        let mut options = CallOptions { operation: Some(operation(index)), ..Default::default() };
        let request = as_user(&one.request, &user);
        let offline = device.pipeline().execute_journaled(&user, request.clone(), options.clone());
        let offline = offline.map(|(_, sequence)| sequence);
        options.operation = Some(operation(index));
        let online = (request.is_read() && pass == Pass::Declared)
            .then(|| server.execute(&administrator, request, options).map(drop));
        ran.push(Ran { offline, online });
    }
    let time = started.elapsed();
    let (entries, agree) = play_back(&device)?;
    let captures = if pass == Pass::Declared {
        let mut all = captures(device.pipeline())?;
        all.extend(captures(&server)?);
        all
    } else {
        Vec::new()
    };
    Ok(Passed { ran, time, entries, agree, captures, watch })
}

/// A request of the sample that names the owner of another organization names this one's.
fn as_user(request: &Request, user: &Caller) -> Request {
    use offstage_model::request::{message, parameter};
    let mut request = request.clone();
    if request.message == message::ASSIGN {
        let assignee = offstage_model::Value::reference("systemuser", user.user);
        let assignee = offstage_model::Parameter::Value(assignee);
        request.parameters.insert(parameter::ASSIGNEE.to_owned(), assignee);
    }
    request
}

/// Goes online; entries and whether both sides hold the same.
fn play_back(device: &Device) -> Result<(Vec<EntryDetail>, bool), CliError> {
    match device.go_online(&Silent) {
        Ok(_) => {}
        // What the server's run could not decide stays open; the report says so by its entries.
        Err(fault) if fault.is_transient() => {}
        Err(fault) => return Err(fault.into()),
    }
    let filter = JournalFilter { rows_max: ENTRIES_MAX, ..JournalFilter::default() };
    let rows = device.journal(&filter)?;
    let entries = rows.iter().map(|row| device.entry(row.sequence));
    let entries = entries.collect::<Result<Vec<_>, _>>()?;
    let refused = entries.iter().any(|entry| entry.row.state.needs_attention());
    // A refused entry stays on the device, so both differ until somebody decides.
    let agree = refused || device.verify(&Silent)?.is_empty();
    Ok((entries, agree))
}

fn pipeline(setup: &Setup, watch: &Arc<Watch>, side: Side) -> Result<Pipeline, CliError> {
    let (role, ahead) = match side {
        Side::Server => (Role::Server, SERVER_AHEAD_MS),
        Side::Device => (Role::Device, 0),
    };
    let policy = setup.policy.clone();
    let folder = tempfile::tempdir_in(setup.folder.path())
        .map_err(|error| CliError::file("make", setup.folder.path(), &error))?
        // It goes with the folder that it is in.
        .keep();
    for directory in policy.directories() {
        workspace::make_folder(&folder.join(&directory.name))?;
    }
    let place = |name: &str| folder.join(name).display().to_string();
    Ok(Pipeline::open(PipelineOptions {
        store: Store::in_memory(&StoreOptions::new(role))?,
        sandbox: Arc::clone(&setup.sandbox),
        trust: setup.trust.clone(),
        policy: policy.with_directories_at(place),
        side,
        audit: Arc::clone(watch) as _,
        clock: Arc::new(Ahead(ahead)),
        random: Arc::new(SystemRandom),
        organization: Organization { id: Uuid::nil(), name: String::new() },
        // What a package does after five violations is seen as well as what it did before.
        limits: Limits { violations_max: 0, ..Limits::default() },
    })?)
}

fn server(setup: &Setup, watch: &Arc<Watch>) -> Result<(Pipeline, Caller), CliError> {
    let server = pipeline(setup, watch, Side::Server)?;
    bootstrap::set_up(&server, "Check")?;
    let administrator = bootstrap::administrator(&server)?;
    for file in &setup.tables {
        server.define(&administrator, file.clone())?;
    }
    Ok((server, administrator))
}

fn device(
    setup: &Setup,
    watch: &Arc<Watch>,
    server: &Pipeline,
    administrator: &Caller,
) -> Result<Device, CliError> {
    let service = SyncService::new(server.clone());
    let link: Arc<dyn ServerLink> = Arc::new(LocalLink::new(service, administrator.clone()));
    let pipeline = pipeline(setup, watch, Side::Device)?;
    let device = Device::open(DeviceOptions { pipeline, link })?;
    device.connect("check", None)?;
    Ok(device)
}

fn register(
    setup: &Setup,
    server: &Pipeline,
    administrator: &Caller,
    pass: Pass,
) -> Result<(), CliError> {
    let registered = server.register_package(administrator, &setup.bytes)?;
    if let Some(skipped) = server.registry()?.skipped.iter().find(|s| s.package == setup.package) {
        let fault = Fault::new(code::PACKAGE_NOT_TRUSTED, skipped.reason.clone());
        return Err(CliError::from(fault).hint(skipped.hint.clone()));
    }
    let Pass::Mode(mode) = pass else { return Ok(()) };
    for step in registered.steps {
        let mut declaration = step.declaration;
        if declaration.deployment != Deployment::Both || declaration.playback == mode {
            continue;
        }
        declaration.playback = mode;
        server.remove_step(administrator, &declaration.key)?;
        server.add_step(administrator, &step.package, &step.plugin_type, declaration)?;
    }
    Ok(())
}

fn captures(pipeline: &Pipeline) -> Result<Vec<Capture>, CliError> {
    let mut tx = pipeline.store().read()?;
    let mut rows = tx.captures(&CaptureFilter::default(), CAPTURES_MAX)?;
    // They come newest first.
    rows.reverse();
    let mut found = Vec::new();
    for row in rows {
        let document = tx.capture_document(row.id)?.unwrap_or_default();
        let capture = Capture::thaw(&document).map_err(|error| {
            Fault::new(code::INTERNAL, format!("A capture is damaged: {error}."))
        })?;
        found.push(capture);
    }
    Ok(found)
}
