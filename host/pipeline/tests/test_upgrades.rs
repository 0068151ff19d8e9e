//! A new build in the place of an old one: what it keeps, and which builds are not taken, on a server
//! and on a device.

mod support;

use minisign::KeyPair;
use offstage_model::registration::{PackageDeclaration, StepDeclaration, TypeDeclaration};
use offstage_model::{Entity, Fault, Request, Value, code};
use offstage_pipeline::{AuditRecord, Pipeline, Registered, StepChange};
use offstage_policy::TrustFile;
use offstage_sandbox::PackageFile;
use offstage_store::{TraceFilter, TraceRow};
use std::sync::{Mutex, MutexGuard, PoisonError};
use support::hostile::declared;
use support::signing::{key, signed, trust};
use support::{AUDIT, World};

const ID: &str = "test/versions";
const KEY: &str = "versions-idle";

/// A server and a device that both trust one publisher.
struct Publisher {
    key: KeyPair,
    world: World,
}

impl Publisher {
    fn new() -> Self {
        let publisher = Self { key: key(), world: World::new() };
        publisher.trust("");
        publisher
    }

    fn trust(&self, more: &str) {
        for pipeline in [&self.world.server, &self.world.device] {
            pipeline.set_trust(trust(&self.key, more));
        }
    }

    /// A build of a plug-in that does nothing, with one step on the Create of accounts.
    fn build(&self, version: &str, change: impl FnOnce(&mut PackageDeclaration)) -> Vec<u8> {
        let name = "test.Idle".to_owned();
        let idle = TypeDeclaration { name, steps: vec![step(KEY)], requests: Vec::new() };
        let mut declaration = PackageDeclaration {
            package: ID.into(),
            version: version.into(),
            types: vec![idle],
            requests: Vec::new(),
        };
        change(&mut declaration);
        signed(&self.key, &declared("(func $run)", &declaration))
    }

    fn register(&self, version: &str) -> Result<Registered, Fault> {
        let bytes = self.build(version, |_| ());
        self.world.server.register_package(&self.world.caller, &bytes)
    }
}

fn step(key: &str) -> StepDeclaration {
    let json = format!(
        r#"{{"key":"{key}","message":"Create","table":"account","stage":20,"deployment":2}}"#
    );
    serde_json::from_str(&json).expect("a step")
}

fn account(name: &str) -> Request {
    Request::create(Entity::new("account").with("name", Value::text(name)))
}

fn skipped(pipeline: &Pipeline) -> Option<String> {
    let registry = pipeline.registry().expect("a registry");
    registry.skipped.iter().find(|s| s.package == ID).map(|s| format!("{}; {}", s.reason, s.hint))
}

fn traces(pipeline: &Pipeline) -> Vec<TraceRow> {
    let mut tx = pipeline.store().read().expect("a snapshot");
    let filter = TraceFilter { step: Some(KEY.into()), ..TraceFilter::default() };
    tx.traces(&filter, 100).expect("traces")
}

/// The audit is the process's: one test at a time may look at it.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    AUDIT.take();
    guard
}

#[test]
fn an_upgrade_keeps_its_steps_and_an_older_version_is_refused() {
    let _alone = alone();
    let publisher = Publisher::new();
    let world = &publisher.world;
    let first = publisher.register("1.2.0").expect("it registers");
    let off = StepChange::Enabled(false);
    world.server.change_step(&world.caller, KEY, off).expect("it is switched off");
    let second = publisher.register("1.10.0").expect("a newer one takes its place");
    assert_eq!(second.steps[0].id, first.steps[0].id);
    assert!(!second.steps[0].enabled, "it stays off");
    AUDIT.take();
    for older in ["1.9.9", "1.10.0-rc.1", "0.1.0"] {
        let fault = publisher.register(older).expect_err("a downgrade");
        assert_eq!(fault.code, code::INVALID_REGISTRATION, "{fault}");
        assert!(fault.message.contains("is older than 1.10.0"), "{fault}");
        // Who tried it, and why it was not taken, is in the audit.
        let records = AUDIT.take();
        let [AuditRecord::Refusal(record)] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!((record.package.as_str(), record.version.as_str()), (ID, older));
        assert_eq!(
            (&record.reason, &record.user),
            (&fault.message, &world.caller.user.to_string())
        );
    }
    let fault = publisher.register("latest").expect_err("no version");
    assert_eq!(fault.code, code::INVALID_PACKAGE_CONTENT, "{fault}");
    publisher.register("1.10.0").expect("the same version again");
}

#[test]
fn an_upgrade_does_not_enable_what_somebody_disabled() {
    let _alone = alone();
    let publisher = Publisher::new();
    let world = &publisher.world;
    publisher.register("1.0.0").expect("it registers");
    world.server.set_package_enabled(&world.caller, ID, false).expect("it is disabled");
    let upgraded = publisher.register("1.1.0").expect("it is upgraded");
    assert!(!upgraded.package.enabled);
    assert!(upgraded.notices.iter().any(|n| n.contains("stays disabled")), "{upgraded:?}");
    assert!(skipped(&world.server).expect("it does not run").contains("it is disabled"));
    world.server.set_package_enabled(&world.caller, ID, true).expect("it is enabled");
    assert_eq!(skipped(&world.server), None, "the control");
}

/// What an administrator changed or added stays; what only the package declared follows it.
#[test]
fn an_upgrade_keeps_what_was_changed_and_added_here() {
    let _alone = alone();
    let publisher = Publisher::new();
    let world = &publisher.world;
    publisher.register("1.0.0").expect("it registers");
    world.server.change_step(&world.caller, KEY, StepChange::Rank(7)).expect("its rank is changed");
    let added = world.server.add_step(&world.caller, ID, "test.Idle", step("added-by-hand"));
    added.expect("a step is added");
    let bytes = publisher.build("1.1.0", |declaration| {
        declaration.types[0].steps[0].rank = 3;
        declaration.types[0].steps[0].configuration = "trace new".into();
        declaration.types[0].steps.push(step("declared-later"));
    });
    let upgraded = world.server.register_package(&world.caller, &bytes).expect("it is upgraded");
    let declared = &upgraded.steps[0].declaration;
    assert_eq!((declared.rank, declared.configuration.as_str()), (7, "trace new"));
    assert!(upgraded.notices.iter().any(|n| n.contains("keeps its rank")), "{upgraded:?}");
    let keys = || {
        let registry = world.server.registry().expect("a registry");
        let of_package = registry.steps.iter().filter(|step| step.package == ID);
        let mut keys: Vec<_> = of_package.map(|step| step.declaration.key.clone()).collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(), ["added-by-hand", "declared-later", KEY]);

    // What is no longer declared is gone, and so is a step whose type is.
    let bytes = publisher.build("1.2.0", |declaration| {
        declaration.types[0].name = "test.Other".into();
    });
    let upgraded = world.server.register_package(&world.caller, &bytes).expect("it is upgraded");
    assert_eq!(keys(), [KEY]);
    assert_eq!(upgraded.notices.iter().filter(|n| n.contains("is gone")).count(), 2);
}

#[test]
fn ids_that_differ_in_case_only_are_one_too_many() {
    let _alone = alone();
    let publisher = Publisher::new();
    let world = &publisher.world;
    publisher.register("1.0.0").expect("it registers");
    let other = publisher.build("1.0.0", |declaration| {
        declaration.package = "test/Versions".into();
        declaration.types[0].steps[0].key = "other-idle".into();
    });
    let fault = world.server.register_package(&world.caller, &other).expect_err("a look-alike");
    assert_eq!(fault.code, code::INVALID_REGISTRATION, "{fault}");
    assert!(fault.message.contains("in case only"), "{fault}");

    // A device that is handed both runs neither.
    let package = |bytes: &[u8], id: &str| {
        let mut package = world.server.registry().expect("it").packages.clone();
        let mut package = package.remove(package.iter().position(|p| p.id == ID).expect("it"));
        package.id = id.into();
        package.sha256 = PackageFile::read(bytes).expect("a package").sha256;
        (package, bytes.to_vec())
    };
    let one = publisher.build("1.0.0", |_| ());
    let both = [package(&one, ID), package(&other, "test/Versions")];
    let left = world.device.replace_registration(&both, &[]).expect("it is taken");
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.iter().all(|s| s.reason.contains("in case only")), "{left:?}");
    let left = world.device.replace_registration(&both[..1], &[]).expect("it is taken");
    assert_eq!(left, [], "the control");
}

/// A server that goes back, by whatever way, does not take its devices along: an older version may
/// have a hole that is closed. The operator of the device can say that it may.
#[test]
fn a_device_does_not_run_an_older_version_than_it_had() {
    let _alone = alone();
    let mut publisher = Publisher::new();
    publisher.register("2.0.0").expect("it registers");
    publisher.world.sync();
    assert_eq!(skipped(&publisher.world.device), None);

    let back = |publisher: &mut Publisher| {
        let world = &publisher.world;
        world.server.remove_package(&world.caller, ID).expect("it is removed");
        publisher.register("1.9.0").expect("the server's administrator may");
        publisher.world.sync();
    };
    back(&mut publisher);
    let why = skipped(&publisher.world.device).expect("it does not run");
    assert!(why.contains("its version is 1.9.0, and 2.0.0 has run here"), "{why}");
    // Not after it was away for a while, and not by coming again, either.
    publisher.world.server.remove_package(&publisher.world.caller, ID).expect("it is removed");
    publisher.world.sync();
    publisher.register("1.9.0").expect("it registers");
    publisher.world.sync();
    publisher.world.sync();
    assert!(skipped(&publisher.world.device).is_some());

    // A minimum for the whole vendor says nothing about this one.
    let minimum = |package: &str| TrustFile::minimum_lines(package, "1.0.0", "tests");
    publisher.trust(&minimum("test/*"));
    assert!(skipped(&publisher.world.device).is_some());
    let (_, lines) = why.split_once('\n').expect("the hint has the lines");
    publisher.trust(lines);
    assert_eq!(skipped(&publisher.world.device), None, "what the hint says helps");
    publisher.trust("");
    publisher.register("2.0.0").expect("it registers");
    publisher.world.sync();
    assert_eq!(skipped(&publisher.world.device), None, "the newest one runs");
}

/// What nobody here trusts is not remembered: it could keep every real version away.
#[test]
fn a_version_that_never_ran_here_keeps_nothing_away() {
    let _alone = alone();
    let mut publisher = Publisher::new();
    publisher.world.device.set_trust(TrustFile::default());
    publisher.register("9.0.0").expect("the server trusts it");
    publisher.world.sync();
    publisher.world.sync();
    publisher.trust("");
    let world = &publisher.world;
    world.server.remove_package(&world.caller, ID).expect("it is removed");
    publisher.register("1.0.0").expect("it registers");
    // Both are fetched before the device looks at what it may run.
    publisher.world.device.set_trust(TrustFile::default());
    publisher.world.sync();
    publisher.trust("");
    assert_eq!(skipped(&publisher.world.device), None);
}

/// A request that goes on without a step says so: in the trace of each role, in its answer, and once
/// in the audit.
#[test]
fn a_step_whose_package_does_not_run_is_in_trace_answer_and_audit() {
    let _alone = alone();
    let mut publisher = Publisher::new();
    publisher.register("1.0.0").expect("it registers");
    publisher.world.sync();
    let response = publisher.world.on_server(account("a")).expect("it runs");
    assert_eq!(response.skipped, Vec::<String>::new(), "the control");
    AUDIT.take();

    let sha256 = publisher
        .world
        .server
        .registry()
        .expect("it")
        .packages
        .iter()
        .find(|p| p.id == ID)
        .map(|p| p.sha256.clone())
        .expect("it is there");
    publisher.trust(&format!("[[revoked]]\nsha256 = \"{sha256}\"\nreason = \"a hole\"\n"));
    let world = &mut publisher.world;
    let online = world.on_server(account("b")).expect("it goes on without it");
    let offline = world.on_device(account("c")).expect("it goes on without it");
    assert_eq!(
        (online.skipped.as_slice(), offline.skipped.as_slice()),
        ([ID.to_owned()].as_slice(), [ID.to_owned()].as_slice())
    );
    assert!(world.play()[0].1.is_ok());
    let said = |row: &&TraceRow| {
        row.trace.starts_with("[host] the step was skipped, because the plug-in 'test/versions' does not run here: its content is revoked by trust.toml:")
            && row.trace.contains("a hole")
            && row.exception.is_none()
    };
    let on_server: Vec<_> = traces(&world.server).into_iter().filter(|row| said(&row)).collect();
    let places: Vec<_> = on_server.iter().map(|row| (row.offline, row.playback)).collect();
    assert_eq!(places.len(), 2, "{on_server:#?}");
    assert!(places.contains(&(false, false)) && places.contains(&(false, true)), "{places:?}");
    let on_device: Vec<_> = traces(&world.device).into_iter().filter(|row| said(&row)).collect();
    assert!(matches!(on_device.as_slice(), [row] if row.offline), "{on_device:#?}");

    // One line each for server and device, however often it is skipped.
    let skips = AUDIT.take();
    let of_it = |record: &&AuditRecord| matches!(record, AuditRecord::Skip(s) if s.package == ID && s.reason.contains("a hole"));
    assert_eq!(skips.iter().filter(of_it).count(), 2, "{skips:?}");
    let line = skips.iter().find(of_it).expect("it is there").to_line();
    assert!(line.starts_with("{\"event\":\"skip\"") && !line.contains('\n'), "{line}");
    world.on_server(account("d")).expect("it goes on without it");
    assert_eq!(AUDIT.take(), []);
    // What does not need the step says nothing.
    let contact = Entity::new("contact").with("lastname", Value::text("Lee"));
    let response = world.on_server(Request::create(contact)).expect("it works");
    assert_eq!(response.skipped, Vec::<String>::new());
}

/// Somebody decided to disable it: every run may be traced, and nobody is warned.
#[test]
fn a_disabled_package_is_no_news() {
    let _alone = alone();
    let publisher = Publisher::new();
    let world = &publisher.world;
    publisher.register("1.0.0").expect("it registers");
    world.server.set_package_enabled(&world.caller, ID, false).expect("it is disabled");
    let level = |level| world.server.set_trace_level(level).expect("it is set");
    level(offstage_pipeline::TraceLevel::Exceptions);
    let response = world.on_server(account("a")).expect("it goes on without it");
    assert_eq!((response.skipped.len(), traces(&world.server).len()), (0, 0));
    level(offstage_pipeline::TraceLevel::All);
    world.on_server(account("b")).expect("it goes on without it");
    let rows = traces(&world.server);
    assert!(rows.len() == 1 && rows[0].trace.contains("it is disabled"), "{rows:#?}");
}
