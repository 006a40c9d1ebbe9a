//! Keys, and what lies on disk under them: sealed files, sealed records, encrypted sectors.
//!
//! Keeps: nothing by itself. A [`KeyRing`] is text that its owner puts into a file: random data keys,
//! wrapped under the operator's [`MasterKey`], which is never stored.
//! How long: a data key lives as long as anything sealed by it; a master key until it is replaced,
//! which wraps the same data keys anew and rewrites no data.
//! Who may: whoever holds [`Keys`] can read everything. They are made here from a ring and the right
//! master key, nowhere else, and each purpose gets keys of its own, derived and independent.
//! Never: a key in a log line or a `Debug` output; a byte of content handed out before its chunk is
//! verified; one error for two causes (a wrong key, a damaged file and a cut file are told apart).
//!
//! Three forms. A [`Seal`] makes containers, for files that are written once: chunks of 64 KiB, each
//! bound to its place and to the end, so that any change, cut, swap or addition is an error. A
//! [`RecordSeal`] makes records of a log, numbered by their writer. [`Xts`] encrypts sectors in
//! place, for a file that is written in the middle and has its own checksums. A store without a key
//! uses the same containers and records with checksums instead of keys ([`Seal::checked`]).

mod container;
mod error;
mod file;
mod keyring;
mod master;
mod record;
mod seal;
mod stream;
#[cfg(test)]
mod tests;
mod xts;

pub use container::{Decoder, Encoder};
pub use error::{KeyError, SealError};
pub use file::SealedFile;
pub use keyring::{KeyRing, Keys};
pub use master::MasterKey;
pub use record::RecordSeal;
pub use seal::{CHUNK_BYTES, HEADER_BYTES, Seal, TAG_BYTES, content_size_bytes, sealed_size_bytes};
pub use stream::{SealedReader, SealedWriter};
pub use xts::{SECTOR_BYTES, Xts};

use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

/// A secret of 32 bytes that is wiped when it is dropped.
type Secret = Zeroizing<[u8; 32]>;

/// Random bytes of the operating system.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random numbers");
    bytes
}

/// Derives `N` bytes by HKDF-SHA256; `info` parts are joined, so all but the last must have a fixed
/// length or a fixed end.
fn derive<const N: usize>(secret: &[u8; 32], salt: &[u8], info: &[&[u8]]) -> Zeroizing<[u8; N]> {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut derived = Zeroizing::new([0; N]);
    Salt::new(HKDF_SHA256, salt)
        .extract(secret)
        .expand(info, Length(N))
        .and_then(|bytes| bytes.fill(&mut derived[..]))
        .expect("HKDF-SHA256 gives up to 8,160 bytes");
    derived
}

/// Bytes as lower-case hex digits.
fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS[usize::from(nibble & 15)] as char;
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// `N` bytes from exactly `2 N` hex digits of either case.
fn from_hex<const N: usize>(text: &str) -> Option<Zeroizing<[u8; N]>> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let nibble = |digit: u8| Some(char::from(digit).to_digit(16)? as u8);
    let mut bytes = Zeroizing::new([0; N]);
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (nibble(pair[0])? << 4) | nibble(pair[1])?;
    }
    Some(bytes)
}
