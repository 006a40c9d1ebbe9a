//! What a person typed, as clauses; and the top `k` of the documents that match them.
//!
//! Any text is a query: words are alternatives, the more the better; a phrase in quotes must occur.
//! Scoring is BM25 by tantivy, summed clause by clause in the order of the query, so that equal
//! documents have equal scores to the last bit and ties fall to the lower ordinal.

use super::{Fields, TextHit};
use roaring::RoaringBitmap;
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashSet};
use tantivy::query::{EnableScoring, PhraseQuery, Query, Scorer, TermQuery, Weight};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::tokenizer::{TextAnalyzer, Token};
use tantivy::{DocId, Searcher, SegmentReader, TERMINATED, Term};

/// What follows in a longer query is not read: enough for a pasted stack trace's head.
pub const QUERY_BYTES_MAX: usize = 4096;
/// Distinct terms of a query that count; each costs one posting list per field and segment.
const TERMS_MAX: usize = 64;
/// Phrases that can be required: one bit each of [`Window::met`]. Later ones are plain words.
const PHRASES_MAX: usize = 8;
/// Terms of a phrase that count.
const PHRASE_TERMS_MAX: usize = 32;
/// How much more a word in the title weighs than one in the text.
const TITLE_BOOST: f32 = 2.0;
/// Documents scored together: the window's arrays stay in the first cache.
const WINDOW_DOCS: u32 = 4096;
/// Plain words that say nothing, left out of a query that says something else. Documents keep them,
/// and so do phrases and identifiers.
const STOP_WORDS: [&str; 38] = [
    "a", "an", "and", "are", "as", "at", "be", "been", "but", "by", "can", "do", "does", "for",
    "from", "had", "has", "have", "how", "i", "in", "is", "it", "my", "of", "on", "or", "that",
    "the", "their", "there", "this", "to", "was", "what", "when", "with", "why",
];

/// One alternative or required part of a query, over title and text.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Clause {
    /// A word that adds to the score.
    Word(String),
    /// Terms at these relative positions that must occur.
    Phrase(Vec<(usize, String)>),
}

/// Reads a query; empty when it has nothing to search for.
fn clauses(text: &str, analyser: &TextAnalyzer) -> Vec<Clause> {
    let mut end = text.len().min(QUERY_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut analyser = analyser.clone();
    let (mut phrases, mut words, mut stops) = (Vec::new(), Vec::new(), Vec::new());
    let quote = |c: char| matches!(c, '"' | '\u{201c}' | '\u{201d}' | '\u{201e}');
    let mut pieces = text[..end].split(quote).enumerate().peekable();
    while let Some((index, piece)) = pieces.next() {
        let tokens = tokens(piece, &mut analyser);
        let closed = index % 2 == 1 && pieces.peek().is_some();
        if closed && phrases.len() < PHRASES_MAX {
            phrases.extend(phrase(tokens));
        } else {
            sort_words(piece, tokens, &mut words, &mut stops);
        }
    }
    if phrases.is_empty() && words.is_empty() {
        words = stops;
    }
    let mut seen = HashSet::new();
    words.retain(|word| seen.insert(word.clone()));
    words.truncate(TERMS_MAX);
    phrases.into_iter().chain(words.into_iter().map(Clause::Word)).collect()
}

fn tokens(text: &str, analyser: &mut TextAnalyzer) -> Vec<Token> {
    let mut tokens = Vec::new();
    analyser.token_stream(text).process(&mut |token| tokens.push(token.clone()));
    tokens
}

/// The parts only: wholes share a position with their first part.
fn phrase(tokens: Vec<Token>) -> Option<Clause> {
    let parts = tokens.into_iter().filter(|token| token.position_length == 1);
    let terms: Vec<_> =
        parts.take(PHRASE_TERMS_MAX).map(|token| (token.position, token.text)).collect();
    (!terms.is_empty()).then_some(Clause::Phrase(terms))
}

fn sort_words(text: &str, tokens: Vec<Token>, words: &mut Vec<String>, stops: &mut Vec<String>) {
    let mut identifier_end = 0;
    for token in tokens {
        if token.position_length > 1 {
            identifier_end = identifier_end.max(token.offset_to);
        }
        let typed = &text[token.offset_from..token.offset_to];
        let stop = token.offset_from >= identifier_end
            && STOP_WORDS.iter().any(|stop| stop.eq_ignore_ascii_case(typed));
        if stop { stops.push(token.text) } else { words.push(token.text) }
    }
}

/// One clause in one field, ready to score.
struct Scored {
    weight: Box<dyn Weight>,
    boost: f32,
    /// The bit of the requirement that a match meets; 0 for an alternative.
    meets: u8,
}

/// A hit ordered so that the better is the greater.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Better(TextHit);

impl Eq for Better {}
impl Ord for Better {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_score = self.0.score.total_cmp(&other.0.score);
        by_score.then(other.0.ordinal.cmp(&self.0.ordinal))
    }
}
impl PartialOrd for Better {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The `k` best documents for `text` among `allowed` ordinals, best first.
///
/// # Errors
/// When the index cannot be read.
pub(super) fn search(
    searcher: &Searcher,
    fields: Fields,
    analyser: &TextAnalyzer,
    text: &str,
    k: usize,
    allowed: &RoaringBitmap,
) -> tantivy::Result<Vec<TextHit>> {
    let (scored, needs) = prepare(searcher, fields, clauses(text, analyser))?;
    let mut top = Top { k, allowed, best: BinaryHeap::new() };
    if k > 0 && !scored.is_empty() && !allowed.is_empty() {
        for segment in searcher.segment_readers() {
            segment_hits(segment, fields, &scored, needs, &mut top)?;
        }
    }
    Ok(top.best.into_sorted_vec().into_iter().map(|Reverse(Better(hit))| hit).collect())
}

/// Weighs each clause against the whole index, in title and text; also the required bits.
fn prepare(
    searcher: &Searcher,
    fields: Fields,
    clauses: Vec<Clause>,
) -> tantivy::Result<(Vec<Scored>, u8)> {
    let mut scored = Vec::new();
    let mut needs = 0u8;
    let mut bit = 1u8;
    for clause in clauses {
        let meets = if matches!(clause, Clause::Phrase(_)) { bit } else { 0 };
        for (field, boost) in [(fields.title, TITLE_BOOST), (fields.text, 1.0)] {
            let query = field_query(&clause, field);
            let weight = query.weight(EnableScoring::enabled_from_searcher(searcher))?;
            scored.push(Scored { weight, boost, meets });
        }
        needs |= meets;
        bit = if meets == 0 { bit } else { bit.wrapping_shl(1) };
    }
    Ok((scored, needs))
}

fn field_query(clause: &Clause, field: Field) -> Box<dyn Query> {
    let term = |text: &str| Term::from_field_text(field, text);
    match clause {
        Clause::Word(word) => Box::new(TermQuery::new(term(word), IndexRecordOption::WithFreqs)),
        Clause::Phrase(terms) => match terms.as_slice() {
            [(_, only)] => Box::new(TermQuery::new(term(only), IndexRecordOption::WithFreqs)),
            terms => {
                let placed = terms.iter().map(|(position, text)| (*position, term(text)));
                Box::new(PhraseQuery::new_with_offset(placed.collect()))
            }
        },
    }
}

/// The best so far, and who may be among them.
struct Top<'a> {
    k: usize,
    allowed: &'a RoaringBitmap,
    best: BinaryHeap<Reverse<Better>>,
}

impl Top<'_> {
    /// Whether a document of this score could still enter, by its score alone.
    fn open_to(&self, score: f32) -> bool {
        let worst = self.best.peek().filter(|_| self.best.len() == self.k);
        worst.is_none_or(|Reverse(Better(worst))| score >= worst.score)
    }

    fn offer(&mut self, hit: TextHit) {
        if !self.allowed.contains(hit.ordinal) {
            return;
        }
        self.best.push(Reverse(Better(hit)));
        if self.best.len() > self.k {
            self.best.pop();
        }
    }
}

/// Sums and requirements met of the documents of one window.
struct Window {
    sums: Vec<f32>,
    met: Vec<u8>,
}

/// Scores a segment window by window, each clause in turn; a document that scores well enough is
/// asked for its permission before it may push out another.
fn segment_hits(
    segment: &SegmentReader,
    fields: Fields,
    scored: &[Scored],
    needs: u8,
    top: &mut Top<'_>,
) -> tantivy::Result<()> {
    let ordinals = segment.fast_fields().column_first_or_default::<u64>(fields.ordinal_name())?;
    let alive = segment.alive_bitset();
    let mut scorers: Vec<(Box<dyn Scorer>, u8)> = Vec::with_capacity(scored.len());
    for clause in scored {
        let scorer = clause.weight.scorer(segment, clause.boost)?;
        scorers.push((scorer, clause.meets));
    }
    let size = WINDOW_DOCS.min(segment.max_doc()) as usize;
    let mut window = Window { sums: vec![0.0; size], met: vec![0; size] };
    // The next window begins at the first document that any clause still has.
    while let Some(base) = scorers.iter().map(|(s, _)| s.doc()).min().filter(|d| *d != TERMINATED) {
        window.fill(base, &mut scorers);
        for (offset, (sum, met)) in window.sums.iter().zip(&window.met).enumerate() {
            let doc = base + offset as DocId;
            if *sum > 0.0
                && met & needs == needs
                && top.open_to(*sum)
                && alive.is_none_or(|alive| alive.is_alive(doc))
                && let Ok(ordinal) = u32::try_from(ordinals.get_val(doc))
            {
                top.offer(TextHit { ordinal, score: *sum });
            }
        }
    }
    Ok(())
}

impl Window {
    fn fill(&mut self, base: DocId, scorers: &mut [(Box<dyn Scorer>, u8)]) {
        self.sums.fill(0.0);
        self.met.fill(0);
        for (scorer, meets) in scorers {
            let mut doc = scorer.doc();
            while let Some(sum) = self.sums.get_mut((doc - base) as usize) {
                *sum += scorer.score();
                self.met[(doc - base) as usize] |= *meets;
                doc = scorer.advance();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, expected: &[&str]) {
        let shown: Vec<String> = clauses(query, &super::super::analyser(false))
            .iter()
            .map(|clause| match clause {
                Clause::Word(word) => word.clone(),
                Clause::Phrase(terms) => {
                    let terms = terms.iter().map(|(at, term)| format!("{term}@{at}"));
                    format!("\"{}\"", terms.collect::<Vec<_>>().join(" "))
                }
            })
            .collect();
        assert_eq!(shown, expected, "{query}");
    }

    #[test]
    fn typed_text_becomes_clauses() {
        check("why is the disk failing", &["disk", "fail"]);
        check("how to", &["how", "to"]);
        check("is_a the", &["is_a", "is", "a"]);
        check("disk disks Disk", &["disk"]);
        check("ORA-00942", &["ora-00942", "ora", "00942"]);
        check("\"out of memory\" pod", &["\"out@0 of@1 memori@2\"", "pod"]);
        check("\"OOMKilled\"", &["\"oom@0 kill@1\""]);
        check("\u{201c}disk full\u{201d}", &["\"disk@0 full@1\""]);
        check("a \"half open", &["half", "open"]);
        check("\"\" AND +title:( ~^ ", &["titl"]);
        check("", &[]);
    }

    #[test]
    fn a_long_query_is_cut_without_breaking_a_character() {
        let long = "\u{e9}".repeat(QUERY_BYTES_MAX);
        assert_eq!(clauses(&long, &super::super::analyser(false)).len(), 0);
        let many: String = (0..2000).map(|n| format!("w{n} ")).collect();
        assert_eq!(clauses(&many, &super::super::analyser(false)).len(), TERMS_MAX);
    }
}
