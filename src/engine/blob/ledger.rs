//! What outlives one call: pins, the deletes they hold back, and the keys that were finished.

use super::{BlobKey, Blobs};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most deletes that wait for pins, about 5 MiB; a delete beyond it is left to the orphan sweep.
const DEFERRED_MAX: usize = 65_536;
/// Most finished keys that wait to be fetched, about 1 MiB; beyond it the fetcher must walk.
const FINISHED_MAX: usize = 16_384;

/// The keys written since [`Blobs::finished`] was last called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// In the order in which they were finished; a key that was written twice is twice in it.
    pub keys: Vec<BlobKey>,
    /// There were too many to remember, or nobody had asked before: walk to find all.
    pub overflowed: bool,
}

/// While one lives, no blob that existed at its birth goes away.
#[derive(Debug)]
pub struct BlobPin {
    blobs: Blobs,
    /// When it was born, in births.
    born: u64,
}

impl BlobPin {
    pub(super) fn new(blobs: Blobs) -> Self {
        let born = {
            let mut state = blobs.ledger.state();
            state.births += 1;
            let born = state.births;
            state.pins.insert(born);
            born
        };
        Self { blobs, born }
    }
}

impl Drop for BlobPin {
    /// Carries out the deletes that waited for this pin and for no older one, at most 65,536. Those
    /// asked for before every other pin was born concern none of them.
    fn drop(&mut self) {
        let released = {
            let mut state = self.blobs.ledger.state();
            state.pins.remove(&self.born);
            match state.pins.first().copied() {
                None => std::mem::take(&mut state.deferred),
                Some(oldest) => state.deferred.extract_if(.., |_, born| *born < oldest).collect(),
            }
        };
        for key in released.keys() {
            self.blobs.delete_now(key);
        }
    }
}

/// Shared by all handles to the same blobs.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Births of pins so far.
    births: u64,
    /// Those that live.
    pins: BTreeSet<u64>,
    /// Deleted while pinned, and how many pins had been born then.
    deferred: BTreeMap<BlobKey, u64>,
    /// None until somebody asks, and again after an overflow.
    finished: Option<Vec<BlobKey>>,
}

impl Ledger {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a delete has to wait; then it is remembered.
    pub(super) fn defer(&self, key: &BlobKey) -> bool {
        let mut state = self.state();
        let (pinned, births) = (!state.pins.is_empty(), state.births);
        if pinned && state.deferred.len() < DEFERRED_MAX {
            state.deferred.insert(key.clone(), births);
        }
        pinned
    }

    /// A key is about to hold a new blob: an earlier delete must not reach it.
    pub(super) fn forget_delete(&self, key: &BlobKey) {
        self.state().deferred.remove(key);
    }

    pub(super) fn finish(&self, key: BlobKey) {
        let mut state = self.state();
        if let Some(keys) = &mut state.finished {
            if keys.len() < FINISHED_MAX {
                keys.push(key);
            } else {
                state.finished = None;
            }
        }
    }

    pub(super) fn take_finished(&self) -> Finished {
        let keys = self.state().finished.replace(Vec::new());
        Finished { overflowed: keys.is_none(), keys: keys.unwrap_or_default() }
    }
}
