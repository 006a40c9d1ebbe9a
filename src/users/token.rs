//! Tokens: opaque random texts of which the store knows only the SHA-256.

use super::Lifetimes;
use super::error::UsersError;
use super::tables::{BY_SESSION, SessionRow, TokenKind, TokenRow, UserRow};
use crate::base::id::{SessionId, UserId};
use crate::base::{Actor, Ids, Time};
use crate::engine::db::{Span, View, Write, key};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::fmt;

/// Start of an access token, by which secret scanners find a leaked one.
const ACCESS_PREFIX: &str = "fma_";
/// Start of a refresh token.
const REFRESH_PREFIX: &str = "fmr_";
/// Length of a token: the prefix and the base64url of 32 bytes.
const TEXT_BYTES: usize = 4 + 43;
/// Expired tokens answer `token_expired` this long before they are forgotten.
pub(super) const REMEMBERED_MS: i64 = 24 * 60 * 60 * 1_000;
/// Tokens kept for one session. Seven days of a refresh every 15 minutes make 672 used ones; a
/// client in a loop pushes out its own oldest.
const PER_SESSION_MAX: usize = 1_024;
/// Forgotten tokens removed with one exchange: more than an exchange adds.
const PURGE_MAX: usize = 16;

/// A token's text on its way to the client; never printed.
#[derive(Clone)]
pub(super) struct Secret {
    pub(super) text: String,
    hash: [u8; 32],
}

impl Secret {
    fn fresh(prefix: &str, ids: &Ids) -> Self {
        let text = format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(ids.secret::<32>()));
        let hash = Sha256::digest(&text).into();
        Self { text, hash }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// An access token and the refresh token that buys the next pair.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) access: Secret,
    pub(super) refresh: Secret,
}

impl Pair {
    pub(super) fn fresh(ids: &Ids) -> Self {
        Self {
            access: Secret::fresh(ACCESS_PREFIX, ids),
            refresh: Secret::fresh(REFRESH_PREFIX, ids),
        }
    }
}

/// Stores a pair for a session and slides the session along.
pub(super) fn issue(
    tx: &Write<'_>,
    session: &mut SessionRow,
    user_id: UserId,
    pair: &Pair,
    lifetimes: Lifetimes,
    now: Time,
) -> Result<(), UsersError> {
    let session_id = session.session_id;
    let access_until = now.plus_ms(i64::from(lifetimes.access_s) * 1000);
    let refresh_until = now.plus_ms(i64::from(lifetimes.refresh_s) * 1000);
    session.last_activity_at = now;
    session.signed_in_until = Some(refresh_until);
    tx.put(session)?;
    let of_session = Span::prefix(&key().id(&session_id));
    let forgotten = of_session.clone().before(&key().id(&session_id).time(forgotten_before(now)));
    tx.delete_span(&BY_SESSION, &forgotten, PURGE_MAX)?;
    let over = (tx.count(&BY_SESSION, &of_session)? + 2).saturating_sub(PER_SESSION_MAX);
    tx.delete_span(&BY_SESSION, &of_session, over)?;
    for (secret, kind, expires_at) in [
        (&pair.access, TokenKind::Access, access_until),
        (&pair.refresh, TokenKind::Refresh, refresh_until),
    ] {
        let hash = secret.hash;
        tx.insert(&TokenRow { hash, kind, user_id, session_id, expires_at, used_at: None })?;
    }
    Ok(())
}

/// Tokens that expired before this instant are forgotten.
pub(super) fn forgotten_before(now: Time) -> Time {
    now.plus_ms(-REMEMBERED_MS)
}

/// Who sent an access token. Two point reads; no password hash is involved.
///
/// # Errors
/// [`UsersError::TokenInvalid`] or [`UsersError::TokenExpired`].
pub(super) fn resolve(tx: &impl View, text: &str, now: Time) -> Result<Actor, UsersError> {
    let row = find(tx, text, ACCESS_PREFIX, TokenKind::Access)?;
    if row.expires_at <= now {
        return Err(UsersError::TokenExpired);
    }
    let user = live_user(tx, row.user_id)?;
    let session_id = Some(row.session_id);
    Ok(Actor::User { user_id: user.user_id, roles: user.roles, session_id })
}

fn find(tx: &impl View, text: &str, prefix: &str, kind: TokenKind) -> Result<TokenRow, UsersError> {
    if text.len() != TEXT_BYTES || !text.starts_with(prefix) {
        return Err(UsersError::TokenInvalid);
    }
    let hash: [u8; 32] = Sha256::digest(text).into();
    let row = tx.get::<TokenRow>(&hash)?.filter(|row| row.kind == kind);
    row.ok_or(UsersError::TokenInvalid)
}

fn live_user(tx: &impl View, user_id: UserId) -> Result<UserRow, UsersError> {
    tx.get::<UserRow>(&user_id)?.filter(UserRow::is_live).ok_or(UsersError::TokenInvalid)
}

/// What the exchange of a refresh token came to.
pub(super) enum Exchange {
    /// The next pair is issued.
    Issued { user: Box<UserRow>, session_id: SessionId },
    /// The token had been exchanged before: two parties hold it, so its whole family is revoked.
    Reused { user_id: UserId, session_id: SessionId, revoked_tokens: usize },
}

/// Exchanges a refresh token for `next`. Reuse is an answer and not an error, because the
/// revocation must be committed.
///
/// # Errors
/// [`UsersError::TokenInvalid`] or [`UsersError::TokenExpired`].
pub(super) fn exchange(
    tx: &Write<'_>,
    text: &str,
    next: &Pair,
    lifetimes: Lifetimes,
    now: Time,
) -> Result<Exchange, UsersError> {
    let mut row = find(tx, text, REFRESH_PREFIX, TokenKind::Refresh)?;
    let (user_id, session_id) = (row.user_id, row.session_id);
    if row.used_at.is_some() {
        let revoked_tokens = valid_count(tx, session_id, now)?;
        tx.delete::<SessionRow>(&session_id)?;
        return Ok(Exchange::Reused { user_id, session_id, revoked_tokens });
    }
    if row.expires_at <= now {
        return Err(UsersError::TokenExpired);
    }
    let user = live_user(tx, user_id)?;
    let mut session = tx.get::<SessionRow>(&session_id)?.ok_or(UsersError::TokenInvalid)?;
    row.used_at = Some(now);
    tx.put(&row)?;
    issue(tx, &mut session, user_id, next, lifetimes, now)?;
    Ok(Exchange::Issued { user: Box::new(user), session_id })
}

/// Tokens of a session that still work.
pub(super) fn valid_count(
    tx: &impl View,
    session_id: SessionId,
    now: Time,
) -> Result<usize, UsersError> {
    let span = Span::prefix(&key().id(&session_id)).after(&key().id(&session_id).time(now));
    let mut count = 0;
    tx.each(&BY_SESSION, &span, |row: TokenRow| {
        count += usize::from(row.used_at.is_none());
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(count)
}
