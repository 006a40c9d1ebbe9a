//! The exact top `k`: scan codes, keep what the bound cannot rule out, rescore until it is proven.
//!
//! For each allowed live row the codes give an interval that holds its cosine. The `k`-th largest
//! lower end is at most the `k`-th largest cosine, so a row whose upper end is below it is not in
//! the answer. What remains is rescored by falling upper end; once `k` cosines are known and the
//! next upper end is below the worst of them, no later row can enter. Ties go to the lower ordinal,
//! so the answer is the one that scoring every row would give.

use super::Hit;
use super::code::{Bound, Coded, cosine, encode_query};
use super::collection::{Block, Collection, Slot};
use super::kernel::Tier;
use roaring::RoaringBitmap;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Rows whose dots are computed before they are looked at: 1 KiB of integers, in the first cache.
const RUN_ROWS: usize = 256;
/// Picking one row by its ordinal costs about as much as scanning this many in a row: a hash
/// look-up and a cache miss against a prefetched stream (`benches/vector_scan`, 384 dimensions).
const PICK_COST_ROWS: u64 = 16;

/// One search over any number of collections, gathering one answer.
pub(super) struct Scan<'a> {
    tier: Tier,
    unit: &'a [f32],
    query: Coded,
    bound: Bound,
    k: usize,
    allowed: Option<&'a RoaringBitmap>,
    best: BinaryHeap<Worst>,
    scanned: usize,
}

/// A hit ordered so that the worst is the greatest: a heap of these gives up its worst first.
#[derive(Debug, Clone, Copy)]
struct Worst(Hit);

impl Ord for Worst {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_score = other.0.score.total_cmp(&self.0.score);
        by_score.then(self.0.ordinal.cmp(&other.0.ordinal))
    }
}
impl PartialOrd for Worst {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Worst {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Worst {}

/// A row that may be in the answer.
struct Candidate {
    upper: f32,
    slot: Slot,
}

impl<'a> Scan<'a> {
    /// A search for the `k` nearest to the unit vector `unit` among `allowed` (all when none).
    pub(super) fn new(
        tier: Tier,
        unit: &'a [f32],
        k: usize,
        allowed: Option<&'a RoaringBitmap>,
    ) -> Self {
        let query = encode_query(unit);
        let bound = Bound::new(&query, unit.len());
        Self { tier, unit, query, bound, k, allowed, best: BinaryHeap::new(), scanned: 0 }
    }

    /// Searches one more collection, whose vectors have the query's dimensions.
    pub(super) fn collection(&mut self, collection: &Collection) {
        let within = match self.allowed {
            Some(allowed) => allowed.intersection_len(collection.ordinals()),
            None => collection.len() as u64,
        };
        self.scanned += within as usize;
        if self.k == 0 || within == 0 {
            return;
        }
        let rows: usize = collection.blocks().iter().map(Block::rows).sum();
        let mut sieve = Sieve::new(self.k, &self.best);
        if within * PICK_COST_ROWS < rows as u64 {
            self.pick(collection, &mut sieve);
        } else {
            self.sweep(collection, &mut sieve);
        }
        self.rescore(collection, sieve);
    }

    /// The hits, best first, and how many rows were considered.
    pub(super) fn finish(self) -> (Vec<Hit>, usize) {
        (self.best.into_sorted_vec().into_iter().map(|worst| worst.0).collect(), self.scanned)
    }

    /// Reads every row in order; live bit and permission are asked only of rows that pass the
    /// sieve, and before they may raise it.
    fn sweep(&self, collection: &Collection, sieve: &mut Sieve) {
        let mut raw = [0i32; RUN_ROWS];
        for (index, block) in collection.blocks().iter().enumerate() {
            for first in (0..block.rows()).step_by(RUN_ROWS) {
                let run = RUN_ROWS.min(block.rows() - first);
                self.tier.run(&block.codes, first, &self.query.lines, &mut raw[..run]);
                let scales = block.scales[first..].iter();
                let lost = block.lost[first..].iter();
                for (offset, ((&raw, scale), lost)) in
                    raw[..run].iter().zip(scales).zip(lost).enumerate()
                {
                    let (lower, upper) = self.bound.interval(raw, *scale, *lost);
                    if upper >= sieve.floor && self.may_hit(block, first + offset) {
                        let row = (first + offset) as u32;
                        sieve.push(lower, upper, Slot { block: index as u32, row });
                    }
                }
            }
        }
    }

    fn may_hit(&self, block: &Block, row: usize) -> bool {
        block.is_live(row)
            && self.allowed.is_none_or(|allowed| allowed.contains(block.ordinals[row]))
    }

    /// Reads only the allowed rows, in slot order.
    fn pick(&self, collection: &Collection, sieve: &mut Sieve) {
        let Some(allowed) = self.allowed else { return };
        let within = allowed & collection.ordinals();
        let mut slots: Vec<Slot> = within.iter().filter_map(|o| collection.slot(o)).collect();
        slots.sort_unstable();
        for slot in slots {
            let block = &collection.blocks()[slot.block as usize];
            let row = slot.row as usize;
            let mut raw = [0i32; 1];
            self.tier.run(&block.codes, row, &self.query.lines, &mut raw);
            let (lower, upper) = self.bound.interval(raw[0], block.scales[row], block.lost[row]);
            if upper >= sieve.floor {
                sieve.push(lower, upper, slot);
            }
        }
    }

    fn rescore(&mut self, collection: &Collection, sieve: Sieve) {
        let floor = sieve.floor;
        let mut candidates = sieve.candidates;
        candidates.retain(|candidate| candidate.upper >= floor);
        candidates.sort_unstable_by(|a, b| b.upper.total_cmp(&a.upper));
        for Candidate { upper, slot } in candidates {
            let full = self.best.len() == self.k;
            if full && self.best.peek().is_some_and(|worst| upper < worst.0.score) {
                break;
            }
            let block = &collection.blocks()[slot.block as usize];
            let row = slot.row as usize;
            let score = cosine(self.unit, block.unit(row, self.unit.len()));
            self.best.push(Worst(Hit { ordinal: block.ordinals[row], score }));
            if full {
                self.best.pop();
            }
        }
    }
}

/// The candidates of a scan and the floor below which an upper end rules a row out.
struct Sieve {
    k: usize,
    floor: f32,
    lower: BinaryHeap<Lowest>,
    candidates: Vec<Candidate>,
}

/// A lower end, ordered so that the smallest is the greatest.
struct Lowest(f32);

impl Ord for Lowest {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.total_cmp(&self.0)
    }
}
impl PartialOrd for Lowest {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Lowest {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Lowest {}

impl Sieve {
    /// Starts from the cosines known already: each is its own lower end.
    fn new(k: usize, best: &BinaryHeap<Worst>) -> Self {
        let mut sieve =
            Self { k, floor: f32::NEG_INFINITY, lower: BinaryHeap::new(), candidates: Vec::new() };
        for worst in best {
            sieve.raise(worst.0.score);
        }
        sieve
    }

    fn push(&mut self, lower: f32, upper: f32, slot: Slot) {
        self.candidates.push(Candidate { upper, slot });
        self.raise(lower);
    }

    fn raise(&mut self, lower: f32) {
        if self.lower.len() < self.k {
            self.lower.push(Lowest(lower));
        } else if lower > self.floor {
            self.lower.push(Lowest(lower));
            self.lower.pop();
        }
        if self.lower.len() == self.k
            && let Some(lowest) = self.lower.peek()
        {
            self.floor = lowest.0;
        }
    }
}
