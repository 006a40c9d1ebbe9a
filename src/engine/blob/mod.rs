//! Files under checked names, written once and whole.
//!
//! Keeps: the bytes of a key, sealed (encrypted, or with checksums), in a directory or in memory,
//! through `object_store`. All lengths are of the content, not of what is on disk.
//! How long: until deleted, and until no [`BlobPin`] lives. A delete is not forced to disk: after a power cut the blob may be back,
//! as an orphan without a row, for a sweep to find.
//! Who may: any code that holds the key; permission is a matter of the rows that name keys.
//! Never: a half-written object under its key; a write that reports success before content and
//! name are on disk (blob first, row second depends on it); a name outside the directory; a byte that
//! is not as it was written.

mod key;
mod ledger;
#[cfg(test)]
mod tests;
mod writer;

pub use key::{BlobKey, BlobKeyError};
pub use ledger::{BlobPin, Finished};
pub use writer::{BlobWriter, Written};

use crate::base::{Class, Classify};
use crate::engine::key::{Decoder, Seal, SealError, content_size_bytes};
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use ledger::Ledger;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as StorePath;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use std::collections::BinaryHeap;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most keys of one [`Blobs::list`] page.
pub const LIST_MAX: usize = 1000;

/// A blob could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no blob under the key.
    #[error("no such blob")]
    Missing,
    /// The blob is larger than the caller takes.
    #[error("a blob of {size_bytes} bytes, above the limit of {limit_bytes}")]
    TooLarge {
        /// Length of the blob in bytes.
        size_bytes: u64,
        /// What the caller takes in bytes.
        limit_bytes: u64,
    },
    /// The disk or the quota is full.
    #[error("no space for a blob")]
    Full(#[source] object_store::Error),
    /// An earlier write of this writer failed or was abandoned.
    #[error("a write of this blob did not finish")]
    Torn,
    /// The blob is not as it was written.
    #[error("blob {key} is damaged")]
    Damaged {
        /// Name of the blob.
        key: BlobKey,
        /// What is wrong with it.
        source: SealError,
    },
    /// The directory cannot be prepared.
    #[error("blob directory")]
    Directory(#[from] io::Error),
    /// The storage failed.
    #[error("blob storage")]
    Storage(#[source] object_store::Error),
}

impl From<object_store::Error> for BlobError {
    fn from(error: object_store::Error) -> Self {
        if matches!(error, object_store::Error::NotFound { .. }) {
            return Self::Missing;
        }
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(found) = cause {
            if let Some(io) = found.downcast_ref::<io::Error>()
                && is_full(io)
            {
                return Self::Full(error);
            }
            cause = found.source();
        }
        Self::Storage(error)
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl Classify for BlobError {
    fn class(&self) -> (Class, &'static str) {
        match self {
            Self::Missing => (Class::Missing, "blob_missing"),
            Self::TooLarge { .. } => (Class::TooLarge, "blob_too_large"),
            Self::Full(_) => (Class::Full, "disk_full"),
            Self::Directory(error) if is_full(error) => (Class::Full, "disk_full"),
            Self::Damaged { .. } => (Class::Broken, "blob_damaged"),
            Self::Torn | Self::Directory(_) | Self::Storage(_) => (Class::Broken, "blob_storage"),
        }
    }
}

/// One entry of a listing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlobInfo {
    /// Name of the blob.
    pub key: BlobKey,
    /// Length of the content in bytes; 0 for a damaged blob whose file no content can have made.
    pub size_bytes: u64,
}

/// The content of one blob, piece by piece.
pub struct BlobStream {
    /// Length of the whole in bytes.
    pub size_bytes: u64,
    /// The pieces, in order, each verified; only the end of the stream says that they are all.
    pub pieces: BoxStream<'static, Result<Bytes, BlobError>>,
}

/// All blobs. Cloning gives another handle to the same ones.
#[derive(Debug, Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    seal: Seal,
    /// None in memory.
    dir: Option<Arc<Path>>,
    ledger: Arc<Ledger>,
}

impl Blobs {
    /// The blobs in `dir`, which is made when missing and belongs to them alone; `seal` is the one
    /// they were all written with. What an interrupted write left, and empty directories, are removed: call it before any writer.
    ///
    /// # Errors
    /// [`BlobError::Directory`] when the directory cannot be made, read or cleaned.
    pub fn open(dir: &Path, seal: &Seal) -> Result<Self, BlobError> {
        std::fs::create_dir_all(dir)?;
        sync_name(dir)?;
        sweep(dir)?;
        let local = LocalFileSystem::new_with_prefix(dir)?.with_fsync(true);
        Ok(Self {
            store: Arc::new(local),
            seal: seal.clone(),
            dir: Some(dir.into()),
            ledger: Arc::default(),
        })
    }

    /// No blobs yet, in memory, for tests.
    pub fn in_memory() -> Self {
        let (store, seal) = (Arc::new(InMemory::new()), Seal::checked());
        Self { store, seal, dir: None, ledger: Arc::default() }
    }

    /// Starts a blob; several writers of one key do not disturb each other, and the last to finish
    /// is what the key holds.
    ///
    /// # Errors
    /// [`BlobError`] when nothing can be written.
    pub async fn begin(&self, key: &BlobKey) -> Result<BlobWriter, BlobError> {
        let upload = self.store.put_multipart(&path(key)).await?;
        let (encoder, ledger) = (self.seal.encoder(), Arc::clone(&self.ledger));
        Ok(BlobWriter::new(key.clone(), upload, encoder, ledger))
    }

    /// The whole blob, when it is at most `limit_bytes` long.
    ///
    /// # Errors
    /// [`BlobError::Missing`], [`BlobError::TooLarge`], [`BlobError::Damaged`], or a storage failure.
    pub async fn get(&self, key: &BlobKey, limit_bytes: u64) -> Result<Bytes, BlobError> {
        let mut stream = self.stream(key).await?;
        let size_bytes = stream.size_bytes;
        if size_bytes > limit_bytes {
            return Err(BlobError::TooLarge { size_bytes, limit_bytes });
        }
        let mut whole = BytesMut::with_capacity(size_bytes as usize);
        while let Some(piece) = stream.pieces.try_next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// The blob piece by piece, in constant memory. A blob that is replaced or deleted meanwhile is
    /// read to its end as it was.
    ///
    /// # Errors
    /// [`BlobError::Missing`], [`BlobError::Damaged`], or a storage failure; the last two also later
    /// as the last item of the stream.
    pub async fn stream(&self, key: &BlobKey) -> Result<BlobStream, BlobError> {
        let found = self.store.get(&path(key)).await?;
        let size_bytes = content_size(key, &found.meta)?;
        let sealed = found.into_stream().map_err(BlobError::from).boxed();
        let reading = Reading { key: key.clone(), sealed, decoder: Some(self.seal.decoder()) };
        let pieces = stream::try_unfold(reading, Reading::next).boxed();
        Ok(BlobStream { size_bytes, pieces })
    }

    /// Removes a blob, now or, while it is pinned, when the last pin goes; until then it can still
    /// be read. That there is none is no error.
    ///
    /// # Errors
    /// [`BlobError`] when the storage fails.
    pub async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        if self.ledger.defer(key) {
            return Ok(());
        }
        match self.store.delete(&path(key)).await.map_err(BlobError::from) {
            Err(BlobError::Missing) => Ok(()),
            other => other,
        }
    }

    /// Removes a blob without waiting for a runtime: for the end of a pin.
    fn delete_now(&self, key: &BlobKey) {
        let gone = match self.sealed_path(key) {
            Some(path) => std::fs::remove_file(path).map_err(BlobError::from),
            None => match self.store.delete(&path(key)).now_or_never() {
                Some(done) => done.map_err(BlobError::from),
                None => Err(BlobError::Torn),
            },
        };
        match gone {
            Ok(()) | Err(BlobError::Missing) => {}
            Err(BlobError::Directory(error)) if error.kind() == io::ErrorKind::NotFound => {}
            // The orphan sweep finds it.
            Err(error) => tracing::warn!(%key, %error, "blob is not deleted"),
        }
    }

    /// Holds back deletes while the answer lives, for somebody who reads what a snapshot of the
    /// rows names. Take it before the snapshot. At most 65,536 deletes are held back; those beyond
    /// are forgotten, and their blobs remain as orphans for the sweep.
    pub fn pin(&self) -> BlobPin {
        BlobPin::new(self.clone())
    }

    /// Where the blob lies on disk, sealed, if there is one; none in memory. The file may be linked
    /// and read but never written.
    pub fn sealed_path(&self, key: &BlobKey) -> Option<PathBuf> {
        Some(self.dir.as_ref()?.join(key.as_str()))
    }

    /// The seal of what lies at [`Blobs::sealed_path`].
    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    /// The keys finished since the last call, by all handles. The first call says `overflowed`,
    /// because only from then on are keys remembered. For one caller, the archiver.
    pub fn finished(&self) -> Finished {
        self.ledger.take_finished()
    }

    /// Length of the content in bytes; none when there is no such blob.
    ///
    /// # Errors
    /// [`BlobError::Damaged`] when no content can have made the file; [`BlobError`] when the storage
    /// fails.
    pub async fn size_bytes(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        match self.store.head(&path(key)).await.map_err(BlobError::from) {
            Ok(meta) => content_size(key, &meta).map(Some),
            Err(BlobError::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether there is such a blob.
    ///
    /// # Errors
    /// [`BlobError`] when the storage fails.
    pub async fn exists(&self, key: &BlobKey) -> Result<bool, BlobError> {
        match self.store.head(&path(key)).await.map_err(BlobError::from) {
            Ok(_) => Ok(true),
            Err(BlobError::Missing) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// All blobs below `within` (whole segments; all when none) in any order, in one walk and in
    /// constant memory. Blobs written or deleted meanwhile may be in it or not.
    pub fn walk(
        &self,
        within: Option<&BlobKey>,
    ) -> BoxStream<'static, Result<BlobInfo, BlobError>> {
        let found = self.store.list(within.map(path).as_ref()).map_err(BlobError::from);
        found.try_filter_map(|meta| async move { Ok(info(&meta)) }).boxed()
    }

    /// Up to `limit` (at most [`LIST_MAX`]) blobs in order of their keys: those below `within`
    /// (whole segments; all when none) and after `after`. A page costs a walk over everything
    /// `within`, so this is for sweeps and checks, not for requests.
    ///
    /// # Errors
    /// [`BlobError`] when the storage fails.
    pub async fn list(
        &self,
        within: Option<&BlobKey>,
        after: Option<&BlobKey>,
        limit: usize,
    ) -> Result<Vec<BlobInfo>, BlobError> {
        first_after(self.walk(within), after, limit.min(LIST_MAX)).await
    }
}

/// The `limit` smallest keys after `after`; the stream comes in any order.
async fn first_after(
    found: impl Stream<Item = Result<BlobInfo, BlobError>>,
    after: Option<&BlobKey>,
    limit: usize,
) -> Result<Vec<BlobInfo>, BlobError> {
    let mut found = std::pin::pin!(found);
    let mut page = BinaryHeap::new();
    while let Some(info) = found.try_next().await? {
        if after.is_none_or(|after| info.key > *after) {
            page.push(info);
            if page.len() > limit {
                page.pop();
            }
        }
    }
    Ok(page.into_sorted_vec())
}

/// None for a file that no key names: it is not ours.
fn info(meta: &ObjectMeta) -> Option<BlobInfo> {
    let key = meta.location.as_ref().parse().ok()?;
    Some(BlobInfo { key, size_bytes: content_size_bytes(meta.size).unwrap_or(0) })
}

fn content_size(key: &BlobKey, meta: &ObjectMeta) -> Result<u64, BlobError> {
    let cut = || BlobError::Damaged { key: key.clone(), source: SealError::Truncated };
    content_size_bytes(meta.size).ok_or_else(cut)
}

/// A blob between its sealed bytes and its content.
struct Reading {
    key: BlobKey,
    sealed: BoxStream<'static, Result<Bytes, BlobError>>,
    /// None after the end.
    decoder: Option<Decoder>,
}

impl Reading {
    /// The next piece of content that is not empty.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, BlobError> {
        let mut content = Vec::new();
        while content.is_empty() {
            let Some(mut decoder) = self.decoder.take() else { return Ok(None) };
            let opened = match self.sealed.try_next().await? {
                Some(sealed) => {
                    let opened = decoder.push(&sealed, &mut content);
                    self.decoder = Some(decoder);
                    opened
                }
                None => decoder.finish(&mut content),
            };
            opened.map_err(|source| BlobError::Damaged { key: self.key.clone(), source })?;
        }
        Ok(Some((content.into(), self)))
    }
}

fn path(key: &BlobKey) -> StorePath {
    StorePath::from(key.as_str())
}

/// Removes staging files (`key#1`: a `#` is in no key) and directories that are or become empty.
fn sweep(dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            sweep(&path)?;
            if std::fs::read_dir(&path)?.next().is_none() {
                std::fs::remove_dir(&path)?;
            }
        } else if entry.file_name().to_string_lossy().contains('#') {
            match std::fs::remove_file(&path) {
                Ok(()) => tracing::info!(path = %path.display(), "interrupted write removed"),
                // A writer of an earlier handle, dropped a moment ago, removed it itself.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Forces the name of a new directory to disk: `object_store` syncs only directories that it makes.
fn sync_name(dir: &Path) -> io::Result<()> {
    if cfg!(unix)
        && let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty())
    {
        std::fs::File::open(parent)?.sync_all()?;
    }
    Ok(())
}
