//! Measures wall time, CPU time of all threads, and the growth of memory. Never judges.

use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// What one round took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// Wall time in microseconds.
    pub(crate) wall_us: f64,
    /// CPU time of the process in microseconds, system time included.
    pub(crate) cpu_us: f64,
}

impl std::ops::AddAssign for Sample {
    fn add_assign(&mut self, other: Self) {
        self.wall_us += other.wall_us;
        self.cpu_us += other.cpu_us;
    }
}

/// Runs `work` and measures it.
pub(crate) fn sample<T>(work: impl FnOnce() -> Result<T>) -> Result<(Sample, T)> {
    let (cpu, wall) = (cpu_time(), Instant::now());
    let done = work()?;
    let (wall, cpu) = (wall.elapsed(), cpu_time().saturating_sub(cpu));
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    Ok((Sample { wall_us: micros(wall), cpu_us: micros(cpu) }, done))
}

/// Runs `work`, which waits for processes of its own, and measures those too.
pub(crate) fn sample_child<T>(work: impl FnOnce() -> Result<T>) -> Result<(Sample, T)> {
    let before = children_us();
    let (mut sample, done) = sample(work)?;
    sample.cpu_us += children_us() - before;
    Ok((sample, done))
}

/// CPU time of the processes that ended and were waited for, in steps of 10 ms; 0 where the kernel
/// does not tell.
fn children_us() -> f64 {
    /// Ticks a second, on every Linux there is.
    const TICK_US: f64 = 10_000.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    // `cutime` and `cstime` are the 14th and the 15th after the name.
    let times = after_name.split_whitespace().skip(13).take(2);
    times.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * TICK_US
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The rounds of one measurement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rounds(Vec<Sample>);

impl Rounds {
    /// No round yet.
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a round of `operations` equal operations; what is kept is the time of one.
    pub(crate) fn push(&mut self, sample: Sample, operations: usize) {
        let each = operations.max(1) as f64;
        self.0.push(Sample { wall_us: sample.wall_us / each, cpu_us: sample.cpu_us / each });
    }

    /// Median, lowest and highest wall time of one operation in microseconds.
    pub(crate) fn wall(&self) -> Spread {
        Spread::of(self.0.iter().map(|sample| sample.wall_us))
    }

    /// Median, lowest and highest CPU time of one operation in microseconds.
    pub(crate) fn cpu(&self) -> Spread {
        Spread::of(self.0.iter().map(|sample| sample.cpu_us))
    }
}

/// A median with its spread.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(crate) struct Spread {
    /// The median.
    pub(crate) median: f64,
    /// The lowest.
    pub(crate) min: f64,
    /// The highest.
    pub(crate) max: f64,
}

impl Spread {
    /// Of these values; all zero when there is none.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        match (sorted.first(), sorted.last()) {
            (Some(&min), Some(&max)) => Self { median: sorted[sorted.len() / 2], min, max },
            _ => Self::default(),
        }
    }
}

/// Watches how far the memory of this process grows.
pub(crate) struct MemoryWatch {
    before_kib: u64,
}

impl MemoryWatch {
    /// Starts at the memory in use now. `None` where the kernel does not tell.
    pub(crate) fn start() -> Option<Self> {
        // 5 resets the high-water mark.
        std::fs::write("/proc/self/clear_refs", "5").ok()?;
        Some(Self { before_kib: status_kib("self", "VmRSS")? })
    }

    /// The growth since then at its peak, in MiB.
    pub(crate) fn peak_mib(&self) -> Option<f64> {
        let peak = status_kib("self", "VmHWM")?;
        Some(peak.saturating_sub(self.before_kib) as f64 / 1024.0)
    }
}

/// A line of `/proc/<process>/status`, in KiB.
pub(crate) fn status_kib(process: &str, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}
