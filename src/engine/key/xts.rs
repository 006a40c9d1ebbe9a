//! AES-256-XTS (IEEE 1619): sectors of a file encrypted in place, length kept.
//!
//! It hides content and needs no room; it does not prove that content is as it was written. What
//! lies in the sectors must have checksums of its own.

use aes::Aes256;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use std::fmt;
use std::sync::Arc;

/// Bytes of one sector, the unit whose number is the tweak.
pub const SECTOR_BYTES: usize = 4096;
const BLOCK_BYTES: usize = 16;
const BLOCKS: usize = SECTOR_BYTES / BLOCK_BYTES;

type Block = aes::Block;

/// Encrypts and decrypts ranges of a file by their offset. Cloning shares the key.
#[derive(Clone)]
pub struct Xts(Arc<Pair>);

/// The key of the content and the key of the tweaks.
struct Pair {
    content: Aes256,
    tweak: Aes256,
}

impl Xts {
    /// From the key of the content and, after it, the key of the tweaks.
    pub(super) fn new(key: &[u8; 64]) -> Self {
        let (content, tweak) = key.split_at(32);
        let aes = |key| Aes256::new_from_slice(key).expect("a key of 32 bytes");
        Self(Arc::new(Pair { content: aes(content), tweak: aes(tweak) }))
    }

    /// Encrypts `data`, which lies at `offset` of the file.
    ///
    /// # Panics
    /// When offset or length is not a multiple of 16.
    pub fn encrypt(&self, offset: u64, data: &mut [u8]) {
        self.each_sector(offset, data, |blocks| self.0.content.encrypt_blocks(blocks));
    }

    /// Decrypts `data`, which lies at `offset` of the file.
    ///
    /// # Panics
    /// When offset or length is not a multiple of 16.
    pub fn decrypt(&self, offset: u64, data: &mut [u8]) {
        self.each_sector(offset, data, |blocks| self.0.content.decrypt_blocks(blocks));
    }

    /// All blocks of a sector go through the cipher in one call, so that it can interleave them.
    fn each_sector(&self, offset: u64, mut data: &mut [u8], cipher: impl Fn(&mut [Block])) {
        let block = BLOCK_BYTES as u64;
        assert!(offset.is_multiple_of(block), "offset {offset} is inside a block");
        assert!(data.len().is_multiple_of(BLOCK_BYTES), "{} bytes end in a block", data.len());
        let mut tweaks = [0u128; BLOCKS];
        let mut sector = offset / SECTOR_BYTES as u64;
        let mut first = (offset / block) as usize % BLOCKS;
        while !data.is_empty() {
            let count = (data.len() / BLOCK_BYTES).min(BLOCKS - first);
            let (part, rest) = data.split_at_mut(count * BLOCK_BYTES);
            let mut tweak = self.first_tweak(sector);
            for _ in 0..first {
                tweak = double(tweak);
            }
            for place in &mut tweaks[..count] {
                *place = tweak;
                tweak = double(tweak);
            }
            mask(part, &tweaks[..count]);
            cipher(Array::slice_as_chunks_mut(part).0);
            mask(part, &tweaks[..count]);
            (data, sector, first) = (rest, sector + 1, 0);
        }
    }

    /// The encrypted number of a sector: the tweak of its first block.
    fn first_tweak(&self, sector: u64) -> u128 {
        let mut tweak = Block::from(u128::from(sector).to_le_bytes());
        self.0.tweak.encrypt_block(&mut tweak);
        u128::from_le_bytes(tweak.into())
    }
}

/// The tweak of the next block: a multiplication by x in the field of IEEE 1619.
fn double(tweak: u128) -> u128 {
    let carry = (tweak.cast_signed() >> 127).cast_unsigned();
    (tweak << 1) ^ (carry & 0x87)
}

fn mask(data: &mut [u8], tweaks: &[u128]) {
    for (block, tweak) in data.as_chunks_mut::<BLOCK_BYTES>().0.iter_mut().zip(tweaks) {
        *block = (u128::from_ne_bytes(*block) ^ tweak.to_le()).to_ne_bytes();
    }
}

impl fmt::Debug for Xts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Xts(..)")
    }
}
