//! The HTTP shell: what every room's routes stand on. It has no routes itself.
//!
//! **Keeps** the answers to requests that carried an `Idempotency-Key`, so that a repeated request
//! is answered and not done again ([`idempotency`]).
//!
//! **How long** 24 hours; an older answer is treated as absent at once and swept later.
//!
//! **Who may** replay: only the user who made the first request, who is given that first answer as
//! it was, whatever became of the thing since; where the user can lose the right to it, the right is
//! proved again first ([`once_guarded`]). Without a user a key is ignored.
//!
//! **Never** logs a body, a token or a query string; never shows a client the cause of a failure of
//! ours; never answers an error in another shape than `application/problem+json`; never inflates a
//! request body: a compressed one is refused.
//!
//! A request passes [`shell`] (ids, log line, containment, headers), then what `app` installs
//! (sign-in, CORS), then a handler. A handler takes [`Ctx`] and the extractors [`Body`], [`Query`],
//! [`Path`], [`Paging`], [`Once`] and gives an [`Answer`].

mod answer;
mod body;
mod cors;
mod ctx;
mod failure;
mod headers;
pub mod idempotency;
mod middleware;
mod paging;
mod query;
mod unmatched;

#[cfg(test)]
mod tests;

pub use answer::{
    accepted, created, etag, if_match, json, no_content, see_other, version_mismatch, versioned,
};
pub use body::{Body, OptionalBody};
pub use cors::cors;
pub use ctx::{BadToken, Ctx, Limits, RequestInfo, Shell};
pub use failure::{Answer, Failure, Problem};
pub use idempotency::{Once, Reply, once, once_guarded};
pub use middleware::shell;
pub use paging::{Paging, list};
pub use query::{Path, Query};
pub use unmatched::{Methods, unmatched};

use crate::engine::db::Schema;

/// Adds the tables of this room.
#[must_use]
pub fn schema(schema: Schema) -> Schema {
    schema.with::<idempotency::IdempotencyRow>()
}
