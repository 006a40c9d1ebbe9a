//! Numbers that only the words before them tell: driver's licences and passports.

use crate::privacy::mark::{at, before, has, is_blank, is_word, run};
use crate::privacy::{Kind, spans::Span};

/// The number behind `licence`, `license` or `passport`; `end` is behind that word.
///
/// Licences of software have no driver, and nothing is taken that is not mostly digits.
pub(crate) fn document_number(text: &[u8], start: usize, end: usize, out: &mut Vec<Span>) {
    let kind = if has(text, start, "passport") { Kind::Passport } else { Kind::DriverLicense };
    if is_word(before(text, start)) || kind == Kind::DriverLicense && !of_driver(text, start) {
        return;
    }
    let mut next = end;
    for _ in 0..4 {
        next = run(text, next, 6, |b| is_blank(b) || matches!(b, b':' | b'#' | b'=' | b'"' | b'.'));
        let word = run(text, next, 16, |b| b.is_ascii_alphanumeric());
        let found = text.get(next..word).unwrap_or_default();
        let filler = ["number", "no", "num", "is", "nr", "id"]
            .iter()
            .any(|f| found.eq_ignore_ascii_case(f.as_bytes()));
        if !filler {
            let digits = found.iter().filter(|b| b.is_ascii_digit()).count();
            if (6..=14).contains(&found.len()) && digits >= 5 && !is_word(at(text, word)) {
                out.push(Span::new(next, word, kind));
            }
            return;
        }
        next = word;
    }
}

fn of_driver(text: &[u8], start: usize) -> bool {
    let head = text.get(start.saturating_sub(10)..start).unwrap_or_default();
    head.windows(6).any(|w| w.eq_ignore_ascii_case(b"driver"))
}
