//! Records written as `key=value` pairs (logfmt).

use super::level::Level;
use super::record::Told;
use super::timestamp::{self, Calendar};
use std::borrow::Cow;

/// Most pairs read from one line.
const PAIRS_MAX: usize = 64;

/// Reads a line of pairs, or `None` when it has neither a message nor a level among them.
pub(super) fn tell<'a>(line: &'a str, calendar: &mut Calendar) -> Option<Told<'a>> {
    let first = line.split([' ', '=']).next()?;
    let starts = line.get(first.len()..)?.starts_with('=') && is_key(first);
    if !starts || !(line.contains("msg=") || line.contains("level=") || line.contains("lvl=")) {
        return None;
    }
    let mut told = Told::default();
    let mut known = false;
    let pairs = Pairs { rest: line };
    for (key, value) in pairs.take(PAIRS_MAX) {
        match key {
            "time" | "ts" | "t" | "timestamp" | "@timestamp" => {
                told.time_us =
                    timestamp::parse(value.as_bytes()).map(|stamp| calendar.settle(stamp));
            }
            "level" | "lvl" | "severity" => {
                told.level = Level::from_word(value.as_bytes()).unwrap_or_default();
                known = true;
            }
            // Linux audit: the message holds the time, the record is the whole line.
            "msg" if value.starts_with("audit(") => {
                let number = value.get(6..).and_then(|rest| rest.split(':').next());
                told.time_us = number.and_then(|n| n.parse().ok()).and_then(timestamp::epoch_us);
                told.message = line.into();
                known = true;
            }
            "msg" | "message" => {
                told.message = value;
                known = true;
            }
            "logger" | "service" | "component" | "app" | "module" => told.service = value,
            "host" | "hostname" => told.host = value,
            "pid" => told.pid = value,
            "trace_id" | "traceID" | "traceId" => told.trace_id = value,
            "stack" | "stacktrace" if value.contains('\n') => told.stack = Some(value),
            "error" | "err" if told.message.is_empty() => told.message = value,
            _ => {}
        }
    }
    if told.message.is_empty() {
        told.message = line.into();
    }
    known.then_some(told)
}

fn is_key(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 40
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'@'))
}

struct Pairs<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.is_empty() {
                return None;
            }
            let end = self.rest.find([' ', '=']).unwrap_or(self.rest.len());
            let (key, rest) = self.rest.split_at(end);
            let Some(rest) = rest.strip_prefix('=') else {
                self.rest = rest;
                continue;
            };
            let (value, rest) = match rest.strip_prefix('"') {
                Some(quoted) => unquote(quoted),
                None => {
                    let (value, rest) = rest.split_at(rest.find(' ').unwrap_or(rest.len()));
                    (Cow::Borrowed(value), rest)
                }
            };
            self.rest = rest;
            return Some((key, value));
        }
    }
}

/// The text up to the closing quote, with escapes resolved, and what follows.
fn unquote(quoted: &str) -> (Cow<'_, str>, &str) {
    let mut escaped = false;
    let mut escapes = false;
    for (at, byte) in quoted.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => (escaped, escapes) = (true, true),
            b'"' => {
                let (value, rest) = quoted.split_at(at);
                let rest = rest.get(1..).unwrap_or_default();
                let value =
                    if escapes { Cow::Owned(unescape(value)) } else { Cow::Borrowed(value) };
                return (value, rest);
            }
            _ => {}
        }
    }
    (Cow::Borrowed(quoted), "")
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('r') => {}
            Some(other) => plain.push(other),
            None => plain.push('\\'),
        }
    }
    plain
}
