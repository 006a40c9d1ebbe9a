//! The ring of data keys, wrapped under the master key, and what it unlocks.

use super::seal::ClassKey;
use super::{KeyError, MasterKey, Seal, Secret, Xts, derive, from_hex, random, to_hex};
use crate::base::{Clock, Time};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Version of the JSON that this program writes and reads.
const VERSION: u32 = 1;
/// Most data keys of one ring: each is named in the header of what it sealed.
const KEYS_MAX: usize = 1024;
const NONCE_BYTES: usize = 12;
/// Nonce, wrapped key and tag.
const WRAPPED_BYTES: usize = NONCE_BYTES + 32 + 16;

/// Data keys wrapped under a master key: what `keyring.json` holds. Not secret by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRing {
    version: u32,
    /// Hex; new with each wrapping.
    salt: String,
    /// Oldest first; never empty.
    keys: Vec<WrappedKey>,
    /// CRC-32 of all the above, hex: tells a damaged ring from a wrong key.
    crc32: String,
}

/// One data key under the master key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrappedKey {
    id: u16,
    created: Time,
    /// Nonce, AES-256-GCM of the key, tag; hex.
    wrapped: String,
}

/// One data key.
#[derive(Clone)]
struct DataKey {
    id: u16,
    created: Time,
    secret: Secret,
}

/// The data keys of a store, unlocked. Cloning gives another handle to the same keys.
#[derive(Clone)]
pub struct Keys {
    /// Oldest first; never empty.
    keys: Arc<[DataKey]>,
}

impl KeyRing {
    /// A ring with one new random data key, created now.
    ///
    /// # Errors
    /// None today; a ring is made or the operating system has no random numbers, which panics.
    pub fn create(master: &MasterKey) -> Result<(Self, Keys), KeyError> {
        Ok(Self::create_at(master, Clock::system().now()))
    }

    pub(super) fn create_at(master: &MasterKey, created: Time) -> (Self, Keys) {
        let first = DataKey { id: 1, created, secret: Zeroizing::new(random()) };
        let keys = Keys { keys: Arc::new([first]) };
        (Self::wrap(&keys, master), keys)
    }

    /// Reads the JSON of [`KeyRing::to_json`].
    ///
    /// # Errors
    /// [`KeyError::Damaged`] when it is not a ring as it was written, [`KeyError::Version`] when a
    /// later version wrote it.
    pub fn parse(json: &[u8]) -> Result<Self, KeyError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_slice(json).map_err(|_| KeyError::Damaged)?;
        if version > VERSION {
            return Err(KeyError::Version(version));
        }
        let found: Self = serde_json::from_slice(json).map_err(|_| KeyError::Damaged)?;
        let numbered = found.keys.is_sorted_by(|a, b| a.id < b.id);
        let counted = (1..=KEYS_MAX).contains(&found.keys.len());
        if numbered && counted && found.crc32 == found.checksum() {
            Ok(found)
        } else {
            Err(KeyError::Damaged)
        }
    }

    /// The ring as JSON text, ending with a line feed.
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("a ring is plain text and numbers");
        json + "\n"
    }

    /// Number of data keys.
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// When the newest data key was made.
    pub fn newest(&self) -> Option<Time> {
        self.keys.last().map(|key| key.created)
    }

    /// Unwraps the data keys.
    ///
    /// # Errors
    /// [`KeyError::WrongKey`] when the ring was wrapped under another master key.
    pub fn unlock(&self, master: &MasterKey) -> Result<Keys, KeyError> {
        let wrapping = wrapping_key(master, &self.salt);
        let keys: Result<Arc<[DataKey]>, KeyError> = self
            .keys
            .iter()
            .map(|key| {
                let mut wrapped: Zeroizing<[u8; WRAPPED_BYTES]> =
                    from_hex(&key.wrapped).ok_or(KeyError::Damaged)?;
                let (nonce, body) = wrapped.split_at_mut(NONCE_BYTES);
                let nonce =
                    Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyError::Damaged)?;
                let secret = wrapping
                    .open_in_place(nonce, Aad::from(key.place()), body)
                    .map_err(|_| KeyError::WrongKey)?;
                let secret = (&*secret).try_into().map_err(|_| KeyError::Damaged)?;
                Ok(DataKey { id: key.id, created: key.created, secret: Zeroizing::new(secret) })
            })
            .collect();
        Ok(Keys { keys: keys? })
    }

    /// The same data keys wrapped under another master key: nothing else has to be rewritten.
    ///
    /// # Errors
    /// [`KeyError::WrongKey`] when `old` is not the master key of this ring.
    pub fn rewrap(&self, old: &MasterKey, new: &MasterKey) -> Result<Self, KeyError> {
        Ok(Self::wrap(&self.unlock(old)?, new))
    }

    /// A ring with one data key more, made now: new containers are sealed by it, old ones stay
    /// readable. Records and sectors keep the oldest key.
    ///
    /// # Errors
    /// [`KeyError::WrongKey`] when `master` is not the master key of this ring;
    /// [`KeyError::Damaged`] when the ring is full.
    pub fn add_key(&self, master: &MasterKey, created: Time) -> Result<(Self, Keys), KeyError> {
        let mut keys = self.unlock(master)?.keys.to_vec();
        let id = keys.last().map_or(1, |key| key.id.saturating_add(1));
        if keys.len() >= KEYS_MAX || keys.iter().any(|key| key.id == id) {
            return Err(KeyError::Damaged);
        }
        keys.push(DataKey { id, created, secret: Zeroizing::new(random()) });
        let keys = Keys { keys: keys.into() };
        Ok((Self::wrap(&keys, master), keys))
    }

    fn wrap(keys: &Keys, master: &MasterKey) -> Self {
        let salt = to_hex(&random::<16>());
        let wrapping = wrapping_key(master, &salt);
        let wrap = |key: &DataKey| {
            let mut wrapped =
                WrappedKey { id: key.id, created: key.created, wrapped: String::new() };
            let nonce: [u8; NONCE_BYTES] = random();
            let mut body = *key.secret;
            let tag = wrapping
                .seal_in_place_separate_tag(
                    Nonce::assume_unique_for_key(nonce),
                    Aad::from(wrapped.place()),
                    &mut body,
                )
                .expect("32 bytes are not too long for AES-GCM");
            wrapped.wrapped = [to_hex(&nonce), to_hex(&body), to_hex(tag.as_ref())].concat();
            wrapped
        };
        let keys = keys.keys.iter().map(wrap).collect();
        let mut ring = Self { version: VERSION, salt, keys, crc32: String::new() };
        ring.crc32 = ring.checksum();
        ring
    }

    fn checksum(&self) -> String {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&self.version.to_le_bytes());
        crc.update(self.salt.as_bytes());
        for key in &self.keys {
            crc.update(&key.place());
            crc.update(key.wrapped.as_bytes());
        }
        to_hex(&crc.finalize().to_be_bytes())
    }
}

impl WrappedKey {
    /// Id and time, which the wrapping binds to the key.
    fn place(&self) -> [u8; 10] {
        let mut place = [0; 10];
        place[..2].copy_from_slice(&self.id.to_le_bytes());
        place[2..].copy_from_slice(&self.created.unix_us().to_le_bytes());
        place
    }
}

fn wrapping_key(master: &MasterKey, salt: &str) -> LessSafeKey {
    let key = derive::<32>(master.bytes(), salt.as_bytes(), &[b"faultmaven 1 wrap"]);
    gcm(&key)
}

/// AES-256-GCM under a derived key.
pub(super) fn gcm(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("a key of 32 bytes"))
}

impl Keys {
    /// Sector encryption for files of one purpose, such as `db`. Always under the oldest data key:
    /// a sector has no room to name one.
    pub fn xts(&self, purpose: &str) -> Xts {
        Xts::new(&derive(&self.keys[0].secret, b"", &[b"faultmaven 1 xts ", purpose.as_bytes()]))
    }

    /// The seal of files and records of one purpose, such as `blobs`.
    pub fn seal(&self, purpose: &str) -> Seal {
        let class = |key: &DataKey| ClassKey {
            id: key.id,
            secret: derive(&key.secret, b"", &[b"faultmaven 1 seal ", purpose.as_bytes()]),
        };
        Seal::keyed(self.keys.iter().map(class).collect())
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<u16> = self.keys.iter().map(|key| key.id).collect();
        f.debug_struct("Keys").field("ids", &ids).finish()
    }
}
