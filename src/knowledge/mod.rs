//! Category 4: what a person knows and wants to find again (runbooks, procedures, notes).
//!
//! - **Keeps** documents as their owner wrote them, and what describes them. Passages, vectors and
//!   words for searching are kept by `search`, redacted.
//! - **How long**: until the owner deletes the document; then text, passages and vectors go in the
//!   same commit, for good. There is no trash: what a person deletes is theirs to delete, and the
//!   audit trail says that it was there.
//! - **Who may**: the owner. To all others, administrators included, the document does not exist.
//! - **Never** indexes an unredacted text, finds a document for somebody else, or answers a deleted
//!   one.
//!
//! The text itself is stored as given and only ever answered to its owner: redacting it would break
//! the document, and its owner knows what is in it. Everything derived from it is redacted first
//! (ruling 14), also the text of search hits.

mod error;
mod field;
mod http;
mod jobs;
mod redact;
mod tables;
mod upload;
pub mod user;

#[cfg(test)]
mod tests;

pub use error::KnowledgeError;
pub use http::{Doc, routes};
pub use jobs::IndexJob;
pub use tables::{DocumentRow, DocumentType, Visibility, schema};

use crate::privacy::Policy;
use crate::search::Search;

/// What the routes of this room work with; registered by `app`.
#[derive(Clone)]
pub struct Knowledge {
    /// Finds passages.
    pub search: Search,
    /// What is redacted before anything is indexed.
    pub policy: Policy,
}
