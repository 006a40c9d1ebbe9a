//! Telephone numbers. Logs are full of digits, so a form that only telephones have, or a word such
//! as `phone`, is needed; seconds since 1970, ids and statuses never qualify.

use crate::privacy::mark::{
    at, before, follows_placeholder, has, is_blank, is_placeholder, is_word, run,
};
use crate::privacy::{Kind, spans::Span};

/// Longest number with separators and extension, in bytes.
const PHONE_BYTES_MAX: usize = 32;
/// Fewest and most digits (ITU-T E.164; seven for local numbers).
const DIGITS: (usize, usize) = (7, 15);
/// Digits from which a number is complete: national numbers with an area code.
const COMPLETE: usize = 10;
/// Words behind a number that say what it rings.
const RINGS: [&str; 7] = ["mobile", "office", "fax", "cell", "home", "work", "desk"];

/// Most groups of digits in a number.
const GROUPS_MAX: usize = 8;

/// A number with its groups.
#[derive(Default)]
struct Groups {
    end: usize,
    /// End without the extension.
    bare_end: usize,
    lengths: [usize; GROUPS_MAX],
    count: usize,
    digits: [u8; PHONE_BYTES_MAX],
    digit_count: usize,
    /// Whether a separator other than a dash was seen.
    undashed: bool,
}

impl Groups {
    fn lengths(&self) -> &[usize] {
        self.lengths.get(..self.count).unwrap_or_default()
    }

    fn digits(&self) -> &[u8] {
        self.digits.get(..self.digit_count).unwrap_or_default()
    }

    /// Takes one group; `None` when there are too many.
    fn take(&mut self, group: &[u8]) -> Option<()> {
        *self.lengths.get_mut(self.count)? = group.len();
        self.count += 1;
        let room = self.digits.get_mut(self.digit_count..self.digit_count + group.len())?;
        room.copy_from_slice(group);
        self.digit_count += group.len();
        Some(())
    }
}

/// Reads groups of digits joined by single separators, and an extension (`x123`).
fn groups(text: &[u8], start: usize) -> Option<Groups> {
    let limit = text.len().min(start + PHONE_BYTES_MAX);
    let mut next = start + usize::from(at(text, start) == b'+');
    let mut found = Groups { end: next, ..Groups::default() };
    while next < limit {
        let open = usize::from(at(text, next) == b'(');
        let stop = run(text, next + open, 16, |b| b.is_ascii_digit());
        if stop == next + open {
            break;
        }
        found.take(text.get(next + open..stop)?)?;
        if open == 1 && at(text, stop) != b')' {
            return None;
        }
        found.end = stop + open;
        let separator = run(text, found.end, 2, |b| matches!(b, b' ' | b'-' | b'.' | b'/'));
        let joined = separator - found.end == 1
            || separator == found.end && (open == 1 || at(text, separator) == b'(');
        let follows = at(text, separator);
        // Behind these a complete number is followed by another one, not by more of itself.
        let complete = found.digit_count >= COMPLETE && matches!(at(text, found.end), b' ' | b'/');
        if !joined || complete || !(follows.is_ascii_digit() || follows == b'(') {
            break;
        }
        found.undashed |= at(text, found.end) != b'-';
        next = separator;
    }
    found.bare_end = found.end;
    if at(text, found.end) == b'x' && at(text, found.end + 1).is_ascii_digit() {
        found.end = run(text, found.end + 1, 6, |b| b.is_ascii_digit());
    }
    Some(found)
}

/// A number that tells itself: `+` and a country code, North American groups, an extension, or a
/// word such as `office` behind it. `start` is at its first digit, `(` or `+`.
pub(crate) fn phone(text: &[u8], start: usize, out: &mut Vec<Span>) -> bool {
    let previous = before(text, start);
    let glued = is_word(previous) || follows_placeholder(text, start);
    if glued || matches!(previous, b'.' | b'_' | b'-' | b'/' | b'+' | b'#' | b'@') {
        return false;
    }
    let Some(found) = groups(text, start) else { return false };
    let follows = at(text, found.end);
    if is_word(follows)
        || matches!(follows, b'_' | b':' | b'%')
        || matches!(follows, b'-' | b'.' | b'/') && goes_on(text, found.end + 1)
        || found.digit_count > DIGITS.1
    {
        return false;
    }
    let extended = found.end > found.bare_end;
    let international = at(text, start) == b'+' && is_international(&found);
    let told = international
        || is_north_american(text, start, &found)
        || extended && found.count >= 3 && found.digit_count >= 9
        || found.count >= 3 && found.digit_count >= 8 && rings_behind(text, found.end);
    if told {
        out.push(Span::new(start, found.end, Kind::Phone));
    }
    told
}

/// Whether a word, or what was one before it was redacted, stands at `start`.
fn goes_on(text: &[u8], start: usize) -> bool {
    is_word(at(text, start)) || is_placeholder(text, start)
}

/// `+` and 8 to 15 digits with a possible country code; time zones have four digits.
fn is_international(found: &Groups) -> bool {
    (8..=DIGITS.1).contains(&found.digit_count)
        && found.digits().first() != Some(&b'0')
        && (found.count > 1 || found.digit_count >= 10)
}

/// `(415) 555-0132`, `415-555-0132`, `1-415-555-0132`: area and exchange start with 2 to 9.
fn is_north_american(text: &[u8], start: usize, found: &Groups) -> bool {
    let (lengths, digits) = match (found.lengths(), found.digits()) {
        ([1, rest @ ..], [b'1', digits @ ..]) => (rest, digits),
        (rest, digits) => (rest, digits),
    };
    let open = at(text, start) == b'(';
    let dashed = !found.undashed;
    let form = lengths == [3, 3, 4] && (dashed || open);
    let area = matches!(digits.first(), Some(b'2'..=b'9'));
    let exchange = matches!(digits.get(3), Some(b'2'..=b'9'));
    form && area && exchange
}

/// Whether a word such as `office` stands behind the number.
fn rings_behind(text: &[u8], end: usize) -> bool {
    at(text, end) == b' '
        && RINGS.iter().any(|w| has(text, end + 1, w) && !is_word(at(text, end + 1 + w.len())))
}

/// The number behind a word such as `phone:` or `call me at`; `end` is behind the word.
pub(crate) fn phone_by_word(text: &[u8], start: usize, end: usize, out: &mut Vec<Span>) {
    if is_word(before(text, start)) && before(text, start).is_ascii_lowercase() {
        return;
    }
    let said = text.get(start..end).unwrap_or_default().contains(&b' ');
    let Some(first) = past_fillers(text, end) else { return };
    let Some(found) = groups(text, first) else { return };
    let follows = at(text, found.end);
    let count = found.digit_count;
    let broken = is_word(follows)
        || matches!(follows, b'_' | b':' | b'%')
        || matches!(follows, b'-' | b'.' | b'/') && goes_on(text, found.end + 1);
    let grouped = found.count >= 2 && found.lengths().iter().all(|l| *l <= 10);
    let whole = found.count == 1 && count >= 9 && !said;
    let dated = found.lengths().first() == Some(&4) && found.lengths().get(1..3) == Some(&[2, 2]);
    if !broken && (DIGITS.0..=DIGITS.1).contains(&count) && (grouped || whole) && !dated {
        out.push(Span::new(first, found.end, Kind::Phone));
    }
}

/// Skips `number is`, `: `, `="` and the like; the start of the digits behind, if any.
fn past_fillers(text: &[u8], end: usize) -> Option<usize> {
    let mut next = end;
    for _ in 0..4 {
        let gap = run(text, next, 8, |b| {
            is_blank(b) || matches!(b, b':' | b'=' | b'"' | b'\'' | b'#' | b'.' | b'\\')
        });
        let here = at(text, gap);
        if here.is_ascii_digit()
            || here == b'+'
            || here == b'(' && at(text, gap + 1).is_ascii_digit()
        {
            return (gap > next).then_some(gap);
        }
        let word = run(text, gap, 10, |b| b.is_ascii_alphabetic() || b == b'_');
        let name = text.get(gap..word).unwrap_or_default();
        let filler = ["number", "_number", "no", "is", "at", "on", "me", "us", "nr", "num"]
            .iter()
            .any(|f| name.eq_ignore_ascii_case(f.as_bytes()));
        if !filler {
            return None;
        }
        next = word;
    }
    None
}
