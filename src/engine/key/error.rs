//! What can be wrong with a key and with what was sealed.

use crate::base::{Class, Classify};
use std::io;

/// A key or a key ring cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is not a master key.
    #[error("a master key is 32 bytes as 64 hex digits or in base64")]
    Malformed,
    /// The master key is not the one under which the ring was wrapped.
    #[error("the master key is not the one this store was encrypted with")]
    WrongKey,
    /// The ring is not one, or not as it was written.
    #[error("the key ring is damaged")]
    Damaged,
    /// The ring was written by a later version.
    #[error("the key ring has version {0}, which this program does not know")]
    Version(u32),
}

impl Classify for KeyError {
    fn class(&self) -> (Class, &'static str) {
        match self {
            Self::Malformed => (Class::Invalid, "key_malformed"),
            Self::WrongKey => (Class::Denied, "key_wrong"),
            Self::Damaged | Self::Version(_) => (Class::Broken, "keyring_damaged"),
        }
    }
}

/// Something sealed is not as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// A chunk is not as it was written, or not in its place. A record is chunk 0.
    #[error("chunk {chunk} is damaged")]
    Damaged {
        /// Number of the chunk, from 0; the header counts as part of the first.
        chunk: u64,
    },
    /// The end is missing.
    #[error("the end is missing")]
    Truncated,
    /// It does not begin like a sealed file, or was made by a later version.
    #[error("not a sealed file of a known version")]
    NotSealed,
    /// It is encrypted and no key was given, or it is not and a key was given.
    #[error("encrypted where a plain file is expected, or the other way round")]
    WrongSuite,
    /// It was encrypted with a data key that the ring does not hold.
    #[error("encrypted with data key {id}, which the key ring does not hold")]
    UnknownKey {
        /// Id of the data key.
        id: u16,
    },
}

impl Classify for SealError {
    fn class(&self) -> (Class, &'static str) {
        (Class::Broken, "seal_damaged")
    }
}

impl SealError {
    /// The seal's error inside an error of a reader, when that is its cause.
    pub fn inside(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<SealError> for io::Error {
    fn from(error: SealError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}
