//! An affine map `x -> x W + b` in whichever number format this processor is fastest at.

use super::kernel;

/// Number format of the matrix products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compute {
    /// bfloat16 factors, 32-bit sums; needs AVX-512 BF16.
    Bf16,
    /// 32-bit floats; runs everywhere.
    F32,
}

impl Compute {
    /// The faster format among those this processor has.
    pub fn best() -> Self {
        if kernel::has_bf16() { Self::Bf16 } else { Self::F32 }
    }
}

enum Weights {
    /// `[inputs][outputs]`: contiguous along the outputs, which the product kernel wants.
    F32(Vec<f32>),
    #[cfg(target_arch = "x86_64")]
    Bf16(kernel::Panels),
}

/// An affine map.
pub(super) struct Linear {
    weights: Weights,
    bias: Vec<f32>,
    inputs: usize,
}

impl Linear {
    /// Takes weights as stored in model files: one row of inputs per output.
    ///
    /// Sizes the bfloat16 kernel does not suit are kept in 32 bits.
    pub(super) fn new(rows: &[f32], bias: Vec<f32>, compute: Compute) -> Self {
        let outputs = bias.len();
        let inputs = rows.len() / outputs.max(1);
        let weights = pack(rows, inputs, outputs, compute);
        Self { weights, bias, inputs }
    }

    /// Maps `count` rows of `x` to rows of `out`; `narrow` is scratch.
    pub(super) fn apply(&self, x: &[f32], count: usize, out: &mut [f32], narrow: &mut Vec<u16>) {
        match &self.weights {
            Weights::F32(weights) => {
                let outputs = self.bias.len();
                for row in out.chunks_exact_mut(outputs).take(count) {
                    row.copy_from_slice(&self.bias);
                }
                let left = kernel::View::new(x, count, self.inputs, self.inputs);
                let right = kernel::View::new(weights, self.inputs, outputs, outputs);
                kernel::multiply(left, right, out, outputs, true);
            }
            #[cfg(target_arch = "x86_64")]
            Weights::Bf16(panels) => panels.apply(x, count, &self.bias, out, narrow),
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = narrow;
    }
}

#[cfg(target_arch = "x86_64")]
fn pack(rows: &[f32], inputs: usize, outputs: usize, compute: Compute) -> Weights {
    let panels = match compute {
        Compute::Bf16 => kernel::Panels::pack(rows, inputs, outputs),
        Compute::F32 => None,
    };
    panels.map_or_else(|| Weights::F32(transpose(rows, inputs)), Weights::Bf16)
}

#[cfg(not(target_arch = "x86_64"))]
fn pack(rows: &[f32], inputs: usize, _outputs: usize, _compute: Compute) -> Weights {
    Weights::F32(transpose(rows, inputs))
}

/// Rows become columns; in strips of 16 rows, so that writes fill whole cache lines.
fn transpose(rows: &[f32], columns: usize) -> Vec<f32> {
    const STRIP: usize = 16;
    let count = rows.len() / columns.max(1);
    let mut out = vec![0.0; rows.len()];
    for (strip, rows) in rows.chunks(STRIP * columns.max(1)).enumerate() {
        for (column, target) in out.chunks_exact_mut(count).enumerate() {
            let source = rows.iter().skip(column).step_by(columns);
            for (to, from) in target.iter_mut().skip(strip * STRIP).zip(source) {
                *to = *from;
            }
        }
    }
    out
}
