//! One collection in memory: blocks of rows, and where each ordinal lies.
//!
//! A row has three parts: its codes in an aligned arena (what a search reads), its scale and lost
//! norm (what turns an integer into an interval), and its unit vector (what rescoring reads). Rows
//! live in blocks, so that growing or compacting moves at most one block while the lock is held.
//! A removed row only loses its live bit; a block squeezes its dead rows out when they pass
//! [`DEAD_PERCENT_MAX`].

use super::code::{encode_row, row_lines};
use super::kernel::Line;
use super::{Stats, VectorError};
use roaring::RoaringBitmap;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Rows of a full block: about 8 MiB at 384 dimensions, some 2 ms to move.
pub(super) const BLOCK_ROWS: usize = 4096;
/// A block is compacted when more than this share of its rows is dead.
const DEAD_PERCENT_MAX: usize = 20;
/// Below this many dead rows a block is left alone: there is nothing to gain.
const DEAD_ROWS_MIN: usize = 16;

/// Where a row lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) block: u32,
    pub(super) row: u32,
}

/// Multiplicative hashing (Knuth, volume 3, 6.4): ordinals are dense numbers that we hand out, and
/// a filtered search looks up one per allowed row.
#[derive(Debug, Default)]
struct OrdinalHasher(u64);

impl Hasher for OrdinalHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(u32::from(byte));
        }
    }

    fn write_u32(&mut self, value: u32) {
        self.0 = (self.0 ^ u64::from(value)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

/// The vectors of one collection; all have the same number of dimensions.
#[derive(Debug, Default)]
pub(super) struct Collection {
    dimensions: usize,
    blocks: Vec<Block>,
    slots: HashMap<u32, Slot, BuildHasherDefault<OrdinalHasher>>,
    ordinals: RoaringBitmap,
}

/// Up to [`BLOCK_ROWS`] rows, live and dead, in parallel arrays.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) codes: Vec<Line>,
    pub(super) scales: Vec<f32>,
    pub(super) lost: Vec<f32>,
    pub(super) ordinals: Vec<u32>,
    units: Vec<f32>,
    live: Vec<u64>,
    dead: usize,
}

impl Collection {
    /// Number of live vectors.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Components of each vector; 0 while the collection has never held one.
    pub(super) fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The blocks, in slot order.
    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The live ordinals.
    pub(super) fn ordinals(&self) -> &RoaringBitmap {
        &self.ordinals
    }

    /// Where a live ordinal lies.
    pub(super) fn slot(&self, ordinal: u32) -> Option<Slot> {
        self.slots.get(&ordinal).copied()
    }

    /// Puts a unit vector under `ordinal`, in place of the one that is there.
    ///
    /// # Errors
    /// [`VectorError::Dimensions`] when the other vectors have another length.
    pub(super) fn insert(&mut self, ordinal: u32, unit: &[f32]) -> Result<(), VectorError> {
        if self.slots.is_empty() {
            self.blocks.clear();
            self.dimensions = unit.len();
        } else if self.dimensions != unit.len() {
            let (expected, found) = (self.dimensions, unit.len());
            return Err(VectorError::Dimensions { expected, found });
        }
        if let Some(&slot) = self.slots.get(&ordinal) {
            self.blocks[slot.block as usize].overwrite(slot.row as usize, unit);
            return Ok(());
        }
        let roomy = self.blocks.iter().position(|block| block.rows() < BLOCK_ROWS);
        let block = roomy.unwrap_or_else(|| {
            self.blocks.push(Block::default());
            self.blocks.len() - 1
        });
        let row = self.blocks[block].push(ordinal, unit);
        self.slots.insert(ordinal, Slot { block: block as u32, row: row as u32 });
        self.ordinals.insert(ordinal);
        Ok(())
    }

    /// Takes `ordinal` out; false when it was not there.
    pub(super) fn remove(&mut self, ordinal: u32) -> bool {
        let Some(slot) = self.slots.remove(&ordinal) else { return false };
        self.ordinals.remove(ordinal);
        let block = &mut self.blocks[slot.block as usize];
        block.kill(slot.row as usize);
        if block.wants_compaction() {
            block.compact(self.dimensions);
            for (row, &ordinal) in block.ordinals.iter().enumerate() {
                self.slots.insert(ordinal, Slot { block: slot.block, row: row as u32 });
            }
        }
        true
    }

    /// Rows and memory.
    pub(super) fn stats(&self) -> Stats {
        let blocks = self.blocks.iter().map(Block::bytes).sum::<usize>();
        let slots = self.slots.capacity() * (size_of::<(u32, Slot)>() + 1);
        Stats {
            live: self.len(),
            dead: self.blocks.iter().map(|block| block.dead).sum(),
            bytes: blocks + slots + self.ordinals.serialized_size(),
        }
    }
}

impl Block {
    /// Number of rows, live and dead.
    pub(super) fn rows(&self) -> usize {
        self.ordinals.len()
    }

    /// Whether nobody removed the row.
    pub(super) fn is_live(&self, row: usize) -> bool {
        self.live.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// The unit vector of a row.
    pub(super) fn unit(&self, row: usize, dimensions: usize) -> &[f32] {
        &self.units[row * dimensions..(row + 1) * dimensions]
    }

    fn push(&mut self, ordinal: u32, unit: &[f32]) -> usize {
        let coded = encode_row(unit);
        let row = self.rows();
        self.codes.extend_from_slice(&coded.lines);
        self.scales.push(coded.scale);
        self.lost.push(coded.lost);
        self.ordinals.push(ordinal);
        self.units.extend_from_slice(unit);
        self.live.resize(row / 64 + 1, 0);
        self.live[row / 64] |= 1 << (row % 64);
        row
    }

    fn overwrite(&mut self, row: usize, unit: &[f32]) {
        let coded = encode_row(unit);
        let lines = coded.lines.len();
        self.codes[row * lines..(row + 1) * lines].copy_from_slice(&coded.lines);
        self.scales[row] = coded.scale;
        self.lost[row] = coded.lost;
        self.units[row * unit.len()..(row + 1) * unit.len()].copy_from_slice(unit);
    }

    fn kill(&mut self, row: usize) {
        self.live[row / 64] &= !(1 << (row % 64));
        self.dead += 1;
    }

    fn wants_compaction(&self) -> bool {
        self.dead == self.rows()
            || (self.dead >= DEAD_ROWS_MIN && self.dead * 100 > self.rows() * DEAD_PERCENT_MAX)
    }

    /// Moves the live rows together, keeping their order, and gives memory back.
    fn compact(&mut self, dimensions: usize) {
        let lines = row_lines(dimensions);
        let mut kept = 0;
        for row in 0..self.rows() {
            if !self.is_live(row) {
                continue;
            }
            self.codes.copy_within(row * lines..(row + 1) * lines, kept * lines);
            self.units.copy_within(row * dimensions..(row + 1) * dimensions, kept * dimensions);
            self.scales[kept] = self.scales[row];
            self.lost[kept] = self.lost[row];
            self.ordinals[kept] = self.ordinals[row];
            kept += 1;
        }
        self.codes.truncate(kept * lines);
        self.units.truncate(kept * dimensions);
        self.scales.truncate(kept);
        self.lost.truncate(kept);
        self.ordinals.truncate(kept);
        self.live = vec![u64::MAX; kept.div_ceil(64)];
        if let (Some(last), 1..) = (self.live.last_mut(), kept % 64) {
            *last = (1 << (kept % 64)) - 1;
        }
        self.dead = 0;
        self.codes.shrink_to_fit();
        self.units.shrink_to_fit();
    }

    fn bytes(&self) -> usize {
        self.codes.capacity() * size_of::<Line>()
            + (self.units.capacity() + self.scales.capacity() + self.lost.capacity()) * 4
            + self.ordinals.capacity() * 4
            + self.live.capacity() * 8
    }
}
