//! What went well and what went wrong: only what follows from the records.

use super::super::facts::Facts;
use super::super::markdown::{ENTRY_CHARS_MAX, count, inline, spoken};
use super::super::node::Node;
use super::parts::{self, Cause};
use crate::cases::{
    HypothesisRow, HypothesisStatus, Milestone, ProcessingStatus, SolutionStatus, Status,
};

/// Facts that speak for how the investigation went.
pub(super) fn went_well(facts: &Facts) -> Vec<String> {
    let case = &facts.case.case;
    let mut told = Vec::new();
    if let Some(first) = facts.evidence().next() {
        let after = spoken(first.created_at.since_ms(case.created_at));
        told.push(format!("The first evidence was in the case {after} after it was opened."));
    }
    if let Some(at) = case.resolved_at {
        let after = spoken(at.since_ms(case.created_at));
        told.push(format!("The case was resolved {after} after it was opened."));
    }
    for row in of_status(facts, HypothesisStatus::Validated) {
        let support = row.confidence().supporting;
        if support > 0 {
            let support = count(support, "piece of evidence", "pieces of evidence");
            let what = inline(&row.description, ENTRY_CHARS_MAX);
            told.push(format!("A validated hypothesis is supported by {support}: {what}"));
        }
    }
    let (applied, failed) =
        (solved(facts, SolutionStatus::Applied), solved(facts, SolutionStatus::Failed));
    if applied > 0 && failed == 0 {
        told.push("No solution that was tried failed.".to_owned());
    }
    if case.milestones.has(Milestone::SolutionVerified) {
        told.push("The solution was verified.".to_owned());
    }
    told
}

/// Facts that speak against how the investigation went.
pub(super) fn went_wrong(facts: &Facts) -> Vec<String> {
    let case = &facts.case.case;
    let mut told = Vec::new();
    if case.status == Status::Closed {
        told.push("The case was closed without a resolution.".to_owned());
    }
    if facts.case.counts.evidence == 0 {
        told.push("No evidence was collected.".to_owned());
    }
    if case.status.is_terminal() && matches!(parts::cause(facts), Cause::Unknown) {
        told.push("The case ended without a recorded root cause.".to_owned());
    }
    let failed = facts.solutions().filter(|row| row.status == SolutionStatus::Failed);
    told.extend(failed.take(parts::ROWS_MAX).map(|row| {
        let result = row.result_summary.as_deref().map(|text| inline(text, ENTRY_CHARS_MAX));
        let result = result.map_or_else(String::new, |result| format!(" ({result})"));
        format!("A solution failed: {}{result}", parts::name(row))
    }));
    let wrong = of_status(facts, HypothesisStatus::Invalidated).take(parts::ROWS_MAX);
    told.extend(wrong.map(|row| {
        let what = inline(&row.description, ENTRY_CHARS_MAX);
        format!("A hypothesis was followed and invalidated: {what}")
    }));
    told.extend(unsettled(facts));
    told
}

fn unsettled(facts: &Facts) -> Vec<String> {
    let case = &facts.case.case;
    let mut told = Vec::new();
    let open = of_status(facts, HypothesisStatus::Exploring).count()
        + of_status(facts, HypothesisStatus::Testing).count();
    if case.status.is_terminal() && open > 0 {
        let open = count(open, "hypothesis was", "hypotheses were");
        told.push(format!("When the case ended, {open} neither validated nor invalidated."));
    }
    let reopened =
        facts.transitions().filter(|row| row.from_status.is_some_and(Status::is_terminal));
    match reopened.count() {
        0 => {}
        times => {
            told.push(format!("The case had to be reopened {}.", count(times, "time", "times")))
        }
    }
    let unread = facts.files().filter(|row| row.processing_status == ProcessingStatus::Failed);
    match unread.count() {
        0 => {}
        files => told.push(format!("{} could not be processed.", count(files, "file", "files"))),
    }
    if case.escalated {
        told.push("The case was escalated.".to_owned());
    }
    told
}

fn of_status(facts: &Facts, status: HypothesisStatus) -> impl Iterator<Item = &HypothesisRow> {
    facts.hypotheses().filter(move |row| row.status == status)
}

fn solved(facts: &Facts, status: SolutionStatus) -> usize {
    facts.solutions().filter(|row| row.status == status).count()
}

/// What is left to do: documented tasks, unfinished solutions, criteria to confirm.
pub(super) fn action_items(facts: &Facts) -> Vec<String> {
    const DOCUMENTED: [&str; 6] =
        ["action_items", "actions", "follow_ups", "recommendations", "prevention", "next_steps"];
    let mut told = documented(facts, &DOCUMENTED);
    for row in facts.solutions() {
        match row.status {
            SolutionStatus::Proposed => told.push(format!("Decide on: {}", parts::name(row))),
            SolutionStatus::Applying => told.push(format!("Finish: {}", parts::name(row))),
            SolutionStatus::Applied => {
                let criteria = Node::of(row.verification_criteria.as_ref()).items();
                told.extend(
                    criteria
                        .iter()
                        .map(|item| format!("Confirm: {}", inline(&item.text, ENTRY_CHARS_MAX))),
                );
            }
            SolutionStatus::Failed => {}
        }
    }
    told.truncate(parts::ROWS_MAX);
    told
}

/// What the case's documentation says under these names.
pub(super) fn documented(facts: &Facts, names: &[&'static str]) -> Vec<String> {
    let documentation = Node::of(facts.case.context.documentation_data.as_ref());
    let mut told = Vec::new();
    for name in names {
        if let Some((_, node)) = documentation.member(&[name]) {
            let items = node.items();
            told.extend(items.iter().map(|item| inline(&item.text, ENTRY_CHARS_MAX)));
        }
    }
    told.truncate(parts::ROWS_MAX);
    told
}
