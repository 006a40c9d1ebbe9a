//! What the JSON columns of a case say in a few bits, so that lists need not read them.

use super::error::CaseError;
use super::field::Fields;
use super::tables::Milestones;
use super::tables::words::{Milestone, Status};
use crate::base::Json;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Milestones that count towards completion (reference facts 1.4).
pub const MILESTONES_TOTAL: usize = 8;
/// Turns without progress from which a case counts as stuck (reference facts 1.4).
pub const STUCK_TURNS: u32 = 3;

impl Milestones {
    /// Counted milestones that are reached, in order.
    pub fn completed(self) -> Vec<Milestone> {
        counted().filter(|milestone| self.has(*milestone)).collect()
    }

    /// Counted milestones that are not reached, in order.
    pub fn pending(self) -> Vec<Milestone> {
        counted().filter(|milestone| !self.has(*milestone)).collect()
    }

    /// Share of counted milestones that are reached, in percent.
    pub fn completion_percentage(self) -> f64 {
        let reached = counted().filter(|milestone| self.has(*milestone)).count();
        reached as f64 * 100.0 / MILESTONES_TOTAL as f64
    }

    /// Whether a cure is at least proposed.
    fn treats(self) -> bool {
        self.has(Milestone::SolutionProposed)
            || self.has(Milestone::SolutionApplied)
            || self.has(Milestone::SolutionVerified)
    }

    /// The stage that follows from the milestones (reference facts 1.4).
    pub fn stage(self) -> &'static str {
        if self.treats() {
            "solution"
        } else if self.has(Milestone::RootCauseIdentified) {
            "hypothesis_validation"
        } else if self.has(Milestone::SymptomVerified) {
            "hypothesis_formulation"
        } else {
            "symptom_verification"
        }
    }

    /// The stage in the words of contract 2.0; only a case under investigation has one.
    pub fn contract_stage(self, status: Status) -> Option<&'static str> {
        match status {
            Status::Investigating if self.treats() => Some("treatment"),
            Status::Investigating if self.has(Milestone::MitigationApplied) => Some("mitigation"),
            Status::Investigating => Some("diagnosis"),
            _ => None,
        }
    }

    /// Whether the symptom is fully described.
    pub(super) fn verified(self) -> bool {
        self.has(Milestone::SymptomVerified)
            && self.has(Milestone::ScopeAssessed)
            && self.has(Milestone::TimelineEstablished)
            && self.has(Milestone::ChangesIdentified)
    }
}

fn counted() -> impl Iterator<Item = Milestone> {
    Milestone::ALL.iter().copied().take(MILESTONES_TOTAL)
}

/// Reads the milestones out of `investigation_progress`: members named after one that are `true`.
///
/// # Errors
/// [`CaseError::Fields`] when it is no object, a milestone is no boolean, or one is reached
/// without the one it needs.
pub(super) fn milestones(progress: &Json) -> Result<Milestones, CaseError> {
    const FIELD: &str = "investigation_progress";
    let members: BTreeMap<String, serde_json::Value> =
        progress.to().map_err(|_| CaseError::field(FIELD, "must be an object"))?;
    let (mut set, mut fields) = (Milestones::default(), Fields::default());
    for milestone in Milestone::ALL {
        match members.get(milestone.as_str()) {
            None | Some(serde_json::Value::Null | serde_json::Value::Bool(false)) => {}
            Some(serde_json::Value::Bool(true)) => set = set.with(*milestone),
            Some(_) => fields.wrong(format!("{FIELD}.{milestone}"), "must be a boolean"),
        }
    }
    let needs = [
        (Milestone::SolutionApplied, Milestone::SolutionProposed),
        (Milestone::SolutionVerified, Milestone::SolutionApplied),
    ];
    for (milestone, needed) in needs {
        if set.has(milestone) && !set.has(needed) {
            fields.wrong(format!("{FIELD}.{milestone}"), format!("needs {needed}"));
        }
    }
    fields.done()?;
    Ok(set)
}

/// Whether a JSON column describes something that holds: an object with members, none of which
/// is `active: false`.
pub(super) fn is_active(column: Option<&Json>) -> bool {
    #[derive(Deserialize)]
    struct Active {
        active: Option<bool>,
    }
    column.is_some_and(|json| {
        json.as_str() != "{}" && json.to::<Active>().is_ok_and(|it| it.active != Some(false))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: Result<(usize, &str, Option<&str>), &str>) {
        let found = milestones(&Json::parse(json).unwrap());
        let found = found
            .as_ref()
            .map(|m| (m.completed().len(), m.stage(), m.contract_stage(Status::Investigating)));
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{json}"),
            (Err(CaseError::Fields(fields)), Err(field)) => {
                assert_eq!(fields.first().map(|f| f.field.as_str()), Some(field), "{json}");
            }
            (found, expected) => panic!("{json}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn milestones_are_read_from_the_progress() {
        check("{}", Ok((0, "symptom_verification", Some("diagnosis"))));
        check(
            r#"{"symptom_verified":true,"note":"x"}"#,
            Ok((1, "hypothesis_formulation", Some("diagnosis"))),
        );
        check(
            r#"{"mitigation_applied":true,"scope_assessed":null}"#,
            Ok((0, "symptom_verification", Some("mitigation"))),
        );
        check(
            r#"{"root_cause_identified":true}"#,
            Ok((1, "hypothesis_validation", Some("diagnosis"))),
        );
        check(
            r#"{"solution_proposed":true,"solution_applied":true}"#,
            Ok((2, "solution", Some("treatment"))),
        );
        check(r#"{"solution_applied":true}"#, Err("investigation_progress.solution_applied"));
        check(r#"{"solution_verified":"yes"}"#, Err("investigation_progress.solution_verified"));
        check("[]", Err("investigation_progress"));
    }

    #[test]
    fn a_mode_holds_until_it_says_that_it_does_not() {
        for (json, expected) in [
            ("{}", false),
            (r#"{"reason":"x"}"#, true),
            (r#"{"active":false,"reason":"x"}"#, false),
        ] {
            assert_eq!(is_active(Some(&Json::parse(json).unwrap())), expected, "{json}");
        }
        assert!(!is_active(None));
    }
}
