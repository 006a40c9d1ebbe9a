//! Where tantivy keeps its files: memory-mapped in a plain store, sealed in an encrypted one.
//!
//! What tantivy replaces atomically (the list of segments, the list of files) has no checksum of its
//! own and is sealed in both. Its segment files have one each, which opening verifies; in an
//! encrypted store they are containers, of which a read opens the chunks it needs.

use crate::engine::key::{CHUNK_BYTES, Seal, SealError, SealedFile, SealedWriter};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, Directory, DirectoryLock, FileHandle, Lock, MmapDirectory, OwnedBytes,
    TerminatingWrite, WatchCallback, WatchHandle, WritePtr,
};
use tantivy::{HasLen, TantivyError};

/// Opened chunks that are kept in memory, shared by all files: 16 MiB.
const CACHED_CHUNKS_MAX: usize = 256;
/// Reads of more chunks than this do not go through the cache: they would only empty it.
const CACHED_READ_CHUNKS_MAX: u64 = 4;

/// The directory of one index. Cloning gives another handle to the same one.
#[derive(Clone)]
pub(super) struct SealedDirectory {
    /// Names, locks, atomic replacement, and all of a plain index but those replacements.
    files: MmapDirectory,
    path: Arc<Path>,
    seal: Seal,
    cache: Arc<Cache>,
}

impl SealedDirectory {
    /// The directory at `path`, which must exist.
    pub(super) fn open(path: &Path, seal: &Seal) -> tantivy::Result<Self> {
        let files = MmapDirectory::open(path).map_err(TantivyError::from)?;
        Ok(Self { files, path: path.into(), seal: seal.clone(), cache: Arc::default() })
    }
}

impl Directory for SealedDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        if !self.seal.is_keyed() {
            return self.files.get_file_handle(path);
        }
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => OpenReadError::FileDoesNotExist(path.to_owned()),
            _ => OpenReadError::wrap_io_error(error, path.to_owned()),
        };
        let file = File::open(self.path.join(path)).map_err(failed)?;
        let file = SealedFile::open(file, &self.seal).map_err(failed)?;
        let (id, cache) = (self.cache.next_id(), Arc::clone(&self.cache));
        Ok(Arc::new(Handle { file, id, cache }))
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.files.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.files.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        if !self.seal.is_keyed() {
            return self.files.open_write(path);
        }
        let created = OpenOptions::new().write(true).create_new(true).open(self.path.join(path));
        let file = created.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => OpenWriteError::FileAlreadyExists(path.to_owned()),
            _ => OpenWriteError::wrap_io_error(error, path.to_owned()),
        })?;
        let sealed = SealedWriter::new(file, &self.seal);
        Ok(WritePtr::new(Box::new(Writer(Some(sealed)))))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let sealed = self.files.atomic_read(path)?;
        let open = || -> Result<Vec<u8>, SealError> {
            let (mut decoder, mut content) = (self.seal.decoder(), Vec::new());
            decoder.push(&sealed, &mut content)?;
            decoder.finish(&mut content)?;
            Ok(content)
        };
        open().map_err(|error| OpenReadError::wrap_io_error(error.into(), path.to_owned()))
    }

    fn atomic_write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let (mut encoder, mut sealed) = (self.seal.encoder(), Vec::new());
        encoder.push(content, &mut sealed);
        encoder.finish(&mut sealed);
        self.files.atomic_write(path, &sealed)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.files.sync_directory()
    }

    /// A lock is an empty file.
    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        self.files.acquire_lock(lock)
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.files.watch(callback)
    }
}

impl fmt::Debug for SealedDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedDirectory({})", self.path.display())
    }
}

/// A file being written; on disk when it is terminated, not a container before.
struct Writer(Option<SealedWriter<File>>);

impl Write for Writer {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        self.0.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.write(content)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TerminatingWrite for Writer {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        let sealed = self.0.take().ok_or(io::ErrorKind::BrokenPipe)?;
        sealed.finish()?.sync_data()
    }
}

/// A sealed file open for reading.
#[derive(Debug)]
struct Handle {
    file: SealedFile,
    /// Names the file in the cache.
    id: u64,
    cache: Arc<Cache>,
}

impl Handle {
    fn chunk(&self, chunk: u64) -> io::Result<OwnedBytes> {
        self.cache.get(self.id, chunk, || Ok(OwnedBytes::new(self.file.chunk(chunk)?)))
    }
}

impl HasLen for Handle {
    fn len(&self) -> usize {
        self.file.size_bytes() as usize
    }
}

impl FileHandle for Handle {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        if range.is_empty() {
            return Ok(OwnedBytes::empty());
        }
        if range.end > self.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let first = (range.start / CHUNK_BYTES) as u64;
        let last = ((range.end - 1) / CHUNK_BYTES) as u64;
        if first == last {
            let base = first as usize * CHUNK_BYTES;
            return Ok(self.chunk(first)?.slice(range.start - base..range.end - base));
        }
        let mut bytes = Vec::with_capacity(range.len());
        for chunk in first..=last {
            let content = if last - first < CACHED_READ_CHUNKS_MAX {
                self.chunk(chunk)?
            } else {
                OwnedBytes::new(self.file.chunk(chunk)?)
            };
            let base = chunk as usize * CHUNK_BYTES;
            let from = range.start.saturating_sub(base);
            let to = content.len().min(range.end - base);
            bytes.extend_from_slice(&content[from..to]);
        }
        Ok(OwnedBytes::new(bytes))
    }
}

/// Opened chunks: each has one place, and the later takes it from the earlier.
struct Cache {
    places: Box<[Mutex<Option<Cached>>]>,
    next_id: AtomicU64,
}

struct Cached {
    file: u64,
    chunk: u64,
    content: OwnedBytes,
}

impl Cache {
    fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    fn get(
        &self,
        file: u64,
        chunk: u64,
        open: impl FnOnce() -> io::Result<OwnedBytes>,
    ) -> io::Result<OwnedBytes> {
        // An odd multiplier spreads the files, neighbours of one file get neighbouring places.
        let place = file.wrapping_mul(0x9e37_79b9).wrapping_add(chunk) as usize;
        let place = &self.places[place % self.places.len()];
        {
            let kept = place.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(kept) =
                kept.as_ref().filter(|kept| (kept.file, kept.chunk) == (file, chunk))
            {
                return Ok(kept.content.clone());
            }
        }
        let content = open()?;
        let cached = Cached { file, chunk, content: content.clone() };
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(cached);
        Ok(content)
    }
}

impl Default for Cache {
    fn default() -> Self {
        let places = (0..CACHED_CHUNKS_MAX).map(|_| Mutex::default()).collect();
        Self { places, next_id: AtomicU64::new(0) }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("places", &self.places.len()).finish()
    }
}

/// Whether an error says that a file is not as it was written, rather than that it cannot be read.
pub(super) fn is_damage(error: &TantivyError) -> bool {
    let io = match error {
        TantivyError::DataCorruption(_) => return true,
        TantivyError::IoError(error)
        | TantivyError::OpenReadError(OpenReadError::IoError { io_error: error, .. }) => error,
        TantivyError::OpenReadError(_) => return true,
        _ => return false,
    };
    matches!(io.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

/// Files of the live segments with their lengths on disk, the smallest first.
pub(super) fn segment_files(index: &tantivy::Index, dir: &Path) -> tantivy::Result<Vec<SizedFile>> {
    // Not every file that a segment can have was ever made; those that were are managed.
    let managed = index.directory().list_managed_files();
    let mut files = Vec::new();
    for path in index.load_metas()?.list_segment_files().intersection(&managed) {
        let size_bytes = std::fs::metadata(dir.join(path))?.len();
        files.push(SizedFile { size_bytes, path: path.clone() });
    }
    files.sort_unstable();
    Ok(files)
}

/// One file of a segment.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SizedFile {
    pub(super) size_bytes: u64,
    pub(super) path: PathBuf,
}
