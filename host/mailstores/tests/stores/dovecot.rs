//! A real Dovecot on a loopback port, with its configuration and Maildirs in a temporary folder.
//!
//! Stopped with the value. Never touches a mail server that is on the machine already.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use offstage_mailstores::imap::{ImapLimits, ImapSettings, ImapStore, Security};

pub(crate) const PASSWORD: &str = "a-secret-of-the-test";

/// What differs between servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As it comes.
    Usual,
    /// It does not say that it counts changes.
    WithoutCondstore,
    /// It speaks TLS only.
    Tls,
}

/// A running server.
pub(crate) struct Dovecot {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) port: u16,
    kind: Kind,
    child: Option<Child>,
}

/// The server, or nothing on a machine that has none.
pub(crate) fn start(kind: Kind) -> Option<Dovecot> {
    if program("dovecot").is_none() {
        crate::servers::missing("Dovecot");
        return None;
    }
    let folder = tempfile::Builder::new().prefix("dovecot-").tempdir().unwrap();
    let port = crate::servers::free_port();
    let mut server = Dovecot { folder, port, kind, child: None };
    server.configure();
    server.run();
    Some(server)
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    text
}

impl Dovecot {
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn configure(&self) {
        let root = self.path();
        std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::create_dir(root.join("mail")).unwrap();
        let id = |flag: &str| output(Command::new("id").arg(flag)).trim().to_owned();
        let (mut user, mut group, mut own) = (id("-u"), id("-g"), String::new());
        if user == "0" {
            // Mail is never read as root.
            (user, group) = ("65534".to_owned(), "65534".to_owned());
            let owner = format!("{user}:{group}");
            output(Command::new("chown").arg(owner).arg(root.join("mail")));
        } else {
            let name = id("-un");
            own = format!("default_internal_user = {name}\ndefault_login_user = {name}\n");
            own += &format!("default_internal_group = {}\n", id("-gn"));
            own += "service anvil {\n  chroot =\n}\nservice imap-login {\n  chroot =\n}\n";
        }
        if self.kind == Kind::WithoutCondstore {
            own += "imap_capability = IMAP4rev1 LIST-EXTENDED SPECIAL-USE\n";
        }
        let (mut plain, mut tls, mut security) = (self.port, 0, "ssl = no\n".to_owned());
        if self.kind == Kind::Tls {
            (plain, tls) = (0, self.port);
            self.make_certificate();
            let file = |name: &str| root.join(name).display().to_string();
            security = format!("ssl = yes\nssl_cert = <{}\n", file("certificate.pem"));
            security += &format!("ssl_key = <{}\n", file("key.pem"));
        }
        let text = include_str!("dovecot.conf")
            .replace("@ROOT@", &root.display().to_string())
            .replace("@PASSWORD@", PASSWORD)
            .replace("@UID@", &user)
            .replace("@GID@", &group)
            .replace("@PLAIN@", &plain.to_string())
            .replace("@TLS@", &tls.to_string());
        std::fs::write(root.join("dovecot.conf"), text + &security + &own).unwrap();
    }

    fn make_certificate(&self) {
        let file = |name: &str| self.path().join(name);
        output(
            Command::new("openssl")
                .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"])
                .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
                .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
                .arg(file("key.pem"))
                .arg("-out")
                .arg(file("certificate.pem"))
                .stderr(Stdio::piped()),
        );
    }

    /// Starts the server, and waits until it answers.
    pub(crate) fn run(&mut self) {
        let program = program("dovecot").unwrap();
        let config = self.path().join("dovecot.conf");
        let log = std::fs::File::create(self.path().join("errors")).unwrap();
        let child = Command::new(program)
            .arg("-F")
            .arg("-c")
            .arg(config)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        for _ in 0..200 {
            if self.answers() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("Dovecot does not answer:\n{}", self.log());
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut byte = [0];
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        // With TLS the client speaks first; a connection waits until the server takes it.
        self.kind == Kind::Tls || stream.read(&mut byte).is_ok_and(|read| read > 0)
    }

    fn log(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.path().join(name));
        format!("{}{}", read("errors").unwrap_or_default(), read("log").unwrap_or_default())
    }

    /// Stops the server.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Not `kill`: a small machine has no such program.
            kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
            child.wait().unwrap();
        }
    }

    /// Runs Dovecot's own tool on the mailbox of a user.
    pub(crate) fn doveadm(&self, arguments: &[&str]) -> String {
        let config = self.path().join("dovecot.conf");
        let mut command = Command::new(program("doveadm").unwrap());
        output(command.arg("-c").arg(config).args(arguments))
    }

    /// Delivers a message to a folder of Ada.
    pub(crate) fn deliver(&self, folder: &str, message: &str) {
        let config = self.path().join("dovecot.conf");
        let mut child = Command::new(program("doveadm").unwrap())
            .arg("-c")
            .arg(config)
            .args(["save", "-u", "ada", "-m", folder])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(message.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// Ada's account.
    pub(crate) fn settings(&self) -> ImapSettings {
        let tls = self.kind == Kind::Tls;
        let ca_file = Some(self.path().join("certificate.pem"));
        ImapSettings {
            host: if tls { "localhost" } else { "127.0.0.1" }.to_owned(),
            port: self.port,
            security: if tls { Security::Tls { ca_file } } else { Security::PlainToLoopback },
            user: "ada".to_owned(),
            password: PASSWORD.to_owned(),
            folders: Vec::new(),
            keywords: true,
            limits: ImapLimits::default(),
        }
    }

    /// A store of Ada's mailbox, with a file of ties of this name.
    pub(crate) fn store(&self, ties: &str) -> ImapStore {
        self.store_with(self.settings(), ties)
    }

    pub(crate) fn store_with(&self, settings: ImapSettings, ties: &str) -> ImapStore {
        ImapStore::open(settings, &self.path().join(ties)).unwrap()
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.log());
        }
        self.stop();
    }
}
