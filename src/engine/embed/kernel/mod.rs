//! The inner loops: matrix products and the element-wise functions of a transformer layer.
//!
//! Every function here is safe to call and checks its buffers; `unsafe` stays in the files below.

#[cfg(target_arch = "x86_64")]
mod bf16;
mod elementwise;
mod product;

#[cfg(target_arch = "x86_64")]
pub(super) use bf16::Panels;
pub(super) use elementwise::{add, gelu, normalize_rows, softmax_rows};
pub(super) use product::{View, multiply};

/// Whether this processor multiplies bfloat16 pairs (AVX-512 BF16).
pub(super) fn has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return bf16::supported();
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}
