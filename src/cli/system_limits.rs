//! What the system allows this process, and whether that fits the configuration.

use std::{fs, io};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::{Config, ConfiguredProvider};
use crate::http::{ServerOptions, files_of_connections, most_connections, open_files_limit};

/// Files that each thread with a runtime keeps open, that each connection of the database does, and all else.
const FILES_A_THREAD: usize = 8;
const FILES_A_DATABASE_CONNECTION: usize = 3;
const OTHER_FILES: usize = 64;

/// Threads beside those that the configuration says: for blocking work, names and signals.
const OTHER_THREADS: usize = 48;

/// The memory of a server that has nothing to do.
const IDLE_MEMORY: u64 = 128 * 1024 * 1024;

/// What the system allows this process; none where it sets no limit, or does not say.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SystemLimits {
    /// How many files it may have open. Those of a service that has just started are raised to what it may raise them to.
    pub(super) open_files: Option<u64>,
    /// How many threads it and what else counts with it may have.
    pub(super) threads: Option<u64>,
    /// How many bytes of memory it may have.
    pub(super) memory: Option<u64>,
}

impl SystemLimits {
    /// Those of this process.
    pub(super) fn of_this_process() -> Self {
        let of_user = getrlimit(Resource::Nproc).current;
        let of_group = group_limit("pids.max");
        Self {
            open_files: open_files_limit(),
            threads: of_user.into_iter().chain(of_group).min(),
            memory: group_limit("memory.max"),
        }
    }

    /// What does not fit the configuration, a sentence each with what to do.
    pub(super) fn problems(&self, config: &Config) -> Vec<String> {
        [self.files_problem(config), self.threads_problem(config), self.memory_problem(config)]
            .into_iter()
            .flatten()
            .collect()
    }

    fn files_problem(&self, config: &Config) -> Option<String> {
        let open_files = self.open_files?;
        let options = ServerOptions { reserved_files: reserved_files(config), ..config.server.clone() };
        let most = most_connections(&options, Some(open_files));
        let needed = reserved_files(config) + files_of_connections(most);
        if needed as u64 > open_files {
            return Some(format!(
                "{most} connections need {needed} open files and the system allows {open_files}: raise the limit \
                 (LimitNOFILE of the service, ulimit -n), or lower server.max_connections"
            ));
        }
        let places = places(config);
        (most < places.min(FEWER_THAN_USUAL) && config.server.max_connections == 0).then(|| {
            format!(
                "the system allows {open_files} open files, so there can be {most} connections at a time, fewer than the \
                 responses that the providers may have: raise the limit (LimitNOFILE of the service, ulimit -n)"
            )
        })
    }

    fn threads_problem(&self, config: &Config) -> Option<String> {
        let (allowed, needed) = (self.threads?, threads(config) + config.responses.log_threads + OTHER_THREADS);
        (needed as u64 > allowed).then(|| {
            format!(
                "the server needs up to {needed} threads and the system allows {allowed}: raise the limit (TasksMax of the \
                 service, ulimit -u, the container's limit of processes), or lower server.workers and responses.arbiters"
            )
        })
    }

    fn memory_problem(&self, config: &Config) -> Option<String> {
        let allowed = self.memory?;
        let kept = config.responses.outcome_cache as u64 + config.http.answer_budget as u64;
        let needed = IDLE_MEMORY + kept + 4 * config.http.body_budget as u64;
        (needed > allowed).then(|| {
            format!(
                "what http.body_budget, http.answer_budget and responses.outcome_cache allow at a time may take {} MiB of memory \
                 together with the server, and the system allows {} MiB: raise the limit (MemoryMax of the service, the \
                 container's limit), or lower these options",
                needed >> 20,
                allowed >> 20
            )
        })
    }
}

/// Below so many connections a server is told that it can have few, if its providers may have more responses.
const FEWER_THAN_USUAL: usize = 256;

/// How many open files a server needs beside its connections and those to providers.
pub(super) fn reserved_files(config: &Config) -> usize {
    let database = config.store.options.max_connections as usize * FILES_A_DATABASE_CONNECTION;
    OTHER_FILES + database + threads(config) * FILES_A_THREAD
}

/// Raises the limit of open files as far as this process may.
///
/// # Errors
/// If the system refuses that. The limit is what it was.
pub(super) fn raise_open_files() -> io::Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return Ok(());
    }
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// Threads that have a runtime each: workers of HTTP and arbiters.
fn threads(config: &Config) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let of = |configured: usize| if configured == 0 { cores } else { configured };
    of(config.server.workers) + of(config.responses.arbiters)
}

/// How many responses all providers may have at a time.
fn places(config: &Config) -> usize {
    let of = |provider: &ConfiguredProvider| provider.options().gate.max_concurrent.get();
    config.providers.values().map(of).fold(0, usize::saturating_add)
}

/// A limit of the control group that this process is in, or of one above it.
fn group_limit(file: &str) -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let path = std::path::Path::new("/sys/fs/cgroup").join(own);
    let above = path.ancestors().take_while(|path| path.starts_with("/sys/fs/cgroup"));
    // A group without a limit says "max", and the topmost has no such file.
    above.filter_map(|path| fs::read_to_string(path.join(file)).ok()?.trim().parse().ok()).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tests::configured;

    fn told(limits: SystemLimits, lines: &str) -> Vec<String> {
        limits.problems(&configured(lines))
    }

    const ROOMY: SystemLimits = SystemLimits { open_files: Some(65_536), threads: Some(4_096), memory: Some(1 << 30) };
    const NARROW: &str = "[server]\nworkers = 2\n[responses]\narbiters = 2";

    #[test]
    fn where_all_fits_or_nothing_is_limited_nothing_is_told() {
        assert_eq!(told(ROOMY, NARROW), [""; 0]);
        assert_eq!(told(SystemLimits::default(), NARROW), [""; 0]);
    }

    #[test]
    fn each_limit_that_is_too_low_is_told_with_what_to_do() {
        let cases = [
            (SystemLimits { open_files: Some(128), ..ROOMY }, "LimitNOFILE"),
            (SystemLimits { open_files: Some(300), ..ROOMY }, "LimitNOFILE"),
            (SystemLimits { threads: Some(20), ..ROOMY }, "TasksMax"),
            (SystemLimits { memory: Some(200 << 20), ..ROOMY }, "MemoryMax"),
        ];
        for (limits, advice) in cases {
            let told = told(limits, NARROW);
            assert!(told.len() == 1 && told[0].contains(advice), "{limits:?}: {told:?}");
        }
    }

    #[test]
    fn connections_that_are_configured_and_do_not_fit_are_told() {
        let told = told(ROOMY, "[server]\nmax_connections = 40000");
        assert!(told.len() == 1 && told[0].contains("server.max_connections"), "{told:?}");
    }
}
