//! The head of a text line: time, level, host, service, process; what remains is the message.
//!
//! No program's format is configured. The parser reads elements from the left for as long as they
//! look like a header and stops at the first that looks like a message.

use super::level::Level;
use super::timestamp::{self, Kind, Stamp};

/// How far into a line its time may start, in bytes.
const TIME_OFFSET_MAX: usize = 120;
/// Places tried for a time that is not at the start of the line.
const TIME_PLACES_MAX: usize = 16;
/// Most elements behind the time.
pub(super) const ELEMENTS_MAX: usize = 8;

/// What the head of a line says.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Head<'a> {
    /// When.
    pub(super) time: Option<Stamp>,
    /// How bad.
    pub(super) level: Level,
    /// Machine; empty when not named.
    pub(super) host: &'a str,
    /// Program, logger or component; empty when not named.
    pub(super) service: &'a str,
    /// Process or thread number; empty when not named.
    pub(super) pid: &'a str,
    /// Offset of the message, whose indentation is kept.
    pub(super) message: usize,
    /// A container runtime wrapped another line, which starts at `message`.
    pub(super) wrapped: bool,
}

/// What earlier lines taught about later ones.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// Word of the line that is a number of seconds since 1970, counted from 0.
    pub(super) epoch_word: Option<usize>,
    /// Last host seen in a syslog line.
    pub(super) host: String,
}

/// Reads the head of a line.
pub(super) fn parse<'a>(line: &'a str, learned: &mut Learned) -> Head<'a> {
    let mut reader =
        Reader { line, bytes: line.as_bytes(), at: 0, head: Head::default(), elements: 0 };
    let modern = reader.priority();
    reader.find_time(learned);
    if modern && reader.head.time.is_some() {
        reader.syslog_fields();
    } else {
        if reader.head.time.is_some() && reader.peek(0) == b'|' {
            reader.pipes();
        }
        while reader.elements < ELEMENTS_MAX && reader.element(learned) {
            reader.elements += 1;
        }
    }
    reader.head.message = reader.message_start();
    reader.head
}

/// Reads a line from the left; the elements behind the time are in [`super::elements`].
pub(super) struct Reader<'a> {
    pub(super) line: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) head: Head<'a>,
    pub(super) elements: usize,
}

impl<'a> Reader<'a> {
    /// The byte `ahead` of the position; 0 past the end.
    pub(super) fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    pub(super) fn text(&self, from: usize, to: usize) -> &'a str {
        self.line.get(from..to).unwrap_or_default()
    }

    /// `<34>` and `<34>1 `; returns whether the rest follows RFC 5424.
    fn priority(&mut self) -> bool {
        if self.peek(0) != b'<' {
            return false;
        }
        let digits = self.bytes[1..].iter().take(4).take_while(|b| b.is_ascii_digit()).count();
        let Ok(priority) = self.text(1, 1 + digits).parse::<u32>() else { return false };
        if priority > 191 || self.peek(1 + digits) != b'>' {
            return false;
        }
        self.head.level = Level::from_syslog_priority(priority);
        self.at = digits + 2;
        if self.peek(0) == b'1' && self.peek(1) == b' ' {
            self.at += 2;
            return true;
        }
        false
    }

    fn find_time(&mut self, learned: &Learned) {
        let start = self.at
            + self.bytes[self.at..]
                .iter()
                .take_while(|b| matches!(b, b' ' | b'[' | b'(' | b'"'))
                .count();
        if start > self.at + 8 {
            return;
        }
        let here = self.bytes.get(start..).unwrap_or_default();
        if let Some(stamp) = timestamp::parse(here)
            && (stamp.kind != Kind::Epoch || learned.epoch_word == Some(0))
        {
            self.accept_time(start, stamp);
        } else if let Some(stamp) = self.bytes.get(start.wrapping_sub(1)..).and_then(uptime) {
            self.accept_time(start - 1, stamp);
        } else if let Some(word) = learned.epoch_word {
            self.time_at_word(word);
        } else {
            self.time_further_on(start);
        }
    }

    fn accept_time(&mut self, start: usize, stamp: Stamp) {
        let bytes = &self.bytes[start..];
        if bytes[0].is_ascii_uppercase() && bytes.get(1).is_some_and(u8::is_ascii_digit) {
            self.head.level = Level::from_letter(bytes[0]).unwrap_or_default();
        }
        self.head.time = Some(stamp);
        self.at = start + stamp.len;
        if matches!(self.peek(0), b']' | b')' | b'"') {
            self.at += 1;
        }
    }

    fn time_at_word(&mut self, word: usize) {
        let mut at = self.at;
        for _ in 0..word {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let Some(space) = rest.iter().position(|b| matches!(b, b' ' | b'\t')) else { return };
            at += space;
            at += self.bytes[at..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        }
        let rest = self.bytes.get(at..).unwrap_or_default();
        // BGL and its kin write a plain number first and the same instant in full behind it.
        if let Some(stamp) = timestamp::parse(rest).filter(|stamp| stamp.kind == Kind::Epoch) {
            let before = self.text(0, at).trim();
            self.accept_time(at, stamp);
            self.prefix(before);
            self.repeated_time();
        }
    }

    /// Skips a second time close behind the first, with the names between them.
    fn repeated_time(&mut self) {
        let end = self.bytes.len().min(self.at + 80);
        let mut at = self.at;
        while at < end {
            if self.bytes[at - 1] == b' '
                && let Some(stamp) = timestamp::parse(&self.bytes[at..])
                && matches!(stamp.kind, Kind::Full | Kind::NoYear)
            {
                let between = self.text(self.at, at).trim();
                self.head.host = between.rsplit(' ').next().unwrap_or_default();
                self.at = at + stamp.len;
                return;
            }
            at += 1;
        }
    }

    fn time_further_on(&mut self, start: usize) {
        let end = self.bytes.len().min(start + TIME_OFFSET_MAX);
        let mut places = 0;
        let mut plain_words = 0;
        let mut plain = true;
        let mut word = 0;
        for at in start + 1..end {
            let byte = self.bytes[at];
            let before = self.bytes[at - 1];
            if byte == b' ' {
                if before != b' ' {
                    plain_words += u32::from(plain && word > 1);
                }
                plain = true;
                word = 0;
                continue;
            }
            plain &= byte.is_ascii_lowercase();
            word += 1;
            let begins = matches!(before, b' ' | b'[' | b'|' | b':' | b'"' | b'(' | b'=' | b'\t');
            if !begins || !(byte.is_ascii_digit() || byte.is_ascii_uppercase()) {
                continue;
            }
            places += 1;
            // Two plain words before the time: this is a sentence that mentions a time.
            if plain_words > 1 || places > TIME_PLACES_MAX {
                return;
            }
            let audit = before == b'(' && self.bytes[..at].ends_with(b"audit(");
            if let Some(stamp) = timestamp::parse(&self.bytes[at..])
                && (matches!(stamp.kind, Kind::Full | Kind::NoYear) || audit)
            {
                let prefix = self.text(self.at, at).trim();
                self.accept_time(at, stamp);
                self.prefix(prefix);
                return;
            }
        }
    }

    /// Level and service in what stands before the time.
    fn prefix(&mut self, prefix: &'a str) {
        let prefix = prefix.trim_end_matches(['[', '(', '"', ' ']);
        if let Some(service) = prefix.strip_suffix('|') {
            self.head.service = service.trim();
        }
        for word in prefix.split(|c: char| !c.is_ascii_alphanumeric()) {
            if word.bytes().all(|b| b.is_ascii_uppercase())
                && let Some(level) = Level::from_word(word.as_bytes())
            {
                self.head.level = level;
            }
        }
    }

    /// Host, program, process, message id and structured data of RFC 5424.
    fn syslog_fields(&mut self) {
        let mut words = [""; 4];
        for word in &mut words {
            while self.peek(0) == b' ' {
                self.at += 1;
            }
            let end = self.word_end(self.at);
            *word = self.text(self.at, end).trim_matches('-');
            self.at = end;
        }
        let [host, service, pid, _] = words;
        (self.head.host, self.head.service, self.head.pid) = (host, service, pid);
        while self.peek(0) == b' ' {
            self.at += 1;
        }
        if self.peek(0) == b'-' {
            self.at += 1;
        }
        while self.peek(0) == b'[' {
            let Some(end) = self.group_end(self.at) else { return };
            self.at = end;
        }
    }

    /// `|Step_LSC|30002312|message`: the first field names, numbers and levels follow.
    fn pipes(&mut self) {
        for field in 0..4 {
            let rest = &self.bytes[self.at + 1..];
            let Some(len) = rest.iter().take(40).position(|b| *b == b'|') else { break };
            let text = self.text(self.at + 1, self.at + 1 + len).trim();
            let number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            if text.contains(' ') {
                break;
            } else if let Some(level) = Level::from_word(text.as_bytes()) {
                self.head.level = level;
            } else if number {
                self.head.pid = text;
            } else if field == 0 || (self.head.service.is_empty() && field < 3) {
                self.head.service = text;
            } else {
                break;
            }
            self.at += 1 + len;
        }
        self.elements = ELEMENTS_MAX;
    }
}

/// `[   12.345678]`: seconds since the kernel started.
fn uptime(bytes: &[u8]) -> Option<Stamp> {
    let inside = bytes.strip_prefix(b"[")?;
    let spaces = inside.iter().take(8).take_while(|b| **b == b' ').count();
    let digits = inside[spaces..].iter().take(9).take_while(|b| b.is_ascii_digit()).count();
    let number = &inside[spaces..];
    let fraction = number.get(digits..digits + 8)?;
    let shape = fraction[0] == b'.' && fraction[7] == b']' && digits > 0;
    if !shape || !fraction[1..7].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |sum: i64, b: &u8| sum * 10 + i64::from(b - b'0');
    let seconds = number[..digits].iter().fold(0, digit);
    let us = fraction[1..7].iter().fold(0, digit);
    let len = 1 + spaces + digits + 7;
    Some(Stamp { len, us: seconds * 1_000_000 + us, kind: Kind::NoDate })
}
