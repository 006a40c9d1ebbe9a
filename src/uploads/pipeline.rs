//! From bytes to an [`Analysis`]: unpack, classify, redact, then extract. The upload job and
//! `faultmaven analyze` both run exactly this.

use super::analyse::{
    self, Analysis, DataType, FileFacts, Pipeline, RedactionCount, WARNINGS_MAX, classify, decode,
    describe, extract,
};
use super::escapes;
use super::unpack::{UnpackError, unpack};
use crate::base::{Class, Classify, Time};
use crate::privacy::{Placeholders, Policy, Redacted, Redactor};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::time::Instant;

/// Name of this pipeline in every analysis.
const NAME: &str = "faultmaven";
/// Version of this pipeline: raised when the same bytes may give another analysis.
const VERSION: &str = "1";
/// Bytes from the first that is not zero by which text is told from other bytes.
const LOOK_BYTES: usize = 8 * 1024;

/// What the caller may ask of an analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Also name the template of every log line.
    pub lines: bool,
    /// When the file came in; completes times that carry no year.
    pub received: Option<Time>,
    /// Largest content of a compressed file, in bytes.
    pub unpacked_bytes_max: u64,
    /// Longest `sanitized_content`, in characters.
    pub sanitized_chars_max: usize,
}

/// A file that cannot be analysed at all.
#[derive(Debug, thiserror::Error)]
pub enum AnalyseError {
    /// The compressed content is a bomb or damaged beyond its first byte.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
}

impl Classify for AnalyseError {
    fn class(&self) -> (Class, &'static str) {
        match self {
            Self::Unpack(error) => error.class(),
        }
    }
}

/// Analyses a file as it was uploaded. `declared` overrides the classification. Equal values get the
/// placeholders they have in `placeholders`, which is extended by new ones.
///
/// # Errors
/// [`AnalyseError::Unpack`] when compressed content cannot be had within its bound. Content itself
/// never fails: what cannot be read is a warning.
pub fn analyse_bytes(
    name: &str,
    mime: Option<&str>,
    declared: Option<DataType>,
    bytes: &[u8],
    options: &Options,
    placeholders: &mut Placeholders,
) -> Result<Analysis, AnalyseError> {
    let started = Instant::now();
    let unpacked = unpack(name, bytes, options.unpacked_bytes_max)?;
    let mut warnings = unpacked.warnings;
    let content = Content::read(&unpacked.content, &mut warnings);
    let class = classify(&unpacked.name, mime, content.bytes());
    let data_type = declared.unwrap_or(class.data_type);
    if bytes.is_empty() {
        warnings.push("the file is empty".to_owned());
    }
    let wanted = analyse::Options { lines: options.lines, received: options.received };
    let (extraction, redacted) = match &content {
        Content::Text(text) => {
            let text = escapes::spelled_out(text);
            let redacted = Redactor::new(&Policy::default()).redact(&text, placeholders);
            // Everything derived starts here, from the redacted text.
            let extraction = extract(data_type, &class.format, redacted.text.as_bytes(), wanted);
            (extraction, Some(Kept::of(&redacted, options.sanitized_chars_max)))
        }
        Content::Opaque(bytes) => (describe(data_type, &class.format, bytes), None),
    };
    warnings.extend(extraction.warnings);
    warnings.truncate(WARNINGS_MAX);
    let confident = declared.is_none() || declared == Some(class.data_type);
    let kept = redacted.unwrap_or_default();
    Ok(Analysis {
        file: FileFacts {
            name: name.to_owned(),
            size_bytes: bytes.len() as u64,
            sha256: Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
        },
        data_type,
        format: extraction.format.unwrap_or(class.format),
        confidence_score: if confident { class.confidence_score } else { 1.0 },
        alternative_types: alternatives(class.data_type, class.alternative_types, data_type),
        summary: extraction.summary,
        full_extraction: extraction.full_extraction,
        key_insights: extraction.key_insights,
        pii_detected: kept.personal,
        secrets_detected: kept.secrets,
        redactions: kept.redactions,
        sanitized_content: kept.text,
        sanitized_truncated: kept.truncated,
        preprocessing_time_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        pipeline: Pipeline { name: NAME.to_owned(), version: VERSION.to_owned() },
        warnings,
        checks: extraction.checks,
        findings: extraction.findings,
        extraction: extraction.depth,
    })
}

/// What redaction leaves for the answer.
#[derive(Default)]
struct Kept {
    text: String,
    truncated: bool,
    personal: bool,
    secrets: bool,
    redactions: Vec<RedactionCount>,
}

impl Kept {
    fn of(redacted: &Redacted<'_>, chars_max: usize) -> Self {
        let end = redacted.text.char_indices().nth(chars_max).map(|(at, _)| at);
        let count = |(kind, count): (&crate::privacy::Kind, &u64)| RedactionCount {
            kind: kind.as_str().to_owned(),
            count: *count,
        };
        Self {
            text: redacted.text[..end.unwrap_or(redacted.text.len())].to_owned(),
            truncated: end.is_some(),
            personal: redacted.has_personal(),
            secrets: redacted.has_secrets(),
            redactions: redacted.counts.iter().map(count).collect(),
        }
    }
}

/// Unpacked content, decoded once. Only text can be redacted, so only text is read for findings;
/// of opaque bytes nothing but numbers goes on.
enum Content<'a> {
    /// Text of any type, images made of text included; not redacted yet.
    Text(Cow<'a, str>),
    /// Pictures, PDF, binary profiles and other bytes that are no text.
    Opaque(&'a [u8]),
}

impl<'a> Content<'a> {
    /// Decodes UTF-8 and UTF-16 (with or without its mark), without terminal escapes and zeros.
    fn read(bytes: &'a [u8], warnings: &mut Vec<String>) -> Self {
        // By content alone: a name makes neither a picture nor a text of anything.
        let class = classify("", None, bytes);
        let picture = class.data_type == DataType::VisualEvidence && class.format != "svg";
        if picture || class.format == "plist" && bytes.starts_with(b"bplist") {
            return Self::Opaque(bytes);
        }
        let text = if let Some(wide) = wide(bytes) {
            warnings.push("the text is UTF-16 and was converted".to_owned());
            // Owned: what `decode` borrows would not outlive the marked copy.
            Cow::Owned(decode(&wide).into_owned())
        } else if is_text(bytes) {
            if std::str::from_utf8(bytes).is_err() {
                warnings.push("bytes that are not valid UTF-8 were replaced".to_owned());
            }
            decode(bytes)
        } else {
            return Self::Opaque(bytes);
        };
        Self::Text(without_zeros(text, warnings))
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Opaque(bytes) => bytes,
        }
    }
}

/// UTF-16 with its mark, which is added where it is missing. Zero padding before it is skipped.
fn wide(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let padding = bytes.chunks_exact(2).take_while(|pair| *pair == [0, 0]).count() * 2;
    let body = bytes.get(padding..)?;
    if body.starts_with(&[0xff, 0xfe]) || body.starts_with(&[0xfe, 0xff]) {
        return Some(Cow::Borrowed(body));
    }
    let look = body.get(..LOOK_BYTES).unwrap_or(body);
    let (pairs, mut high, mut low) = (look.len() / 2, 0, 0);
    for pair in look.chunks_exact(2) {
        high += usize::from(pair[0] == 0 && is_plain(pair[1]));
        low += usize::from(pair[1] == 0 && is_plain(pair[0]));
    }
    // Text of a log is mostly ASCII whatever its language: two fifths of the units say so.
    let mark: &[u8] = match (high * 5 >= pairs * 2, low * 5 >= pairs * 2) {
        _ if pairs == 0 => return None,
        (true, _) if high > low => &[0xfe, 0xff],
        (_, true) => &[0xff, 0xfe],
        _ => return None,
    };
    Some(Cow::Owned([mark, body].concat()))
}

/// A printable ASCII character or white space of a text.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r')
}

/// Whether bytes read like text in UTF-8 or an 8-bit encoding, perhaps damaged by zeros: a crash
/// leaves a few long runs of them, a binary format many short ones.
fn is_text(bytes: &[u8]) -> bool {
    let Some(first) = bytes.iter().position(|byte| *byte != 0) else { return bytes.is_empty() };
    let body = bytes.get(first..).unwrap_or_default();
    let look = body.get(..LOOK_BYTES).unwrap_or(body);
    let zeros = memchr::memchr_iter(0, look).count();
    let runs = look.windows(2).filter(|pair| pair[0] != 0 && pair[1] == 0).count();
    let odd = look.iter().filter(|b| matches!(b, 1..=6 | 14..=26 | 28..=31 | 127)).count();
    let filled = look.len() - zeros;
    // A short text may end in one run; beyond that one in fifty bytes, as the classifier has it.
    runs <= 1 + filled / 50 && odd * 20 <= filled
}

/// Takes zeros out: between single characters they are UTF-16 in the wrong place and join, any
/// other run was a gap and becomes a space, so that the words beside it stay words.
fn without_zeros<'a>(text: Cow<'a, str>, warnings: &mut Vec<String>) -> Cow<'a, str> {
    let bytes = text.as_bytes();
    if memchr::memchr(0, bytes).is_none() {
        return text;
    }
    let is_zero = |at: Option<usize>| at.and_then(|at| bytes.get(at)) == Some(&0);
    let mut clean = String::with_capacity(text.len());
    let (mut zeros, mut in_run) = (0u64, false);
    for (at, character) in text.char_indices() {
        if character != '\0' {
            clean.push(character);
            in_run = false;
            continue;
        }
        zeros += 1;
        let alone = !is_zero(at.checked_sub(1)) && !is_zero(Some(at + 1));
        let woven = alone && (is_zero(at.checked_sub(2)) || is_zero(Some(at + 2)));
        if !in_run && !woven {
            clean.push(' ');
        }
        in_run = true;
    }
    warnings.push(format!("{zeros} zero bytes were left out of the text"));
    Cow::Owned(clean)
}

/// The types it may also be: when the uploader overrode the classifier, its choice comes first.
fn alternatives(found: DataType, mut others: Vec<DataType>, taken: DataType) -> Vec<DataType> {
    if found != taken {
        others.insert(0, found);
        others.retain(|other| *other != taken);
        others.dedup();
    }
    others
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::Salt;
    use proptest::prelude::*;

    const MAIL: &str = "ada@corp.example";
    const SECRET: &str = "hunter2Secret9";

    fn log() -> String {
        (0..30).fold(String::new(), |log, second| {
            log + &format!(
                "2026-11-23 10:00:{second:02} ERROR login of {MAIL} failed password={SECRET}\r\n"
            )
        })
    }

    fn analysed(name: &str, declared: Option<DataType>, bytes: &[u8]) -> (Analysis, String) {
        let options = Options {
            lines: true,
            received: None,
            unpacked_bytes_max: 64 << 20,
            sanitized_chars_max: 200_000,
        };
        let mut placeholders = Placeholders::new(Salt::new([7; 32]));
        let analysis =
            analyse_bytes(name, None, declared, bytes, &options, &mut placeholders).unwrap();
        let everything = serde_json::to_string(&analysis).unwrap();
        (analysis, everything)
    }

    fn check(what: &str, name: &str, bytes: &[u8], data_type: DataType) {
        for declared in [None, Some(DataType::LogsAndErrors), Some(DataType::VisualEvidence)] {
            let (analysis, everything) = analysed(name, declared, bytes);
            for value in [MAIL, SECRET] {
                assert!(!everything.contains(value), "{what}, {declared:?}: {everything}");
            }
            let seen = (analysis.pii_detected, analysis.secrets_detected);
            assert_eq!(seen, (true, true), "{what}, {declared:?}: {everything}");
            assert_eq!(analysis.data_type, declared.unwrap_or(data_type), "{what}");
        }
    }

    fn utf16(mark: bool, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let mark = mark.then_some(0xfeff);
        mark.into_iter().chain(log().encode_utf16()).flat_map(unit).collect()
    }

    #[test]
    fn text_is_redacted_in_whatever_bytes_it_comes() {
        let logs = DataType::LogsAndErrors;
        check("UTF-8", "app.log", log().as_bytes(), logs);
        for mark in [true, false] {
            check("UTF-16LE", "app.log", &utf16(mark, u16::to_le_bytes), logs);
            check("UTF-16BE", "app.log", &utf16(mark, u16::to_be_bytes), logs);
            let tail = [utf16(mark, u16::to_le_bytes), vec![0; 500]].concat();
            check("UTF-16LE with a padded tail", "app.log", &tail, logs);
            let head = [vec![0; 501], utf16(mark, u16::to_le_bytes)].concat();
            if !mark {
                check("UTF-16LE with a damaged head", "app.log", &head, logs);
            }
        }
        let log = log();
        let zeros = |count: usize| vec![0; count];
        for count in [1, 7, 100, 20_000] {
            let tail = [log.as_bytes(), &zeros(count)].concat();
            check("padded tail", "app.log", &tail, logs);
            let head = [zeros(count).as_slice(), log.as_bytes()].concat();
            check("damaged head", "app.log", &head, logs);
            let middle = [log.as_bytes(), &zeros(count), log.as_bytes()].concat();
            check("damaged middle", "app.log", &middle, logs);
        }
        let latin = [b"\xe9\xe8 ".as_slice(), log.as_bytes()].concat();
        check("Latin-1", "app.log", &latin, logs);
        let wide = utf16(false, u16::to_le_bytes);
        let appended = [log.repeat(5).as_bytes(), &wide].concat();
        check("UTF-16 appended to UTF-8", "app.log", &appended, logs);
    }

    #[test]
    fn a_picture_made_of_text_is_redacted() {
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\"><text>{MAIL}</text>\n\
             <text>password={SECRET}</text></svg>\n"
        );
        check("SVG", "chart.svg", svg.as_bytes(), DataType::VisualEvidence);
        let (analysis, _) = analysed("notes.png", None, log().as_bytes());
        assert!(analysis.pii_detected, "a name makes no picture of a text");
    }

    #[test]
    fn a_value_split_by_terminal_colours_is_redacted() {
        let text =
            log().replace("@corp", "\x1b[0m@\x1b[1mcorp").replace("hunter2", "hun\x1b[0mter2");
        check("colours", "app.log", text.as_bytes(), DataType::LogsAndErrors);
    }

    #[test]
    fn nothing_of_opaque_content_is_quoted() {
        let quoted = format!("{MAIL} password={SECRET}");
        let contents: [(&str, Vec<u8>); 6] = [
            ("x.png", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), quoted.as_bytes()].concat()),
            ("x.pdf", [b"%PDF-1.7\n".as_slice(), quoted.as_bytes()].concat()),
            ("x.jfr", [b"FLR\0\0\x02\0\x01\0\0".as_slice(), quoted.as_bytes()].concat()),
            ("x.evtx", [b"ElfFile\0\0\0\x01\0\x02\0".as_slice(), quoted.as_bytes()].concat()),
            ("app.log", [(0..=255).collect::<Vec<u8>>(), quoted.clone().into_bytes()].concat()),
            ("x.plist", [b"bplist00".as_slice(), quoted.as_bytes()].concat()),
        ];
        for (name, bytes) in contents {
            for declared in [None, Some(DataType::LogsAndErrors), Some(DataType::SourceCode)] {
                let (analysis, everything) = analysed(name, declared, &bytes);
                for value in [MAIL, SECRET, "hunter2", "ada@"] {
                    assert!(!everything.contains(value), "{name}: {everything}");
                }
                assert_eq!(analysis.sanitized_content, "", "{name}");
            }
        }
    }

    #[test]
    fn damage_is_named_in_warnings() {
        let warnings = |bytes: &[u8]| analysed("app.log", None, bytes).0.warnings.join("; ");
        assert!(warnings(&utf16(false, u16::to_le_bytes)).contains("UTF-16"));
        assert!(warnings(&[b"\xff".as_slice(), log().as_bytes()].concat()).contains("UTF-8"));
        assert!(warnings(&[log().as_bytes(), &[0; 9]].concat()).contains("9 zero bytes"));
        assert!(!warnings(log().as_bytes()).contains("bytes"));
    }

    proptest! {
        #[test]
        fn a_log_after_any_zeros_never_leaks(count in 0usize..9000, wide: bool) {
            let log = if wide { utf16(false, u16::to_be_bytes) } else { log().into_bytes() };
            let (_, everything) = analysed("x", None, &[vec![0; count], log].concat());
            prop_assert!(!everything.contains(MAIL) && !everything.contains(SECRET));
        }
    }
}
