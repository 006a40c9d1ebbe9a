//! Values behind a separator: where they start and end, and whether they look random.

use crate::privacy::mark::{
    LOOK_MAX, at, before, entropy, has, is_blank, is_stand_in, is_word, run,
};
use std::ops::Range;

/// Longest value, in bytes.
const VALUE_BYTES_MAX: usize = 4096;
/// Most blanks between a name, its separator and its value: aligned columns, not a gap in a table.
const BLANKS_MAX: usize = 40;

/// Start of the value behind an optional closing quote, `=` or `:` and blanks; `None` when there
/// is no separator or nothing behind it on the line.
pub(super) fn after_separator(text: &[u8], end: usize) -> Option<usize> {
    let closed = run(text, end, 4, |b| matches!(b, b'"' | b'\'' | b'\\' | b']'));
    let separator = run(text, closed, BLANKS_MAX, is_blank);
    if !matches!(at(text, separator), b':' | b'=') {
        return None;
    }
    let start = run(text, separator + 1, BLANKS_MAX, is_blank);
    let start = run(text, start, 4, |b| matches!(b, b'"' | b'\'' | b'\\' | b'['));
    (at(text, start) != b'\n').then_some(start)
}

/// A value and whether it stood in quotes.
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) quoted: bool,
}

impl Found {
    pub(super) const fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// The value that starts at `start`: up to the closing quote, or one word.
pub(super) fn quoted_or_word(text: &[u8], start: usize) -> Found {
    let slashes = run(text, start, 8, |b| b == b'\\') - start;
    let prefix = usize::from(
        matches!(at(text, start), b'b' | b'r' | b'u' | b'f' | b'L' | b'B' | b'@')
            && matches!(at(text, start + 1), b'"' | b'\''),
    );
    let quote_at = start + slashes + prefix;
    let quote = at(text, quote_at);
    if matches!(quote, b'"' | b'\'' | b'`') {
        if let Some(end) = closing_quote(text, quote_at + 1, quote, slashes) {
            return Found { start: quote_at + 1, end, quoted: true };
        }
        let end = run(text, quote_at + 1, VALUE_BYTES_MAX, is_bare);
        return Found { start: quote_at + 1, end, quoted: true };
    }
    let end = run(text, start, VALUE_BYTES_MAX, is_bare);
    Found { start, end, quoted: false }
}

/// Bytes of a value without quotes.
fn is_bare(byte: u8) -> bool {
    !byte.is_ascii_whitespace()
        && !matches!(
            byte,
            b',' | b';'
                | b'&'
                | b')'
                | b']'
                | b'}'
                | b'"'
                | b'\''
                | b'<'
                | b'>'
                | b'`'
                | b'|'
                | b'\\'
        )
}

/// The quote on the same line that closes one opened behind `slashes` backslashes.
fn closing_quote(text: &[u8], start: usize, quote: u8, slashes: usize) -> Option<usize> {
    let mut run_of_slashes = 0;
    for at_byte in start..text.len().min(start + VALUE_BYTES_MAX) {
        match at(text, at_byte) {
            b'\n' => return None,
            b'\\' => run_of_slashes += 1,
            byte => {
                let closes =
                    if slashes == 0 { run_of_slashes % 2 == 0 } else { run_of_slashes <= slashes };
                if byte == quote && closes {
                    return Some(at_byte - run_of_slashes.min(slashes));
                }
                run_of_slashes = 0;
            }
        }
    }
    None
}

/// End of the line behind `start`, without a trailing comment and blanks.
pub(super) fn rest_of_line(text: &[u8], start: usize) -> usize {
    let line = run(text, start, VALUE_BYTES_MAX, |b| b != b'\n' && b != b'\r');
    let rest = text.get(start..line).unwrap_or_default();
    let comment =
        rest.windows(2).position(|w| is_blank(w[0]) && w[1] == b'#').unwrap_or(rest.len());
    start + rest.get(..comment).unwrap_or_default().trim_ascii_end().len()
}

/// Whether an unquoted value is an expression of a program or a path to where the secret lies.
pub(super) fn is_reference(text: &[u8], found: &Found) -> bool {
    let value = text.get(found.range()).unwrap_or_default();
    let path = value.first() == Some(&b'/') && value.get(1..).is_some_and(|v| v.contains(&b'/'));
    if path && !value.iter().any(|b| matches!(b, b'+' | b'=')) {
        return true;
    }
    if found.quoted {
        return false;
    }
    let call = value.contains(&b'(') || at(text, found.end) == b'(' || at(text, found.end) == b'[';
    let digits = value.iter().any(u8::is_ascii_digit);
    let member = value.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':'))
        && value.windows(2).any(|w| w[0].is_ascii_alphabetic() && matches!(w[1], b'.' | b':'))
        && !digits;
    let arrow = value.ends_with(b"-") && at(text, found.end) == b'>';
    call || member || arrow
}

/// Whether a value is random enough for a key or token and at least `min` bytes long: no word,
/// path, host, version, date or URL.
pub(super) fn looks_random(value: &[u8], min: usize) -> bool {
    if value.len() < min || value.len() > VALUE_BYTES_MAX || is_stand_in(value) {
        return false;
    }
    let count = |f: fn(&u8) -> bool| value.iter().filter(|b| f(b)).count();
    let (digits, upper, lower) =
        (count(u8::is_ascii_digit), count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase));
    if !value.iter().all(|b| b.is_ascii_graphic() && !matches!(b, b'(' | b')' | b'<' | b'>' | b' '))
        || value.windows(3).any(|w| w == b"://")
        || digits == 0
        || upper + lower == 0
        || is_dotted_name(value)
        || is_dated(value)
    {
        return false;
    }
    let mixed = upper > 0 && lower > 0;
    let needed = if value.len() >= 16 { 3.0 } else { 2.5 };
    let bits = entropy(value);
    let spread = digits * 12 >= value.len().min(48) || mixed && bits >= 3.5;
    (digits >= 2 || mixed) && spread && bits >= needed
}

/// Hosts, files, packages, versions: parts of letters and digits between dots, none of them long.
fn is_dotted_name(value: &[u8]) -> bool {
    value.contains(&b'.')
        && value.split(|b| *b == b'.').all(|part| {
            part.len() < 24
                && part
                    .iter()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':' | b'/'))
        })
        && value.iter().filter(|b| b.is_ascii_uppercase()).count() * 4 < value.len()
}

/// `2024-03-01...`.
fn is_dated(value: &[u8]) -> bool {
    value.len() >= 10
        && value.iter().zip(b"dddd-dd-dd").all(|(b, shape)| match shape {
            b'd' => b.is_ascii_digit(),
            other => b == other,
        })
}

/// Whether the name that ends at `end` is followed by its value under a sibling called `value`
/// (`"name": "DB_PASSWORD", "value": "..."`); gives the start of the value.
pub(super) fn sibling_value(text: &[u8], end: usize) -> Option<usize> {
    let gap = run(text, end, LOOK_MAX, |b| {
        b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b',' | b'\\' | b'-')
    });
    if gap == end || !has(text, gap, "value") || is_word(at(text, gap + 5)) {
        return None;
    }
    if is_word(before(text, gap)) {
        return None;
    }
    let closed = run(text, gap + 5, 3, |b| matches!(b, b'"' | b'\'' | b'\\'));
    let separator = run(text, closed, 8, is_blank);
    if !matches!(at(text, separator), b':' | b'=') {
        return None;
    }
    let start = run(text, separator + 1, 8, is_blank);
    (at(text, start) != b'\n').then_some(start)
}
