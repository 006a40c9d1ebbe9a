//! What time does to reports: 90 days after the case ended they go, runbooks excepted.

use super::report::{KEPT_MS, due_at, take_off};
use super::tables::{DUE, ReportRow};
use crate::base::Time;
use crate::cases::CaseRow;
use crate::engine::db::{DbError, Span, View, Write, key};

/// Looks at no more than `limit` reports that may have outlived their time and deletes those that
/// have; answers how many went. Nothing depends on it: every read looks at the times itself.
///
/// # Errors
/// [`DbError`] when the store fails.
pub fn sweep(tx: &Write<'_>, now: Time, limit: usize) -> Result<usize, DbError> {
    let until_now = Span::all().before(&key().time(Time::from_unix_us(now.unix_us() + 1)));
    let mut gone = 0;
    for mut row in tx.list::<ReportRow>(&DUE, &until_now, 0, limit)? {
        let ended = tx.get::<CaseRow>(&row.case_id)?.and_then(|case| case.closed_at);
        if ended.is_some_and(|at| at.plus_ms(KEPT_MS) <= now) {
            take_off(tx, &row)?;
            gone += 1;
        } else {
            // The case was taken up again, or has not ended: no need to look before this.
            row.due_at = due_at(ended, now);
            tx.put(&row)?;
        }
    }
    Ok(gone)
}
