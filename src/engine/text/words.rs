//! Text to terms: plain words stemmed, identifiers whole and in parts, CJK in pairs.
//!
//! A *run* is letters and digits held together by connectors (`ORA-00942`, `/etc/fstab`,
//! `com.acme.NullPointerException`). A run of several parts is indexed as a whole and by its parts;
//! a part in camel case again as a whole and by its humps. A whole stands at the position of its
//! first part and spans them, so that phrases are counted in parts. Chinese, Japanese and Korean
//! have no spaces: each pair of neighbours is a term, and each character, so that one can be found.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

/// Name under which the analyser is registered, and so part of the stored schema: a new rule needs
/// a new name, and then an index made by the old rule is rebuilt at start.
pub(super) const ANALYSER: &str = "words_1";
/// A longer term is noise (base64, minified code): it is not indexed, but keeps its position.
const TERM_BYTES_MAX: usize = 200;

/// The tokenizer; stemming follows it in the chain.
#[derive(Debug, Clone, Default)]
pub(super) struct Words {
    /// Whether a character of a longer CJK run is a term by itself: for documents, not for queries.
    pub(super) singles: bool,
    tokens: Vec<Token>,
}

impl Words {
    /// The analyser of documents or of queries.
    pub(super) fn new(singles: bool) -> Self {
        Self { singles, tokens: Vec::new() }
    }
}

/// The terms of one text, made beforehand.
pub(super) struct Terms<'a> {
    tokens: &'a mut Vec<Token>,
    next: usize,
}

impl Tokenizer for Words {
    type TokenStream<'a> = Terms<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Terms<'a> {
        self.tokens.clear();
        let mut split =
            Split { text, singles: self.singles, tokens: &mut self.tokens, position: 0 };
        split.text();
        Terms { tokens: &mut self.tokens, next: 0 }
    }
}

impl TokenStream for Terms<'_> {
    fn advance(&mut self) -> bool {
        self.next += 1;
        self.next <= self.tokens.len()
    }

    fn token(&self) -> &Token {
        &self.tokens[self.next - 1]
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.tokens[self.next - 1]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Word,
    Connector,
    Cjk,
    Other,
}

fn sort(c: char) -> Sort {
    match c {
        '_' | '-' | '.' | '/' | '\\' | ':' | '$' | '@' => Sort::Connector,
        '\u{1100}'..='\u{11ff}'
        | '\u{3040}'..='\u{30ff}'
        | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}'
        | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9f}'
        | '\u{20000}'..='\u{323af}' => Sort::Cjk,
        c if c.is_alphanumeric() => Sort::Word,
        _ => Sort::Other,
    }
}

struct Split<'a> {
    text: &'a str,
    singles: bool,
    tokens: &'a mut Vec<Token>,
    position: usize,
}

impl Split<'_> {
    fn text(&mut self) {
        let mut at = 0;
        while let Some(c) = self.text[at..].chars().next() {
            let joins: fn(Sort) -> bool = match sort(c) {
                Sort::Word | Sort::Connector => |s| matches!(s, Sort::Word | Sort::Connector),
                Sort::Cjk => |s| s == Sort::Cjk,
                Sort::Other => |s| s == Sort::Other,
            };
            let rest = &self.text[at..];
            let end = rest.find(|c| !joins(sort(c))).map_or(self.text.len(), |end| at + end);
            match sort(c) {
                Sort::Word | Sort::Connector => self.run(at, end),
                Sort::Cjk => self.cjk(at, end),
                Sort::Other => {}
            }
            at = end;
        }
    }

    /// A run: the whole when it has several parts, then each part.
    fn run(&mut self, from: usize, to: usize) {
        let connector = |c| sort(c) == Sort::Connector;
        let run = self.text[from..to].trim_end_matches(connector);
        let trimmed = run.trim_start_matches(connector);
        let from = from + run.len() - trimmed.len();
        let first = self.tokens.len();
        let position = self.position;
        let parts = trimmed.split(connector).filter(|part| !part.is_empty());
        for part in parts {
            let start = from + (part.as_ptr() as usize - trimmed.as_ptr() as usize);
            self.part(start, start + part.len());
        }
        if trimmed.contains(connector) {
            let span = self.position - position;
            // Before its parts, for positions must not fall.
            self.add(first, from, from + trimmed.len(), position, span);
        }
    }

    /// A part: the whole when it is in camel case, then each hump.
    fn part(&mut self, from: usize, to: usize) {
        let (first, position) = (self.tokens.len(), self.position);
        let mut start = from;
        for hump in hump_starts(&self.text[from..to]) {
            self.hump(start, from + hump);
            start = from + hump;
        }
        self.hump(start, to);
        if start > from {
            self.add(first, from, to, position, self.position - position);
        }
    }

    fn cjk(&mut self, from: usize, to: usize) {
        let run = &self.text[from..to];
        let mut starts = run.char_indices().map(|(at, _)| from + at).peekable();
        let alone = run.chars().nth(1).is_none();
        while let Some(start) = starts.next() {
            let end = starts.peek().copied().unwrap_or(to);
            if alone || self.singles {
                self.add(self.tokens.len(), start, end, self.position, 1);
            }
            if let Some(next) = self.text[end..to].chars().next() {
                self.add(self.tokens.len(), start, end + next.len_utf8(), self.position, 1);
            }
            self.position += 1;
        }
    }

    fn hump(&mut self, from: usize, to: usize) {
        self.add(self.tokens.len(), from, to, self.position, 1);
        self.position += 1;
    }

    fn add(&mut self, at: usize, from: usize, to: usize, position: usize, span: usize) {
        if to - from > TERM_BYTES_MAX {
            return;
        }
        let text = self.text[from..to].to_lowercase();
        self.tokens.insert(
            at,
            Token { offset_from: from, offset_to: to, position, text, position_length: span },
        );
    }
}

/// Where a new hump begins: `NullPointer` before `P`, `HTTPServer` before `S`.
fn hump_starts(part: &str) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut before = None;
    let mut chars = part.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let after = chars.peek().map(|(_, c)| *c);
        let rises = before.is_some_and(char::is_lowercase) && c.is_uppercase();
        let ends_acronym = before.is_some_and(char::is_uppercase)
            && c.is_uppercase()
            && after.is_some_and(char::is_lowercase);
        if rises || ends_acronym {
            starts.push(at);
        }
        before = Some(c);
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str, singles: bool) -> Vec<String> {
        let mut words = Words::new(singles);
        let mut stream = words.token_stream(text);
        let mut terms = Vec::new();
        while stream.advance() {
            let token = stream.token();
            terms.push(format!("{}@{}", token.text, token.position));
        }
        terms
    }

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(terms(text, true), expected, "{text}");
    }

    #[test]
    fn words_and_identifiers_split_as_documented() {
        check("Disk is full.", &["disk@0", "is@1", "full@2"]);
        check("ORA-00942: gone", &["ora-00942@0", "ora@0", "00942@1", "gone@2"]);
        check(
            "NullPointerException!",
            &["nullpointerexception@0", "null@0", "pointer@1", "exception@2"],
        );
        check(
            "a.b.HTTPServer x",
            &["a.b.httpserver@0", "a@0", "b@1", "httpserver@2", "http@2", "server@3", "x@4"],
        );
        check("/etc/fstab", &["etc/fstab@0", "etc@0", "fstab@1"]);
        check("--", &[]);
        check("snake_case--x_", &["snake_case--x@0", "snake@0", "case@1", "x@2"]);
        check("C:\\Temp", &["c:\\temp@0", "c@0", "temp@1"]);
        check("p99 v1.2", &["p99@0", "v1.2@1", "v1@1", "2@2"]);
        check("", &[]);
    }

    #[test]
    fn cjk_gives_pairs_and_for_documents_single_characters() {
        check("磁盘已满", &["磁@0", "磁盘@0", "盘@1", "盘已@1", "已@2", "已满@2", "满@3"]);
        assert_eq!(terms("磁盘已满 x", false), ["磁盘@0", "盘已@1", "已满@2", "x@4"]);
        assert_eq!(terms("满", false), ["满@0"]);
        check("pod重启", &["pod@0", "重@1", "重启@1", "启@2"]);
    }

    #[test]
    fn an_endless_term_is_left_out_but_keeps_its_place() {
        let long = "a".repeat(TERM_BYTES_MAX + 1);
        check(&format!("x {long} y"), &["x@0", "y@2"]);
    }
}
