//! Writing a backup: one snapshot, in one pass, while writes go on.

use super::Tell;
use super::error::BackupError;
use super::file::NewFile;
use super::format::{
    BLOBS, CHUNK_BYTES, CONFIG, FOOTER_HEAD, FORMAT, Header, MANIFEST, MODELS, Manifest, ModelFile,
    ROWS, SUMMARY, SUMS, SUMS_BYTES, Summary, TableHash, TableSum, keyring_sum, put_row, sum_line,
};
use super::source::{RingText, Source};
use super::{Progress, Stage};
use crate::base::Time;
use crate::engine::blob::{BlobError, BlobInfo, BlobStream};
use crate::engine::db::Snapshot;
use crate::engine::key::SealedWriter;
use crate::search;
use bytes::{Buf, Bytes};
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Handle;

/// Fast, and a third smaller than nothing; higher levels cost more time than disk.
const ZSTD_LEVEL: i32 = 1;
/// What is gathered before it is written to the file.
const WRITE_BYTES: usize = 256 << 10;
/// Mode of the members.
const MEMBER_MODE: u32 = 0o600;

/// Writes a backup of `source` to `output`, which must not exist; it appears there whole and on
/// disk, or not at all. Memory is constant: some chunks, whatever the size of the store. Writers
/// are not held up; blobs that are deleted meanwhile stay until the end.
///
/// # Errors
/// [`BackupError::Occupied`], [`BackupError::Stopped`] when `tell` says so, or what fails.
pub async fn create(
    source: &Source,
    output: &Path,
    now: Time,
    tell: &Tell,
) -> Result<Summary, BackupError> {
    // Before the snapshot: a blob that a row of it names cannot go any more.
    let pin = source.blobs.pin();
    let snapshot = source.db.snapshot().await?;
    let dropped = Arc::new(AtomicBool::new(false));
    let _stop = StopOnDrop(Arc::clone(&dropped));
    let work = Work {
        source: source.clone(),
        snapshot,
        now,
        tell: Arc::clone(tell),
        dropped,
        handle: Handle::current(),
    };
    let output = output.to_owned();
    let written = tokio::task::spawn_blocking(move || {
        let written = work.write(&output);
        drop(pin);
        written
    });
    written.await.map_err(|_| BackupError::Stopped)?
}

/// Tells the thread that writes that nobody waits for it any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// One backup being written.
struct Work {
    source: Source,
    snapshot: Snapshot,
    now: Time,
    tell: Tell,
    dropped: Arc<AtomicBool>,
    handle: Handle,
}

impl Work {
    fn write(self, output: &Path) -> Result<Summary, BackupError> {
        let keyring = self.source.keyring.as_ref().map(RingText::get);
        let manifest = self.manifest(keyring.as_deref())?;
        let (new, file) = NewFile::create(output)?;
        let sink = match &keyring {
            Some(keyring) => {
                let mut file = BufWriter::with_capacity(WRITE_BYTES, file);
                let header = Header::to_lines(&manifest, keyring)?;
                file.write_all(header.as_bytes()).map_err(BackupError::file(output))?;
                Wrapped::Sealed(SealedWriter::new(file, &self.source.seal))
            }
            None => Wrapped::Plain(Hashing::new(BufWriter::with_capacity(WRITE_BYTES, file))),
        };
        let mut members = Members::new(sink, output, &manifest)?;
        let tables = self.rows(&mut members)?;
        let (blobs, blob_bytes) = self.blobs(&mut members)?;
        let files = self.files(&mut members)?;
        let probe = search::probe(&self.snapshot.view())?;
        let sums_sha256 = members.end_sums()?;
        let summary = Summary { manifest, tables, blobs, blob_bytes, files, sums_sha256, probe };
        members.json(SUMMARY, &summary)?;
        new.finish(members.finish()?)?;
        Ok(summary)
    }

    fn manifest(&self, keyring: Option<&str>) -> Result<Manifest, BackupError> {
        Ok(Manifest {
            format: FORMAT,
            store_id: self.source.store_id.clone(),
            created_by: env!("CARGO_PKG_VERSION").to_owned(),
            created_at: self.now,
            sequence: self.snapshot.sequence,
            last_change_at: self.snapshot.time,
            keyring_sha256: keyring.map(keyring_sum).transpose()?,
            models: self.model_sums()?,
        })
    }

    fn model_sums(&self) -> Result<Vec<ModelFile>, BackupError> {
        let mut sums = Vec::new();
        for model in &self.source.models {
            for (name, path) in model_files(&model.path)? {
                let file = File::open(&path).map_err(BackupError::file(&path))?;
                let mut hashed = Hashing::new(BufReader::with_capacity(WRITE_BYTES, file));
                io::copy(&mut hashed, &mut io::sink()).map_err(BackupError::file(&path))?;
                let sha256 = super::format::hex(&hashed.digest.finalize());
                let name = format!("{}/{name}", model.name);
                sums.push(ModelFile { name, size_bytes: hashed.bytes, sha256 });
            }
        }
        Ok(sums)
    }

    fn go_on(&self, stage: Stage, bytes: u64) -> Result<(), BackupError> {
        let asked = (self.tell)(Progress { stage, bytes }).is_break();
        let stop = asked || self.dropped.load(Ordering::SeqCst);
        if stop { Err(BackupError::Stopped) } else { Ok(()) }
    }

    fn rows(&self, members: &mut Members) -> Result<Vec<TableSum>, BackupError> {
        let (mut tables, mut written) = (Vec::new(), 0);
        for table in self.snapshot.tables()? {
            let mut part = 0;
            let sum = hash_table(&self.snapshot, &table, &mut |chunk| {
                members.put(&format!("{ROWS}{table}/{part}"), chunk)?;
                part += 1;
                written += chunk.len() as u64;
                self.go_on(Stage::Rows, written)
            })?;
            tables.push(sum);
        }
        Ok(tables)
    }

    /// Every blob there is: those of the snapshot's rows are among them, because deletes wait.
    fn blobs(&self, members: &mut Members) -> Result<(u64, u64), BackupError> {
        let (mut count, mut written) = (0, 0);
        let mut found = self.source.blobs.walk(None);
        while let Some(BlobInfo { key, .. }) = self.handle.block_on(found.try_next())? {
            let content = match self.handle.block_on(self.source.blobs.stream(&key)) {
                Ok(content) => content,
                // Deletes wait while we hold a pin, so nobody's row can have named it.
                Err(BlobError::Missing) => continue,
                Err(error) => return Err(error.into()),
            };
            let size_bytes = content.size_bytes;
            let pieces = Pieces { handle: &self.handle, content, piece: Bytes::new() };
            members.copy(&format!("{BLOBS}{key}"), size_bytes, pieces)?;
            (count, written) = (count + 1, written + size_bytes);
            self.go_on(Stage::Blobs, written)?;
        }
        Ok((count, written))
    }

    fn files(&self, members: &mut Members) -> Result<u64, BackupError> {
        let (mut count, mut written) = (0, 0);
        for model in self.source.models.iter().filter(|model| model.carried) {
            for (name, path) in model_files(&model.path)? {
                let file = File::open(&path).map_err(BackupError::file(&path))?;
                let size_bytes = file.metadata().map_err(BackupError::file(&path))?.len();
                members.copy(&format!("{MODELS}{}/{name}", model.name), size_bytes, file)?;
                (count, written) = (count + 1, written + size_bytes);
                self.go_on(Stage::Files, written)?;
            }
        }
        let config = self.source.config_toml.as_bytes();
        members.copy(CONFIG, config.len() as u64, config)?;
        Ok(count + 1)
    }
}

/// The files of a model's folder, by name; folders below it are none of a model's.
fn model_files(folder: &Path) -> Result<Vec<(String, PathBuf)>, BackupError> {
    let mut found = Vec::new();
    for entry in folder.read_dir().map_err(BackupError::file(folder))? {
        let entry = entry.map_err(BackupError::file(folder))?;
        let name = entry.file_name().into_string();
        if let Ok(name) = name
            && entry.path().is_file()
        {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// Walks a table in chunks of about 4 MiB, each of whole rows; answers its sum.
///
/// # Errors
/// What `visit` answers, or a failure of the store.
pub(super) fn hash_table(
    snapshot: &Snapshot,
    table: &str,
    visit: &mut dyn FnMut(&[u8]) -> Result<(), BackupError>,
) -> Result<TableSum, BackupError> {
    let (mut hash, mut chunk, mut rows) = (TableHash::default(), Vec::new(), 0);
    let mut failed = None;
    snapshot.each(table, None, &mut |key, value| {
        put_row(&mut chunk, key, value);
        rows += 1;
        if chunk.len() >= CHUNK_BYTES {
            hash.update(rows, &chunk);
            if let Err(error) = visit(&chunk) {
                failed = Some(error);
                return ControlFlow::Break(());
            }
            chunk.clear();
            // One long row must not stay in memory for the rest of the table.
            chunk.shrink_to(CHUNK_BYTES * 2);
            rows = 0;
        }
        ControlFlow::Continue(())
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    if !chunk.is_empty() {
        hash.update(rows, &chunk);
        visit(&chunk)?;
    }
    Ok(hash.finish(table))
}

/// What the zstd frame goes into.
enum Wrapped {
    Plain(Hashing<BufWriter<File>>),
    Sealed(SealedWriter<BufWriter<File>>),
}

impl Write for Wrapped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(to) => to.write(bytes),
            Self::Sealed(to) => to.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(to) => to.flush(),
            Self::Sealed(to) => to.flush(),
        }
    }
}

/// The members, written one after the other.
struct Members {
    tar: tar::Builder<zstd::Encoder<'static, Wrapped>>,
    path: PathBuf,
    made_at_s: u64,
    sums: String,
    sums_digest: Sha256,
    sums_written: u64,
}

impl Members {
    fn new(to: Wrapped, path: &Path, manifest: &Manifest) -> Result<Self, BackupError> {
        let encoder = zstd::Encoder::new(to, ZSTD_LEVEL).and_then(|mut encoder| {
            encoder.include_checksum(true)?;
            Ok(encoder)
        });
        let mut members = Self {
            tar: tar::Builder::new(encoder.map_err(BackupError::file(path))?),
            path: path.to_owned(),
            made_at_s: u64::try_from(manifest.created_at.unix_ms() / 1000).unwrap_or(0),
            sums: String::new(),
            sums_digest: Sha256::new(),
            sums_written: 0,
        };
        members.json(MANIFEST, manifest)?;
        Ok(members)
    }

    fn header(&self, size_bytes: u64) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(size_bytes);
        header.set_mode(MEMBER_MODE);
        header.set_mtime(self.made_at_s);
        header
    }

    fn put(&mut self, name: &str, content: &[u8]) -> Result<(), BackupError> {
        let mut header = self.header(content.len() as u64);
        let put = self.tar.append_data(&mut header, name, content);
        put.map_err(BackupError::file(&self.path))
    }

    fn json(&mut self, name: &str, value: &impl serde::Serialize) -> Result<(), BackupError> {
        let text = serde_json::to_vec_pretty(value);
        let text = text.map_err(|error| BackupError::Damaged(format!("{name}: {error}")))?;
        self.put(name, &text)
    }

    /// Adds a blob or file and its sum.
    fn copy(&mut self, name: &str, size_bytes: u64, content: impl Read) -> Result<(), BackupError> {
        let mut content = Hashing::new(content);
        let mut header = self.header(size_bytes);
        // One byte more than expected is enough to see that there is more.
        let limited = (&mut content).take(size_bytes + 1);
        let copied = self.tar.append_data(&mut header, name, limited);
        let culprit = if content.failed { Path::new(name) } else { &self.path };
        copied.map_err(BackupError::file(culprit))?;
        if content.bytes != size_bytes {
            let cause = io::Error::other("it changed while it was read");
            return Err(BackupError::File { path: name.to_owned(), cause });
        }
        self.sums.push_str(&sum_line(&content.digest.finalize(), name));
        if self.sums.len() >= SUMS_BYTES { self.put_sums() } else { Ok(()) }
    }

    fn put_sums(&mut self) -> Result<(), BackupError> {
        let sums = std::mem::take(&mut self.sums);
        self.sums_digest.update(&sums);
        let name = format!("{SUMS}{}", self.sums_written);
        self.sums_written += 1;
        self.put(&name, sums.as_bytes())
    }

    /// Writes the last sums; answers the SHA-256 of all.
    fn end_sums(&mut self) -> Result<String, BackupError> {
        if !self.sums.is_empty() {
            self.put_sums()?;
        }
        Ok(super::format::hex(&self.sums_digest.clone().finalize()))
    }

    /// Ends tar, frame and file; answers the file.
    fn finish(self) -> Result<File, BackupError> {
        let end = || -> io::Result<File> {
            let file = match self.tar.into_inner()?.finish()? {
                Wrapped::Plain(hashed) => {
                    let Hashing { mut inner, digest, .. } = hashed;
                    inner.write_all(&FOOTER_HEAD)?;
                    inner.write_all(&digest.finalize())?;
                    inner
                }
                Wrapped::Sealed(sealed) => sealed.finish()?,
            };
            file.into_inner().map_err(io::IntoInnerError::into_error)
        };
        end().map_err(BackupError::file(&self.path))
    }
}

/// Counts and hashes what passes through it.
pub(super) struct Hashing<T> {
    pub(super) inner: T,
    pub(super) digest: Sha256,
    pub(super) bytes: u64,
    /// Whether reading failed.
    pub(super) failed: bool,
}

impl<T> Hashing<T> {
    pub(super) fn new(inner: T) -> Self {
        Self { inner, digest: Sha256::new(), bytes: 0, failed: false }
    }
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into).inspect_err(|_| self.failed = true)?;
        self.digest.update(&into[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.digest.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The pieces of a blob, read on a thread where waiting is allowed.
pub(super) struct Pieces<'a> {
    pub(super) handle: &'a Handle,
    pub(super) content: BlobStream,
    pub(super) piece: Bytes,
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            let next = self.handle.block_on(self.content.pieces.try_next());
            match next.map_err(io::Error::other)? {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let count = into.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}
