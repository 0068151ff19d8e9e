//! Real servers for a test: started on loopback with a folder of their own, stopped afterwards.
//!
//! `cargo xtask setup` installs them. A test that needs one that is not there says so and is
//! skipped, unless `OFFSTAGE_SERVERS=required` is set, as `cargo xtask test` does: then it fails.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use offstage_mailstores::http::{Http as _, HttpRequest, Network};

/// Tells that a server is missing, or fails where none may be.
pub(crate) fn missing(what: &str) {
    let required = std::env::var_os("OFFSTAGE_SERVERS").is_some_and(|value| value == "required");
    assert!(!required, "{what} is not installed; run `cargo xtask setup`");
    println!("SKIPPED: {what} is not installed; run `cargo xtask setup` to run this test");
}

/// A free port of this machine.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A process that ends with the test.
pub(crate) struct Running {
    child: Child,
    pub(crate) port: u16,
    /// Removed when the server is stopped.
    _folder: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is as good.
        let _killed = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Waits until somebody listens.
pub(crate) fn wait_for(port: u16, child: &mut Child) {
    for _ in 0..600 {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return;
        }
        if let Some(status) = child.try_wait().unwrap() {
            panic!("the server ended with {status}");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the server does not listen on port {port}");
}

/// The real network, with patience for a busy machine.
pub(crate) fn network() -> Box<Network> {
    Box::new(Network::new(Duration::from_secs(30), Duration::from_secs(120)))
}

/// A Radicale with an address book, a calendar and a list of to-dos; `None` if it is not installed.
pub(crate) fn radicale() -> Option<Running> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from);
    let python = target.join("mail-servers/radicale/bin/python");
    if !python.exists() {
        missing("Radicale");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    std::fs::write(folder.path().join("users"), "jo:secret\n").unwrap();
    let config = format!(
        "[server]\nhosts = 127.0.0.1:{port}\n[auth]\ntype = htpasswd\nhtpasswd_filename = {0}/users\n\
         htpasswd_encryption = plain\n[storage]\nfilesystem_folder = {0}/collections\n\
         [logging]\nlevel = warning\n",
        folder.path().display()
    );
    std::fs::write(folder.path().join("config"), config).unwrap();
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let mut child = Command::new(python)
        .args(["-m", "radicale", "--config"])
        .arg(folder.path().join("config"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    wait_for(port, &mut child);
    let running = Running { child, port, _folder: folder };
    running.make("contacts", "<D:resourcetype><D:collection/><A:addressbook/></D:resourcetype>");
    for (name, component) in [("calendar", "VEVENT"), ("tasks", "VTODO")] {
        running.make(
            name,
            &format!(
                "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>\
                 <C:supported-calendar-component-set><C:comp name=\"{component}\"/>\
                 </C:supported-calendar-component-set>"
            ),
        );
    }
    Some(running)
}

impl Running {
    /// The address of the server.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn make(&self, name: &str, properties: &str) {
        let body = format!(
            "<D:mkcol xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\" \
             xmlns:A=\"urn:ietf:params:xml:ns:carddav\"><D:set><D:prop>{properties}\
             <D:displayname>{name}</D:displayname></D:prop></D:set></D:mkcol>"
        );
        let status = self.raw("MKCOL", &format!("/jo/{name}/"), &[], body.as_bytes()).0;
        assert_eq!(status, 201, "making {name}");
    }

    /// Sends a request as another client would.
    pub(crate) fn raw(
        &self,
        method: &'static str,
        path: &str,
        headers: &[(&'static str, &str)],
        body: &[u8],
    ) -> (u16, Vec<u8>) {
        let mut all = vec![("authorization", "Basic am86c2VjcmV0".to_owned())];
        all.extend(headers.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let url = format!("{}{path}", self.url());
        let request = HttpRequest { method, url, headers: all, body: body.to_vec() };
        let answer = network().send(&request).unwrap();
        (answer.status, answer.body)
    }
}
