//! Repeated requests: the same key of the same user is answered again, not done again.
//!
//! The stored answer commits with the effect, so a crash leaves both or neither. Failures are not
//! stored: a request that failed may be sent again under its key. Requests without a user run
//! without this protection even if they carry a key, because nothing safe ties them together: an
//! address may be shared, and the answer might be another person's.
//!
//! A repeated request is given the first answer, word for word, although the thing may have changed
//! or gone since, and only the user who asked first is given it. Where that user can lose the right
//! to see the answer, [`once_guarded`] proves the right again before it is given.

use super::answer::{insert, text};
use super::ctx::Ctx;
use super::failure::{Answer, Failure};
use crate::base::id::UserId;
use crate::base::{Class, Classify, Time};
use crate::engine::db::{DbError, Index, Row, Span, View, Write, key};
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::future::{Ready, ready};

/// How long an answer is kept, in milliseconds: 24 hours (draft-ietf-httpapi-idempotency-key-header
/// leaves it to the server; this is what payment services do).
const TTL_MS: i64 = 24 * 60 * 60 * 1000;
/// Characters of a key (api.md, conventions).
const KEY_LEN: std::ops::RangeInclusive<usize> = 8..=255;
/// Largest body stored with a key, in bytes: answers to creations are one resource.
const REPLY_BYTES_MAX: usize = 1 << 20;
/// Header with the client's key.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Header that marks an answer given again.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The answer to one keyed request.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct IdempotencyRow {
    user_id: UserId,
    idempotency_key: String,
    /// SHA-256 over method, path and what the handler gave.
    fingerprint: [u8; 32],
    reply: Reply,
    expires_at: Time,
}

/// The first to expire first.
const BY_EXPIRY: Index<IdempotencyRow> =
    Index::many("idempotency_by_expiry", |row| Some(key().time(row.expires_at)));
/// A user's keys, for erasure.
const BY_USER: Index<IdempotencyRow> =
    Index::many("idempotency_by_user", |row| Some(key().id(&row.user_id)));

impl Row for IdempotencyRow {
    type Key = (UserId, String);
    const TABLE: &'static str = "idempotency";
    const INDEXES: &'static [Index<Self>] = &[BY_EXPIRY, BY_USER];

    fn key(&self) -> Self::Key {
        (self.user_id, self.idempotency_key.clone())
    }
}

/// The answer to a request that creates something; it can be stored and given again.
///
/// Not for answers that carry a secret: stored answers are readable on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Address of what was created, or of its job.
    pub location: Option<String>,
    /// Seconds after which the job is worth asking for.
    pub retry_after_s: Option<u32>,
    /// Version of the resource in the body.
    pub version: Option<u64>,
    /// The body: JSON text.
    pub body: String,
}

impl Reply {
    /// A body with a status.
    ///
    /// # Errors
    /// [`DbError::Decode`] when the value does not serialise.
    pub fn new(status: StatusCode, value: &impl Serialize) -> Result<Self, DbError> {
        let body = text(value).map_err(|failure| DbError::Decode {
            table: IdempotencyRow::TABLE,
            detail: failure.cause().unwrap_or_default().to_owned(),
        })?;
        let status = status.as_u16();
        Ok(Self { status, location: None, retry_after_s: None, version: None, body })
    }

    /// 201 with the address of the new thing.
    ///
    /// # Errors
    /// As [`Reply::new`].
    pub fn created(location: String, value: &impl Serialize) -> Result<Self, DbError> {
        Ok(Self { location: Some(location), ..Self::new(StatusCode::CREATED, value)? })
    }

    /// 202 with the address of the job and when to ask for it.
    ///
    /// # Errors
    /// As [`Reply::new`].
    pub fn accepted(
        location: String,
        retry_after_s: u32,
        value: &impl Serialize,
    ) -> Result<Self, DbError> {
        let reply = Self::new(StatusCode::ACCEPTED, value)?;
        Ok(Self { location: Some(location), retry_after_s: Some(retry_after_s), ..reply })
    }

    /// The same with an `ETag`.
    #[must_use]
    pub fn with_version(self, version: u64) -> Self {
        Self { version: Some(version), ..self }
    }

    fn answer(self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut answer = HttpResponse::build(status);
        if let Some(version) = self.version {
            answer.insert_header(super::etag(version));
        }
        let mut answer = answer.content_type(header::ContentType::json()).body(self.body);
        if let Some(location) = &self.location {
            insert(&mut answer, header::LOCATION, location);
        }
        if let Some(seconds) = self.retry_after_s {
            insert(&mut answer, header::RETRY_AFTER, &seconds.to_string());
        }
        answer
    }
}

/// The request's `Idempotency-Key`, if it carries one.
#[derive(Debug, Clone)]
pub struct Once {
    key: Option<String>,
    /// Method and path: a key used on another route is another request.
    route: String,
}

impl FromRequest for Once {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let route = format!("{} {}", request.method(), request.path());
        let key = request.headers().get(IDEMPOTENCY_KEY).map(|value| {
            let fit = |key: &&str| {
                KEY_LEN.contains(&key.len())
                    && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
            };
            value.to_str().ok().filter(fit).map(str::to_owned).ok_or_else(|| {
                let detail = "`Idempotency-Key` must be 8 to 255 of A-Z, a-z, 0-9, `_` and `-`";
                Failure::new(Class::Malformed, "idempotency_key_malformed", detail)
            })
        });
        ready(key.transpose().map(|key| Self { key, route }))
    }
}

/// Why a keyed request was not done.
#[derive(Debug)]
enum Stop<E> {
    Room(E),
    Store(DbError),
    Mismatch,
    TooLarge(usize),
}

impl<E> From<DbError> for Stop<E> {
    fn from(error: DbError) -> Self {
        Self::Store(error)
    }
}

impl<E: Classify> From<Stop<E>> for Failure {
    fn from(stop: Stop<E>) -> Self {
        match stop {
            Stop::Room(error) => error.into(),
            Stop::Store(error) => error.into(),
            Stop::Mismatch => Self::new(
                Class::Conflict,
                "idempotency_mismatch",
                "this `Idempotency-Key` belongs to another request",
            ),
            Stop::TooLarge(bytes) => Self::broken(format!(
                "a reply of {bytes} bytes is over the limit of {REPLY_BYTES_MAX}"
            )),
        }
    }
}

/// Runs `effect` in one commit with its answer, or gives the stored answer of the same request.
///
/// As [`once_guarded`] where nothing but the user decides who may see the answer again.
///
/// # Errors
/// As [`once_guarded`].
pub async fn once<E, F>(ctx: &Ctx, once: &Once, fingerprint: &[u8], effect: F) -> Answer
where
    E: Classify + From<DbError> + Send + 'static,
    F: Fn(&Write<'_>) -> Result<Reply, E> + Send + 'static,
{
    once_guarded(ctx, once, fingerprint, |_| Ok(()), effect).await
}

/// Runs `effect` in one commit with its answer, or gives the stored answer of the same request;
/// either only if `guard` lets the request pass, in the same transaction.
///
/// `fingerprint` is what makes two requests the same besides user, key, method and path: usually
/// [`super::Body::fingerprint`]. Without a key or a user the effect just runs.
///
/// # Errors
/// What `guard` answers; 409 `idempotency_mismatch` when the key was used for another request;
/// otherwise what `effect` answers. Then nothing is stored.
pub async fn once_guarded<E, G, F>(
    ctx: &Ctx,
    once: &Once,
    fingerprint: &[u8],
    guard: G,
    effect: F,
) -> Answer
where
    E: Classify + From<DbError> + Send + 'static,
    G: Fn(&Write<'_>) -> Result<(), E> + Send + 'static,
    F: Fn(&Write<'_>) -> Result<Reply, E> + Send + 'static,
{
    let (Some(user_id), Some(idempotency_key)) = (ctx.actor.user_id(), once.key.clone()) else {
        let done = ctx.db.write(move |tx| {
            guard(tx)?;
            effect(tx)
        });
        return Ok(done.await?.answer());
    };
    let fingerprint = Sha256::new()
        .chain_update(once.route.as_bytes())
        .chain_update([0])
        .chain_update(fingerprint)
        .finalize()
        .into();
    let now = ctx.now;
    let done = ctx.db.write(move |tx| {
        guard(tx).map_err(Stop::Room)?;
        let stored = tx.get::<IdempotencyRow>(&(user_id, idempotency_key.clone()))?;
        match stored.filter(|row| row.expires_at > now) {
            Some(row) if row.fingerprint == fingerprint => return Ok((row.reply, true)),
            Some(_) => return Err(Stop::Mismatch),
            None => {}
        }
        let reply = effect(tx).map_err(Stop::Room)?;
        if reply.body.len() > REPLY_BYTES_MAX {
            return Err(Stop::TooLarge(reply.body.len()));
        }
        tx.put(&IdempotencyRow {
            user_id,
            idempotency_key: idempotency_key.clone(),
            fingerprint,
            reply: reply.clone(),
            expires_at: now.plus_ms(TTL_MS),
        })?;
        Ok((reply, false))
    });
    let (reply, replayed) = done.await.map_err(Failure::from)?;
    let mut answer = reply.answer();
    if replayed {
        insert(&mut answer, REPLAYED, "true");
    }
    Ok(answer)
}

/// Deletes at most `limit` expired answers; answers how many went.
///
/// # Errors
/// [`DbError`] when the store fails.
pub fn sweep(tx: &Write<'_>, now: Time, limit: usize) -> Result<usize, DbError> {
    tx.delete_span(&BY_EXPIRY, &Span::all().before(&key().time(now)), limit)
}

/// Deletes every answer kept for a user, who is being erased.
///
/// # Errors
/// [`DbError`] when the store fails.
pub fn forget(tx: &Write<'_>, user_id: UserId) -> Result<usize, DbError> {
    tx.delete_span(&BY_USER, &Span::prefix(&key().id(&user_id)), usize::MAX)
}
