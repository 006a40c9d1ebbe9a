//! Category 3: uploaded machine data: taken in, classified, redacted, analysed, kept.
//!
//! - **Keeps** the raw bytes of each file as a blob, and per case the numbers of its redaction
//!   placeholders; the row of a file is one of the case tables and belongs to `cases`.
//! - **How long** as long as the case; blobs without a row are swept a day after their upload, so the
//!   bytes of a deleted case stay on the disk, out of everybody's reach, for up to a day.
//! - **Who may** whoever may write the case uploads, whoever may read it reads findings; reading the
//!   raw bytes is audited.
//! - **Never** stores, logs or indexes anything derived before it was redacted; never holds a file
//!   whole in memory while it comes in; never shares content between cases.

pub mod analyse;

mod error;
mod escapes;
mod http;
mod intake;
mod jobs;
mod pipeline;
mod tables;
mod unpack;

#[cfg(test)]
mod tests;

pub use error::UploadsError;
pub use http::{Doc, routes};
pub use intake::{Limits, Uploads, check, sweep_orphans};
pub use jobs::Preprocess;
pub use pipeline::{AnalyseError, Options, analyse_bytes};
pub use tables::schema;
