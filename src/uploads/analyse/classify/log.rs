//! Logs: lines that begin with a time, speak of levels, record requests, or trace stacks.

use super::super::DataType::LogsAndErrors;
use super::super::logs;
use super::Guess;
use super::sample::{Sample, share};

/// Most lines looked at; the head of a log shows what it is.
const LINES_MAX: usize = 400;
/// Score of measurements from which times in lines prove no log.
const MEASURED: f64 = 0.8;
/// Attribute of every event that Windows writes as XML.
const WINDOWS_EVENT: &str = "schemas.microsoft.com/win/2004/08/events/event";

/// Logs that the text may be; `measured` is the best score of measurements or samples.
pub(super) fn guess(sample: &Sample<'_>, measured: f64) -> Option<Guess> {
    if sample.text.contains("<Event") && sample.text.contains(WINDOWS_EVENT) {
        return Some(Guess::new(LogsAndErrors, "windows_event", 0.97));
    }
    let lines = sample.lines.get(..LINES_MAX).unwrap_or(&sample.lines);
    let look = logs::look(lines);
    // Indented lines and traces go on with what a line before them began.
    let records = look.lines.saturating_sub(look.indented + look.traced).max(1);
    let of_records = |count: usize| share(count, records);
    let traced = share(look.traced, look.lines);
    let stamped = of_records(look.stamped);
    let leveled = of_records(look.leveled);
    let told = if measured >= MEASURED && leveled < 0.2 { 0.0 } else { head(stamped, leveled) };
    let candidates = [
        ("w3c_extended", if look.columns { 0.98 } else { 0.0 }),
        ("access_log", if of_records(look.requests) >= 0.5 { 0.98 } else { 0.0 }),
        ("logfmt", if of_records(look.pairs) >= 0.5 { 0.98 } else { 0.0 }),
        ("json_lines", if of_records(look.wrapped) >= 0.5 { 0.9 } else { 0.0 }),
        ("stack_trace", traces(look.traces, traced)),
        (if look.syslog * 2 > look.stamped { "syslog" } else { "text_log" }, told),
    ];
    let (format, score) = candidates.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    (score > 0.0).then_some(Guess::new(LogsAndErrors, format, score))
}

/// Score of times and levels in the heads of lines.
fn head(stamped: f64, leveled: f64) -> f64 {
    let by_time = match stamped {
        s if s >= 0.5 => 0.8 + 0.15 * s.min(1.0),
        s if s >= 0.15 => 0.68,
        s if s >= 0.03 => 0.5,
        s if s > 0.0 => 0.35,
        _ => 0.0,
    };
    let by_level = match leveled {
        l if l >= 0.6 => 0.7,
        l if l >= 0.3 => 0.5,
        l if l > 0.0 => 0.2,
        _ => 0.0,
    };
    let both = if by_time > 0.0 && by_level > 0.0 { 0.02 } else { 0.0 };
    f64::max(by_time, by_level) + both
}

fn traces(traces: u64, share: f64) -> f64 {
    match share {
        _ if traces == 0 => 0.0,
        s if s >= 0.6 => 0.95,
        s if s >= 0.25 => 0.85,
        _ => 0.5,
    }
}
