//! What can be said for certain about a file of any type: its beginning, its counts, its header.

mod picture;

use super::logs::text;
use super::{DataType, Depth, Extraction, FULL_EXTRACTION_CHARS_MAX, Findings, Options};
use serde::{Deserialize, Serialize};

/// Lines quoted from the beginning.
const FIRST_LINES_MAX: usize = 20;
/// Longest quotation of a line, in characters.
const QUOTE_CHARS_MAX: usize = 200;
/// Lines copied into the extraction; the bound in characters is usually reached before.
const EXTRACTION_LINES_MAX: usize = 200;
/// Bytes of JSON that are checked for validity; a document of an upload fits.
const JSON_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Words that a reader in trouble looks for.
const TROUBLE: &[&str] = &["error", "fail", "exception", "timeout", "fatal", "denied"];

/// First lines, counts and header of a file for which no deeper analysis exists.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BasicFindings {
    /// Size of the unpacked content, in bytes.
    pub bytes: u64,
    /// Number of lines, empty ones included; 0 when the content is not text.
    pub lines: u64,
    /// Number of lines with nothing but white space.
    pub blank_lines: u64,
    /// Number of words between white space; 0 when the content is not text.
    pub words: u64,
    /// First lines, each cut to 200 characters; at most 20.
    pub first_lines: Vec<String>,
    /// Width of an image in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height of an image in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Version of a PDF, for example `1.7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pdf_version: Option<String>,
    /// Whether a JSON document, or each JSON line, is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<bool>,
}

/// Extracts the little that is certain of a redacted text; says in a warning that it is little.
pub(super) fn extract(
    data_type: DataType,
    format: &str,
    content: &[u8],
    _options: Options,
) -> Extraction {
    let mut warnings =
        vec![format!("only a basic extraction exists for {data_type}: first lines and counts")];
    let mut findings = BasicFindings { bytes: content.len() as u64, ..BasicFindings::default() };
    let mut insights = Vec::new();
    let mut excerpt = String::new();
    if content.is_empty() {
        warnings.push("the file is empty".to_owned());
        insights.push("the file is empty".to_owned());
    } else {
        let decoded = text::decode(content);
        let survey = Survey::of(&decoded.text);
        survey.fill(&mut findings);
        survey.tell(format, &findings, &mut insights);
        json(format, &decoded.text, &mut findings, &mut insights);
        excerpt = survey.excerpt;
    }
    finish(data_type, format, (findings, insights, excerpt), warnings)
}

/// Describes content that is not text by its size and header; nothing of it is quoted.
pub(super) fn describe(data_type: DataType, format: &str, opaque: &[u8]) -> Extraction {
    let warnings = vec!["only a basic extraction: the content of this file is not text".to_owned()];
    let mut findings = BasicFindings { bytes: opaque.len() as u64, ..BasicFindings::default() };
    let mut insights = Vec::new();
    picture::describe(format, opaque, &mut findings, &mut insights);
    finish(data_type, format, (findings, insights, String::new()), warnings)
}

fn finish(
    data_type: DataType,
    format: &str,
    (findings, mut insights, excerpt): (BasicFindings, Vec<String>, String),
    warnings: Vec<String>,
) -> Extraction {
    insights.truncate(super::KEY_INSIGHTS_MAX);
    let summary = text::quote(&summary(data_type, format, &findings), super::SUMMARY_CHARS_MAX);
    Extraction {
        full_extraction: full(&summary, &insights, &excerpt),
        summary,
        key_insights: insights,
        checks: Vec::new(),
        findings: Findings::Basic(findings),
        warnings,
        format: None,
        depth: Depth::Basic,
    }
}

fn summary(data_type: DataType, format: &str, findings: &BasicFindings) -> String {
    let kind = data_type.as_str().replace('_', " ");
    let size = match (findings.width, findings.height, &findings.pdf_version) {
        (Some(width), Some(height), _) => format!("{width} x {height} pixels"),
        (_, _, Some(version)) => format!("PDF version {version}"),
        _ if findings.lines > 0 => format!("{} lines, {} words", findings.lines, findings.words),
        _ => "no text".to_owned(),
    };
    let begins = findings.first_lines.iter().find(|line| !line.is_empty());
    let begins = begins.map_or(String::new(), |line| format!(" It begins: {line}"));
    format!("{kind} ({format}): {size}, {} bytes.{begins}", findings.bytes)
}

fn full(summary: &str, insights: &[String], excerpt: &str) -> String {
    let mut full = format!("{summary}\n");
    for insight in insights {
        full.push_str("- ");
        full.push_str(insight);
        full.push('\n');
    }
    if !excerpt.is_empty() {
        full.push('\n');
        full.push_str(excerpt);
    }
    text::quote(&full, FULL_EXTRACTION_CHARS_MAX)
}

/// What one pass over the lines of a text counts.
#[derive(Default)]
struct Survey {
    lines: u64,
    blank: u64,
    words: u64,
    longest: (u64, usize),
    trouble: Vec<(&'static str, u64, u64)>,
    first_lines: Vec<String>,
    excerpt: String,
    first_filled: Option<(u64, String)>,
    last_filled: Option<(u64, String)>,
}

impl Survey {
    fn of(content: &str) -> Self {
        let mut survey = Self::default();
        let mut last = (0, "");
        for line in text::lines(content) {
            survey.line(u64::from(line.number), line.text);
            if !line.text.trim().is_empty() {
                last = (u64::from(line.number), line.text);
            }
        }
        survey.last_filled = (last.0 > 0).then(|| (last.0, text::quote(last.1, QUOTE_CHARS_MAX)));
        survey
    }

    fn line(&mut self, number: u64, line: &str) {
        self.lines = number;
        self.words += line.split_ascii_whitespace().count() as u64;
        if line.len() > self.longest.1 {
            self.longest = (number, line.len());
        }
        if self.first_lines.len() < FIRST_LINES_MAX {
            self.first_lines.push(text::quote(line, QUOTE_CHARS_MAX));
        }
        if self.lines <= EXTRACTION_LINES_MAX as u64 {
            self.excerpt.push_str(text::cut(line, FULL_EXTRACTION_CHARS_MAX));
            self.excerpt.push('\n');
        }
        if line.trim().is_empty() {
            self.blank += 1;
            return;
        }
        if self.first_filled.is_none() {
            self.first_filled = Some((number, text::quote(line, QUOTE_CHARS_MAX)));
        }
        for word in TROUBLE {
            if contains(line, word) {
                match self.trouble.iter_mut().find(|each| each.0 == *word) {
                    Some(each) => each.1 += 1,
                    None => self.trouble.push((word, 1, number)),
                }
            }
        }
    }

    fn fill(&self, findings: &mut BasicFindings) {
        findings.lines = self.lines;
        findings.blank_lines = self.blank;
        findings.words = self.words;
        findings.first_lines.clone_from(&self.first_lines);
    }

    /// Sentences, each with the line it speaks of.
    fn tell(&self, format: &str, findings: &BasicFindings, insights: &mut Vec<String>) {
        insights.push(format!(
            "{format}: {} lines ({} blank), {} words, {} bytes",
            self.lines, self.blank, self.words, findings.bytes
        ));
        for (word, count, first) in &self.trouble {
            insights.push(format!("{count} lines mention \"{word}\", first line {first}"));
        }
        if let Some((number, line)) = &self.first_filled {
            insights.push(format!("line {number} is the first with content: {line}"));
        }
        if let Some((number, line)) = &self.last_filled {
            insights.push(format!("line {number} is the last with content: {line}"));
        }
        let (number, bytes) = self.longest;
        insights.push(format!("line {number} is the longest, with {bytes} bytes"));
    }
}

/// Whether a line has a word in any case; `word` is lower case.
fn contains(line: &str, word: &str) -> bool {
    let (Some(first), bytes) = (word.bytes().next(), line.as_bytes()) else { return false };
    memchr::memchr2_iter(first, first.to_ascii_uppercase(), bytes).any(|at| {
        bytes
            .get(at..at + word.len())
            .is_some_and(|part| part.eq_ignore_ascii_case(word.as_bytes()))
    })
}

/// Says whether JSON is valid, and where it breaks.
fn json(format: &str, text: &str, findings: &mut BasicFindings, insights: &mut Vec<String>) {
    let begins = text.trim_start().starts_with(['{', '[']);
    if !begins || format == "json5" || text.len() > JSON_BYTES_MAX {
        return;
    }
    let values = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    let mut count = 0u64;
    for value in values {
        match value {
            Ok(_) => count += 1,
            Err(error) => {
                findings.valid = Some(false);
                insights.insert(0, format!("the JSON is not valid: {error}"));
                return;
            }
        }
    }
    findings.valid = Some(true);
    insights.push(match count {
        1 => "the JSON is valid: one document".to_owned(),
        _ => format!("the JSON is valid: {count} documents, one after the other"),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(data_type: DataType, format: &str, content: &[u8]) -> (Extraction, BasicFindings) {
        told(extract(data_type, format, content, Options::default()))
    }

    fn told(extraction: Extraction) -> (Extraction, BasicFindings) {
        assert_eq!(extraction.depth, Depth::Basic);
        assert!(extraction.warnings[0].contains("only a basic extraction"));
        assert!(extraction.summary.chars().count() <= super::super::SUMMARY_CHARS_MAX);
        assert!(extraction.full_extraction.chars().count() <= FULL_EXTRACTION_CHARS_MAX);
        assert!((1..=10).contains(&extraction.key_insights.len()));
        let Findings::Basic(findings) = extraction.findings.clone() else { panic!("not basic") };
        (extraction, findings)
    }

    #[test]
    fn text_is_counted_and_quoted() {
        let notes = b"# Outage\n\nThe pool ran full: timeout.\nTimeouts followed, then errors.\n";
        let (extraction, findings) = basic(DataType::UnstructuredText, "markdown", notes);
        assert_eq!((findings.lines, findings.blank_lines, findings.words), (4, 1, 11));
        assert_eq!(findings.first_lines[0], "# Outage");
        assert!(extraction.summary.contains("4 lines, 11 words"), "{}", extraction.summary);
        let insights = extraction.key_insights.join("\n");
        assert!(insights.contains("2 lines mention \"timeout\", first line 3"), "{insights}");
        assert!(insights.contains("1 lines mention \"error\", first line 4"), "{insights}");
        assert!(extraction.full_extraction.contains("The pool ran full"));
    }

    #[test]
    fn broken_json_names_its_line() {
        let (extraction, findings) =
            basic(DataType::StructuredConfig, "json", b"{\n  \"a\": 1,\n  \"b\"\n}\n");
        assert_eq!(findings.valid, Some(false));
        assert!(extraction.key_insights[0].contains("line 4"), "{:?}", extraction.key_insights);
        let (_, findings) = basic(DataType::TraceData, "jaeger", b"{\"a\":1}\n{\"a\":2}\n");
        assert_eq!(findings.valid, Some(true));
        let deep = "[".repeat(100_000);
        let (_, findings) = basic(DataType::StructuredConfig, "json", deep.as_bytes());
        assert_eq!(findings.valid, Some(false));
    }

    #[test]
    fn empty_and_binary_content_says_so() {
        let (extraction, findings) = basic(DataType::UnstructuredText, "empty", b"");
        assert_eq!(findings, BasicFindings::default());
        assert_eq!(extraction.key_insights, ["the file is empty"]);
        let (extraction, findings) =
            told(describe(DataType::ProfilingData, "pprof", b"\x0a\x00\x08\x01secret"));
        assert!(!serde_json::to_string(&extraction.findings).unwrap().contains("secret"));
        assert_eq!((findings.lines, findings.words), (0, 0));
        assert!(extraction.key_insights.len() >= 3, "{:?}", extraction.key_insights);
    }

    #[test]
    fn findings_come_back_from_json_as_they_were() {
        let (extraction, _) = basic(DataType::SourceCode, "python", b"def f():\n    return 1\n");
        let json = serde_json::to_string(&extraction.findings).unwrap();
        assert_eq!(serde_json::from_str::<Findings>(&json).unwrap(), extraction.findings);
    }
}
