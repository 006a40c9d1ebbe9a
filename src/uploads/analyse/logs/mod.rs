//! Findings in logs: from the bytes of any log to what an engineer on call wants to know.
//!
//! One configuration serves all systems. A line goes through [`read`], which recognises JSON,
//! logfmt, access logs, named columns or a head of time, level and source ([`header`]), hands
//! stack traces to [`stack`] and the message to [`template`]. All else is computed from the compact
//! entries that remain: kinds ([`digest`]), bursts and silences ([`rhythm`]), windows and events
//! ([`scene`]), verdicts ([`checks`]), sentences ([`insight`]). Cost is linear in the size of the
//! log; every list is bounded.

mod access;
mod checks;
mod culprit;
mod digest;
mod elements;
mod findings;
mod header;
mod insight;
mod json;
mod level;
mod logfmt;
mod mask;
mod read;
mod recognise;
mod record;
mod report;
mod rhythm;
mod scene;
mod signs;
mod sources;
mod stack;
mod template;
pub(super) mod text;
mod timestamp;

use super::{Depth, Extraction, Findings, Options};
use report::Report;

pub use findings::{
    Burst, CrimeScene, ErrorGroup, Frame, Gap, HttpFindings, Levels, LogFindings, SlowRequest,
    Source, StackTrace, Template, TimeRange, TimelineEvent,
};
pub(super) use recognise::{is_level, is_time, look};

/// Analyses a log that was redacted; `format` is the classifier's name for it.
pub(super) fn extract(format: &str, content: &[u8], options: Options) -> Extraction {
    let decoded = text::decode(content);
    let survey = read::survey(&decoded.text, options.received.map(crate::base::Time::unix_us));
    let parsed = survey.format();
    let mut warnings = warnings(&survey, &decoded);
    let report = Report::new(survey);
    let received = options.received.map(crate::base::Time::unix_us);
    if report.survey.calendar.yearless && !report.survey.calendar.knows_year(received) {
        warnings
            .push(format!("times carry no year; {} stands in for it", timestamp::STAND_IN_YEAR));
    }
    let findings = report.findings(options.lines);
    let checks = checks::checks(&report, &decoded.invalid_lines, decoded.invalid_sequences);
    let summary = insight::summary(&report, parsed.unwrap_or(format));
    let key_insights = insight::insights(&report);
    let full_extraction = insight::extraction(&findings, &report, &summary, &key_insights);
    Extraction {
        summary,
        full_extraction,
        key_insights,
        checks,
        findings: Findings::Logs(Box::new(findings)),
        warnings,
        format: parsed.map(str::to_owned),
        depth: Depth::Full,
    }
}

fn warnings(survey: &read::Survey<'_>, decoded: &text::Text<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    if survey.entries.is_empty() {
        warnings.push("the log is empty".to_owned());
    }
    if decoded.invalid_sequences > 0 {
        warnings.push(format!(
            "{} byte sequences are not UTF-8 and were replaced",
            decoded.invalid_sequences
        ));
    }
    if survey.cut_total > 0 {
        warnings.push(format!(
            "{} lines are longer than {} KiB; only their beginning was looked at",
            survey.cut_total,
            text::LINE_BYTES_MAX / 1024
        ));
    }
    if survey.signatures.overflown {
        warnings.push(format!(
            "more than {} different messages; further ones count with the kind they fit, or by \
             their first word",
            template::SIGNATURES_MAX
        ));
    }
    if survey.calendar.dateless {
        warnings.push("times carry no date; 1970-01-01 stands in for it".to_owned());
    }
    warnings
}

#[cfg(test)]
mod tests;
