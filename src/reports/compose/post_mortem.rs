//! The post-mortem: what happened, why, and what follows (sections of reference facts 6).

use super::super::facts::Facts;
use super::super::markdown::{ENTRY_CHARS_MAX, Page, inline, moment};
use super::super::node::Node;
use super::timeline::timeline;
use super::{parts, review};
use crate::cases::{FileRow, SolutionStatus};

/// Says that a section has nothing to tell.
fn or_else(page: &mut Page, told: &[String], otherwise: &str) {
    if told.is_empty() {
        page.say(otherwise);
    }
}

/// Writes the sections.
pub(super) fn compose(page: &mut Page, facts: &Facts) {
    page.section("Incident Summary");
    if let Some(description) = &facts.case.case.description {
        page.prose(description);
    }
    parts::at_a_glance(page, facts);

    page.section("Impact");
    impact(page, facts);

    page.section("Timeline");
    timeline(page, facts);

    page.section("Root Cause Analysis");
    parts::explain_cause(page, facts);

    page.section("Evidence");
    parts::evidence(page, facts);

    page.section("Hypotheses Considered");
    parts::hypotheses(page, facts);

    page.section("Resolution");
    if parts::solutions(page, facts, SolutionStatus::Applied) == 0 {
        page.say("No solution was applied.");
    }
    retrospect(page, facts);

    page.section("Appendix");
    appendix(page, facts);
}

fn impact(page: &mut Page, facts: &Facts) {
    let told = Node::of(facts.case.context.problem_verification.as_ref()).entries(&[]);
    page.bullets(&told);
    or_else(page, &told, "No impact was recorded.");
}

/// What is learnt from it.
fn retrospect(page: &mut Page, facts: &Facts) {
    const LESSONS: [&str; 3] = ["lessons_learned", "lessons", "learnings"];
    const RELATED: [&str; 5] =
        ["related_work", "related_issues", "related_cases", "links", "references"];

    page.section("What Went Well");
    let told = review::went_well(facts);
    page.bullets(&told);
    or_else(page, &told, "Nothing in the records speaks of it.");

    page.section("What Went Wrong");
    let told = review::went_wrong(facts);
    page.bullets(&told);
    or_else(page, &told, "Nothing in the records speaks of it.");

    page.section("Action Items");
    let told = review::action_items(facts);
    page.tasks(&told);
    or_else(page, &told, "No action items were recorded.");

    page.section("Lessons Learned");
    let told = review::documented(facts, &LESSONS);
    page.bullets(&told);
    or_else(page, &told, "No lessons were recorded.");

    page.section("Related Work");
    let told = review::documented(facts, &RELATED);
    page.bullets(&told);
    or_else(page, &told, "No related work was recorded.");
}

/// The files with their hashes, and how the report was made.
fn appendix(page: &mut Page, facts: &Facts) {
    let rows: Vec<[String; 5]> = facts.files().take(parts::ROWS_MAX).map(file).collect();
    page.table(["File", "Bytes", "Type", "Processing", "SHA-256"], &rows);
    parts::left_out(page, facts.case.counts.files, "files");
    page.say(&format!(
        "Generated {} UTC from the records of the case, without a language model. Times are UTC; \
         secrets and personal data are replaced by placeholders.",
        moment(facts.now)
    ));
}

fn file(row: &FileRow) -> [String; 5] {
    let hash: String = row.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    [
        inline(&row.filename, ENTRY_CHARS_MAX),
        row.size_bytes.to_string(),
        row.data_type.as_deref().map_or_else(String::new, |kind| inline(kind, ENTRY_CHARS_MAX)),
        row.processing_status.to_string(),
        format!("`{hash}`"),
    ]
}
