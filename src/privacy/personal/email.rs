//! E-mail addresses.

use crate::privacy::mark::{at, before, has, run, run_back};
use crate::privacy::{Kind, spans::Span};

/// Longest part before the sign, in bytes (RFC 5321 section 4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;
/// Longest domain, in bytes (RFC 5321 section 4.5.3.1.2).
const DOMAIN_BYTES_MAX: usize = 255;
/// Endings that are file or systemd unit names, not top-level domains.
const NOT_DOMAINS: [&str; 22] = [
    "png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "js", "mjs", "ts", "css", "scss", "html",
    "json", "service", "socket", "timer", "target", "slice", "mount", "device", "scope",
];

/// The address around an `@` or `%40` at `start..end`.
pub(crate) fn email(text: &[u8], start: usize, end: usize, out: &mut Vec<Span>) {
    let local = run_back(text, start, LOCAL_BYTES_MAX + 1, |b| {
        b.is_ascii_alphanumeric()
            || b >= 0x80
            || matches!(b, b'.' | b'_' | b'+' | b'-' | b'\'' | b'=')
    });
    let local = past_code(text, local, start);
    if local == start || start - local > LOCAL_BYTES_MAX || before(text, start) == b'.' {
        return;
    }
    if before(text, local) == b'/' && before(text, local - 1) == b'/' || is_message_id(text, local)
    {
        return;
    }
    let stop = run(text, end, DOMAIN_BYTES_MAX, |b| {
        b.is_ascii_alphanumeric() || b >= 0x80 || matches!(b, b'.' | b'-')
    });
    let Some(stop) = domain_end(text, end, stop) else { return };
    let git = text.get(local..start) == Some(b"git") && matches!(at(text, stop), b':' | b'/');
    if !git {
        out.push(Span::new(local, stop, Kind::Email));
    }
}

/// Skips what stands before the address without a space: quotes, `name=`, the letter of an escape.
fn past_code(text: &[u8], mut local: usize, start: usize) -> usize {
    if let Some(equals) = text.get(local..start).and_then(|l| l.iter().rposition(|b| *b == b'=')) {
        local += equals + 1;
    }
    if before(text, local) == b'\\' && matches!(at(text, local), b'n' | b'r' | b't') {
        local += 1;
    }
    if before(text, local) == b'%' && at(text, local + 1).is_ascii_hexdigit() {
        local += 2;
    }
    while local < start && matches!(at(text, local), b'\'' | b'.' | b'-' | b'+') {
        local += 1;
    }
    local.min(start)
}

/// End of the domain: the last stretch of labels whose last one can be a top-level domain.
fn domain_end(text: &[u8], start: usize, mut stop: usize) -> Option<usize> {
    while stop > start && matches!(before(text, stop), b'.' | b'-') {
        stop -= 1;
    }
    let domain = text.get(start..stop)?;
    let dot = domain.iter().rposition(|b| *b == b'.')?;
    let top = domain.get(dot + 1..)?;
    let labels = domain.get(..dot)?;
    let letters = top.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80)
        || top.get(..4).is_some_and(|t| t.eq_ignore_ascii_case(b"xn--"));
    let plausible = letters && (2..=24).contains(&top.len()) && labels.iter().any(|b| *b != b'.');
    let file = NOT_DOMAINS.iter().any(|name| top.eq_ignore_ascii_case(name.as_bytes()));
    (plausible
        && !file
        && at(text, stop) != b'_'
        && !domain.windows(2).any(|w| w == b"..")
        && at(text, start) != b'.')
        .then_some(stop)
}

/// `message-id=<...@...>`: names a message, not a person.
fn is_message_id(text: &[u8], local: usize) -> bool {
    let open = if before(text, local) == b'<' { local - 1 } else { local };
    let gap = run_back(text, open, 4, |b| matches!(b, b' ' | b':' | b'='));
    let ends = |word: &str| gap.checked_sub(word.len()).is_some_and(|s| has(text, s, word));
    gap < open && (ends("message-id") || ends("msgid") || ends("in-reply-to") || ends("references"))
}
