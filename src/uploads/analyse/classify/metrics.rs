//! Measurements written as lines: expositions, line protocols, tools that print counters.

use super::super::DataType::MetricsAndPerformance;
use super::Guess;
use super::sample::{Sample, share};

/// Part of the text in which a tool names itself, in bytes.
const START_BYTES: usize = 4 * 1024;

/// Headings of tools that print counters; all words of an entry must occur near the start.
const TOOLS: &[(&[&str], &str)] = &[
    (&["procs -", "-memory-", "-cpu-"], "vmstat"),
    (&["avg-cpu:", "%user", "%iowait"], "iostat"),
    (&["CPU", "%usr", "%sys", "%idle"], "mpstat"),
    (&["CPU", "%user", "%system", "%idle"], "sar"),
    (&["top - ", "load average:", "Tasks:"], "top"),
    (&["total", "used", "free", "shared", "Mem:"], "free"),
    (&["Filesystem", "Use%", "Mounted on"], "df"),
];

/// Measurements that the text may be.
pub(super) fn guess(sample: &Sample<'_>) -> Option<Guess> {
    let candidates = [exposition(sample), influx(sample), graphite(sample), tool(sample)];
    let (format, score) = candidates.into_iter().flatten().max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(Guess::new(MetricsAndPerformance, format, score))
}

/// Prometheus text format and OpenMetrics.
fn exposition(sample: &Sample<'_>) -> Option<(&'static str, f64)> {
    let (mut seen, mut typed, mut labelled, mut plain) = (0, 0, 0, 0);
    let mut open = false;
    for line in sample.filled() {
        seen += 1;
        if let Some(comment) = line.strip_prefix("# ") {
            let word = comment.split(' ').next().unwrap_or_default();
            typed += usize::from(matches!(word, "HELP" | "TYPE" | "UNIT" | "EOF"));
            open |= matches!(word, "UNIT" | "EOF");
        } else {
            match value(line) {
                Some(true) => labelled += 1,
                Some(false) => plain += 1,
                None => {}
            }
        }
    }
    open |= sample.tail.trim_end().ends_with("# EOF");
    let fits = share(typed + labelled + plain, seen);
    let format = if open { "openmetrics" } else { "prometheus" };
    match (typed, labelled) {
        (1.., _) if fits >= 0.8 => Some((format, 0.98)),
        (0, 1..) if fits >= 0.9 => Some((format, 0.9)),
        (0, 0) if fits >= 0.95 && plain > 1 => Some((format, 0.45)),
        _ => None,
    }
}

/// Whether a line is `name value` (false) or `name{label="..."} value` (true).
fn value(line: &str) -> Option<bool> {
    let end = line
        .bytes()
        .position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'_' | b':' | b'.')))?;
    let name = line.get(..end)?;
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let rest = line.get(end..)?;
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(labels) => (true, labels.rsplit_once('}')?.1),
        None => (false, rest.strip_prefix(' ')?),
    };
    // An exemplar may follow: `# {trace_id="..."} 0.5`.
    let number = rest.split_ascii_whitespace().next()?;
    number.parse::<f64>().is_ok().then_some(labels)
}

/// `cpu,host=a usage=0.5 1465839830100400200`.
fn influx(sample: &Sample<'_>) -> Option<(&'static str, f64)> {
    let (mut seen, mut fits) = (0, 0);
    for line in sample.filled().filter(|line| !line.starts_with('#')) {
        seen += 1;
        let mut words = line.rsplitn(2, ' ');
        let (last, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let stamped = (9..=19).contains(&last.len()) && last.bytes().all(|b| b.is_ascii_digit());
        let fields = rest.rsplit(' ').next().unwrap_or_default();
        fits += usize::from(stamped && fields.contains('=') && rest.contains(' '));
    }
    (seen > 0 && share(fits, seen) >= 0.9).then_some(("influx", 0.95))
}

/// `servers.web1.cpu 0.5 1465839830`, and statsd's `requests:1|c`.
fn graphite(sample: &Sample<'_>) -> Option<(&'static str, f64)> {
    let (mut seen, mut paths, mut counters) = (0, 0, 0);
    for line in sample.filled() {
        seen += 1;
        let words: Vec<&str> = line.split_ascii_whitespace().take(4).collect();
        if let [path, value, time] = words.as_slice() {
            let numeric = value.parse::<f64>().is_ok()
                && time.parse::<u64>().is_ok_and(|t| t > 1_000_000_000);
            paths += usize::from(path.contains('.') && numeric);
        }
        let kind = line.rsplit_once('|').map(|(head, kind)| (head.contains(':'), kind));
        counters += usize::from(matches!(kind, Some((true, "c" | "g" | "ms" | "h" | "s" | "d"))));
    }
    match () {
        () if seen > 0 && share(paths, seen) >= 0.9 => Some(("graphite", 0.95)),
        () if seen > 0 && share(counters, seen) >= 0.9 => Some(("statsd", 0.95)),
        () => None,
    }
}

fn tool(sample: &Sample<'_>) -> Option<(&'static str, f64)> {
    let start = sample.start(START_BYTES);
    let headed = |words: &[&str]| {
        let first = words.first().copied().unwrap_or_default();
        let line = sample.filled().take(4).any(|line| line.contains(first));
        line && words.iter().all(|word| start.contains(word))
    };
    TOOLS.iter().find(|(words, _)| headed(words)).map(|(_, format)| (*format, 0.85))
}
