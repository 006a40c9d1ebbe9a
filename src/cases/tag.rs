//! The tags of a case.

use super::access::{Reader, Writer};
use super::case;
use super::error::CaseError;
use super::field::Fields;
use super::tables::{TAGS_BY_CASE, TagRow};
use crate::base::Time;
use crate::base::id::CaseId;
use crate::engine::db::{Span, View, Write, key};

/// Longest tag, in characters (reference facts 1.3).
pub const TAG_CHARS_MAX: usize = 50;
/// Tags of one case at most: beyond that they no longer tell cases apart.
pub const TAGS_MAX: usize = 50;

/// The tags of a case, in alphabetical order.
///
/// # Errors
/// [`CaseError::Storage`] when the store fails.
pub fn all(tx: &impl View, may: &Reader) -> Result<Vec<String>, CaseError> {
    of_case(tx, may.case_id())
}

/// Replaces all tags of a case; repeated ones count once.
///
/// # Errors
/// [`CaseError::Fields`] when there are too many or one is blank or too long.
pub fn replace(
    tx: &Write<'_>,
    may: &Writer,
    tags: &[String],
    now: Time,
) -> Result<Vec<String>, CaseError> {
    let mut fields = Fields::default();
    let wanted = checked(&mut fields, tags);
    fields.done()?;
    let present = all(tx, may)?;
    for gone in present.iter().filter(|tag| wanted.binary_search(tag).is_err()) {
        tx.delete::<TagRow>(&(may.case_id(), gone.clone()))?;
    }
    let added: Vec<_> =
        wanted.iter().filter(|tag| present.binary_search(tag).is_err()).cloned().collect();
    insert_all(tx, may.case_id(), &added, now)?;
    case::touch(tx, may, now)?;
    Ok(wanted)
}

/// Checks tags; answers them sorted and each once.
pub(super) fn checked(fields: &mut Fields, tags: &[String]) -> Vec<String> {
    fields.entries("tags", tags.len(), TAGS_MAX);
    let mut checked: Vec<_> = tags
        .iter()
        .take(TAGS_MAX)
        .enumerate()
        .map(|(at, tag)| fields.text(&format!("tags[{at}]"), tag, TAG_CHARS_MAX))
        .collect();
    checked.sort_unstable();
    checked.dedup();
    checked
}

/// Adds checked tags that the case does not have.
pub(super) fn insert_all(
    tx: &Write<'_>,
    case_id: CaseId,
    tags: &[String],
    now: Time,
) -> Result<(), CaseError> {
    for tag in tags {
        tx.insert(&TagRow { case_id, tag: tag.clone(), created_at: now })?;
    }
    Ok(())
}

/// The tags of a case whose proof the caller has seen.
pub(super) fn of_case(tx: &impl View, case_id: CaseId) -> Result<Vec<String>, CaseError> {
    let span = Span::prefix(&key().id(&case_id));
    let rows: Vec<TagRow> = tx.list(&TAGS_BY_CASE, &span, 0, TAGS_MAX)?;
    Ok(rows.into_iter().map(|row| row.tag).collect())
}
