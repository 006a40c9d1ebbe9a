//! Products with bfloat16 weights and activations, summed in 32 bits: AVX-512 BF16 only.
//!
//! Weights are packed once into panels of 32 output columns: for each pair of inputs two cache
//! lines, each holding that pair for 16 columns. One `vdpbf16ps` per line then adds two products to
//! 16 sums. A tile of up to 12 rows by 32 columns keeps its 24 sums in registers.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256i, __m512, __m512bh, __m512i, _mm256_storeu_si256, _mm512_add_ps, _mm512_cvtneps_pbh,
    _mm512_dpbf16_ps, _mm512_load_si512, _mm512_loadu_ps, _mm512_set1_epi32, _mm512_setzero_ps,
    _mm512_storeu_ps,
};

use half::bf16;
use half::slice::HalfFloatSliceExt;

/// Output columns of a panel: two registers of 16 floats.
const PANEL_COLUMNS: usize = 32;

/// Most rows of a tile; 2 * 12 sums, two weight lines and one activation fit the 32 registers.
const TILE_ROWS_MAX: usize = 12;

/// Activations worked on per pass over the panels, in elements: 384 KiB, part of a level 2 cache.
const BLOCK_ELEMENTS: usize = 192 * 1024;

/// The same pair of inputs for 16 columns.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u16; 32]);

/// A weight matrix packed for the tile kernel.
pub(in super::super) struct Panels {
    lines: Vec<Line>,
    inputs: usize,
    outputs: usize,
}

/// Whether the kernels of this file may run on this processor.
pub(super) fn supported() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bf16")
}

impl Panels {
    /// Packs `rows`, one row of `inputs` weights per output; `None` if this processor or these
    /// sizes do not suit the kernel.
    pub(in super::super) fn pack(rows: &[f32], inputs: usize, outputs: usize) -> Option<Self> {
        let fits = outputs.is_multiple_of(PANEL_COLUMNS)
            && inputs.is_multiple_of(PANEL_COLUMNS)
            && inputs > 0
            && rows.len() == inputs * outputs;
        if !fits || !supported() {
            return None;
        }
        let mut lines = vec![Line([0; 32]); inputs * outputs / 32];
        let mut narrow = vec![bf16::ZERO; inputs];
        for (output, row) in rows.chunks_exact(inputs).enumerate() {
            narrow.convert_from_f32_slice(row);
            let (panel, column) = (output / PANEL_COLUMNS, output % PANEL_COLUMNS);
            // A panel has `inputs` lines: two for each pair of inputs.
            let panel = lines.get_mut(panel * inputs..(panel + 1) * inputs)?;
            let half = panel.iter_mut().skip(column / 16).step_by(2);
            for (Line(line), pair) in half.zip(narrow.reinterpret_cast().as_chunks::<2>().0) {
                line[column % 16 * 2] = pair[0];
                line[column % 16 * 2 + 1] = pair[1];
            }
        }
        Some(Self { lines, inputs, outputs })
    }

    /// Writes `x * weights + bias` for `rows` rows; `narrow` is scratch for the rounded
    /// activations.
    ///
    /// # Panics
    /// If a buffer is smaller than the sizes demand.
    pub(in super::super) fn apply(
        &self,
        x: &[f32],
        rows: usize,
        bias: &[f32],
        out: &mut [f32],
        narrow: &mut Vec<u16>,
    ) {
        let x = &x[..rows * self.inputs];
        assert!(bias.len() == self.outputs && out.len() >= rows * self.outputs);
        narrow.resize(x.len(), 0);
        // SAFETY: `pack` made this value only after `supported()`. `narrow` has exactly the
        // elements of `x`, a multiple of 16 because `inputs` is.
        unsafe { round(x, narrow) };
        let block =
            (BLOCK_ELEMENTS / self.inputs / TILE_ROWS_MAX * TILE_ROWS_MAX).max(TILE_ROWS_MAX);
        for start in (0..rows).step_by(block) {
            let end = (start + block).min(rows);
            for panel in 0..self.outputs / PANEL_COLUMNS {
                let mut row = start;
                while row < end {
                    let left = end - row;
                    // Equal tiles, so that the last one is not a single row.
                    let tile = left.div_ceil(left.div_ceil(TILE_ROWS_MAX));
                    // SAFETY: as above; `row + tile <= rows` and `panel` is below the panel count,
                    // so by the assertions all rows and columns of the tile lie inside the buffers.
                    unsafe { self.dispatch(tile, panel, row, narrow, bias, out) };
                    row += tile;
                }
            }
        }
    }

    /// Runs the kernel of the right height.
    ///
    /// # Safety
    /// As [`tile`]; `height` must be 1 to 12.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn dispatch(
        &self,
        height: usize,
        panel: usize,
        row: usize,
        narrow: &[u16],
        bias: &[f32],
        out: &mut [f32],
    ) {
        let column = panel * PANEL_COLUMNS;
        // SAFETY: the caller promises that rows `row..row + height` and this panel exist.
        unsafe {
            let x = narrow.as_ptr().add(row * self.inputs);
            let weights = self.lines.as_ptr().add(panel * self.inputs);
            let bias = bias.as_ptr().add(column);
            let out = out.as_mut_ptr().add(row * self.outputs + column);
            let (inputs, stride) = (self.inputs, self.outputs);
            match height {
                1 => tile::<1>(x, inputs, weights, bias, out, stride),
                2 => tile::<2>(x, inputs, weights, bias, out, stride),
                3 => tile::<3>(x, inputs, weights, bias, out, stride),
                4 => tile::<4>(x, inputs, weights, bias, out, stride),
                5 => tile::<5>(x, inputs, weights, bias, out, stride),
                6 => tile::<6>(x, inputs, weights, bias, out, stride),
                7 => tile::<7>(x, inputs, weights, bias, out, stride),
                8 => tile::<8>(x, inputs, weights, bias, out, stride),
                9 => tile::<9>(x, inputs, weights, bias, out, stride),
                10 => tile::<10>(x, inputs, weights, bias, out, stride),
                11 => tile::<11>(x, inputs, weights, bias, out, stride),
                _ => tile::<12>(x, inputs, weights, bias, out, stride),
            }
        }
    }
}

/// Rounds floats to the nearest bfloat16.
///
/// # Safety
/// Both slices must have the same length, a multiple of 16.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn round(x: &[f32], narrow: &mut [u16]) {
    let (from, to) = (x.as_ptr(), narrow.as_mut_ptr());
    for start in (0..x.len()).step_by(16) {
        // SAFETY: 16 elements from `start` exist on both sides; the bit patterns of 16 bfloat16 and
        // of a 256-bit integer are interchangeable.
        unsafe {
            let rounded = _mm512_cvtneps_pbh(_mm512_loadu_ps(from.add(start)));
            let bits: __m256i = std::mem::transmute(rounded);
            _mm256_storeu_si256(to.add(start).cast(), bits);
        }
    }
}

/// Multiplies `ROWS` rows with one panel of 32 columns.
///
/// # Safety
/// `x` must hold `ROWS` rows of `inputs` numbers, `weights` a panel of `inputs` lines, `bias` 32
/// numbers, and `out` must have 32 writable numbers in each of `ROWS` rows `stride` apart.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn tile<const ROWS: usize>(
    x: *const u16,
    inputs: usize,
    weights: *const Line,
    bias: *const f32,
    out: *mut f32,
    stride: usize,
) {
    let mut sums: [[__m512; 2]; ROWS] = [[_mm512_setzero_ps(); 2]; ROWS];
    for pair in 0..inputs / 2 {
        // SAFETY: `pair` counts pairs of the `inputs` numbers of a row and of the `inputs` lines of
        // the panel; lines are 64-byte aligned by their type; integer and bfloat16 registers have
        // the same bit patterns.
        unsafe {
            let left = _mm512_load_si512(weights.add(pair * 2).cast());
            let right = _mm512_load_si512(weights.add(pair * 2 + 1).cast());
            for (row, sums) in sums.iter_mut().enumerate() {
                let both = x.add(row * inputs + pair * 2).cast::<i32>().read_unaligned();
                let both = cast(_mm512_set1_epi32(both));
                sums[0] = _mm512_dpbf16_ps(sums[0], cast(left), both);
                sums[1] = _mm512_dpbf16_ps(sums[1], cast(right), both);
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        for (half, &sum) in sums.iter().enumerate() {
            // SAFETY: `half * 16 + 16 <= 32`, and the caller promises 32 numbers in each row.
            unsafe {
                let bias = _mm512_loadu_ps(bias.add(half * 16));
                _mm512_storeu_ps(out.add(row * stride + half * 16), _mm512_add_ps(sum, bias));
            }
        }
    }
}

/// The same bits, seen as bfloat16 pairs.
///
/// # Safety
/// None beyond the instruction set: every bit pattern is valid on both sides.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn cast(bits: __m512i) -> __m512bh {
    // SAFETY: both types are 512 plain bits.
    unsafe { std::mem::transmute(bits) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference: the same roundings, summed in 64 bits.
    fn reference(x: &[f32], weights: &[f32], bias: &[f32], inputs: usize) -> Vec<f64> {
        let narrow = |value: f32| f64::from(bf16::from_f32(value).to_f32());
        let mut out = Vec::new();
        for row in x.chunks(inputs) {
            for (column, bias) in weights.chunks(inputs).zip(bias) {
                let dot: f64 = row.iter().zip(column).map(|(&a, &b)| narrow(a) * narrow(b)).sum();
                out.push(dot + f64::from(*bias));
            }
        }
        out
    }

    #[test]
    fn every_tile_height_multiplies_correctly() {
        let (inputs, outputs) = (64, 96);
        let weights: Vec<f32> =
            (0..inputs * outputs).map(|i| ((i * 37 % 101) as f32 - 50.0) / 61.0).collect();
        let bias: Vec<f32> = (0..outputs).map(|i| i as f32 / 7.0).collect();
        let Some(panels) = Panels::pack(&weights, inputs, outputs) else { return };
        for rows in 1..=40 {
            let x: Vec<f32> =
                (0..rows * inputs).map(|i| ((i * 53 % 97) as f32 - 48.0) / 31.0).collect();
            let mut out = vec![f32::NAN; rows * outputs];
            panels.apply(&x, rows, &bias, &mut out, &mut Vec::new());
            for (found, exact) in out.iter().zip(reference(&x, &weights, &bias, inputs)) {
                assert!((f64::from(*found) - exact).abs() < 1e-4, "{found} is not {exact}");
            }
        }
    }

    #[test]
    fn unsuitable_sizes_are_refused() {
        assert!(Panels::pack(&[0.0; 48 * 32], 48, 32).is_none());
        assert!(Panels::pack(&[0.0; 32 * 40], 32, 40).is_none());
        assert!(Panels::pack(&[], 0, 32).is_none());
    }
}
