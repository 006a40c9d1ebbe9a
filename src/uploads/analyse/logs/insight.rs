//! Sentences for the person on call: summary, insights, and the extract that goes to a model.

use super::super::{FULL_EXTRACTION_CHARS_MAX, KEY_INSIGHTS_MAX, SUMMARY_CHARS_MAX};
use super::checks::percent;
use super::culprit;
use super::digest::{Kind, rfc3339};
use super::findings::LogFindings;
use super::level::Level;
use super::report::Report;
use super::rhythm::spoken;
use super::scene::named;
use super::text::quote;
use std::fmt::Write;

/// Longest insight, in characters.
const INSIGHT_CHARS_MAX: usize = 320;
/// Longest pattern quoted in an insight, in characters.
const PATTERN_CHARS_MAX: usize = 120;
/// Longest line quoted in the extract, in characters.
const EXTRACT_LINE_CHARS_MAX: usize = 220;
/// Share of the records before which an error kind counts as having been there from the start.
const ONSET_SHARE: f64 = 0.25;

/// `line 5` or `lines 5-9`.
fn lines(start: u64, end: u64) -> String {
    if end <= start { format!("line {start}") } else { format!("lines {start}-{end}") }
}

fn span(report: &Report<'_>, kind: &Kind) -> String {
    let line = |at: usize| report.entry(at).map_or(0, |entry| u64::from(entry.line));
    lines(line(kind.first), line(kind.last))
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// Three to ten sentences, most useful first.
pub(super) fn insights(report: &Report<'_>) -> Vec<String> {
    if report.records() == 0 {
        return Vec::new();
    }
    let mut found = Vec::new();
    memory(report, &mut found);
    traces(report, &mut found);
    errors(report, &mut found);
    bursts(report, &mut found);
    trouble(report, &mut found);
    http(report, &mut found);
    silences(report, &mut found);
    restarts(report, &mut found);
    rare(report, &mut found);
    sources(report, &mut found);
    found.truncate(KEY_INSIGHTS_MAX - 1);
    found.push(coverage(report));
    common(report, &mut found);
    for text in &mut found {
        *text = quote(text, INSIGHT_CHARS_MAX);
    }
    found.truncate(KEY_INSIGHTS_MAX);
    found
}

fn memory(report: &Report<'_>, found: &mut Vec<String>) {
    if let Some(kind) = report.digest.kinds.iter().find(|kind| kind.memory) {
        let pattern = quote(&kind.pattern, PATTERN_CHARS_MAX);
        found.push(format!(
            "Memory ran out {}: \"{pattern}\" ({}).",
            times(kind.count),
            span(report, kind)
        ));
    }
}

fn traces(report: &Report<'_>, found: &mut Vec<String>) {
    for trace in report.traces.iter().take(2) {
        let own = trace.frames.iter().find(|frame| frame.file.is_some()).or(trace.frames.first());
        let place = own.map_or_else(String::new, |frame| {
            let file = frame.file.as_deref().unwrap_or_default();
            let line = frame.line.map_or_else(String::new, |line| format!(":{line}"));
            match (frame.function.as_str(), file) {
                ("", file) => format!(" at {file}{line}"),
                (function, "") => format!(" in {function}"),
                (function, file) => format!(" in {function} ({file}{line})"),
            }
        });
        let cause = trace
            .caused_by
            .last()
            .map_or_else(String::new, |cause| format!("; root cause {}", quote(cause, 80)));
        found.push(format!(
            "{} stack trace {}: {}{place}{cause} ({}).",
            trace.language,
            times(trace.count),
            named(trace),
            lines(trace.line_start, trace.line_end)
        ));
    }
}

fn errors(report: &Report<'_>, found: &mut Vec<String>) {
    let kinds = report.digest.erroneous();
    let Some(top) = kinds.first() else { return };
    if report.errors > 1 {
        let pattern = quote(&top.pattern, PATTERN_CHARS_MAX);
        let share = percent(top.errors, report.errors);
        found.push(format!(
            "{} of {} records are errors; \"{pattern}\" makes up {share} % of them ({}).",
            report.errors,
            report.records(),
            span(report, top)
        ));
    }
    if let Some(sentence) = culprit::sentence(report, top) {
        found.push(sentence);
    }
    let first = kinds.iter().filter_map(|kind| kind.first_error).min();
    if let Some(entry) = first.and_then(|at| report.entry(at)) {
        let before = first.unwrap_or(0);
        let quiet = if before as f64 > ONSET_SHARE * report.records() as f64 {
            format!(", after {before} records without any")
        } else {
            String::new()
        };
        let time = entry.time().map_or_else(String::new, |time| format!(" at {}", rfc3339(time)));
        found.push(format!(
            "The first error is on {}{time}{quiet}: {}",
            lines(entry.line.into(), entry.line_end.into()),
            quote(report.survey.line(entry.line.into()), 140)
        ));
    }
    for kind in kinds.iter().skip(1).take(1) {
        let pattern = quote(&kind.pattern, PATTERN_CHARS_MAX);
        found.push(format!(
            "Next most frequent error, {}: \"{pattern}\" ({}).",
            times(kind.errors),
            span(report, kind)
        ));
    }
}

fn bursts(report: &Report<'_>, found: &mut Vec<String>) {
    for burst in report.bursts.iter().take(2) {
        let what = if report.errors > 0 { "errors" } else { "records that speak of trouble" };
        found.push(format!(
            "Burst of {} {what} from {} to {}, where {:.1} are usual ({}).",
            burst.count,
            burst.time_start,
            burst.time_end,
            burst.baseline,
            lines(burst.line_start, burst.line_end)
        ));
    }
}

/// Trouble that no level marks: most logs of Unix programs have no levels.
fn trouble(report: &Report<'_>, found: &mut Vec<String>) {
    let mut kinds: Vec<&Kind> =
        report.digest.kinds.iter().filter(|kind| kind.trouble && kind.errors == 0).collect();
    kinds.sort_by_key(|kind| {
        (std::cmp::Reverse((kind.level == Level::Warn, kind.count)), kind.first)
    });
    let most = if report.errors > 0 { 1 } else { 3 };
    for (at, kind) in kinds.into_iter().take(most).enumerate() {
        let pattern = quote(&kind.pattern, PATTERN_CHARS_MAX);
        let word = if kind.level == Level::Warn { "Warning" } else { "Sign of trouble" };
        found.push(format!(
            "{word}, {} ({} % of records): \"{pattern}\" ({}).",
            times(kind.count),
            percent(kind.count, report.records()),
            span(report, kind)
        ));
        if at == 0
            && let Some(sentence) = culprit::sentence(report, kind)
        {
            found.push(sentence);
        }
    }
}

fn http(report: &Report<'_>, found: &mut Vec<String>) {
    let status = &report.survey.status;
    let total: u64 = status.values().sum();
    if total == 0 {
        return;
    }
    let count = |from: u16| -> u64 { status.range(from..from + 100).map(|(_, count)| count).sum() };
    let (client, server) = (count(400), count(500));
    let worst =
        status.iter().filter(|(status, _)| **status >= 400).max_by_key(|(_, count)| **count);
    let worst = worst
        .map_or_else(String::new, |(status, count)| format!(", most often {status} ({count})"));
    let last = report.survey.entries.last().map_or(1, |entry| u64::from(entry.line_end));
    found.push(format!(
        "{total} HTTP requests: {server} answered with 5xx and {client} with 4xx{worst} ({}).",
        lines(1, last)
    ));
    if let Some(slow) = report.survey.slowest.first() {
        found.push(format!(
            "Slowest request: {} {} took {} (line {}).",
            slow.method,
            quote(&slow.path, 100),
            spoken(slow.duration_ms / 1000.0),
            slow.line
        ));
    }
}

fn silences(report: &Report<'_>, found: &mut Vec<String>) {
    if let Some(gap) = report.gaps.first() {
        let more = match report.gaps.len() {
            1 => String::new(),
            n => format!("; {} more silences", n - 1),
        };
        found.push(format!(
            "Nothing was logged for {} from {}; usually at most {} pass ({}){more}.",
            spoken(gap.seconds),
            gap.time_start,
            spoken(gap.typical_seconds),
            lines(gap.line_start, gap.line_end)
        ));
    }
}

fn restarts(report: &Report<'_>, found: &mut Vec<String>) {
    let kinds: Vec<&Kind> = report.digest.kinds.iter().filter(|kind| kind.restart).collect();
    let count: u64 = kinds.iter().map(|kind| kind.count).sum();
    if let Some(kind) = kinds.iter().max_by_key(|kind| (kind.level, std::cmp::Reverse(kind.first)))
    {
        let pattern = quote(&kind.pattern, PATTERN_CHARS_MAX);
        let records =
            if count == 1 { "1 record tells".to_owned() } else { format!("{count} records tell") };
        found.push(format!(
            "{records} of starts or stops, such as \"{pattern}\" ({}).",
            span(report, kind)
        ));
    }
}

fn rare(report: &Report<'_>, found: &mut Vec<String>) {
    let Some(kind) = report.rare.first().and_then(|kind| report.digest.kinds.get(*kind)) else {
        return;
    };
    let pattern = quote(&kind.pattern, PATTERN_CHARS_MAX);
    found.push(format!(
        "{} kinds of messages are rare; look at \"{pattern}\" ({}).",
        report.rare.len(),
        span(report, kind)
    ));
}

fn sources(report: &Report<'_>, found: &mut Vec<String>) {
    if report.errors < 5 {
        return;
    }
    let sources = report.survey.names.sources(&report.survey.entries);
    for kind in ["host", "service"] {
        let named: Vec<_> = sources.iter().filter(|source| source.kind == kind).collect();
        let Some(top) = named.iter().max_by_key(|source| source.errors) else { continue };
        if named.len() > 1 && top.errors * 2 > report.errors {
            let is_from = |entry: &&super::read::Entry| entry.level.is_error();
            let first =
                report.survey.entries.iter().find(is_from).map_or(1, |entry| u64::from(entry.line));
            found.push(format!(
                "{} % of the errors come from {kind} {} (the first error is on line {first}).",
                percent(top.errors, report.errors),
                quote(&top.name, 60)
            ));
        }
    }
}

fn coverage(report: &Report<'_>) -> String {
    let kinds = report.digest.kinds.len();
    let shape = format!(
        "{} lines hold {} records of {kinds} kinds ({})",
        report.lines(),
        report.records(),
        lines(1, report.lines())
    );
    match report.range_us {
        Some((start, end)) => format!(
            "{shape}, from {} to {} ({}).",
            rfc3339(start),
            rfc3339(end),
            spoken((end - start) as f64 / 1e6)
        ),
        None => format!("{shape}; no line carries a time."),
    }
}

/// What a quiet log can honestly say about itself.
fn common(report: &Report<'_>, found: &mut Vec<String>) {
    if found.len() >= KEY_INSIGHTS_MAX {
        return;
    }
    if let Some(kind) = report.digest.kinds.first() {
        let pattern = quote(&kind.pattern, PATTERN_CHARS_MAX);
        found.push(format!(
            "Most frequent message, {} of {} records: \"{pattern}\" ({}).",
            kind.count,
            report.records(),
            span(report, kind)
        ));
    }
    if found.len() < 3
        && let Some(last) = report.survey.entries.last()
    {
        let text = quote(report.survey.line(last.line.into()), 160);
        found.push(format!(
            "The log ends with ({}): {text}",
            lines(last.line.into(), last.line_end.into())
        ));
    }
    if found.len() < 3 {
        found.push(format!("No record is an error ({}).", lines(1, report.lines())));
    }
}

/// One paragraph about the whole log.
pub(super) fn summary(report: &Report<'_>, format: &str) -> String {
    if report.records() == 0 {
        return "The log is empty.".to_owned();
    }
    let levels = report.levels();
    let mut text = format!("{} lines of {}", report.lines(), format.replace('_', " "));
    if let Some((start, end)) = report.range_us {
        let _ = write!(text, " from {} to {}", rfc3339(start), rfc3339(end));
    }
    let _ = write!(
        text,
        ": {} records of {} kinds, {} errors and {} warnings",
        report.records(),
        report.digest.kinds.len(),
        report.errors,
        levels.warn
    );
    if report.traces_total > 0 {
        let _ = write!(text, ", {} stack traces", report.traces_total);
    }
    if !report.bursts.is_empty() {
        let _ = write!(text, ", {} bursts of errors", report.bursts.len());
    }
    if !report.gaps.is_empty() {
        let _ = write!(text, ", {} long silences", report.gaps.len());
    }
    text.push('.');
    let top = report.traces.first().map(named);
    let top = top.or_else(|| report.digest.erroneous().first().map(|kind| kind.pattern.clone()));
    let top = top.or_else(|| {
        report.digest.kinds.iter().find(|kind| kind.trouble).map(|kind| kind.pattern.clone())
    });
    if let Some(top) = top {
        let _ = write!(text, " Main problem: {}", quote(&top, 160));
    }
    quote(&text, SUMMARY_CHARS_MAX)
}

/// What a reader with little room needs: summary, insights, traces, windows, kinds.
pub(super) fn extraction(
    findings: &LogFindings,
    report: &Report<'_>,
    summary: &str,
    insights: &[String],
) -> String {
    let mut out = Extract { text: String::new(), left: FULL_EXTRACTION_CHARS_MAX };
    out.line(summary);
    out.line("");
    out.line("## What stands out");
    for insight in insights {
        out.line(&format!("- {insight}"));
    }
    if !findings.stack_traces.is_empty() {
        out.line("");
        out.line("## Stack traces");
    }
    for trace in findings.stack_traces.iter().take(3) {
        out.line(&format!(
            "{} x{} ({})",
            named(trace),
            trace.count,
            lines(trace.line_start, trace.line_end)
        ));
        for frame in trace.frames.iter().take(6) {
            let file = frame.file.as_deref().unwrap_or("-");
            out.line(&format!("  {} {file}:{}", frame.function, frame.line.unwrap_or(0)));
        }
        for cause in &trace.caused_by {
            out.line(&format!("  caused by {cause}"));
        }
    }
    // The windows get what is left when the most frequent kinds have had their part.
    let reserve = 1500.min(out.left / 3);
    for scene in &findings.crime_scene {
        if out.left < reserve + 400 {
            break;
        }
        out.line("");
        out.line(&format!("## {}: {}", lines(scene.line_start, scene.line_end), scene.reason));
        for number in scene.line_start..=scene.line_end {
            if out.left < reserve + EXTRACT_LINE_CHARS_MAX + 10 {
                break;
            }
            let text = quote(report.survey.line(number), EXTRACT_LINE_CHARS_MAX);
            out.line(&format!("{number}: {text}"));
        }
    }
    out.line("");
    out.line("## Kinds of messages");
    for template in &findings.templates {
        out.line(&format!(
            "{}x [{}] {}",
            template.count,
            template.level,
            quote(&template.template, 160)
        ));
    }
    out.text
}

/// Text of bounded length; a line that does not fit is left out, and all after it.
struct Extract {
    text: String,
    left: usize,
}

impl Extract {
    fn line(&mut self, line: &str) {
        let chars = line.chars().count() + 1;
        if chars > self.left {
            self.left = 0;
            return;
        }
        self.left -= chars;
        self.text.push_str(line);
        self.text.push('\n');
    }
}
