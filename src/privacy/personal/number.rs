//! Numbers with a checksum or a fixed form: payment cards, bank accounts, social security.

use crate::privacy::mark::{LOOK_MAX, at, before, is_word, run, run_back};
use crate::privacy::{Kind, spans::Span};

/// Longest card number with separators, in bytes (19 digits in groups).
const CARD_BYTES_MAX: usize = 24;

/// A payment card number whose first digit is at `start`: issuer range, length, Luhn.
pub(crate) fn card(text: &[u8], start: usize, out: &mut Vec<Span>) -> bool {
    let plain_end = run(text, start, CARD_BYTES_MAX, |b| b.is_ascii_digit());
    let grouped = plain_end - start == 4;
    let end = if grouped { grouped_end(text, start) } else { plain_end };
    let mut room = [0u8; CARD_BYTES_MAX];
    let mut count = 0;
    let found = text.get(start..end).unwrap_or_default().iter().filter(|b| b.is_ascii_digit());
    for (slot, digit) in room.iter_mut().zip(found) {
        *slot = digit - b'0';
        count += 1;
    }
    let digits = room.get(..count).unwrap_or_default();
    let near = is_word(before(text, start))
        || matches!(before(text, start), b'.' | b'_' | b'-' | b'+' | b'/')
        || is_word(at(text, end))
        || matches!(at(text, end), b'_' | b'-')
        || at(text, end) == b'.' && at(text, end + 1).is_ascii_digit();
    if near || !luhn(digits) {
        return false;
    }
    let context = said_before(text, start, &["card", "visa", "mastercard", "amex", "pan", "cc"]);
    let certain = match issued(digits) {
        Issued::Nobody => return false,
        Issued::Rare => context,
        Issued::Common => context || grouped || !is_machine_id(text, start),
    };
    if certain {
        out.push(Span::new(start, end, Kind::CreditCard));
    }
    certain
}

/// End of a number in groups of four (the last may be shorter), or 4-6-5.
fn grouped_end(text: &[u8], start: usize) -> usize {
    let separator = at(text, start + 4);
    let mut end = start + 4;
    for group in 1..5 {
        let next = run(text, end + 1, 7, |b| b.is_ascii_digit());
        let length = next - end - 1;
        let last = group >= 3 && length >= 1 || group == 2 && length == 5;
        if at(text, end) != separator || !(length == 4 || group == 1 && length == 6 || last) {
            break;
        }
        end = next;
        if end - start - group == 16 || group == 2 && length == 5 {
            break;
        }
    }
    end
}

enum Issued {
    Nobody,
    /// Ranges and lengths that random numbers hit as often as cards do.
    Rare,
    Common,
}

/// Issuer ranges (ISO/IEC 7812) with the lengths they are issued in.
fn issued(digits: &[u8]) -> Issued {
    let number = |n: usize| digits.iter().take(n).fold(0u32, |sum, d| sum * 10 + u32::from(*d));
    let (two, three, four) = (number(2), number(3), number(4));
    match digits.len() {
        16 if two / 10 == 4
            || (51..=55).contains(&two)
            || (2221..=2720).contains(&four)
            || four == 6011
            || two == 65
            || (644..=649).contains(&three)
            || two == 35 && (3528..=3589).contains(&four) =>
        {
            Issued::Common
        }
        15 if matches!(two, 34 | 37) => Issued::Common,
        13 | 19 if two / 10 == 4 => Issued::Rare,
        14 if matches!(two, 36 | 38 | 39) || (300..=305).contains(&three) => Issued::Rare,
        16..=19 if two == 62 => Issued::Rare,
        12..=19 if matches!(two, 50 | 56..=58 | 63 | 67) => Issued::Rare,
        _ => Issued::Nobody,
    }
}

/// ISO/IEC 7812-1 annex B.
fn luhn(digits: &[u8]) -> bool {
    if digits.len() < 12 || digits.iter().all(|d| Some(d) == digits.first()) {
        return false;
    }
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| match u32::from(*d) {
            d if i % 2 == 0 => d,
            d if d > 4 => d * 2 - 9,
            d => d * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether one of the words stands shortly before `start` on the same line.
fn said_before(text: &[u8], start: usize, words: &[&str]) -> bool {
    let from = start.saturating_sub(LOOK_MAX / 2);
    let head = text.get(from..start).unwrap_or_default();
    let line = head.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    let head = head.get(line..).unwrap_or_default();
    words.iter().any(|word| {
        head.windows(word.len()).enumerate().any(|(i, w)| {
            w.eq_ignore_ascii_case(word.as_bytes())
                && (word.len() > 3
                    || !is_word(before(head, i)) && !is_word(at(head, i + word.len())))
        })
    })
}

/// Whether the name before a bare number says that a machine counted it.
fn is_machine_id(text: &[u8], start: usize) -> bool {
    const WORDS: [&str; 22] = [
        "id",
        "ids",
        "span",
        "trace",
        "time",
        "ts",
        "timestamp",
        "seq",
        "offset",
        "block",
        "hash",
        "pid",
        "tid",
        "addr",
        "size",
        "bytes",
        "count",
        "total",
        "version",
        "nanos",
        "ns",
        "us",
    ];
    let gap =
        run_back(text, start, 6, |b| matches!(b, b' ' | b'"' | b'\'' | b':' | b'=' | b'[' | b'('));
    let word = run_back(text, gap, 16, |b| b.is_ascii_alphabetic());
    let name = text.get(word..gap).unwrap_or_default();
    let camel_id = name.ends_with(b"Id") || name.ends_with(b"ID");
    camel_id || WORDS.iter().any(|w| name.eq_ignore_ascii_case(w.as_bytes()))
}

/// Lengths by country (IBAN registry of SWIFT, release 99).
const IBAN_LENGTHS: [(&[u8; 2], usize); 45] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BR", 29),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DK", 18),
    (b"EE", 20),
    (b"ES", 24),
    (b"FI", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GR", 27),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"KW", 30),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"MC", 27),
    (b"MT", 31),
    (b"NL", 18),
    (b"NO", 15),
    (b"PL", 28),
    (b"PT", 25),
    (b"RO", 24),
    (b"SA", 24),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"TR", 26),
];

/// An account number whose two check digits start at `digits`, behind two capitals (ISO 13616).
pub(crate) fn iban(text: &[u8], digits: usize, out: &mut Vec<Span>) -> bool {
    let Some(start) = digits.checked_sub(2) else { return false };
    let Some(country) = text.get(start..digits) else { return false };
    if is_word(before(text, start)) || before(text, start) == b'_' {
        return false;
    }
    let Some((_, length)) = IBAN_LENGTHS.iter().find(|(code, _)| code.as_slice() == country) else {
        return false;
    };
    let mut found = Vec::with_capacity(*length);
    let mut end = start;
    while found.len() < *length {
        match at(text, end) {
            b if b.is_ascii_digit() || b.is_ascii_uppercase() => found.push(b),
            b' ' if found.len() % 4 == 0 && !found.is_empty() => {}
            _ => return false,
        }
        end += 1;
    }
    let valid = !is_word(at(text, end)) && mod_97(&found) == 1;
    if valid {
        out.push(Span::new(start, end, Kind::Iban));
    }
    valid
}

/// ISO 7064 MOD 97-10 of the number with its first four characters moved behind the others.
fn mod_97(account: &[u8]) -> u32 {
    let (head, tail) = account.split_at(account.len().min(4));
    tail.iter().chain(head).fold(0u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        letter => (rest * 100 + u32::from(letter.wrapping_sub(b'A')) + 10) % 97,
    })
}

/// A social security number whose first digit is at `start`: `ddd-dd-dddd` with an area, group and
/// serial that are issued; with blanks or bare only behind the words.
pub(crate) fn ssn(text: &[u8], start: usize, out: &mut Vec<Span>) -> bool {
    let part = |from: usize| run(text, from, 10, |b| b.is_ascii_digit());
    let first = part(start);
    let separator = at(text, first);
    let end = match first - start {
        3 if matches!(separator, b'-' | b' ') => {
            let second = part(first + 1);
            let third = part(second + 1);
            if second - first != 3 || at(text, second) != separator || third - second != 5 {
                return false;
            }
            third
        }
        9 => first,
        _ => return false,
    };
    let near = |b: u8| is_word(b) || matches!(b, b'-' | b'.' | b'_' | b'/');
    let follows = at(text, end);
    if near(before(text, start)) || is_word(follows) || matches!(follows, b'-' | b'_') {
        return false;
    }
    let digits: Vec<u8> = text
        .get(start..end)
        .unwrap_or_default()
        .iter()
        .filter(|b| b.is_ascii_digit())
        .copied()
        .collect();
    let issued = digits.len() == 9
        && !matches!(digits.get(..3), Some(b"000" | b"666"))
        && digits.first() != Some(&b'9')
        && digits.get(3..5) != Some(b"00")
        && digits.get(5..) != Some(b"0000");
    let told = end - start == 11 && separator == b'-'
        || said_before(text, start, &["ssn", "social security", "ssn#"]);
    if issued && told {
        out.push(Span::new(start, end, Kind::Ssn));
    }
    issued && told
}
