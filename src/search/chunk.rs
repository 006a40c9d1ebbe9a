//! Cuts a document into passages that a model can read in one piece.
//!
//! The text is first cut into *atoms*: headings, lines of lists and tables, sentences, whole code
//! fences. Atoms are then packed into chunks: a chunk ends where the limit forces it, at the first
//! block after [`TOKENS_TARGET`], or before a heading once it is half full. A chunk that continues
//! a section repeats the last sentences before it, at most [`TOKENS_OVERLAP`]. Every chunk knows
//! the headings above it and where it lies in the text.

use super::error::SearchError;
use std::ops::Range;

/// Largest document that is cut, in bytes: 2 MiB is a book of 1,000 pages.
pub const DOCUMENT_BYTES_MAX: usize = 2 << 20;
/// Most chunks of one document: bounds what one commit stores and one request embeds.
pub const CHUNKS_MAX: usize = 4096;
/// Most tokens of a chunk: with title and headings before it, it still fits a window of 256.
pub(super) const TOKENS_MAX: usize = 200;
/// A chunk this long ends at the next block: long enough to answer, short enough to be about one
/// thing. On 42 runbooks and 48 questions, 100 to 120 ranked alike and best, 160 and more worse.
const TOKENS_TARGET: usize = 110;
/// Most tokens repeated from the chunk before: a sentence or two keep a reference resolvable.
const TOKENS_OVERLAP: usize = 32;
/// Most bytes of a chunk: a run without blanks can be one token of any length.
pub(super) const CHUNK_BYTES_MAX: usize = 4096;
/// Most bytes of the headings that go with a chunk.
const HEADING_BYTES_MAX: usize = 160;
/// Bytes of a word that count as one token while no tokenizer is loaded: below the 4 to 5 of
/// English prose, so that the estimate errs towards short chunks.
const ESTIMATE_BYTES: usize = 4;

/// A passage of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Passage {
    /// Where it lies, in bytes of the text; both ends are between characters.
    pub(super) range: Range<usize>,
    /// The headings above its start, outermost first, joined by ` > `.
    pub(super) heading: String,
}

/// Cuts `text` into passages; `tokens` are the byte ranges of its tokens in order.
///
/// # Errors
/// [`SearchError::DocumentTooLong`] above [`DOCUMENT_BYTES_MAX`] or [`CHUNKS_MAX`].
pub(super) fn cut(text: &str, tokens: &[(usize, usize)]) -> Result<Vec<Passage>, SearchError> {
    if text.len() > DOCUMENT_BYTES_MAX {
        return Err(SearchError::DocumentTooLong { bytes: text.len() });
    }
    let atoms = Atoms::of(text, tokens).list;
    let passages = pack(text, &atoms);
    if passages.len() > CHUNKS_MAX {
        return Err(SearchError::DocumentTooLong { bytes: text.len() });
    }
    Ok(passages)
}

/// Token ranges without a tokenizer: words in pieces of [`ESTIMATE_BYTES`], other signs one each.
pub(super) fn estimate(text: &str) -> Vec<(usize, usize)> {
    let mut tokens = Vec::with_capacity(text.len() / ESTIMATE_BYTES);
    let mut open: Option<usize> = None;
    for (at, sign) in text.char_indices() {
        let end = at + sign.len_utf8();
        // One sign of a script without blanks is about one token.
        let piece = sign.is_alphanumeric() && sign.len_utf8() < 3;
        match open {
            Some(start) if piece && end - start <= ESTIMATE_BYTES => continue,
            Some(start) => tokens.push((start, at)),
            None => {}
        }
        open = piece.then_some(at);
        if !piece && !sign.is_whitespace() {
            tokens.push((at, end));
        }
    }
    tokens.extend(open.map(|start| (start, text.len())));
    tokens
}

/// What an atom is to the packing.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// A heading of this level, 1 to 6.
    Heading(usize),
    /// The first atom of a block.
    Start,
    /// A further atom of the same block.
    Inner,
}

/// A piece that is never cut again.
#[derive(Debug, Clone)]
struct Atom {
    range: Range<usize>,
    tokens: usize,
    kind: Kind,
}

/// Atoms of a text in order; together they hold every sign that is not blank.
struct Atoms<'a> {
    text: &'a str,
    tokens: &'a [(usize, usize)],
    list: Vec<Atom>,
}

impl<'a> Atoms<'a> {
    fn of(text: &'a str, tokens: &'a [(usize, usize)]) -> Self {
        let mut atoms = Self { text, tokens, list: Vec::new() };
        let mut fence: Option<(Fence, usize)> = None;
        let mut block_open = false;
        for line in lines(text) {
            let body = &text[line.clone()];
            if let Some((open, start)) = fence {
                if open.closes(body) {
                    atoms.fence(start..line.end);
                    (fence, block_open) = (None, false);
                }
                continue;
            }
            if let Some(open) = Fence::opened_by(body) {
                fence = Some((open, line.start));
            } else if body.trim().is_empty() {
                block_open = false;
            } else if let Some(level) = heading_level(body) {
                atoms.add(line, Kind::Heading(level));
                block_open = false;
            } else {
                atoms.line(line, if block_open { Kind::Inner } else { Kind::Start });
                block_open = true;
            }
        }
        if let Some((_, start)) = fence {
            atoms.fence(start..text.len());
        }
        atoms
    }

    /// Adds a fence whole if it fits a chunk, by lines otherwise.
    fn fence(&mut self, range: Range<usize>) {
        if self.fits(&range) {
            return self.add(range, Kind::Start);
        }
        let mut kind = Kind::Start;
        for line in lines(&self.text[range.clone()]) {
            let line = line.start + range.start..line.end + range.start;
            self.add(line, std::mem::replace(&mut kind, Kind::Inner));
        }
    }

    /// Adds a line of prose, a list or a table by sentences.
    fn line(&mut self, line: Range<usize>, mut kind: Kind) {
        let mut start = line.start;
        let body = &self.text[line.clone()];
        let mut ended = false;
        for (at, sign) in body.char_indices() {
            if sign.is_whitespace() && ended {
                self.add(start..line.start + at, std::mem::replace(&mut kind, Kind::Inner));
                start = line.start + at;
            }
            ended = matches!(sign, '.' | '!' | '?' | ';' | '\u{3002}' | '\u{ff01}' | '\u{ff1f}');
        }
        self.add(start..line.end, kind);
    }

    /// Adds one atom, or several where it would not fit a chunk.
    fn add(&mut self, range: Range<usize>, mut kind: Kind) {
        let mut rest = trim(self.text, range);
        while !rest.is_empty() {
            let piece = trim(self.text, rest.start..self.piece_end(&rest));
            rest = trim(self.text, piece.end..rest.end);
            let tokens = self.count(&piece);
            self.list.push(Atom { range: piece, tokens, kind });
            kind = Kind::Inner;
        }
    }

    /// End of the longest part from the start that fits a chunk, between two words if possible.
    fn piece_end(&self, range: &Range<usize>) -> usize {
        if self.fits(range) {
            return range.end;
        }
        let first = self.first_token(range.start);
        let by_tokens = self.tokens.get(first + TOKENS_MAX).map_or(range.end, |token| token.0);
        let mut limit = range.end.min(by_tokens).min(range.start + CHUNK_BYTES_MAX);
        while !self.text.is_char_boundary(limit) {
            limit -= 1;
        }
        let part = &self.text[range.start..limit];
        match part.rfind(char::is_whitespace) {
            Some(blank) if blank > part.len() / 2 => range.start + blank,
            // A token may begin at the first byte itself; a piece still has one character.
            _ if part.is_empty() => range.start + first_char_len(&self.text[range.start..]),
            _ => limit,
        }
    }

    fn fits(&self, range: &Range<usize>) -> bool {
        range.len() <= CHUNK_BYTES_MAX && self.count(range) <= TOKENS_MAX
    }

    fn count(&self, range: &Range<usize>) -> usize {
        self.first_token(range.end) - self.first_token(range.start)
    }

    /// Position of the first token that starts at or after `at`.
    fn first_token(&self, at: usize) -> usize {
        self.tokens.partition_point(|token| token.0 < at)
    }
}

/// Packs atoms into passages.
fn pack(text: &str, atoms: &[Atom]) -> Vec<Passage> {
    let mut passages = Vec::new();
    let mut headings = Headings::default();
    let mut start = 0;
    while start < atoms.len() {
        let (mut tokens, mut end) = (0, start);
        while let Some(atom) = atoms.get(end)
            && (end == start || !ends_before(&atoms[start..end], tokens, atom))
        {
            tokens += atom.tokens;
            end += 1;
        }
        let range = atoms[start].range.start..atoms[end - 1].range.end;
        passages.push(Passage { range, heading: headings.at(text, atoms, start) });
        start = if end == atoms.len() { end } else { overlap(atoms, start, end) };
    }
    passages
}

/// Whether a chunk of `before` should end rather than take `next`.
fn ends_before(before: &[Atom], tokens: usize, next: &Atom) -> bool {
    let bytes = before.first().map_or(0, |first| next.range.end - first.range.start);
    if tokens + next.tokens > TOKENS_MAX || bytes > CHUNK_BYTES_MAX {
        return true;
    }
    // A heading belongs to what follows it, not to the end of a chunk.
    if before.iter().all(|atom| matches!(atom.kind, Kind::Heading(_))) {
        return false;
    }
    match next.kind {
        Kind::Heading(_) => tokens >= TOKENS_TARGET / 2,
        Kind::Start => tokens >= TOKENS_TARGET,
        Kind::Inner => false,
    }
}

/// Where the next chunk starts: some atoms back if it continues a section, else at `end`.
fn overlap(atoms: &[Atom], start: usize, end: usize) -> usize {
    if matches!(atoms[end].kind, Kind::Heading(_)) {
        return end;
    }
    let (mut back, mut tokens) = (end, 0);
    while back > start + 1 {
        let before = &atoms[back - 1];
        tokens += before.tokens;
        let room = tokens + atoms[end].tokens <= TOKENS_MAX
            && atoms[end].range.end - before.range.start <= CHUNK_BYTES_MAX;
        if tokens > TOKENS_OVERLAP || !room || matches!(before.kind, Kind::Heading(_)) {
            break;
        }
        back -= 1;
    }
    back
}

/// The headings above a place, kept while the atoms go by.
#[derive(Default)]
struct Headings {
    seen: usize,
    open: Vec<(usize, String)>,
}

impl Headings {
    /// The path above atom `at`, itself included if it is a heading.
    fn at(&mut self, text: &str, atoms: &[Atom], at: usize) -> String {
        for atom in atoms.iter().take(at + 1).skip(self.seen) {
            if let Kind::Heading(level) = atom.kind {
                self.open.retain(|(above, _)| *above < level);
                let words = text[atom.range.clone()].trim_matches(['#', ' ', '\t']);
                self.open.push((level, words.to_owned()));
            }
        }
        self.seen = self.seen.max(at + 1);
        let mut path = String::new();
        for (_, words) in &self.open {
            if !path.is_empty() {
                path.push_str(" > ");
            }
            path.push_str(words);
        }
        shorten(&mut path, HEADING_BYTES_MAX);
        path
    }
}

/// A code fence: its sign and length (CommonMark 4.5).
#[derive(Debug, Clone, Copy)]
struct Fence {
    sign: u8,
    length: usize,
}

impl Fence {
    fn opened_by(line: &str) -> Option<Self> {
        let body = line.trim_start().as_bytes();
        let sign = *body.first().filter(|sign| matches!(sign, b'`' | b'~'))?;
        let length = body.iter().take_while(|byte| **byte == sign).count();
        (length >= 3).then_some(Self { sign, length })
    }

    fn closes(self, line: &str) -> bool {
        let body = line.trim().as_bytes();
        body.len() >= self.length && body.iter().all(|byte| *byte == self.sign)
    }
}

/// Level of an ATX heading (CommonMark 4.2).
fn heading_level(line: &str) -> Option<usize> {
    let body = line.trim_start_matches(' ');
    let level = body.bytes().take_while(|byte| *byte == b'#').count();
    let spaced = body.get(level..).is_some_and(|rest| rest.starts_with([' ', '\t']));
    ((1..=6).contains(&level) && spaced).then_some(level)
}

/// Lines of a text with their ends.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        at += line.len();
        at - line.len()..at
    })
}

/// The range without blanks at either end.
fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let body = &text[range.clone()];
    let start = range.start + (body.len() - body.trim_start().len());
    start..start + body.trim().len()
}

fn first_char_len(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

/// Cuts a text to at most `bytes_max` bytes, between two characters.
pub(super) fn shorten(text: &mut String, bytes_max: usize) {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check_rules(text: &str) -> Vec<Passage> {
        let tokens = estimate(text);
        let passages = cut(text, &tokens).unwrap();
        let mut covered = 0;
        for (index, passage) in passages.iter().enumerate() {
            let Range { start, end } = passage.range;
            let body = text.get(start..end).expect("both ends are between characters");
            assert!(!body.trim().is_empty(), "no passage is blank");
            assert!(body.len() <= CHUNK_BYTES_MAX, "{} bytes", body.len());
            let count = tokens.iter().filter(|token| passage.range.contains(&token.0)).count();
            assert!(count <= TOKENS_MAX, "{count} tokens");
            assert!(text[covered.min(start)..start].trim().is_empty(), "a gap before {index}");
            assert!(end > covered, "each passage brings something new");
            assert!(passage.heading.len() <= HEADING_BYTES_MAX);
            covered = end;
        }
        assert!(text[covered..].trim().is_empty(), "a gap at the end");
        passages
    }

    fn block() -> impl Strategy<Value = String> {
        prop_oneof![
            3 => "[a-z]{1,9}( [a-z]{1,9}){0,60}[.!?]\n",
            2 => "#{1,4} [A-Za-z ]{1,30}\n",
            2 => "```[a-z]{0,4}\n([ a-z#|=-]{0,40}\n){0,30}```\n",
            1 => "~~~\n[a-z\n#]{0,80}",
            1 => "[0-9a-f]{0,6000}",
            1 => "\\PC{0,60}",
            1 => "(\u{4f60}|\u{597d}|\u{3002}|\u{1f600}){0,400}",
            1 => "[ \t\r\n]{0,5000}",
            1 => Just("\n\n".to_owned()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn passages_cover_the_text_in_order_within_the_limits(
            blocks in prop::collection::vec(block(), 0..40),
        ) {
            check_rules(&blocks.concat());
        }
    }

    fn paragraph(words: usize) -> String {
        (0..words).map(|n| if n % 12 == 11 { "done. " } else { "word " }).collect()
    }

    #[test]
    fn a_page_is_cut_at_its_headings() {
        let part = paragraph(100);
        let text = format!("# Disk full\n\n## Meaning\n\n{part}\n\n## Diagnosis\n\n{part}");
        let passages = check_rules(&text);
        let shown: Vec<_> = passages
            .iter()
            .map(|p| (text[p.range.clone()].lines().next().unwrap_or(""), p.heading.as_str()))
            .collect();
        assert_eq!(
            shown,
            [("# Disk full", "Disk full"), ("## Diagnosis", "Disk full > Diagnosis")]
        );
    }

    #[test]
    fn short_sections_share_a_passage() {
        let text = "# A\n\nOne.\n\n## B\n\nTwo.\n\n## C\n\nThree.\n";
        assert_eq!(check_rules(text).len(), 1);
    }

    #[test]
    fn a_code_fence_stays_whole_and_its_signs_are_no_headings() {
        let fence = format!("```sh\n# not a heading\n{}```\n", "df -h /var\n".repeat(15));
        let text = format!("# Page\n\n{}\n\n{fence}\nAfter.\n", paragraph(90));
        let passages = check_rules(&text);
        let holder = passages.iter().find(|p| text[p.range.clone()].contains("```sh")).unwrap();
        assert!(text[holder.range.clone()].contains(fence.trim()), "the fence is in one piece");
        assert_eq!(holder.heading, "Page");
    }

    #[test]
    fn a_continued_section_repeats_its_last_sentence() {
        let text = format!("# Long\n\n{}", paragraph(600));
        let passages = check_rules(&text);
        assert!(passages.len() > 3);
        for pair in passages.windows(2) {
            assert!(pair[1].range.start < pair[0].range.end, "neighbours overlap");
            assert!(pair[0].range.end - pair[1].range.start < 300, "by a sentence or two");
        }
    }

    #[test]
    fn a_document_over_the_limits_is_refused() {
        assert!(cut(&"a".repeat(DOCUMENT_BYTES_MAX + 1), &[]).is_err());
        let dense = "\u{4f60}".repeat(DOCUMENT_BYTES_MAX / 3);
        assert_eq!(cut(&dense, &estimate(&dense)).map(|p| p.len() <= CHUNKS_MAX).ok(), Some(true));
        assert_eq!(cut(" \n\t", &[]).unwrap(), []);
    }

    #[test]
    fn a_book_is_cut_in_linear_time() {
        let text = "word ".repeat(DOCUMENT_BYTES_MAX / 5);
        assert!(cut(&text, &estimate(&text)).is_ok());
    }
}
