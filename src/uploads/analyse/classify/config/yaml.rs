//! YAML: keys, items and blocks of text, told by their lines alone.

use super::super::sample::share;
use std::collections::HashSet;

/// Words in a value from which it reads like a sentence.
const SENTENCE_WORDS: usize = 6;

/// What a YAML reader would make of the lines.
#[derive(Default)]
struct Yaml<'a> {
    seen: usize,
    fits: usize,
    keys: usize,
    nested: usize,
    sentences: usize,
    tops: HashSet<&'a str>,
    top_count: usize,
    documents: bool,
}

/// YAML that the lines may be.
pub(super) fn yaml(lines: &[&str]) -> Option<(&'static str, f64)> {
    let mut yaml = Yaml::default();
    // Indentation of the key whose block of text is being skipped.
    let mut block = None;
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        if block.is_some_and(|outer| indent > outer) || trimmed.starts_with('#') {
            continue;
        }
        // YAML knows no tabs; a rule of a makefile begins with one.
        if line.starts_with('\t') {
            return None;
        }
        block = yaml.line(line, trimmed, indent);
    }
    let fits = share(yaml.fits, yaml.seen);
    if yaml.keys == 0 || fits < 0.85 {
        return None;
    }
    let mut score = 0.5 + 0.03 * yaml.keys.min(8) as f64 + 0.2 * (fits - 0.85) / 0.15;
    if yaml.nested > 0 || yaml.documents {
        score += 0.12;
    }
    let known = [["apiVersion", "kind"], ["services", "version"], ["services", "networks"]];
    if known.iter().any(|pair| pair.iter().all(|key| yaml.tops.contains(key))) {
        score = 0.97;
    }
    // A flat list of `Note: ...` lines is prose or a log, and so is one that repeats its keys.
    if share(yaml.sentences, yaml.keys) > 0.5 {
        score *= 0.6;
    }
    if !yaml.documents && yaml.tops.len() * 10 < yaml.top_count * 7 {
        score *= 0.6;
    }
    Some(("yaml", score.min(0.96)))
}

impl<'a> Yaml<'a> {
    /// Takes a line; its indentation, when a block of text follows it.
    fn line(&mut self, line: &str, trimmed: &'a str, indent: usize) -> Option<usize> {
        if matches!(line.trim_end(), "---" | "...") || line.starts_with("%YAML") {
            self.documents = true;
            self.seen += 1;
            self.fits += 1;
            return None;
        }
        let mut rest = trimmed;
        while let Some(item) = rest.strip_prefix("- ") {
            rest = item.trim_start();
        }
        let listed = rest.len() != trimmed.len() || trimmed == "-";
        if let Some((key, value)) =
            key_value(rest).filter(|(_, value)| !value.ends_with([';', '{']))
        {
            self.seen += 1;
            self.fits += 1;
            self.keys += 1;
            self.nested += usize::from(indent > 0 || listed);
            let plain = !value.starts_with(['"', '\'', '>', '|', '[', '{', '&', '*', '!']);
            self.sentences +=
                usize::from(plain && value.split_ascii_whitespace().count() >= SENTENCE_WORDS);
            if indent == 0 && !listed {
                self.tops.insert(key);
                self.top_count += 1;
            }
            let opens = value.starts_with(['|', '>'])
                || value
                    .rsplit_once(' ')
                    .is_some_and(|(_, last)| matches!(last, "|" | ">" | "|-" | ">-"));
            return opens.then_some(indent);
        }
        // Deeper lines that are neither go on with a value, or close a `[` or `{`.
        if listed || indent == 0 {
            self.seen += 1;
            self.fits += usize::from(listed);
        }
        None
    }
}

/// `key: value` or `key:`, where the key has no spaces unless it is quoted.
fn key_value(text: &str) -> Option<(&str, &str)> {
    let (key, rest) = match text.as_bytes().first()? {
        quote @ (b'"' | b'\'') => {
            let end = memchr::memchr(*quote, text.as_bytes().get(1..)?)? + 2;
            (text.get(..end)?, text.get(end..)?)
        }
        _ => {
            let end = text
                .match_indices(':')
                .map(|(at, _)| at)
                .find(|at| matches!(text.as_bytes().get(at + 1), None | Some(b' ')))?;
            (text.get(..end)?, text.get(end..)?)
        }
    };
    let value = rest.trim_start().strip_prefix(':')?;
    let quoted = key.starts_with(['"', '\'']);
    let sound = |b: u8| b.is_ascii_alphanumeric() || b"_-./$@:<>*~".contains(&b) || b >= 0x80;
    let plain = !key.is_empty() && key.bytes().all(sound) && key != "-";
    (quoted || plain).then_some((key, value.trim()))
}
