//! The key the operator holds.

use super::{KeyError, Secret, from_hex, random, to_hex};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::fmt;
use zeroize::Zeroizing;

/// 32 random bytes that unlock a [`super::KeyRing`]. Held by the operator, never stored by us.
#[derive(Clone)]
pub struct MasterKey(Secret);

impl MasterKey {
    /// A new random key.
    pub fn generate() -> Self {
        Self(Zeroizing::new(random()))
    }

    /// Reads a key: 64 hex digits, or 32 bytes in base64 (also URL-safe, padding optional); white
    /// space around it does not count.
    ///
    /// # Errors
    /// [`KeyError::Malformed`]; the text is not in it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if let Some(bytes) = from_hex(text) {
            return Ok(Self(bytes));
        }
        let config =
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        for alphabet in [alphabet::STANDARD, alphabet::URL_SAFE] {
            if let Ok(bytes) = GeneralPurpose::new(&alphabet, config).decode(text) {
                let bytes = Zeroizing::new(bytes);
                let bytes = bytes.as_slice().try_into().map_err(|_| KeyError::Malformed)?;
                return Ok(Self(Zeroizing::new(bytes)));
            }
        }
        Err(KeyError::Malformed)
    }

    /// The key as 64 hex digits: the secret itself, for the operator's hands only.
    pub fn to_text(&self) -> String {
        to_hex(&self.0[..])
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}
