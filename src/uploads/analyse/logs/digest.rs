//! Kinds of messages with their counts, from entries and groups of signatures.

use super::findings::{
    ERRORS_MAX, ErrorGroup, QUOTE_CHARS_MAX, RARE_TEMPLATES_MAX, TEMPLATES_MAX, Template,
};
use super::level::Level;
use super::mask;
use super::read::{Entry, Survey};
use super::text::quote;
use crate::base::Time;

/// Records from which a kind that occurs once is called rare: in a shorter log everything is.
const RECORDS_FOR_RARITY: usize = 50;
/// One in so many records is rare.
const RARE_ONE_IN: usize = 5000;

/// One kind of message.
#[derive(Debug, Clone, Default)]
pub(super) struct Kind {
    /// Pattern as people read it.
    pub(super) pattern: String,
    /// Number of records.
    pub(super) count: u64,
    /// Number of records of level error or worse.
    pub(super) errors: u64,
    /// Worst level.
    pub(super) level: Level,
    /// Indexes of the first, the last, and the first erroneous entry.
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) first_error: Option<usize>,
    /// Earliest and latest time.
    pub(super) times: Option<(i64, i64)>,
    /// What its words betray.
    pub(super) trouble: bool,
    pub(super) memory: bool,
    pub(super) restart: bool,
}

impl Kind {
    /// Whether records of this kind matter to someone who looks for a fault.
    pub(super) fn alarming(&self) -> bool {
        self.errors > 0
            || self.memory
            || (self.trouble && !matches!(self.level, Level::Debug | Level::Trace))
    }
}

/// All kinds, most frequent first, and the kind of each entry.
pub(super) struct Digest {
    /// Kinds; kind `n` has the id `T{n+1}`.
    pub(super) kinds: Vec<Kind>,
    /// Kind of each entry.
    pub(super) kind_of: Vec<u32>,
}

/// Id of a kind on the wire.
pub(super) fn id(kind: usize) -> String {
    format!("T{}", kind + 1)
}

/// RFC 3339 of microseconds since 1970.
pub(super) fn rfc3339(us: i64) -> String {
    Time::from_unix_us(us).to_string()
}

/// Counts the kinds of a survey.
pub(super) fn digest(survey: &Survey<'_>) -> Digest {
    let groups = survey.signatures.group();
    let mut kinds = vec![Kind::default(); groups.patterns.len()];
    for (at, entry) in survey.entries.iter().enumerate() {
        let Some(kind) =
            groups.group_of.get(entry.signature as usize).and_then(|g| kinds.get_mut(*g as usize))
        else {
            continue;
        };
        if kind.count == 0 {
            kind.first = at;
        }
        kind.count += 1;
        kind.last = at;
        kind.level = kind.level.max(entry.level);
        if entry.level.is_error() {
            kind.errors += 1;
            kind.first_error.get_or_insert(at);
        }
        if let Some(time) = entry.time() {
            let (first, last) = kind.times.unwrap_or((time, time));
            kind.times = Some((first.min(time), last.max(time)));
        }
    }
    let mut is_request = vec![false; kinds.len()];
    for (signature, group) in groups.group_of.iter().enumerate() {
        let Some(kind) = kinds.get_mut(*group as usize) else { continue };
        if let Some(signs) = survey.signs.get(signature) {
            kind.trouble |= signs.trouble;
            kind.memory |= signs.memory;
            kind.restart |= signs.restart;
        }
        is_request[*group as usize] |= survey.requests.get(signature).copied().unwrap_or(false);
    }
    for (group, (kind, pattern)) in kinds.iter_mut().zip(&groups.patterns).enumerate() {
        let text = mask::readable(pattern);
        kind.pattern = match text.split_once(' ') {
            Some((label, path)) if is_request[group] => {
                format!("{label} /{}", path.replace(' ', "/"))
            }
            None if is_request[group] => format!("{text} /"),
            _ => text,
        };
    }
    let mut order: Vec<usize> = (0..kinds.len()).filter(|kind| kinds[*kind].count > 0).collect();
    order.sort_by_key(|kind| (std::cmp::Reverse(kinds[*kind].count), kinds[*kind].first));
    let mut rank = vec![0u32; kinds.len()];
    for (at, kind) in order.iter().enumerate() {
        rank[*kind] = at as u32;
    }
    let kind_of = survey.entries.iter().map(|entry| {
        let group = groups.group_of.get(entry.signature as usize).copied().unwrap_or(0);
        rank.get(group as usize).copied().unwrap_or(0)
    });
    let kind_of = kind_of.collect();
    Digest {
        kinds: order.into_iter().map(|kind| std::mem::take(&mut kinds[kind])).collect(),
        kind_of,
    }
}

impl Digest {
    /// The kind of an entry.
    pub(super) fn kind(&self, entry: usize) -> Option<&Kind> {
        self.kinds.get(*self.kind_of.get(entry)? as usize)
    }

    /// Templates for the findings.
    pub(super) fn templates(&self, survey: &Survey<'_>) -> Vec<Template> {
        let listed = self.kinds.iter().take(TEMPLATES_MAX).enumerate();
        listed
            .map(|(at, kind)| {
                let first = survey.entries.get(kind.first);
                let last = survey.entries.get(kind.last);
                Template {
                    id: id(at),
                    template: quote(&kind.pattern, 2 * QUOTE_CHARS_MAX),
                    count: kind.count,
                    level: kind.level.as_str().to_owned(),
                    first_line: first.map_or(0, |entry| u64::from(entry.line)),
                    last_line: last.map_or(0, |entry| u64::from(entry.line)),
                    first_time: kind.times.map(|(first, _)| rfc3339(first)),
                    last_time: kind.times.map(|(_, last)| rfc3339(last)),
                    example: first.map_or_else(String::new, |entry| excerpt(survey, entry)),
                }
            })
            .collect()
    }

    /// Kinds that hardly ever occur, the alarming ones first.
    pub(super) fn rare(&self, entries: usize) -> Vec<usize> {
        if entries < RECORDS_FOR_RARITY || self.kinds.len() * 2 > entries {
            return Vec::new();
        }
        let most = (entries / RARE_ONE_IN).max(1) as u64;
        let mut rare: Vec<usize> =
            (0..self.kinds.len()).filter(|kind| self.kinds[*kind].count <= most).collect();
        rare.sort_by_key(|kind| {
            let kind = &self.kinds[*kind];
            (std::cmp::Reverse((kind.level.is_error(), kind.alarming(), kind.level)), kind.first)
        });
        rare.truncate(RARE_TEMPLATES_MAX);
        rare
    }

    /// Kinds with errors, most frequent first.
    pub(super) fn erroneous(&self) -> Vec<&Kind> {
        let mut kinds: Vec<&Kind> = self.kinds.iter().filter(|kind| kind.errors > 0).collect();
        kinds.sort_by_key(|kind| (std::cmp::Reverse(kind.errors), kind.first));
        kinds
    }

    /// Equal errors counted together.
    pub(super) fn errors(&self, survey: &Survey<'_>) -> Vec<ErrorGroup> {
        let mut errors: Vec<ErrorGroup> = Vec::new();
        for kind in self.erroneous().into_iter().take(ERRORS_MAX) {
            let Some(entry) = kind.first_error.and_then(|at| survey.entries.get(at)) else {
                continue;
            };
            errors.push(ErrorGroup {
                line_start: u64::from(entry.line),
                line_end: u64::from(entry.line_end),
                level: kind.level.as_str().to_owned(),
                message: excerpt(survey, entry),
                count: kind.errors,
            });
        }
        errors
    }

    /// The template of each line; empty lines have none.
    pub(super) fn line_templates(&self, survey: &Survey<'_>) -> Vec<String> {
        let mut lines = vec![String::new(); survey.line_starts.len()];
        for (entry, kind) in survey.entries.iter().zip(&self.kind_of) {
            for line in entry.line..=entry.line_end {
                let filled = !survey.line(u64::from(line)).trim().is_empty();
                if let Some(slot) = lines.get_mut(line as usize - 1).filter(|_| filled) {
                    *slot = id(*kind as usize);
                }
            }
        }
        lines
    }
}

/// The first line of an entry, cut for reading.
pub(super) fn excerpt(survey: &Survey<'_>, entry: &Entry) -> String {
    quote(survey.line(u64::from(entry.line)), QUOTE_CHARS_MAX)
}
