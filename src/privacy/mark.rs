//! Bytes, words and their boundaries, as every detector sees them.

/// Longest lower-level look-around, in bytes; it keeps every detector linear.
pub(super) const LOOK_MAX: usize = 64;

/// The byte at `at`, or a line feed beyond either end: text ends like a line does.
pub(super) fn at(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(b'\n')
}

/// The byte before `at`, or a line feed at the start.
pub(super) fn before(text: &[u8], at: usize) -> u8 {
    at.checked_sub(1).map_or(b'\n', |i| self::at(text, i))
}

/// Letter, digit or part of a character beyond ASCII.
pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// Byte of an identifier.
pub(super) const fn is_ident(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// Base64 in both alphabets.
pub(super) const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
}

/// Space or tab.
pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Whether a token may start at `start`: nothing word-like before it, except the letter of an
/// escape (`\n`) or of a percent code (`%3D`).
pub(super) fn starts_word(text: &[u8], start: usize) -> bool {
    let previous = before(text, start);
    if !is_word(previous) && previous != b'_' {
        return true;
    }
    let two = start.checked_sub(2).map(|i| at(text, i));
    let three = start.checked_sub(3).map(|i| at(text, i));
    (matches!(previous, b'n' | b'r' | b't') && two == Some(b'\\'))
        || (previous.is_ascii_hexdigit()
            && three == Some(b'%')
            && two.is_some_and(|b| b.is_ascii_hexdigit()))
}

/// End of the run of `class` bytes from `start`, at most `max` bytes long.
pub(super) fn run(text: &[u8], start: usize, max: usize, class: impl Fn(u8) -> bool) -> usize {
    let stop = text.len().min(start.saturating_add(max));
    let rest = text.get(start..stop).unwrap_or_default();
    start + rest.iter().position(|b| !class(*b)).unwrap_or(rest.len())
}

/// Start of the run of `class` bytes that ends at `end`, at most `max` bytes long.
pub(super) fn run_back(text: &[u8], end: usize, max: usize, class: impl Fn(u8) -> bool) -> usize {
    let first = end.saturating_sub(max);
    let rest = text.get(first..end).unwrap_or_default();
    rest.iter().rposition(|b| !class(*b)).map_or(first, |i| first + i + 1)
}

/// Whether `text` has `word` at `start`, in any case of letters.
pub(super) fn has(text: &[u8], start: usize, word: &str) -> bool {
    text.get(start..start.saturating_add(word.len()))
        .is_some_and(|found| found.eq_ignore_ascii_case(word.as_bytes()))
}

/// Start of the line that holds `at`, looked for at most `max` bytes back.
pub(super) fn line_start(text: &[u8], at: usize, max: usize) -> usize {
    run_back(text, at, max, |b| b != b'\n')
}

/// Shannon entropy in bits for each byte.
pub(super) fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for byte in value {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let total = value.len() as f64;
    counts.iter().filter(|c| **c > 0).map(|c| f64::from(*c) / total).map(|p| -p * p.log2()).sum()
}

/// Whether the value stands for another one: a placeholder, a template, a mask, a word like `null`.
pub(super) fn is_stand_in(value: &[u8]) -> bool {
    const WORDS: [&str; 43] = [
        "null",
        "none",
        "nil",
        "true",
        "false",
        "yes",
        "no",
        "on",
        "off",
        "undefined",
        "empty",
        "str",
        "string",
        "bytes",
        "int",
        "bool",
        "boolean",
        "char",
        "varchar",
        "text",
        "number",
        "object",
        "any",
        "void",
        "redacted",
        "filtered",
        "hidden",
        "masked",
        "required",
        "optional",
        "missing",
        "invalid",
        "incorrect",
        "wrong",
        "expired",
        "failed",
        "mismatch",
        "example",
        "prompt",
        "secretstr",
        "default",
        "unset",
        "n/a",
    ];
    let Some((first, rest)) = value.split_first() else { return true };
    match first {
        b'<' | b'[' | b'{' | b'`' => return true,
        b'$' if matches!(rest.first(), Some(b'{' | b'(' | b'A'..=b'Z' | b'a'..=b'z' | b'_')) => {
            return true;
        }
        b'%' if matches!(rest.first(), Some(b's' | b'd' | b'v' | b'(' | b'{'))
            || value.last() == Some(&b'%') =>
        {
            return true;
        }
        b'*' | b'#' if rest.first() == Some(first) => return true,
        b'&' | b'@' if rest.len() < 3 => return true,
        _ => {}
    }
    let uniform = rest.iter().all(|b| b == first);
    let crossed = value.iter().filter(|b| matches!(b, b'x' | b'X' | b'*' | b'.')).count() * 4;
    uniform
        || (value.len() >= 6 && crossed >= value.len() * 3)
        || value.windows(3).any(|w| w == b"${{" || w == b"***")
        || value.windows(7).any(|w| w == b"EXAMPLE")
        || has_your(value)
        || WORDS.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
}

/// `YOUR_TOKEN_HERE` and the like.
fn has_your(value: &[u8]) -> bool {
    value.windows(5).any(|w| w.eq_ignore_ascii_case(b"your_") || w.eq_ignore_ascii_case(b"your-"))
}

/// Whether the text at `start` is a placeholder of ours (`<EMAIL_1>`).
pub(super) fn is_placeholder(text: &[u8], start: usize) -> bool {
    let name = start + 1;
    let end =
        run(text, name, LOOK_MAX, |b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    at(text, start) == b'<' && end > name && at(text, end) == b'>'
}

/// Whether a placeholder of ours ends at `end`.
pub(super) fn follows_placeholder(text: &[u8], end: usize) -> bool {
    let Some(close) = end.checked_sub(1).filter(|c| at(text, *c) == b'>') else { return false };
    let name = run_back(text, close, LOOK_MAX, |b| {
        b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'
    });
    name < close && before(text, name) == b'<'
}
