//! Vectors in memory, searched exactly.
//!
//! Keeps: per collection the unit vectors under their ordinals, and 8-bit codes of them. A
//! collection is a name, an ordinal a number; what they stand for is not known here.
//! How long: until they are removed or the process ends. Everything here is derived: it is filled
//! again from the stored vectors at start.
//! Who may: any thread. Permission comes in as the set of allowed ordinals and is part of the
//! search: `k` allowed hits are found whenever `k` exist.
//! Never: an approximate answer that calls itself exact; a NaN; a lock held for longer than one
//! block's work by a writer.

mod code;
mod collection;
mod kernel;
mod scan;
#[cfg(test)]
mod tests;

use crate::base::{Class, Classify};
use collection::Collection;
use kernel::Tier;
use roaring::RoaringBitmap;
use scan::Scan;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Most components of a vector: keeps the integer dot far inside 32 bits (255 * 127 * 4096 < 2^28).
pub const DIMENSIONS_MAX: usize = 4096;

/// What a vector or a query can be refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VectorError {
    /// A component is NaN or infinite.
    #[error("a vector component is not a finite number")]
    NotFinite,
    /// The length differs from the vectors of the collection: another model made it.
    #[error("a vector of {found} dimensions among vectors of {expected}")]
    Dimensions {
        /// Dimensions of the collection.
        expected: usize,
        /// Dimensions of the refused vector.
        found: usize,
    },
    /// No components, or more than [`DIMENSIONS_MAX`].
    #[error("a vector of {0} dimensions; 1 to {DIMENSIONS_MAX} are possible")]
    Length(usize),
}

impl Classify for VectorError {
    fn class(&self) -> (Class, &'static str) {
        match self {
            Self::NotFinite => (Class::Broken, "vector_not_finite"),
            Self::Dimensions { .. } => (Class::Broken, "vector_dimensions"),
            Self::Length(_) => (Class::Broken, "vector_length"),
        }
    }
}

/// One vector of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The ordinal it was inserted under.
    pub ordinal: u32,
    /// Cosine to the query, -1 to 1; 0 when either is the zero vector.
    pub score: f32,
}

/// The answer to a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Nearest first; equal scores by ordinal.
    pub hits: Vec<Hit>,
    /// Whether the hits are proven to be the nearest.
    pub exact: bool,
    /// Allowed live vectors that were considered.
    pub scanned: usize,
}

/// Size of one or all collections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Vectors that a search can find.
    pub live: usize,
    /// Removed vectors that still take memory.
    pub dead: usize,
    /// Memory of vectors, codes and maps, in bytes.
    pub bytes: usize,
}

/// All collections. Cloning gives another handle to the same ones.
#[derive(Debug, Clone)]
pub struct Vectors {
    tier: Tier,
    collections: Arc<RwLock<Collections>>,
}

type Collections = HashMap<String, Arc<RwLock<Collection>>>;

impl Default for Vectors {
    fn default() -> Self {
        Self::new()
    }
}

impl Vectors {
    /// No collections yet, and the fastest kernel that this processor has.
    pub fn new() -> Self {
        Self { tier: Tier::best(), collections: Arc::default() }
    }

    #[cfg(test)]
    fn with_tier(tier: Tier) -> Self {
        Self { tier, ..Self::new() }
    }

    /// Name of the kernel in use: `avx512-vnni`, `avx2` or `portable`.
    pub fn kernel(&self) -> &'static str {
        self.tier.name()
    }

    /// Puts a vector of any length above zero under `ordinal`, replacing the one that is there; the
    /// collection is made when it is new.
    ///
    /// # Errors
    /// [`VectorError`] when the vector has a NaN, or not as many components as the others.
    pub fn insert(
        &self,
        collection: &str,
        ordinal: u32,
        vector: &[f32],
    ) -> Result<(), VectorError> {
        if vector.is_empty() || vector.len() > DIMENSIONS_MAX {
            return Err(VectorError::Length(vector.len()));
        }
        let unit = code::normalise(vector)?;
        loop {
            // The map stays read-locked while the row is written: a collection that is dropped
            // meanwhile cannot take the row with it unseen.
            let collections = self.collections.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = collections.get(collection) {
                let mut found = found.write().unwrap_or_else(PoisonError::into_inner);
                return found.insert(ordinal, &unit);
            }
            drop(collections);
            let mut collections = self.collections.write().unwrap_or_else(PoisonError::into_inner);
            collections.entry(collection.to_owned()).or_default();
        }
    }

    /// Takes a vector out, at once and for every later search; false when it was not there.
    pub fn remove(&self, collection: &str, ordinal: u32) -> bool {
        self.get(collection).is_some_and(|collection| {
            collection.write().unwrap_or_else(PoisonError::into_inner).remove(ordinal)
        })
    }

    /// Forgets a collection and all its vectors; false when there was none.
    pub fn drop_collection(&self, collection: &str) -> bool {
        let mut collections = self.collections.write().unwrap_or_else(PoisonError::into_inner);
        collections.remove(collection).is_some()
    }

    /// Number of vectors in a collection; 0 when there is no such collection.
    pub fn len(&self, collection: &str) -> usize {
        self.get(collection)
            .map_or(0, |collection| collection.read().unwrap_or_else(PoisonError::into_inner).len())
    }

    /// Whether a collection has no vectors.
    pub fn is_empty(&self, collection: &str) -> bool {
        self.len(collection) == 0
    }

    /// Size of all collections together.
    pub fn stats(&self) -> Stats {
        let collections: Vec<_> = {
            let map = self.collections.read().unwrap_or_else(PoisonError::into_inner);
            map.values().cloned().collect()
        };
        collections.iter().fold(Stats::default(), |sum, collection| {
            let one = collection.read().unwrap_or_else(PoisonError::into_inner).stats();
            Stats {
                live: sum.live + one.live,
                dead: sum.dead + one.dead,
                bytes: sum.bytes + one.bytes,
            }
        })
    }

    /// The `k` vectors nearest to `query` in the named collections, among `allowed` ordinals (all
    /// when none). Fewer only when fewer exist; a collection that does not exist is empty. An
    /// ordinal that lies in two collections is found in each.
    ///
    /// # Errors
    /// [`VectorError`] when the query has a NaN or another length than a collection's vectors.
    pub fn search(
        &self,
        collections: &[&str],
        query: &[f32],
        k: usize,
        allowed: Option<&RoaringBitmap>,
    ) -> Result<Found, VectorError> {
        if query.is_empty() || query.len() > DIMENSIONS_MAX {
            return Err(VectorError::Length(query.len()));
        }
        let unit = code::normalise(query)?;
        let mut names = collections.to_vec();
        names.sort_unstable();
        names.dedup();
        let mut scan = Scan::new(self.tier, &unit, k, allowed);
        for collection in names.into_iter().filter_map(|name| self.get(name)) {
            let collection = collection.read().unwrap_or_else(PoisonError::into_inner);
            if collection.len() == 0 {
                continue;
            }
            if collection.dimensions() != unit.len() {
                let (expected, found) = (collection.dimensions(), unit.len());
                return Err(VectorError::Dimensions { expected, found });
            }
            scan.collection(&collection);
        }
        let (hits, scanned) = scan.finish();
        Ok(Found { hits, exact: true, scanned })
    }

    fn get(&self, collection: &str) -> Option<Arc<RwLock<Collection>>> {
        let collections = self.collections.read().unwrap_or_else(PoisonError::into_inner);
        collections.get(collection).cloned()
    }
}
