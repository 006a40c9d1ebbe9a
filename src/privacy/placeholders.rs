//! The numbers in placeholders: stable within a case, without keeping what they stand for.

use super::Kind;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};

/// Most values a case can number: 16 bytes each, so at most 1 MiB in the case's row. Values beyond
/// it get a placeholder without a number (`<IP>`).
pub const PLACEHOLDERS_MAX: usize = 65_536;

/// Keyed hash of a value, cut to 16 bytes: no two of 65,536 values collide in practice.
type Fingerprint = [u8; 16];

/// Secret of one case that keys the hashes, so that they cannot be reversed by trying values.
///
/// Kept apart from [`Numbers`]; whoever has both can test guesses.
#[derive(Clone)]
pub struct Salt([u8; 32]);

impl Salt {
    /// Takes 32 random bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// What a case stores: per kind, the fingerprints in order of first appearance.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Numbers(BTreeMap<Kind, Vec<Fingerprint>>);

impl Numbers {
    /// How many values have a number.
    pub fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Whether no value has a number yet.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(Vec::is_empty)
    }
}

/// Gives each value of a case its number; made from the case's [`Salt`] and stored [`Numbers`].
#[derive(Clone)]
pub struct Placeholders {
    salt: Salt,
    numbers: Numbers,
    taken: usize,
    index: HashMap<(Kind, Fingerprint), u32>,
}

impl Placeholders {
    /// Starts a case.
    pub fn new(salt: Salt) -> Self {
        Self::restore(salt, Numbers::default())
    }

    /// Goes on where the case left off.
    pub fn restore(salt: Salt, numbers: Numbers) -> Self {
        let mut index = HashMap::with_capacity(numbers.len());
        for (kind, fingerprints) in &numbers.0 {
            for (number, fingerprint) in (1u32..).zip(fingerprints) {
                index.insert((*kind, *fingerprint), number);
            }
        }
        Self { salt, taken: numbers.len(), numbers, index }
    }

    /// What to store.
    pub const fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// The number of a value, given in its normal form; `None` when the case has no more.
    pub(super) fn number(&mut self, kind: Kind, value: &[u8]) -> Option<u32> {
        let key = (kind, self.fingerprint(kind, value));
        if let Some(number) = self.index.get(&key) {
            return Some(*number);
        }
        if self.taken >= PLACEHOLDERS_MAX {
            return None;
        }
        let fingerprints = self.numbers.0.entry(kind).or_default();
        fingerprints.push(key.1);
        let number = u32::try_from(fingerprints.len()).unwrap_or(u32::MAX);
        self.taken += 1;
        self.index.insert(key, number);
        Some(number)
    }

    fn fingerprint(&self, kind: Kind, value: &[u8]) -> Fingerprint {
        let mut hash = Sha256::new();
        hash.update(self.salt.0);
        hash.update(kind.as_str());
        hash.update([0]);
        hash.update(value);
        let digest = hash.finalize();
        let mut cut = Fingerprint::default();
        cut.copy_from_slice(&digest[..16]);
        cut
    }
}
