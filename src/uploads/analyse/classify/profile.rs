//! Profiles written as text: collapsed stacks, samplers' reports, profilers' tables.

use super::super::DataType::ProfilingData;
use super::Guess;
use super::sample::{Sample, share};

/// Score of a text that has a profiler's own words.
const NAMED: f64 = 0.97;
/// Part of the text in which a profiler names itself, in bytes.
const START_BYTES: usize = 4 * 1024;

/// Words that profilers open their reports with: all of them must occur near the start.
const OPENINGS: &[(&[&str], &str)] = &[
    (&["function calls", "in ", "seconds", "cumtime"], "cprofile"),
    (&["ncalls", "tottime", "percall"], "cprofile"),
    (&["heap profile: ", "@ "], "pprof_legacy"),
    (&["--- contention"], "pprof_legacy"),
    (&["--- mutex"], "pprof_legacy"),
    (&["--- threadz"], "pprof_legacy"),
    (&["--- heapz"], "pprof_legacy"),
    (&["goroutine profile: total "], "pprof_legacy"),
    (&["threadcreate profile: total "], "pprof_legacy"),
    (&["flat%", "sum%", "cum%"], "pprof_top"),
    (&["# captured on", "# perf version"], "perf_script"),
    (&["Performance counter stats for"], "perf_stat"),
    (&["# Overhead", "Shared Object"], "perf_report"),
    (&["# Overhead", "Command"], "perf_report"),
    (&["Time and Allocation Profiling Report"], "ghc_prof"),
    (&["Analysis of sampling "], "macos_sample"),
    (&["FUNCTION:NAME"], "dtrace"),
    (&["Running Time", "Self", "Symbol Name"], "instruments"),
    (&["# callgrind format"], "callgrind"),
    (&["events: ", "\nfn="], "callgrind"),
    (&["Flat profile:", "cumulative"], "gprof"),
    (&["% cumulative", "self seconds"], "gprof"),
    (&["desc: ", "cmd: ", "time_unit: "], "massif"),
    (&["#instances", "#bytes", "class name"], "heap_histogram"),
    (&["Level,Function Name,Number of Calls"], "vsprof"),
    (&["Function Stack,CPU Time"], "vtune"),
    (&["Function,CPU Time"], "vtune"),
    (&["TRACE START ["], "xdebug"),
    (&["<trace-query-result>"], "xctrace"),
    (&["Statistical profiling result from"], "v8_log"),
    (&["% time", "usecs/call", "syscall"], "strace_summary"),
    (&["Papyrus log opened", "rofil"], "papyrus"),
    (&["cg_", "func_g", "<svg"], "flamegraph"),
    (&["id=\"frames\"", "<svg"], "flamegraph"),
    (&["<g class=\"func_g\"", "<svg"], "flamegraph"),
    (&["Total number in stack"], "macos_sample"),
    (&["Line #", "Hits", "Per Hit", "% Time"], "line_profiler"),
    (&["Line #", "Mem usage", "Increment"], "memory_profiler"),
];

/// Profiles that the text may be.
pub(super) fn guess(sample: &Sample<'_>) -> Option<Guess> {
    let start = sample.start(START_BYTES);
    let opened = OPENINGS.iter().find(|(words, _)| words.iter().all(|word| start.contains(word)));
    if let Some((_, format)) = opened
        && !is_document(sample)
    {
        return Some(Guess::new(ProfilingData, format, NAMED));
    }
    let (format, score) = [collapsed(sample), perf_script(sample), call_counts(sample)]
        .into_iter()
        .flatten()
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(Guess::new(ProfilingData, format, score))
}

/// Documentation quotes reports: a heading before the report tells.
fn is_document(sample: &Sample<'_>) -> bool {
    let mut lines = sample.filled();
    let headed =
        lines.next().is_some_and(|line| line.starts_with("# ") && !line.contains("format"));
    headed && sample.text.contains("```")
}

/// `main;parse;read 12`: frames joined by semicolons, then a count.
fn collapsed(sample: &Sample<'_>) -> Option<(&'static str, f64)> {
    let (mut seen, mut fits, mut joined) = (0, 0, 0);
    for line in sample.filled().filter(|line| !line.starts_with('#')) {
        seen += 1;
        let Some((stack, count)) = line.rsplit_once(' ') else { continue };
        let counted = !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let named = stack.bytes().any(|b| b.is_ascii_alphabetic());
        if counted && named && !stack.ends_with([',', ':', '=']) {
            fits += 1;
            joined += usize::from(stack.contains(';'));
        }
    }
    let sound = joined > 0 && share(fits, seen) >= 0.9 && share(joined, seen) >= 0.3;
    sound.then(|| ("collapsed", 0.8 + 0.17 * share(joined, seen)))
}

/// `dd 29776 666709.771979: 10101010 cpu-clock:` above lines of address, symbol and object.
fn perf_script(sample: &Sample<'_>) -> Option<(&'static str, f64)> {
    let (mut seen, mut events, mut frames) = (0, 0, 0);
    for line in sample.filled().filter(|line| !line.starts_with('#')) {
        seen += 1;
        let mut words = line.split_ascii_whitespace();
        let first = words.next().unwrap_or_default();
        let address = first.len() >= 4 && first.bytes().all(|b| b.is_ascii_hexdigit());
        if address && line.ends_with(')') && line.contains(" (") {
            frames += 1;
        } else if line.contains(": ") || line.ends_with(':') {
            let timed = words.take(6).any(|word| {
                word.strip_suffix(':').and_then(|w| w.parse::<f64>().ok()).is_some_and(|t| t > 0.0)
            });
            events += usize::from(timed);
        }
    }
    let sound = events > 0 && frames > 0 && share(events + frames, seen) >= 0.8;
    sound.then_some(("perf_script", NAMED))
}

/// `@[` ... `]: 12` of bpftrace, `@ CPU_CLK [12 samples]` of pmcstat.
fn call_counts(sample: &Sample<'_>) -> Option<(&'static str, f64)> {
    let opened = sample.filled().filter(|line| line.starts_with("@[")).count();
    let closed = sample
        .filled()
        .filter(|line| {
            let count = line.strip_prefix(']').and_then(|rest| {
                rest.rsplit_once("]: ").map(|r| r.1).or_else(|| rest.rsplit_once(": ").map(|r| r.1))
            });
            count.is_some_and(|count| count.parse::<u64>().is_ok())
        })
        .count();
    if opened > 0 && closed * 2 >= opened {
        return Some(("bpftrace", 0.93));
    }
    let samples = sample.filled().filter(|l| l.starts_with("@ ") && l.ends_with(" samples]"));
    (samples.count() > 0).then_some(("pmcstat", 0.93))
}
