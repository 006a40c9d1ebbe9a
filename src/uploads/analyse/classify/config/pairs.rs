//! Sections and `key = value`: INI, TOML, properties, environment files.

use super::super::sample::share;

/// Defaults in comments from which a file without settings is still one of settings.
const REMARKS_MIN: usize = 3;

/// INI, TOML, properties and environment files: sections and `key = value`.
pub(super) fn pairs(lines: &[&str]) -> Option<(&'static str, f64)> {
    let (mut seen, mut sections, mut pairs, mut typed, mut spaced) = (0, 0, 0, 0, 0);
    let (mut upper, mut dotted, mut loose, mut tables) = (0, 0, 0, 0);
    let (mut open, mut continued, mut remarked, mut strays) = (false, 0, 0, 0);
    for line in lines.iter().map(|line| line.trim_end()).filter(|line| !line.trim().is_empty()) {
        let trimmed = line.trim_start();
        if open || trimmed.starts_with(['#', ';', '!']) {
            let listed = trimmed.ends_with([',', ']', '}']) || closes_text(trimmed);
            continued += usize::from(open && !listed);
            open &= !trimmed.starts_with([']', '}']) && !closes_text(trimmed);
            remarked += usize::from(is_remark(trimmed));
            continue;
        }
        seen += 1;
        if is_section(trimmed) {
            sections += 1;
            tables += usize::from(trimmed.starts_with("[["));
        } else if let Some((key, value)) = pair(trimmed) {
            pairs += 1;
            typed += usize::from(is_typed(value));
            spaced += usize::from(value.contains(' ') && !is_typed(value));
            upper += usize::from(is_upper(key));
            dotted += usize::from(key.contains(['.', '-']));
            open = opens_value(value);
        } else if sections > 0 && is_loose(trimmed) && line.starts_with([' ', '\t']) {
            loose += 1;
        } else if line.starts_with([' ', '\t', ']', '}']) || trimmed.ends_with(',') {
            // The value of a line before goes on.
            seen -= 1;
            continued += 1;
        }
        strays += usize::from(sections + pairs == 0);
    }
    let known = sections + pairs + loose;
    if seen == known && known < REMARKS_MIN && remarked >= REMARKS_MIN {
        return Some(("properties", 0.6));
    }
    let fits = share(known, seen);
    // A program is mostly indented, too, but seldom begins with a section or a pair.
    if fits < 0.8 || pairs + loose == 0 || continued > 3 * known || strays > 0 {
        return None;
    }
    let many = 0.03 * (pairs + loose).min(5) as f64;
    let all_typed = pairs > 0 && share(typed, pairs) >= 0.9;
    Some(match () {
        () if sections > 0 && (all_typed || tables > 0) => ("toml", 0.82 + many),
        () if sections > 0 => ("ini", 0.78 + many),
        () if fits < 0.9 => return None,
        () if share(upper, pairs) >= 0.9 => ("env", 0.78 + many),
        () if share(dotted, pairs) >= 0.3 => ("properties", 0.75 + many),
        () if all_typed => ("toml", 0.5 + many),
        () if share(spaced, pairs) < 0.5 => ("properties", 0.5 + many),
        () => return None,
    })
}

/// `# key = value`: a default that a comment names.
fn is_remark(line: &str) -> bool {
    let text = line.trim_start_matches(['#', ';', ' ']);
    pair(text).is_some_and(|(key, _)| key.contains(['.', '_', '-']) || !key.contains(' '))
}

fn is_section(line: &str) -> bool {
    let name = line.split(" #").next().unwrap_or(line).trim_end();
    let inner = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|name| {
        !name.is_empty()
            && name.len() <= 120
            && !name.contains(['{', ','])
            && !name.starts_with('"')
            || name.starts_with('"') && name.ends_with('"') && !name.contains(',')
    })
}

/// `key = value`, `key=value`, `export KEY=value`; the key is one word.
pub(super) fn pair(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (key, value) = line.split_once('=')?;
    let key = key.trim_end();
    let quoted = key.len() > 2 && key.starts_with('"') && key.ends_with('"');
    let sound = |b: u8| b.is_ascii_alphanumeric() || b"_-.[]:/%*\"'".contains(&b);
    let plain = !key.is_empty() && key.bytes().all(sound) && !value.starts_with(['=', '>', '~']);
    // A second `word=` belongs to a line of a log, a semicolon at the end to a program.
    let more = value.split(' ').skip(1).any(|word| {
        word.split_once('=').is_some_and(|(key, _)| {
            key.len() > 1 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        })
    });
    let program = value.ends_with(';') || value.ends_with('{') || value.contains("=> ");
    let bracketed = value.trim_start().starts_with(['"', '\'', '{', '[']);
    ((quoted || plain) && (!more || bracketed) && !program).then_some((key, value.trim()))
}

fn is_typed(value: &str) -> bool {
    let first = value.as_bytes().first().copied().unwrap_or(0);
    matches!(first, b'"' | b'\'' | b'[' | b'{')
        || value.starts_with("true")
        || value.starts_with("false")
        || (first.is_ascii_digit() || b"+-".contains(&first))
            && !value.contains(' ')
            && value.parse::<f64>().is_ok()
}

fn is_upper(key: &str) -> bool {
    key.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        && key.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
}

fn is_loose(line: &str) -> bool {
    let key = line.split([' ', '\t']).next().unwrap_or_default();
    key.len() < line.len() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

/// A list, table or text that later lines go on with.
fn opens_value(value: &str) -> bool {
    let text = |mark: &str| value.starts_with(mark) && value.matches(mark).count() == 1;
    (value.starts_with('[') && !value.contains(']'))
        || (value.starts_with('{') && !value.contains('}'))
        || text("\"\"\"")
        || text("'''")
}

fn closes_text(line: &str) -> bool {
    line.ends_with("\"\"\"") || line.ends_with("'''") || line.ends_with(']')
}
