//! What a process takes of memory, as the system tells.

use std::fs;

/// The memory of a process while something is done to it.
pub(crate) struct Peak {
    process: u32,
    before: u64,
}

impl Peak {
    /// Forgets what the process took before.
    pub(crate) fn of(process: u32) -> Self {
        fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
        Self { process, before: bytes(process, "VmRSS:") }
    }

    /// The bytes that it takes now beyond what it had.
    pub(super) fn now(&self) -> u64 {
        bytes(self.process, "VmRSS:").saturating_sub(self.before)
    }

    /// The most bytes that it took beyond what it had.
    pub(crate) fn bytes(&self) -> u64 {
        bytes(self.process, "VmHWM:").saturating_sub(self.before)
    }
}

fn bytes(process: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
