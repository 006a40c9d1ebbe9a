//! Stack traces of ten families, found line by line and counted by what they have in common.
//!
//! The scanner is given every line (without its head) and answers whether the line belongs to a
//! trace. It remembers the line before, because most languages name the exception there.

mod exception;
mod frames;

use super::findings::{FRAMES_MAX, STACK_TRACES_MAX, StackTrace};
use super::text::{cut, quote};
use exception::Thrown;
use frames::Language;
use std::collections::HashMap;

/// Longest exception message kept, in characters.
const MESSAGE_CHARS_MAX: usize = 300;
/// Longest part of the line before that may name the exception, in bytes.
const BEFORE_BYTES_MAX: usize = 1024;
/// Most causes kept of one trace.
const CAUSES_MAX: usize = 10;
/// Empty lines within a trace at most: Go writes one, Python one between chained traces.
const BLANKS_MAX: u32 = 2;
/// Frames by which two traces are compared.
const FRAMES_COMPARED: usize = 12;

/// Finds stack traces in lines given one after the other.
#[derive(Default)]
pub(super) struct Scanner {
    open: Option<Open>,
    before: String,
    before_line: u64,
    known: HashMap<u64, usize>,
    traces: Vec<StackTrace>,
    /// Traces seen, equal ones included.
    pub(super) total: u64,
    /// Distinct traces that did not fit.
    pub(super) dropped: u64,
}

/// A trace that may go on.
#[derive(Default)]
pub(super) struct Open {
    language: Language,
    trace: StackTrace,
    /// Python: a final `Type: message` was read. Go: the first goroutine is over.
    finished: bool,
    /// The next line is a message or source line and not a frame.
    expect_text: bool,
    blanks: u32,
    /// A frame was seen, so this is a trace and not just a word that starts one.
    certain: bool,
}

impl Scanner {
    /// Takes the next line; true when it belongs to a trace that began before it or with it.
    pub(super) fn push(&mut self, line: u64, text: &str) -> bool {
        let trimmed = text.trim_start();
        if let Some(open) = &mut self.open {
            if open.accept(text, trimmed) {
                if !trimmed.is_empty() {
                    open.trace.line_end = line;
                }
                return true;
            }
            self.close();
        }
        let opened = self.start(line, trimmed);
        if !opened {
            self.before.clear();
            self.before.push_str(cut(trimmed, BEFORE_BYTES_MAX));
            self.before_line = line;
        }
        opened
    }

    /// Takes a whole trace that a record carries in one field.
    pub(super) fn push_block(&mut self, line: u64, message: &str, block: &str) {
        self.close();
        self.before.clear();
        self.before.push_str(cut(message, BEFORE_BYTES_MAX));
        self.before_line = line;
        for text in block.lines() {
            self.push(line, text);
        }
        self.close();
        self.before.clear();
    }

    /// Whether a trace is being read.
    pub(super) fn is_open(&self) -> bool {
        self.open.as_ref().is_some_and(|open| !open.finished)
    }

    /// Whether a trace is being read that begins at `line`.
    pub(super) fn opened_at(&self, line: u64) -> bool {
        self.open.as_ref().is_some_and(|open| open.trace.line_start == line)
    }

    /// The distinct traces, most frequent first, the number of all, and of those that did not fit.
    pub(super) fn finish(mut self) -> (Vec<StackTrace>, u64, u64) {
        self.close();
        self.traces.sort_by_key(|trace| (std::cmp::Reverse(trace.count), trace.line_start));
        (self.traces, self.total, self.dropped)
    }

    fn start(&mut self, line: u64, text: &str) -> bool {
        // Most lines end here: none of these bytes starts a trace in the middle of a message.
        if !matches!(
            text.as_bytes().first(),
            Some(
                b'a' | b'e'
                    | b'T'
                    | b'p'
                    | b'f'
                    | b'g'
                    | b't'
                    | b'P'
                    | b'S'
                    | b'U'
                    | b'#'
                    | b'C'
                    | b's'
                    | b'@'
                    | b'*'
                    | b'['
                    | b'F'
                    | b'('
            )
        ) {
            return false;
        }
        let mut open = Open::default();
        let named_before = match frames::opening(text) {
            Some(opening) => {
                open.language = opening.language;
                open.expect_text = opening.expect_text;
                let thrown = opening.thrown;
                let use_before = thrown.is_none() && opening.names_before;
                if let Some(thrown) = thrown {
                    open.name(&thrown);
                }
                use_before
            }
            None => {
                let Some((language, frame)) = frames::first_frame(text) else { return false };
                open.language = language;
                open.certain = true;
                open.trace.frames.push(frame);
                true
            }
        };
        open.trace.line_start = line;
        open.trace.line_end = line;
        let follows = self.before_line + 1 == line || self.before_line == line;
        if named_before && follows && !self.before.is_empty() {
            open.name(&exception::thrown(&self.before));
            open.trace.line_start = self.before_line;
        }
        self.open = Some(open);
        true
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let mut trace = open.trace;
        let nameless = trace.exception.is_empty() || open.language == Language::Go;
        if !open.certain && nameless {
            return;
        }
        self.total += 1;
        trace.language = open.language.as_str().to_owned();
        trace.count = 1;
        let mut identity = format!("{}\n{}", trace.language, trace.exception);
        for frame in trace.frames.iter().take(FRAMES_COMPARED) {
            identity.push('\n');
            identity.push_str(&frame.function);
            identity.push_str(frame.file.as_deref().unwrap_or_default());
        }
        let identity = super::mask::hash(identity.as_bytes());
        match self.known.get(&identity) {
            Some(at) => {
                if let Some(same) = self.traces.get_mut(*at) {
                    same.count += 1;
                }
            }
            None if self.traces.len() < STACK_TRACES_MAX => {
                self.known.insert(identity, self.traces.len());
                self.traces.push(trace);
            }
            None => self.dropped += 1,
        }
    }
}

impl Open {
    fn name(&mut self, thrown: &Thrown<'_>) {
        self.trace.exception = quote(thrown.exception, MESSAGE_CHARS_MAX);
        self.trace.message = quote(thrown.message, MESSAGE_CHARS_MAX);
    }

    fn push_frame(&mut self, frame: super::findings::Frame) {
        self.certain = true;
        if self.trace.frames.len() < FRAMES_MAX {
            self.trace.frames.push(frame);
        }
    }

    fn push_cause(&mut self, text: &str) {
        if self.trace.caused_by.len() < CAUSES_MAX {
            self.trace.caused_by.push(quote(text, MESSAGE_CHARS_MAX));
        }
    }

    /// Whether the trace goes on with this line.
    fn accept(&mut self, text: &str, trimmed: &str) -> bool {
        if trimmed.is_empty() {
            self.blanks += 1;
            let waits = matches!(self.language, Language::Go | Language::Python | Language::Rust);
            return waits && self.blanks < BLANKS_MAX;
        }
        let blanks = std::mem::take(&mut self.blanks);
        match self.language {
            Language::Java | Language::DotNet | Language::JavaScript => self.accept_at(trimmed),
            Language::Python => self.accept_python(text, trimmed),
            Language::Go => self.accept_go(text, trimmed, blanks),
            Language::Rust => self.accept_rust(trimmed),
            Language::Php => self.accept_php(trimmed),
            Language::Dart | Language::Ruby | Language::Native => self.accept_numbered(trimmed),
        }
    }

    /// Java, .NET and JavaScript: `at function (place)`.
    fn accept_at(&mut self, text: &str) -> bool {
        if let Some((language, frame)) = frames::at_frame(text) {
            if self.trace.frames.is_empty() {
                self.language = language;
            }
            // Frames of a cause repeat what is above them; the first trace stays readable alone.
            self.push_frame(frame);
            return true;
        }
        for marker in ["Caused by: ", "---> ", "[cause]: ", "Suppressed: "] {
            if let Some(cause) = text.strip_prefix(marker) {
                let thrown = exception::thrown(cause);
                if marker != "Suppressed: " {
                    self.push_cause(&thrown.joined());
                }
                return true;
            }
        }
        let omitted = text.starts_with("... ")
            && (text.contains(" more")
                || text.contains("omitted")
                || text.contains("lines matching"));
        if self.expect_text {
            self.expect_text = false;
            self.name(&exception::thrown(text));
            return true;
        }
        omitted
            || text.starts_with("--- End of ")
            || text.starts_with("- locked <")
            || text.starts_with("- waiting ")
    }

    fn accept_python(&mut self, text: &str, trimmed: &str) -> bool {
        let chained = trimmed.starts_with("During handling of the above exception")
            || trimmed.starts_with("The above exception was the direct cause");
        if self.finished {
            if chained {
                return true;
            }
            if trimmed.starts_with("Traceback (most recent call last)") {
                // The exception so far was the cause; the last one is what the program saw.
                let cause =
                    Thrown { exception: &self.trace.exception, message: &self.trace.message };
                let cause = cause.joined();
                self.push_cause(&cause);
                self.trace.frames.clear();
                self.finished = false;
                return true;
            }
            return false;
        }
        if let Some(frame) = frames::python_frame(trimmed) {
            self.push_frame(frame);
            self.expect_text = true;
            return true;
        }
        if std::mem::take(&mut self.expect_text) || trimmed.starts_with("[Previous line repeated") {
            return true;
        }
        if trimmed.bytes().all(|b| matches!(b, b'^' | b'~' | b' ')) {
            return true;
        }
        let thrown = exception::thrown(trimmed);
        let bare = trimmed.split([':', '(']).next().unwrap_or_default();
        let named = !bare.is_empty()
            && !bare.ends_with(' ')
            && bare.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'));
        if !named && text.starts_with([' ', '\t']) && self.certain {
            return true;
        }
        if !named {
            return false;
        }
        if thrown.exception.is_empty() {
            let message = trimmed.get(bare.len()..).unwrap_or_default().trim_start_matches(':');
            self.name(&Thrown { exception: bare, message });
        } else {
            self.name(&thrown);
        }
        // Python names the innermost call last; readers expect it first.
        self.trace.frames.reverse();
        self.finished = true;
        self.certain = true;
        true
    }

    fn accept_go(&mut self, text: &str, trimmed: &str, blanks: u32) -> bool {
        if let Some(state) = trimmed.strip_prefix("goroutine ") {
            self.finished = self.certain && !self.trace.frames.is_empty();
            self.certain = true;
            return state.contains('[');
        }
        if blanks > 0 && self.certain && !trimmed.starts_with("exit status") {
            return false;
        }
        if let Some(place) = frames::go_place(trimmed).filter(|_| text.starts_with([' ', '\t'])) {
            if let Some(frame) = self.trace.frames.last_mut().filter(|frame| frame.file.is_none()) {
                (frame.file, frame.line) = (Some(place.0), place.1);
            }
            return true;
        }
        if let Some(frame) = frames::go_function(trimmed) {
            if !self.finished {
                self.push_frame(frame);
            }
            return true;
        }
        trimmed.starts_with("[signal ")
            || trimmed.starts_with("exit status ")
            || trimmed.starts_with("panic: ")
            || trimmed.starts_with("goroutine running on other thread")
            || trimmed.starts_with("...additional frames elided")
    }

    fn accept_rust(&mut self, text: &str) -> bool {
        if std::mem::take(&mut self.expect_text) {
            self.trace.message = quote(text, MESSAGE_CHARS_MAX);
            return true;
        }
        if let Some(place) = text.strip_prefix("at ") {
            let (file, line) = frames::file_line(place);
            if let Some(frame) = self.trace.frames.last_mut() {
                (frame.file, frame.line) = (Some(file.to_owned()), line);
            }
            return true;
        }
        if let Some(frame) = frames::rust_frame(text) {
            self.push_frame(frame);
            return true;
        }
        ["note: ", "stack backtrace:", "left: ", "right: ", "left:", "right:"]
            .iter()
            .any(|start| text.starts_with(start))
    }

    fn accept_php(&mut self, text: &str) -> bool {
        if let Some(frame) = frames::php_frame(text) {
            self.push_frame(frame);
            return true;
        }
        if let Some(next) = text.strip_prefix("Next ") {
            let cause = Thrown { exception: &self.trace.exception, message: &self.trace.message };
            let cause = cause.joined();
            self.push_cause(&cause);
            self.name(&exception::thrown(next));
            return true;
        }
        let previous = text.strip_prefix("[previous exception] ");
        if let Some(previous) = previous {
            self.push_cause(previous.trim_start_matches("[object] "));
            return true;
        }
        text.starts_with("Stack trace:")
            || text.starts_with("[stacktrace]")
            || text.starts_with("thrown in ")
            || text.starts_with("thrown at ")
            || text.starts_with("#")
            || text.trim() == "\"}"
    }

    /// Dart, Ruby, and native traces: one frame a line, in one of several spellings.
    fn accept_numbered(&mut self, text: &str) -> bool {
        if let Some((language, frame)) = frames::numbered_frame(text) {
            if self.trace.frames.is_empty() {
                self.language = language;
            }
            self.push_frame(frame);
            return true;
        }
        if std::mem::take(&mut self.expect_text) {
            self.name(&exception::thrown(text));
            return true;
        }
        text == "<asynchronous suspension>"
            || text.starts_with("Call Trace:")
            || text.starts_with("<TASK>")
            || text.starts_with("</TASK>")
            || text.starts_with("? ")
    }
}

#[cfg(test)]
mod tests;
