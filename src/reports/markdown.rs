//! Markdown that what people wrote cannot break: escaped text, and a page to put it on.
//!
//! Text of people enters a page through [`inline`], [`Page::prose`] or [`Page::code`]; everything
//! else that is put on it is made of words of ours, ids and numbers.

use crate::base::Time;
use std::fmt::Write;

/// Longest text in a table cell or a list entry, in characters.
pub(super) const ENTRY_CHARS_MAX: usize = 400;
/// Longest text in paragraphs, in characters: that of the longest description of a case.
pub(super) const PROSE_CHARS_MAX: usize = 2000;
/// Follows a text that was cut.
const CUT: &str = "...";

/// A document under construction.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// A document with its title.
    pub(super) fn titled(title: &str) -> Self {
        Self(format!("# {}\n", inline(title, ENTRY_CHARS_MAX)))
    }

    /// The document.
    pub(super) fn finish(self) -> String {
        self.0
    }

    /// Starts a section.
    pub(super) fn section(&mut self, heading: &str) {
        self.block(&format!("## {heading}"));
    }

    /// Starts a part of a section.
    pub(super) fn part(&mut self, heading: &str) {
        self.block(&format!("### {heading}"));
    }

    /// A paragraph of ours.
    pub(super) fn say(&mut self, markdown: &str) {
        self.block(markdown);
    }

    /// What people wrote, in paragraphs.
    pub(super) fn prose(&mut self, text: &str) {
        let text = cut(text, PROSE_CHARS_MAX);
        for paragraph in text.replace("\r\n", "\n").split("\n\n") {
            let paragraph = escaped(paragraph);
            if !paragraph.is_empty() {
                self.block(&paragraph);
            }
        }
    }

    /// What people wrote, kept as it is: a command, a fragment.
    pub(super) fn code(&mut self, text: &str) {
        let text = cut(text.trim_end(), PROSE_CHARS_MAX);
        let text: String = text.chars().filter(|c| *c == '\n' || visible(*c)).collect();
        let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        self.block(&format!("{fence}\n{text}\n{fence}"));
    }

    /// A list; nothing for no entries.
    pub(super) fn bullets(&mut self, entries: &[String]) {
        self.list(entries, |_| "- ".to_owned());
    }

    /// A numbered list; nothing for no entries.
    pub(super) fn steps(&mut self, entries: &[String]) {
        self.list(entries, |at| format!("{}. ", at + 1));
    }

    /// Things to tick off; nothing for no entries.
    pub(super) fn tasks(&mut self, entries: &[String]) {
        self.list(entries, |_| "- [ ] ".to_owned());
    }

    fn list(&mut self, entries: &[String], marker: impl Fn(usize) -> String) {
        if !entries.is_empty() {
            self.0.push('\n');
        }
        for (at, entry) in entries.iter().enumerate() {
            // Writing to a text cannot fail.
            let _ = writeln!(self.0, "{}{entry}", marker(at));
        }
    }

    /// A table; nothing for no rows.
    pub(super) fn table<const N: usize>(&mut self, header: [&str; N], rows: &[[String; N]]) {
        if rows.is_empty() {
            return;
        }
        self.block(&format!("| {} |", header.join(" | ")));
        let _ = writeln!(self.0, "|{}", " --- |".repeat(N));
        for row in rows {
            let _ = writeln!(self.0, "| {} |", row.join(" | "));
        }
    }

    fn block(&mut self, markdown: &str) {
        let _ = write!(self.0, "\n{markdown}\n");
    }
}

/// What people wrote, on one line and without any meaning to Markdown or HTML, cut to `chars_max`.
pub(super) fn inline(text: &str, chars_max: usize) -> String {
    escaped(&cut(&one_line(text), chars_max))
}

/// What people wrote, on one line, cut to `chars_max` characters.
pub(super) fn plain(text: &str, chars_max: usize) -> String {
    cut(&one_line(text), chars_max)
}

/// Collapses white space and drops what cannot be seen.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        let word: String = word.chars().filter(|c| visible(*c)).collect();
        if !word.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
    }
    line
}

/// Neither a control character nor one that turns the direction of the text around it
/// (Unicode TR 9, explicit directional formatting).
fn visible(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The first `chars_max` characters, with a mark where something was left out.
fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some(_) => {
            let kept: String = text.chars().take(chars_max.saturating_sub(CUT.len())).collect();
            kept.trim_end().to_owned() + CUT
        }
    }
}

/// One line with every character escaped that could start markup (CommonMark 0.31, 2.4, 6; tables
/// and strikethrough of GFM).
fn escaped(text: &str) -> String {
    let line = one_line(text);
    let mut out = String::with_capacity(line.len() + line.len() / 8);
    let mut before = None;
    let mut rest = line.chars().peekable();
    if starts_block(&line) {
        // A number keeps its digits: the sign behind it is what makes it a list.
        while let Some(digit) = rest.next_if(char::is_ascii_digit) {
            out.push(digit);
            before = Some(digit);
        }
        out.push('\\');
        if let Some(sign) = rest.next() {
            out.push(sign);
            before = Some(sign);
        }
    }
    while let Some(c) = rest.next() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' => out.extend(['\\', c]),
            // Inside a word it is a letter like any other.
            '_' if !between_letters(before, rest.peek()) => out.push_str("\\_"),
            _ => out.push(c),
        }
        before = Some(c);
    }
    out
}

/// Whether the line would begin a list, a heading or a rule: a sign that stands alone, before a
/// space, or twice.
fn starts_block(line: &str) -> bool {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let mut rest = line.bytes().skip(digits);
    let (sign, next) = (rest.next(), rest.next());
    match sign {
        Some(b'.' | b')') => digits > 0 && matches!(next, None | Some(b' ')),
        Some(b'-' | b'+' | b'=' | b'#') => {
            digits == 0 && (matches!(next, None | Some(b' ')) || next == sign)
        }
        _ => false,
    }
}

fn between_letters(before: Option<char>, after: Option<&char>) -> bool {
    before.is_some_and(char::is_alphanumeric) && after.is_some_and(|c| c.is_alphanumeric())
}

/// An instant to the second: `2026-11-23 10:00:00`; UTC.
pub(super) fn moment(at: Time) -> String {
    let text = at.to_string();
    // RFC 3339 begins `YYYY-MM-DDTHH:MM:SS`.
    text.get(..19).unwrap_or(&text).replace('T', " ")
}

/// A span of time in its two largest units: `2 h 5 min`, `3 days`.
pub(super) fn spoken(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    let day = if days == 1 { "day" } else { "days" };
    match (days, hours, minutes, rest) {
        (0, 0, 0, 0) => "less than a second".to_owned(),
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, 0) => format!("{m} min"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, 0, _) => format!("{h} h"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, 0, ..) => format!("{d} {day}"),
        (d, h, ..) => format!("{d} {day} {h} h"),
    }
}

/// `1 solution`, `2 solutions`.
pub(super) fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}
