//! Which files a model consists of, and proof that the ones on disk are they.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::EmbedError;

/// Models this program knows by name; their hashes are compiled in and cannot be overridden on
/// disk.
const KNOWN: &str = include_str!("../../../models/manifest.json");

/// Largest manifest, configuration or tokenizer file, in bytes; the largest known tokenizer has 17
/// MB.
const SMALL_FILE_BYTES_MAX: u64 = 64 << 20;

/// Bytes hashed per read.
const HASH_CHUNK_BYTES: usize = 1 << 20;

#[derive(Deserialize)]
struct Catalogue {
    models: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    /// Path inside the model directory to SHA-256 in lower-case hex.
    files: BTreeMap<String, String>,
}

/// A model directory together with the contents it must have.
pub(super) struct Manifest {
    directory: PathBuf,
    listed: Listed,
}

impl Manifest {
    /// Finds the manifest of a directory: by the directory's name among the known models, otherwise
    /// in its own `manifest.json`.
    pub(super) fn of(directory: &Path) -> Result<Self, EmbedError> {
        let name = directory.file_name().and_then(|name| name.to_str());
        let known = parse(KNOWN.as_bytes(), Path::new("models/manifest.json"))?;
        if let Some(listed) = known.into_iter().find(|model| Some(model.id.as_str()) == name) {
            return Ok(Self { directory: directory.to_owned(), listed });
        }
        let path = directory.join("manifest.json");
        let text = read_small(&path).map_err(|error| match error {
            EmbedError::Missing(_) if directory.is_dir() => {
                EmbedError::Unlisted(directory.to_owned())
            }
            EmbedError::Missing(_) => EmbedError::Missing(directory.to_owned()),
            other => other,
        })?;
        let listed = parse(&text, &path)?.into_iter().next().ok_or_else(|| {
            EmbedError::Malformed { path, reason: "it lists no model".to_owned() }
        })?;
        Ok(Self { directory: directory.to_owned(), listed })
    }

    pub(super) fn id(&self) -> &str {
        &self.listed.id
    }

    /// Where a file of the model is, or would be.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Reads a small file whole and checks it; `None` if the manifest does not list it.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, EmbedError> {
        let Some(promised) = self.listed.files.get(name) else { return Ok(None) };
        let path = self.path(name);
        let bytes = read_small(&path)?;
        check(path, promised, &hex(&Sha256::digest(&bytes)))?;
        Ok(Some(bytes))
    }

    /// Like [`Self::read`] for a file no model can do without.
    pub(super) fn require(&self, name: &str) -> Result<Vec<u8>, EmbedError> {
        self.read(name)?.ok_or_else(|| self.unlisted(name))
    }

    /// Checks a large file without holding it in memory.
    pub(super) fn verify(&self, name: &str) -> Result<PathBuf, EmbedError> {
        let promised = self.listed.files.get(name).ok_or_else(|| self.unlisted(name))?;
        let path = self.path(name);
        let found = hash(&path)?;
        check(path.clone(), promised, &found)?;
        Ok(path)
    }

    fn unlisted(&self, name: &str) -> EmbedError {
        EmbedError::Malformed {
            path: self.path(name),
            reason: "the manifest does not list it".to_owned(),
        }
    }
}

fn parse(text: &[u8], path: &Path) -> Result<Vec<Listed>, EmbedError> {
    let catalogue: Catalogue = serde_json::from_slice(text).map_err(|error| {
        EmbedError::Malformed { path: path.to_owned(), reason: error.to_string() }
    })?;
    Ok(catalogue.models)
}

fn check(path: PathBuf, promised: &str, found: &str) -> Result<(), EmbedError> {
    if promised == found {
        return Ok(());
    }
    Err(EmbedError::Mismatch { path, promised: promised.to_owned(), found: found.to_owned() })
}

fn open(path: &Path) -> Result<File, EmbedError> {
    File::open(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => EmbedError::Missing(path.to_owned()),
        _ => EmbedError::Io { path: path.to_owned(), source },
    })
}

fn read_small(path: &Path) -> Result<Vec<u8>, EmbedError> {
    let mut bytes = Vec::new();
    open(path)?
        .take(SMALL_FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| EmbedError::Io { path: path.to_owned(), source })?;
    if bytes.len() as u64 > SMALL_FILE_BYTES_MAX {
        let reason = format!("it has more than {SMALL_FILE_BYTES_MAX} bytes");
        return Err(EmbedError::Malformed { path: path.to_owned(), reason });
    }
    Ok(bytes)
}

fn hash(path: &Path) -> Result<String, EmbedError> {
    let mut file = open(path)?;
    let mut digest = Sha256::new();
    let mut chunk = vec![0; HASH_CHUNK_BYTES];
    loop {
        let read = file
            .read(&mut chunk)
            .map_err(|source| EmbedError::Io { path: path.to_owned(), source })?;
        match chunk.get(..read) {
            Some([]) | None => return Ok(hex(&digest.finalize())),
            Some(bytes) => digest.update(bytes),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
