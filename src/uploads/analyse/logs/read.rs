//! Reads a log line by line into compact entries; everything else is computed from those.

use super::access::{self, Columns};
use super::findings::{SLOWEST_MAX, SlowRequest, TRACE_IDS_MAX};
use super::header::{self, Learned};
use super::json;
use super::level::Level;
use super::logfmt;
use super::record::{Request, Told};
use super::signs::{self, Signs};
use super::sources::Names;
use super::stack::Scanner;
use super::template::Signatures;
use super::text::{self, LINE_BYTES_MAX, Line, quote};
use super::timestamp::{self, Calendar, Kind};
use memchr::memmem::Finder;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Lines looked at to learn whether lines carry times, and where.
const SAMPLE_LINES: usize = 60;
/// Longest line that is read as JSON, in bytes: exports hold hundreds of records a line.
const JSON_LINE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most line numbers remembered of lines that were cut.
const CUT_LINES_MAX: usize = 20;
/// Most wrappers taken off one line: a composer around a container around JSON, and one to spare.
const WRAPS_MAX: u8 = 4;
/// Time of an entry without one.
const NO_TIME: i64 = i64::MIN;

/// Finds the word "trace", however it is capitalised at its start.
static TRACE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"race"));

/// One record of the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// First and last line, counted from 1.
    pub(super) line: u32,
    pub(super) line_end: u32,
    time_us: i64,
    /// Signature of the message.
    pub(super) signature: u32,
    /// Severity.
    pub(super) level: Level,
    /// Who wrote it, as numbers of [`Names`]; 0 when not named.
    pub(super) host: u16,
    pub(super) service: u16,
    pub(super) pid: u16,
    /// The time has no year of its own.
    yearless: bool,
}

impl Entry {
    /// Microseconds since 1970.
    pub(super) const fn time(&self) -> Option<i64> {
        if self.time_us == NO_TIME { None } else { Some(self.time_us) }
    }
}

/// Families of formats, for the name of the format that is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    Text,
    Syslog,
    Json,
    Logfmt,
    Access,
    Columns,
    Otel,
}

/// Everything that was read.
pub(super) struct Survey<'t> {
    /// The text.
    pub(super) text: &'t str,
    /// Offset of each line.
    pub(super) line_starts: Vec<usize>,
    /// The records in the order of the file.
    pub(super) entries: Vec<Entry>,
    /// Signatures of their messages.
    pub(super) signatures: Signatures,
    /// What each signature betrays.
    pub(super) signs: Vec<Signs>,
    /// Whether a signature is that of an HTTP request.
    pub(super) requests: Vec<bool>,
    /// Stack traces.
    pub(super) scanner: Scanner,
    /// Hosts, services, processes.
    pub(super) names: Names,
    /// Requests by status.
    pub(super) status: BTreeMap<u16, u64>,
    /// Slowest requests.
    pub(super) slowest: Vec<SlowRequest>,
    /// Trace ids in order of appearance.
    pub(super) trace_ids: Vec<String>,
    /// First lines that were longer than what is looked at, and how many there were.
    pub(super) cut_lines: Vec<u64>,
    pub(super) cut_total: u64,
    /// What times lacked.
    pub(super) calendar: Calendar,
    learned: Learned,
    columns: Option<Columns>,
    shapes: BTreeMap<Shape, u64>,
    /// Most lines carry a time, so a line without one goes on from the line before.
    stamped: bool,
    /// Wrappers taken off the line that is being read.
    wraps: u8,
}

/// Reads a log; `received_us` gives times without year their year.
pub(super) fn survey(text: &str, received_us: Option<i64>) -> Survey<'_> {
    let mut survey = Survey::new(text);
    if !survey.read_document() {
        survey.learn();
        for line in text::lines(text) {
            survey.line_starts.push(line.start);
            survey.read_line(line);
        }
    }
    survey.settle_years(received_us);
    survey
}

impl<'t> Survey<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            line_starts: Vec::new(),
            entries: Vec::new(),
            signatures: Signatures::default(),
            signs: Vec::new(),
            requests: Vec::new(),
            scanner: Scanner::default(),
            names: Names::default(),
            status: BTreeMap::new(),
            slowest: Vec::new(),
            trace_ids: Vec::new(),
            cut_lines: Vec::new(),
            cut_total: 0,
            calendar: Calendar::default(),
            learned: Learned::default(),
            columns: None,
            shapes: BTreeMap::new(),
            stamped: false,
            wraps: 0,
        }
    }

    /// Line `number` without its line end, counted from 1.
    pub(super) fn line(&self, number: u64) -> &'t str {
        let at = usize::try_from(number).unwrap_or(0).wrapping_sub(1);
        let Some(start) = self.line_starts.get(at).copied() else { return "" };
        let end = self.line_starts.get(at + 1).copied().unwrap_or(self.text.len());
        self.text.get(start..end).unwrap_or_default().trim_end_matches(['\n', '\r'])
    }

    /// Name of the format that most records had.
    pub(super) fn format(&self) -> Option<&'static str> {
        let (shape, _) = self.shapes.iter().max_by_key(|(_, count)| **count)?;
        Some(match shape {
            Shape::Text if self.scanner.total > 0 && self.entries.len() <= 2 => "stack_trace",
            Shape::Text => "text_log",
            Shape::Syslog => "syslog",
            Shape::Json => "json_lines",
            Shape::Logfmt => "logfmt",
            Shape::Access => "access_log",
            Shape::Columns => "w3c_extended",
            Shape::Otel => "otlp_logs",
        })
    }

    /// Looks at the first lines for a column of seconds since 1970 and for the share of lines
    /// that carry a time.
    fn learn(&mut self) {
        let mut epochs = [0usize; 6];
        let (mut seen, mut stamped, mut complete) = (0, 0, 0);
        let filled = text::lines(self.text).filter(|line| !line.text.trim().is_empty());
        for line in filled.take(SAMPLE_LINES) {
            seen += 1;
            let line = text::cut(line.text, LINE_BYTES_MAX);
            let head = header::parse(line, &mut self.learned);
            stamped += usize::from(head.time.is_some());
            complete += usize::from(head.time.is_some_and(|stamp| stamp.kind == Kind::Full));
            let words = line.split_ascii_whitespace().take(epochs.len());
            for (at, word) in words.enumerate() {
                let stamp = timestamp::parse(word.as_bytes());
                let epoch = stamp.is_some_and(|stamp| stamp.kind == Kind::Epoch);
                epochs[at] += usize::from(epoch);
            }
        }
        let enough = |count: usize| count * 5 >= seen * 4;
        self.learned.epoch_word = epochs.iter().position(|count| *count > 0 && enough(*count));
        let headed = seen > 0 && complete * 10 >= seen * 9;
        if headed {
            // Times in full are better than numbers that happen to look like one.
            self.learned.epoch_word = None;
        }
        self.stamped = stamped * 10 >= seen * 3 && stamped > 0 || self.learned.epoch_word.is_some();
    }

    fn read_line(&mut self, line: Line<'t>) {
        self.wraps = 0;
        if line.text.trim_ascii().is_empty() {
            if self.scanner.is_open() {
                self.scanner.push(u64::from(line.number), "");
            }
            return;
        }
        let json =
            line.text.len() <= JSON_LINE_BYTES_MAX && line.text.trim_ascii_start().starts_with('{');
        if json && self.read_json(line.number, line.text) {
            return;
        }
        let body = text::cut(line.text, LINE_BYTES_MAX);
        if body.len() < line.text.len() {
            self.cut_total += 1;
            if self.cut_lines.len() < CUT_LINES_MAX {
                self.cut_lines.push(u64::from(line.number));
            }
        }
        if !self.read_columns(line.number, body) {
            self.read_text(line.number, body, &Told::default());
        }
    }

    /// A document that is one JSON value over several lines.
    fn read_document(&mut self) -> bool {
        let Some(first) = text::lines(self.text).find(|line| !line.text.trim_ascii().is_empty())
        else {
            return false;
        };
        let opens = first.text.trim_ascii_start().as_bytes();
        let line_of_its_own =
            opens.first() == Some(&b'{') && json::parse_line(first.text).is_some();
        if !matches!(opens.first(), Some(b'{' | b'[')) || line_of_its_own {
            return false;
        }
        let spans = |raw: &str| {
            let start = raw.as_ptr() as usize - self.text.as_ptr() as usize;
            (start, start + raw.len())
        };
        let mut calendar = Calendar::default();
        let mut told: Vec<(usize, usize, Told<'static>)> = Vec::new();
        let shape = match json::otel(self.text) {
            Some(records) => {
                for record in &records {
                    let (start, end) = spans(record.raw.get());
                    told.extend(
                        json::tell_otel(record, &mut calendar).map(|each| (start, end, each)),
                    );
                }
                Shape::Otel
            }
            None => {
                let Some(records) = json::document(self.text) else { return false };
                for raw in records {
                    let Some(object) = json::parse_line(raw.get()) else { continue };
                    let (start, end) = spans(raw.get());
                    told.push((start, end, json::tell(&object, &mut calendar)));
                }
                Shape::Json
            }
        };
        if told.is_empty() {
            return false;
        }
        self.calendar = calendar;
        self.line_starts = text::lines(self.text).map(|line| line.start).collect();
        for (start, end, each) in told {
            let first = self.line_starts.partition_point(|at| *at <= start) as u32;
            let last = self.line_starts.partition_point(|at| *at < end) as u32;
            self.add(first, each, shape);
            if let Some(entry) = self.entries.last_mut() {
                entry.line_end = last.max(first);
            }
        }
        true
    }

    fn read_json(&mut self, number: u32, line: &str) -> bool {
        let Some(object) = json::parse_line(line) else { return false };
        if object.contains_key("resourceLogs") || object.contains_key("resource_logs") {
            let records = json::otel(line).unwrap_or_default();
            for record in &records {
                if let Some(told) = json::tell_otel(record, &mut self.calendar) {
                    self.add(number, told, Shape::Otel);
                }
            }
            return !records.is_empty();
        }
        let told = json::tell(&object, &mut self.calendar);
        // Docker's json-file driver wraps a line of another format.
        if object.contains_key("log") && object.contains_key("stream") {
            let inner = told.message.trim_end().to_owned();
            self.read_text(number, &inner, &told);
        } else {
            self.add(number, told, Shape::Json);
        }
        true
    }

    fn read_columns(&mut self, number: u32, line: &str) -> bool {
        if line.starts_with('#')
            && let Some(columns) = Columns::from_header(line)
        {
            self.columns = Some(columns);
        }
        let told = match &self.columns {
            Some(columns) if !line.starts_with('#') => columns.tell(line, &mut self.calendar),
            _ => None,
        };
        match told {
            Some(told) => {
                self.add(number, told, Shape::Columns);
                true
            }
            None => false,
        }
    }

    /// A line of text, perhaps inside another record (`around`) that knows time and service.
    fn read_text(&mut self, number: u32, line: &str, around: &Told<'_>) {
        let inherit = |mut told: Told<'_>| -> Told<'static> {
            told.time_us = told.time_us.or(around.time_us);
            if told.service.is_empty() {
                told.service = around.service.to_string().into();
            }
            into_owned(told)
        };
        if let Some(told) = logfmt::tell(line, &mut self.calendar) {
            self.add(number, inherit(told), Shape::Logfmt);
            return;
        }
        if let Some(told) = access::tell(line, &mut self.calendar) {
            self.add(number, inherit(told), Shape::Access);
            return;
        }
        let unwraps = self.wraps < WRAPS_MAX;
        if let Some((service, inner)) = composed(line).filter(|_| unwraps) {
            let told = Told { service: service.into(), ..around.clone() };
            self.read_inner(number, inner, &told);
            return;
        }
        let head = header::parse(line, &mut self.learned);
        let time_us = head.time.map(|stamp| self.calendar.settle(stamp)).or(around.time_us);
        let message = line.get(head.message..).unwrap_or_default();
        if head.wrapped && unwraps {
            self.read_inner(number, message, &Told { time_us, ..around.clone() });
            return;
        }
        let message = if message.trim_ascii().is_empty() { line } else { message };
        if head.time.is_some()
            && unwraps
            && let Some(object) = json::at_end(message)
        {
            self.read_inner(number, object, &Told { time_us, ..around.clone() });
            return;
        }
        let headed =
            head.time.is_some() || head.level != Level::Unknown || around.time_us.is_some();
        let traced = self.scanner.push(u64::from(number), message);
        if !headed && self.continues(number, line, traced) {
            return;
        }
        let yearless = head.time.is_some_and(|stamp| stamp.kind == Kind::NoYear);
        let shape = if yearless && !head.host.is_empty() { Shape::Syslog } else { Shape::Text };
        *self.shapes.entry(shape).or_default() += 1;
        let service = if head.service.is_empty() { &*around.service } else { head.service };
        let entry = Entry {
            line: number,
            line_end: number,
            time_us: time_us.unwrap_or(NO_TIME),
            signature: 0,
            level: head.level,
            host: self.names.host(head.host),
            service: self.names.service(service),
            pid: self.names.pid(head.pid),
            yearless: self.calendar.just_yearless,
        };
        self.find_trace_id(message);
        self.finish_entry(entry, "", message, traced);
    }

    /// A line that another format wrapped.
    fn read_inner(&mut self, number: u32, inner: &str, around: &Told<'_>) {
        self.wraps += 1;
        if inner.starts_with('{')
            && let Some(object) = json::parse_line(inner)
        {
            let mut told = json::tell(&object, &mut self.calendar);
            told.time_us = told.time_us.or(around.time_us);
            if told.service.is_empty() {
                told.service = around.service.to_string().into();
            }
            self.add(number, told, Shape::Json);
            return;
        }
        self.read_text(number, inner, around);
    }

    /// Whether a line without a head belongs to the record before it; then that record grows.
    fn continues(&mut self, number: u32, line: &str, traced: bool) -> bool {
        let Some(last) = self.entries.last_mut() else { return false };
        let indented = line.starts_with([' ', '\t']);
        let goes_on = traced && !self.scanner.opened_at(u64::from(number));
        let near = last.line_end + 1 == number || self.stamped || goes_on;
        let follows = self.stamped && last.time_us != NO_TIME;
        if !near || !(traced || indented || follows) {
            return false;
        }
        // A trace that opens here without a line before it is a record of its own.
        let opens =
            traced && !follows && !indented && line.starts_with(['T', 'p', 'g', 't', 'P', 'U']);
        if opens && self.scanner.opened_at(u64::from(number)) {
            return false;
        }
        last.line_end = number;
        if traced && last.level == Level::Unknown {
            last.level = Level::Error;
        }
        true
    }

    /// Adds a record of a structured format.
    fn add(&mut self, number: u32, told: Told<'_>, shape: Shape) {
        *self.shapes.entry(shape).or_default() += 1;
        if let Some(stack) = &told.stack {
            self.scanner.push_block(u64::from(number), &told.message, stack);
        } else if told.message.contains('\n') {
            let (first, rest) = told.message.split_once('\n').unwrap_or_default();
            self.scanner.push_block(u64::from(number), first, rest);
        }
        if !told.trace_id.is_empty() {
            self.note_trace_id(&told.trace_id);
        }
        let entry = Entry {
            line: number,
            line_end: number,
            time_us: told.time_us.unwrap_or(NO_TIME),
            signature: 0,
            level: told.level,
            host: self.names.host(&told.host),
            service: self.names.service(&told.service),
            pid: self.names.pid(&told.pid),
            yearless: self.calendar.just_yearless,
        };
        match &told.request {
            Some(request) => {
                self.note_request(number, request);
                // A logger's own words say more than the request; servers log nothing but it.
                if told.message == request.message() {
                    self.finish_entry(entry, &request.label(), &request.segments(), false);
                    return;
                }
                self.finish_entry(entry, "", &told.message, false);
            }
            None => self.finish_entry(entry, "", &told.message, false),
        }
    }

    fn finish_entry(&mut self, mut entry: Entry, label: &str, message: &str, traced: bool) {
        let (signature, new) = self.signatures.observe(label, message);
        if new {
            let signs = if label.is_empty() { signs::read(message) } else { Signs::default() };
            self.signs.push(signs);
            self.requests.push(!label.is_empty());
        }
        entry.signature = signature;
        if entry.level == Level::Unknown {
            let frame = traced && !self.scanner.opened_at(u64::from(entry.line));
            let hint = self.signs.get(signature as usize).map_or(Level::Unknown, |s| s.level);
            entry.level = if frame { Level::Unknown } else { hint };
            if traced && !frame {
                entry.level = Level::Error;
            }
        }
        self.entries.push(entry);
    }

    fn note_request(&mut self, line: u32, request: &Request<'_>) {
        if let Some(status) = request.status {
            *self.status.entry(status).or_default() += 1;
        }
        let Some(duration_ms) = request.duration_ms.filter(|ms| ms.is_finite() && *ms > 0.0) else {
            return;
        };
        let full = self.slowest.len() >= SLOWEST_MAX;
        if full && self.slowest.last().is_some_and(|last| last.duration_ms >= duration_ms) {
            return;
        }
        let at = self.slowest.partition_point(|each| each.duration_ms >= duration_ms);
        let slow = SlowRequest {
            line: u64::from(line),
            method: request.method.to_string(),
            path: quote(request.bare_path(), 200),
            status: request.status,
            duration_ms,
        };
        self.slowest.insert(at, slow);
        self.slowest.truncate(SLOWEST_MAX);
    }

    /// `trace_id=4bf9...`, `traceId: "4bf9..."` in a message.
    fn find_trace_id(&mut self, message: &str) {
        if self.trace_ids.len() >= TRACE_IDS_MAX {
            return;
        }
        let bytes = message.as_bytes();
        let Some(at) = TRACE.find(bytes) else { return };
        let rest = &bytes[at + 4..];
        let rest = rest.strip_prefix(b"_").or_else(|| rest.strip_prefix(b"-")).unwrap_or(rest);
        let Some([b'i' | b'I', b'd' | b'D', rest @ ..]) = Some(rest) else { return };
        let marks = rest
            .iter()
            .take(4)
            .take_while(|b| matches!(b, b'=' | b':' | b' ' | b'"' | b'\''))
            .count();
        let id = &rest[marks..];
        let len = id.iter().take(65).take_while(|b| b.is_ascii_hexdigit() || **b == b'-').count();
        if marks > 0 && (8..=64).contains(&len) {
            let id = String::from_utf8_lossy(&id[..len]).into_owned();
            self.note_trace_id(&id);
        }
    }

    fn note_trace_id(&mut self, id: &str) {
        let room = self.trace_ids.len() < TRACE_IDS_MAX;
        if room && id.len() <= 128 && !self.trace_ids.iter().any(|known| known == id) {
            self.trace_ids.push(id.to_owned());
        }
    }

    fn settle_years(&mut self, received_us: Option<i64>) {
        let last = self.entries.iter().rev().filter(|entry| entry.yearless).find_map(Entry::time);
        let years = last.map_or(0, |last| self.calendar.years_to_add(last, received_us));
        for entry in &mut self.entries {
            if entry.yearless && entry.time_us != NO_TIME {
                entry.time_us = timestamp::shift_years(entry.time_us, years);
            }
        }
    }
}

/// `web-1  | line` of a container composer: service and inner line.
fn composed(line: &str) -> Option<(&str, &str)> {
    let bytes = line.as_bytes();
    let bar = memchr::memchr(b'|', &bytes[..bytes.len().min(64)])?.checked_sub(1)?;
    if bytes.get(bar..bar + 3) != Some(b" | ") {
        return None;
    }
    let service = line.get(..bar)?.trim_end();
    let single = !service.is_empty() && !service.contains([' ', '|', '=', '"']);
    let named = service.starts_with(|c: char| c.is_ascii_lowercase());
    (single && named).then(|| (service, line.get(bar + 3..).unwrap_or_default()))
}

fn into_owned(told: Told<'_>) -> Told<'static> {
    Told {
        time_us: told.time_us,
        level: told.level,
        host: told.host.into_owned().into(),
        service: told.service.into_owned().into(),
        pid: told.pid.into_owned().into(),
        message: told.message.into_owned().into(),
        stack: told.stack.map(|stack| stack.into_owned().into()),
        request: told.request.map(|request| Request {
            method: request.method.into_owned().into(),
            path: request.path.into_owned().into(),
            ..request
        }),
        trace_id: told.trace_id.into_owned().into(),
    }
}
