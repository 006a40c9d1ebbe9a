//! What an exact search for some stored vectors answers: two stores that hold the same vectors
//! answer the same.

use super::error::SearchError;
use super::tables::{NEXT_ORDINAL, Ordinal, VectorRow};
use crate::engine::db::{Key, Span, View, key};
use crate::engine::vector::Vectors;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// Passages asked for, spread over all of them.
const PASSAGES: u32 = 4;
/// Nearest passages noted of each.
const NEAREST: usize = 10;
/// Vectors searched at a time: about 10 MiB at 384 dimensions, however many there are.
const BLOCK_ROWS: usize = 4096;
/// How much a score may differ between two processors: their sums round in another order.
const SCORE_TOLERANCE: f32 = 1e-5;

/// The nearest neighbours of some stored vectors.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Probe {
    /// The passages that were asked for.
    pub passages: Vec<Probed>,
}

/// A passage and its nearest neighbours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    /// The model that made the vectors.
    pub model_id: String,
    /// The passage.
    pub ordinal: u32,
    /// The nearest passages with their cosine, best first; the passage itself is one of them.
    pub nearest: Vec<(u32, f32)>,
}

impl Probe {
    /// Whether the other one found the same passages at the same distance. Passages that are
    /// equally near may have changed places.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let pairs = self.passages.iter().zip(&other.passages);
        self.passages.len() == other.passages.len() && pairs.into_iter().all(|(a, b)| a.agrees(b))
    }
}

impl Probed {
    fn agrees(&self, other: &Self) -> bool {
        let near = |a: f32, b: f32| (a - b).abs() <= SCORE_TOLERANCE;
        let ranks = self.nearest.iter().zip(&other.nearest);
        let last = self.nearest.last().map_or(0.0, |last| last.1);
        // Which of several equally near ones is the last is a matter of rounding.
        let mut clear = self.nearest.iter().filter(|one| !near(one.1, last));
        self.model_id == other.model_id
            && self.ordinal == other.ordinal
            && self.nearest.len() == other.nearest.len()
            && ranks.into_iter().all(|(a, b)| near(a.1, b.1))
            && clear.all(|one| other.nearest.iter().any(|two| two.0 == one.0))
    }
}

/// Searches all stored vectors for some of them, in one pass and constant memory, with the engine
/// that answers queries.
///
/// # Errors
/// [`SearchError::Storage`] when the store fails.
pub fn probe(tx: &impl View) -> Result<Probe, SearchError> {
    let asked = passages(tx)?;
    let mut found: Vec<Vec<(u32, f32)>> = vec![Vec::new(); asked.len()];
    let (mut block, mut rows, mut failed) = (Vectors::new(), 0, None);
    let search = |block: &Vectors, found: &mut [Vec<(u32, f32)>]| -> Result<(), SearchError> {
        for (row, nearest) in asked.iter().zip(found) {
            let hits = block.search(&[&row.model_id], &row.vector, NEAREST, None)?.hits;
            nearest.extend(hits.iter().map(|hit| (hit.ordinal, hit.score)));
            nearest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            nearest.truncate(NEAREST);
        }
        Ok(())
    };
    if !asked.is_empty() {
        tx.each_row(&Span::all(), |row: VectorRow| {
            let like = |one: &&VectorRow| one.model_id == row.model_id;
            let wanted = asked.iter().find(like);
            if wanted.is_none_or(|one| one.vector.len() != row.vector.len()) {
                return ControlFlow::Continue(());
            }
            let put = block.insert(&row.model_id, row.ordinal.0, &row.vector);
            rows += 1;
            let searched = if rows % BLOCK_ROWS == 0 {
                let full = std::mem::take(&mut block);
                search(&full, &mut found)
            } else {
                Ok(())
            };
            match put.map_err(SearchError::from).and(searched) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        search(&block, &mut found)?;
    }
    if let Some(error) = failed {
        return Err(error);
    }
    let probed = asked.into_iter().zip(found).map(|(row, nearest)| Probed {
        model_id: row.model_id,
        ordinal: row.ordinal.0,
        nearest,
    });
    Ok(Probe { passages: probed.collect() })
}

/// Some stored vectors, evenly spread over the ordinals.
fn passages(tx: &impl View) -> Result<Vec<VectorRow>, SearchError> {
    let next = u32::try_from(tx.counter(NEXT_ORDINAL)?).map_err(|_| SearchError::Full)?;
    let mut found: Vec<VectorRow> = Vec::new();
    for place in 0..PASSAGES {
        let from = u64::from(next) * u64::from(place) / u64::from(PASSAGES);
        let before = u32::try_from(from).unwrap_or(u32::MAX).checked_sub(1).map(Ordinal);
        let span = before.map_or_else(Span::all, |before| Span::all().after(&before.append(key())));
        tx.each_row(&span, |row: VectorRow| {
            let fits = |one: &VectorRow| {
                one.model_id != row.model_id || one.vector.len() == row.vector.len()
            };
            if found.iter().all(|one| one.ordinal != row.ordinal && fits(one)) {
                found.push(row);
            }
            ControlFlow::Break(())
        })?;
    }
    Ok(found)
}
