//! One ranking out of several: reciprocal rank fusion, by document.
//!
//! Cormack, Clarke and Buettcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank
//! Learning Methods", SIGIR 2009: the score of a document is the sum of `1 / (K + rank)` over the
//! rankings it is in. It needs no scale common to cosine and BM25. A document stands in a ranking
//! where its best passage does: words and meaning may speak for different passages of one page, and
//! the page should have both.

use super::tables::DocumentKey;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

/// The constant of the paper; it keeps the first ranks of one list from deciding alone.
const K: f32 = 60.0;
/// The sum of a document that leads both rankings.
const BEST: f32 = 2.0 / (K + 1.0);

/// A passage in the final ranking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ranked {
    pub(super) ordinal: u32,
    /// 0 to 1. In a fused ranking, 1 is the best passage of a document that leads both.
    pub(super) score: f32,
    pub(super) dense: Option<f32>,
    pub(super) lexical: Option<f32>,
    /// Its rank by words, which decides between equal scores.
    words: u16,
}

impl Ranked {
    /// A passage of which no ranking has said anything yet.
    fn unseen(ordinal: u32) -> Self {
        Self { ordinal, score: 0.0, dense: None, lexical: None, words: u16::MAX }
    }
}

/// A ranking of `(ordinal, score)`, best first.
pub(super) type Ranking = [(u32, f32)];

/// The documents of the passages; a passage without one is left out.
pub(super) type Documents = HashMap<u32, DocumentKey>;

/// Fuses two rankings. The best passage of each document comes first, with the document's score;
/// the further passages follow, each with the sum of its own ranks. Two rankings that disagree give
/// equal sums often (first and second, second and first); the better by words then leads, since a
/// name or a code that was typed is meant.
pub(super) fn fuse(dense: &Ranking, lexical: &Ranking, documents: &Documents) -> Vec<Ranked> {
    let mut passages: HashMap<u32, Ranked> = HashMap::with_capacity(dense.len() + lexical.len());
    let mut sums: HashMap<DocumentKey, (f32, u16)> = HashMap::new();
    for (ranking, is_dense) in [(dense, true), (lexical, false)] {
        let mut seen = HashSet::new();
        for (rank, (ordinal, score)) in (1u16..).zip(ranking) {
            let Some(document) = documents.get(ordinal) else { continue };
            let passage = passages.entry(*ordinal).or_insert(Ranked::unseen(*ordinal));
            passage.score += share(usize::from(rank));
            if is_dense {
                passage.dense = Some(*score);
            } else {
                (passage.lexical, passage.words) = (Some(*score), rank);
            }
            if seen.insert(document) {
                let (sum, words) = sums.entry(*document).or_insert((0.0, u16::MAX));
                *sum += share(seen.len());
                *words = if is_dense { *words } else { rank };
            }
        }
    }
    let mut passages: Vec<Ranked> = passages.into_values().collect();
    passages.sort_unstable_by(order);
    let (mut first, further) = split(passages, documents);
    for passage in &mut first {
        if let Some(sum) = documents.get(&passage.ordinal).and_then(|d| sums.get(d)) {
            (passage.score, passage.words) = *sum;
        }
    }
    first.sort_unstable_by(order);
    first.extend(further);
    first
}

/// The order of one ranking alone, best passages of documents first: cosine as it is, BM25 as a
/// share of the best.
pub(super) fn alone(dense: &Ranking, lexical: &Ranking, documents: &Documents) -> Vec<Ranked> {
    let top = lexical.first().map_or(1.0, |(_, score)| score.max(f32::MIN_POSITIVE));
    let of_dense = dense.iter().map(|(ordinal, score)| Ranked {
        score: score.clamp(0.0, 1.0),
        dense: Some(*score),
        ..Ranked::unseen(*ordinal)
    });
    let of_lexical = lexical.iter().map(|(ordinal, score)| Ranked {
        score: score / top,
        lexical: Some(*score),
        ..Ranked::unseen(*ordinal)
    });
    let (mut first, further) = split(of_dense.chain(of_lexical).collect(), documents);
    first.extend(further);
    first
}

/// What a rank adds to a sum, as a share of [`BEST`].
fn share(rank: usize) -> f32 {
    1.0 / (K + rank as f32) / BEST
}

fn order(a: &Ranked, b: &Ranked) -> Ordering {
    let by_score = b.score.total_cmp(&a.score);
    by_score.then(a.words.cmp(&b.words)).then(a.ordinal.cmp(&b.ordinal))
}

/// Parts the first passage of each document from the further ones.
fn split(passages: Vec<Ranked>, documents: &Documents) -> (Vec<Ranked>, Vec<Ranked>) {
    let mut seen = HashSet::new();
    let known = passages.into_iter().filter(|passage| documents.contains_key(&passage.ordinal));
    known.partition(|passage| seen.insert(documents.get(&passage.ordinal)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(dense: &[u32], lexical: &[u32], expected: &[(u32, f32)]) {
        let ranking = |ordinals: &[u32]| ordinals.iter().map(|o| (*o, 0.5)).collect::<Vec<_>>();
        // Ordinals 10 to 19 are passages of document 1, and so on.
        let documents = (10..40).map(|ordinal| (ordinal, [(ordinal / 10) as u8; 16])).collect();
        let fused = fuse(&ranking(dense), &ranking(lexical), &documents);
        let found: Vec<u32> = fused.iter().map(|passage| passage.ordinal).collect();
        assert_eq!(found, expected.iter().map(|(ordinal, _)| *ordinal).collect::<Vec<_>>());
        for (passage, (ordinal, score)) in fused.iter().zip(expected) {
            assert!(
                (passage.score - score).abs() < 1e-5,
                "{ordinal}: {} is not {score}",
                passage.score
            );
        }
    }

    #[test]
    fn a_page_that_leads_both_rankings_has_one() {
        check(&[10, 20], &[10, 20], &[(10, 1.0), (20, 61.0 / 62.0)]);
        check(&[10], &[], &[(10, 0.5)]);
        check(&[10], &[20], &[(20, 0.5), (10, 0.5)]);
        check(&[], &[], &[]);
    }

    #[test]
    fn meaning_and_words_may_speak_for_different_passages_of_a_page() {
        let further = 61.0 / 62.0 / 2.0;
        check(
            &[10, 20, 30],
            &[11, 20, 30],
            &[(11, 1.0), (20, 61.0 / 62.0), (30, 61.0 / 63.0), (10, 0.5)],
        );
        check(&[10, 11, 20], &[], &[(10, 0.5), (20, further), (11, further)]);
    }

    #[test]
    fn a_passage_that_just_went_is_left_out() {
        check(&[99, 10], &[99], &[(10, 0.5)]);
    }
}
