//! Category 8: durable background jobs.
//!
//! - **Keeps** one row per job: what to do, for whom, how far it is, what came of it.
//! - **How long**: 24 hours after the job ended; enforced on read, swept later (ruling 18).
//! - **Who may**: the owner and platform admins; to everyone else the job does not exist.
//! - **Never** knows a job's body: rooms bring [`Job`]s, `app` joins them. A body runs again after
//!   a crash, so its effects and [`complete`] share one write.

mod error;
mod http;
mod queue;
mod tables;
mod worker;

#[cfg(test)]
mod tests;

pub use error::{JobFailure, JobsError, Then};
pub use http::{Doc, routes};
pub use queue::{
    Lease, NewJob, Outcome, admits, complete, counts, recover, submit, sweep, visible,
};
pub use tables::{JobRow, JobStatus, schema};
pub use worker::{Bodies, Halted, Job, Runner, Work};
