//! What time does to this room: forgotten tokens and ended sessions go.

use super::tables::{SESSIONS_BY_END, SessionRow, TOKENS_BY_EXPIRY, TokenRow};
use super::token;
use crate::base::Time;
use crate::engine::db::{DbError, Span, Write, key};

/// Rows removed by one sweep of each kind, so that a sweep never holds up other writers for long.
const SWEEP_MAX: usize = 1_000;

/// Removes tokens that expired a day ago and sessions nothing can bring back; answers how many
/// rows went. Nothing depends on it: every read looks at the times itself.
///
/// # Errors
/// [`DbError`] when the store fails.
pub fn sweep(tx: &Write<'_>, now: Time) -> Result<usize, DbError> {
    let forgotten = Span::all().before(&key().time(token::forgotten_before(now)));
    let tokens = tx.delete_span::<TokenRow>(&TOKENS_BY_EXPIRY, &forgotten, SWEEP_MAX)?;
    // A session stays as long as its tokens are remembered.
    let sessions = tx.delete_span::<SessionRow>(&SESSIONS_BY_END, &forgotten, SWEEP_MAX)?;
    Ok(tokens + sessions)
}
