//! A network that fails: a proxy for HTTP between a device and its server that loses, repeats, holds
//! back and cuts messages, each decision drawn from a seed.
//!
//! Never changes a byte of what it lets through. One request per connection, so that a fault hits
//! one message only.

use crate::seeds::Seeded;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// The longest wait for the server's answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
/// Requests that are held back at once.
const HELD_MAX: usize = 4;
/// The largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It never arrives.
    RequestLost,
    /// It arrives and is answered; the answer is lost.
    AnswerLost,
    /// It arrives twice, one after the other.
    Twice,
    /// It arrives twice at the same time.
    TwiceAtOnce,
    /// The sender hears nothing; it arrives behind a later one.
    Late,
    /// It breaks off in the middle.
    RequestCut,
    /// Its answer breaks off in the middle.
    AnswerCut,
    /// It arrives a little later.
    Slow,
    /// Something in between answers for the server.
    BadGateway,
}

const FAULTS: [Fault; 9] = [
    Fault::RequestLost,
    Fault::AnswerLost,
    Fault::Twice,
    Fault::TwiceAtOnce,
    Fault::Late,
    Fault::RequestCut,
    Fault::AnswerCut,
    Fault::Slow,
    Fault::BadGateway,
];

/// How often each fault happened; `passed` counts messages without one.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Messages that went through as they were.
    pub passed: u64,
    /// Messages that met a fault.
    pub faults: BTreeMap<Fault, u64>,
    /// Messages that were held back and arrived behind a later one.
    pub late: u64,
}

impl Counts {
    /// Adds the counts of another proxy.
    pub fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.late += other.late;
        for (fault, count) in &other.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
    }

    /// All faults.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.faults.values().sum()
    }
}

struct State {
    server: SocketAddr,
    /// Of a thousand requests, so many meet a fault.
    per_mille: u64,
    numbers: Mutex<Seeded>,
    held: Mutex<Vec<Vec<u8>>>,
    counts: Mutex<Counts>,
    calm: AtomicBool,
    stopped: AtomicBool,
}

/// A running proxy; dropping it stops it.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// A proxy before `server` in which `per_mille` of a thousand requests meet a fault.
    #[must_use]
    pub fn start(server: SocketAddr, numbers: Seeded, per_mille: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let state = Arc::new(State {
            server,
            per_mille,
            numbers: Mutex::new(numbers),
            held: Mutex::default(),
            counts: Mutex::default(),
            calm: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let state = Arc::clone(&shared);
                drop(std::thread::spawn(move || state.serve(stream)));
            }
        });
        Self { address, state, thread: Some(thread) }
    }

    /// `http://ADDRESS`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends the faults; what was held back arrives now.
    pub fn calm(&self) {
        self.state.calm.store(true, Ordering::SeqCst);
        let held = std::mem::take(&mut *lock(&self.state.held));
        for request in held {
            self.state.deliver_late(&request);
        }
    }

    /// Begins the faults again.
    pub fn storm(&self) {
        self.state.calm.store(false, Ordering::SeqCst);
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        lock(&self.state.counts).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl State {
    fn serve(&self, mut client: TcpStream) {
        let Some(request) = read_request(&mut client) else { return };
        let fault = self.draw();
        let answer = match fault {
            None => self.forward(&request),
            Some(fault) => self.fail(fault, &request),
        };
        if let Some(answer) = answer {
            // The device may have gone; that is one more fault for it to live with.
            drop(client.write_all(&answer));
        }
        drop(client.shutdown(Shutdown::Both));
        self.release();
    }

    fn draw(&self) -> Option<Fault> {
        let mut numbers = lock(&self.numbers);
        let meets = numbers.chance(self.per_mille);
        let fault = FAULTS[numbers.index(FAULTS.len())];
        let fault = (meets && !self.calm.load(Ordering::SeqCst)).then_some(fault);
        let mut counts = lock(&self.counts);
        match fault {
            None => counts.passed += 1,
            Some(fault) => *counts.faults.entry(fault).or_default() += 1,
        }
        fault
    }

    /// What the device gets, if anything.
    fn fail(&self, fault: Fault, request: &[u8]) -> Option<Vec<u8>> {
        match fault {
            Fault::RequestLost => None,
            Fault::AnswerLost => {
                self.forward(request);
                None
            }
            Fault::Twice => {
                let first = self.forward(request);
                let second = self.forward(request);
                if lock(&self.numbers).chance(500) { first } else { second }
            }
            Fault::TwiceAtOnce => std::thread::scope(|scope| {
                let other = scope.spawn(|| self.forward(request));
                let one = self.forward(request);
                let other = other.join().expect("a forwarding thread does not panic");
                if lock(&self.numbers).chance(500) { one } else { other }
            }),
            Fault::Late => {
                let mut held = lock(&self.held);
                if held.len() < HELD_MAX {
                    held.push(request.to_vec());
                }
                None
            }
            Fault::RequestCut => {
                // The length in the head stays, so the server sees a body that breaks off.
                let kept = request.len() - (body_length(request) / 2 + 1).min(request.len());
                if let Ok(mut server) = TcpStream::connect(self.server) {
                    drop(server.write_all(&request[..kept]));
                }
                None
            }
            Fault::AnswerCut => {
                let mut answer = self.forward(request)?;
                answer.truncate(answer.len() - (body_length(&answer) / 2 + 1).min(answer.len()));
                Some(answer)
            }
            Fault::Slow => {
                std::thread::sleep(Duration::from_millis(lock(&self.numbers).below(20)));
                self.forward(request)
            }
            Fault::BadGateway => Some(
                b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 7\r\nconnection: close\r\n\r\ngateway"
                    .to_vec(),
            ),
        }
    }

    /// Sends a request and reads the whole answer; `None` when the server is gone or closes.
    fn forward(&self, request: &[u8]) -> Option<Vec<u8>> {
        let mut server = TcpStream::connect(self.server).ok()?;
        server.set_read_timeout(Some(ANSWER_TIME_MAX)).ok()?;
        server.write_all(request).ok()?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).ok()?;
        (!answer.is_empty()).then_some(answer)
    }

    /// After a later message, one that was held back may arrive.
    fn release(&self) {
        if !lock(&self.numbers).chance(400) {
            return;
        }
        let request = {
            let mut held = lock(&self.held);
            if held.is_empty() { None } else { Some(held.remove(0)) }
        };
        if let Some(request) = request {
            self.deliver_late(&request);
        }
    }

    fn deliver_late(&self, request: &[u8]) {
        lock(&self.counts).late += 1;
        // Nobody waits for this answer any more.
        drop(self.forward(request));
    }
}

/// Reads one request, with its connection marked to be closed after it.
fn read_request(client: &mut TcpStream) -> Option<Vec<u8>> {
    client.set_read_timeout(Some(ANSWER_TIME_MAX)).ok()?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    let head = loop {
        let count = client.read(&mut buffer).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
        if let Some(end) = head_end(&bytes) {
            break end;
        }
        assert!(bytes.len() < HEAD_BYTES_MAX, "a request's head is too long");
    };
    let length = content_length(&bytes[..head]);
    while bytes.len() < head + length {
        let count = client.read(&mut buffer).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
    }
    let mut request = Vec::with_capacity(bytes.len() + 32);
    for line in bytes[..head - 2].split_inclusive(|byte| *byte == b'\n') {
        if !line.to_ascii_lowercase().starts_with(b"connection:") {
            request.extend_from_slice(line);
        }
    }
    request.extend_from_slice(b"connection: close\r\n\r\n");
    request.extend_from_slice(&bytes[head..]);
    Some(request)
}

/// Where the body begins.
fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    assert!(!head.contains("transfer-encoding"), "the proxy knows bodies with a length only");
    head.lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(0, |text| text.trim().parse().expect("a length is a number"))
}

fn body_length(message: &[u8]) -> usize {
    head_end(message).map_or(0, |head| message.len() - head)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
