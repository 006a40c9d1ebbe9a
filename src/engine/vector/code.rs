//! Eight-bit codes of unit vectors, and the bound on what they hide.
//!
//! A vector is normalised (`v`, so that cosine is a dot product) and coded with its own symmetric
//! scale: `v = s*c + e`, `c` whole numbers in -127..=127, `s = max|v_i| / 127`. A scale per vector
//! needs no training, clips nothing and keeps the bound tight; it costs one multiplication a row.
//!
//! The bound. For a query `q = t*d + f`, with `|.|` the Euclidean norm,
//!
//! ```text
//! q.v = (t*d).(s*c) + (t*d).e + f.v      so      |q.v - s*t*(c.d)| <= |t*d|*|e| + |f|*|v|
//! ```
//!
//! by Cauchy-Schwarz. The norms of `e` and `f` are known when the codes are made. A slack of
//! `(n + 32) * 2^-23` for `n` dimensions covers the rounding of the single-precision dot product
//! (at most `n * 2^-24` for unit vectors; Higham, Accuracy and Stability, 3.1) and of the few
//! operations that evaluate the bound itself.

use super::VectorError;
use super::kernel::{LINE_BYTES, Line};

/// Added to a code so that it is an unsigned byte.
const BIAS: i32 = 128;
/// Largest code; symmetric, so that negating a vector negates its code.
const CODE_MAX: f32 = 127.0;
/// Partial sums kept by [`cosine`]: enough for four 128-bit registers, the x86-64 baseline.
const LANES: usize = 16;

/// A unit vector (or the zero vector) in codes.
pub(super) struct Coded {
    /// Biased codes of a row, or plain signed codes of a query; padding adds nothing to a dot.
    pub(super) lines: Vec<Line>,
    /// Value of one code step.
    pub(super) scale: f32,
    /// Norm of what the codes lose, rounded up.
    pub(super) lost: f32,
    /// Norm of what the codes keep, rounded up.
    kept: f32,
    /// Sum of the signed codes.
    sum: i32,
}

/// Lines of one row of `dimensions` codes.
pub(super) fn row_lines(dimensions: usize) -> usize {
    dimensions.div_ceil(LINE_BYTES)
}

/// The vector scaled to length one; the zero vector stays zero.
///
/// # Errors
/// [`VectorError::NotFinite`] when a component is NaN or infinite.
pub(super) fn normalise(vector: &[f32]) -> Result<Vec<f32>, VectorError> {
    if vector.iter().any(|x| !x.is_finite()) {
        return Err(VectorError::NotFinite);
    }
    let norm = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    if norm == 0.0 {
        return Ok(vec![0.0; vector.len()]);
    }
    Ok(vector.iter().map(|&x| (f64::from(x) / norm) as f32).collect())
}

/// Codes of a stored row.
pub(super) fn encode_row(unit: &[f32]) -> Coded {
    encode(unit, BIAS)
}

/// Codes of a query.
pub(super) fn encode_query(unit: &[f32]) -> Coded {
    encode(unit, 0)
}

fn encode(unit: &[f32], bias: i32) -> Coded {
    let largest = unit.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    let scale = largest / CODE_MAX;
    let mut lines = vec![Line([bias as u8; LINE_BYTES]); row_lines(unit.len())];
    let (mut lost, mut kept, mut sum) = (0.0f64, 0.0f64, 0i32);
    for (line, values) in lines.iter_mut().zip(unit.chunks(LINE_BYTES)) {
        for (byte, &value) in line.0.iter_mut().zip(values) {
            let code = if scale > 0.0 {
                (value / scale).round().clamp(-CODE_MAX, CODE_MAX) as i32
            } else {
                0
            };
            *byte = (code + bias) as u8;
            let back = f64::from(scale) * f64::from(code);
            lost += (f64::from(value) - back).powi(2);
            kept += back * back;
            sum += code;
        }
    }
    Coded { lines, scale, lost: round_up(lost.sqrt()), kept: round_up(kept.sqrt()), sum }
}

fn round_up(value: f64) -> f32 {
    (value as f32).next_up()
}

/// What a query needs to turn an integer dot into an interval around the cosine.
pub(super) struct Bound {
    scale: f32,
    kept: f32,
    fixed: f32,
    bias: i32,
}

impl Bound {
    /// The bound for a query of `dimensions` components.
    pub(super) fn new(query: &Coded, dimensions: usize) -> Self {
        let slack = (dimensions + 32) as f32 * f32::EPSILON;
        Self {
            scale: query.scale,
            kept: query.kept,
            // A unit row is at most one part in a million longer than one after rounding.
            fixed: query.lost * 1.000_001 + slack,
            bias: BIAS * query.sum,
        }
    }

    /// Lower and upper bound of [`cosine`] for a row with this raw integer dot.
    #[inline]
    pub(super) fn interval(&self, raw: i32, row_scale: f32, row_lost: f32) -> (f32, f32) {
        let near = (raw - self.bias) as f32 * (self.scale * row_scale);
        let margin = self.kept * row_lost + self.fixed;
        // Clamped like the cosine itself, or rounding could part rows that tie at 1 or -1.
        ((near - margin).min(1.0), (near + margin).max(-1.0))
    }
}

/// Cosine of two unit vectors: a single-precision dot product in one fixed order of additions, the
/// same on every machine, clamped to -1..=1.
pub(super) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    let (b_lanes, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    (sums.iter().sum::<f32>() + rest).clamp(-1.0, 1.0)
}
