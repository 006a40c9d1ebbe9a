//! Category 7: reports: what a case has to tell, written down from its own records.
//!
//! - **Keeps** the versions of each report of a case (Markdown, redacted), per case and type the
//!   number of the last version and which one is current.
//! - **How long**: five versions per case and type; until 90 days after the case ended, runbooks as
//!   long as the case (ruling 17). The end is enforced on read and swept later; a case that is
//!   deleted takes its reports along.
//! - **Who may**: whoever may read the case reads its reports, whoever may write it has them
//!   generated, changes and deletes them. To everyone else they do not exist.
//! - **Never** asks a model, says what is not in the case, gives a version number twice, stores an
//!   unredacted text, or lets what people wrote change the structure of a document.
//!
//! The way of a report: a request makes the ids and queues a job ([`order`]), the job reads one
//! snapshot of the case, composes the documents and stores them in the commit that completes it.

mod compose;
mod error;
mod facts;
mod http;
mod jobs;
mod markdown;
mod node;
mod report;
mod sweep;
mod tables;
mod words;

#[cfg(test)]
mod tests;

pub use error::ReportError;
pub use http::{Doc, routes};
pub use jobs::Generate;
pub use report::{
    Filter, KEPT_MS, Listed, Order, Planned, ReportChange, TITLE_CHARS_MAX, TYPES_PER_REQUEST_MAX,
    VERSIONS_KEPT, change, content, get, list, order, remove,
};
pub use sweep::sweep;
pub use tables::{ReportRow, schema};
pub use words::{ReportStatus, ReportType};
