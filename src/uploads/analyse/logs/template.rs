//! Kinds of messages: signatures are counted while reading and grouped at the end.
//!
//! A signature (see [`super::mask`]) still holds values that look like words, such as user names.
//! Which words are values shows only when the whole file is known: a place in otherwise equal
//! signatures that takes many words is a value, one that takes two or three is an enumeration whose
//! members mean different things. This is the idea of Brain (Yu et al., IEEE TSC 2023) and of Drain
//! (He et al., ICWS 2017), applied to distinct signatures instead of lines, so that its cost does
//! not depend on the size of the file.

use super::mask::{self, VALUE};
use std::collections::HashMap;

/// Most distinct signatures kept apart; further ones share a signature by their first words.
pub(super) const SIGNATURES_MAX: usize = 20_000;
/// Distinct words from which a place in a message is a value: up to three read as an enumeration.
const WORDS_OF_A_VALUE: usize = 4;
/// The same for the first word, which usually names what the message is about.
const FIRST_WORDS_OF_A_VALUE: usize = 12;
/// Share of equal words from which two signatures may be the same kind (Drain's threshold).
const ALIKE: f64 = 0.5;
/// Rounds of merging; every round frees one more place, messages rarely have more.
const ROUNDS: usize = 4;
/// Most groups of one length and first word that a signature is compared with.
const GROUPS_COMPARED_MAX: usize = 64;

/// Signatures seen so far, numbered in order of appearance.
#[derive(Default)]
pub(super) struct Signatures {
    by_hash: HashMap<u64, u32>,
    texts: Vec<Box<[u8]>>,
    buffer: Vec<u8>,
    /// Patterns learned when the signatures ran out, by word count and first word.
    learned: HashMap<(usize, u64), Vec<Learned>>,
    /// Whether messages had to share a signature.
    pub(super) overflown: bool,
}

/// A pattern and a signature that has it.
struct Learned {
    pattern: Vec<u8>,
    signature: u32,
}

impl Learned {
    /// Whether every word is that of the pattern or stands where it has a value.
    fn fits(&self, signature: &[u8]) -> bool {
        let mut words = self.pattern.split(|b| *b == b' ').zip(signature.split(|b| *b == b' '));
        words.all(|(pattern, word)| pattern == word || pattern == [VALUE])
    }
}

/// Word count and hash of the first word.
fn shelf(signature: &[u8]) -> (usize, u64) {
    let spaces = memchr::memchr_iter(b' ', signature).count();
    let first = signature.split(|b| *b == b' ').next().unwrap_or_default();
    (spaces + 1, mask::hash(first))
}

impl Signatures {
    /// Number of the signature of a message, and whether it is new. The `label` is a first word
    /// that is taken as it is; it may be empty.
    pub(super) fn observe(&mut self, label: &str, message: &str) -> (u32, bool) {
        mask::signature(message, &mut self.buffer);
        if !label.is_empty() {
            let words = self.buffer.split_off(0);
            self.buffer.extend_from_slice(label.as_bytes());
            self.buffer.push(b' ');
            self.buffer.extend_from_slice(&words);
        }
        let hash = mask::hash(&self.buffer);
        if let Some(known) = self.by_hash.get(&hash) {
            return (*known, false);
        }
        if self.texts.len() < SIGNATURES_MAX {
            return (self.add(hash), true);
        }
        if !self.overflown {
            self.overflown = true;
            self.learn();
        }
        let fitting = self
            .learned
            .get(&shelf(&self.buffer))
            .and_then(|patterns| patterns.iter().find(|learned| learned.fits(&self.buffer)));
        match fitting {
            Some(learned) => (learned.signature, false),
            None => self.observe_coarse(),
        }
    }

    /// Groups what was seen so far, so that further messages of a known kind still find it.
    fn learn(&mut self) {
        let groups = self.group();
        let mut first = vec![None; groups.patterns.len()];
        for (signature, group) in groups.group_of.iter().enumerate() {
            if let Some(slot) = first.get_mut(*group as usize) {
                slot.get_or_insert(signature as u32);
            }
        }
        for (pattern, signature) in groups.patterns.into_iter().zip(first) {
            let patterns = self.learned.entry(shelf(&pattern)).or_default();
            if let Some(signature) = signature
                && patterns.len() < GROUPS_COMPARED_MAX
                && pattern.split(|b| *b == b' ').any(|word| word == [VALUE])
            {
                patterns.push(Learned { pattern, signature });
            }
        }
    }

    fn add(&mut self, hash: u64) -> u32 {
        let number = self.texts.len() as u32;
        self.by_hash.insert(hash, number);
        self.texts.push(self.buffer.as_slice().into());
        number
    }

    /// Past the limit only the first word counts, and past twice the limit nothing does.
    fn observe_coarse(&mut self) -> (u32, bool) {
        let end = self.buffer.iter().position(|b| *b == b' ').unwrap_or(self.buffer.len());
        self.buffer.truncate(if self.texts.len() < 2 * SIGNATURES_MAX { end } else { 0 });
        self.buffer.extend_from_slice(&[b' ', VALUE]);
        let hash = mask::hash(&self.buffer);
        match self.by_hash.get(&hash) {
            Some(known) => (*known, false),
            None => (self.add(hash), true),
        }
    }

    /// Groups the signatures: for each its group, and the text of each group.
    pub(super) fn group(&self) -> Groups {
        let mut words = Words::default();
        let mut kinds: Vec<Kind> = self
            .texts
            .iter()
            .enumerate()
            .map(|(number, text)| Kind {
                words: text.split(|b| *b == b' ').map(|word| words.number(word)).collect(),
                members: vec![number as u32],
            })
            .collect();
        for _ in 0..ROUNDS {
            if !merge_families(&mut kinds, &words) {
                break;
            }
        }
        let kinds = merge_alike(kinds, &words);
        let mut group_of = vec![0; self.texts.len()];
        let mut patterns = Vec::with_capacity(kinds.len());
        for (group, kind) in kinds.iter().enumerate() {
            for member in &kind.members {
                group_of[*member as usize] = group as u32;
            }
            patterns.push(words.pattern(&kind.words));
        }
        Groups { group_of, patterns }
    }
}

/// Outcome of [`Signatures::group`].
pub(super) struct Groups {
    /// Group of each signature.
    pub(super) group_of: Vec<u32>,
    /// Pattern of each group, with [`VALUE`] marks.
    pub(super) patterns: Vec<Vec<u8>>,
}

/// Numbered words; number 0 is the word that is nothing but a value.
struct Words<'a> {
    numbers: HashMap<&'a [u8], u32>,
    texts: Vec<&'a [u8]>,
}

impl Default for Words<'_> {
    fn default() -> Self {
        Self { numbers: HashMap::from([(&[VALUE][..], 0)]), texts: vec![&[VALUE]] }
    }
}

impl<'a> Words<'a> {
    fn number(&mut self, word: &'a [u8]) -> u32 {
        *self.numbers.entry(word).or_insert_with(|| {
            self.texts.push(word);
            self.texts.len() as u32 - 1
        })
    }

    fn text(&self, number: u32) -> &'a [u8] {
        self.texts.get(number as usize).copied().unwrap_or_default()
    }

    /// Whether the word says something by itself.
    fn speaks(&self, number: u32) -> bool {
        self.text(number).iter().any(u8::is_ascii_alphanumeric)
    }

    fn pattern(&self, words: &[u32]) -> Vec<u8> {
        let mut pattern = Vec::new();
        for (at, word) in words.iter().enumerate() {
            if at > 0 {
                pattern.push(b' ');
            }
            pattern.extend_from_slice(self.text(*word));
        }
        pattern
    }
}

/// Signatures taken to be one kind of message.
#[derive(Clone)]
struct Kind {
    words: Vec<u32>,
    members: Vec<u32>,
}

/// Position-dependent hash of one word, so that a sum of them identifies a sequence.
fn place(at: usize, word: u32) -> u64 {
    let mut z = ((at as u64) << 32 | u64::from(word)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Merges kinds that are equal but for one place, where that place takes enough words to be a
/// value. Returns whether anything was merged.
fn merge_families(kinds: &mut Vec<Kind>, words: &Words<'_>) -> bool {
    let mut entries: Vec<(u64, u32, u32)> = Vec::new();
    for (number, kind) in kinds.iter().enumerate() {
        let whole =
            kind.words.iter().enumerate().fold(kind.words.len() as u64, |sum, (at, word)| {
                sum.wrapping_add(place(at, *word))
            });
        if kind.words.len() < 2 {
            continue;
        }
        for (at, word) in kind.words.iter().enumerate() {
            let rest = whole.wrapping_sub(place(at, *word));
            entries.push((rest, at as u32, number as u32));
        }
    }
    entries.sort_unstable();
    let mut families: Vec<&[(u64, u32, u32)]> =
        entries.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).filter(|f| f.len() > 1).collect();
    families.sort_by_key(|family| (std::cmp::Reverse(family.len()), family[0].1, family[0].2));
    let mut gone = vec![false; kinds.len()];
    let mut merged = false;
    for family in families {
        let at = family[0].1 as usize;
        let here: Vec<usize> =
            family.iter().map(|entry| entry.2 as usize).filter(|n| !gone[*n]).collect();
        let Some(first) = here.first().copied() else { continue };
        let seen_as_value = here.iter().any(|n| kinds[*n].words[at] == 0);
        if here.len() < words_needed(&kinds[first].words, at, seen_as_value, words) {
            continue;
        }
        let mut members = Vec::new();
        for number in &here[1..] {
            members.append(&mut kinds[*number].members);
            gone[*number] = true;
        }
        kinds[first].members.append(&mut members);
        kinds[first].words[at] = 0;
        merged = true;
    }
    let mut number = 0;
    kinds.retain(|_| {
        number += 1;
        !gone[number - 1]
    });
    merged
}

/// How many words the place `at` must take to be a value.
fn words_needed(kind: &[u32], at: usize, seen_as_value: bool, words: &Words<'_>) -> usize {
    let speaking =
        kind.iter().enumerate().filter(|(n, word)| *n != at && words.speaks(**word)).count();
    if speaking == 0 {
        return usize::MAX;
    }
    if seen_as_value && speaking >= 3 {
        return 2;
    }
    let Some(before) = at.checked_sub(1).and_then(|n| kind.get(n)) else {
        return FIRST_WORDS_OF_A_VALUE;
    };
    match words.text(*before) {
        b"user" | b"host" | b"from" | b"by" | b"client" | b"username" | b"account" | b"user:"
        | b"host:" | b"client:" | b"from:" => 2,
        _ => WORDS_OF_A_VALUE,
    }
}

/// Merges kinds that share at least half of their words and differ in values only.
fn merge_alike(kinds: Vec<Kind>, words: &Words<'_>) -> Vec<Kind> {
    let mut leaves: Vec<(usize, u32, usize)> = kinds
        .iter()
        .enumerate()
        .map(|(n, kind)| (kind.words.len(), kind.words.first().copied().unwrap_or(0), n))
        .collect();
    leaves.sort_unstable();
    let mut result = Vec::new();
    for leaf in leaves.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (_, _, number) in leaf {
            let mut best = (ALIKE, None);
            for (at, group) in groups.iter().take(GROUPS_COMPARED_MAX).enumerate() {
                let alike = likeness(&kinds[group[0]].words, &kinds[*number].words);
                if alike >= best.0 {
                    best = (alike, Some(at));
                }
            }
            match best.1.and_then(|at| groups.get_mut(at)) {
                Some(group) => group.push(*number),
                None => groups.push(vec![*number]),
            }
        }
        for group in groups {
            decide(&kinds, group, words, &mut result);
        }
    }
    result
}

/// Share of places with equal words, places where both have a value left out.
fn likeness(a: &[u32], b: &[u32]) -> f64 {
    let mut equal = 0u32;
    let mut counted = 0u32;
    for (a, b) in a.iter().zip(b) {
        if *a == 0 && *b == 0 {
            continue;
        }
        counted += 1;
        equal += u32::from(a == b);
    }
    if counted == 0 { 1.0 } else { f64::from(equal) / f64::from(counted) }
}

/// Splits alike kinds at places that enumerate, and makes one kind of those whose differing places
/// are all values.
fn decide(kinds: &[Kind], group: Vec<usize>, words: &Words<'_>, result: &mut Vec<Kind>) {
    let mut pending = vec![group];
    while let Some(group) = pending.pop() {
        let Some(first) = group.first().map(|n| &kinds[*n].words) else { continue };
        let mut differing: Vec<(usize, usize)> = Vec::new();
        if group.len() >= WORDS_OF_A_VALUE {
            for at in 1..first.len() {
                let mut distinct: Vec<u32> = group.iter().map(|n| kinds[*n].words[at]).collect();
                distinct.sort_unstable();
                distinct.dedup();
                if distinct.len() > 1 {
                    let value = distinct[0] == 0;
                    differing.push((if value { usize::MAX } else { distinct.len() }, at));
                }
            }
        }
        differing.sort_unstable();
        let Some((fewest, at)) = differing.first().copied() else {
            result.extend(group.iter().map(|n| kinds[*n].clone()));
            continue;
        };
        if fewest < WORDS_OF_A_VALUE {
            let mut by_word: Vec<(u32, usize)> =
                group.iter().map(|n| (kinds[*n].words[at], *n)).collect();
            by_word.sort_unstable();
            let parts = by_word.chunk_by(|a, b| a.0 == b.0);
            pending.extend(parts.map(|part| part.iter().map(|(_, n)| *n).collect()));
            continue;
        }
        let mut pattern = first.clone();
        for (_, at) in &differing {
            pattern[*at] = 0;
        }
        let speaking = pattern.iter().filter(|word| words.speaks(**word)).count();
        if speaking * 2 < pattern.len() {
            result.extend(group.iter().map(|n| kinds[*n].clone()));
            continue;
        }
        let members = group.iter().flat_map(|n| kinds[*n].members.iter().copied()).collect();
        result.push(Kind { words: pattern, members });
    }
}

#[cfg(test)]
mod tests {
    use super::{SIGNATURES_MAX, Signatures};
    use crate::uploads::analyse::logs::mask::readable;

    fn groups(messages: &[&str]) -> Vec<String> {
        let mut signatures = Signatures::default();
        let numbers: Vec<u32> = messages.iter().map(|m| signatures.observe("", m).0).collect();
        let groups = signatures.group();
        numbers
            .iter()
            .map(|n| readable(&groups.patterns[groups.group_of[*n as usize] as usize]))
            .collect()
    }

    #[test]
    fn a_place_with_many_words_is_a_value() {
        let found = groups(&[
            "job alpha finished in 3 s",
            "job beta finished in 4 s",
            "job gamma finished in 5 s",
            "job delta finished in 6 s",
        ]);
        assert!(found.iter().all(|each| each == "job <*> finished in <*> s"), "{found:?}");
    }

    #[test]
    fn a_place_with_two_words_is_an_enumeration() {
        let found = groups(&["screen 1 turned on", "screen 2 turned off", "screen 3 turned on"]);
        assert_eq!(
            found,
            ["screen <*> turned on", "screen <*> turned off", "screen <*> turned on"]
        );
    }

    #[test]
    fn a_name_behind_user_is_a_value_at_once() {
        let found =
            groups(&["session opened for user ada by 1", "session opened for user bob by 2"]);
        assert!(found.iter().all(|each| each == "session opened for user <*> by <*>"), "{found:?}");
    }

    #[test]
    fn two_values_in_one_message_are_found_together() {
        let names = ["ant", "bee", "cat", "dog", "eel", "fox"];
        let messages: Vec<String> = names
            .iter()
            .zip(names.iter().rev())
            .map(|(a, b)| format!("moved shard {a} away to node {b} after rebalance"))
            .collect();
        let found = groups(&messages.iter().map(String::as_str).collect::<Vec<_>>());
        let expected = "moved shard <*> away to node <*> after rebalance";
        assert!(found.iter().all(|each| each == expected), "{found:?}");
    }

    #[test]
    fn subjects_of_messages_stay_apart() {
        let found =
            groups(&["cron started ok", "sshd started ok", "ntpd started ok", "cups started ok"]);
        assert_eq!(found[1], "sshd started ok");
    }

    #[test]
    fn a_known_kind_is_found_even_past_the_limit() {
        let mut signatures = Signatures::default();
        let word = |n: usize| -> String {
            n.to_string().bytes().map(|b| char::from(b - b'0' + b'g')).collect()
        };
        for n in 0..SIGNATURES_MAX + 100 {
            signatures.observe("", &format!("job {} ran well on this host", word(n)));
        }
        assert!(signatures.overflown);
        let groups = signatures.group();
        assert_eq!(groups.patterns.len(), 1);
    }

    #[test]
    fn the_number_of_signatures_is_bounded() {
        let mut signatures = Signatures::default();
        let letters = |n: usize| -> String {
            n.to_string().bytes().map(|b| char::from(b - b'0' + b'g')).collect()
        };
        for n in 0..3 * SIGNATURES_MAX {
            signatures.observe("", &format!("{} {}", letters(n), letters(n)));
        }
        assert!(signatures.overflown);
        assert!(signatures.texts.len() <= 2 * SIGNATURES_MAX + 1);
    }
}
