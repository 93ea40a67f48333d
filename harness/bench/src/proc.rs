//! What the system knows of a process.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// A process and those it has started.
#[derive(Debug, Clone)]
pub(crate) struct Family {
    root: u32,
}

/// How long each thread was on a processor, in user code and in the system for it, in nanoseconds.
///
/// The scheduler's own count: `utime` and `stime` of `/proc/PID/stat` are the same time in units of 10 ms, too
/// coarse for a single stream. What a thread does that ends before the next look is lost.
#[derive(Debug)]
pub(crate) struct CpuTime(HashMap<u32, u64>);

impl CpuTime {
    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        let of = |(thread, time): (&u32, &u64)| time - earlier.0.get(thread).unwrap_or(&0);
        Duration::from_nanos(self.0.iter().map(of).sum())
    }
}

/// How long all processors worked and idled since the machine was started, in the system's ticks.
#[derive(Debug)]
pub(crate) struct Machine {
    busy: u64,
    all: u64,
}

impl Machine {
    pub(crate) fn look() -> anyhow::Result<Self> {
        let stat = fs::read_to_string("/proc/stat")?;
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu ")).context("no line of all processors")?;
        // user, nice, system, idle, iowait, irq, softirq, steal; what follows is part of user and nice.
        let times: Vec<u64> = line.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>()?;
        let idle: u64 = times.iter().skip(3).take(2).sum();
        let all: u64 = times.iter().sum();
        Ok(Self { busy: all - idle, all })
    }

    /// Which part of the time since then they worked.
    pub(crate) fn busy_since(&self, earlier: &Self) -> f64 {
        // The system does not promise that idle times only grow.
        let busy = self.busy.saturating_sub(earlier.busy) as f64;
        busy / (self.all.saturating_sub(earlier.all).max(1)) as f64
    }
}

impl Family {
    pub(crate) fn of(root: u32) -> Self {
        Self { root }
    }

    pub(crate) fn cpu(&self) -> anyhow::Result<CpuTime> {
        let mut threads = HashMap::new();
        for pid in self.members()? {
            for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
                let thread = thread?;
                // A thread may end between the two.
                let Ok(schedstat) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
                let time = schedstat.split_whitespace().next().context("an empty schedstat")?.parse()?;
                threads.insert(thread.file_name().to_string_lossy().parse()?, time);
            }
        }
        Ok(CpuTime(threads))
    }

    /// The resident memory of all of it in bytes; what processes share is counted in parts.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        self.members()?.into_iter().map(memory).sum()
    }

    /// The most memory that was resident of its first process, in bytes.
    pub(crate) fn peak(&self) -> anyhow::Result<u64> {
        kibibytes(&format!("/proc/{}/status", self.root), "VmHWM:")
    }

    fn members(&self) -> anyhow::Result<Vec<u32>> {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.root))?;
        let mut members = vec![self.root];
        for child in children.split_whitespace() {
            members.push(child.parse()?);
        }
        Ok(members)
    }
}

fn memory(pid: u32) -> anyhow::Result<u64> {
    kibibytes(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
}

/// A number of kibibytes in a file of the system, in bytes.
fn kibibytes(file: &str, label: &str) -> anyhow::Result<u64> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(label)).with_context(|| format!("no {label}"))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024)
}
