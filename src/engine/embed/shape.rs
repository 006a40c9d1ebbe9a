//! The measures of a model, read from its own configuration files.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::EmbedError;
use super::manifest::Manifest;

/// Longest sequence ever run, in tokens: attention memory grows with its square (4 MiB here, with
/// all other buffers 50 MiB a thread at width 1024), and no chunk of ours is longer.
pub(super) const SEQUENCE_TOKENS_MAX: usize = 1024;

/// Largest hidden width accepted; the largest known model of these kinds has 1024.
const HIDDEN_MAX: usize = 8192;

/// Most layers accepted; the largest known model of these kinds has 24.
const LAYERS_MAX: usize = 128;

/// How the token vectors of a text become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    /// The vector of the first token.
    First,
    /// The mean of all token vectors, special tokens included.
    Mean,
}

/// The measures of a model.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) hidden: usize,
    pub(super) heads: usize,
    pub(super) layers: usize,
    pub(super) intermediate: usize,
    pub(super) vocabulary: usize,
    /// Rows of the position table.
    pub(super) positions: usize,
    /// Row of the position table that belongs to the first token.
    pub(super) position_first: usize,
    /// Rows of the token type table.
    pub(super) token_types: usize,
    pub(super) epsilon: f32,
    pub(super) pooling: Pooling,
    /// Longest sequence, special tokens included.
    pub(super) sequence_max: usize,
}

#[derive(Deserialize)]
struct Config {
    model_type: String,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    vocab_size: usize,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f32,
    hidden_act: String,
    #[serde(default)]
    pad_token_id: usize,
    #[serde(default)]
    position_embedding_type: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PoolingConfig {
    pooling_mode_cls_token: bool,
    pooling_mode_mean_tokens: bool,
    pooling_mode_max_tokens: bool,
    pooling_mode_mean_sqrt_len_tokens: bool,
    pooling_mode_weightedmean_tokens: bool,
    pooling_mode_lasttoken: bool,
}

#[derive(Deserialize)]
struct Module {
    r#type: String,
}

#[derive(Deserialize)]
struct SentenceConfig {
    max_seq_length: Option<usize>,
}

impl Shape {
    /// Reads `config.json`, `1_Pooling/config.json`, `modules.json` and
    /// `sentence_bert_config.json`; all but the first are optional.
    pub(super) fn read(manifest: &Manifest) -> Result<Self, EmbedError> {
        let config: Config = json(manifest, "config.json", manifest.require("config.json")?)?;
        let position_first = match config.model_type.as_str() {
            "bert" => 0,
            // Both count positions from the row after the padding row.
            "xlm-roberta" | "roberta" => config.pad_token_id + 1,
            other => return unsupported(format!("model type {other:?}")),
        };
        if config.hidden_act != "gelu" {
            return unsupported(format!("activation {:?}", config.hidden_act));
        }
        if let Some(other) = config.position_embedding_type.filter(|kind| kind != "absolute") {
            return unsupported(format!("positions of type {other:?}"));
        }
        check_modules(manifest)?;
        let shape = Self {
            hidden: config.hidden_size,
            heads: config.num_attention_heads,
            layers: config.num_hidden_layers,
            intermediate: config.intermediate_size,
            vocabulary: config.vocab_size,
            positions: config.max_position_embeddings,
            position_first,
            token_types: config.type_vocab_size,
            epsilon: config.layer_norm_eps,
            pooling: pooling(manifest, position_first)?,
            sequence_max: sequence_max(
                manifest,
                config.max_position_embeddings.saturating_sub(position_first),
            )?,
        };
        shape.check()
    }

    fn check(self) -> Result<Self, EmbedError> {
        if !(1..=HIDDEN_MAX).contains(&self.hidden)
            || !(1..=4 * HIDDEN_MAX).contains(&self.intermediate)
            || !(1..=LAYERS_MAX).contains(&self.layers)
            || self.heads == 0
            || self.token_types == 0
            || !self.hidden.is_multiple_of(self.heads)
            || self.sequence_max < 4
        {
            return unsupported(format!("measures {self:?}"));
        }
        Ok(self)
    }
}

fn pooling(manifest: &Manifest, position_first: usize) -> Result<Pooling, EmbedError> {
    let name = "1_Pooling/config.json";
    let Some(bytes) = manifest.read(name)? else {
        // The published habit of the two families: sentence BERT averages, XLM-R retrievers take
        // CLS.
        return Ok(if position_first == 0 { Pooling::Mean } else { Pooling::First });
    };
    let config: PoolingConfig = json(manifest, name, bytes)?;
    let others = config.pooling_mode_max_tokens
        || config.pooling_mode_mean_sqrt_len_tokens
        || config.pooling_mode_weightedmean_tokens
        || config.pooling_mode_lasttoken;
    match (config.pooling_mode_cls_token, config.pooling_mode_mean_tokens, others) {
        (true, false, false) => Ok(Pooling::First),
        (false, true, false) => Ok(Pooling::Mean),
        _ => unsupported("pooling other than CLS alone or mean alone".to_owned()),
    }
}

/// Refuses a model whose vectors are made by more than transformer, pooling and normalisation.
fn check_modules(manifest: &Manifest) -> Result<(), EmbedError> {
    let name = "modules.json";
    let Some(bytes) = manifest.read(name)? else { return Ok(()) };
    for module in json::<Vec<Module>>(manifest, name, bytes)? {
        let kind = module.r#type.rsplit('.').next().unwrap_or_default();
        // Vectors are always normalised here, so a missing `Normalize` changes no ranking.
        if !["Transformer", "Pooling", "Normalize"].contains(&kind) {
            return unsupported(format!("module {kind:?}"));
        }
    }
    Ok(())
}

fn sequence_max(manifest: &Manifest, positions: usize) -> Result<usize, EmbedError> {
    let name = "sentence_bert_config.json";
    let trained = match manifest.read(name)? {
        Some(bytes) => json::<SentenceConfig>(manifest, name, bytes)?.max_seq_length,
        None => None,
    };
    Ok(trained.unwrap_or(positions).min(positions).min(SEQUENCE_TOKENS_MAX))
}

fn json<T: DeserializeOwned>(
    manifest: &Manifest,
    name: &str,
    bytes: Vec<u8>,
) -> Result<T, EmbedError> {
    serde_json::from_slice(&bytes).map_err(|error| EmbedError::Malformed {
        path: manifest.path(name),
        reason: error.to_string(),
    })
}

fn unsupported<T>(what: String) -> Result<T, EmbedError> {
    Err(EmbedError::Unsupported(what))
}
