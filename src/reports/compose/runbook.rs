//! The runbook: how to deal with it the next time (sections of reference facts 6).

use super::super::facts::Facts;
use super::super::markdown::{ENTRY_CHARS_MAX, Page, inline, moment};
use super::super::node::{Item, Node};
use super::{parts, review};
use crate::base::Json;
use crate::cases::{
    EvidenceCategory, EvidenceRow, HypothesisRow, HypothesisStatus, SolutionRow, SolutionStatus,
    Stance,
};

/// Signs of the problem that are listed.
const SIGNS_MAX: usize = 10;
/// Members under which a solution says how to take it back.
const ROLLBACK: [&str; 3] = ["rollback", "rollback_steps", "rollback_procedure"];

/// Writes the sections.
pub(super) fn compose(page: &mut Page, facts: &Facts) {
    page.section("Problem Description");
    problem(page, facts);

    page.section("Prerequisites");
    prerequisites(page, facts);

    page.section("Diagnosis Steps");
    diagnosis(page, facts);

    page.section("Resolution Procedure");
    if parts::solutions(page, facts, SolutionStatus::Applied) == 0 {
        page.say("No solution was applied in the case, so none is proven.");
    }

    page.section("Validation Steps");
    let criteria = of_applied(facts, |row| Node::of(row.verification_criteria.as_ref()).items());
    parts::steps(page, &criteria);
    if criteria.is_empty() {
        page.say("No verification criteria were recorded.");
    }

    page.section("Rollback Procedure");
    let back = of_applied(facts, rollback);
    parts::steps(page, &back);
    if back.is_empty() {
        page.say("No way back was recorded.");
    }

    page.section("Related Issues");
    related(page, facts);
}

fn problem(page: &mut Page, facts: &Facts) {
    page.prose(facts.case.case.description.as_deref().unwrap_or(&facts.case.case.title));
    let signs = facts.evidence().filter(|row| row.category == EvidenceCategory::Symptom);
    let signs = signs.flat_map(telling).take(SIGNS_MAX).collect::<Vec<_>>();
    if !signs.is_empty() {
        page.say("It showed itself by:");
        page.bullets(&signs);
    }
    page.say("The cause:");
    parts::explain_cause(page, facts);
}

/// The insights of a piece of evidence, or what it says in short.
fn telling(row: &EvidenceRow) -> Vec<String> {
    if row.key_insights.is_empty() {
        return vec![inline(parts::said(row), ENTRY_CHARS_MAX)];
    }
    row.key_insights.iter().map(|text| inline(text, ENTRY_CHARS_MAX)).collect()
}

/// What one needs to see: what the investigation looked at.
fn prerequisites(page: &mut Page, facts: &Facts) {
    const SERVICES: [&str; 2] = ["affected_services", "services"];
    let mut told = Vec::new();
    let verified = Node::of(facts.case.context.problem_verification.as_ref());
    if let Some((_, services)) = verified.member(&SERVICES) {
        let services = inline(&services.sentence(), ENTRY_CHARS_MAX);
        told.push(format!("Access to the affected services: {services}"));
    }
    let mut sources: Vec<_> = facts.evidence().map(|row| row.source_type).collect();
    sources.sort_unstable();
    sources.dedup();
    if !sources.is_empty() {
        let names: Vec<_> = sources.iter().map(|word| parts::spaced(word.as_str())).collect();
        told.push(format!("Access to what the evidence came from: {}", names.join(", ")));
    }
    page.bullets(&told);
    if told.is_empty() {
        page.say("No prerequisites follow from the case.");
    }
}

/// What confirmed the cause, then what was ruled out.
fn diagnosis(page: &mut Page, facts: &Facts) {
    let mut told = Vec::new();
    for row in facts.hypotheses().filter(|row| row.status == HypothesisStatus::Validated) {
        told.push(format!("Check whether this holds: {}", stated(row)));
        for link in row.evidence_links.iter().filter(|link| supports(link.stance)) {
            let row = facts.evidence().find(|row| row.evidence_id == link.evidence_id);
            told.extend(row.map(|row| {
                let source = parts::spaced(row.source_type.as_str());
                let said = inline(parts::said(row), ENTRY_CHARS_MAX);
                format!("Look for this in the {source}: {said}")
            }));
        }
    }
    let ruled_out = facts.hypotheses().filter(|row| row.status == HypothesisStatus::Invalidated);
    told.extend(ruled_out.map(|row| format!("In the case it was not this: {}", stated(row))));
    told.truncate(parts::ROWS_MAX);
    page.steps(&told);
    if told.is_empty() {
        page.say("No hypothesis was validated or ruled out.");
    }
}

fn stated(row: &HypothesisRow) -> String {
    inline(&row.description, ENTRY_CHARS_MAX)
}

fn supports(stance: Stance) -> bool {
    matches!(stance, Stance::Supports | Stance::StronglySupports)
}

fn of_applied(facts: &Facts, items: impl Fn(&SolutionRow) -> Vec<Item>) -> Vec<Item> {
    let applied = facts.solutions().filter(|row| row.status == SolutionStatus::Applied);
    applied.flat_map(items).take(parts::ROWS_MAX).collect()
}

fn rollback(row: &SolutionRow) -> Vec<Item> {
    let found = |column: Option<&Json>| {
        let node = Node::of(column);
        node.member(&ROLLBACK).map(|(_, way)| way.items())
    };
    found(row.steps.as_ref()).or_else(|| found(row.metadata.as_ref())).unwrap_or_default()
}

fn related(page: &mut Page, facts: &Facts) {
    const RELATED: [&str; 4] = ["related_issues", "related_cases", "links", "references"];
    let case = &facts.case.case;
    let mut told =
        vec![format!("Case `{}`: {}", case.case_id, inline(&case.title, ENTRY_CHARS_MAX))];
    told.extend(review::documented(facts, &RELATED));
    page.bullets(&told);
    page.say(&format!(
        "Generated {} UTC from the records of the case, without a language model.",
        moment(facts.now)
    ));
}
