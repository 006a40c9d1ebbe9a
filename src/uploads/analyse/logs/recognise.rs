//! The door for the classifier: what lines of an unknown text show of a log.

use super::access::{self, Columns};
use super::header::{self, Learned};
use super::json;
use super::level::Level;
use super::logfmt;
use super::stack::Scanner;
use super::timestamp::{self, Calendar, Kind};

/// Longest part of a line that is looked at, in bytes; heads of log lines are far shorter.
const LINE_BYTES_MAX: usize = 2048;
/// Words of a line that may be a column of seconds since 1970.
const EPOCH_WORDS: usize = 3;

/// What the lines of a text show of a log; every field but `columns` counts lines.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Look {
    /// Lines that are not empty.
    pub(in super::super) lines: usize,
    /// Lines with a time in their head.
    pub(in super::super) stamped: usize,
    /// Lines with a level behind their time, or as their first word.
    pub(in super::super) leveled: usize,
    /// Lines of an HTTP access log.
    pub(in super::super) requests: usize,
    /// Lines of `key=value` pairs with a level or a message.
    pub(in super::super) pairs: usize,
    /// Lines that end with a JSON record behind something else, as container tools print them.
    pub(in super::super) wrapped: usize,
    /// Lines of stack traces.
    pub(in super::super) traced: usize,
    /// Stack traces.
    pub(in super::super) traces: u64,
    /// Indented lines.
    pub(in super::super) indented: usize,
    /// Lines in the shape of syslog (RFC 3164 or 5424).
    pub(in super::super) syslog: usize,
    /// Whether a line names columns, as W3C extended logs and Zeek do.
    pub(in super::super) columns: bool,
}

/// Looks at `lines`.
pub(in super::super) fn look(lines: &[&str]) -> Look {
    let mut look = Look::default();
    let mut learned = Learned { epoch_word: epoch_word(lines), ..Learned::default() };
    let mut calendar = Calendar::default();
    let mut scanner = Scanner::default();
    for (number, line) in lines.iter().enumerate() {
        let line = super::text::cut(line, LINE_BYTES_MAX);
        if line.trim().is_empty() {
            scanner.push(number as u64, line);
            continue;
        }
        look.lines += 1;
        look.columns |= Columns::from_header(line).is_some();
        if scanner.push(number as u64, line) {
            look.traced += 1;
            continue;
        }
        if access::tell(line, &mut calendar).is_some() {
            look.requests += 1;
        } else if logfmt::tell(line, &mut calendar).is_some() {
            look.pairs += 1;
        } else if !line.starts_with(['{', '[']) && json::at_end(container(line)).is_some() {
            look.wrapped += 1;
        }
        let head = header::parse(line, &mut learned);
        let known = head.level != Level::Unknown && head.time.is_some() || begins_with_level(line);
        look.stamped += usize::from(head.time.is_some());
        look.leveled += usize::from(known);
        look.indented += usize::from(head.time.is_none() && line.starts_with([' ', '\t']));
        look.syslog += usize::from(head.time.is_some() && !head.host.is_empty());
    }
    look.traces = scanner.finish().1;
    look
}

/// What stands behind the name of a container: `web-1  | ...`.
fn container(line: &str) -> &str {
    line.split_once("| ").map_or(line, |(_, rest)| rest)
}

/// `ERROR: ...`, `[error] ...`, `WARN ...`; a word of a sentence is no level.
fn begins_with_level(line: &str) -> bool {
    let line = line.trim_start_matches(['[', '<', ' ', '*']);
    let word = line.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let loud = word.bytes().all(|b| b.is_ascii_uppercase());
    let next = line.as_bytes().get(word.len()).copied();
    is_level(word)
        && (matches!(next, Some(b':' | b']' | b'>' | b'|')) || (loud && next == Some(b' ')))
}

/// Whether all of `text` is one time with its date, or a number of seconds and the like since 1970.
pub(in super::super) fn is_time(text: &str) -> bool {
    let fits = |kind| matches!(kind, Kind::Full | Kind::Epoch);
    let text = text.trim();
    timestamp::parse(text.as_bytes()).is_some_and(|s| s.len == text.len() && fits(s.kind))
        || text.parse().ok().and_then(timestamp::epoch_us).is_some()
}

/// Whether `word` names a level.
pub(in super::super) fn is_level(word: &str) -> bool {
    Level::from_word(word.as_bytes()).is_some()
}

/// The word that is a number of seconds since 1970 in nearly every line.
fn epoch_word(lines: &[&str]) -> Option<usize> {
    let filled: Vec<&&str> = lines.iter().filter(|line| !line.trim().is_empty()).collect();
    (0..EPOCH_WORDS).find(|at| {
        let epochs = filled.iter().filter(|line| {
            let word = line.split_ascii_whitespace().nth(*at);
            word.and_then(|word| word.parse().ok()).and_then(timestamp::epoch_us).is_some()
        });
        filled.len() > 1 && epochs.count() * 10 >= filled.len() * 8
    })
}
