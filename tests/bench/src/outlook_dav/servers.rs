//! A real Radicale on loopback, and vdirsyncer as a client of it. Both are installed by
//! `cargo xtask bench`; never anywhere but below the target folder.

use anyhow::{Context as _, Result, bail, ensure};
use offstage_mailstores::http::{Http as _, HttpRequest, Network};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The users; each one's password is its name.
const USERS: [&str; 4] = ["reader", "engine", "other", "tied"];
/// A collection of thousands takes Radicale minutes.
const PATIENCE: Duration = Duration::from_secs(1_800);

pub(super) fn network() -> Network {
    Network::new(Duration::from_secs(30), PATIENCE)
}

fn tools() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from);
    target.join("mail-servers")
}

/// A running server.
pub(super) struct Radicale {
    child: Child,
    port: u16,
}

impl Drop for Radicale {
    fn drop(&mut self) {
        // Already gone is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Radicale {
    /// The server with its users; none if it is not installed.
    pub(super) fn start(folder: &Path) -> Result<Option<Self>> {
        let python = tools().join("radicale/bin/python");
        if !python.exists() {
            return Ok(None);
        }
        std::fs::create_dir_all(folder)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let users: String = USERS.iter().map(|user| format!("{user}:{user}\n")).collect();
        std::fs::write(folder.join("users"), users)?;
        let config = format!(
            "[server]\nhosts = 127.0.0.1:{port}\nmax_content_length = 1000000000\ntimeout = 3600\n\
             [auth]\ntype = htpasswd\nhtpasswd_filename = {0}/users\nhtpasswd_encryption = plain\n\
             [storage]\nfilesystem_folder = {0}/collections\n[logging]\nlevel = warning\n",
            folder.display()
        );
        std::fs::write(folder.join("config"), config)?;
        let child = Command::new(python)
            .args(["-m", "radicale", "--config"])
            .arg(folder.join("config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("log"))?)
            .spawn()?;
        let radicale = Self { child, port };
        for _ in 0..600 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(Some(radicale));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("Radicale does not listen");
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// An address book and a calendar, each by one PUT.
    pub(super) fn seed(&self, user: &str, count: usize) -> Result<()> {
        let cards: String =
            (0..count).map(|number| card(number, first_name(number, count))).collect();
        self.put(user, "contacts/", "text/vcard", &cards)?;
        let mut events = String::from("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\n");
        for number in 0..count {
            let (day, hour) = (1 + number % 28, number / 28 % 24);
            let month = 1 + number / (28 * 24) % 12;
            write!(
                events,
                "BEGIN:VEVENT\r\nUID:event-{number}\r\nDTSTAMP:20261125T090000Z\r\n\
                 DTSTART:2027{month:02}{day:02}T{hour:02}0000Z\r\n\
                 DTEND:2027{month:02}{day:02}T{hour:02}3000Z\r\nSUMMARY:Event {number}\r\n\
                 LOCATION:Room 7\r\nDESCRIPTION:{}\r\nEND:VEVENT\r\n",
                "Agenda to follow. ".repeat(10)
            )?;
        }
        events.push_str("END:VCALENDAR\r\n");
        self.put(user, "calendar/", "text/calendar", &events)
    }

    /// An empty address book and an empty calendar.
    pub(super) fn make(&self, user: &str) -> Result<()> {
        for (name, kind) in [("contacts", "<A:addressbook/>"), ("calendar", "<C:calendar/>")] {
            let body = format!(
                "<D:mkcol xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\" \
                 xmlns:A=\"urn:ietf:params:xml:ns:carddav\"><D:set><D:prop><D:resourcetype>\
                 <D:collection/>{kind}</D:resourcetype></D:prop></D:set></D:mkcol>"
            );
            self.send(user, "MKCOL", &format!("{name}/"), &[], body.as_bytes())?;
        }
        Ok(())
    }

    /// Everything is read once.
    pub(super) fn warm(&self, user: &str) -> Result<()> {
        for name in ["contacts/", "calendar/"] {
            self.send(user, "GET", name, &[], b"")?;
        }
        Ok(())
    }

    /// As many contacts as asked for change, as another client would do it.
    pub(super) fn change(&self, user: &str, count: usize) -> Result<()> {
        let listing = self.send(user, "PROPFIND", "contacts/", &[("depth", "1")], b"")?;
        let listing = String::from_utf8(listing)?;
        let hrefs = listing.split("<href>").skip(1);
        let mut objects: Vec<&str> = hrefs
            .filter_map(|part| part.split("</href>").next())
            .filter(|href| !href.ends_with('/'))
            .collect();
        objects.sort_unstable();
        let mut changed = 0;
        for href in objects {
            let name = href.strip_prefix(&format!("/{user}/")).context("another user's")?;
            let card = String::from_utf8(self.send(user, "GET", name, &[], b"")?)?;
            // The last contacts change on the other side.
            if changed == count || card.contains("FN:Last") {
                continue;
            }
            let card = card.replace("END:VCARD", "NICKNAME:Changed\r\nEND:VCARD");
            self.put(user, name, "text/vcard", &card)?;
            changed += 1;
        }
        ensure!(changed == count, "{changed} of {count} changed");
        Ok(())
    }

    pub(super) fn put(
        &self,
        user: &str,
        path: &str,
        media: &'static str,
        text: &str,
    ) -> Result<()> {
        self.send(user, "PUT", path, &[("content-type", media)], text.as_bytes()).map(drop)
    }

    fn send(
        &self,
        user: &str,
        method: &'static str,
        path: &str,
        headers: &[(&'static str, &str)],
        body: &[u8],
    ) -> Result<Vec<u8>> {
        use base64::Engine as _;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{user}"));
        let mut all = vec![("authorization", format!("Basic {pair}"))];
        all.extend(headers.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let url = format!("{}/{user}/{path}", self.url());
        let request = HttpRequest { method, url, headers: all, body: body.to_vec() };
        let answer = network().send(&request)?;
        ensure!(answer.status < 300, "{method} {path}: {}", answer.status);
        Ok(answer.body)
    }
}

/// The contacts that will change on the near side are the last ones.
fn first_name(number: usize, count: usize) -> &'static str {
    if number + super::CHANGES >= count { "Last" } else { "First" }
}

fn card(number: usize, first: &str) -> String {
    format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:card-{number}\r\nFN:{first} Person{number}\r\n\
         N:Person{number};{first};;;\r\nEMAIL:p{number}@contoso.example\r\nTEL;TYPE=WORK:+1 425 555 0100\r\n\
         ADR;TYPE=WORK:;;;Redmond;;;\r\nNOTE:{}\r\nEND:VCARD\r\n",
        "Met at the fair. ".repeat(10)
    )
}

/// vdirsyncer between a user's collections and folders.
pub(super) struct Vdirsyncer {
    program: PathBuf,
    folder: PathBuf,
}

impl Vdirsyncer {
    /// A client whose folders are empty; none if it is not installed.
    pub(super) fn new(radicale: &Radicale, user: &str, folder: &Path) -> Result<Option<Self>> {
        let program = tools().join("vdirsyncer/bin/vdirsyncer");
        if !program.exists() {
            return Ok(None);
        }
        let mut config = format!("[general]\nstatus_path = \"{}/status/\"\n", folder.display());
        for (name, kind, ending) in
            [("contacts", "carddav", ".vcf"), ("calendar", "caldav", ".ics")]
        {
            std::fs::create_dir_all(folder.join(name))?;
            write!(
                config,
                "[pair {name}]\na = \"{name}_far\"\nb = \"{name}_near\"\ncollections = null\n\
                 conflict_resolution = \"a wins\"\n[storage {name}_far]\ntype = \"{kind}\"\n\
                 url = \"{}/{user}/{name}/\"\nusername = \"{user}\"\npassword = \"{user}\"\n\
                 [storage {name}_near]\ntype = \"filesystem\"\npath = \"{}/{name}/\"\n\
                 fileext = \"{ending}\"\n",
                radicale.url(),
                folder.display()
            )?;
        }
        std::fs::write(folder.join("config"), config)?;
        let this = Self { program, folder: folder.to_owned() };
        this.run("discover")?;
        Ok(Some(this))
    }

    pub(super) fn sync(&self) -> Result<()> {
        self.run("sync")
    }

    /// Contacts in the folder, to be uploaded; the last ones are named so that they can be told.
    pub(super) fn fill(&self, count: usize) -> Result<()> {
        for number in 0..count {
            let path = self.folder.join(format!("contacts/{number}.vcf"));
            std::fs::write(path, card(number, first_name(number, count)))?;
        }
        Ok(())
    }

    /// The last contacts change in the folder.
    pub(super) fn change(&self, count: usize) -> Result<()> {
        let mut changed = 0;
        for entry in std::fs::read_dir(self.folder.join("contacts"))? {
            let path = entry?.path();
            let card = std::fs::read_to_string(&path)?;
            if card.contains("FN:Last") {
                let card = card.replace("END:VCARD", "TITLE:CEO\r\nEND:VCARD");
                std::fs::write(path, card)?;
                changed += 1;
            }
        }
        ensure!(changed == count, "{changed} of {count} changed");
        Ok(())
    }

    fn run(&self, verb: &str) -> Result<()> {
        let output = Command::new(&self.program)
            .arg("--config")
            .arg(self.folder.join("config"))
            .arg(verb)
            .stdin(Stdio::null())
            .output()?;
        ensure!(
            output.status.success(),
            "vdirsyncer {verb}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}
