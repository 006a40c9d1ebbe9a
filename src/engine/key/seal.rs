//! How content is sealed: the header of a container and the protection of one chunk.
//!
//! ```text
//! header   magic "FMSL", version 1, suite, data key id (2), salt (16), CRC-32 of these
//! chunk    up to 64 KiB of content, tag (16); all but the last are full, the last is empty only
//!          when there is no content at all
//! ```
//! Keyed: each file has a key of its own, HKDF-SHA256 of class key, salt and header; a chunk is
//! AES-256-GCM under it, its nonce is its number and whether it is the last (the STREAM
//! construction). Checked: the tag is the CRC-32 of salt, number, last and content, and 12 zeros, so
//! that both suites take the same room.

use super::keyring::gcm;
use super::record::RecordSeal;
use super::{Decoder, Encoder, SealError, Secret, derive, random};
use ring::aead::{Aad, LessSafeKey, Nonce};
use std::fmt;
use std::sync::Arc;

/// Content of one full chunk in bytes.
pub const CHUNK_BYTES: usize = 64 * 1024;
/// Bytes of a tag, in both suites.
pub const TAG_BYTES: usize = 16;
/// Bytes of the header of a container.
pub const HEADER_BYTES: usize = 28;
/// A full chunk with its tag.
pub(super) const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;

const MAGIC: [u8; 4] = *b"FMSL";
const VERSION: u8 = 1;
const CHECKED: u8 = 0;
const KEYED: u8 = 1;
/// The part of the header that its checksum covers.
const SUMMED_BYTES: usize = HEADER_BYTES - 4;

/// How files and records of one purpose are sealed. Cloning shares the keys.
#[derive(Clone)]
pub struct Seal(Suite);

#[derive(Clone)]
enum Suite {
    /// No key.
    Checked,
    /// Oldest first; never empty.
    Keyed(Arc<[ClassKey]>),
}

/// A data key narrowed to one purpose.
pub(super) struct ClassKey {
    pub(super) id: u16,
    pub(super) secret: Secret,
}

impl Seal {
    /// Checksums, no key: damage is found, content is readable.
    pub fn checked() -> Self {
        Self(Suite::Checked)
    }

    pub(super) fn keyed(keys: Arc<[ClassKey]>) -> Self {
        assert!(!keys.is_empty(), "a ring has at least one key");
        Self(Suite::Keyed(keys))
    }

    /// Whether content is encrypted.
    pub fn is_keyed(&self) -> bool {
        matches!(self.0, Suite::Keyed(_))
    }

    /// Starts a container with a random salt.
    pub fn encoder(&self) -> Encoder {
        self.encoder_with(random())
    }

    /// Starts a container with the given salt, which must be used once.
    pub(super) fn encoder_with(&self, salt: [u8; 16]) -> Encoder {
        let (suite, id) = match &self.0 {
            Suite::Checked => (CHECKED, 0),
            Suite::Keyed(keys) => (KEYED, keys[keys.len() - 1].id),
        };
        let header = Header { suite, id, salt };
        let chunks = self.chunks(&header).expect("the newest key is on the ring");
        Encoder::new(header.encode(), chunks)
    }

    /// Starts reading a container from its beginning.
    pub fn decoder(&self) -> Decoder {
        Decoder::new(self.clone())
    }

    /// The seal of numbered records that carry their `salt` outside, such as a log segment. A salt
    /// must be random and new for each file, and no sequence sealed twice under it.
    pub fn records(&self, salt: [u8; 16]) -> RecordSeal {
        match &self.0 {
            Suite::Checked => RecordSeal::checked(salt),
            // The oldest: a record has no room to name a key.
            Suite::Keyed(keys) => {
                RecordSeal::keyed(gcm(&derive(&keys[0].secret, &salt, &[b"records"])))
            }
        }
    }

    /// The protection of the chunks below a header.
    pub(super) fn chunks(&self, header: &Header) -> Result<Chunks, SealError> {
        match (&self.0, header.suite) {
            (Suite::Checked, CHECKED) => Ok(Chunks::Checked { salt: header.salt }),
            (Suite::Keyed(keys), KEYED) => {
                let unknown = SealError::UnknownKey { id: header.id };
                let key = keys.iter().find(|key| key.id == header.id).ok_or(unknown)?;
                let info = [&b"container "[..], &header.encode()];
                Ok(Chunks::Keyed(Box::new(gcm(&derive(&key.secret, &header.salt, &info)))))
            }
            _ => Err(SealError::WrongSuite),
        }
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_keyed() { "Seal(keyed)" } else { "Seal(checked)" })
    }
}

/// The first bytes of a container.
pub(super) struct Header {
    suite: u8,
    id: u16,
    salt: [u8; 16],
}

impl Header {
    fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = VERSION;
        bytes[5] = self.suite;
        bytes[6..8].copy_from_slice(&self.id.to_le_bytes());
        bytes[8..SUMMED_BYTES].copy_from_slice(&self.salt);
        let checksum = crc32fast::hash(&bytes[..SUMMED_BYTES]);
        bytes[SUMMED_BYTES..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, SealError> {
        let checksum = crc32fast::hash(&bytes[..SUMMED_BYTES]).to_le_bytes();
        if bytes[..4] != MAGIC {
            return Err(SealError::NotSealed);
        }
        if bytes[SUMMED_BYTES..] != checksum {
            return Err(SealError::Damaged { chunk: 0 });
        }
        if bytes[4] != VERSION || bytes[5] > KEYED {
            return Err(SealError::NotSealed);
        }
        let mut salt = [0; 16];
        salt.copy_from_slice(&bytes[8..SUMMED_BYTES]);
        Ok(Self { suite: bytes[5], id: u16::from_le_bytes([bytes[6], bytes[7]]), salt })
    }
}

/// The protection of the chunks of one container.
pub(super) enum Chunks {
    Checked { salt: [u8; 16] },
    Keyed(Box<LessSafeKey>),
}

impl Chunks {
    /// Seals the content in place and gives its tag.
    pub(super) fn seal(&self, chunk: u64, last: bool, content: &mut [u8]) -> [u8; TAG_BYTES] {
        let mut tag = [0; TAG_BYTES];
        match self {
            Self::Checked { salt } => {
                tag[..4].copy_from_slice(&checksum(salt, chunk, last, content));
            }
            Self::Keyed(key) => {
                let sealed = key
                    .seal_in_place_separate_tag(nonce(chunk, last), Aad::empty(), content)
                    .expect("a chunk is not too long for AES-GCM");
                tag.copy_from_slice(sealed.as_ref());
            }
        }
        tag
    }

    /// Verifies content and tag in place and gives the length of the content; what is in `sealed`
    /// after an error is not content.
    pub(super) fn open(
        &self,
        chunk: u64,
        last: bool,
        sealed: &mut [u8],
    ) -> Result<usize, SealError> {
        let damaged = SealError::Damaged { chunk };
        let length = sealed.len().checked_sub(TAG_BYTES).ok_or(SealError::Truncated)?;
        // What no encoder writes: an empty chunk after content.
        if length == 0 && chunk > 0 {
            return Err(damaged);
        }
        match self {
            Self::Checked { salt } => {
                let (content, tag) = sealed.split_at(length);
                let (sum, zeros) = tag.split_at(4);
                if sum != checksum(salt, chunk, last, content) || zeros.iter().any(|b| *b != 0) {
                    return Err(damaged);
                }
            }
            Self::Keyed(key) => {
                let opened = key.open_in_place(nonce(chunk, last), Aad::empty(), sealed);
                opened.map_err(|_| damaged)?;
            }
        }
        Ok(length)
    }
}

/// Bytes 0 to 7 the number, byte 11 whether it is the last.
fn nonce(chunk: u64, last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&chunk.to_le_bytes());
    nonce[11] = u8::from(last);
    Nonce::assume_unique_for_key(nonce)
}

fn checksum(salt: &[u8; 16], chunk: u64, last: bool, content: &[u8]) -> [u8; 4] {
    let mut crc = crc32fast::Hasher::new();
    crc.update(salt);
    crc.update(&chunk.to_le_bytes());
    crc.update(&[u8::from(last)]);
    crc.update(content);
    crc.finalize().to_le_bytes()
}

/// Bytes that a container of `content_bytes` takes, in both suites.
pub fn sealed_size_bytes(content_bytes: u64) -> u64 {
    let chunks = content_bytes.div_ceil(CHUNK_BYTES as u64).max(1);
    HEADER_BYTES as u64 + content_bytes + chunks * TAG_BYTES as u64
}

/// Bytes of content in a container of `sealed_bytes`; none when no container has that length.
pub fn content_size_bytes(sealed_bytes: u64) -> Option<u64> {
    let body = sealed_bytes.checked_sub(HEADER_BYTES as u64)?;
    let chunks = body.div_ceil(SEALED_CHUNK_BYTES as u64);
    let content = body.checked_sub(chunks * TAG_BYTES as u64)?;
    (sealed_size_bytes(content) == sealed_bytes).then_some(content)
}
