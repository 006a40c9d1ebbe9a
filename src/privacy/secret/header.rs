//! HTTP headers that carry credentials.

use super::value;
use crate::privacy::mark::{at, before, has, is_blank, is_stand_in, is_word, run};
use crate::privacy::{Kind, spans::Span};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Longest credentials, in bytes: servers refuse headers beyond 8 KiB.
const CREDENTIALS_BYTES_MAX: usize = 8192;
/// Authentication schemes whose credentials are one word (IANA registry, and common private ones).
const SCHEMES: [&str; 10] = [
    "basic",
    "bearer",
    "token",
    "negotiate",
    "ntlm",
    "apikey",
    "key",
    "splunk",
    "genie key",
    "jwt",
];

/// Bytes of credentials that are one word.
fn is_credential(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'=' | b':' | b'|' | b'%')
}

/// `Authorization: <scheme> <credentials>`; `end` is behind the header's name.
pub(crate) fn authorization(text: &[u8], end: usize, out: &mut Vec<Span>) {
    let Some(start) = value::after_separator(text, end) else { return };
    for scheme in SCHEMES {
        let word = start + scheme.len();
        if has(text, start, scheme) && is_blank(at(text, word)) {
            let first = run(text, word, 8, is_blank);
            take(text, first, 1, out);
            return;
        }
    }
    if has(text, start, "digest ") {
        after_word(text, start, "response=", out);
    } else if has(text, start, "aws4-hmac-sha256") {
        after_word(text, start, "signature=", out);
    } else {
        take(text, start, 16, out);
    }
}

/// `Bearer <token>` and `Basic <base64>` outside a header; `end` is behind the scheme and a blank.
pub(crate) fn bearer(text: &[u8], start: usize, end: usize, out: &mut Vec<Span>) {
    if is_word(before(text, start)) {
        return;
    }
    if has(text, start, "basic") {
        let stop = run(text, end, CREDENTIALS_BYTES_MAX, is_credential);
        let value = text.get(end..stop).unwrap_or_default().trim_ascii_end();
        let bare: Vec<u8> = value.iter().copied().take_while(|b| *b != b'=').collect();
        let login = STANDARD_NO_PAD.decode(&bare).is_ok_and(|clear| {
            clear.contains(&b':') && clear.iter().all(|b| b.is_ascii_graphic() || *b == b' ')
        });
        if value.len() >= 8 && login {
            out.push(Span::new(end, stop, Kind::Authorization));
        }
    } else {
        take(text, end, 16, out);
    }
}

/// Takes one word of credentials; a short one or one without a digit is a word of prose.
fn take(text: &[u8], start: usize, min: usize, out: &mut Vec<Span>) {
    let mut stop = run(text, start, CREDENTIALS_BYTES_MAX, is_credential);
    while stop > start && matches!(before(text, stop), b'.' | b':') {
        stop -= 1;
    }
    let value = text.get(start..stop).unwrap_or_default();
    let random = value.iter().any(u8::is_ascii_digit) || value.len() >= 24;
    if value.len() >= min.max(4) && (random || min == 1 && value.len() >= 8) && !is_stand_in(value)
    {
        out.push(Span::new(start, stop, Kind::Authorization));
    }
}

/// Takes the value behind `word` later on the line.
fn after_word(text: &[u8], start: usize, word: &str, out: &mut Vec<Span>) {
    let stop = run(text, start, 1024, |b| b != b'\n');
    let line = text.get(start..stop).unwrap_or_default();
    let found = line.windows(word.len()).position(|w| w.eq_ignore_ascii_case(word.as_bytes()));
    if let Some(at_word) = found {
        let first = run(text, start + at_word + word.len(), 2, |b| matches!(b, b'"' | b'\\'));
        take(text, first, 16, out);
    }
}

/// Values of session cookies in `Cookie:` and `Set-Cookie:`, whose name is at `start..end`. `done`
/// is the end of the last header read: what lies inside a header is not read again.
pub(crate) fn cookie(
    text: &[u8],
    (start, end): (usize, usize),
    done: &mut usize,
    out: &mut Vec<Span>,
) {
    if start < *done || is_word(before(text, start)) {
        return;
    }
    let Some(mut pair) = value::after_separator(text, end) else { return };
    let line = run(text, pair, CREDENTIALS_BYTES_MAX, |b| !matches!(b, b'\n' | b'"'));
    *done = line;
    while pair < line {
        let equals = run(text, pair, line - pair, |b| !matches!(b, b'=' | b';'));
        let stop = run(text, equals, line - equals, |b| b != b';');
        let name = text.get(pair..equals).unwrap_or_default().trim_ascii();
        let value = text.get(equals + 1..stop).unwrap_or_default();
        if names_session(name) && value.len() >= 8 && !is_stand_in(value) {
            let trimmed = value.trim_ascii_end().len();
            out.push(Span::new(equals + 1, equals + 1 + trimmed, Kind::Cookie));
        }
        pair = stop + 1;
    }
}

fn names_session(name: &[u8]) -> bool {
    const NAME_BYTES_MAX: usize = 64;
    if name.len() > NAME_BYTES_MAX {
        return false;
    }
    let lower = name.to_ascii_lowercase();
    let holds = |word: &[u8]| lower.windows(word.len()).any(|w| w == word);
    let free = holds(b"csrf") || holds(b"xsrf");
    !free
        && (holds(b"sess")
            || holds(b"sid")
            || holds(b"auth")
            || holds(b"token")
            || holds(b"remember"))
}
