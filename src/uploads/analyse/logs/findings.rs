//! What is reported about a log: the `findings` member of an analysis of type logs.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most templates listed, most frequent first.
pub(super) const TEMPLATES_MAX: usize = 500;
/// Most ids listed as rare templates.
pub(super) const RARE_TEMPLATES_MAX: usize = 100;
/// Most groups of equal errors, most frequent first.
pub(super) const ERRORS_MAX: usize = 100;
/// Most distinct stack traces.
pub(super) const STACK_TRACES_MAX: usize = 50;
/// Most frames kept of one stack trace: the top is what matters, recursion repeats it.
pub(super) const FRAMES_MAX: usize = 50;
/// Most bursts, strongest first.
pub(super) const BURSTS_MAX: usize = 20;
/// Most gaps, longest first.
pub(super) const GAPS_MAX: usize = 20;
/// Most windows to look at.
pub(super) const CRIME_SCENES_MAX: usize = 10;
/// Most events in the timeline (contract of the findings).
pub(super) const TIMELINE_MAX: usize = 50;
/// Most sources, busiest first.
pub(super) const SOURCES_MAX: usize = 50;
/// Most slow requests, slowest first.
pub(super) const SLOWEST_MAX: usize = 20;
/// Most trace ids, in order of appearance.
pub(super) const TRACE_IDS_MAX: usize = 50;
/// Longest quotation of a line, in characters.
pub(super) const QUOTE_CHARS_MAX: usize = 300;

/// Findings in a log. Lines count from 1; times are RFC 3339 in UTC.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LogFindings {
    /// Number of lines, empty ones included.
    pub lines: u64,
    /// First and last time seen, when lines carry times.
    pub time_range: Option<TimeRange>,
    /// Records by level.
    pub levels: Levels,
    /// Kinds of messages, most frequent first; at most 500.
    pub templates: Vec<Template>,
    /// Ids of templates that hardly ever occur.
    pub rare_templates: Vec<String>,
    /// Errors, equal ones counted together, most frequent first.
    pub errors: Vec<ErrorGroup>,
    /// Stack traces, equal ones counted together.
    pub stack_traces: Vec<StackTrace>,
    /// Stretches with far more errors than usual.
    pub bursts: Vec<Burst>,
    /// Silences far longer than usual.
    pub gaps: Vec<Gap>,
    /// Windows of lines to read first.
    pub crime_scene: Vec<CrimeScene>,
    /// Decisive events in order of time; at most 50.
    pub timeline: Vec<TimelineEvent>,
    /// Hosts, services and processes that wrote the log.
    pub sources: Vec<Source>,
    /// HTTP requests, when the log has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpFindings>,
    /// Trace ids named in the log.
    pub trace_ids: Vec<String>,
    /// Template of each line, when asked for; an empty line has an empty id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_templates: Option<Vec<String>>,
}

/// First and last instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TimeRange {
    /// First, RFC 3339.
    pub start: String,
    /// Last, RFC 3339.
    pub end: String,
}

/// Records by level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Levels {
    /// Fatal, emergency, alert, panic.
    pub fatal: u64,
    /// Critical.
    pub critical: u64,
    /// Error, severe; HTTP 5xx in access logs.
    pub error: u64,
    /// Warning; HTTP 4xx in access logs.
    pub warn: u64,
    /// Information, notice; other requests in access logs.
    pub info: u64,
    /// Debug, fine.
    pub debug: u64,
    /// Trace, finest.
    pub trace: u64,
    /// Records that name no level.
    pub unknown: u64,
}

/// A kind of message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Template {
    /// Id within this analysis, for example `T1`.
    pub id: String,
    /// The message with `<*>` where it varies.
    pub template: String,
    /// Number of records.
    pub count: u64,
    /// Worst level it occurs with.
    pub level: String,
    /// First line.
    pub first_line: u64,
    /// Last line.
    pub last_line: u64,
    /// Time of the first record that has one, RFC 3339.
    pub first_time: Option<String>,
    /// Time of the last record that has one, RFC 3339.
    pub last_time: Option<String>,
    /// The first line of this kind.
    pub example: String,
}

/// Equal errors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ErrorGroup {
    /// First line of the first of them.
    pub line_start: u64,
    /// Last line of the first of them.
    pub line_end: u64,
    /// Worst level.
    pub level: String,
    /// Message of the first of them.
    pub message: String,
    /// Number of them.
    pub count: u64,
}

/// One frame of a stack trace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Frame {
    /// Function as the trace spells it; may be empty.
    pub function: String,
    /// File, when named.
    pub file: Option<String>,
    /// Line in that file, when named.
    pub line: Option<u64>,
}

/// A stack trace; equal ones are counted together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StackTrace {
    /// `java`, `python`, `go`, `javascript`, `dotnet`, `ruby`, `php`, `rust`, `dart` or `native`.
    pub language: String,
    /// Type of the exception.
    pub exception: String,
    /// Its message.
    pub message: String,
    /// Innermost call first.
    pub frames: Vec<Frame>,
    /// Causes, from the nearest to the root, each as `type: message`.
    pub caused_by: Vec<String>,
    /// First line of the first occurrence.
    pub line_start: u64,
    /// Last line of the first occurrence.
    pub line_end: u64,
    /// Number of occurrences.
    pub count: u64,
}

/// A stretch with far more errors than usual.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Burst {
    /// Start, RFC 3339.
    pub time_start: String,
    /// End, RFC 3339.
    pub time_end: String,
    /// Errors in it.
    pub count: u64,
    /// Errors that a stretch of this length usually has.
    pub baseline: f64,
    /// First line of it.
    pub line_start: u64,
    /// Last line of it.
    pub line_end: u64,
}

/// A silence far longer than usual.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Gap {
    /// Last time before it, RFC 3339.
    pub time_start: String,
    /// First time after it, RFC 3339.
    pub time_end: String,
    /// Length in seconds.
    pub seconds: f64,
    /// The usual longest distance between two records, in seconds.
    pub typical_seconds: f64,
    /// Last line before it.
    pub line_start: u64,
    /// First line after it.
    pub line_end: u64,
}

/// A window of lines to read first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CrimeScene {
    /// First line.
    pub line_start: u64,
    /// Last line.
    pub line_end: u64,
    /// Why these lines.
    pub reason: String,
}

/// A decisive event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TimelineEvent {
    /// When, RFC 3339, if known.
    pub time: Option<String>,
    /// What happened.
    pub event: String,
    /// Where.
    pub line: u64,
}

/// Who wrote records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Source {
    /// `host`, `service` or `pid`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Number of its records.
    pub count: u64,
    /// Number of its records of level error or worse.
    pub errors: u64,
}

/// HTTP requests in the log.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HttpFindings {
    /// Requests by status code.
    pub status: BTreeMap<String, u64>,
    /// Slowest requests, when durations are logged.
    pub slowest: Vec<SlowRequest>,
}

/// A slow request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SlowRequest {
    /// Line.
    pub line: u64,
    /// Method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Status code.
    pub status: Option<u16>,
    /// Duration in milliseconds.
    pub duration_ms: f64,
}
