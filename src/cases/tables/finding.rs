//! What is known and believed in a case: evidence, hypotheses, solutions.

use super::case::CaseRow;
use super::file::FileRow;
use super::words::{
    Category, EvidenceCategory, EvidenceForm, EvidenceSource, HypothesisCategory, HypothesisStatus,
    SolutionStatus, Stance,
};
use crate::base::id::{CaseId, EvidenceId, FileId, HypothesisId, SolutionId};
use crate::base::{Json, Time};
use crate::engine::db::{Index, Parent, Row, key};
use serde::{Deserialize, Serialize};

/// A piece of evidence. A few hundred bytes when typed in, about 10 KiB when made from a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvidenceRow {
    /// The evidence.
    pub evidence_id: EvidenceId,
    /// The case.
    pub case_id: CaseId,
    /// The text: what was entered, or what was extracted from the file.
    pub content: String,
    /// Where it comes from.
    pub source_type: EvidenceSource,
    /// Handed over or typed in.
    pub form: EvidenceForm,
    /// What it speaks to.
    pub category: EvidenceCategory,
    /// Where the raw artifact lies.
    pub raw_artifact_s3_key: Option<String>,
    /// The text in a few sentences.
    pub preprocessed_summary: Option<String>,
    /// How it was classified.
    pub classification_dimensions: Option<Json>,
    /// Type of the file's content, in the words of the analysis.
    pub data_type: Option<String>,
    /// The file it was made from.
    pub source_file_id: Option<FileId>,
    /// What is worth knowing, most useful first, with locations.
    pub key_insights: Vec<String>,
    /// Whether personal data was found (and replaced).
    pub pii_detected: bool,
    /// Whether secrets were found (and replaced).
    pub secrets_detected: bool,
    /// Anything more.
    pub metadata: Option<Json>,
    /// Turn of the conversation in which it came in.
    pub collected_at_turn: u32,
    /// Who brought it.
    pub collected_by: String,
    /// When it came in.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
    /// Version, for `If-Match`.
    pub version: u64,
}

/// `(case, newest first)`.
pub(in crate::cases) const EVIDENCE_BY_CASE: Index<EvidenceRow> =
    Index::many("evidence_by_case", |e| Some(key().id(&e.case_id).time_desc(e.created_at)));
/// `(case, source, newest first)`.
pub(in crate::cases) const EVIDENCE_BY_SOURCE: Index<EvidenceRow> =
    Index::many("evidence_by_source", |e| {
        Some(key().id(&e.case_id).u8(e.source_type.place()).time_desc(e.created_at))
    });
/// `(case, form, newest first)`.
pub(in crate::cases) const EVIDENCE_BY_FORM: Index<EvidenceRow> =
    Index::many("evidence_by_form", |e| {
        Some(key().id(&e.case_id).u8(e.form.place()).time_desc(e.created_at))
    });
/// `(case, type of content, newest first)`, for evidence that has one.
pub(in crate::cases) const EVIDENCE_BY_DATA: Index<EvidenceRow> =
    Index::many("evidence_by_data_type", |e| {
        let data_type = e.data_type.as_ref()?;
        Some(key().id(&e.case_id).str(data_type).time_desc(e.created_at))
    });
/// `(file)`: what was made from a file.
pub(in crate::cases) const EVIDENCE_BY_FILE: Index<EvidenceRow> =
    Index::many("evidence_by_file", |e| e.source_file_id.map(|file| key().id(&file)));

impl Row for EvidenceRow {
    type Key = EvidenceId;
    const TABLE: &'static str = "evidence";
    const INDEXES: &'static [Index<Self>] = &[
        EVIDENCE_BY_CASE,
        EVIDENCE_BY_SOURCE,
        EVIDENCE_BY_FORM,
        EVIDENCE_BY_DATA,
        EVIDENCE_BY_FILE,
    ];
    const PARENTS: &'static [Parent<Self>] = &[
        Parent::of::<CaseRow>(EVIDENCE_BY_CASE, |e| Some(key().id(&e.case_id))),
        Parent::of::<FileRow>(EVIDENCE_BY_FILE, |e| e.source_file_id.map(|file| key().id(&file))),
    ];

    fn key(&self) -> EvidenceId {
        self.evidence_id
    }
}

/// How one piece of evidence bears on a hypothesis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvidenceLink {
    /// The evidence.
    pub evidence_id: EvidenceId,
    /// For, against or neither.
    pub stance: Stance,
    /// Why.
    pub reasoning: Option<String>,
    /// How much of the question it answers, 0 to 1.
    pub completeness: Option<f64>,
    /// When it was judged.
    pub analyzed_at: Time,
}

/// A hypothesis. About 400 bytes, a handful per case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HypothesisRow {
    /// The hypothesis.
    pub hypothesis_id: HypothesisId,
    /// The case.
    pub case_id: CaseId,
    /// What it says.
    pub description: String,
    /// Where it stands.
    pub status: HypothesisStatus,
    /// Kind of cause.
    pub category: HypothesisCategory,
    /// Confidence in words.
    pub confidence_level: Option<String>,
    /// Confidence before any evidence, 0 to 1.
    pub initial_likelihood: f64,
    /// Why it is held.
    pub reasoning: Option<String>,
    /// The evidence for and against.
    pub evidence_links: Vec<EvidenceLink>,
    /// Turn in which it was put forward.
    pub generated_at_turn: u32,
    /// Who put it forward.
    pub created_by: String,
    /// Anything more.
    pub metadata: Option<Json>,
    /// When it was put forward.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
    /// When testing last began.
    pub tested_at: Option<Time>,
    /// When it was validated or invalidated.
    pub concluded_at: Option<Time>,
    /// Version, for `If-Match`.
    pub version: u64,
}

/// `(case)`, oldest first.
pub(in crate::cases) const HYPOTHESES_BY_CASE: Index<HypothesisRow> =
    Index::many("hypotheses_by_case", |h| Some(key().id(&h.case_id)));
/// `(case, status)`, oldest first.
pub(in crate::cases) const HYPOTHESES_BY_STATUS: Index<HypothesisRow> =
    Index::many("hypotheses_by_status", |h| Some(key().id(&h.case_id).u8(h.status.place())));

impl Row for HypothesisRow {
    type Key = HypothesisId;
    const TABLE: &'static str = "hypotheses";
    const INDEXES: &'static [Index<Self>] = &[HYPOTHESES_BY_CASE, HYPOTHESES_BY_STATUS];
    const PARENTS: &'static [Parent<Self>] =
        &[Parent::of::<CaseRow>(HYPOTHESES_BY_CASE, |h| Some(key().id(&h.case_id)))];

    fn key(&self) -> HypothesisId {
        self.hypothesis_id
    }
}

/// A solution. About 500 bytes, a handful per case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SolutionRow {
    /// The solution.
    pub solution_id: SolutionId,
    /// The case.
    pub case_id: CaseId,
    /// A short name.
    pub title: Option<String>,
    /// What is to be done.
    pub description: String,
    /// What it is meant to do.
    pub category: Category,
    /// Where it stands.
    pub status: SolutionStatus,
    /// The hypothesis it follows from.
    pub linked_hypothesis_id: Option<HypothesisId>,
    /// The steps.
    pub steps: Option<Json>,
    /// How to see that it worked.
    pub verification_criteria: Option<Json>,
    /// What came of it.
    pub result_summary: Option<String>,
    /// Who proposed it.
    pub created_by: String,
    /// Anything more.
    pub metadata: Option<Json>,
    /// When it was proposed.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
    /// When it was in place.
    pub applied_at: Option<Time>,
    /// Version, for `If-Match`.
    pub version: u64,
}

/// `(case)`, oldest first.
pub(in crate::cases) const SOLUTIONS_BY_CASE: Index<SolutionRow> =
    Index::many("solutions_by_case", |s| Some(key().id(&s.case_id)));
/// `(case, status)`, oldest first.
pub(in crate::cases) const SOLUTIONS_BY_STATUS: Index<SolutionRow> =
    Index::many("solutions_by_status", |s| Some(key().id(&s.case_id).u8(s.status.place())));
/// `(hypothesis)`: what follows from it.
pub(in crate::cases) const SOLUTIONS_BY_HYPOTHESIS: Index<SolutionRow> =
    Index::many("solutions_by_hypothesis", |s| s.linked_hypothesis_id.map(|h| key().id(&h)));

impl Row for SolutionRow {
    type Key = SolutionId;
    const TABLE: &'static str = "solutions";
    const INDEXES: &'static [Index<Self>] =
        &[SOLUTIONS_BY_CASE, SOLUTIONS_BY_STATUS, SOLUTIONS_BY_HYPOTHESIS];
    const PARENTS: &'static [Parent<Self>] =
        &[Parent::of::<CaseRow>(SOLUTIONS_BY_CASE, |s| Some(key().id(&s.case_id)))];

    fn key(&self) -> SolutionId {
        self.solution_id
    }
}
