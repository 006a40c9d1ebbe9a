//! The transactional store: typed rows and indexes over redb, with group commit.
//!
//! **Contract.** [`Db::read`] sees one consistent snapshot. [`Db::write`] runs a *re-runnable*
//! closure: it may be executed again, so its only side effect is through the transaction. Ids,
//! times and secrets are made outside the closure and moved in. When `write` answers `Ok`, the
//! change is on disk.
//!
//! **Group commit through a log.** One writer thread drains the waiting closures (no artificial
//! wait) and runs them in one redb transaction while every value they leave is recorded. The record
//! goes to the write-ahead log and is synced once; then the transaction becomes visible, and then
//! every caller is answered. A closure that fails before it wrote is answered with its error; one
//! that fails after writing makes the batch roll back and run again without it, so nobody sees half
//! a closure.
//!
//! **Checkpoints.** Redb itself commits without waiting for the disk; about twice a second, or every
//! few MiB, one durable commit says how much of the log the store file holds, and log segments that
//! nobody needs any more are used again. Opening after a crash repeats the rest of the log.
//!
//! **The log is the change log.** [`Db::log_since`] reads it; who needs it says so
//! ([`Db::keep_log`]), and it stays, up to its size limit.
//!
//! **Damage** is an error, never an answer: each page of the store file carries a checksum that is
//! verified when it is read, each log record too, and a gap in the log is named.
//!
//! **Failure.** A failed log write or sync leaves the outcome unknown; the store then refuses further
//! writes ([`DbError::Poisoned`]) until it is opened again, and reads go on. A full disk refuses
//! writes ([`DbError::Full`]) and goes on by itself.

mod check;
mod codec;
mod error;
mod file;
mod key;
mod loader;
mod log;
mod pages;
mod record;
mod snapshot;
mod store;
mod table;
mod tx;
mod writer;

#[cfg(test)]
mod drills;
#[cfg(test)]
mod log_tests;
#[cfg(test)]
mod tests;

pub use check::Fault;
pub use error::DbError;
pub use key::{Key, KeyBuf, key};
pub use loader::{Loader, peek, read_format_1};
pub use log::{Hold, LogLimits};
pub use record::{Change, Record};
pub use snapshot::Snapshot;
pub use store::{Compacted, Db, Opened, Options, Space, Stats};
pub use table::{Index, Parent, Row, Schema};
pub use tx::{Read, Span, View, Write};
