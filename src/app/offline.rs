//! Commands that need no server: analyse and classify files.

use super::cli::Format;
use super::config::Config;
use super::terminal::{note, say, say_json};
use crate::base::{Clock, Ids};
use crate::privacy::{Placeholders, Salt};
use crate::uploads::analyse::{Analysis, Check, DataType, Location, Verdict, classify};
use crate::uploads::{Options, analyse_bytes};
use std::io::Read;
use std::path::Path;

/// Characters of sanitised content in an answer of `analyze`.
const SANITIZED_CHARS_MAX: usize = 200_000;
/// Bytes that a classification looks at.
const CLASSIFY_BYTES_MAX: u64 = 16 << 20;

/// Analyses files and prints the findings; one JSON object, or an array for several files.
pub(super) fn analyze(
    config: &Config,
    files: &[std::path::PathBuf],
    data_type: Option<DataType>,
    lines: bool,
    format: Format,
) -> Result<(), String> {
    let clock = Clock::system();
    // One salt for all files of a call: a value has the same placeholder in each of them.
    let mut placeholders = Placeholders::new(Salt::new(Ids::system().secret()));
    let options = Options {
        lines,
        received: Some(clock.now()),
        unpacked_bytes_max: config.uploads.unpacked_bytes_max.into(),
        sanitized_chars_max: SANITIZED_CHARS_MAX,
    };
    let limit = u64::from(config.uploads.file_bytes_max);
    let mut found = Vec::new();
    let mut failed = 0;
    for path in files {
        let analysed = read(path, limit).and_then(|bytes| {
            analyse_bytes(&name(path), None, data_type, &bytes, &options, &mut placeholders)
                .map_err(|e| e.to_string())
        });
        match analysed {
            Ok(analysis) if format == Format::Text => print(&analysis),
            Ok(analysis) => found.push(analysis),
            Err(why) => {
                note(format!("faultmaven: {}: {why}", path.display()));
                failed += 1;
            }
        }
    }
    match (format, found.as_slice()) {
        (Format::Json, [one]) if files.len() == 1 => say_json(one)?,
        (Format::Json, several) if files.len() > 1 => say_json(&several)?,
        _ => {}
    }
    if failed == 0 { Ok(()) } else { Err(format!("{failed} of {} files failed", files.len())) }
}

/// Prints what files are.
pub(super) fn classify_files(files: &[std::path::PathBuf], format: Format) -> Result<(), String> {
    let mut found = Vec::new();
    for path in files {
        let bytes = read(path, CLASSIFY_BYTES_MAX)?;
        let class = classify(&name(path), None, &bytes);
        if format == Format::Text {
            let percent = (class.confidence_score * 100.0).round();
            say(format!("{}: {} ({}, {percent} %)", path.display(), class.data_type, class.format));
        }
        found.push(
            serde_json::json!({ "file": path.display().to_string(), "classification": class }),
        );
    }
    if format == Format::Json { say_json(&found) } else { Ok(()) }
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| "file".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let file = std::fs::File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|e| format!("{}: {e}", path.display()))?;
    if bytes.len() as u64 > limit {
        return Err(format!("larger than the limit of {limit} bytes (uploads.file_bytes_max)"));
    }
    Ok(bytes)
}

fn print(analysis: &Analysis) {
    let percent = (analysis.confidence_score * 100.0).round();
    say(format!(
        "{}: {} ({}, {percent} %)",
        analysis.file.name, analysis.data_type, analysis.format
    ));
    say(&analysis.summary);
    for insight in &analysis.key_insights {
        say(format!("  * {insight}"));
    }
    for check in analysis.checks.iter().filter(|check| check.verdict != Verdict::Ok) {
        say(line(check));
    }
    let hidden: Vec<_> =
        analysis.redactions.iter().map(|r| format!("{} {}", r.count, r.kind)).collect();
    if !hidden.is_empty() {
        say(format!("  redacted: {}", hidden.join(", ")));
    }
    for warning in &analysis.warnings {
        say(format!("  warning: {warning}"));
    }
}

fn line(check: &Check) -> String {
    let verdict = if check.verdict == Verdict::Fail { "FAIL" } else { "WARN" };
    let places: Vec<_> = check.locations.iter().take(3).map(place).collect();
    let at = if places.is_empty() { String::new() } else { format!(" [{}]", places.join(", ")) };
    format!("  {verdict} {}: {}{at}", check.id, check.message)
}

fn place(location: &Location) -> String {
    match location {
        Location::Lines { line_start, line_end } if line_start == line_end => {
            format!("line {line_start}")
        }
        Location::Lines { line_start, line_end } => format!("lines {line_start}-{line_end}"),
        Location::Span { span_id } => format!("span {span_id}"),
        Location::Sample { sample } => format!("sample {sample}"),
        Location::Times { time_start, time_end } => format!("{time_start} to {time_end}"),
        Location::Page { page, .. } => format!("page {page}"),
        Location::Path { path } => path.clone(),
    }
}
