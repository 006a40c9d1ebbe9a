//! Severity words, letters and numbers of the common loggers.

use serde::{Deserialize, Serialize};

/// Severity of a record, worst last so that `max` picks the worst.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    /// The record names none.
    #[default]
    Unknown,
    /// Finest detail.
    Trace,
    /// For developers.
    Debug,
    /// Normal operation; notices too.
    Info,
    /// Something is off.
    Warn,
    /// An operation failed.
    Error,
    /// A component failed.
    Critical,
    /// The process or system failed; emergencies and alerts too.
    Fatal,
}

impl Level {
    /// The name on the wire.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Fatal => "fatal",
        }
    }

    /// Whether this counts as an error in rates and bursts.
    pub(super) fn is_error(self) -> bool {
        self >= Self::Error
    }

    /// The level a word names, in any case; single letters are not words.
    pub(super) fn from_word(word: &[u8]) -> Option<Self> {
        if !(3..=13).contains(&word.len()) {
            return None;
        }
        let mut lower = [0u8; 13];
        let lower = lower.get_mut(..word.len())?;
        lower.copy_from_slice(word);
        lower.make_ascii_lowercase();
        Some(match &*lower {
            b"fatal" | b"emerg" | b"emergency" | b"alert" | b"panic" => Self::Fatal,
            b"crit" | b"critical" => Self::Critical,
            b"error" | b"err" | b"severe" => Self::Error,
            b"warn" | b"warning" => Self::Warn,
            b"info" | b"note" | b"notice" | b"information" | b"informational" | b"log" => {
                Self::Info
            }
            b"debug" | b"debug1" | b"debug2" | b"debug3" | b"debug4" | b"debug5" | b"fine"
            | b"verbose" | b"dbg" => Self::Debug,
            b"trace" | b"finer" | b"finest" | b"silly" => Self::Trace,
            _ => return None,
        })
    }

    /// The level a single letter names in logcat, glog, MongoDB and their like.
    pub(super) fn from_letter(letter: u8) -> Option<Self> {
        Some(match letter {
            b'F' => Self::Fatal,
            b'C' => Self::Critical,
            b'E' => Self::Error,
            b'W' => Self::Warn,
            b'I' | b'N' => Self::Info,
            b'D' => Self::Debug,
            b'V' | b'T' => Self::Trace,
            _ => return None,
        })
    }

    /// The level of a syslog priority, `facility * 8 + severity` (RFC 5424, 6.2.1).
    pub(super) const fn from_syslog_priority(priority: u32) -> Self {
        match priority % 8 {
            0 | 1 => Self::Fatal,
            2 => Self::Critical,
            3 => Self::Error,
            4 => Self::Warn,
            5 | 6 => Self::Info,
            _ => Self::Debug,
        }
    }

    /// The level of a number in a JSON record: pino and bunyan use 10 to 60, syslog 0 to 7.
    pub(super) const fn from_number(number: i64) -> Option<Self> {
        Some(match number {
            0..=7 => Self::from_syslog_priority(number as u32),
            8..=19 => Self::Trace,
            20..=29 => Self::Debug,
            30..=39 => Self::Info,
            40..=49 => Self::Warn,
            50..=59 => Self::Error,
            60..=69 => Self::Fatal,
            _ => return None,
        })
    }

    /// The level of an OpenTelemetry severity number, 1 to 24.
    pub(super) const fn from_otel(number: i64) -> Option<Self> {
        Some(match number {
            1..=4 => Self::Trace,
            5..=8 => Self::Debug,
            9..=12 => Self::Info,
            13..=16 => Self::Warn,
            17..=20 => Self::Error,
            21..=24 => Self::Fatal,
            _ => return None,
        })
    }

    /// The level of an HTTP answer: 5xx is an error of ours, 4xx a warning.
    pub(super) const fn from_http_status(status: u16) -> Self {
        match status {
            500..=599 => Self::Error,
            400..=499 => Self::Warn,
            _ => Self::Info,
        }
    }
}

/// How far into a message a level word is looked for when the header has none.
const MESSAGE_BYTES: usize = 160;

/// The level that a message without a level in its header gives away: a leading `error:`, a word in
/// capitals, `level=error`, or the name of an exception.
pub(super) fn in_message(message: &str) -> Level {
    let bytes = message.as_bytes();
    let bytes = &bytes[..bytes.len().min(MESSAGE_BYTES)];
    let mut start = 0;
    let mut first = true;
    while start < bytes.len() {
        let Some(begin) =
            bytes[start..].iter().position(u8::is_ascii_alphabetic).map(|n| start + n)
        else {
            break;
        };
        let end = bytes[begin..]
            .iter()
            .position(|b| !b.is_ascii_alphanumeric() && *b != b'_')
            .map_or(bytes.len(), |n| begin + n);
        let word = &bytes[begin..end];
        if let Some(level) = given_away(bytes, begin, end, first) {
            return level;
        }
        if word.len() > 9
            && (word.ends_with(b"Exception") || (word.ends_with(b"Error") && end < bytes.len()))
            && word[0].is_ascii_uppercase()
        {
            return Level::Error;
        }
        first = false;
        start = end;
    }
    Level::Unknown
}

fn given_away(bytes: &[u8], begin: usize, end: usize, first: bool) -> Option<Level> {
    let word = &bytes[begin..end];
    let level = Level::from_word(word)?;
    let next = bytes.get(end).copied();
    let before = begin.checked_sub(1).and_then(|at| bytes.get(at)).copied();
    let capitals = word.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let boxed = before == Some(b'[') && next == Some(b']');
    let named = before == Some(b'=')
        && (bytes[..begin - 1].ends_with(b"level") || bytes[..begin - 1].ends_with(b"severity"));
    let headed = first && next == Some(b':');
    let alone = capitals
        && word != b"LOG"
        && word != b"ALERT"
        && word != b"INFORMATION"
        && before.is_none_or(|b| matches!(b, b' ' | b'[' | b'(' | b'"' | b'|' | b':' | b'\t'))
        && next.is_none_or(|b| matches!(b, b' ' | b']' | b')' | b':' | b'"' | b'|' | b',' | b'\t'));
    (headed || boxed || named || alone).then_some(level)
}
