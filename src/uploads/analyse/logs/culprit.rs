//! Which value dominates a kind of message: the address that keeps failing to log in, the shard
//! that times out.

use super::digest::Kind;
use super::report::Report;
use super::text::{cut, quote};
use std::collections::HashMap;

/// Most records of a kind that are looked at.
const RECORDS_MAX: usize = 5000;
/// Longest part of a line that is looked at, in bytes.
const LINE_BYTES_MAX: usize = 2048;
/// Most words of a line that are counted.
const WORDS_MAX: usize = 64;
/// Fewest records in which a value dominates.
const RECORDS_MIN: u64 = 10;
/// A value dominates when it takes more than one in so many records.
const SHARE_ONE_IN: u64 = 4;

/// A sentence about the dominating value of a kind, if one of several values dominates.
pub(super) fn sentence(report: &Report<'_>, kind: &Kind) -> Option<String> {
    if kind.count < RECORDS_MIN {
        return None;
    }
    let number = report.digest.kind_of.get(kind.first).copied()?;
    let of_kind = report.survey.entries.iter().zip(&report.digest.kind_of);
    let of_kind = of_kind.filter(|(_, of)| **of == number).take(RECORDS_MAX);
    // Counted from the end of the line: heads differ in length, messages of one kind do not.
    let mut places: Vec<HashMap<&str, (u64, u32, u32)>> = vec![HashMap::new(); WORDS_MAX];
    let mut records = 0u64;
    for (entry, _) in of_kind {
        records += 1;
        let line = cut(report.survey.line(entry.line.into()), LINE_BYTES_MAX);
        for (word, place) in line.split_ascii_whitespace().rev().zip(&mut places) {
            let seen = place.entry(word).or_insert((0, entry.line, entry.line));
            seen.0 += 1;
            seen.2 = entry.line;
        }
    }
    let words = kind.pattern.split(' ').count().min(WORDS_MAX);
    let best = places.into_iter().take(words).filter_map(|place| {
        let distinct = place.len();
        let top =
            place.into_iter().max_by_key(|(word, seen)| (seen.0, std::cmp::Reverse(*word)))?;
        let several = distinct >= 3;
        let telling =
            top.0.len() >= 4 && top.0.bytes().any(|b| b.is_ascii_digit() || b == b'.' || b == b'_');
        (several && telling && top.1.0 < records).then_some(top)
    });
    let (word, (count, first, last)) =
        best.max_by_key(|(word, seen)| (seen.0, std::cmp::Reverse(*word)))?;
    (count >= RECORDS_MIN && count * SHARE_ONE_IN > records).then(|| {
        format!(
            "\"{}\" appears in {count} of the {records} records of \"{}\" (lines {first}-{last}).",
            quote(word.trim_matches([',', ';', ':', '(', ')', '[', ']']), 80),
            quote(&kind.pattern, 80)
        )
    })
}
