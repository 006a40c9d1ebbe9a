//! Typed ids: `prefix_` and the 26 lower-case Crockford base32 characters of a UUIDv7 (ruling 1).

use super::time::Time;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

/// Crockford's alphabet in lower case.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Base32 characters of a 128-bit id.
const TEXT_LEN: usize = 26;

/// What an id names; the prefix keeps one kind from being taken for another.
pub trait Kind: 'static {
    /// Text before the underscore.
    const PREFIX: &'static str;
}

/// A 16-byte UUIDv7 that knows what it names. Sorts by creation time.
pub struct Id<K> {
    bytes: [u8; 16],
    kind: PhantomData<fn() -> K>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $alias:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $kind;
        impl Kind for $kind {
            const PREFIX: &'static str = $prefix;
        }
        $(#[$doc])*
        pub type $alias = Id<$kind>;
    )*};
}

kinds! {
    /// An account.
    User UserId "user";
    /// An investigation.
    Case CaseId "case";
    /// A piece of evidence in a case.
    Evidence EvidenceId "ev";
    /// A hypothesis in a case.
    Hypothesis HypothesisId "hyp";
    /// A solution in a case.
    Solution SolutionId "sol";
    /// A message in a case.
    Message MessageId "msg";
    /// An uploaded file.
    File FileId "file";
    /// A background job.
    Job JobId "job";
    /// A generated report.
    Report ReportId "rpt";
    /// A knowledge base document.
    Document DocumentId "kbdoc";
    /// A chunk of an indexed document.
    Chunk ChunkId "chunk";
    /// A signed-in or anonymous client session.
    Session SessionId "sess";
    /// A tool call an agent made in a case.
    ToolCall ToolCallId "call";
    /// An event: audit entry, status transition.
    Event EventId "evt";
    /// An API key.
    ApiKey ApiKeyId "key";
}

impl<K> Id<K> {
    /// From the 16 bytes used in keys.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self { bytes, kind: PhantomData }
    }

    /// The 16 bytes used in keys, in time order.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.bytes
    }

    /// The instant the id was made, to the millisecond (RFC 9562, 5.7).
    pub fn created_at(&self) -> Time {
        let b = &self.bytes;
        let ms = i64::from_be_bytes([0, 0, b[0], b[1], b[2], b[3], b[4], b[5]]);
        Time::from_unix_us(ms * 1000)
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes.cmp(&other.bytes)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = u128::from_be_bytes(self.bytes);
        let mut text = [0u8; TEXT_LEN];
        for slot in text.iter_mut().rev() {
            *slot = ALPHABET[(value & 31) as usize];
            value >>= 5;
        }
        f.write_str(K::PREFIX)?;
        f.write_str("_")?;
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not an id of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct IdError;

impl<K: Kind> FromStr for Id<K> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let rest = text
            .strip_prefix(K::PREFIX)
            .and_then(|rest| rest.strip_prefix('_'))
            .filter(|rest| rest.len() == TEXT_LEN)
            .ok_or(IdError)?;
        let mut value: u128 = 0;
        for (at, byte) in rest.bytes().enumerate() {
            let digit = ALPHABET.iter().position(|c| *c == byte).ok_or(IdError)?;
            // 26 characters carry 130 bits: the first may only hold three.
            if at == 0 && digit > 7 {
                return Err(IdError);
            }
            value = value << 5 | digit as u128;
        }
        Ok(Self::from_bytes(value.to_be_bytes()))
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.collect_str(self) } else { self.bytes.serialize(to) }
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            let text = String::deserialize(from)?;
            text.parse().map_err(|_| {
                de::Error::custom(format!("expected an id of the form {}_…", K::PREFIX))
            })
        } else {
            <[u8; 16]>::deserialize(from).map(Self::from_bytes)
        }
    }
}

impl<K: Kind> utoipa::PartialSchema for Id<K> {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some(format!("^{}_[0-9a-hjkmnp-tv-z]{{26}}$", K::PREFIX)))
            .into()
    }
}

impl<K: Kind> utoipa::ToSchema for Id<K> {
    fn name() -> std::borrow::Cow<'static, str> {
        std::borrow::Cow::Owned(format!("{}_id", K::PREFIX))
    }
}

/// Fills a buffer with unpredictable bytes.
type Entropy = dyn Fn(&mut [u8]) + Send + Sync;

/// The door through which randomness enters: makes ids and secrets.
///
/// Ids made by one `Ids` are strictly increasing, also within a millisecond (RFC 9562, 6.2
/// method 1), so that rows written together list in the order they were made.
#[derive(Clone)]
pub struct Ids {
    entropy: Arc<Entropy>,
    last: Arc<Mutex<(i64, u16)>>,
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids")
    }
}

impl Ids {
    /// Ids from the operating system's random numbers.
    ///
    /// # Panics
    /// When the operating system has no random numbers to give: nothing secret could be made.
    pub fn system() -> Self {
        Self::from_entropy(|buffer| {
            getrandom::fill(buffer).expect("the operating system gives random numbers");
        })
    }

    /// Reproducible ids for tests and benches (SplitMix64 from `seed`).
    pub fn seeded(seed: u64) -> Self {
        let state = Mutex::new(seed);
        Self::from_entropy(move |buffer| {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            for chunk in buffer.chunks_mut(8) {
                *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mut z = *state;
                z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                let bytes = (z ^ (z >> 31)).to_le_bytes();
                chunk.copy_from_slice(&bytes[..chunk.len()]);
            }
        })
    }

    fn from_entropy(fill: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        Self { entropy: Arc::new(fill), last: Arc::new(Mutex::new((i64::MIN, 0))) }
    }

    /// A new id, stamped with `now`.
    pub fn next<K: Kind>(&self, now: Time) -> Id<K> {
        let mut bytes = [0u8; 16];
        (self.entropy)(&mut bytes);
        let (ms, counter) =
            self.tick(now.unix_ms(), u16::from_be_bytes([bytes[6], bytes[7]]) & 0x7FF);
        bytes[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
        bytes[6..8].copy_from_slice(&(0x7000 | counter).to_be_bytes());
        bytes[8] = 0x80 | (bytes[8] & 0x3F);
        Id::from_bytes(bytes)
    }

    /// The next (millisecond, 12-bit counter) pair, strictly after the last one.
    fn tick(&self, ms: i64, fresh: u16) -> (i64, u16) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = if ms > last.0 {
            (ms, fresh)
        } else if last.1 < 0xFFF {
            (last.0, last.1 + 1)
        } else {
            (last.0 + 1, fresh)
        };
        *last
    }

    /// `N` unpredictable bytes for tokens, salts and keys.
    pub fn secret<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0u8; N];
        (self.entropy)(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_and_refuses_another_kind() {
        let id: CaseId = Ids::seeded(7).next(Time::from_unix_us(1_700_000_000_000_000));
        let text = id.to_string();
        assert_eq!(text.len(), "case_".len() + TEXT_LEN);
        assert_eq!(text.parse::<CaseId>(), Ok(id));
        assert_eq!(text.replace("case_", "user_").parse::<CaseId>(), Err(IdError));
        assert_eq!("case_zzzzzzzzzzzzzzzzzzzzzzzzzz".parse::<CaseId>(), Err(IdError));
        assert_eq!(text.to_uppercase().parse::<CaseId>(), Err(IdError));
    }

    #[test]
    fn ids_of_one_millisecond_keep_their_order() {
        let ids = Ids::seeded(1);
        let now = Time::from_unix_us(1_700_000_000_000_000);
        let made: Vec<EventId> = (0..10_000).map(|_| ids.next(now)).collect();
        assert!(made.is_sorted_by(|a, b| a < b), "strictly increasing");
    }

    #[test]
    fn the_time_can_be_read_back() {
        let now = Time::from_unix_us(1_700_000_000_123_000);
        assert_eq!(Ids::seeded(1).next::<Case>(now).created_at(), now);
    }
}
