//! Stretches of text to replace, and what happens where two of them overlap.

use super::Kind;

/// A stretch of bytes that holds a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    /// One past the last byte.
    pub(super) end: usize,
    pub(super) kind: Kind,
}

impl Span {
    pub(super) const fn new(start: usize, end: usize, kind: Kind) -> Self {
        Self { start, end, kind }
    }

    const fn len(&self) -> usize {
        self.end - self.start
    }
}

/// Sorts spans and makes them disjoint without uncovering a byte of any secret.
pub(super) fn settle(spans: &mut Vec<Span>) {
    spans.sort_unstable_by(|a, b| {
        a.start.cmp(&b.start).then(b.kind.is_secret().cmp(&a.kind.is_secret()))
    });
    let mut kept: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans.drain(..) {
        match kept.last_mut() {
            Some(last) if span.start < last.end => join(last, span),
            _ => kept.push(span),
        }
    }
    *spans = kept;
}

/// Joins `next`, which starts inside `last`, to it.
fn join(last: &mut Span, next: Span) {
    // The tail of an "address" whose front is a password is the host of a URL: it stays readable.
    if last.kind.is_secret() && !next.kind.is_secret() {
        return;
    }
    let named_better = next.kind.is_secret() && !last.kind.is_secret()
        || next.len() > last.len()
        || next.len() == last.len() && next.kind > last.kind;
    if named_better {
        last.kind = next.kind;
    }
    last.end = last.end.max(next.end);
}
