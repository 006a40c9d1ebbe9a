//! Who takes part in a case.

use super::access::Reader;
use super::error::CaseError;
use super::tables::words::ParticipantRole;
use super::tables::{PARTICIPANTS_BY_CASE, ParticipantRow, SHARED_WITH};
use crate::base::Time;
use crate::base::id::{CaseId, UserId};
use crate::engine::db::{Span, View, Write, key};

/// Participants of a case read at most; sharing is between people, not populations.
const PARTICIPANTS_MAX: usize = 1000;
/// Shared cases of a person that a list considers; more than anybody works through.
const SHARED_MAX: usize = 10_000;

/// Enters the owner of a new case.
pub(super) fn enrol_owner(
    tx: &Write<'_>,
    case_id: CaseId,
    user_id: UserId,
    now: Time,
) -> Result<(), CaseError> {
    let row = ParticipantRow {
        case_id,
        user_id,
        role: ParticipantRole::Owner,
        added_at: now,
        added_by: Some(user_id),
        last_accessed_at: None,
        metadata: None,
    };
    Ok(tx.insert(&row)?)
}

/// Everybody who takes part, the owner included.
pub(super) fn all(tx: &impl View, may: &Reader) -> Result<Vec<ParticipantRow>, CaseError> {
    let span = Span::prefix(&key().id(&may.case_id()));
    Ok(tx.list(&PARTICIPANTS_BY_CASE, &span, 0, PARTICIPANTS_MAX)?)
}

/// Cases of others in which a person takes part.
pub(super) fn shared_with(tx: &impl View, user: UserId) -> Result<Vec<CaseId>, CaseError> {
    let span = Span::prefix(&key().id(&user));
    let rows: Vec<ParticipantRow> = tx.list(&SHARED_WITH, &span, 0, SHARED_MAX)?;
    Ok(rows.into_iter().map(|row| row.case_id).collect())
}
