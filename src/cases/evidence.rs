//! Evidence: what is known in a case, entered by people or extracted from files.

use super::access::{Reader, Writer};
use super::error::CaseError;
use super::field::{Fields, same_version, set};
use super::tables::words::{EvidenceCategory, EvidenceForm, EvidenceSource};
use super::tables::{
    CaseRow, EVIDENCE_BY_CASE, EVIDENCE_BY_DATA, EVIDENCE_BY_FILE, EVIDENCE_BY_FORM,
    EVIDENCE_BY_SOURCE, EvidenceRow, FileRow,
};
use super::{case, hypothesis};
use crate::base::id::{EvidenceId, FileId};
use crate::base::{Json, Page, PageRequest, Time};
use crate::engine::db::{Index, Span, View, Write, key};
use std::ops::ControlFlow;

/// Longest content, in bytes: the size of a JSON column; longer text is a file.
pub const CONTENT_BYTES_MAX: usize = 256 * 1024;
/// Longest summary, in characters (reference facts 1.4).
pub const SUMMARY_CHARS_MAX: usize = 500;
/// Most insights (ruling 16).
pub const INSIGHTS_MAX: usize = 10;
/// Longest insight, in characters.
pub const INSIGHT_CHARS_MAX: usize = 1000;
/// Longest storage key, in characters (reference facts 1.4).
pub const KEY_CHARS_MAX: usize = 1000;
/// Longest data type, in characters (reference facts 1.3).
pub const DATA_TYPE_CHARS_MAX: usize = 50;

/// A new piece of evidence.
#[derive(Debug, Clone)]
pub struct NewEvidence {
    /// Its id.
    pub evidence_id: EvidenceId,
    /// The text.
    pub content: String,
    /// Where it comes from.
    pub source_type: EvidenceSource,
    /// Handed over or typed in.
    pub form: EvidenceForm,
    /// What it speaks to; inferred from the case's milestones when absent.
    pub category: Option<EvidenceCategory>,
    /// Where the raw artifact lies.
    pub raw_artifact_s3_key: Option<String>,
    /// The text in a few sentences.
    pub preprocessed_summary: Option<String>,
    /// How it was classified.
    pub classification_dimensions: Option<Json>,
    /// Type of the file's content, in the words of the analysis.
    pub data_type: Option<String>,
    /// The file it is made from, of the same case.
    pub source_file_id: Option<FileId>,
    /// What is worth knowing, most useful first.
    pub key_insights: Vec<String>,
    /// Whether personal data was found (and replaced).
    pub pii_detected: bool,
    /// Whether secrets were found (and replaced).
    pub secrets_detected: bool,
    /// Anything more.
    pub metadata: Option<Json>,
}

/// Changes to evidence; `None` leaves a field alone, `Some(None)` empties it.
#[derive(Debug, Clone, Default)]
pub struct EvidenceChange {
    /// The text.
    pub content: Option<String>,
    /// Where it comes from.
    pub source_type: Option<EvidenceSource>,
    /// Handed over or typed in.
    pub form: Option<EvidenceForm>,
    /// What it speaks to.
    pub category: Option<EvidenceCategory>,
    /// The text in a few sentences.
    pub preprocessed_summary: Option<Option<String>>,
    /// How it was classified.
    pub classification_dimensions: Option<Option<Json>>,
    /// Anything more.
    pub metadata: Option<Option<Json>>,
}

/// Which evidence is wanted; every field that is given must match.
#[derive(Debug, Clone, Default)]
pub struct EvidenceFilter {
    /// Where it comes from.
    pub source_type: Option<EvidenceSource>,
    /// Handed over or typed in.
    pub form: Option<EvidenceForm>,
    /// Type of the file's content.
    pub data_type: Option<String>,
}

/// Adds evidence to a case.
///
/// # Errors
/// [`CaseError::Ended`] when the case has ended, [`CaseError::Fields`], [`CaseError::FileMissing`]
/// when the source file is none of this case.
pub fn add(
    tx: &Write<'_>,
    may: &Writer,
    new: &NewEvidence,
    now: Time,
) -> Result<EvidenceRow, CaseError> {
    let owner = case::get(tx, may)?;
    case::takes_evidence(&owner, may)?;
    let mut fields = Fields::default();
    let row = EvidenceRow {
        evidence_id: new.evidence_id,
        case_id: may.case_id(),
        content: fields.content("content", &new.content, CONTENT_BYTES_MAX),
        source_type: new.source_type,
        form: new.form,
        category: new.category.unwrap_or_else(|| inferred(&owner)),
        raw_artifact_s3_key: fields.optional(
            "raw_artifact_s3_key",
            new.raw_artifact_s3_key.as_deref(),
            KEY_CHARS_MAX,
        ),
        preprocessed_summary: fields.optional(
            "preprocessed_summary",
            new.preprocessed_summary.as_deref(),
            SUMMARY_CHARS_MAX,
        ),
        classification_dimensions: new.classification_dimensions.clone(),
        data_type: fields.optional("data_type", new.data_type.as_deref(), DATA_TYPE_CHARS_MAX),
        source_file_id: new.source_file_id,
        key_insights: checked_insights(&mut fields, &new.key_insights),
        pii_detected: new.pii_detected,
        secrets_detected: new.secrets_detected,
        metadata: new.metadata.clone(),
        collected_at_turn: owner.current_turn,
        collected_by: may.by().to_owned(),
        created_at: now,
        updated_at: now,
        version: 1,
    };
    fields.done()?;
    if let Some(file_id) = row.source_file_id {
        let file = tx.get::<FileRow>(&file_id)?.filter(|file| file.case_id == row.case_id);
        file.ok_or(CaseError::FileMissing(file_id))?;
    }
    tx.insert(&row)?;
    case::touch(tx, may, now)?;
    Ok(row)
}

fn checked_insights(fields: &mut Fields, insights: &[String]) -> Vec<String> {
    fields.entries("key_insights", insights.len(), INSIGHTS_MAX);
    let entries = insights.iter().take(INSIGHTS_MAX).enumerate();
    entries
        .map(|(at, text)| fields.text(&format!("key_insights[{at}]"), text, INSIGHT_CHARS_MAX))
        .collect()
}

/// What new evidence most likely speaks to, as the case stands (reference facts 1.4).
fn inferred(owner: &CaseRow) -> EvidenceCategory {
    if !owner.milestones.verified() {
        EvidenceCategory::Symptom
    } else if case::cure_proposed(owner) {
        EvidenceCategory::Resolution
    } else {
        EvidenceCategory::Causal
    }
}

/// One piece of evidence of the case.
///
/// # Errors
/// [`CaseError::EvidenceMissing`].
pub fn get(
    tx: &impl View,
    may: &Reader,
    evidence_id: EvidenceId,
) -> Result<EvidenceRow, CaseError> {
    let found = tx.get::<EvidenceRow>(&evidence_id)?.filter(|row| row.case_id == may.case_id());
    found.ok_or(CaseError::EvidenceMissing(evidence_id))
}

/// One window of the evidence that matches, newest first.
///
/// # Errors
/// [`CaseError::Storage`] when the store fails.
pub fn page(
    tx: &impl View,
    may: &Reader,
    filter: &EvidenceFilter,
    request: PageRequest,
) -> Result<Page<EvidenceRow>, CaseError> {
    let case = key().id(&may.case_id());
    let (index, span, exact) = match filter {
        EvidenceFilter { data_type: Some(data_type), source_type, form } => {
            let exact = source_type.is_none() && form.is_none();
            (&EVIDENCE_BY_DATA, case.str(data_type), exact)
        }
        EvidenceFilter { source_type: Some(source), form, .. } => {
            (&EVIDENCE_BY_SOURCE, case.u8(source.place()), form.is_none())
        }
        EvidenceFilter { form: Some(form), .. } => (&EVIDENCE_BY_FORM, case.u8(form.place()), true),
        _ => (&EVIDENCE_BY_CASE, case, true),
    };
    let span = Span::prefix(&span);
    if exact {
        Ok(tx.page(index, &span, request)?)
    } else {
        sifted(tx, index, &span, filter, request)
    }
}

/// A window over what an index offers and the rest of the filter lets through.
fn sifted(
    tx: &impl View,
    index: &Index<EvidenceRow>,
    span: &Span,
    filter: &EvidenceFilter,
    request: PageRequest,
) -> Result<Page<EvidenceRow>, CaseError> {
    let (mut items, mut total_count) = (Vec::new(), 0);
    tx.each(index, span, |row| {
        let fits = filter.source_type.is_none_or(|source| source == row.source_type)
            && filter.form.is_none_or(|form| form == row.form);
        if fits {
            if total_count >= request.offset && items.len() < request.limit {
                items.push(row);
            }
            total_count += 1;
        }
        ControlFlow::Continue(())
    })?;
    Ok(Page { items, total_count, request })
}

/// What was made from a file of the case.
///
/// # Errors
/// [`CaseError::Storage`] when the store fails.
pub fn of_file(
    tx: &impl View,
    may: &Reader,
    file_id: FileId,
) -> Result<Vec<EvidenceRow>, CaseError> {
    let span = Span::prefix(&key().id(&file_id));
    let mut rows: Vec<EvidenceRow> = tx.list(&EVIDENCE_BY_FILE, &span, 0, PER_FILE_MAX)?;
    rows.retain(|row| row.case_id == may.case_id());
    Ok(rows)
}

/// Evidence of one file considered; processing makes one piece each time it runs.
const PER_FILE_MAX: usize = 100;

/// Changes evidence.
///
/// # Errors
/// [`CaseError::EvidenceMissing`], [`CaseError::Version`], [`CaseError::Fields`].
pub fn update(
    tx: &Write<'_>,
    may: &Writer,
    evidence_id: EvidenceId,
    expected: Option<u64>,
    change: &EvidenceChange,
    now: Time,
) -> Result<EvidenceRow, CaseError> {
    let mut row = get(tx, may, evidence_id)?;
    same_version(expected, row.version)?;
    let mut fields = Fields::default();
    if let Some(content) = &change.content {
        row.content = fields.content("content", content, CONTENT_BYTES_MAX);
    }
    if let Some(summary) = &change.preprocessed_summary {
        row.preprocessed_summary =
            fields.optional("preprocessed_summary", summary.as_deref(), SUMMARY_CHARS_MAX);
    }
    fields.done()?;
    set(&mut row.source_type, change.source_type);
    set(&mut row.form, change.form);
    set(&mut row.category, change.category);
    set(&mut row.classification_dimensions, change.classification_dimensions.clone());
    set(&mut row.metadata, change.metadata.clone());
    row.updated_at = now;
    row.version += 1;
    tx.put(&row)?;
    case::touch(tx, may, now)?;
    Ok(row)
}

/// Deletes evidence and the links of hypotheses to it.
///
/// # Errors
/// [`CaseError::EvidenceMissing`], [`CaseError::Version`].
pub fn remove(
    tx: &Write<'_>,
    may: &Writer,
    evidence_id: EvidenceId,
    expected: Option<u64>,
    now: Time,
) -> Result<(), CaseError> {
    let row = get(tx, may, evidence_id)?;
    same_version(expected, row.version)?;
    hypothesis::unlink(tx, may, evidence_id, now)?;
    tx.delete::<EvidenceRow>(&evidence_id)?;
    case::touch(tx, may, now)?;
    Ok(())
}
