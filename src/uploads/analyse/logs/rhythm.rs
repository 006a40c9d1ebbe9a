//! What the times of records show: bursts of errors, silences, clocks that go back.

use super::digest::{Digest, rfc3339};
use super::findings::{BURSTS_MAX, Burst, GAPS_MAX, Gap};
use super::read::{Entry, Survey};

/// Lengths that a bin of the error rate may have, in seconds.
const BIN_SECONDS: &[i64] =
    &[1, 5, 10, 30, 60, 300, 900, 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400];
/// Most bins over the whole log; enough to see a burst of a hundredth of it.
const BINS_MAX: i64 = 200;
/// Fewest bins with which "usual" means something.
const BINS_MIN: usize = 6;
/// Fewest records with which "usual" means something.
const BURST_RECORDS_MIN: usize = 50;
/// Fewest errors in a burst.
const BURST_ERRORS_MIN: u64 = 5;
/// A burst has so many times the errors of the usual bin.
const BURST_FACTOR: f64 = 4.0;
/// A burst lies so many robust standard deviations above the median.
const BURST_DEVIATIONS: f64 = 6.0;
/// Scales a median absolute deviation to a standard deviation of a normal distribution.
const MAD_SCALE: f64 = 1.4826;
/// Fewest distances between records with which "typical" means something.
const GAP_RECORDS_MIN: usize = 20;
/// A gap is so many times the 95th percentile of distances.
const GAP_FACTOR: i64 = 10;
/// Shortest gap, in microseconds.
const GAP_US_MIN: i64 = 1_000_000;
/// Jumps back that are no more than this are threads racing to write, in microseconds.
const BACKWARDS_US_MIN: i64 = 1_000_000;

/// Entries with times, sorted by time; equal times keep the order of the file.
pub(super) fn by_time(survey: &Survey<'_>) -> Vec<(i64, u32)> {
    let timed = survey.entries.iter().enumerate();
    let mut times: Vec<(i64, u32)> =
        timed.filter_map(|(at, entry)| Some((entry.time()?, at as u32))).collect();
    times.sort_by_key(|(time, _)| *time);
    times
}

/// Stretches with far more errors than the median stretch. Logs without levels are judged by
/// records that speak of trouble.
pub(super) fn bursts(survey: &Survey<'_>, digest: &Digest, times: &[(i64, u32)]) -> Vec<Burst> {
    let (Some((first, _)), Some((last, _))) = (times.first(), times.last()) else {
        return Vec::new();
    };
    let levels = survey.entries.iter().any(|entry| entry.level.is_error());
    let bad = |at: u32| {
        let entry = survey.entries.get(at as usize);
        let error = entry.is_some_and(|entry| entry.level.is_error());
        error || (!levels && digest.kind(at as usize).is_some_and(|kind| kind.trouble))
    };
    let span = (last - first) / 1_000_000 + 1;
    let seconds = BIN_SECONDS.iter().copied().find(|bin| span / bin < BINS_MAX);
    let width = seconds.unwrap_or(span / BINS_MAX + 1).saturating_mul(1_000_000);
    let bins = usize::try_from((last - first) / width + 1).unwrap_or(0);
    if bins < BINS_MIN || times.len() < BURST_RECORDS_MIN {
        return Vec::new();
    }
    let mut counts = vec![0u64; bins];
    let bin_of = |time: i64| usize::try_from((time - first) / width).unwrap_or(0).min(bins - 1);
    for (time, at) in times {
        counts[bin_of(*time)] += u64::from(bad(*at));
    }
    let threshold = threshold(&counts);
    let high = |bin: usize| counts[bin] >= BURST_ERRORS_MIN && counts[bin] as f64 >= threshold;
    let quiet: Vec<u64> = (0..bins).filter(|bin| !high(*bin)).map(|bin| counts[bin]).collect();
    let usual = quiet.iter().sum::<u64>() as f64 / quiet.len().max(1) as f64;
    let mut bursts = Vec::new();
    let mut bin = 0;
    while bin < bins {
        let start = bin;
        while bin < bins && high(bin) {
            bin += 1;
        }
        if bin == start {
            bin += 1;
            continue;
        }
        let (from, to) = (first + start as i64 * width, first + bin as i64 * width);
        bursts.extend(burst(survey, times, (from, to), usual * (bin - start) as f64, &bad));
    }
    bursts.sort_by_key(|burst| (std::cmp::Reverse(burst.count), burst.line_start));
    bursts.truncate(BURSTS_MAX);
    bursts
}

/// Errors in a bin from which it is a burst.
fn threshold(counts: &[u64]) -> f64 {
    let mut sorted = counts.to_vec();
    sorted.sort_unstable();
    let median = sorted[sorted.len() / 2] as f64;
    let mut deviations: Vec<f64> =
        sorted.iter().map(|count| (*count as f64 - median).abs()).collect();
    deviations.sort_by(f64::total_cmp);
    let deviation = MAD_SCALE * deviations[deviations.len() / 2];
    // Where most bins have no error the mean of the lower nine tenths stands in for the median.
    let lower = &sorted[..(sorted.len() * 9 / 10).max(1)];
    let mean = lower.iter().sum::<u64>() as f64 / lower.len() as f64;
    (median + BURST_DEVIATIONS * deviation).max(BURST_FACTOR * mean.max(median))
}

fn burst(
    survey: &Survey<'_>,
    times: &[(i64, u32)],
    (from, to): (i64, i64),
    baseline: f64,
    bad: &dyn Fn(u32) -> bool,
) -> Option<Burst> {
    let start = times.partition_point(|(time, _)| *time < from);
    let end = times.partition_point(|(time, _)| *time < to);
    let inside: Vec<(i64, &Entry)> = times
        .get(start..end)?
        .iter()
        .filter(|(_, at)| bad(*at))
        .filter_map(|(time, at)| Some((*time, survey.entries.get(*at as usize)?)))
        .collect();
    let (first, last) = (inside.first()?, inside.last()?);
    Some(Burst {
        time_start: rfc3339(first.0),
        time_end: rfc3339(last.0),
        count: inside.len() as u64,
        baseline: (baseline * 100.0).round() / 100.0,
        line_start: inside.iter().map(|(_, entry)| u64::from(entry.line)).min()?,
        line_end: inside.iter().map(|(_, entry)| u64::from(entry.line_end)).max()?,
    })
}

/// Silences much longer than almost all distances between neighbouring records.
pub(super) fn gaps(survey: &Survey<'_>, times: &[(i64, u32)]) -> Vec<Gap> {
    let mut distances: Vec<i64> = times.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    if distances.len() < GAP_RECORDS_MIN {
        return Vec::new();
    }
    let at = distances.len() * 95 / 100;
    let (_, typical, _) = distances.select_nth_unstable(at);
    let typical = *typical;
    let least = typical.saturating_mul(GAP_FACTOR).max(GAP_US_MIN);
    let mut gaps: Vec<Gap> = times
        .windows(2)
        .filter(|pair| pair[1].0 - pair[0].0 > least)
        .filter_map(|pair| {
            let before = survey.entries.get(pair[0].1 as usize)?;
            let after = survey.entries.get(pair[1].1 as usize)?;
            Some(Gap {
                time_start: rfc3339(pair[0].0),
                time_end: rfc3339(pair[1].0),
                seconds: (pair[1].0 - pair[0].0) as f64 / 1e6,
                typical_seconds: typical as f64 / 1e6,
                line_start: u64::from(before.line_end.min(after.line)),
                line_end: u64::from(after.line.max(before.line_end)),
            })
        })
        .collect();
    gaps.sort_by(|a, b| b.seconds.total_cmp(&a.seconds).then(a.line_start.cmp(&b.line_start)));
    gaps.truncate(GAPS_MAX);
    gaps
}

/// Jumps back in time: how many, and the lines of the first of them.
pub(super) fn backwards(survey: &Survey<'_>, most: usize) -> (u64, Vec<u64>) {
    let mut latest = i64::MIN;
    let (mut jumps, mut lines) = (0, Vec::new());
    for entry in &survey.entries {
        let Some(time) = entry.time() else { continue };
        if latest.saturating_sub(time) > BACKWARDS_US_MIN && latest != i64::MIN {
            jumps += 1;
            if lines.len() < most {
                lines.push(u64::from(entry.line));
            }
        }
        // Compared with its neighbour, so that one wrong clock is one jump and not a thousand.
        latest = time;
    }
    (jumps, lines)
}

/// A length of time as people say it.
pub(super) fn spoken(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 120.0 => format!("{} s", (s * 10.0).round() / 10.0),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}
