//! The transformer layers on plain buffers: no padding, no mask, no allocation once warm.

use super::EmbedError;
use super::kernel::{self, View};
use super::linear::{Compute, Linear};
use super::shape::Shape;
use super::weights::WeightFile;

/// Gain and bias of a layer normalisation.
pub(super) struct Norm {
    gain: Vec<f32>,
    bias: Vec<f32>,
}

impl Norm {
    pub(super) fn read(file: &WeightFile, name: &str, width: usize) -> Result<Self, EmbedError> {
        Ok(Self {
            gain: file.read(&format!("{name}.weight"), &[width])?,
            bias: file.read(&format!("{name}.bias"), &[width])?,
        })
    }

    pub(super) fn apply(&self, x: &mut [f32], epsilon: f32) {
        kernel::normalize_rows(x, &self.gain, &self.bias, epsilon);
    }
}

/// One encoder layer.
pub(super) struct Layer {
    /// Query, key and value of all heads in one product.
    query_key_value: Linear,
    attention_output: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    output_norm: Norm,
}

/// Buffers of a pass, reused by the next one.
#[derive(Default)]
pub(super) struct Scratch {
    /// Hidden states, one row per token of all sequences of the pass.
    pub(super) x: Vec<f32>,
    query_key_value: Vec<f32>,
    context: Vec<f32>,
    y: Vec<f32>,
    wide: Vec<f32>,
    scores: Vec<f32>,
    narrow: Vec<u16>,
}

impl Layer {
    pub(super) fn read(
        file: &WeightFile,
        index: usize,
        shape: &Shape,
        compute: Compute,
    ) -> Result<Self, EmbedError> {
        let (hidden, wide) = (shape.hidden, shape.intermediate);
        let prefix = format!("encoder.layer.{index}.");
        let linear = |name: &str, outputs: usize, inputs: usize| {
            let rows = file.read(&format!("{prefix}{name}.weight"), &[outputs, inputs])?;
            let bias = file.read(&format!("{prefix}{name}.bias"), &[outputs])?;
            Ok::<_, EmbedError>(Linear::new(&rows, bias, compute))
        };
        let (mut rows, mut bias) = (Vec::with_capacity(3 * hidden * hidden), Vec::new());
        for part in ["query", "key", "value"] {
            let name = format!("{prefix}attention.self.{part}");
            rows.extend(file.read(&format!("{name}.weight"), &[hidden, hidden])?);
            bias.extend(file.read(&format!("{name}.bias"), &[hidden])?);
        }
        let norm = |name: &str| Norm::read(file, &format!("{prefix}{name}"), hidden);
        Ok(Self {
            query_key_value: Linear::new(&rows, bias, compute),
            attention_output: linear("attention.output.dense", hidden, hidden)?,
            attention_norm: norm("attention.output.LayerNorm")?,
            up: linear("intermediate.dense", wide, hidden)?,
            down: linear("output.dense", hidden, wide)?,
            output_norm: norm("output.LayerNorm")?,
        })
    }

    /// Replaces the hidden states of all sequences, whose `lengths` add up to the rows of `x`.
    pub(super) fn forward(&self, shape: &Shape, lengths: &[usize], scratch: &mut Scratch) {
        let tokens: usize = lengths.iter().sum();
        let Scratch { x, query_key_value, context, y, wide, scores, narrow } = scratch;
        query_key_value.resize(tokens * 3 * shape.hidden, 0.0);
        context.resize(tokens * shape.hidden, 0.0);
        y.resize(tokens * shape.hidden, 0.0);
        wide.resize(tokens * shape.intermediate, 0.0);

        self.query_key_value.apply(x, tokens, query_key_value, narrow);
        let mut first = 0;
        for &length in lengths {
            let last = first + length;
            attend(
                shape,
                &query_key_value[first * 3 * shape.hidden..last * 3 * shape.hidden],
                &mut context[first * shape.hidden..last * shape.hidden],
                scores,
            );
            first = last;
        }
        self.attention_output.apply(context, tokens, y, narrow);
        kernel::add(x, y);
        self.attention_norm.apply(x, shape.epsilon);

        self.up.apply(x, tokens, wide, narrow);
        kernel::gelu(wide);
        self.down.apply(wide, tokens, y, narrow);
        kernel::add(x, y);
        self.output_norm.apply(x, shape.epsilon);
    }
}

/// Attention of one sequence: `softmax(Q K^T / sqrt(d)) V` for each head, read and written in place
/// through strides.
fn attend(shape: &Shape, query_key_value: &[f32], context: &mut [f32], scores: &mut Vec<f32>) {
    let (hidden, width) = (shape.hidden, shape.hidden / shape.heads);
    let stride = 3 * hidden;
    let tokens = context.len() / hidden;
    scores.resize(tokens * tokens, 0.0);
    let scale = 1.0 / (width as f32).sqrt();
    for head in 0..shape.heads {
        let part = |which: usize| {
            View::new(&query_key_value[which * hidden + head * width..], tokens, width, stride)
        };
        kernel::multiply(part(0), part(1).transposed(), scores, tokens, false);
        kernel::softmax_rows(scores, tokens, scale);
        let weights = View::new(scores, tokens, tokens, tokens);
        kernel::multiply(weights, part(2), &mut context[head * width..], hidden, false);
    }
}
