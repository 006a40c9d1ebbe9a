//! Every value under `data:` and `stringData:` of a Kubernetes `Secret`, in YAML and JSON.

use super::assignment::{block, indent};
use super::value::quoted_or_word;
use crate::privacy::mark::{at, has, is_blank, is_ident, is_placeholder, run};
use crate::privacy::{Kind, spans::Span};
use memchr::memmem;

/// How far around `kind: Secret` its data is looked for, in bytes: etcd refuses larger objects.
const DOCUMENT_BYTES_MAX: usize = 1024 * 1024;

/// The document around the trigger at `start`; `done` is the end of the last one read, so that
/// each is read once.
pub(crate) fn kubernetes_secret(text: &[u8], start: usize, done: &mut usize, out: &mut Vec<Span>) {
    if start < *done {
        return;
    }
    let first = start.saturating_sub(DOCUMENT_BYTES_MAX).max(*done);
    let head = text.get(first..start).unwrap_or_default();
    let from = memmem::rfind(head, b"\n---").map_or(first, |i| first + i + 4);
    let limit = text.len().min(start + DOCUMENT_BYTES_MAX);
    let tail = text.get(start..limit).unwrap_or_default();
    let to = memmem::find(tail, b"\n---").map_or(limit, |i| start + i);
    *done = to;
    if at(text, start + 4) == b'"' { json(text, from, to, out) } else { yaml(text, from, to, out) }
}

fn yaml(text: &[u8], from: usize, to: usize, out: &mut Vec<Span>) {
    let mut line = from;
    let mut section: Option<usize> = None;
    while line < to {
        let stop = run(text, line, to - line, |b| b != b'\n');
        let depth = indent(text, line);
        let content = line + depth;
        let body = text.get(content..stop).unwrap_or_default().trim_ascii_end();
        line = stop + 1;
        if body.is_empty() || body.starts_with(b"#") {
            continue;
        }
        if body == b"data:" || body == b"stringData:" {
            section = Some(depth);
            continue;
        }
        if section.is_some_and(|outer| depth <= outer) {
            section = None;
        }
        if section.is_some() {
            line = entry(text, content, depth, stop, out).max(line);
        }
    }
}

/// One `name: value` of the data; returns where to read on.
fn entry(text: &[u8], content: usize, depth: usize, stop: usize, out: &mut Vec<Span>) -> usize {
    let quote = usize::from(matches!(at(text, content), b'"' | b'\''));
    let name = run(text, content + quote, 253, is_ident) + quote;
    if at(text, name) != b':' {
        return stop;
    }
    let value = run(text, name + 1, 40, is_blank);
    if matches!(at(text, value), b'|' | b'>') {
        if let Some((start, end)) = block(text, stop + 1, depth) {
            push(text, start, end, out);
            return end;
        }
        return stop;
    }
    let found = quoted_or_word(text, value);
    push(text, found.start, found.end.min(stop), out);
    stop
}

fn json(text: &[u8], from: usize, to: usize, out: &mut Vec<Span>) {
    let mut name = from;
    while name < to {
        let rest = text.get(name..to).unwrap_or_default();
        let Some(found) = memmem::find(rest, b"ata\"") else { return };
        let end = name + found + 4;
        name = end;
        if !has(text, end - 6, "\"data\"") && !has(text, end - 12, "\"stringData\"") {
            continue;
        }
        let open = run(text, end, 40, |b| b.is_ascii_whitespace() || b == b':');
        if at(text, open) == b'{' {
            name = object(text, open + 1, to, out);
        }
    }
}

/// The values of one flat JSON object; returns its end.
fn object(text: &[u8], start: usize, to: usize, out: &mut Vec<Span>) -> usize {
    let mut next = start;
    let mut value = false;
    while next < to {
        match at(text, next) {
            b'}' | b'{' => return next,
            b':' => value = true,
            b',' => value = false,
            b'"' => {
                let found = quoted_or_word(text, next);
                if value {
                    push(text, found.start, found.end, out);
                }
                next = found.end;
            }
            _ => {}
        }
        next += 1;
    }
    to
}

fn push(text: &[u8], start: usize, end: usize, out: &mut Vec<Span>) {
    if end > start && !is_placeholder(text, start) && at(text, start) != b'{' {
        out.push(Span::new(start, end, Kind::KubernetesSecret));
    }
}
