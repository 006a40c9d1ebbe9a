//! Argon2id on a bounded pool: a password costs memory and time, so only a few are hashed at once.

use super::error::UsersError;
use super::password::Password;
use crate::base::Ids;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Hashes computed at once: each holds its memory and one core.
const AT_ONCE: usize = 2;
/// Callers that may wait for a turn, about one second of work; more are sent away.
const QUEUE_MAX: usize = 64;

/// Cost of one hash (RFC 9106).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for HashCost {
    /// 19 MiB, two passes, one lane (ruling 25).
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 }
    }
}

/// Makes and checks password hashes (PHC strings); cheap to clone.
#[derive(Clone)]
pub struct Hasher {
    argon: Argon2<'static>,
    cost: HashCost,
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// Checked in place of a hash that does not exist, so that both take the same time.
    dummy: Arc<str>,
}

/// What a check of a password found.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Whether the password is right.
    pub(super) right: bool,
    /// The hash at today's cost, when the password is right and its stored hash was cheaper.
    pub(super) stronger: Option<String>,
}

impl Hasher {
    /// A pool that hashes at `cost`.
    ///
    /// # Errors
    /// [`UsersError::Hash`] when the cost is outside what Argon2 allows.
    pub fn new(cost: HashCost, ids: &Ids) -> Result<Self, UsersError> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None)
            .map_err(|e| UsersError::Hash(e.to_string()))?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let dummy = digest(&argon, &ids.secret::<32>(), ids.secret())?.into();
        Ok(Self {
            argon,
            cost,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            places: Arc::new(Semaphore::new(AT_ONCE + QUEUE_MAX)),
            dummy,
        })
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`UsersError::Busy`] at once when the queue is full.
    pub(super) async fn turn(&self) -> Result<Turn, UsersError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| UsersError::Busy)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| UsersError::Busy)?;
        Ok(Turn { hasher: self.clone(), _held: (place, turn) })
    }

    /// Hashes a new password with a fresh salt, on this thread.
    ///
    /// # Errors
    /// [`UsersError::Hash`] when the password is too long or memory is short.
    pub fn hash(&self, password: &Password, ids: &Ids) -> Result<String, UsersError> {
        let bytes = password.bytes().ok_or_else(|| UsersError::Hash("too long".into()))?;
        digest(&self.argon, &bytes, ids.secret())
    }

    fn verify(&self, password: &Password, stored: Option<&str>, ids: &Ids) -> Verdict {
        let bytes = password.bytes();
        let matches = |hash: &str| match PasswordHash::new(hash) {
            Ok(hash) => {
                let typed = bytes.as_ref().map_or(&[][..], |b| b);
                self.argon.verify_password(typed, &hash).is_ok()
            }
            Err(_) => false,
        };
        let Some(stored) = stored.filter(|_| bytes.is_some()) else {
            matches(&self.dummy);
            return Verdict { right: false, stronger: None };
        };
        let right = matches(stored);
        let stronger =
            if right && self.is_cheaper(stored) { self.hash(password, ids).ok() } else { None };
        Verdict { right, stronger }
    }

    /// Whether a stored hash cost less than one made now.
    fn is_cheaper(&self, stored: &str) -> bool {
        let Ok(hash) = PasswordHash::new(stored) else { return false };
        match Params::try_from(&hash) {
            Ok(params) => {
                hash.algorithm != Algorithm::Argon2id.ident()
                    || params.m_cost() < self.cost.memory_kib
                    || params.t_cost() < self.cost.passes
                    || params.p_cost() < self.cost.lanes
            }
            Err(_) => true,
        }
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hasher").field("cost", &self.cost).finish_non_exhaustive()
    }
}

/// A turn at the pool; holds its place until the work is done, also when the caller has gone.
pub(super) struct Turn {
    hasher: Hasher,
    _held: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl Turn {
    /// Checks a password; without a stored hash it takes as long and answers wrong.
    ///
    /// # Errors
    /// [`UsersError::Hash`] when the work was lost.
    pub(super) async fn verify(
        self,
        password: Password,
        stored: Option<String>,
        ids: &Ids,
    ) -> Result<Verdict, UsersError> {
        let ids = ids.clone();
        let work = move || self.hasher.verify(&password, stored.as_deref(), &ids);
        tokio::task::spawn_blocking(work).await.map_err(|e| UsersError::Hash(e.to_string()))
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// [`UsersError::Hash`] when the password is too long or the work was lost.
    pub(super) async fn hash(self, password: Password, ids: &Ids) -> Result<String, UsersError> {
        let ids = ids.clone();
        let work = move || self.hasher.hash(&password, &ids);
        tokio::task::spawn_blocking(work).await.map_err(|e| UsersError::Hash(e.to_string()))?
    }
}

fn digest(argon: &Argon2<'_>, bytes: &[u8], salt: [u8; 16]) -> Result<String, UsersError> {
    let hash: PasswordHash =
        argon.hash_password_with_salt(bytes, &salt).map_err(|e| UsersError::Hash(e.to_string()))?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: HashCost = HashCost { memory_kib: 64, passes: 1, lanes: 1 };

    fn hasher(cost: HashCost) -> Hasher {
        Hasher::new(cost, &Ids::seeded(1)).unwrap()
    }

    #[test]
    fn the_default_cost_is_the_ruling() {
        let hash = hasher(HashCost::default())
            .hash(&Password::new("correct horse battery".into()), &Ids::seeded(2))
            .unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    }

    #[test]
    fn only_the_right_password_passes() {
        let (hasher, ids) = (hasher(CHEAP), Ids::seeded(2));
        let stored = hasher.hash(&Password::new("correct horse battery".into()), &ids).unwrap();
        let right = |text: &str, stored: Option<&str>| {
            hasher.verify(&Password::new(text.into()), stored, &ids).right
        };
        assert!(right("correct horse battery", Some(&stored)));
        assert!(!right("correct horse batterz", Some(&stored)));
        assert!(!right("", Some(&stored)));
        assert!(!right(&"x".repeat(1000), Some(&stored)));
        assert!(!right("correct horse battery", None));
        assert!(!right("correct horse battery", Some("not a hash")));
    }

    #[test]
    fn a_right_password_is_rehashed_when_the_cost_rose_and_only_then() {
        let ids = Ids::seeded(2);
        let password = Password::new("correct horse battery".into());
        let old = hasher(CHEAP).hash(&password, &ids).unwrap();
        let dear = hasher(HashCost { passes: 2, ..CHEAP });
        let stronger = dear.verify(&password, Some(&old), &ids).stronger.unwrap();
        assert!(stronger.contains("t=2"), "{stronger}");
        assert!(dear.verify(&password, Some(&stronger), &ids).stronger.is_none());
        assert!(dear.verify(&Password::new("wrong".into()), Some(&old), &ids).stronger.is_none());
        assert!(hasher(CHEAP).verify(&password, Some(&stronger), &ids).stronger.is_none());
    }

    #[tokio::test]
    async fn the_queue_is_bounded() {
        let hasher = hasher(CHEAP);
        let held = (hasher.turn().await.unwrap(), hasher.turn().await.unwrap());
        let places = Arc::clone(&hasher.places).try_acquire_many_owned(QUEUE_MAX as u32).unwrap();
        assert!(matches!(hasher.turn().await, Err(UsersError::Busy)));
        drop((places, held));
        assert!(hasher.turn().await.is_ok());
    }
}
