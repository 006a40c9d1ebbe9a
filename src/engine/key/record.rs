//! Records of a log: each sealed by itself, bound to its number and to what stands beside it.

use super::{SealError, TAG_BYTES};
use ring::aead::{Aad, LessSafeKey, Nonce};
use std::fmt;

/// Seals and opens the records of one file.
pub struct RecordSeal(Suite);

enum Suite {
    Checked { salt: [u8; 16] },
    Keyed(Box<LessSafeKey>),
}

impl RecordSeal {
    /// What a record grows by.
    pub const TAG_BYTES: usize = TAG_BYTES;

    pub(super) fn checked(salt: [u8; 16]) -> Self {
        Self(Suite::Checked { salt })
    }

    pub(super) fn keyed(key: LessSafeKey) -> Self {
        Self(Suite::Keyed(Box::new(key)))
    }

    /// Seals `body` in place and appends the tag; `aad` stays outside but is bound to it. Under one
    /// seal, a sequence must be used for one content only.
    pub fn seal(&self, sequence: u64, aad: &[u8], body: &mut Vec<u8>) {
        match &self.0 {
            Suite::Checked { salt } => {
                let mut tag = [0; TAG_BYTES];
                tag[..4].copy_from_slice(&checksum(salt, sequence, aad, body));
                body.extend_from_slice(&tag);
            }
            Suite::Keyed(key) => key
                .seal_in_place_append_tag(nonce(sequence), Aad::from(aad), body)
                .expect("a record is not too long for AES-GCM"),
        }
    }

    /// Verifies a body with its tag and gives the content.
    ///
    /// # Errors
    /// [`SealError::Truncated`] when it is shorter than a tag, [`SealError::Damaged`] when it, the
    /// sequence or `aad` is not as it was sealed.
    pub fn open<'a>(
        &self,
        sequence: u64,
        aad: &[u8],
        body: &'a mut [u8],
    ) -> Result<&'a [u8], SealError> {
        let damaged = SealError::Damaged { chunk: 0 };
        let length = body.len().checked_sub(TAG_BYTES).ok_or(SealError::Truncated)?;
        match &self.0 {
            Suite::Checked { salt } => {
                let (content, tag) = body.split_at(length);
                let (sum, zeros) = tag.split_at(4);
                let good = sum == checksum(salt, sequence, aad, content);
                if good && zeros.iter().all(|byte| *byte == 0) { Ok(content) } else { Err(damaged) }
            }
            Suite::Keyed(key) => {
                let opened = key.open_in_place(nonce(sequence), Aad::from(aad), body);
                opened.map(|content| &*content).map_err(|_| damaged)
            }
        }
    }
}

fn nonce(sequence: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&sequence.to_le_bytes());
    Nonce::assume_unique_for_key(nonce)
}

fn checksum(salt: &[u8; 16], sequence: u64, aad: &[u8], content: &[u8]) -> [u8; 4] {
    let mut crc = crc32fast::Hasher::new();
    crc.update(salt);
    crc.update(&sequence.to_le_bytes());
    crc.update(&(aad.len() as u64).to_le_bytes());
    crc.update(aad);
    crc.update(content);
    crc.finalize().to_le_bytes()
}

impl fmt::Debug for RecordSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordSeal(..)")
    }
}
