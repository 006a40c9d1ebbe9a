//! Findings in an uploaded file: which of eight types it is, and what is worth knowing in it.
//!
//! Keeps: nothing; everything here is a pure function from bytes to findings.
//! How long: as long as the call; the caller stores the [`Analysis`] beside the file.
//! Who may: any room above; there is no user, no clock and no disk in here.
//! Never: sees unredacted text (the pipeline redacts first, so `<EMAIL_1>` and the like are words
//! of the text), never fails on content (a broken file is a finding), never grows without a bound.

mod basic;
mod classify;
mod logs;

use crate::base::Time;
use serde::{Deserialize, Serialize};
use std::fmt;

pub use basic::BasicFindings;
pub use classify::{Classification, classify};
pub use logs::{
    Burst, CrimeScene, ErrorGroup, Frame, Gap, HttpFindings, Levels, LogFindings, SlowRequest,
    Source, StackTrace, Template, TimeRange, TimelineEvent,
};

/// Longest `summary`, in characters (contract of the analysis object).
pub const SUMMARY_CHARS_MAX: usize = 500;
/// Longest `full_extraction`, in characters (contract of the analysis object).
pub const FULL_EXTRACTION_CHARS_MAX: usize = 8000;
/// Most entries of `key_insights` (contract of the analysis object).
pub const KEY_INSIGHTS_MAX: usize = 10;
/// Most warnings that an extraction may carry; a hostile file must not fill the answer with them.
pub const WARNINGS_MAX: usize = 20;
/// Most locations named by one check: enough to click through, not a second copy of the file.
pub const CHECK_LOCATIONS_MAX: usize = 20;

/// The eight types of uploaded data.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DataType {
    /// Log files and error output.
    LogsAndErrors,
    /// Distributed traces.
    TraceData,
    /// CPU, heap and other profiles.
    ProfilingData,
    /// Time series.
    MetricsAndPerformance,
    /// Configuration in a structured format.
    StructuredConfig,
    /// Program text.
    SourceCode,
    /// Prose, Markdown, notes, mail.
    UnstructuredText,
    /// Screenshots and scanned or printed pages.
    VisualEvidence,
}

impl DataType {
    /// All types, in the order of the contract.
    pub const ALL: [Self; 8] = [
        Self::LogsAndErrors,
        Self::TraceData,
        Self::ProfilingData,
        Self::MetricsAndPerformance,
        Self::StructuredConfig,
        Self::SourceCode,
        Self::UnstructuredText,
        Self::VisualEvidence,
    ];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LogsAndErrors => "logs_and_errors",
            Self::TraceData => "trace_data",
            Self::ProfilingData => "profiling_data",
            Self::MetricsAndPerformance => "metrics_and_performance",
            Self::StructuredConfig => "structured_config",
            Self::SourceCode => "source_code",
            Self::UnstructuredText => "unstructured_text",
            Self::VisualEvidence => "visual_evidence",
        }
    }

    /// The type with this name on the wire.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.as_str() == name)
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where in the file a finding was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Location {
    /// Lines, counted from 1, both ends included.
    Lines {
        /// First line.
        line_start: u64,
        /// Last line.
        line_end: u64,
    },
    /// A span of a trace.
    Span {
        /// Span id as the file spells it.
        span_id: String,
    },
    /// A sample of a profile, counted from 0.
    Sample {
        /// Index of the sample.
        sample: u64,
    },
    /// A stretch of time.
    Times {
        /// First instant, RFC 3339.
        time_start: String,
        /// Last instant, RFC 3339.
        time_end: String,
    },
    /// A rectangle on a page.
    Page {
        /// Page, counted from 1.
        page: u64,
        /// Left, top, right, bottom in pixels or points of that page.
        bbox: [f64; 4],
    },
    /// A path into a structured document.
    Path {
        /// Path in the document's own notation, for example `spec.template`.
        path: String,
    },
}

impl Location {
    /// Lines `start` to `end`, counted from 1, both included.
    pub const fn lines(start: u64, end: u64) -> Self {
        Self::Lines { line_start: start, line_end: end }
    }
}

/// Outcome of one check.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing to see.
    Ok,
    /// Worth a look.
    Warn,
    /// Almost certainly part of the problem.
    Fail,
}

/// One deterministic check: a stable id, a verdict, the numbers and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Check {
    /// Stable id, for example `logs.error_burst`.
    pub id: String,
    /// Outcome.
    pub verdict: Verdict,
    /// What was measured; the message names the unit.
    pub value: f64,
    /// Value from which the verdict is no longer ok.
    pub threshold: f64,
    /// One sentence for a person.
    pub message: String,
    /// Where; at most [`CHECK_LOCATIONS_MAX`].
    pub locations: Vec<Location>,
}

/// How deep the analysis went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// The type's own pipeline ran.
    Full,
    /// Only first lines and counts were taken.
    Basic,
}

/// What a type's analyser found, by type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Findings {
    /// Findings in a log.
    Logs(Box<LogFindings>),
    /// First lines and counts of any other type.
    Basic(BasicFindings),
}

/// What one type's analyser returns.
#[derive(Debug, Clone, PartialEq)]
pub struct Extraction {
    /// At most [`SUMMARY_CHARS_MAX`] characters.
    pub summary: String,
    /// At most [`FULL_EXTRACTION_CHARS_MAX`] characters.
    pub full_extraction: String,
    /// Up to [`KEY_INSIGHTS_MAX`] sentences, most useful first.
    pub key_insights: Vec<String>,
    /// The fixed list of checks of this type.
    pub checks: Vec<Check>,
    /// Findings by type.
    pub findings: Findings,
    /// What could not be read or was cut; at most [`WARNINGS_MAX`].
    pub warnings: Vec<String>,
    /// A closer name for the format than the classifier's, when parsing gave one.
    pub format: Option<String>,
    /// How deep the analysis went.
    pub depth: Depth,
}

/// What the caller may ask of an extraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Also name the template of every line (`line_templates`).
    pub lines: bool,
    /// When the file was received: gives syslog times, which carry no year, the latest year that
    /// does not lie in the future. Without it they get the year 2000 and a warning.
    pub received: Option<Time>,
}

/// Name, size and hash of the analysed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FileFacts {
    /// Name as uploaded.
    pub name: String,
    /// Size as uploaded, in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the bytes as uploaded, lower-case hex.
    pub sha256: String,
}

/// How often one kind of secret or personal datum was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RedactionCount {
    /// Kind, for example `email`.
    pub kind: String,
    /// Number of replacements.
    pub count: u64,
}

/// Which pipeline made an analysis, so that a better one can tell which files to look at again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Pipeline {
    /// Name of the pipeline.
    pub name: String,
    /// Version of the pipeline.
    pub version: String,
}

/// The analysis of one file: the object that `faultmaven analyze` prints and the API returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Analysis {
    /// The file.
    pub file: FileFacts,
    /// Its type.
    pub data_type: DataType,
    /// What was parsed, for example `syslog`.
    pub format: String,
    /// Confidence in the type, 0 to 1.
    pub confidence_score: f64,
    /// Other types it may be, likeliest first.
    pub alternative_types: Vec<DataType>,
    /// At most [`SUMMARY_CHARS_MAX`] characters.
    pub summary: String,
    /// At most [`FULL_EXTRACTION_CHARS_MAX`] characters.
    pub full_extraction: String,
    /// Up to [`KEY_INSIGHTS_MAX`] sentences.
    pub key_insights: Vec<String>,
    /// Whether personal data was found (and replaced).
    pub pii_detected: bool,
    /// Whether secrets were found (and replaced).
    pub secrets_detected: bool,
    /// What was replaced how often.
    pub redactions: Vec<RedactionCount>,
    /// The text after redaction; may be cut.
    pub sanitized_content: String,
    /// Whether [`Analysis::sanitized_content`] was cut.
    #[serde(default)]
    pub sanitized_truncated: bool,
    /// Time from bytes to this object, in milliseconds.
    pub preprocessing_time_ms: u64,
    /// Who made this.
    pub pipeline: Pipeline,
    /// What could not be read or was cut.
    pub warnings: Vec<String>,
    /// The fixed list of checks of the type.
    pub checks: Vec<Check>,
    /// Findings by type.
    pub findings: Findings,
    /// How deep the analysis went.
    pub extraction: Depth,
}

/// Clean text of the bytes of a file, as every reader in here would decode them.
pub(super) fn decode(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    logs::text::decode(bytes).text
}

/// Analyses redacted text as `data_type`; `format` is the classifier's name for it. Content that
/// was not redacted goes to [`describe`].
///
/// Never fails: what cannot be read becomes a warning.
pub fn extract(data_type: DataType, format: &str, content: &[u8], options: Options) -> Extraction {
    match data_type {
        DataType::LogsAndErrors => logs::extract(format, content, options),
        other => basic::extract(other, format, content, options),
    }
}

/// Says what is certain about content that is no text, and so cannot be redacted: its size and
/// what its header measures. No text of the content is in the answer.
pub(super) fn describe(data_type: DataType, format: &str, opaque: &[u8]) -> Extraction {
    basic::describe(data_type, format, opaque)
}
