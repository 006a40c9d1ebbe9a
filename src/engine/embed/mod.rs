//! Text embedding: sentences in, unit vectors out, on the CPU of this process.
//!
//! Keeps: nothing on disk. The weights live in the operator's model directory and are only read.
//! How long: a loaded model stays in memory until its last owner is dropped.
//! Who may: `search` asks [`Pool`]; permission is decided there, this room sees only text.
//! Never: downloads, logs a text, pads or masks (each sequence runs at its own length), or returns
//! a vector that is not of length one.
//!
//! The way of a text: [`Encoder`] cuts it into tokens (`tokens`), sums the embedding rows, runs the
//! transformer layers (`forward`) on plain buffers with the kernels of this processor (`kernel`),
//! pools and normalises. [`load`] checks every file against the SHA-256 of its manifest first.
//!
//! Two computations exist, chosen at run time: bfloat16 products where the processor has AVX-512
//! BF16 (cosine to the exact result at least 0.999, in practice 0.9999), 32-bit floats everywhere
//! else.

mod encoder;
mod error;
mod forward;
mod kernel;
mod linear;
mod manifest;
mod pool;
mod shape;
mod tokens;
mod weights;

pub use encoder::{Encoder, load, load_as};
pub use error::EmbedError;
pub use linear::Compute;
pub use pool::Pool;

#[cfg(test)]
mod tests;

/// A model that turns text into vectors whose dot product is their similarity.
pub trait Embed: Send + Sync {
    /// The stable name stored next to every vector, for example `all-minilm-l6-v2`.
    fn model_id(&self) -> &str;

    /// Length of every vector.
    fn dimensions(&self) -> usize;

    /// Most tokens of one text that reach the model, special tokens not counted; the rest is cut
    /// off.
    fn tokens_max(&self) -> usize;

    /// Byte ranges of all tokens of a text, in order, without overlap and without special tokens; a
    /// token that only marks the start of a word has an empty range.
    ///
    /// # Errors
    /// [`EmbedError::TooLong`] above 16 MiB; [`EmbedError::Tokenize`] if the tokenizer refuses.
    fn token_offsets(&self, text: &str) -> Result<Vec<(usize, usize)>, EmbedError>;

    /// One vector of length one per text, in the same order; an empty text has a vector too.
    ///
    /// # Errors
    /// [`EmbedError::Tokenize`] if the tokenizer refuses or names a token the model does not have.
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError>;
}
