//! The investigation summary: what was done in which order, and where it led (seed 8.4).

use super::super::facts::Facts;
use super::super::markdown::{Page, moment};
use super::timeline::timeline;
use super::{parts, review};
use crate::cases::SolutionStatus;

/// Writes the sections.
pub(super) fn compose(page: &mut Page, facts: &Facts) {
    page.section("Overview");
    if let Some(description) = &facts.case.case.description {
        page.prose(description);
    }
    parts::at_a_glance(page, facts);

    page.section("Root Cause");
    parts::explain_cause(page, facts);

    page.section("Investigation Timeline");
    timeline(page, facts);

    page.section("Hypotheses");
    parts::hypotheses(page, facts);

    page.section("Solutions");
    let fates = [
        SolutionStatus::Applied,
        SolutionStatus::Applying,
        SolutionStatus::Proposed,
        SolutionStatus::Failed,
    ];
    if fates.map(|status| parts::solutions(page, facts, status)).iter().sum::<usize>() == 0 {
        page.say("No solutions were recorded.");
    }

    page.section("Open Points");
    let open = review::action_items(facts);
    page.tasks(&open);
    if open.is_empty() {
        page.say("No open points were recorded.");
    }
    page.say(&format!(
        "Generated {} UTC from the records of the case, without a language model.",
        moment(facts.now)
    ));
}
