//! What can go wrong between a text and its vector.

use std::path::PathBuf;

use crate::base::{Class, Classify};

/// Failure to load a model or to embed a text.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// A file of the model does not exist.
    #[error("model file {} is missing", .0.display())]
    Missing(PathBuf),
    /// Neither the program nor the directory says which contents the model must have.
    #[error("{} has no manifest.json and its name is not a known model", .0.display())]
    Unlisted(PathBuf),
    /// A file is not the one the manifest promises.
    #[error(
        "model file {} is damaged: its sha256 is {found}, the manifest says {promised}",
        path.display()
    )]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// SHA-256 in the manifest, lower-case hex.
        promised: String,
        /// SHA-256 of the file, lower-case hex.
        found: String,
    },
    /// A file has the promised contents, but they are not what a model needs.
    #[error("model file {} is unusable: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The model is sound but of a kind this program cannot run.
    #[error("the model is not supported: {0}")]
    Unsupported(String),
    /// The operating system refused to read a file.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The tokenizer failed on a text.
    #[error("cannot tokenize: {0}")]
    Tokenize(String),
    /// A text is larger than may be tokenized at once.
    #[error("the text has {bytes} bytes, at most {bytes_max} can be tokenized")]
    TooLong {
        /// Size of the text.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// More queries are waiting than the pool admits.
    #[error("{0} queries are waiting to be embedded")]
    Busy(usize),
    /// The model code panicked on this request; the worker goes on.
    #[error("embedding failed inside the model")]
    Panicked,
    /// The workers are gone.
    #[error("the embedding workers have stopped")]
    Stopped,
    /// A worker thread could not be started.
    #[error("cannot start an embedding worker")]
    Spawn(#[source] std::io::Error),
}

impl Classify for EmbedError {
    fn class(&self) -> (Class, &'static str) {
        match self {
            Self::Missing(_) => (Class::Unavailable, "model_missing"),
            Self::Unlisted(_) => (Class::Unavailable, "model_unlisted"),
            Self::Mismatch { .. } => (Class::Unavailable, "model_mismatch"),
            Self::Malformed { .. } => (Class::Unavailable, "model_malformed"),
            Self::Unsupported(_) => (Class::Unavailable, "model_unsupported"),
            Self::Io { .. } => (Class::Unavailable, "model_unreadable"),
            Self::Busy(_) => (Class::Unavailable, "embed_busy"),
            Self::Stopped => (Class::Unavailable, "embed_stopped"),
            Self::Spawn(_) => (Class::Unavailable, "embed_spawn"),
            Self::TooLong { .. } => (Class::TooLarge, "text_too_long"),
            Self::Tokenize(_) => (Class::Broken, "embed_tokenize"),
            Self::Panicked => (Class::Broken, "embed_panicked"),
        }
    }
}
