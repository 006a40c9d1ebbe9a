//! The transactional store: typed rows and indexes over redb, with group commit.
//!
//! **Contract.** [`Db::read`] sees one consistent snapshot. [`Db::write`] runs a *re-runnable*
//! closure: it may be executed again, so its only side effect is through the transaction. Ids,
//! times and secrets are made outside the closure and moved in. When `write` answers `Ok`, the
//! change is on disk.
//!
//! **Group commit.** One writer thread drains the waiting closures (no artificial wait), runs them
//! in one redb transaction, commits durably once and then answers every caller. A closure that
//! fails before it wrote is answered with its error; one that fails after writing makes the batch
//! roll back and run again without it, so nobody sees half a closure.
//!
//! **Failure.** A failed commit leaves the outcome unknown to us; the store then refuses further
//! writes ([`DbError::Poisoned`]) until it is opened again, and reads go on.

mod check;
mod codec;
mod error;
mod key;
mod store;
mod table;
mod tx;
mod writer;

#[cfg(test)]
mod tests;

pub use check::Fault;
pub use error::DbError;
pub use key::{Key, KeyBuf, key};
pub use store::{Db, Stats};
pub use table::{Index, Parent, Row, Schema};
pub use tx::{Read, Span, View, Write};
