//! Where to look first: windows of lines, and the events that decide the story.

use super::digest::{Kind, rfc3339};
use super::findings::{CRIME_SCENES_MAX, CrimeScene, TIMELINE_MAX, TimelineEvent};
use super::level::Level;
use super::report::Report;
use super::rhythm::spoken;
use super::text::quote;

/// Lines shown before a decisive line: what led to it.
const BEFORE: u64 = 10;
/// Lines shown after it: what came of it.
const AFTER: u64 = 10;
/// Longest window, in lines; a longer stretch is shown by its beginning.
const WINDOW_LINES_MAX: u64 = 120;
/// Lines shown of a log in which nothing stands out.
const TAIL_LINES: u64 = 50;
/// Longest description of an event, in characters.
const EVENT_CHARS_MAX: usize = 200;
/// Kinds of errors that get a window or an event of their own.
const ERROR_KINDS: usize = 12;

/// Windows of lines to read first, in the order of the file.
pub(super) fn crime_scene(report: &Report<'_>) -> Vec<CrimeScene> {
    let mut wanted: Vec<(u64, u64, String)> = Vec::new();
    let mut around = |line: u64, line_end: u64, reason: String| {
        if line > 0 && wanted.len() < CRIME_SCENES_MAX {
            wanted.push((line.saturating_sub(BEFORE).max(1), line_end + AFTER, reason));
        }
    };
    let entries = &report.survey.entries;
    let worst = entries.iter().map(|entry| entry.level).max().unwrap_or_default();
    if worst.is_error() {
        let mut bad = entries.iter().filter(|entry| entry.level == worst);
        if let Some(first) = bad.next() {
            around(
                first.line.into(),
                first.line_end.into(),
                format!("first {} record", worst.as_str()),
            );
        }
    }
    for kind in report.digest.kinds.iter().filter(|kind| kind.memory).take(2) {
        if let Some(entry) = report.entry(kind.first) {
            around(entry.line.into(), entry.line_end.into(), "memory ran out".to_owned());
        }
    }
    for trace in report.traces.iter().take(3) {
        around(trace.line_start, trace.line_end, format!("stack trace: {}", named(trace)));
    }
    for burst in report.bursts.iter().take(2) {
        let reason =
            format!("burst of {} errors where {:.1} are usual", burst.count, burst.baseline);
        around(burst.line_start, burst.line_end, reason);
    }
    if worst > Level::Error
        && let Some(first) = entries.iter().find(|entry| entry.level.is_error())
    {
        around(first.line.into(), first.line_end.into(), "first error".to_owned());
    }
    if let Some(last) = entries.iter().rev().find(|entry| entry.level.is_error()) {
        around(last.line.into(), last.line_end.into(), "last error".to_owned());
    }
    for kind in report.rare.iter().filter_map(|kind| report.digest.kinds.get(*kind)) {
        if let Some(entry) = report.entry(kind.first).filter(|_| kind.alarming()) {
            around(
                entry.line.into(),
                entry.line_end.into(),
                "rare message that speaks of trouble".to_owned(),
            );
        }
    }
    if let Some(gap) = report.gaps.first() {
        around(
            gap.line_start,
            gap.line_start,
            format!("last records before {} of silence", spoken(gap.seconds)),
        );
    }
    if let Some(kind) = report.digest.kinds.iter().find(|kind| kind.trouble && !worst.is_error())
        && let Some(entry) = report.entry(kind.first)
    {
        around(
            entry.line.into(),
            entry.line_end.into(),
            "first record of the most frequent trouble".to_owned(),
        );
    }
    let lines = report.lines();
    if wanted.is_empty() && lines > 0 {
        let start = lines.saturating_sub(TAIL_LINES) + 1;
        wanted.push((start.min(lines), lines, "nothing stands out; the end of the log".to_owned()));
    }
    joined(wanted, lines)
}

/// Overlapping windows become one with both reasons.
fn joined(mut wanted: Vec<(u64, u64, String)>, lines: u64) -> Vec<CrimeScene> {
    wanted.sort();
    let mut scenes: Vec<CrimeScene> = Vec::new();
    for (start, end, reason) in wanted {
        let end = end.min(lines).min(start + WINDOW_LINES_MAX - 1).max(start.min(lines));
        let start = start.min(lines);
        match scenes.last_mut() {
            Some(last)
                if start <= last.line_end + 1
                    && end.saturating_sub(last.line_start) < 2 * WINDOW_LINES_MAX =>
            {
                last.line_end = last.line_end.max(end);
                if !last.reason.contains(&reason) {
                    last.reason = format!("{}; {reason}", last.reason);
                }
            }
            _ => scenes.push(CrimeScene { line_start: start, line_end: end, reason }),
        }
    }
    scenes
}

/// Type and message of a trace, short.
pub(super) fn named(trace: &super::findings::StackTrace) -> String {
    let name = match (trace.exception.as_str(), trace.message.as_str()) {
        ("", message) => message.to_owned(),
        (exception, "") => exception.to_owned(),
        (exception, message) => format!("{exception}: {message}"),
    };
    if name.is_empty() { format!("{} stack trace", trace.language) } else { quote(&name, 120) }
}

/// Decisive events, in the order of time where times are known.
pub(super) fn timeline(report: &Report<'_>) -> Vec<TimelineEvent> {
    let mut events: Vec<(u8, TimelineEvent)> = Vec::new();
    let time_of = |line: u64| {
        let entries = &report.survey.entries;
        let at = entries.partition_point(|entry| u64::from(entry.line_end) < line);
        entries.get(at).and_then(super::read::Entry::time).map(rfc3339)
    };
    let mut add = |rank: u8, time: Option<String>, line: u64, event: String| {
        events.push((rank, TimelineEvent { time, event: quote(&event, EVENT_CHARS_MAX), line }));
    };
    if let (Some(first), Some(last)) = (report.survey.entries.first(), report.survey.entries.last())
    {
        add(0, first.time().map(rfc3339), first.line.into(), "log starts".to_owned());
        if report.records() > 1 {
            add(0, last.time().map(rfc3339), last.line_end.into(), "log ends".to_owned());
        }
    }
    for burst in report.bursts.iter().take(8) {
        let event = format!(
            "burst of errors begins: {} where {:.1} are usual",
            burst.count, burst.baseline
        );
        add(1, Some(burst.time_start.clone()), burst.line_start, event);
    }
    for trace in report.traces.iter().take(8) {
        let event = format!("first {} (x{})", named(trace), trace.count);
        add(1, time_of(trace.line_start), trace.line_start, event);
    }
    for gap in report.gaps.iter().take(6) {
        let event = format!("silence of {} begins", spoken(gap.seconds));
        add(2, Some(gap.time_start.clone()), gap.line_start, event);
    }
    let erroneous = report.digest.erroneous();
    for kind in erroneous.into_iter().take(ERROR_KINDS) {
        if let Some(entry) = kind.first_error.and_then(|at| report.entry(at)) {
            let event =
                format!("first {}: {} (x{})", kind.level.as_str(), kind.pattern, kind.errors);
            add(1, entry.time().map(rfc3339), entry.line.into(), event);
        }
    }
    let notable = |kind: &&Kind| kind.memory || kind.restart || (kind.trouble && kind.errors == 0);
    for kind in report.digest.kinds.iter().filter(notable).take(ERROR_KINDS) {
        if let Some(entry) = report.entry(kind.first) {
            let what = if kind.memory {
                "memory ran out"
            } else if kind.restart {
                "start or stop"
            } else {
                "first sign of trouble"
            };
            let event = format!("{what}: {} (x{})", kind.pattern, kind.count);
            add(
                if kind.memory { 1 } else { 2 },
                entry.time().map(rfc3339),
                entry.line.into(),
                event,
            );
        }
    }
    events.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.line.cmp(&b.1.line)));
    events.truncate(TIMELINE_MAX);
    let mut events: Vec<TimelineEvent> = events.into_iter().map(|(_, event)| event).collect();
    // Lines without a time stay where the file has them when no event has one.
    events.sort_by(|a, b| match (&a.time, &b.time) {
        (Some(x), Some(y)) => x.cmp(y).then(a.line.cmp(&b.line)),
        (None, None) => a.line.cmp(&b.line),
        (None, Some(_)) => std::cmp::Ordering::Less,
        (Some(_), None) => std::cmp::Ordering::Greater,
    });
    events.dedup_by(|a, b| a.line == b.line && a.event == b.event);
    events
}
