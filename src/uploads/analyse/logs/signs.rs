//! What the constant words of a message betray: trouble, memory running out, a restart.

use super::level::{self, Level};
use aho_corasick::AhoCorasick;
use std::sync::LazyLock;

/// What a kind of message betrays; worked out once per signature, not per line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Signs {
    /// Something did not work.
    pub(super) trouble: bool,
    /// Memory ran out.
    pub(super) memory: bool,
    /// A program or machine starts or stops.
    pub(super) restart: bool,
    /// Level that the message gives away when its head has none.
    pub(super) level: Level,
}

const TROUBLE: &[&str] = &[
    "fail",
    "error",
    "exception",
    "denied",
    "refused",
    "timeout",
    "timed out",
    "time out",
    "unreachable",
    "exceeded",
    "abort",
    "invalid",
    "cannot",
    "can't",
    "couldn't",
    "could not",
    "unable",
    "broken",
    "lost",
    "crash",
    "corrupt",
    "deadlock",
    "killed",
    "segfault",
    "panic",
    "no space",
    "too many",
    "unauthorized",
    "forbidden",
    "break-in",
    "expired",
    "rejected",
    "not found",
    "unhealthy",
    "unavailable",
    "backoff",
    "disconnect",
    "bad ",
    "fatal",
    "not responding",
    "evict",
    "throttl",
    "unexpected",
    "violation",
    "mismatch",
    "abnormal",
];
const MEMORY: &[&str] = &[
    "out of memory",
    "oom-kill",
    "oom_kill",
    "outofmemory",
    "oomkilled",
    "invoked oom",
    "cannot allocate memory",
    "memory cgroup",
    "enomem",
    "heap space",
    "std::bad_alloc",
    "memoryerror",
    "allocation failed",
];
const RESTART: &[&str] = &[
    "restart",
    "starting up",
    "started up",
    "server started",
    "booting",
    "linux version",
    "shutting down",
    "shutdown",
    "shut down",
    "sigterm",
    "caught signal",
    "received signal",
    "terminated by signal",
    "resuming normal operations",
    "ready for connections",
    "unclean shutdown",
    "starting server",
    "starting quorum peer",
    "listening on",
    "started application",
    "application started",
    "exiting",
    "rebooted",
    "going down for",
];

static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let words = TROUBLE.iter().chain(MEMORY).chain(RESTART);
    AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok()
});

/// Reads the signs in a message.
pub(super) fn read(message: &str) -> Signs {
    let mut signs = Signs { level: level::in_message(message), ..Signs::default() };
    let Some(words) = &*WORDS else { return signs };
    for found in words.find_overlapping_iter(message) {
        let pattern = found.pattern().as_usize();
        if pattern < TROUBLE.len() {
            signs.trouble = true;
        } else if pattern < TROUBLE.len() + MEMORY.len() {
            signs.memory = true;
        } else {
            signs.restart = true;
        }
    }
    signs
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::uploads::analyse::logs::level::Level;

    #[test]
    fn words_betray_trouble_memory_and_restarts() {
        assert!(read("Connection refused by peer").trouble);
        assert!(read("java.lang.OutOfMemoryError: Java heap space").memory);
        assert!(read("Out of memory: Killed process 12").memory);
        assert!(read("server started, listening on :80").restart);
        let quiet = read("served 200 in 3 ms");
        assert!(!quiet.trouble && !quiet.memory && !quiet.restart);
    }

    #[test]
    fn levels_without_a_header_are_read_from_the_message() {
        for (message, expected) in [
            ("error: no route", Level::Error),
            ("Error: 18456, Severity: 14", Level::Error),
            ("WARNING: This is a development server", Level::Warn),
            ("client level=warn slow", Level::Warn),
            ("got java.io.IOException: gone", Level::Error),
            ("[critical] disk", Level::Critical),
            ("the error rate is low", Level::Unknown),
            ("no information here", Level::Unknown),
        ] {
            assert_eq!(read(message).level, expected, "{message}");
        }
    }
}
