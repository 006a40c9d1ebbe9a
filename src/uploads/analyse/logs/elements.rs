//! The elements of a line's head behind the time: level, host, service, process number.

use super::header::{ELEMENTS_MAX, Learned, Reader};
use super::level::Level;

/// Longest element, in bytes.
const ELEMENT_BYTES_MAX: usize = 160;
/// Most words skipped to reach a level that stands further on.
const LEVEL_WORDS_MAX: usize = 5;

impl<'a> Reader<'a> {
    /// End of the word at `from`, capped.
    pub(super) fn word_end(&self, from: usize) -> usize {
        let rest = self.bytes.get(from..).unwrap_or_default();
        from + rest.iter().position(|b| matches!(b, b' ' | b'\t')).unwrap_or(rest.len())
    }

    /// Position behind the bracket that closes the one at `from`.
    pub(super) fn group_end(&self, from: usize) -> Option<usize> {
        let open = self.bytes.get(from).copied()?;
        let close = if open == b'(' { b')' } else { b']' };
        let mut depth = 0;
        for (offset, byte) in self.bytes[from..].iter().take(ELEMENT_BYTES_MAX).enumerate() {
            if *byte == open {
                depth += 1;
            } else if *byte == close {
                depth -= 1;
                if depth == 0 {
                    return Some(from + offset + 1);
                }
            }
        }
        None
    }

    /// Reads one element; false when the message begins.
    pub(super) fn element(&mut self, learned: &mut Learned) -> bool {
        let known = self.head.time.is_some() || self.head.level != Level::Unknown;
        let start = self.skip_separators(known);
        match self.bytes.get(start) {
            None | Some(b'{' | b'"') => false,
            Some(b'[') => self.bracket(start, known),
            Some(b'(') => self.unit_of_service(start),
            Some(_) => {
                let end = self.word_end(start);
                if end - start > ELEMENT_BYTES_MAX {
                    return false;
                }
                self.runtime_stream(start, end)
                    || self.level_word(start, end, known)
                    || (known && self.level_ahead(start))
                    || (known && self.host(start, end, learned))
                    || (known && self.service(start, end))
            }
        }
    }

    fn skip_separators(&self, known: bool) -> usize {
        let mut at = self.at;
        while let Some(byte) = self.bytes.get(at) {
            let dash = *byte == b'-'
                && known
                && self.bytes.get(at + 1).is_none_or(|b| matches!(b, b' ' | b'-' | b'['));
            let mark = known && matches!(byte, b'|' | b':' | b',' | b']' | b')' | b';');
            if matches!(byte, b' ' | b'\t') || dash || mark {
                at += 1;
            } else {
                break;
            }
        }
        at
    }

    /// `[error]`, `[pid 12:tid 34]`, `[main]`, `[req-...]`, or a time.
    fn bracket(&mut self, start: usize, known: bool) -> bool {
        let Some(end) = self.group_end(start) else { return false };
        let inside = self.text(start + 1, end - 1).trim();
        let word = inside.rsplit(':').next().unwrap_or_default();
        let level = Level::from_word(word.as_bytes()).or(match inside.as_bytes() {
            [letter] => Level::from_letter(*letter),
            _ => None,
        });
        if let Some(level) = level.filter(|_| self.head.level == Level::Unknown) {
            self.head.level = level;
            self.at = end;
            return true;
        }
        if !known || inside.is_empty() {
            return false;
        }
        let number = inside.bytes().all(|b| b.is_ascii_digit());
        let process = inside.starts_with("pid ") || inside.starts_with("tid ");
        if number || process {
            let digits = inside.trim_start_matches(|c: char| !c.is_ascii_digit());
            let len = digits.bytes().take_while(u8::is_ascii_digit).count();
            self.head.pid = digits.get(..len).unwrap_or_default();
            self.at = end;
            return true;
        }
        // log4j: [thread name] logger: message
        if self.logger_follows(end) {
            self.at = end;
            return true;
        }
        let after = &self.bytes[end..];
        let closes = after.starts_with(b" - ") || after.starts_with(b": ");
        let request =
            !self.head.service.is_empty() && (inside.contains('=') || inside.starts_with("req-"));
        if !inside.contains(' ') || request || closes {
            if self.head.service.is_empty() && inside.len() > 2 {
                self.head.service = logger_in(inside);
            }
            self.at = end;
            return true;
        }
        false
    }

    /// Whether the next word is a logger with its colon.
    fn logger_follows(&self, end: usize) -> bool {
        let start = end + self.bytes[end..].iter().take_while(|b| **b == b' ').count();
        let word = &self.bytes[start..self.word_end(start)];
        let glued = word.len() > 1 && word.ends_with(b":") && is_service(word);
        let dotted = word.contains(&b'.') && word.iter().all(|b| is_name_byte(*b));
        start > end && (glued || (dotted && self.spaced_colon(start + word.len())))
    }

    /// Whether spaces, a colon and a space stand at `end`.
    fn spaced_colon(&self, end: usize) -> bool {
        let after = &self.bytes[end.min(self.bytes.len())..];
        let spaces = after.iter().take(48).take_while(|b| **b == b' ').count();
        spaces > 0 && after[spaces..].starts_with(b": ")
    }

    /// `(com.apple.example[12]):` behind the program of a syslog line.
    fn unit_of_service(&mut self, start: usize) -> bool {
        if self.head.service.is_empty() || self.head.host.is_empty() {
            return false;
        }
        let Some(mut end) = self.group_end(start) else { return false };
        if self.bytes.get(end) == Some(&b'[') {
            let Some(further) = self.group_end(end) else { return false };
            end = further;
        }
        if self.bytes.get(end) != Some(&b':') {
            return false;
        }
        self.at = end + 1;
        self.elements = ELEMENTS_MAX;
        true
    }

    /// `stdout F ` of the container runtime interface: the line inside is read on its own.
    fn runtime_stream(&mut self, start: usize, end: usize) -> bool {
        if !matches!(&self.bytes[start..end], b"stdout" | b"stderr")
            || !matches!(self.bytes.get(end..end + 3), Some(b" F " | b" P "))
        {
            return false;
        }
        self.at = end + 2;
        self.head.wrapped = true;
        self.elements = ELEMENTS_MAX;
        true
    }

    fn level_word(&mut self, start: usize, end: usize, known: bool) -> bool {
        if self.head.level != Level::Unknown {
            return false;
        }
        let word = &self.bytes[start..end];
        if self.brief_logcat(start, word) {
            return true;
        }
        if let Some(len) = word.iter().position(|b| *b == b']').filter(|n| *n > 0)
            && word[..len].iter().all(u8::is_ascii_digit)
        {
            self.head.pid = self.text(start, start + len);
            self.at = start + len + 1;
            return true;
        }
        let core = trim_marks(word);
        if let Some(level) = Level::from_word(core) {
            let capitals = !core.iter().any(u8::is_ascii_lowercase);
            let lower = !core.iter().any(u8::is_ascii_uppercase);
            let wide = matches!(self.bytes.get(end..end + 2), Some(b"  "));
            let first = known && self.elements == 0;
            if capitals || (first && (lower || wide || word.len() != core.len())) {
                self.head.level = level;
                self.at = end;
                return true;
            }
        }
        known && self.level_within(start, word)
    }

    /// Logcat's brief form: `E/Tag( 123): message`.
    fn brief_logcat(&mut self, start: usize, word: &[u8]) -> bool {
        let [letter @ (b'V' | b'D' | b'I' | b'W' | b'E' | b'F'), b'/', name @ ..] = word else {
            return false;
        };
        let colon = self.bytes[start..].iter().take(64).position(|b| *b == b':');
        let Some(colon) = colon.filter(|_| name.first().is_some_and(u8::is_ascii_alphabetic))
        else {
            return false;
        };
        let len = name.iter().position(|b| matches!(b, b'(' | b':')).unwrap_or(name.len());
        self.head.level = Level::from_letter(*letter).unwrap_or_default();
        self.head.service = self.text(start + 2, start + 2 + len);
        self.at = start + colon + 1;
        self.elements = ELEMENTS_MAX;
        true
    }

    /// `local.ERROR:`, `INFO:module:message`, `module:ERROR:message`, `vdsm::71::vds::message`.
    fn level_within(&mut self, start: usize, word: &[u8]) -> bool {
        let mut from = 0;
        for (at, byte) in word.iter().enumerate().take(80) {
            if !matches!(byte, b':' | b'.') {
                continue;
            }
            let part = &word[from..at];
            if *byte == b':'
                && part.iter().all(u8::is_ascii_uppercase)
                && let Some(level) = Level::from_word(part)
            {
                self.head.level = level;
                if from > 1 {
                    self.head.service = self.text(start, start + from - 1);
                }
                self.at = start + at + 1;
                self.short_module();
                return true;
            }
            from = at + 1;
        }
        false
    }

    /// `module:` glued to the message behind a level.
    fn short_module(&mut self) {
        let rest = &self.bytes[self.at..];
        let len = rest.iter().take(40).position(|b| !is_name_byte(*b)).unwrap_or(0);
        let glued = rest.get(len) == Some(&b':') && rest.get(len + 1).is_some_and(|b| *b != b' ');
        if len > 1 && glued && self.head.service.is_empty() {
            self.head.service = self.text(self.at, self.at + len);
            self.at += len + 1;
            self.elements = ELEMENTS_MAX;
        }
    }

    /// A level a few words on, behind process numbers, threads and names: what stands before it is
    /// part of the head.
    fn level_ahead(&mut self, start: usize) -> bool {
        if self.head.level != Level::Unknown || self.elements > 2 {
            return false;
        }
        let mut at = start;
        let (mut service, mut pid) = ("", "");
        for _ in 0..LEVEL_WORDS_MAX {
            let end = self.word_end(at);
            let word = self.bytes.get(at..end).unwrap_or_default();
            let core = trim_marks(word);
            let boxed = word.first() == Some(&b'[');
            let capitals = !core.iter().any(u8::is_ascii_lowercase);
            let level = match core {
                [letter] if !pid.is_empty() && word.len() == 1 => Level::from_letter(*letter),
                _ => Level::from_word(core).filter(|_| capitals || boxed),
            };
            if let Some(level) = level.filter(|_| at > start) {
                self.head.level = level;
                self.head.pid = if pid.is_empty() { self.head.pid } else { pid };
                if self.head.service.is_empty() {
                    self.head.service = service;
                }
                self.at = end;
                return true;
            }
            let dashed = self.bytes[end..].starts_with(b" - ");
            let number = core.len() > 1 || core.first().is_some_and(u8::is_ascii_digit);
            let number = number && core.iter().all(u8::is_ascii_hexdigit);
            let marked = core.iter().any(|b| !b.is_ascii_alphabetic());
            if word.is_empty() || !(number || marked || dashed || capitals || word == b"-") {
                return false;
            }
            if number {
                pid = self.text(at, end);
            } else if core.iter().any(u8::is_ascii_alphabetic) && service.is_empty() {
                service = logger_in(self.text(at, end).trim_matches(['[', ']', ':', '(', ')']));
            }
            at = end + self.bytes[end..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        }
        false
    }

    /// The machine of a syslog line, known by the program that follows it.
    fn host(&mut self, start: usize, end: usize, learned: &mut Learned) -> bool {
        let yearless = self.head.time.is_some_and(|t| t.kind == super::timestamp::Kind::NoYear);
        if !self.head.host.is_empty() || !self.head.service.is_empty() || self.elements > 1 {
            return false;
        }
        let word = self.text(start, end);
        if word.ends_with(':') || !word.bytes().all(|b| is_name_byte(b) || b == b':') {
            return false;
        }
        let next = end + self.bytes[end..].iter().take_while(|b| **b == b' ').count();
        let program = &self.bytes[next..self.word_end(next)];
        let unit = program.ends_with(b"]") && self.bytes[next + program.len()..].starts_with(b" (");
        let numbered = (program.ends_with(b"]:") || unit) && program.contains(&b'[');
        let tagged = program.len() > 1 && program.ends_with(b":") && is_service(program);
        if numbered || (yearless && (tagged || word == learned.host)) {
            if learned.host != word {
                learned.host.clear();
                learned.host.push_str(word);
            }
            self.head.host = word;
            self.at = end;
            return true;
        }
        false
    }

    /// `dfs.DataNode:`, `sshd[12]:`, `file.cc:123]`, `chrome.exe - `, `CBS    `, `logger [`.
    fn service(&mut self, start: usize, end: usize) -> bool {
        let word = &self.bytes[start..end];
        if word.iter().all(u8::is_ascii_digit) && self.head.level != Level::Unknown {
            // Spring Boot writes the process behind the level, before three dashes; glog before the
            // place in the source.
            let dashes = self.bytes[end..].starts_with(b" --- ");
            let next = self.bytes.get(end + 1..self.word_end(end + 1)).unwrap_or_default();
            let place = next.ends_with(b"]") && next.contains(&b':');
            if dashes || place {
                self.head.pid = self.text(start, end);
                self.at = if dashes { end + 4 } else { end };
            }
            return dashes || place;
        }
        // nginx: process#thread:
        if let [numbers @ .., b':'] = word
            && numbers.contains(&b'#')
            && numbers.iter().all(|b| b.is_ascii_digit() || *b == b'#')
        {
            self.head.pid = self.text(start, end - 1);
            self.at = end;
            return true;
        }
        if memchr::memmem::find(word, b"::").is_some_and(|n| n > 0) {
            return self.double_colons(start, word);
        }
        if !self.head.service.is_empty() {
            return false;
        }
        let after = &self.bytes[end..];
        if let [name @ .., b':' | b']'] = word
            && is_service(word)
            && (word.ends_with(b":") || name.contains(&b':'))
        {
            let (service, pid) = split_pid(self.text(start, end - 1));
            (self.head.service, self.head.pid) =
                (service, if pid.is_empty() { self.head.pid } else { pid });
            self.at = end;
            self.elements = if after.starts_with(b" (") { self.elements } else { ELEMENTS_MAX };
            return true;
        }
        // vpxd[45715] [Originator@6876 sub=vpxLro], com.apple.xpc.launchd[1] (com.apple.x[12]):
        let (name, pid) = split_pid(self.text(start, end));
        if (after.starts_with(b" [") || after.starts_with(b" ("))
            && !pid.is_empty()
            && pid.bytes().all(|b| b.is_ascii_digit())
        {
            (self.head.service, self.head.pid) = (name, pid);
            self.at = end;
            return true;
        }
        if !self.head.host.is_empty() && self.spaced_service(start) {
            return true;
        }
        let named =
            word.iter().any(u8::is_ascii_alphabetic) && word.iter().all(|b| is_name_byte(*b));
        let separated = after.starts_with(b" - ")
            || self.spaced_colon(end)
            || after.starts_with(b" | ")
            || (after.starts_with(b" [") && word.contains(&b'.'))
            || (after.starts_with(b"  ") && self.head.time.is_some());
        let architecture =
            after.starts_with(b" *") && after.get(2..6).is_some_and(|rest| rest.ends_with(b" -"));
        if named && (separated || architecture) {
            self.head.service = self.text(start, end);
            self.at = if architecture {
                end + 4
            } else if self.spaced_colon(end) {
                end + after.iter().take_while(|b| **b == b' ').count() + 1
            } else {
                end
            };
            return true;
        }
        false
    }

    /// `Google Chrome Helper[12]:` and `syslogd 1.4.1:` in syslog lines.
    fn spaced_service(&mut self, start: usize) -> bool {
        let rest = &self.bytes[start..self.bytes.len().min(start + 64)];
        let Some(colon) = memchr::memmem::find(rest, b": ") else { return false };
        let tag = &rest[..colon];
        let words = tag.split(|b| *b == b' ').count();
        let numbered = tag.ends_with(b"]") && words <= 4;
        let versioned =
            words == 2 && tag.last().is_some_and(u8::is_ascii_digit) && tag.contains(&b'.');
        if !(numbered || versioned) || tag.iter().any(|b| matches!(b, b'=' | b'"' | b',')) {
            return false;
        }
        let (service, pid) = split_pid(self.text(start, start + colon));
        (self.head.service, self.head.pid) = (service, pid);
        self.at = start + colon + 1;
        self.elements = ELEMENTS_MAX;
        true
    }

    fn double_colons(&mut self, start: usize, word: &[u8]) -> bool {
        let Some(last) = memchr::memmem::rfind(word, b"::") else { return false };
        let fields = &word[..last];
        if !fields.iter().all(|b| is_name_byte(*b) || *b == b':') || self.head.time.is_none() {
            return false;
        }
        if self.head.service.is_empty() {
            let name = fields.split(|b| *b == b':').next().unwrap_or_default().len();
            self.head.service = self.text(start, start + name);
        }
        self.at = start + last + 2;
        self.elements = ELEMENTS_MAX;
        true
    }

    /// Where the message begins: behind closing marks and one separator, indentation kept.
    pub(super) fn message_start(&self) -> usize {
        let mut at = self.at.min(self.bytes.len());
        if at == 0 {
            return 0;
        }
        while matches!(self.bytes.get(at), Some(b']' | b')' | b',' | b':' | b'|' | b';' | b'"')) {
            at += 1;
        }
        let rest = &self.bytes[at..];
        at + match rest {
            [b' ', b'-' | b'|' | b':', b' ', ..] => 3,
            [b' ' | b'\t', ..] => 1,
            _ => 0,
        }
    }
}

/// A word without the marks that set off a level.
fn trim_marks(word: &[u8]) -> &[u8] {
    let mark = |b: &u8| {
        matches!(b, b':' | b',' | b';' | b'|' | b'[' | b']' | b'<' | b'>' | b'(' | b')' | b'*')
    };
    let start = word.iter().position(|b| !mark(b)).unwrap_or(word.len());
    let end = word.iter().rposition(|b| !mark(b)).map_or(start, |n| n + 1);
    &word[start..end]
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'$' | b'/' | b'@' | b'#')
}

/// Whether a word that ends with a colon or bracket names a program or logger.
fn is_service(word: &[u8]) -> bool {
    let first = word[0].is_ascii_alphabetic() || matches!(word[0], b'/' | b'_');
    first
        && word.len() <= 80
        && word.iter().all(|b| {
            is_name_byte(*b)
                || matches!(b, b':' | b'[' | b']' | b'(' | b')' | b'<' | b'>' | b'*' | b'+')
        })
}

/// `sshd[12]` into name and number.
fn split_pid(tag: &str) -> (&str, &str) {
    match tag.strip_suffix(']').and_then(|tag| tag.rsplit_once('[')) {
        Some((name, pid)) => (name, pid),
        None => (tag, ""),
    }
}

/// The logger in a bracket such as `QuorumPeer[myid=1]/0:0:2181:FastLeaderElection@774`.
fn logger_in(inside: &str) -> &str {
    let name = inside.split('@').next().unwrap_or_default();
    let name = name.rsplit([':', '/']).next().unwrap_or_default();
    if name.bytes().any(|b| b.is_ascii_alphabetic()) { name } else { inside }
}
