//! The weight file, mapped into memory and read tensor by tensor.
#![allow(unsafe_code)]

use std::path::{Path, PathBuf};

use candle_core::DType;
use candle_core::safetensors::MmapedSafetensors;

use super::EmbedError;

/// Prefixes under which exporters put the same tensors.
const PREFIXES: [&str; 3] = ["", "bert.", "roberta."];

/// An open weight file.
pub(super) struct WeightFile {
    path: PathBuf,
    map: MmapedSafetensors,
    prefix: &'static str,
}

impl WeightFile {
    /// Maps a `safetensors` file.
    pub(super) fn open(path: &Path) -> Result<Self, EmbedError> {
        let malformed = |reason: String| EmbedError::Malformed { path: path.to_owned(), reason };
        // SAFETY: the map is read only and lives until the end of loading. Another process changing
        // the file meanwhile would change values under us; model directories are put in place by
        // one rename and never written again, and the file was hashed just before.
        let map = unsafe { MmapedSafetensors::new(path) }
            .map_err(|error| malformed(error.to_string()))?;
        let prefix = PREFIXES
            .into_iter()
            .find(|prefix| map.get(&format!("{prefix}embeddings.LayerNorm.weight")).is_ok())
            .ok_or_else(|| malformed("it holds no BERT or XLM-R embeddings".to_owned()))?;
        Ok(Self { path: path.to_owned(), map, prefix })
    }

    /// Copies a tensor as 32-bit floats, refusing any shape but the expected one.
    pub(super) fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, EmbedError> {
        let malformed = |reason: String| EmbedError::Malformed {
            path: self.path.clone(),
            reason: format!("tensor {name}: {reason}"),
        };
        let view = self
            .map
            .get(&format!("{}{name}", self.prefix))
            .map_err(|error| malformed(error.to_string()))?;
        if view.shape() != shape {
            return Err(malformed(format!("its shape is {:?}, not {shape:?}", view.shape())));
        }
        let data = view.data();
        let tensor: Vec<f32> = match DType::try_from(view.dtype()) {
            Ok(DType::F32) => floats(data, f32::from_le_bytes),
            Ok(DType::F16) => floats(data, |bytes| half::f16::from_le_bytes(bytes).to_f32()),
            Ok(DType::BF16) => floats(data, |bytes| half::bf16::from_le_bytes(bytes).to_f32()),
            _ => return Err(malformed(format!("its type is {:?}", view.dtype()))),
        };
        if tensor.iter().any(|value| !value.is_finite()) {
            return Err(malformed("it holds a value that is no number".to_owned()));
        }
        Ok(tensor)
    }
}

/// Numbers of `N` little-endian bytes each; the file keeps no alignment, so none is assumed.
fn floats<const N: usize>(data: &[u8], decode: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    data.as_chunks().0.iter().map(|bytes| decode(*bytes)).collect()
}
