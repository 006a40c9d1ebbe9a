//! Building blocks that several kinds of report share.

use super::super::facts::{Facts, Place};
use super::super::markdown::{
    ENTRY_CHARS_MAX, PROSE_CHARS_MAX, Page, count, inline, moment, plain, spoken,
};
use super::super::node::{Item, Node};
use crate::base::id::{CaseId, EvidenceId};
use crate::cases::{
    EvidenceCategory, EvidenceLink, EvidenceRow, HypothesisRow, HypothesisStatus, SolutionRow,
    SolutionStatus, Stance, hypothesis,
};

/// Things of one kind that a report describes one by one; it says how many it leaves out.
pub(super) const ROWS_MAX: usize = 50;
/// Stretches of lines named for one piece of evidence.
const PLACES_MAX: usize = 5;
/// Pieces of evidence named for one hypothesis.
const LINKS_MAX: usize = 20;
/// Members that state a root cause, best first.
const CAUSES: [&str; 6] =
    ["root_cause", "statement", "conclusion", "description", "summary", "cause"];

/// What the case gives as the cause.
pub(super) enum Cause<'a> {
    /// Its conclusion says so.
    Concluded(Node),
    /// A hypothesis was validated.
    Validated(&'a HypothesisRow),
    /// Nothing does.
    Unknown,
}

/// The cause: the recorded conclusion where there is one, otherwise the likeliest validated
/// hypothesis.
pub(super) fn cause(facts: &Facts) -> Cause<'_> {
    let concluded = Node::of(facts.case.context.root_cause_conclusion.as_ref());
    if !concluded.is_empty() {
        return Cause::Concluded(concluded);
    }
    let validated = facts.hypotheses().filter(|row| row.status == HypothesisStatus::Validated);
    let likelihood = |row: &HypothesisRow| row.confidence().likelihood;
    // Of equals the older one: it was there first.
    match validated.rev().max_by(|a, b| likelihood(a).total_cmp(&likelihood(b))) {
        Some(row) => Cause::Validated(row),
        None => Cause::Unknown,
    }
}

/// What a conclusion states, in one line of plain text without a full stop.
pub(super) fn lead(conclusion: &Node) -> String {
    let said = conclusion.member(&CAUSES).map(|(_, node)| node.sentence());
    let said = said.unwrap_or_else(|| conclusion.sentence());
    plain(&said, ENTRY_CHARS_MAX).trim_end_matches('.').to_owned()
}

/// Explains the cause, or says that none is recorded.
pub(super) fn explain_cause(page: &mut Page, facts: &Facts) {
    match cause(facts) {
        Cause::Concluded(node) => match node.member(&CAUSES) {
            Some((name, said)) => {
                page.prose(&said.sentence());
                page.bullets(&node.entries(&[name]));
            }
            None => page.bullets(&node.entries(&[])),
        },
        Cause::Validated(row) => {
            page.say("No conclusion was recorded; this hypothesis was validated:");
            page.prose(&row.description);
            let mut told = vec![format!("**Confidence:** {}", confidence(row))];
            told.extend(reasons(row));
            told.extend(verdicts(facts.case.case.case_id, row));
            page.bullets(&told);
        }
        Cause::Unknown => {
            page.say(
                "No root cause was recorded: the case has neither a conclusion nor a validated \
                 hypothesis.",
            );
            let working = Node::of(facts.case.context.working_conclusion.as_ref());
            if !working.is_empty() {
                page.say("What was thought last:");
                page.bullets(&working.entries(&[]));
            }
        }
    }
}

/// The case in a list: what it is, where it stands, how long it took, how much is in it.
pub(super) fn at_a_glance(page: &mut Page, facts: &Facts) {
    let case = &facts.case.case;
    let mut told = vec![
        format!("**Case:** `{}`", case.case_id),
        format!("**Status:** {}", case.status),
        format!("**Priority:** {}", case.priority),
        format!("**Opened:** {} UTC", moment(case.created_at)),
    ];
    if let Some(at) = case.closed_at {
        let after = spoken(at.since_ms(case.created_at));
        told.push(format!("**Ended:** {} UTC, {after} after it was opened", moment(at)));
    }
    if let Some(reason) = case.closure_reason {
        told.push(format!("**Closure reason:** {}", spaced(reason.as_str())));
    }
    told.push(format!("**Recorded:** {}", amounts(facts)));
    if !facts.case.tags.is_empty() {
        told.push(format!("**Tags:** {}", inline(&facts.case.tags.join(", "), PROSE_CHARS_MAX)));
    }
    page.bullets(&told);
}

/// How much the case holds.
pub(super) fn amounts(facts: &Facts) -> String {
    let counts = facts.case.counts;
    [
        count(counts.evidence, "piece of evidence", "pieces of evidence"),
        count(counts.hypotheses, "hypothesis", "hypotheses"),
        count(counts.solutions, "solution", "solutions"),
        count(counts.messages, "message", "messages"),
        count(counts.files, "file", "files"),
    ]
    .join(", ")
}

/// Says that a list is not complete.
pub(super) fn left_out(page: &mut Page, total: usize, what: &str) {
    if total > ROWS_MAX {
        page.say(&format!("{} more {what} are in the case.", total - ROWS_MAX));
    }
}

/// A word of a closed vocabulary as people read it.
pub(super) fn spaced(word: &str) -> String {
    word.replace('_', " ")
}

/// A link to a piece of evidence.
pub(super) fn evidence_link(case_id: CaseId, evidence_id: EvidenceId) -> String {
    format!("[{evidence_id}](/api/v1/cases/{case_id}/evidence/{evidence_id})")
}

/// The evidence, oldest first, with what was found in it and where.
pub(super) fn evidence(page: &mut Page, facts: &Facts) {
    let mut shown = 0;
    for (number, row) in (1..).zip(facts.evidence()).take(ROWS_MAX) {
        piece(page, facts, number, row);
        shown += 1;
    }
    if shown == 0 {
        page.say("No evidence was collected.");
    }
    left_out(page, facts.case.counts.evidence, "pieces of evidence");
}

fn piece(page: &mut Page, facts: &Facts, number: usize, row: &EvidenceRow) {
    page.part(&format!("Evidence {number}: {}", spaced(row.source_type.as_str())));
    let file = row.source_file_id.and_then(|file_id| facts.file(file_id));
    let file = file.map(|file| format!(", from {}", inline(&file.filename, ENTRY_CHARS_MAX)));
    page.say(&format!(
        "{}, {}, collected {} UTC{}",
        evidence_link(row.case_id, row.evidence_id),
        speaks_to(row.category),
        moment(row.created_at),
        file.unwrap_or_default(),
    ));
    page.prose(said(row));
    let insights = row.key_insights.iter().map(|text| inline(text, ENTRY_CHARS_MAX));
    let mut told: Vec<String> = insights.collect();
    let places = row.source_file_id.map_or(&[][..], |file_id| facts.places(file_id));
    told.extend(places.iter().take(PLACES_MAX).map(place));
    page.bullets(&told);
}

/// What a piece of evidence says, in short.
pub(super) fn said(row: &EvidenceRow) -> &str {
    row.preprocessed_summary.as_deref().unwrap_or(&row.content)
}

fn place(place: &Place) -> String {
    let reason = match inline(&place.reason, ENTRY_CHARS_MAX) {
        reason if reason.is_empty() => reason,
        reason => format!(": {reason}"),
    };
    if place.line_end > place.line_start {
        format!("See lines {}-{}{reason}", place.line_start, place.line_end)
    } else {
        format!("See line {}{reason}", place.line_start)
    }
}

fn speaks_to(category: EvidenceCategory) -> &'static str {
    match category {
        EvidenceCategory::Symptom => "symptom",
        EvidenceCategory::Causal => "cause",
        EvidenceCategory::Resolution => "resolution",
        EvidenceCategory::Other => "other",
        EvidenceCategory::SymptomAbsence => "absence of a symptom",
        EvidenceCategory::CausalAbsence => "absence of a cause",
    }
}

/// The hypotheses in the order they came up, with their fate and why.
pub(super) fn hypotheses(page: &mut Page, facts: &Facts) {
    let case_id = facts.case.case.case_id;
    let mut shown = 0;
    for (number, row) in (1..).zip(facts.hypotheses()).take(ROWS_MAX) {
        page.part(&format!("Hypothesis {number}: {}", row.status));
        page.prose(&row.description);
        let mut told = vec![format!("**Confidence:** {}", confidence(row))];
        told.push(format!("**Kind of cause:** {}", row.category));
        told.extend(reasons(row));
        told.extend(verdicts(case_id, row));
        page.bullets(&told);
        shown += 1;
    }
    if shown == 0 {
        page.say("No hypotheses were recorded.");
    }
    left_out(page, facts.case.counts.hypotheses, "hypotheses");
}

/// `80 % (confident)`.
fn confidence(row: &HypothesisRow) -> String {
    let likelihood = row.confidence().likelihood;
    let level = row.confidence_level.as_deref().unwrap_or_else(|| hypothesis::level(likelihood));
    format!("{:.0} % ({})", likelihood * 100.0, inline(level, ENTRY_CHARS_MAX))
}

fn reasons(row: &HypothesisRow) -> Option<String> {
    let reasoning = row.reasoning.as_deref()?;
    Some(format!("**Why:** {}", inline(reasoning, ENTRY_CHARS_MAX)))
}

fn verdicts(case_id: CaseId, row: &HypothesisRow) -> impl Iterator<Item = String> {
    row.evidence_links.iter().take(LINKS_MAX).map(move |link| verdict(case_id, link))
}

fn verdict(case_id: CaseId, link: &EvidenceLink) -> String {
    let stance = match link.stance {
        Stance::StronglySupports => "Strongly supported by",
        Stance::Supports => "Supported by",
        Stance::Neutral => "Neither supported nor contradicted by",
        Stance::Contradicts => "Contradicted by",
        Stance::StronglyContradicts => "Strongly contradicted by",
        Stance::Irrelevant => "Unrelated to",
    };
    let why = link.reasoning.as_deref().map(|text| inline(text, ENTRY_CHARS_MAX));
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    format!("{stance} {}{why}", evidence_link(case_id, link.evidence_id))
}

/// The solutions with this fate, with their steps; answers how many there are.
pub(super) fn solutions(page: &mut Page, facts: &Facts, status: SolutionStatus) -> usize {
    let rows: Vec<_> = facts.solutions().filter(|row| row.status == status).collect();
    for (number, row) in (1..).zip(&rows).take(ROWS_MAX) {
        page.part(&format!("{} {number}: {status}", capital(row.category.as_str())));
        if let Some(title) = &row.title {
            page.say(&format!("**{}**", inline(title, ENTRY_CHARS_MAX)));
        }
        page.prose(&row.description);
        steps(page, &Node::of(row.steps.as_ref()).items());
        let mut told = Vec::new();
        if let Some(at) = row.applied_at {
            told.push(format!("**Applied:** {} UTC", moment(at)));
        }
        if let Some(result) = &row.result_summary {
            told.push(format!("**Result:** {}", inline(result, ENTRY_CHARS_MAX)));
        }
        page.bullets(&told);
    }
    left_out(page, rows.len(), "solutions");
    rows.len()
}

/// Numbered steps; those with a command are shown with it, to be copied.
pub(super) fn steps(page: &mut Page, items: &[Item]) {
    if items.iter().all(|item| item.command.is_none()) {
        let texts = items.iter().map(|item| inline(&item.text, ENTRY_CHARS_MAX));
        return page.steps(&texts.collect::<Vec<_>>());
    }
    for (number, item) in (1..).zip(items) {
        let text = inline(&item.text, ENTRY_CHARS_MAX);
        page.say(format!("**Step {number}.** {text}").trim_end());
        if let Some(command) = &item.command {
            page.code(command);
        }
    }
}

/// The name of a solution: its title, or what is to be done.
pub(super) fn name(row: &SolutionRow) -> String {
    inline(row.title.as_deref().unwrap_or(&row.description), ENTRY_CHARS_MAX)
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
