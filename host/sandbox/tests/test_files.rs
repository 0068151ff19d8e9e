//! Granted directories: what a path may be, what it may lead to, and what may be granted at all.

use offstage_sandbox::{
    DirectoryError, FileError, FilePath, GrantedDirectory, NAME_BYTES_MAX, PATH_BYTES_MAX,
    PATH_NAMES_MAX, PathError,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const SECRET: &[u8] = b"outside";
const INSIDE: &[u8] = b"inside";

/// A granted directory beside one that is not.
struct Place {
    _root: tempfile::TempDir,
    granted: PathBuf,
    outside: PathBuf,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let (granted, outside) = (root.path().join("granted"), root.path().join("outside"));
        std::fs::create_dir_all(granted.join("sub")).expect("a folder");
        std::fs::create_dir(&outside).expect("a folder");
        std::fs::write(outside.join("secret.txt"), SECRET).expect("a file");
        std::fs::write(granted.join("plain.txt"), INSIDE).expect("a file");
        Self { _root: root, granted, outside }
    }

    fn open(&self) -> GrantedDirectory {
        GrantedDirectory::open(&self.granted, &[]).expect("it opens")
    }
}

fn path(text: &str) -> FilePath {
    FilePath::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn atk_c01_c05_the_corpus_of_paths_has_the_expected_verdicts() {
    let corpus = include_str!("data/paths.txt");
    let (mut lines, mut wrong) = (0, Vec::new());
    for line in corpus.lines().filter(|line| !line.starts_with('#')) {
        let (verdict, text) = line.split_once(' ').expect("a verdict and a path");
        let text: String = serde_json::from_str(text).expect("a JSON string");
        let allowed = match verdict {
            "allow" => true,
            "refuse" => false,
            other => panic!("'{other}' is no verdict"),
        };
        lines += 1;
        if FilePath::parse(&text).is_ok() != allowed {
            wrong.push(format!("{verdict} {:?}", text.chars().take(80).collect::<String>()));
        }
    }
    assert!(lines >= 500, "{lines} paths");
    assert!(wrong.is_empty(), "{} of {lines}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_path_of_the_corpus_that_is_allowed_leads_out() {
    let place = Place::new();
    let directory = place.open();
    for line in include_str!("data/paths.txt").lines().filter(|line| line.starts_with("allow ")) {
        let text: String = serde_json::from_str(&line["allow ".len()..]).expect("a JSON string");
        let joined = place.granted.join(&text);
        assert!(joined.starts_with(&place.granted), "{text:?}");
        // Whatever the system makes of it, it is no error but these, and nothing is found.
        match directory.read(&path(&text), 10) {
            Err(FileError::NotFound | FileError::NotAFile) => {}
            other => panic!("{text:?}: {other:?}"),
        }
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let cases = [
        ("", PathError::Empty),
        ("/etc/passwd", PathError::Absolute),
        ("a/../b", PathError::NotNormal),
        ("a:b", PathError::Character),
        ("a\u{202e}b", PathError::Character),
        ("a./b", PathError::Edge),
        ("COM\u{b9}.txt", PathError::Reserved),
        ("progra~1", PathError::Reserved),
    ];
    for (text, expected) in cases {
        assert_eq!(FilePath::parse(text), Err(expected), "{text:?}");
    }
    assert_eq!(FilePath::parse(&"a/".repeat(20)), Err(PathError::NotNormal));
    assert_eq!(FilePath::parse(&"x".repeat(300)), Err(PathError::TooLong));
}

#[test]
fn a_path_may_be_as_long_as_its_bounds_and_no_longer() {
    let names = |count: usize, bytes: usize| vec!["x".repeat(bytes); count].join("/");
    // 5 names with 4 slashes: 1,024 bytes.
    let longest = names(5, 204);
    assert_eq!(longest.len(), PATH_BYTES_MAX);
    for text in [longest.clone(), names(PATH_NAMES_MAX, 1), names(1, NAME_BYTES_MAX)] {
        assert_eq!(path(&text).to_string(), text);
    }
    for text in [longest + "x", names(PATH_NAMES_MAX + 1, 1), names(1, NAME_BYTES_MAX + 1)] {
        assert_eq!(FilePath::parse(&text), Err(PathError::TooLong), "{text}");
    }
    // Windows makes short names of eight characters.
    assert_eq!(FilePath::parse("abcdef~1"), Err(PathError::Reserved));
    assert_eq!(path("abcdefg~1").as_str(), "abcdefg~1");
}

#[test]
fn files_are_written_read_listed_and_removed() {
    let place = Place::new();
    let directory = place.open();
    directory.write(&path("2026/11/a.txt"), b"first").expect("it is written");
    directory.write(&path("2026/11/a.txt"), b"second").expect("it is replaced");
    assert_eq!(directory.read(&path("2026/11/a.txt"), 100).expect("it is there"), b"second");
    let names = |below: Option<&str>| -> Vec<String> {
        let below = below.map(path);
        let entries = directory.list(below.as_ref(), 100).expect("a listing");
        entries.into_iter().map(|entry| format!("{} {}", entry.name, entry.size)).collect()
    };
    assert_eq!(names(None), ["plain.txt 6"]);
    assert_eq!(names(Some("2026/11")), ["a.txt 6"]);
    let usage = directory.usage(100).expect("it counts");
    assert_eq!((usage.files, usage.bytes), (5, 12));
    directory.remove(&path("2026/11/a.txt")).expect("it is removed");
    directory.remove(&path("2026/11/a.txt")).expect("a second time changes nothing");
    // Directories count, and those that hold nothing more are gone too.
    let usage = directory.usage(100).expect("it counts");
    assert_eq!(usage.files, 2, "{usage:?}");
    assert_eq!(directory.size(&path("2026/11/a.txt")).expect("it is asked"), None);
    assert!(matches!(directory.list(None, 0), Err(FileError::TooMany { entries_max: 0 })));
}

#[test]
fn larger_files_than_asked_for_are_not_read() {
    let place = Place::new();
    let directory = place.open();
    assert!(directory.read(&path("plain.txt"), 6).is_ok());
    assert!(matches!(
        directory.read(&path("plain.txt"), 5),
        Err(FileError::TooLarge { bytes_max: 5 })
    ));
    // Nine exabytes that are not there.
    let sparse = std::fs::File::create(place.granted.join("sparse")).expect("a file");
    sparse.set_len(1 << 40).expect("a sparse file");
    assert!(matches!(directory.read(&path("sparse"), 1 << 20), Err(FileError::TooLarge { .. })));
}

#[cfg(unix)]
#[test]
fn atk_c02_links_never_lead_out() {
    use std::os::unix::fs::symlink;
    let place = Place::new();
    let link = |target: &Path, name: &str| {
        symlink(target, place.granted.join(name)).expect("a link");
    };
    link(&place.outside, "dir");
    link(&place.outside.join("secret.txt"), "file");
    link(Path::new("../outside/secret.txt"), "relative");
    link(Path::new(".."), "up");
    link(Path::new("/"), "root");
    link(Path::new("loop"), "loop");
    link(Path::new("plain.txt"), "inner");
    let directory = place.open();
    for name in
        ["dir/secret.txt", "file", "relative", "up/outside/secret.txt", "root/etc/passwd", "loop"]
    {
        let read = directory.read(&path(name), 100);
        assert!(
            matches!(read, Err(FileError::NotFound | FileError::Io { .. })),
            "{name}: {read:?}"
        );
    }
    // A link that stays inside is followed.
    assert_eq!(directory.read(&path("inner"), 100).expect("it stays inside"), INSIDE);
    // A write takes a link's place and never goes through it; a removal takes the link.
    directory.write(&path("file"), b"new").expect("the link is replaced");
    assert!(directory.write(&path("dir/new.txt"), b"new").is_err());
    assert!(directory.write(&path("up/outside/new.txt"), b"new").is_err());
    directory.remove(&path("relative")).expect("the link is removed");
    assert_eq!(std::fs::read(place.outside.join("secret.txt")).expect("untouched"), SECRET);
    assert_eq!(std::fs::read_dir(&place.outside).expect("a folder").count(), 1);
    // Links are neither listed nor counted.
    let names: Vec<_> = directory.list(None, 100).expect("a listing");
    assert_eq!(names.len(), 2, "{names:?}");
}

#[cfg(unix)]
#[test]
fn only_regular_files_are_read_or_replaced() {
    let place = Place::new();
    let fifo = place.granted.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs");
    assert!(made.success());
    let socket = std::os::unix::net::UnixListener::bind(place.granted.join("socket"));
    let _socket = socket.expect("a socket");
    let directory = place.open();
    // A pipe that nobody writes to must not hold the host up.
    assert!(matches!(directory.read(&path("pipe"), 10), Err(FileError::NotAFile)));
    assert!(directory.read(&path("socket"), 10).is_err());
    assert!(matches!(directory.read(&path("sub"), 10), Err(FileError::NotAFile)));
    assert!(directory.write(&path("sub"), b"x").is_err());
    assert!(matches!(directory.remove(&path("sub")), Err(FileError::NotAFile)));
    // The host's own unfinished writes are nobody's.
    for own in [".offstage-part", ".OFFSTAGE-x", "sub/.offstage-part"] {
        assert!(matches!(directory.write(&path(own), b"x"), Err(FileError::NotAFile)), "{own}");
        assert!(matches!(directory.read(&path(own), 10), Err(FileError::NotAFile)), "{own}");
    }
}

#[cfg(unix)]
#[test]
fn atk_c08_a_directory_that_overlaps_the_host_s_own_is_not_granted() {
    use std::os::unix::fs::symlink;
    let root = tempfile::tempdir().expect("a folder");
    let data = root.path().join("data");
    std::fs::create_dir_all(data.join("inner/deep")).expect("folders");
    std::fs::create_dir(root.path().join("other")).expect("a folder");
    symlink(&data, root.path().join("by-link")).expect("a link");
    symlink(root.path(), root.path().join("other/up")).expect("a link");
    let protected = [data.clone()];
    let overlapping = [
        root.path().to_owned(),
        data.clone(),
        data.join("inner"),
        data.join("inner/deep"),
        data.join("../data/inner"),
        root.path().join("by-link"),
        root.path().join("by-link/inner"),
        root.path().join("other/up"),
        root.path().join("other/up/data"),
        PathBuf::from("/"),
    ];
    for path in overlapping {
        match GrantedDirectory::open(&path, &protected) {
            Err(DirectoryError::Overlaps { protected }) => assert_eq!(protected, data),
            other => panic!("{}: {other:?}", path.display()),
        }
    }
    GrantedDirectory::open(&root.path().join("other"), &protected).expect("it is apart");
    assert!(matches!(
        GrantedDirectory::open(&root.path().join("none"), &protected),
        Err(DirectoryError::Open { .. })
    ));
}

/// Swaps a link between a folder inside and one outside, and calls `attempt` all the while.
///
/// The links are relative: the kernel refuses an absolute one wherever it leads, so that no race
/// would be run at all.
#[cfg(unix)]
fn race(mut attempt: impl FnMut(), place: &Place, rounds: usize, pause: Duration) {
    use std::os::unix::fs::symlink;
    let stop = AtomicBool::new(false);
    let link = place.granted.join("link");
    let next = place.granted.join("next");
    if link.symlink_metadata().is_err() {
        symlink("sub", &link).expect("a link");
    }
    std::fs::write(place.granted.join("sub/secret.txt"), INSIDE).expect("a file");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for target in ["../outside", "sub"].iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                symlink(target, &next).expect("a link");
                std::fs::rename(&next, &link).expect("the link is swapped");
                std::thread::sleep(pause);
            }
        });
        (0..rounds).for_each(|_| attempt());
        stop.store(true, Ordering::Relaxed);
    });
}

/// How often reads saw the content inside, and the one outside.
#[cfg(unix)]
fn race_reads(look: impl Fn() -> Option<Vec<u8>>, place: &Place, rounds: usize) -> (usize, usize) {
    let (mut inside, mut outside) = (0, 0);
    let attempt = || match look().as_deref() {
        Some(INSIDE) => inside += 1,
        Some(SECRET) => outside += 1,
        _ => {}
    };
    race(attempt, place, rounds, Duration::ZERO);
    (inside, outside)
}

#[cfg(unix)]
#[test]
fn atk_c02_a_link_that_is_swapped_during_use_never_leads_out() {
    let place = Place::new();
    let directory = place.open();
    let target = path("link/secret.txt");
    let (inside, outside) = race_reads(|| directory.read(&target, 100).ok(), &place, 100_000);
    assert_eq!(outside, 0, "of {inside} reads that found a file");
    assert!(inside > 1_000, "only {inside} reads were led inside");
}

#[cfg(unix)]
#[test]
fn atk_c02_no_write_and_no_removal_is_led_out_by_a_link_that_is_swapped() {
    let place = Place::new();
    let directory = place.open();
    let (new, secret) = (path("link/new.txt"), path("link/secret.txt"));
    let (mut written, mut removed) = (0, 0);
    let attempt = || {
        written += usize::from(directory.write(&new, b"new").is_ok());
        removed += usize::from(directory.remove(&new).is_ok() & directory.remove(&secret).is_ok());
        // A listing and a size look no further either.
        let sizes = [directory.size(&secret), directory.size(&new)];
        assert!(sizes.iter().flatten().flatten().all(|size| *size < SECRET.len() as u64));
    };
    // A write has several steps: some get through between two swaps, others are cut in two.
    race(attempt, &place, 10_000, Duration::from_micros(200));
    assert!(written > 10 && removed > 10, "{written} written, {removed} removed");
    assert_eq!(std::fs::read(place.outside.join("secret.txt")).expect("untouched"), SECRET);
    assert_eq!(std::fs::read_dir(&place.outside).expect("a folder").count(), 1);
}

#[cfg(unix)]
#[test]
fn atk_c02_the_race_would_find_a_way_out() {
    // Negative control: looking first and opening then, as it must not be done, is caught.
    let place = Place::new();
    let granted = place.granted.canonicalize().expect("a path");
    let naive = || {
        let path = granted.join("link/secret.txt");
        let resolved = path.canonicalize().ok()?;
        resolved.starts_with(&granted).then(|| std::fs::read(path).ok())?
    };
    // On a busy machine it takes a while; each turn of the other thread is another chance.
    let won = (0..50).any(|_| race_reads(naive, &place, 20_000).1 > 0);
    assert!(won, "the race never won, so it proves nothing");
}
