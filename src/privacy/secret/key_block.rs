//! Private keys in PEM (RFC 7468) and PuTTY form.

use crate::privacy::mark::{at, has, run};
use crate::privacy::{Kind, spans::Span};

/// Longest key block, in bytes: an RSA key of 16,384 bits has 13 KiB.
const BLOCK_BYTES_MAX: usize = 64 * 1024;

/// From `-----BEGIN ... PRIVATE KEY` to the end of the block; where the end is missing, as far as
/// lines look like base64.
pub(crate) fn private_key(text: &[u8], start: usize, out: &mut Vec<Span>) {
    let limit = text.len().min(start + BLOCK_BYTES_MAX);
    let title = run(text, start, 80, |b| b != b'\n' && b != b'\\');
    let Some(header) = text.get(start..title) else { return };
    let names_key = header.windows(11).any(|w| w.eq_ignore_ascii_case(b"PRIVATE KEY"));
    if !names_key {
        return;
    }
    let mut end = title;
    while end < limit {
        if has(text, end, "-----END") {
            end = run(text, end + 8, 80, |b| b != b'-' && b != b'\n');
            end = run(text, end, 5, |b| b == b'-');
            break;
        }
        let next = body_end(text, end, limit);
        if next == end {
            break;
        }
        end = next;
    }
    while end > start && at(text, end - 1).is_ascii_whitespace() {
        end -= 1;
    }
    out.push(Span::new(start, end, Kind::PrivateKey));
}

/// End of the next stretch that can belong to a key: base64, blanks, escapes, header lines such as
/// `Proc-Type: 4,ENCRYPTED`, quotes and plus signs of concatenated source lines.
fn body_end(text: &[u8], start: usize, limit: usize) -> usize {
    let body = |b: u8| {
        b.is_ascii_alphanumeric()
            || b.is_ascii_whitespace()
            || matches!(b, b'+' | b'/' | b'=' | b'\\' | b'-' | b':' | b',')
    };
    let mut end = start;
    while end < limit && body(at(text, end)) {
        if at(text, end) == b'-' && has(text, end, "-----") {
            break;
        }
        end += 1;
    }
    // Whole lines of words are prose after a block without an end.
    first_prose(text, start, end).unwrap_or(end)
}

/// Start of the first line in the range with a blank between two words, if any.
fn first_prose(text: &[u8], start: usize, end: usize) -> Option<usize> {
    let mut line = start;
    for part in text.get(start..end)?.split_inclusive(|b| *b == b'\n') {
        let trimmed = part.trim_ascii();
        let header = trimmed.contains(&b':') && line > start;
        if trimmed.contains(&b' ') && !header {
            return Some(line);
        }
        line += part.len();
    }
    None
}
