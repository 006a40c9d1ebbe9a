//! Category 12, operational data: the audit chain, metrics, health and logs of the server itself.
//!
//! **Keeps** the audit chain: who did what to which thing, when, from where, and whether it worked.
//! Metrics and the readiness of components live in memory only.
//!
//! **How long** audit entries stay as long as the store; metrics until the process ends.
//!
//! **Who may** read entries: administrators, through `app`. Metrics, health and version are open,
//! as probes and scrapers carry no token; they name no person and no case.
//!
//! **Never** changes or removes an audit entry: each one is hashed over the one before, and
//! [`audit::verify`] names the first that was edited, removed or moved.

pub mod audit;
mod error;
pub mod event;
pub mod health;
pub mod http;
pub mod logs;
pub mod metrics;

#[cfg(test)]
mod tests;

pub use error::OpsError;
pub use health::{Readiness, State};
pub use metrics::Metrics;

use crate::engine::db::Schema;

/// Adds the tables of this room.
#[must_use]
pub fn schema(schema: Schema) -> Schema {
    schema.with::<audit::AuditRow>()
}
