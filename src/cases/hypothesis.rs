//! Hypotheses: what is believed in a case, and how the evidence bears on it.

use super::access::{Reader, Writer};
use super::case;
use super::error::CaseError;
use super::field::{Fields, same_version, set};
use super::status::illegal;
use super::tables::words::{HypothesisCategory, HypothesisStatus, Stance};
use super::tables::{
    EvidenceLink, EvidenceRow, HYPOTHESES_BY_CASE, HYPOTHESES_BY_STATUS, HypothesisRow,
    SOLUTIONS_BY_HYPOTHESIS, SolutionRow,
};
use crate::base::id::{EvidenceId, HypothesisId};
use crate::base::{Json, Page, PageRequest, Time};
use crate::engine::db::{Span, View, Write, key};

/// Longest description, in characters: that of the reference's statement and rationale together.
pub const DESCRIPTION_CHARS_MAX: usize = 2000;
/// Longest reasoning, in characters (reference facts 1.4).
pub const REASONING_CHARS_MAX: usize = 1000;
/// Longest confidence in words, in characters.
pub const LEVEL_CHARS_MAX: usize = 50;
/// Pieces of evidence one hypothesis links to at most.
pub const LINKS_MAX: usize = 200;
/// Hypotheses of one case that are considered when a piece of evidence goes.
const PER_CASE_MAX: usize = 10_000;
/// Likelihood when none is given (reference facts 1.4).
pub const LIKELIHOOD_DEFAULT: f64 = 0.5;
/// What one supporting piece of evidence adds (reference facts 1.5).
const SUPPORT: f64 = 0.15;
/// What one refuting piece of evidence takes (reference facts 1.5).
const REFUTATION: f64 = 0.20;
/// Confidence from which a hypothesis with enough support deserves `validated`.
const VALIDATED_FROM: f64 = 0.70;
/// Confidence up to which a hypothesis with enough against it deserves `invalidated`.
const INVALIDATED_TO: f64 = 0.20;
/// Pieces of evidence that a verdict takes (reference facts 1.5).
const VERDICT_EVIDENCE: usize = 2;

/// A new hypothesis; it begins as exploring.
#[derive(Debug, Clone)]
pub struct NewHypothesis {
    /// Its id.
    pub hypothesis_id: HypothesisId,
    /// What it says.
    pub description: String,
    /// Kind of cause.
    pub category: HypothesisCategory,
    /// Confidence in words; follows from the likelihood when absent.
    pub confidence_level: Option<String>,
    /// Confidence before any evidence, 0 to 1.
    pub likelihood: f64,
    /// Why it is held.
    pub reasoning: Option<String>,
    /// The evidence for and against.
    pub evidence_links: Vec<NewLink>,
    /// Anything more.
    pub metadata: Option<Json>,
}

/// How one piece of evidence of the case bears on the hypothesis.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// The evidence.
    pub evidence_id: EvidenceId,
    /// For, against or neither.
    pub stance: Stance,
    /// Why.
    pub reasoning: Option<String>,
    /// How much of the question it answers, 0 to 1.
    pub completeness: Option<f64>,
}

/// Changes to a hypothesis; `None` leaves a field alone, `Some(None)` empties it.
#[derive(Debug, Clone, Default)]
pub struct HypothesisChange {
    /// What it says.
    pub description: Option<String>,
    /// Where it stands.
    pub status: Option<HypothesisStatus>,
    /// Kind of cause.
    pub category: Option<HypothesisCategory>,
    /// Confidence in words.
    pub confidence_level: Option<Option<String>>,
    /// Confidence before any evidence, 0 to 1.
    pub likelihood: Option<f64>,
    /// Why it is held.
    pub reasoning: Option<Option<String>>,
    /// All evidence for and against; replaces what was linked.
    pub evidence_links: Option<Vec<NewLink>>,
    /// Anything more.
    pub metadata: Option<Option<Json>>,
}

/// What the evidence makes of a hypothesis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Confidence {
    /// Pieces of evidence for it.
    pub supporting: usize,
    /// Pieces of evidence against it.
    pub refuting: usize,
    /// Initial likelihood + 0.15 for each in favour - 0.20 for each against, within 0 and 1
    /// (reference facts 1.5).
    pub likelihood: f64,
    /// Share of supporting minus share of refuting among all linked evidence, -1 to 1.
    pub evidence_score: f64,
    /// The verdict that the numbers call for; giving it is left to a person or an agent.
    pub suggested_status: Option<HypothesisStatus>,
}

impl HypothesisRow {
    /// Weighs the linked evidence.
    pub fn confidence(&self) -> Confidence {
        let count = |stances: [Stance; 2]| {
            self.evidence_links.iter().filter(|link| stances.contains(&link.stance)).count()
        };
        let supporting = count([Stance::Supports, Stance::StronglySupports]);
        let refuting = count([Stance::Contradicts, Stance::StronglyContradicts]);
        let (plus, minus) = (supporting as f64 * SUPPORT, refuting as f64 * REFUTATION);
        // To a thousandth, so that 0.5 + 0.15 + 0.15 - 0.1 is not a hair below a threshold.
        let exact = (self.initial_likelihood + plus - minus).clamp(0.0, 1.0);
        let likelihood = (exact * 1000.0).round() / 1000.0;
        let links = self.evidence_links.len().max(1) as f64;
        let suggested_status = if likelihood >= VALIDATED_FROM && supporting >= VERDICT_EVIDENCE {
            Some(HypothesisStatus::Validated)
        } else if likelihood <= INVALIDATED_TO && refuting >= VERDICT_EVIDENCE {
            Some(HypothesisStatus::Invalidated)
        } else {
            None
        };
        let evidence_score = (supporting as f64 - refuting as f64) / links;
        Confidence {
            supporting,
            refuting,
            likelihood,
            evidence_score,
            suggested_status: suggested_status.filter(|status| *status != self.status),
        }
    }
}

/// The likelihood in words (reference facts 1.4).
pub fn level(likelihood: f64) -> &'static str {
    match likelihood {
        l if l < 0.5 => "speculation",
        l if l < 0.7 => "probable",
        l if l < 0.9 => "confident",
        _ => "verified",
    }
}

/// Adds a hypothesis to a case.
///
/// # Errors
/// [`CaseError::Fields`], also when a link names evidence that is none of this case.
pub fn add(
    tx: &Write<'_>,
    may: &Writer,
    new: &NewHypothesis,
    now: Time,
) -> Result<HypothesisRow, CaseError> {
    let owner = case::get(tx, may)?;
    let mut fields = Fields::default();
    let row = HypothesisRow {
        hypothesis_id: new.hypothesis_id,
        case_id: may.case_id(),
        description: fields.text("description", &new.description, DESCRIPTION_CHARS_MAX),
        status: HypothesisStatus::Exploring,
        category: new.category,
        confidence_level: fields.optional(
            "confidence_level",
            new.confidence_level.as_deref(),
            LEVEL_CHARS_MAX,
        ),
        initial_likelihood: fields.fraction("likelihood", new.likelihood),
        reasoning: fields.optional("reasoning", new.reasoning.as_deref(), REASONING_CHARS_MAX),
        evidence_links: checked_links(tx, may, &mut fields, &new.evidence_links, now)?,
        generated_at_turn: owner.current_turn,
        created_by: may.by().to_owned(),
        metadata: new.metadata.clone(),
        created_at: now,
        updated_at: now,
        tested_at: None,
        concluded_at: None,
        version: 1,
    };
    fields.done()?;
    tx.insert(&row)?;
    case::touch(tx, may, now)?;
    Ok(row)
}

fn checked_links(
    tx: &Write<'_>,
    may: &Writer,
    fields: &mut Fields,
    links: &[NewLink],
    now: Time,
) -> Result<Vec<EvidenceLink>, CaseError> {
    fields.entries("evidence_links", links.len(), LINKS_MAX);
    let mut checked: Vec<EvidenceLink> = Vec::with_capacity(links.len().min(LINKS_MAX));
    for (at, link) in links.iter().take(LINKS_MAX).enumerate() {
        let path = |field: &str| format!("evidence_links[{at}].{field}");
        let evidence = tx.get::<EvidenceRow>(&link.evidence_id)?;
        if evidence.is_none_or(|row| row.case_id != may.case_id()) {
            fields.wrong(path("evidence_id"), "is no evidence of this case");
        }
        if checked.iter().any(|other| other.evidence_id == link.evidence_id) {
            fields.wrong(path("evidence_id"), "is linked twice");
        }
        let reasoning =
            fields.optional(&path("reasoning"), link.reasoning.as_deref(), REASONING_CHARS_MAX);
        let completeness =
            link.completeness.map(|share| fields.fraction(&path("completeness"), share));
        checked.push(EvidenceLink {
            evidence_id: link.evidence_id,
            stance: link.stance,
            reasoning,
            completeness,
            analyzed_at: now,
        });
    }
    Ok(checked)
}

/// One hypothesis of the case.
///
/// # Errors
/// [`CaseError::HypothesisMissing`].
pub fn get(
    tx: &impl View,
    may: &Reader,
    hypothesis_id: HypothesisId,
) -> Result<HypothesisRow, CaseError> {
    let found = tx.get::<HypothesisRow>(&hypothesis_id)?;
    let found = found.filter(|row| row.case_id == may.case_id());
    found.ok_or(CaseError::HypothesisMissing(hypothesis_id))
}

/// One window of the hypotheses of a case, oldest first.
///
/// # Errors
/// [`CaseError::Storage`] when the store fails.
pub fn page(
    tx: &impl View,
    may: &Reader,
    status: Option<HypothesisStatus>,
    request: PageRequest,
) -> Result<Page<HypothesisRow>, CaseError> {
    let case = key().id(&may.case_id());
    Ok(match status {
        Some(status) => {
            tx.page(&HYPOTHESES_BY_STATUS, &Span::prefix(&case.u8(status.place())), request)?
        }
        None => tx.page(&HYPOTHESES_BY_CASE, &Span::prefix(&case), request)?,
    })
}

/// Hypotheses that link to a piece of evidence.
///
/// # Errors
/// [`CaseError::Storage`] when the store fails.
pub fn linked_to(
    tx: &impl View,
    may: &Reader,
    evidence_id: EvidenceId,
) -> Result<Vec<HypothesisRow>, CaseError> {
    let span = Span::prefix(&key().id(&may.case_id()));
    let mut rows: Vec<HypothesisRow> = tx.list(&HYPOTHESES_BY_CASE, &span, 0, PER_CASE_MAX)?;
    rows.retain(|row| row.evidence_links.iter().any(|link| link.evidence_id == evidence_id));
    Ok(rows)
}

/// Takes a piece of evidence out of every hypothesis that links to it.
pub(super) fn unlink(
    tx: &Write<'_>,
    may: &Writer,
    evidence_id: EvidenceId,
    now: Time,
) -> Result<(), CaseError> {
    for mut row in linked_to(tx, may, evidence_id)? {
        row.evidence_links.retain(|link| link.evidence_id != evidence_id);
        row.updated_at = now;
        row.version += 1;
        tx.put(&row)?;
    }
    Ok(())
}

/// Changes a hypothesis.
///
/// # Errors
/// [`CaseError::HypothesisMissing`], [`CaseError::Version`], [`CaseError::Fields`],
/// [`CaseError::HypothesisTransition`] when the machine does not allow the status,
/// [`CaseError::OwnerOnly`] when only the owner may explore it anew.
pub fn update(
    tx: &Write<'_>,
    may: &Writer,
    hypothesis_id: HypothesisId,
    expected: Option<u64>,
    change: &HypothesisChange,
    now: Time,
) -> Result<HypothesisRow, CaseError> {
    let mut row = get(tx, may, hypothesis_id)?;
    same_version(expected, row.version)?;
    let mut fields = Fields::default();
    if let Some(text) = &change.description {
        row.description = fields.text("description", text, DESCRIPTION_CHARS_MAX);
    }
    if let Some(text) = &change.confidence_level {
        row.confidence_level =
            fields.optional("confidence_level", text.as_deref(), LEVEL_CHARS_MAX);
    }
    if let Some(text) = &change.reasoning {
        row.reasoning = fields.optional("reasoning", text.as_deref(), REASONING_CHARS_MAX);
    }
    if let Some(likelihood) = change.likelihood {
        row.initial_likelihood = fields.fraction("likelihood", likelihood);
    }
    if let Some(links) = &change.evidence_links {
        row.evidence_links = checked_links(tx, may, &mut fields, links, now)?;
    }
    fields.done()?;
    set(&mut row.category, change.category);
    set(&mut row.metadata, change.metadata.clone());
    if let Some(status) = change.status.filter(|status| *status != row.status) {
        step(&mut row, status, may.owns(), now)?;
    }
    row.updated_at = now;
    row.version += 1;
    tx.put(&row)?;
    case::touch(tx, may, now)?;
    Ok(row)
}

fn step(
    row: &mut HypothesisRow,
    to: HypothesisStatus,
    owner: bool,
    now: Time,
) -> Result<(), CaseError> {
    let next = row.status.next(owner);
    if !next.contains(&to) {
        if row.status.next(true).contains(&to) {
            return Err(CaseError::OwnerOnly);
        }
        let refused = illegal(row.status, to, next, HypothesisStatus::as_str);
        return Err(CaseError::HypothesisTransition(refused));
    }
    row.status = to;
    match to {
        HypothesisStatus::Testing => row.tested_at = Some(now),
        HypothesisStatus::Exploring => row.concluded_at = None,
        HypothesisStatus::Validated | HypothesisStatus::Invalidated => row.concluded_at = Some(now),
    }
    Ok(())
}

/// Deletes a hypothesis; solutions that follow from it stay and lose the link.
///
/// # Errors
/// [`CaseError::HypothesisMissing`], [`CaseError::Version`].
pub fn remove(
    tx: &Write<'_>,
    may: &Writer,
    hypothesis_id: HypothesisId,
    expected: Option<u64>,
    now: Time,
) -> Result<(), CaseError> {
    let row = get(tx, may, hypothesis_id)?;
    same_version(expected, row.version)?;
    let span = Span::prefix(&key().id(&hypothesis_id));
    let linked: Vec<SolutionRow> = tx.list(&SOLUTIONS_BY_HYPOTHESIS, &span, 0, PER_CASE_MAX)?;
    for mut solution in linked {
        solution.linked_hypothesis_id = None;
        solution.updated_at = now;
        solution.version += 1;
        tx.put(&solution)?;
    }
    tx.delete::<HypothesisRow>(&hypothesis_id)?;
    case::touch(tx, may, now)?;
    Ok(())
}
