//! `name = value` in every spelling: environment, INI, YAML, JSON (also inside a JSON string), XML,
//! URL queries, command line flags, function arguments, `name`/`value` siblings.

use super::key_name::{Announced, announced};
use super::value::{
    Found, is_reference, looks_random, quoted_or_word, rest_of_line, sibling_value,
};
use crate::privacy::mark::{
    LOOK_MAX, at, before, has, is_blank, is_ident, is_placeholder, is_stand_in, line_start, run,
    run_back,
};
use crate::privacy::{Kind, spans::Span};

/// Most blanks around a separator: aligned columns, not a gap in a table.
const BLANKS_MAX: usize = 40;
/// Longest block scalar below a name, in bytes.
const BLOCK_BYTES_MAX: usize = 16 * 1024;

/// Length from which an unquoted value is read only once, in bytes, even if it was not taken.
const VALUE_READ_ONCE_BYTES: usize = 256;

/// How the value is tied to the name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tie {
    /// `=` and its relatives.
    Equals,
    /// `:`.
    Colon,
    /// `--name value`.
    Flag,
    /// `f("name", "value")`.
    Argument,
    /// `<name>value</name>`.
    Element,
}

/// Where a name stands.
struct Name {
    start: usize,
    end: usize,
    /// Behind `-` or `--`.
    flag: bool,
}

/// The assignment whose name holds the trigger at `start..end`. `done` is the end of the last name
/// looked at: a name with several triggers is read once.
pub(crate) fn assignment(
    text: &[u8],
    (start, end): (usize, usize),
    done: &mut usize,
    out: &mut Vec<Span>,
) {
    if start < *done {
        return;
    }
    let name = name_around(text, start, end);
    *done = name.end;
    let Some(announced) = text.get(name.start..name.end).and_then(announced) else { return };
    let Some((tie, value)) = tied_value(text, &name, announced) else { return };
    if at(text, value) == b'\n' || at(text, value) == b'\r' {
        if announced == Announced::Password && tie == Tie::Colon {
            nested_value(text, name.start, value, out);
        }
        return;
    }
    if tie == Tie::Colon && matches!(at(text, value), b'|' | b'>') {
        block_scalar(text, name.start, value, out);
        return;
    }
    let mut found = quoted_or_word(text, skip_yaml_tag(text, value));
    if tie == Tie::Element {
        found.end = run(text, found.start, LOOK_MAX * 8, |b| !matches!(b, b'<' | b'\n'));
        found.quoted = true;
    }
    let kind = match announced {
        Announced::Password => Kind::Password,
        Announced::Secret => Kind::Secret,
        Announced::Random(kind, _) => kind,
    };
    let bare = announced == Announced::Password && !found.quoted && !is_reference(text, &found);
    if bare && opens_line(text, &name) {
        widen(text, tie, &mut found);
    }
    let taken = accepted(text, &name, announced, tie, &found);
    if taken {
        out.push(Span::new(found.start, found.end, kind));
    }
    // What lies inside is part of this value; reading it again at each name would not be linear.
    if taken || !found.quoted && found.end - found.start > VALUE_READ_ONCE_BYTES {
        *done = found.end;
    }
}

fn name_around(text: &[u8], start: usize, end: usize) -> Name {
    let mut first = run_back(text, start, LOOK_MAX, is_ident);
    let mut last = run(text, end, LOOK_MAX, is_ident);
    let dashes = run(text, first, 2, |b| b == b'-') - first;
    first += dashes;
    while last > end && matches!(before(text, last), b'.' | b'-') {
        last -= 1;
    }
    Name { start: first, end: last, flag: dashes > 0 }
}

/// Finds the separator behind a name and the start of the value.
fn tied_value(text: &[u8], name: &Name, announced: Announced) -> Option<(Tie, usize)> {
    let closed = run(text, name.end, 4, |b| matches!(b, b'"' | b'\'' | b'\\' | b'`' | b']'));
    let separator = run(text, closed, BLANKS_MAX, is_blank);
    let behind = |from: usize| run(text, from, BLANKS_MAX, is_blank);
    let quoted = closed > name.end;
    match at(text, separator) {
        b'=' => match at(text, separator + 1) {
            b'=' | b'~' => None,
            b'>' => Some((Tie::Equals, behind(separator + 2))),
            _ => Some((Tie::Equals, behind(separator + 1))),
        },
        b':' => {
            let colons = run(text, separator, 4, |b| b == b':');
            match at(text, colons) {
                b'=' => Some((Tie::Equals, behind(colons + 1))),
                _ if colons > separator + 1 => None,
                _ => Some((Tie::Colon, behind(colons))),
            }
        }
        b'?' if at(text, separator + 1) == b'=' => Some((Tie::Equals, behind(separator + 2))),
        b'%' if has(text, separator, "%3d") => Some((Tie::Equals, separator + 3)),
        b',' if quoted => {
            let value = behind(separator + 1);
            match sibling_value(text, name.end) {
                Some(value) => Some((Tie::Equals, value)),
                None => (matches!(at(text, value), b'"' | b'\'')
                    && before(text, name.start) == at(text, closed - 1))
                .then_some((Tie::Argument, value)),
            }
        }
        b'>' if opens_element(text, name) => Some((Tie::Element, separator + 1)),
        _ if name.flag && separator > closed && at(text, separator) != b'-' => {
            Some((Tie::Flag, separator))
        }
        b'"' | b'\'' if announced == Announced::Password && separator > closed => {
            Some((Tie::Argument, separator))
        }
        _ if announced == Announced::Password
            && separator > closed
            && follows_login(text, name) =>
        {
            Some((Tie::Flag, separator))
        }
        _ => sibling_value(text, name.end).map(|value| (Tie::Equals, value)),
    }
}

/// Whether the name is that of an XML element with text, not one of our placeholders.
fn opens_element(text: &[u8], name: &Name) -> bool {
    let value = run(text, name.end + 1, LOOK_MAX * 8, |b| !matches!(b, b'<' | b'\n'));
    let numbered = text.get(name.start..name.end).is_some_and(|n| {
        n.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_')
            && n.last().is_some_and(u8::is_ascii_digit)
    });
    before(text, name.start) == b'<' && !numbered && has(text, value, "</")
}

/// `machine h login u password p` of a netrc file.
fn follows_login(text: &[u8], name: &Name) -> bool {
    let line = line_start(text, name.start, LOOK_MAX * 2);
    let head = text.get(line..name.start).unwrap_or_default();
    head.windows(7).any(|w| w == b" login " || w == b"\tlogin ")
}

/// Whether only blanks, a list dash or `export` stand before the name on its line.
fn opens_line(text: &[u8], name: &Name) -> bool {
    let line = line_start(text, name.start, LOOK_MAX);
    let head = text.get(line..name.start).unwrap_or_default().trim_ascii();
    matches!(head, b"" | b"-" | b"export" | b"set" | b"#" | b"ENV" | b"ARG")
        || (head.len() < LOOK_MAX && head.ends_with(b"::") && !head.contains(&b' '))
}

/// A password that opens its line may hold commas and brackets, and, unless it reads like prose,
/// blanks.
fn widen(text: &[u8], tie: Tie, found: &mut Found) {
    let word = run(text, found.start, LOOK_MAX * 8, |b| !b.is_ascii_whitespace());
    if !matches!(at(text, found.end), b'(' | b'[') && at(text, found.start) != b'<' {
        found.end = found.end.max(word);
    }
    if tie != Tie::Colon {
        return;
    }
    let rest = rest_of_line(text, found.start);
    let tail = text.get(found.end..rest).unwrap_or_default();
    let prose = tail.iter().all(|b| b.is_ascii_lowercase() || b" .,'\"?!".contains(b));
    if !tail.is_empty() && !prose && !is_placeholder(text, found.start) {
        found.end = rest;
    }
}

/// YAML's `!!binary` and other tags in front of a value.
fn skip_yaml_tag(text: &[u8], value: usize) -> usize {
    if at(text, value) != b'!' {
        return value;
    }
    let end = run(text, value, LOOK_MAX, |b| !b.is_ascii_whitespace());
    if is_blank(at(text, end)) { run(text, end, BLANKS_MAX, is_blank) } else { value }
}

fn accepted(text: &[u8], name: &Name, announced: Announced, tie: Tie, found: &Found) -> bool {
    let value = text.get(found.start..found.end).unwrap_or_default();
    let cut_short = !found.quoted && is_placeholder(text, found.end);
    if cut_short || is_stand_in(value) || is_placeholder(text, found.start) {
        return false;
    }
    if is_reference(text, found) {
        return false;
    }
    let plain = value.iter().all(|b| b.is_ascii_alphabetic() || *b == b'_' || *b == b'-');
    match announced {
        Announced::Password => {
            let same =
                text.get(name.start..name.end).is_some_and(|n| n.eq_ignore_ascii_case(value));
            let code = same && !found.quoted;
            let more =
                is_blank(at(text, found.end)) && at(text, found.end + 1).is_ascii_alphabetic();
            let prose = tie == Tie::Colon && !found.quoted && plain && more;
            let flagged = tie == Tie::Flag && plain && value.len() < 4;
            value.len() >= 2 && !code && !prose && !flagged
        }
        Announced::Secret => {
            let varied = value.iter().any(u8::is_ascii_digit)
                || value.iter().any(u8::is_ascii_uppercase)
                    && value.iter().any(u8::is_ascii_lowercase)
                || value.len() >= 20 && tie == Tie::Equals;
            looks_random(value, 10)
                || found.quoted && value.len() >= 6 && varied && !value.contains(&b' ') && !plain
                || !found.quoted && value.len() >= 8 && varied && !plain && tie == Tie::Equals
        }
        Announced::Random(_, min) => {
            let dashed = matches!(tie, Tie::Flag | Tie::Argument) && plain;
            looks_random(value, min) && !dashed
        }
    }
}

/// A literal block below a name (`password: |`).
fn block_scalar(text: &[u8], name: usize, value: usize, out: &mut Vec<Span>) {
    let head = run(text, value + 1, 3, |b| matches!(b, b'+' | b'-') || b.is_ascii_digit());
    let head = run(text, head, 2, |b| b == b'\r');
    if at(text, head) != b'\n' || head >= text.len() {
        return;
    }
    let depth = indent(text, line_start(text, name, LOOK_MAX * 2));
    if let Some((start, end)) = block(text, head + 1, depth)
        && !is_placeholder(text, start)
    {
        out.push(Span::new(start, end, Kind::Secret));
    }
}

/// First byte and end of the lines from `start` that are indented deeper than `depth`.
pub(super) fn block(text: &[u8], start: usize, depth: usize) -> Option<(usize, usize)> {
    let limit = text.len().min(start + BLOCK_BYTES_MAX);
    let (mut line, mut first, mut end) = (start, None, start);
    while line < limit {
        let stop = run(text, line, limit - line, |b| b != b'\n');
        let content = line + indent(text, line);
        let blank = text.get(content..stop).unwrap_or_default().trim_ascii().is_empty();
        if !blank {
            if content - line <= depth {
                break;
            }
            first = first.or(Some(content));
            end = content + text.get(content..stop).unwrap_or_default().trim_ascii_end().len();
        }
        line = stop + 1;
    }
    first.map(|first| (first, end))
}

/// Blanks at the start of a line.
pub(super) fn indent(text: &[u8], line: usize) -> usize {
    run(text, line, LOOK_MAX * 2, is_blank) - line
}

/// `password:` with its value one level below, under a name such as `secure`.
fn nested_value(text: &[u8], name: usize, line_end: usize, out: &mut Vec<Span>) {
    let line = run(text, line_end, 2, |b| matches!(b, b'\r' | b'\n'));
    let depth = indent(text, line_start(text, name, LOOK_MAX * 2));
    let child = line + indent(text, line);
    if child - line <= depth {
        return;
    }
    let name_end = run(text, child, LOOK_MAX, is_ident);
    let known = ["secure", "value", "plain", "plaintext", "raw", "default"].iter().any(|word| {
        text.get(child..name_end).is_some_and(|n| n.eq_ignore_ascii_case(word.as_bytes()))
    });
    if !known || at(text, name_end) != b':' {
        return;
    }
    let found = quoted_or_word(text, run(text, name_end + 1, BLANKS_MAX, is_blank));
    let value = text.get(found.range()).unwrap_or_default();
    if value.len() >= 4 && !is_stand_in(value) && !is_placeholder(text, found.start) {
        out.push(Span::new(found.start, found.end, Kind::Password));
    }
}
