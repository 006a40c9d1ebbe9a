//! Bytes to clean lines: encodings, byte order marks, terminal colours, line ends.

use std::borrow::Cow;

/// Longest part of a text line that is looked at; a longer line is cut and named in a warning.
/// 64 KiB holds any message that a person wrote or will read.
pub(super) const LINE_BYTES_MAX: usize = 64 * 1024;
/// Most line numbers remembered of lines with bytes that are not UTF-8.
const INVALID_LINES_MAX: usize = 20;

/// The text of a file and what had to be mended in it.
pub(in super::super) struct Text<'a> {
    /// The text without byte order mark and terminal escapes.
    pub(in super::super) text: Cow<'a, str>,
    /// First lines with bytes that are not UTF-8.
    pub(super) invalid_lines: Vec<u64>,
    /// Number of byte sequences that are not UTF-8.
    pub(super) invalid_sequences: u64,
}

/// Decodes UTF-8 (or UTF-16 with a byte order mark); bad bytes become U+FFFD and are counted.
pub(in super::super) fn decode(bytes: &[u8]) -> Text<'_> {
    let mut invalid_lines = Vec::new();
    let mut invalid_sequences = 0;
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)),
        _ => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            match std::str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => Cow::Owned(mend(bytes, &mut invalid_lines, &mut invalid_sequences)),
            }
        }
    };
    let text = match memchr::memchr(0x1b, text.as_bytes()) {
        Some(_) => Cow::Owned(without_escapes(&text)),
        None => text,
    };
    Text { text, invalid_lines, invalid_sequences }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units).map(|each| each.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

fn mend(bytes: &[u8], invalid_lines: &mut Vec<u64>, invalid_sequences: &mut u64) -> String {
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 16);
    let mut line = 1;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if chunk.invalid().is_empty() {
            continue;
        }
        line += memchr::memchr_iter(b'\n', chunk.valid().as_bytes()).count() as u64;
        text.push(char::REPLACEMENT_CHARACTER);
        *invalid_sequences += 1;
        if invalid_lines.len() < INVALID_LINES_MAX && invalid_lines.last() != Some(&line) {
            invalid_lines.push(line);
        }
    }
    text
}

/// A message without terminal escapes, which JSON can hide from [`decode`].
pub(super) fn plain(message: String) -> String {
    if message.contains('\x1b') { without_escapes(&message) } else { message }
}

/// Removes ECMA-48 control sequences (`ESC [ ... letter`) and OSC strings (`ESC ] ... BEL`).
fn without_escapes(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(0x1b, rest.as_bytes()) {
        clean.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let body = rest.as_bytes();
        let skip = match body.first() {
            Some(b'[') => body[1..]
                .iter()
                .position(|b| !matches!(b, 0x20..=0x3f))
                .map_or(body.len(), |n| if body[1 + n] < 0x80 { n + 2 } else { n + 1 }),
            Some(b']') => body
                .iter()
                .position(|b| matches!(b, 0x07 | b'\n'))
                .map_or(body.len(), |n| if body[n] == 0x07 { n + 1 } else { n }),
            Some(b'(' | b')') => 2.min(body.len()),
            _ => 0,
        };
        // A control sequence cut off by the line end keeps the line end.
        let skip = body[..skip].iter().position(|b| *b == b'\n').unwrap_or(skip);
        rest = &rest[cut(rest, skip).len()..];
    }
    clean.push_str(rest);
    clean
}

/// One line without its line end.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Line<'a> {
    /// Counted from 1.
    pub(in super::super) number: u32,
    /// Offset of its first byte in the text.
    pub(in super::super) start: usize,
    /// The whole line.
    pub(in super::super) text: &'a str,
}

/// The lines of a text; the end of the text after a final line end is not a line.
pub(in super::super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut at = 0;
    let mut number = 0;
    std::iter::from_fn(move || {
        if at >= text.len() {
            return None;
        }
        let start = at;
        let end = memchr::memchr(b'\n', &text.as_bytes()[start..])
            .map_or(text.len(), |offset| start + offset);
        at = end + 1;
        number += 1;
        let line = &text[start..end];
        Some(Line { number, start, text: line.strip_suffix('\r').unwrap_or(line) })
    })
}

/// The longest prefix of at most `bytes_max` bytes that ends between characters.
pub(in super::super) fn cut(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let mut end = bytes_max;
    while end > 0 && !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// At most `chars_max` characters, with an ellipsis in place of what is left out.
pub(in super::super) fn quote(text: &str, chars_max: usize) -> String {
    let text = text.trim();
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some(_) => {
            let keep = chars_max.saturating_sub(3);
            let end = text.char_indices().nth(keep).map_or(text.len(), |(at, _)| at);
            format!("{}...", text[..end].trim_end())
        }
    }
}
