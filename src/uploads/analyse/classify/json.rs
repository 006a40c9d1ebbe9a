//! The outline of JSON text: which keys it has and what stands behind them.
//!
//! One pass without recursion and without a tree, so that the depth of a hostile document costs
//! nothing and a document cut off in the middle is read as far as it goes.

use std::collections::HashMap;

/// Most distinct keys remembered.
const KEYS_MAX: usize = 1024;
/// Longest key remembered, in bytes.
const KEY_BYTES_MAX: usize = 100;
/// Share of tokens that may be out of place: a person's slip is still JSON.
const ODD_PER_TOKEN: u32 = 12;

/// What a key was seen with.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Key<'a> {
    /// Times seen.
    pub(super) count: u32,
    /// Least number of brackets around it.
    pub(super) depth: u32,
    /// Times a string stood behind it.
    pub(super) texts: u32,
    /// Times a number stood behind it.
    pub(super) numbers: u32,
    /// First string or number behind it.
    pub(super) first: &'a str,
}

/// The outline of one or more JSON values.
#[derive(Debug, Default)]
pub(super) struct Outline<'a> {
    /// Whether the first value is an array.
    pub(super) array: bool,
    /// Values on the first level.
    pub(super) roots: u32,
    /// Objects begun.
    pub(super) objects: u32,
    /// Comments, bare keys or single quotes were seen: JSON5, or something else with braces.
    pub(super) relaxed: bool,
    keys: HashMap<&'a str, Key<'a>>,
    depth: u32,
    tokens: u32,
    odd: u32,
}

/// Reads the outline of `text`, or `None` when it is not JSON.
pub(super) fn outline(text: &str) -> Option<Outline<'_>> {
    let bytes = text.as_bytes();
    let mut scan = Scan { text, bytes, at: 0, pending: None, outline: Outline::default() };
    scan.skip_blank();
    let first = *bytes.get(scan.at)?;
    if !matches!(first, b'{' | b'[') {
        return None;
    }
    scan.outline.array = first == b'[';
    while scan.at < bytes.len() {
        scan.token();
    }
    let outline = scan.outline;
    let bare = outline.relaxed && outline.keys.is_empty();
    (outline.odd * ODD_PER_TOKEN <= outline.tokens && !bare).then_some(outline)
}

impl<'a> Outline<'a> {
    /// What is known of a key.
    pub(super) fn key(&self, name: &str) -> Option<&Key<'a>> {
        self.keys.get(name)
    }

    /// Whether a key was seen.
    pub(super) fn has(&self, name: &str) -> bool {
        self.keys.contains_key(name)
    }

    /// Whether all these keys were seen.
    pub(super) fn has_all(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.has(name))
    }

    /// Whether one of these keys was seen.
    pub(super) fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.has(name))
    }

    /// Every key with what is known of it.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&'a str, &Key<'a>)> {
        self.keys.iter().map(|(name, key)| (*name, key))
    }
}

struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    pending: Option<&'a str>,
    outline: Outline<'a>,
}

impl<'a> Scan<'a> {
    fn peek(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// Skips white space, record separators (RFC 7464) and comments.
    fn skip_blank(&mut self) {
        loop {
            match (self.peek(self.at), self.peek(self.at + 1)) {
                (b' ' | b'\t' | b'\r' | b'\n' | 0x1e, _) => self.at += 1,
                (b'/', b'/') => {
                    self.outline.relaxed = true;
                    let rest = &self.bytes[self.at..];
                    self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                }
                (b'/', b'*') => {
                    self.outline.relaxed = true;
                    let rest = &self.bytes[self.at..];
                    self.at += memchr::memmem::find(rest, b"*/").map_or(rest.len(), |n| n + 2);
                }
                _ => return,
            }
        }
    }

    fn token(&mut self) {
        self.skip_blank();
        let Some(byte) = self.bytes.get(self.at).copied() else { return };
        let outline = &mut self.outline;
        match byte {
            b'{' | b'[' => {
                outline.roots += u32::from(outline.depth == 0);
                outline.objects += u32::from(byte == b'{');
                outline.depth = outline.depth.saturating_add(1);
                outline.tokens += 1;
                self.pending = None;
                self.at += 1;
            }
            b'}' | b']' => {
                outline.odd += u32::from(outline.depth == 0);
                outline.depth = outline.depth.saturating_sub(1);
                outline.tokens += 1;
                self.pending = None;
                self.at += 1;
            }
            b',' => self.at += 1,
            b'"' | b'\'' => self.string(byte),
            _ => self.word(),
        }
    }

    fn string(&mut self, quote: u8) {
        let start = self.at + 1;
        let mut at = start;
        while let Some(n) = memchr::memchr2(quote, b'\\', &self.bytes[at..]) {
            if self.bytes[at + n] == quote {
                at += n;
                break;
            }
            at = (at + n + 2).min(self.bytes.len());
        }
        // Without a closing quote the rest of the text is the string.
        let end = if self.peek(at) == quote && at >= start { at } else { self.bytes.len() };
        let body = self.text.get(start..end).unwrap_or_default();
        self.at = end + 1;
        self.outline.tokens += 1;
        self.outline.relaxed |= quote == b'\'';
        self.outline.odd += u32::from(self.outline.depth == 0);
        self.skip_blank();
        if self.pending.is_none() && self.peek(self.at) == b':' {
            self.at += 1;
            self.name(body);
        } else if let Some(key) = self.pending.take() {
            self.value(key, body, true);
        }
    }

    /// A number, `true`, or a key without quotes.
    fn word(&mut self) {
        let start = self.at;
        let rest = &self.bytes[start..];
        let ends = |b: &u8| b" \t\r\n,:{}[]\"'".contains(b);
        self.at += rest.iter().position(ends).unwrap_or(rest.len()).max(1);
        let word = self.text.get(start..self.at).unwrap_or_default();
        self.outline.tokens += 1;
        let inside = self.outline.depth > 0;
        let literal = matches!(word, "true" | "false" | "null" | "NaN" | "Infinity" | "-Infinity");
        let number = word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
            && word.bytes().all(|b| b.is_ascii_hexdigit() || b"+-.xX".contains(&b));
        self.skip_blank();
        let bare = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_$".contains(&b));
        if inside && bare && self.pending.is_none() && self.peek(self.at) == b':' {
            self.at += 1;
            self.outline.relaxed = true;
            self.name(word);
        } else if inside && (literal || number) {
            if let Some(key) = self.pending.take()
                && number
            {
                self.value(key, word, false);
            }
        } else {
            self.outline.odd += 1;
            self.pending = None;
        }
    }

    fn name(&mut self, name: &'a str) {
        self.pending = Some(name);
        let depth = self.outline.depth;
        let keys = &mut self.outline.keys;
        if name.len() <= KEY_BYTES_MAX && (keys.len() < KEYS_MAX || keys.contains_key(name)) {
            let key = keys.entry(name).or_insert(Key { depth, ..Key::default() });
            key.count += 1;
            key.depth = key.depth.min(depth);
        }
    }

    fn value(&mut self, name: &str, value: &'a str, text: bool) {
        if let Some(key) = self.outline.keys.get_mut(name) {
            if key.texts + key.numbers == 0 {
                key.first = value;
            }
            key.texts += u32::from(text);
            key.numbers += u32::from(!text);
        }
    }
}
