//! The process after hostile plug-ins is as it was before: memory, descriptors, threads. These tests
//! look at the whole process, so that no others may run in it.

mod support;

use offstage_sandbox::{Plugin, RunLimits};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use support::{hostile, repository, run, sandbox};

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn names() -> Vec<String> {
    let files = std::fs::read_dir(repository("tests/hostile-plugins/wat")).expect("a folder");
    let paths = files.map(|file| file.expect("it can be read").path());
    let name = |path: std::path::PathBuf| {
        let is_one = path.extension().is_some_and(|extension| extension == "wat");
        is_one.then(|| path.file_stem().expect("a name").to_string_lossy().into_owned())
    };
    paths.filter_map(name).collect()
}

#[test]
fn memory_and_files_are_back_at_baseline_after_all_of_them() {
    let _alone = alone();
    let sandbox = sandbox();
    let load = |name: &String| sandbox.load(&hostile(name)).expect(name);
    let attacks: Vec<Plugin> = names().iter().map(load).collect();
    let limits = RunLimits { fuel: 20_000_000, ..RunLimits::default() };
    let round = || {
        let ended =
            attacks.iter().filter(|plugin| run(&sandbox, plugin, &limits).1.result.is_err());
        ended.count()
    };
    assert!(round() >= 20, "most of them are ended");
    let (resident, files) = (resident_kib(), open_files());
    for _ in 0..10 {
        round();
    }
    let grown = resident_kib().saturating_sub(resident);
    assert!(grown < 32 << 10, "{grown} KiB more are resident");
    assert_eq!(open_files(), files);
}

#[test]
fn a_sandbox_ends_its_thread_when_it_is_dropped() {
    let _alone = alone();
    let named = || {
        std::fs::read_dir("/proc/self/task")
            .expect("Linux")
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
            .filter(|name| name.starts_with("offstage-epoch"))
            .count()
    };
    let before = named();
    let sandbox = sandbox();
    let limit = Instant::now() + Duration::from_secs(5);
    while named() != before + 1 && Instant::now() < limit {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(named(), before + 1);
    drop(sandbox);
    assert_eq!(named(), before);
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has the line");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("Linux").count()
}
