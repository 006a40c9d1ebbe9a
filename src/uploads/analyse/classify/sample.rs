//! The part of a file that is looked at: its beginning and a little of its end.

use super::super::logs::text;
use std::borrow::Cow;

/// Bytes looked at from the beginning; enough for the head of any format and hundreds of log lines.
const HEAD_BYTES: usize = 64 * 1024;
/// Bytes looked at from the end: the mark `# EOF`, the keys that a long JSON document closes with.
const TAIL_BYTES: usize = 8 * 1024;
/// Most lines looked at one by one.
const LINES_MAX: usize = 1000;

/// Decoded beginning and end of a file.
pub(super) struct Decoded<'a> {
    head: Cow<'a, str>,
    tail: Cow<'a, str>,
    cut: bool,
}

/// Decodes the beginning and the end of `content`.
pub(super) fn decode(content: &[u8]) -> Decoded<'_> {
    let cut = content.len() > HEAD_BYTES + TAIL_BYTES;
    let (head, tail) = if cut {
        // The bytes of a cut character or of UTF-16 in the tail become U+FFFD, which no one reads.
        (content.get(..HEAD_BYTES), content.get(content.len() - TAIL_BYTES..))
    } else {
        (Some(content), None)
    };
    let decode = |bytes: Option<_>| bytes.map_or(Cow::Borrowed(""), |b| text::decode(b).text);
    Decoded { head: decode(head), tail: decode(tail), cut }
}

/// What recognisers look at.
pub(super) struct Sample<'a> {
    /// The beginning; all of a small file.
    pub(super) text: &'a str,
    /// The end of a file that is longer than [`Self::text`].
    pub(super) tail: &'a str,
    /// Lines of the beginning without their ends; whole ones only.
    pub(super) lines: Vec<&'a str>,
}

impl<'a> Sample<'a> {
    /// Splits the beginning into lines.
    pub(super) fn new(decoded: &'a Decoded<'_>) -> Self {
        let mut lines: Vec<_> =
            text::lines(&decoded.head).take(LINES_MAX).map(|line| line.text).collect();
        if decoded.cut && lines.len() > 1 && lines.len() < LINES_MAX {
            lines.pop();
        }
        Self { text: &decoded.head, tail: &decoded.tail, lines }
    }

    /// Whether there is nothing but white space.
    pub(super) fn is_empty(&self) -> bool {
        self.text.trim().is_empty() && self.tail.trim().is_empty()
    }

    /// Lines that are not empty, trimmed.
    pub(super) fn filled(&self) -> impl Iterator<Item = &'a str> {
        self.lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty())
    }

    /// The first `bytes_max` bytes.
    pub(super) fn start(&self, bytes_max: usize) -> &'a str {
        text::cut(self.text, bytes_max)
    }
}

/// `part` of `whole`, 0 to 1; 0 of nothing.
pub(super) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
