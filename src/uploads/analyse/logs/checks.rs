//! The fixed list of checks of a log.

use super::super::{CHECK_LOCATIONS_MAX, Check, Location, Verdict};
use super::report::Report;
use super::rhythm::spoken;
use super::text::LINE_BYTES_MAX;

/// Share of records that are errors from which to warn and to fail, in percent (the figures of the
/// reference: above 10 % is an anomaly, above 20 % a severe one).
const ERROR_PERCENT: (f64, f64) = (10.0, 20.0);
/// Share of requests answered with 5xx from which to warn and to fail, in percent.
const HTTP_5XX_PERCENT: (f64, f64) = (1.0, 5.0);

/// Runs every check; a check that has nothing to look at is ok with a value of 0.
pub(super) fn checks(report: &Report<'_>, invalid_lines: &[u64], invalid: u64) -> Vec<Check> {
    vec![
        error_rate(report),
        error_burst(report),
        stack_trace(report),
        gap(report),
        rare_event(report),
        http_5xx(report),
        signs(report, "logs.oom", "memory ran out", |kind| kind.memory, Verdict::Fail),
        signs(
            report,
            "logs.restart",
            "a program started or stopped",
            |kind| kind.restart,
            Verdict::Warn,
        ),
        clock_backwards(report),
        truncated_line(report),
        check(
            "logs.invalid_utf8",
            if invalid > 0 { Verdict::Warn } else { Verdict::Ok },
            (invalid as f64, 1.0),
            format!("{invalid} byte sequences are not UTF-8"),
            // A last line of nothing but escapes is no line any more.
            invalid_lines
                .iter()
                .filter(|line| **line <= report.lines())
                .map(|line| Location::lines(*line, *line)),
        ),
    ]
}

fn check(
    id: &str,
    verdict: Verdict,
    (value, threshold): (f64, f64),
    message: String,
    locations: impl Iterator<Item = Location>,
) -> Check {
    Check {
        id: id.to_owned(),
        verdict,
        value,
        threshold,
        message,
        locations: locations.take(CHECK_LOCATIONS_MAX).collect(),
    }
}

fn graded(value: f64, (warn, fail): (f64, f64)) -> Verdict {
    if value >= fail {
        Verdict::Fail
    } else if value >= warn {
        Verdict::Warn
    } else {
        Verdict::Ok
    }
}

/// A share in percent with one decimal.
pub(super) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 * 1000.0 / whole as f64).round() / 10.0 }
}

fn error_rate(report: &Report<'_>) -> Check {
    let rate = percent(report.errors, report.records());
    let errors = report.survey.entries.iter().filter(|entry| entry.level.is_error());
    let locations = errors.map(|entry| Location::lines(entry.line.into(), entry.line_end.into()));
    let message =
        format!("{} of {} records are errors ({rate} %)", report.errors, report.records());
    check(
        "logs.error_rate",
        graded(rate, ERROR_PERCENT),
        (rate, ERROR_PERCENT.0),
        message,
        locations,
    )
}

fn error_burst(report: &Report<'_>) -> Check {
    let bursts = &report.bursts;
    // Without levels a burst is one of records that speak of trouble, which is less certain.
    let verdict = match report.errors {
        _ if bursts.is_empty() => Verdict::Ok,
        0 => Verdict::Warn,
        _ => Verdict::Fail,
    };
    let message = match bursts.first() {
        None => "no stretch has far more errors than usual".to_owned(),
        Some(burst) => format!(
            "{} bursts of errors; the strongest has {} where {:.1} are usual, lines {}-{}",
            bursts.len(),
            burst.count,
            burst.baseline,
            burst.line_start,
            burst.line_end
        ),
    };
    let locations = bursts.iter().map(|burst| Location::lines(burst.line_start, burst.line_end));
    check("logs.error_burst", verdict, (bursts.len() as f64, 1.0), message, locations)
}

fn stack_trace(report: &Report<'_>) -> Check {
    let total = report.traces_total;
    let verdict = if total > 0 { Verdict::Fail } else { Verdict::Ok };
    let message = format!("{total} stack traces, {} of them different", report.traces.len());
    let locations =
        report.traces.iter().map(|trace| Location::lines(trace.line_start, trace.line_end));
    check("logs.stack_trace", verdict, (total as f64, 1.0), message, locations)
}

fn gap(report: &Report<'_>) -> Check {
    let verdict = if report.gaps.is_empty() { Verdict::Ok } else { Verdict::Warn };
    let message = match report.gaps.first() {
        None => "no silence is far longer than usual".to_owned(),
        Some(gap) => format!(
            "{} silences; the longest lasts {} where {} is usual, lines {}-{}",
            report.gaps.len(),
            spoken(gap.seconds),
            spoken(gap.typical_seconds),
            gap.line_start,
            gap.line_end
        ),
    };
    let locations = report.gaps.iter().map(|gap| Location::lines(gap.line_start, gap.line_end));
    check("logs.gap", verdict, (report.gaps.len() as f64, 1.0), message, locations)
}

fn rare_event(report: &Report<'_>) -> Check {
    let rare = report.rare.iter().filter_map(|kind| report.digest.kinds.get(*kind));
    let alarming: Vec<_> = rare.filter(|kind| kind.alarming()).collect();
    let verdict = if alarming.is_empty() { Verdict::Ok } else { Verdict::Warn };
    let message = format!(
        "{} kinds of messages are rare, {} of them speak of trouble",
        report.rare.len(),
        alarming.len()
    );
    let entries = alarming.iter().filter_map(|kind| report.entry(kind.first));
    let locations = entries.map(|entry| Location::lines(entry.line.into(), entry.line_end.into()));
    check("logs.rare_event", verdict, (alarming.len() as f64, 1.0), message, locations)
}

fn http_5xx(report: &Report<'_>) -> Check {
    let status = &report.survey.status;
    let total: u64 = status.values().sum();
    let failed: u64 = status.range(500..600).map(|(_, count)| count).sum();
    let rate = percent(failed, total);
    let message = format!("{failed} of {total} requests were answered with 5xx ({rate} %)");
    let errors = report.survey.entries.iter().filter(|entry| failed > 0 && entry.level.is_error());
    let locations = errors.map(|entry| Location::lines(entry.line.into(), entry.line_end.into()));
    check(
        "logs.http_5xx",
        graded(rate, HTTP_5XX_PERCENT),
        (rate, HTTP_5XX_PERCENT.0),
        message,
        locations,
    )
}

fn signs(
    report: &Report<'_>,
    id: &str,
    what: &str,
    has: fn(&super::digest::Kind) -> bool,
    verdict: Verdict,
) -> Check {
    let kinds: Vec<_> = report.digest.kinds.iter().filter(|kind| has(kind)).collect();
    let count: u64 = kinds.iter().map(|kind| kind.count).sum();
    let verdict = if count > 0 { verdict } else { Verdict::Ok };
    let entries = kinds.iter().filter_map(|kind| report.entry(kind.first));
    let locations = entries.map(|entry| Location::lines(entry.line.into(), entry.line_end.into()));
    check(id, verdict, (count as f64, 1.0), format!("{count} records say that {what}"), locations)
}

fn clock_backwards(report: &Report<'_>) -> Check {
    let (jumps, lines) = &report.backwards;
    let verdict = if *jumps > 0 { Verdict::Warn } else { Verdict::Ok };
    let message = format!("time goes back {jumps} times by more than a second");
    let locations = lines.iter().map(|line| Location::lines(*line, *line));
    check("logs.clock_backwards", verdict, (*jumps as f64, 1.0), message, locations)
}

fn truncated_line(report: &Report<'_>) -> Check {
    let total = report.survey.cut_total;
    let verdict = if total > 0 { Verdict::Warn } else { Verdict::Ok };
    let message =
        format!("{total} lines are longer than {} KiB and were cut", LINE_BYTES_MAX / 1024);
    let locations = report.survey.cut_lines.iter().map(|line| Location::lines(*line, *line));
    check("logs.truncated_line", verdict, (total as f64, 1.0), message, locations)
}
