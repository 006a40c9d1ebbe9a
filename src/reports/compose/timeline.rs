//! What happened in which order: the case's own events and those its files tell of.

use super::super::facts::Facts;
use super::super::markdown::{Page, inline, moment};
use super::parts;
use crate::base::Time;
use crate::cases::{HypothesisStatus, MessageRole, SolutionStatus};
use std::collections::BTreeMap;

/// Longest text of an entry, in characters.
const TEXT_CHARS_MAX: usize = 160;
/// Entries of one kind: a reader sees the shape of an incident, the case has the rest.
const PER_KIND_MAX: usize = 60;

/// One line of the timeline.
struct Entry {
    time: Time,
    kind: &'static str,
    /// Markdown.
    text: String,
}

fn entry(time: Time, kind: &'static str, text: String) -> Entry {
    Entry { time, kind, text }
}

fn quoted(text: &str) -> String {
    inline(text, TEXT_CHARS_MAX)
}

/// The timeline as a table, oldest first.
pub(super) fn timeline(page: &mut Page, facts: &Facts) {
    let mut entries = case_events(facts);
    entries.extend(file_events(facts));
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    entries.retain(|entry| {
        let count = seen.entry(entry.kind).or_default();
        *count += 1;
        *count <= PER_KIND_MAX
    });
    // Stable, so that what happened at one instant stays in the order of the kinds.
    entries.sort_by_key(|entry| entry.time);
    let rows: Vec<[String; 3]> = entries
        .into_iter()
        .map(|entry| [moment(entry.time), entry.kind.to_owned(), entry.text])
        .collect();
    page.table(["Time (UTC)", "Source", "Event"], &rows);
    let left_out: Vec<String> = seen
        .iter()
        .filter(|(_, count)| **count > PER_KIND_MAX)
        .map(|(kind, count)| format!("{} of {kind}", count - PER_KIND_MAX))
        .collect();
    if !left_out.is_empty() {
        page.say(&format!("Later events left out here: {}.", left_out.join(", ")));
    }
}

fn case_events(facts: &Facts) -> Vec<Entry> {
    let mut entries = Vec::new();
    entries.extend(facts.transitions().map(|row| {
        let reason = row.reason.as_deref().map(quoted);
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        let step = match row.from_status {
            None => format!("Opened as {}", row.to_status),
            Some(from) => format!("From {from} to {}", row.to_status),
        };
        entry(row.transitioned_at, "status", step + &reason)
    }));
    entries.extend(facts.evidence().map(|row| {
        let link = parts::evidence_link(row.case_id, row.evidence_id);
        entry(row.created_at, "evidence", format!("{link}: {}", quoted(parts::said(row))))
    }));
    for row in facts.hypotheses() {
        let text = quoted(&row.description);
        entries.push(entry(row.created_at, "hypothesis", format!("Proposed: {text}")));
        if let Some(at) = row.concluded_at {
            let verdict = match row.status {
                HypothesisStatus::Validated => "Validated",
                _ => "Invalidated",
            };
            entries.push(entry(at, "hypothesis", format!("{verdict}: {text}")));
        }
    }
    for row in facts.solutions() {
        let name = parts::name(row);
        entries.push(entry(row.created_at, "solution", format!("Proposed: {name}")));
        if let Some(at) = row.applied_at {
            entries.push(entry(at, "solution", format!("Applied: {name}")));
        }
        if row.status == SolutionStatus::Failed {
            entries.push(entry(row.updated_at, "solution", format!("Failed: {name}")));
        }
    }
    entries.extend(facts.case.messages.iter().flatten().map(|row| {
        let speaker = match row.role {
            MessageRole::User => "User",
            MessageRole::Assistant => "Agent",
            MessageRole::System => "System",
        };
        entry(row.created_at, "message", format!("{speaker}: {}", quoted(&row.content)))
    }));
    entries.extend(
        facts.files().map(|row| {
            entry(row.uploaded_at, "file", format!("Uploaded: {}", quoted(&row.filename)))
        }),
    );
    entries
}

/// What the files say happened, at the times they say.
fn file_events(facts: &Facts) -> impl Iterator<Item = Entry> {
    facts.findings.iter().flat_map(|findings| {
        let name = facts.file(findings.file_id).map(|file| quoted(&file.filename));
        let name = name.unwrap_or_default();
        findings.events.iter().map(move |event| {
            let text = format!("{name}, line {}: {}", event.line, quoted(&event.text));
            entry(event.time, "log", text)
        })
    })
}
