//! Files with explicit durability: what was written is safe only after a sync, and a name only
//! after the names were synced.
//!
//! Keeps: the files of one flat directory, on disk ([`Directory`]) or in memory ([`Memory`]).
//! How long: until removed.
//! Who may: the store, which holds the lock of the data directory.
//! Never: a sync that answers before the disk did; a name that leaves the directory.
//!
//! The database and its log write through these two traits only, so that a simulated disk can drop,
//! reorder and tear what was not synced, and fail at any operation.

mod directory;
mod memory;
#[cfg(test)]
pub(crate) mod sim;
#[cfg(test)]
mod tests;

pub use directory::{Directory, free_bytes};
pub use memory::Memory;

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

/// One flat directory of files.
pub trait Disk: Debug + Send + Sync + 'static {
    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// `NotFound` when there is none, or what the system says.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes an empty file, in place of one that has the name.
    ///
    /// # Errors
    /// What the system says.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Names of all files, in order.
    ///
    /// # Errors
    /// What the system says.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Gives a file another name, in place of a file that has it.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file; handles to it stay valid.
    ///
    /// # Errors
    /// `NotFound` when there is none, or what the system says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes creations, renames and removals durable.
    ///
    /// # Errors
    /// What the system says; nothing is known to be durable then.
    fn sync_names(&self) -> io::Result<()>;

    /// Bytes that can still be written here.
    ///
    /// # Errors
    /// What the system says.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// A file that is read and written at positions.
pub trait DiskFile: Debug + Send + Sync + 'static {
    /// Length in bytes.
    ///
    /// # Errors
    /// What the system says.
    fn size_bytes(&self) -> io::Result<u64>;

    /// Fills `bytes` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` past the end, or what the system says.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all `bytes` at `offset`; past the end the file grows.
    ///
    /// # Errors
    /// What the system says; any part may be written then.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts the file, or grows it by zeros for which space is set aside.
    ///
    /// # Errors
    /// `StorageFull` when the space cannot be had, or what the system says.
    fn set_size(&self, size_bytes: u64) -> io::Result<()>;

    /// Makes content and length durable.
    ///
    /// # Errors
    /// What the system says; nothing is known to be durable then, and trying again proves nothing.
    fn sync(&self) -> io::Result<()>;
}
