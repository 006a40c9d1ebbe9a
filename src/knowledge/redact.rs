//! What may be indexed of a document, and where it lies in the document.

use super::error::KnowledgeError;
use crate::privacy::{Placeholders, Policy, Redactor, Salt};
use crate::search::SearchError;
use std::borrow::Cow;

/// Texts up to this size are redacted on the calling thread: some milliseconds.
const INLINE_BYTES_MAX: usize = 16 << 10;

/// A document without what may not be indexed.
pub(super) struct Cleared {
    pub(super) title: String,
    pub(super) content: String,
    /// From `content` to the text as given.
    pub(super) places: Places,
}

/// Redacts a document and compares it with the text as given; a long one on a blocking thread, so
/// that it holds up no other request.
///
/// # Errors
/// [`SearchError::Stopped`] when the blocking thread is lost: the server is stopping.
pub(super) async fn clear(
    policy: &Policy,
    salt: [u8; 32],
    title: &str,
    content: &str,
) -> Result<Cleared, KnowledgeError> {
    if title.len() + content.len() <= INLINE_BYTES_MAX {
        return Ok(Cleared::new(policy, salt, title, content));
    }
    let (policy, title, content) = (policy.clone(), title.to_owned(), content.to_owned());
    let work = move || Cleared::new(&policy, salt, &title, &content);
    Ok(tokio::task::spawn_blocking(work).await.map_err(|_| SearchError::Stopped)?)
}

impl Cleared {
    fn new(policy: &Policy, salt: [u8; 32], title: &str, content: &str) -> Self {
        let (title, redacted) = redact(policy, salt, title, content);
        let places = Places::new(content, &redacted);
        Self { title: title.into_owned(), content: redacted.into_owned(), places }
    }
}

/// Redacts title and text of one document; equal values have equal placeholders in both.
fn redact<'t>(
    policy: &Policy,
    salt: [u8; 32],
    title: &'t str,
    content: &'t str,
) -> (Cow<'t, str>, Cow<'t, str>) {
    let mut placeholders = Placeholders::new(Salt::new(salt));
    let redactor = Redactor::new(policy);
    let content = redactor.redact(content, &mut placeholders).text;
    (redactor.redact(title, &mut placeholders).text, content)
}

/// Translates places in a redacted text to places in the text as given.
///
/// Redaction keeps every line break, so lines correspond; within a line, what both have in common
/// at its ends corresponds, and a place between is moved outwards to the end of that.
pub(super) struct Places {
    /// The lines, in order; empty when the texts are equal.
    lines: Vec<Line>,
}

/// A line in both texts: first bytes, lengths, and how much both have in common at their ends.
struct Line {
    given_start: usize,
    given_len: usize,
    redacted_start: usize,
    redacted_len: usize,
    prefix: usize,
    suffix: usize,
}

impl Places {
    /// Compares the two texts.
    pub(super) fn new(given: &str, redacted: &str) -> Self {
        let mut lines = Vec::new();
        if given != redacted {
            let (mut given_start, mut redacted_start) = (0, 0);
            for (given, redacted) in given.split_inclusive('\n').zip(redacted.split_inclusive('\n'))
            {
                lines.push(Line::new((given_start, given), (redacted_start, redacted)));
                given_start += given.len();
                redacted_start += redacted.len();
            }
        }
        Self { lines }
    }

    /// Where a passage starts that starts at `at` of the redacted text.
    pub(super) fn start(&self, at: usize) -> usize {
        self.line(at).map_or(at, |line| {
            let column = at - line.redacted_start;
            line.given_start + line.near_end(column).unwrap_or(column.min(line.prefix))
        })
    }

    /// Where a passage ends that ends before `at` of the redacted text.
    pub(super) fn end(&self, at: usize) -> usize {
        let Some(line) = at.checked_sub(1).and_then(|last| self.line(last)) else { return at };
        let column = at - line.redacted_start;
        if column <= line.prefix {
            return line.given_start + column;
        }
        line.given_start + line.near_end(column).unwrap_or(line.given_len - line.suffix)
    }

    fn line(&self, at: usize) -> Option<&Line> {
        let after = self.lines.partition_point(|line| line.redacted_start <= at);
        self.lines.get(after.checked_sub(1)?)
    }
}

impl Line {
    fn new((given_start, given): (usize, &str), (redacted_start, redacted): (usize, &str)) -> Self {
        let equal = |(a, b): &(char, char)| a == b;
        let bytes = |(a, _): (char, char)| a.len_utf8();
        let prefix: usize = given.chars().zip(redacted.chars()).take_while(equal).map(bytes).sum();
        // The ends may not reach into what the starts have in common.
        let room = given.len().min(redacted.len()) - prefix;
        let backwards = given.chars().rev().zip(redacted.chars().rev());
        let suffix = backwards.take_while(equal).map(bytes).try_fold(0, |sum: usize, len| {
            if sum + len <= room { Ok(sum + len) } else { Err(sum) }
        });
        let suffix = suffix.unwrap_or_else(|full| full);
        let (given_len, redacted_len) = (given.len(), redacted.len());
        Self { given_start, given_len, redacted_start, redacted_len, prefix, suffix }
    }

    /// The column as given, if `column` lies in what both have in common at the end.
    fn near_end(&self, column: usize) -> Option<usize> {
        let left = self.redacted_len.saturating_sub(column);
        (left <= self.suffix).then(|| self.given_len - left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use proptest::prelude::*;
    use std::pin::pin;

    fn check(given: &str, part: &str, expected: &str) {
        let (_, redacted) = redact(&Policy::default(), [7; 32], "", given);
        let at = redacted.find(part).unwrap_or_else(|| panic!("{part:?} in {redacted:?}"));
        let places = Places::new(given, &redacted);
        let found = &given[places.start(at)..places.end(at + part.len())];
        assert_eq!(found, expected, "of {redacted:?}");
    }

    #[test]
    fn a_passage_lies_where_its_unredacted_text_lies() {
        let given = "Restart it.\nAsk ada@example.org or bob@example.org first.\nDone, \u{e9}h.\n";
        check(given, "Restart it.", "Restart it.");
        check(given, "Done, \u{e9}h.", "Done, \u{e9}h.");
        check(given, "Ask <EMAIL_1>", "Ask ada@example.org or bob@example.org");
        check(given, "first.\nDone", "first.\nDone");
        check(given, "<EMAIL_2> first.", "ada@example.org or bob@example.org first.");
        check("nothing to hide\nhere", "hide\nhere", "hide\nhere");
    }

    #[test]
    fn a_key_of_many_lines_moves_nothing() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\nabcdefgh\n\
                   -----END RSA PRIVATE KEY-----";
        let given = format!("Use this:\n{key}\nand then restart.");
        let (_, redacted) = redact(&Policy::default(), [7; 32], "", &given);
        assert!(!redacted.contains("MIIEpAIBAAKCAQEA7"), "{redacted}");
        check(&given, "and then restart.", "and then restart.");
    }

    #[tokio::test]
    async fn a_long_text_is_redacted_off_the_calling_thread() {
        let policy = Policy::default();
        let given = |bytes: usize| "Ask ada@example.org.\n".repeat(bytes / 21);
        let (short, long) = (given(8 << 10), given(1 << 20));
        let at_once = clear(&policy, [7; 32], "ada@example.org", &short).now_or_never();
        assert_eq!(at_once.unwrap().unwrap().title, "<EMAIL_1>");
        let mut later = pin!(clear(&policy, [7; 32], "ada@example.org", &long));
        assert!(later.as_mut().now_or_never().is_none(), "the caller is not held up");
        let cleared = later.await.unwrap();
        let (title, content) = redact(&policy, [7; 32], "ada@example.org", &long);
        assert_eq!((cleared.title, cleared.content), (title.into(), content.into()));
        assert_eq!(cleared.places.lines.len(), long.lines().count());
    }

    proptest! {
        #[test]
        fn places_are_in_order_and_between_characters(
            parts in prop::collection::vec(
                prop_oneof!["\\PC{0,12}", Just("ada@example.org".to_owned()), Just("\n".to_owned()),
                    Just(" password=hunter2hunter2 ".to_owned())], 0..12),
            a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>(),
        ) {
            let given = parts.concat();
            let (_, redacted) = redact(&Policy::default(), [7; 32], "", &given);
            let mut marks: Vec<usize> = redacted.char_indices().map(|(at, _)| at).collect();
            marks.push(redacted.len());
            let (a, b) = (*a.get(&marks), *b.get(&marks));
            let places = Places::new(&given, &redacted);
            let (start, end) = (places.start(a.min(b)), places.end(a.max(b)));
            prop_assert!(given.is_char_boundary(start) && given.is_char_boundary(end));
            prop_assert!(start <= end || a == b, "{start}..{end} for {}..{}", a.min(b), a.max(b));
        }
    }
}
