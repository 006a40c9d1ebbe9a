//! Program text: which language's marks the lines carry.

use super::super::DataType::SourceCode;
use super::Guess;
use super::marks::LANGUAGES;
use super::sample::Sample;
use aho_corasick::{AhoCorasick, MatchKind};
use std::sync::LazyLock;

/// Most lines looked at.
const LINES_MAX: usize = 600;
/// How often a mark is counted at most: one idiom repeated is one idiom.
const REPEATS_MAX: u32 = 4;
/// Weight of marks below which text is no program.
const WEIGHT_MIN: f64 = 4.0;
/// Marks that must differ, unless one of them is conclusive.
const DISTINCT_MIN: usize = 2;

/// All marks in one automaton, and for each pattern its language and weight.
struct Automaton {
    search: Option<AhoCorasick>,
    owners: Vec<(usize, u8)>,
}

static AUTOMATON: LazyLock<Automaton> = LazyLock::new(|| {
    let all = LANGUAGES.iter().enumerate().flat_map(|(language, (_, marks))| {
        marks.iter().map(move |(text, weight)| (*text, (language, *weight)))
    });
    let (texts, owners): (Vec<_>, Vec<_>) = all.unzip();
    // The patterns are constants; a test holds that they build.
    let search = AhoCorasick::builder().match_kind(MatchKind::Standard).build(texts).ok();
    Automaton { search, owners }
});

/// The program that the text may be.
pub(super) fn guess(sample: &Sample<'_>) -> Option<Guess> {
    if sample.text.trim_start().starts_with("<?php") {
        return Some(Guess::new(SourceCode, "php", 0.97));
    }
    if let Some(format) = shebang(sample) {
        return Some(Guess::new(SourceCode, format, 0.97));
    }
    let (text, lines) = flatten(sample);
    let (language, weight, distinct) = heaviest(&text)?;
    let dense = (weight / lines.max(1) as f64).min(1.0);
    if weight < WEIGHT_MIN || (distinct < DISTINCT_MIN && weight < 8.0) {
        return None;
    }
    let mut score = 0.42 + 0.33 * (dense / 0.5).min(1.0) + 0.2 * (weight / 25.0).min(1.0);
    if dense < 0.12 {
        score *= 0.6;
    }
    let (name, _) = LANGUAGES.get(language)?;
    Some(Guess::new(SourceCode, name, score))
}

/// `#!/usr/bin/env python3`.
fn shebang(sample: &Sample<'_>) -> Option<&'static str> {
    let line = sample.lines.first()?.strip_prefix("#!")?;
    let words = line.split([' ', '/', '\t']).filter(|word| !word.is_empty());
    let program = words
        .filter(|word| *word != "env" && !word.starts_with('-'))
        .find(|word| !matches!(*word, "usr" | "bin" | "local" | "sbin" | "opt"))?;
    Some(match program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "python" | "pypy" => "python",
        "node" | "deno" | "bun" => "javascript",
        "ruby" => "ruby",
        "perl" => "perl",
        "php" => "php",
        "pwsh" => "powershell",
        "lua" => "lua",
        "Rscript" => "r",
        "tclsh" | "expect" => "tcl",
        "sh" | "bash" | "zsh" | "dash" | "ksh" | "fish" | "ash" => "shell",
        "groovy" => "groovy",
        "julia" => "julia",
        _ => "script",
    })
}

/// The lines trimmed and set between line ends, without code quoted in documents and without
/// comments; and the number of lines.
fn flatten(sample: &Sample<'_>) -> (String, usize) {
    let mut text = String::from("\n");
    let mut fenced = false;
    let mut lines = 0;
    for line in sample.filled().take(LINES_MAX) {
        if line.starts_with("```") {
            fenced = !fenced;
            continue;
        }
        // Comments say nothing about how much of the rest is code, but some are marks.
        let comment = line.starts_with("//") || line.starts_with("/*") || line.starts_with("* ");
        if fenced || is_remark(line) {
            continue;
        }
        lines += usize::from(!comment && !line.starts_with("--"));
        text.push_str(line);
        text.push('\n');
    }
    (text, lines)
}

/// A comment after a number sign, but no directive of C and no attribute of Rust.
fn is_remark(line: &str) -> bool {
    let Some(text) = line.strip_prefix('#') else { return false };
    let words =
        ["inc", "def", "if", "el", "end", "und", "pra", "imp", "err", "line", "reg", "!", "["];
    !words.iter().any(|word| text.starts_with(word))
}

/// The language with the heaviest marks, their weight, and how many differ.
fn heaviest(text: &str) -> Option<(usize, f64, usize)> {
    let automaton = &*AUTOMATON;
    let search = automaton.search.as_ref()?;
    let mut counts = vec![0u32; automaton.owners.len()];
    for found in search.find_overlapping_iter(text) {
        if let Some(count) = counts.get_mut(found.pattern().as_usize()) {
            *count += 1;
        }
    }
    let mut totals = vec![(0.0, 0usize); LANGUAGES.len()];
    for ((language, weight), count) in automaton.owners.iter().zip(&counts) {
        if let Some(total) = totals.get_mut(*language)
            && *count > 0
        {
            // The second and later sightings of a mark add half as much.
            let times = 1.0 + 0.5 * f64::from((*count).min(REPEATS_MAX) - 1);
            total.0 += f64::from(*weight) * times;
            total.1 += 1;
        }
    }
    inherit(&mut totals);
    let best = totals.iter().enumerate().max_by(|a, b| a.1.0.total_cmp(&b.1.0))?;
    Some((best.0, best.1.0, best.1.1))
}

/// A language that extends another speaks it too: the marks of both count for it, once it has any
/// of its own worth the name.
fn inherit(totals: &mut [(f64, usize)]) {
    let find = |name: &str| LANGUAGES.iter().position(|(language, _)| *language == name);
    for (child, parent) in [("typescript", "javascript"), ("cpp", "c"), ("objective_c", "c")] {
        if let (Some(child), Some(parent)) = (find(child), find(parent))
            && let Some((weight, distinct)) = totals.get(parent).copied()
            && let Some(total) = totals.get_mut(child)
            && total.0 >= WEIGHT_MIN
        {
            total.0 += weight;
            total.1 += distinct;
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_marks_fit_into_the_automaton() {
        assert!(super::AUTOMATON.search.is_some());
    }
}
