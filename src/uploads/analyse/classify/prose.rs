//! Text written for people: Markdown and its kin, mail, notes.

use super::super::DataType::UnstructuredText;
use super::Guess;
use super::sample::{Sample, share};

/// Most lines looked at.
const LINES_MAX: usize = 500;
/// Words in a line from which it may be a sentence.
const WORDS_MIN: usize = 4;
/// Score from which a text is a program, whatever its comments say.
const PROGRAM: f64 = 0.62;
/// Characters beyond ASCII in a line from which it may be a sentence in a script without spaces.
const WIDE_CHARS_MIN: usize = 10;

/// What the lines of a text have that is written for people.
#[derive(Default)]
struct Marks {
    filled: usize,
    sentences: usize,
    headings: usize,
    underlines: usize,
    fences: usize,
    links: usize,
    items: usize,
    emphasis: usize,
    rows: usize,
    directives: usize,
    titles: usize,
    coded: usize,
    comments: usize,
}

/// Prose that the text may be, at least a faint guess; `code` is the score of a program, whose
/// comments are prose too.
pub(super) fn guess(sample: &Sample<'_>, code: f64) -> Option<Guess> {
    if is_mail(sample) {
        return Some(Guess::new(UnstructuredText, "email", 0.9));
    }
    let lines = sample.lines.get(..LINES_MAX).unwrap_or(&sample.lines);
    let marks = Marks::count(lines);
    let written = share(marks.sentences, marks.filled + marks.comments);
    let coded = share(marks.coded, marks.filled);
    let (format, weight) = marks.markup();
    let plain = 0.35 + 0.4 * written;
    let kept = if code >= PROGRAM { 0.6 } else { 1.0 };
    // Comments in programs look like headings and lists; code between them tells.
    let marked = if weight >= 3 && coded < 0.4 && (written > 0.1 || weight >= 8) {
        0.55 + 0.03 * weight.min(13) as f64 - 0.3 * coded
    } else {
        0.0
    };
    let titled = sample.lines.len() > 1 && marks.headings + marks.underlines > 0;
    let format = if marked > plain || (titled && weight >= 2) { format } else { "text" };
    Some(Guess::new(UnstructuredText, format, kept * f64::max(marked, plain)))
}

/// Header lines of RFC 5322 at the start, then an empty line.
fn is_mail(sample: &Sample<'_>) -> bool {
    let head = sample.lines.iter().take_while(|line| !line.trim().is_empty());
    let names = ["from:", "to:", "subject:", "date:", "received:", "message-id:", "cc:"];
    let (mut seen, mut known) = (0, 0);
    for line in head {
        let lower = line.get(..line.len().min(12)).unwrap_or_default().to_ascii_lowercase();
        seen += usize::from(!line.starts_with([' ', '\t']));
        known += usize::from(names.iter().any(|name| lower.starts_with(name)));
    }
    known >= 2 && known * 4 >= seen && sample.lines.len() > seen
}

impl Marks {
    fn count(lines: &[&str]) -> Self {
        let mut marks = Self::default();
        let (mut fenced, mut comment) = (false, false);
        for (at, line) in lines.iter().enumerate() {
            let trimmed = line.trim();
            if trimmed.is_empty() {
                continue;
            }
            if trimmed.starts_with("```") || trimmed.starts_with("~~~~") {
                marks.fences += usize::from(!fenced);
                fenced = !fenced;
            } else if comment || trimmed.starts_with("/*") || trimmed.starts_with("//") {
                comment = !trimmed.ends_with("*/") && !trimmed.starts_with("//");
                marks.comments += 1;
            } else if !fenced {
                let near = |at: Option<usize>| at.and_then(|at| lines.get(at)).map(|l| l.trim());
                let before = near(at.checked_sub(1)).unwrap_or_default();
                let after = near(Some(at + 1)).unwrap_or_default();
                marks.line(line, trimmed, before, after);
            }
        }
        marks
    }

    fn line(&mut self, line: &str, trimmed: &str, before: &str, after: &str) {
        self.filled += 1;
        let led = |line: &str| line.is_empty() || is_sentence(line) || is_item(line);
        let alone = !before.starts_with('#') && led(after);
        if is_heading(trimmed) && line.starts_with('#') && alone {
            self.headings += 1;
        } else if trimmed.starts_with('#') && !alone {
            // One below the other they are comments.
            self.comments += 1;
            return;
        } else if is_underline(trimmed) && before.chars().count().abs_diff(trimmed.len()) <= 3 {
            self.underlines += usize::from(!before.is_empty());
        }
        self.titles += usize::from(trimmed.starts_with("== ") || trimmed.starts_with("=== "));
        self.items += usize::from(is_item(trimmed));
        self.links += usize::from(trimmed.contains("](") || trimmed.contains("`_"));
        self.emphasis +=
            usize::from(trimmed.matches("**").count() >= 2 || trimmed.matches('`').count() >= 2);
        self.rows += usize::from(trimmed.starts_with('|') && trimmed.ends_with('|'));
        self.directives += usize::from(trimmed.starts_with(".. ") && trimmed.contains("::"))
            + usize::from(trimmed.contains(":ref:`") || trimmed.contains(":doc:`"));
        let sentence = is_sentence(trimmed);
        self.sentences += usize::from(sentence);
        let ends = trimmed.ends_with([';', '{', '}']) || trimmed.ends_with(");");
        self.coded += usize::from(!sentence && (ends || trimmed.contains('=')));
    }

    /// The markup language and how much of it there is.
    fn markup(&self) -> (&'static str, usize) {
        let shared = self.items.min(6) / 2;
        let headings = if self.comments > self.headings { 0 } else { self.headings };
        let markdown = headings.min(4) * 2
            + self.fences.min(3) * 3
            + self.links.min(4) * 2
            + self.emphasis.min(4)
            + self.rows.min(3)
            + self.underlines.min(3) * 2
            + shared;
        let rst = self.directives.min(5) * 4
            + if self.directives > 0 { self.underlines.min(3) * 2 } else { 0 };
        let asciidoc = self.titles.min(5) * 3;
        match () {
            () if rst > 0 && self.headings == 0 => ("restructuredtext", rst + shared),
            () if asciidoc > markdown => ("asciidoc", asciidoc + shared),
            () => ("markdown", markdown),
        }
    }
}

fn is_heading(line: &str) -> bool {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    (1..=6).contains(&level)
        && text.starts_with([' ', '\t'])
        && text.trim().starts_with(|c: char| c.is_alphanumeric() || "`[*_".contains(c))
}

fn is_underline(line: &str) -> bool {
    let first = line.as_bytes().first().copied().unwrap_or(0);
    line.len() >= 3 && b"=-~^\"*+".contains(&first) && line.bytes().all(|b| b == first)
}

fn is_item(line: &str) -> bool {
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    ["- ", "* ", "+ "].iter().any(|mark| line.starts_with(mark))
        || (number.len() < line.len() && (number.starts_with(". ") || number.starts_with(") ")))
}

/// Several words, most of them letters only, few signs; or many letters of another script.
fn is_sentence(line: &str) -> bool {
    let line = line.trim_start_matches(['-', '*', '+', '>', '#', ' ']);
    let words = line.split_ascii_whitespace();
    let (mut count, mut plain) = (0, 0);
    for word in words.take(40) {
        count += 1;
        let bare = word.trim_matches(|c: char| ".,:;!?()\"'*_`".contains(c));
        plain += usize::from(
            !bare.is_empty() && bare.chars().all(|c| c.is_alphabetic() || "'-\u{2019}".contains(c)),
        );
    }
    let wide = line.chars().filter(|c| !c.is_ascii() && c.is_alphabetic()).count();
    let code = line.ends_with([';', '{', '}']) || line.starts_with("//") || line.starts_with("/*");
    !code
        && ((count >= WORDS_MIN && plain * 10 >= count * 7)
            || (wide >= WIDE_CHARS_MIN && wide * 2 >= line.chars().count()))
}
