//! A loaded model: files to weights, texts to vectors.

use std::path::Path;
use std::sync::Mutex;

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::forward::{Layer, Norm, Scratch};
use super::linear::Compute;
use super::manifest::Manifest;
use super::shape::{Pooling, Shape};
use super::tokens::Tokens;
use super::weights::WeightFile;
use super::{Embed, EmbedError, kernel};

/// Tokens of several short texts run through the layers together: as many as keep the kernels busy
/// while the buffers still fit a level 2 cache; measured, more gains nothing. A longer text runs
/// alone.
const PASS_TOKENS_MAX: usize = 256;

/// Sets of buffers kept for reuse; more threads than this allocate theirs anew.
const SCRATCHES_MAX: usize = 4;

/// A BERT or XLM-R sentence encoder in memory; may be used from many threads at once.
pub struct Encoder {
    id: String,
    compute: Compute,
    shape: Shape,
    tokens: Tokens,
    words: Words,
    /// Position rows with the row of token type 0 already added.
    positions: Vec<f32>,
    embedding_norm: Norm,
    layers: Vec<Layer>,
    scratches: Mutex<Vec<Scratch>>,
}

/// The word table, the largest part of a small model, in the format of its compute type.
enum Words {
    F32(Vec<f32>),
    /// Half the memory; exact to 11 bits, more than bfloat16 products keep.
    F16(Vec<f16>),
}

/// Loads the model of a directory in the fastest format of this processor.
///
/// Every file is checked against the manifest first: the compiled-in one if the directory is named
/// like a known model, otherwise the directory's `manifest.json`. Takes time (hashing and packing),
/// so the server does it in the background.
///
/// # Errors
/// [`EmbedError::Missing`], [`EmbedError::Unlisted`], [`EmbedError::Mismatch`],
/// [`EmbedError::Malformed`], [`EmbedError::Unsupported`] or [`EmbedError::Io`], each naming the
/// file.
pub fn load(directory: &Path) -> Result<Encoder, EmbedError> {
    load_as(directory, Compute::best())
}

/// Loads the model of a directory in a chosen format.
///
/// # Errors
/// As [`load`]; [`EmbedError::Unsupported`] if the processor lacks the format.
pub fn load_as(directory: &Path, compute: Compute) -> Result<Encoder, EmbedError> {
    if compute == Compute::Bf16 && !kernel::has_bf16() {
        return Err(EmbedError::Unsupported("bfloat16 on this processor".to_owned()));
    }
    let manifest = Manifest::of(directory)?;
    let shape = Shape::read(&manifest)?;
    let name = "tokenizer.json";
    let tokens = Tokens::new(&manifest.require(name)?, &manifest.path(name), shape.sequence_max)?;
    let file = WeightFile::open(&manifest.verify("model.safetensors")?)?;
    let layers = (0..shape.layers)
        .map(|index| Layer::read(&file, index, &shape, compute))
        .collect::<Result<_, _>>()?;
    Ok(Encoder {
        id: manifest.id().to_owned(),
        compute,
        tokens,
        words: Words::read(&file, &shape, compute)?,
        positions: read_positions(&file, &shape)?,
        embedding_norm: Norm::read(&file, "embeddings.LayerNorm", shape.hidden)?,
        layers,
        shape,
        scratches: Mutex::default(),
    })
}

fn read_positions(file: &WeightFile, shape: &Shape) -> Result<Vec<f32>, EmbedError> {
    let hidden = shape.hidden;
    let name = "embeddings.position_embeddings.weight";
    let mut positions = file.read(name, &[shape.positions, hidden])?;
    positions.drain(..shape.position_first * hidden);
    positions.truncate(shape.sequence_max * hidden);
    let name = "embeddings.token_type_embeddings.weight";
    let types = file.read(name, &[shape.token_types, hidden])?;
    for row in positions.chunks_exact_mut(hidden) {
        // `add` ends with the shorter side, which makes it add row 0 alone.
        kernel::add(row, &types);
    }
    Ok(positions)
}

impl Words {
    fn read(file: &WeightFile, shape: &Shape, compute: Compute) -> Result<Self, EmbedError> {
        let name = "embeddings.word_embeddings.weight";
        let words = file.read(name, &[shape.vocabulary, shape.hidden])?;
        Ok(match compute {
            Compute::F32 => Self::F32(words),
            Compute::Bf16 => {
                let mut narrow = vec![f16::ZERO; words.len()];
                narrow.convert_from_f32_slice(&words);
                Self::F16(narrow)
            }
        })
    }

    /// Writes the row of a token; `None` if the model has no such token.
    fn copy(&self, token: u32, row: &mut [f32]) -> Option<()> {
        let start = usize::try_from(token).ok()?.checked_mul(row.len())?;
        let range = start..start.checked_add(row.len())?;
        match self {
            Self::F32(words) => row.copy_from_slice(words.get(range)?),
            Self::F16(words) => words.get(range)?.convert_to_f32_slice(row),
        }
        Some(())
    }
}

impl Encoder {
    /// Number format of the matrix products.
    pub fn compute(&self) -> Compute {
        self.compute
    }

    /// Runs a few sequences together and appends their vectors.
    fn pass(&self, sequences: &[Vec<u32>], vectors: &mut Vec<Vec<f32>>) -> Result<(), EmbedError> {
        if sequences.is_empty() {
            return Ok(());
        }
        let mut scratch = self.take();
        let lengths: Vec<usize> = sequences.iter().map(Vec::len).collect();
        let hidden = self.shape.hidden;
        scratch.x.resize(lengths.iter().sum::<usize>() * hidden, 0.0);
        let rows = scratch.x.chunks_exact_mut(hidden);
        let places = sequences
            .iter()
            .flat_map(|sequence| sequence.iter().zip(self.positions.chunks_exact(hidden)));
        for (row, (&token, position)) in rows.zip(places) {
            self.words.copy(token, row).ok_or_else(|| {
                EmbedError::Tokenize(format!("token {token} is not in the model"))
            })?;
            kernel::add(row, position);
        }
        self.embedding_norm.apply(&mut scratch.x, self.shape.epsilon);
        for layer in &self.layers {
            layer.forward(&self.shape, &lengths, &mut scratch);
        }
        let mut states = scratch.x.as_slice();
        for length in lengths {
            let (sequence, rest) = states.split_at(length * hidden);
            vectors.push(self.pool(sequence));
            states = rest;
        }
        self.give_back(scratch);
        Ok(())
    }

    /// One vector of length one from the states of a sequence.
    fn pool(&self, states: &[f32]) -> Vec<f32> {
        let mut rows = states.chunks_exact(self.shape.hidden);
        let mut vector = rows.next().unwrap_or_default().to_vec();
        if self.shape.pooling == Pooling::Mean {
            rows.for_each(|row| kernel::add(&mut vector, row));
        }
        // The count of a mean cancels out in the normalisation.
        let length = vector.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
        let inverse = (1.0 / length.max(f64::MIN_POSITIVE)) as f32;
        vector.iter_mut().for_each(|value| *value *= inverse);
        vector
    }

    fn take(&self) -> Scratch {
        let mut scratches = self.scratches.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        scratches.pop().unwrap_or_default()
    }

    fn give_back(&self, scratch: Scratch) {
        let mut scratches = self.scratches.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if scratches.len() < SCRATCHES_MAX {
            scratches.push(scratch);
        }
    }
}

impl Embed for Encoder {
    fn model_id(&self) -> &str {
        &self.id
    }

    fn dimensions(&self) -> usize {
        self.shape.hidden
    }

    fn tokens_max(&self) -> usize {
        self.tokens.content_max()
    }

    fn token_offsets(&self, text: &str) -> Result<Vec<(usize, usize)>, EmbedError> {
        self.tokens.offsets(text)
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let mut vectors = Vec::with_capacity(texts.len());
        let (mut sequences, mut tokens) = (Vec::new(), 0);
        for text in texts {
            let ids = self.tokens.ids(text)?;
            if tokens + ids.len() > PASS_TOKENS_MAX {
                self.pass(&sequences, &mut vectors)?;
                sequences.clear();
                tokens = 0;
            }
            tokens += ids.len();
            sequences.push(ids);
        }
        self.pass(&sequences, &mut vectors)?;
        Ok(vectors)
    }
}
