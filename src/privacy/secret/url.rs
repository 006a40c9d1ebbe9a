//! Credentials in URLs and connection strings.

use crate::privacy::mark::{at, before, entropy, is_base64, is_stand_in, run, run_back};
use crate::privacy::{Kind, spans::Span};

/// Longest authority part looked at, in bytes.
const AUTHORITY_BYTES_MAX: usize = 512;

/// The password of `scheme://user:password@host`; `end` is behind `://`.
pub(crate) fn userinfo(text: &[u8], end: usize, out: &mut Vec<Span>) {
    let stop = run(text, end, AUTHORITY_BYTES_MAX, |b| {
        !b.is_ascii_whitespace()
            && !matches!(b, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\')
    });
    let Some(authority) = text.get(end..stop) else { return };
    let Some(sign) = authority.iter().rposition(|b| *b == b'@') else { return };
    let info = authority.get(..sign).unwrap_or_default();
    match info.iter().position(|b| *b == b':') {
        Some(colon) => {
            let (user, password) = (info.get(..colon).unwrap_or_default(), end + colon + 1);
            let value = info.get(colon + 1..).unwrap_or_default();
            if is_stand_in(value) {
                return;
            }
            // Some services hand out both halves (a licence "cafebabe:deadbeef").
            let from = if is_hex_half(user) { end } else { password };
            out.push(Span::new(from, end + sign, Kind::Password));
        }
        None if info.len() >= 20 && entropy(info) >= 3.2 && !is_stand_in(info) => {
            out.push(Span::new(end, end + sign, Kind::Token));
        }
        None => {}
    }
}

fn is_hex_half(user: &[u8]) -> bool {
    user.len() == 8 && user.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The password of `jdbc:oracle:thin:user/password@...`; `end` is behind `thin:`.
pub(crate) fn oracle_login(text: &[u8], end: usize, out: &mut Vec<Span>) {
    let slash = run(text, end, 64, |b| b.is_ascii_alphanumeric() || b == b'_');
    if at(text, slash) != b'/' || slash == end {
        return;
    }
    let stop = run(text, slash + 1, 128, |b| !b.is_ascii_whitespace() && b != b'@' && b != b'"');
    let value = text.get(slash + 1..stop).unwrap_or_default();
    if at(text, stop) == b'@' && !is_stand_in(value) {
        out.push(Span::new(slash + 1, stop, Kind::Password));
    }
}

/// The signature of a presigned URL (`?sig=`, `&X-Amz-Signature=`) or a `?key=` in a query.
pub(crate) fn signature(text: &[u8], start: usize, end: usize, out: &mut Vec<Span>) {
    let word = run_back(text, start, 16, |b| b.is_ascii_alphanumeric() || b == b'-');
    let named =
        text.get(word..start).is_some_and(|w| w.is_empty() || w.eq_ignore_ascii_case(b"x-amz-"));
    if !named || !matches!(before(text, word), b'?' | b'&' | b';') {
        return;
    }
    let stop = run(text, end, 512, |b| is_base64(b) || matches!(b, b'%' | b'.' | b'~'));
    let value = text.get(end..stop).unwrap_or_default();
    if value.len() >= 16 && value.iter().any(u8::is_ascii_digit) && entropy(value) >= 3.0 {
        out.push(Span::new(end, stop, Kind::Token));
    }
}
