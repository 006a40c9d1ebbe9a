//! Reading a backup: every byte is accounted for, and whoever reads gets what is proven so far.
//!
//! What a [`Sink`] is handed is proven only when [`read`] answers: until then it must be able to
//! throw everything away.

use super::create::Hashing;
use super::error::BackupError;
use super::format::{
    BLOBS, CONFIG, FOOTER_BYTES, FOOTER_HEAD, FORMAT, HEADER_BYTES_MAX, Header, MANIFEST,
    MEMBER_BYTES_MAX, MODELS, Manifest, ROWS, SUMMARY, SUMS, SUMS_BYTES, Summary, TableHash,
    TableSum, ZSTD_MAGIC, hex, sum_line, take_row,
};
use super::restore::Access;
use super::source::BACKUP_PURPOSE;
use super::{Progress, Stage, Tell};
use crate::engine::blob::BlobKey;
use crate::engine::key::{KeyError, KeyRing, Keys, MasterKey, SealedReader};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take};
use std::path::Path;

/// What is read from the file at a time.
const READ_BYTES: usize = 256 << 10;
/// Longest line of sums beyond which a batch is no batch of ours.
const SUMS_BYTES_MAX: usize = SUMS_BYTES + 4096;
/// Longest rest of a tar file behind its end mark.
const TAR_REST_BYTES_MAX: u64 = 64 << 10;

/// What opens an encrypted backup.
#[derive(Clone, Copy)]
pub enum Unlock<'a> {
    /// Nothing: for plain backups.
    Nothing,
    /// The master key of the store at the time of the backup.
    Master(&'a MasterKey),
    /// The master key and the ring of the store as it is now: the backup may be from before the
    /// master key was changed, which left the data keys as they were.
    Store {
        /// The master key.
        master: &'a MasterKey,
        /// The ring that it opens.
        ring: &'a KeyRing,
    },
    /// The data keys of the running store.
    Keys(&'a Keys),
}

/// Takes what is in a backup.
pub(super) trait Sink {
    /// What the backup is of, before anything else.
    fn begin(&mut self, manifest: &Manifest) -> Result<(), BackupError>;
    /// A part of a table, as [`take_row`] reads it; checked to be whole rows.
    fn rows(&mut self, table: &str, chunk: &[u8]) -> Result<(), BackupError>;
    /// A blob. What is not read of it is passed over.
    fn blob(&mut self, key: &BlobKey, content: &mut dyn Read) -> Result<(), BackupError>;
    /// A file of a model, or the configuration: its name in the backup and its content.
    fn file(&mut self, name: &str, content: &mut dyn Read) -> Result<(), BackupError>;
    /// The blobs and files since the last batch were read as they were written; `sums` are theirs.
    fn batch(&mut self, sums: &str) -> Result<(), BackupError>;
}

/// A backup that was opened, before its content is read.
pub(super) struct Opened {
    /// The clear header of an encrypted one.
    pub(super) header: Option<Header>,
    body: Body,
}

enum Body {
    Plain { frame: Take<File>, sha256: [u8; 32] },
    Sealed(BufReader<File>),
}

/// Opens a backup file as far as it goes without a key.
///
/// # Errors
/// [`BackupError::NotABackup`], [`BackupError::Damaged`] or [`BackupError::File`].
pub(super) fn open(path: &Path) -> Result<Opened, BackupError> {
    let unknown = || BackupError::NotABackup(path.display().to_string());
    let mut file = File::open(path).map_err(BackupError::file(path))?;
    let mut start = [0; 4];
    file.read_exact(&mut start).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => unknown(),
        _ => BackupError::file(path)(error),
    })?;
    let rewound = file.seek(SeekFrom::Start(0));
    rewound.map_err(BackupError::file(path))?;
    match start {
        ZSTD_MAGIC => Ok(Opened { header: None, body: open_plain(file, path)? }),
        [b'{', ..] => {
            let mut file = BufReader::with_capacity(READ_BYTES, file);
            let line = line(&mut file).map_err(BackupError::decoding(path))?;
            let sum = self::line(&mut file).map_err(BackupError::decoding(path))?;
            let header = Header::parse(&line, &sum)?;
            Ok(Opened { header: Some(header), body: Body::Sealed(file) })
        }
        _ => Err(unknown()),
    }
}

fn open_plain(mut file: File, path: &Path) -> Result<Body, BackupError> {
    let size = file.metadata().map_err(BackupError::file(path))?.len();
    let cut = || BackupError::Damaged("its end is missing or something follows it".to_owned());
    let frame_bytes = size.checked_sub(FOOTER_BYTES as u64).ok_or_else(cut)?;
    let mut footer = [0; FOOTER_BYTES];
    let read = file
        .seek(SeekFrom::Start(frame_bytes))
        .and_then(|_| file.read_exact(&mut footer))
        .and_then(|()| file.seek(SeekFrom::Start(0)));
    read.map_err(BackupError::file(path))?;
    let sha256 = footer.strip_prefix(&FOOTER_HEAD).and_then(|sum| sum.try_into().ok());
    Ok(Body::Plain { frame: file.take(frame_bytes), sha256: sha256.ok_or_else(cut)? })
}

/// A line without its end.
fn line(file: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    file.take(HEADER_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the header is cut off"));
    }
    String::from_utf8(line)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the header is no text"))
}

impl Opened {
    /// The manifest alone: of an encrypted backup as its clear header has it, not yet proven.
    pub(super) fn manifest(self, path: &Path) -> Result<Manifest, BackupError> {
        if let Some(header) = self.header {
            return Ok(header.manifest);
        }
        let Body::Plain { frame, .. } = self.body else {
            return Err(BackupError::NotABackup(path.display().to_string()));
        };
        let decoder = zstd::Decoder::new(frame).map_err(BackupError::decoding(path))?;
        let mut tar = tar::Archive::new(decoder);
        let mut entries = tar.entries().map_err(BackupError::decoding(path))?;
        let first = entries.next().ok_or_else(|| out_of_order(MANIFEST))?;
        let mut entry = first.map_err(BackupError::decoding(path))?;
        manifest(&mut Member::of(&mut entry, path)?, path)
    }

    /// The data keys and the ring they come from: none of a plain backup.
    pub(super) fn access(&self, unlock: Unlock<'_>) -> Result<Access, BackupError> {
        let Some(header) = &self.header else { return Ok(Access::default()) };
        let own = header.keyring.get().to_owned();
        let of_ring = |master| KeyRing::parse(own.as_bytes())?.unlock(master);
        let (keys, keyring) = match unlock {
            Unlock::Nothing => return Err(BackupError::KeyNeeded),
            Unlock::Keys(keys) => (keys.clone(), own),
            Unlock::Master(master) => (of_ring(master)?, own),
            Unlock::Store { master, ring } => match of_ring(master) {
                Err(KeyError::WrongKey) => (ring.unlock(master)?, ring.to_json()),
                opened => (opened?, own),
            },
        };
        Ok(Access { keys: Some(keys), keyring: Some(keyring) })
    }

    /// Reads the whole backup into `sink`.
    ///
    /// # Errors
    /// Whatever is not as it was written; a failure of `sink`; [`BackupError::Stopped`].
    pub(super) fn read(
        self,
        path: &Path,
        keys: Option<&Keys>,
        tell: &Tell,
        sink: &mut dyn Sink,
    ) -> Result<Summary, BackupError> {
        let outside = self.header.map(|header| header.manifest);
        let mut reader = Reader { path, tell, sink, outside, read: 0 };
        match (self.body, keys) {
            (Body::Plain { frame, sha256 }, _) => {
                let mut hashed = Hashing::new(frame);
                let buffered = BufReader::with_capacity(READ_BYTES, &mut hashed);
                let summary = reader.frame(buffered)?;
                // What the decoder did not need: nothing, unless somebody put it there.
                io::copy(&mut hashed, &mut io::sink()).map_err(BackupError::file(path))?;
                if hashed.digest.finalize()[..] != sha256 {
                    return Err(BackupError::Damaged("it does not have its checksum".to_owned()));
                }
                Ok(summary)
            }
            (Body::Sealed(file), Some(keys)) => {
                let sealed = SealedReader::new(file, &keys.seal(BACKUP_PURPOSE));
                reader.frame(BufReader::with_capacity(READ_BYTES, sealed))
            }
            (Body::Sealed(_), None) => Err(BackupError::KeyNeeded),
        }
    }
}

/// One pass over a backup.
struct Reader<'a> {
    path: &'a Path,
    tell: &'a Tell,
    sink: &'a mut dyn Sink,
    /// The manifest of the clear header.
    outside: Option<Manifest>,
    read: u64,
}

/// What was read so far.
#[derive(Default)]
struct Seen {
    tables: Vec<TableSum>,
    table: Option<(String, u64, TableHash)>,
    blobs: u64,
    blob_bytes: u64,
    files: u64,
    sums: String,
    sums_read: u64,
    sums_digest: Sha256,
}

impl Reader<'_> {
    fn frame(&mut self, frame: impl BufRead) -> Result<Summary, BackupError> {
        let decoding = BackupError::decoding;
        let mut decoder = zstd::Decoder::with_buffer(frame).map_err(decoding(self.path))?;
        let summary = {
            let mut tar = tar::Archive::new(&mut decoder);
            let mut entries = tar.entries().map_err(decoding(self.path))?;
            let summary = self.members(&mut entries)?;
            if let Some(more) = entries.next() {
                let more = more.map_err(decoding(self.path))?;
                return Err(out_of_order(&String::from_utf8_lossy(&more.path_bytes())));
            }
            summary
        };
        // The rest is the padding of the tar file; its end proves the frame's checksum, or the seal.
        let mut rest = Vec::new();
        let limit = TAR_REST_BYTES_MAX;
        decoder.take(limit).read_to_end(&mut rest).map_err(decoding(self.path))?;
        if rest.len() as u64 == limit || rest.iter().any(|byte| *byte != 0) {
            return Err(BackupError::Damaged("something follows its end".to_owned()));
        }
        Ok(summary)
    }

    fn members<R: Read>(
        &mut self,
        entries: &mut tar::Entries<'_, R>,
    ) -> Result<Summary, BackupError> {
        let first = entries.next().ok_or_else(|| out_of_order(MANIFEST))?;
        let mut first = first.map_err(BackupError::decoding(self.path))?;
        let manifest = manifest(&mut Member::of(&mut first, self.path)?, self.path)?;
        if self.outside.as_ref().is_some_and(|outside| *outside != manifest)
            || self.outside.is_some() != manifest.keyring_sha256.is_some()
        {
            return Err(BackupError::Damaged("its header belongs to another backup".to_owned()));
        }
        self.sink.begin(&manifest)?;
        let mut seen = Seen::default();
        for entry in entries {
            let mut entry = entry.map_err(BackupError::decoding(self.path))?;
            let mut member = Member::of(&mut entry, self.path)?;
            if member.name == SUMMARY {
                let summary = member.json(self.path)?;
                return seen.agree(summary, &manifest);
            }
            self.member(&mut seen, &mut member)?;
        }
        Err(BackupError::Damaged("its summary is missing".to_owned()))
    }

    fn member(&mut self, seen: &mut Seen, member: &mut Member<'_>) -> Result<(), BackupError> {
        let name = member.name.clone();
        let stage = if let Some(part) = name.strip_prefix(ROWS) {
            let (table, part) = part.rsplit_once('/').ok_or_else(|| out_of_order(&name))?;
            let chunk = member.content(self.path)?;
            seen.rows(table, part, &chunk)?;
            self.sink.rows(table, &chunk)?;
            Stage::Rows
        } else if let Some(part) = name.strip_prefix(SUMS) {
            let sums = member.content(self.path)?;
            seen.batch(part, &sums)?;
            self.sink.batch(&String::from_utf8_lossy(&sums))?;
            Stage::Files
        } else {
            let size_bytes = member.size_bytes;
            let mut content = Hashing::new(&mut member.content);
            let stage = if let Some(key) = name.strip_prefix(BLOBS) {
                let key: BlobKey = key.parse().map_err(|_| out_of_order(&name))?;
                self.sink.blob(&key, &mut content)?;
                (seen.blobs, seen.blob_bytes) = (seen.blobs + 1, seen.blob_bytes + size_bytes);
                Stage::Blobs
            } else if name == CONFIG || is_model_file(&name) {
                self.sink.file(&name, &mut content)?;
                seen.files += 1;
                Stage::Files
            } else {
                return Err(out_of_order(&name));
            };
            io::copy(&mut content, &mut io::sink()).map_err(BackupError::decoding(self.path))?;
            seen.sums.push_str(&sum_line(&content.digest.finalize(), &name));
            if content.bytes != size_bytes || seen.sums.len() > SUMS_BYTES_MAX {
                return Err(BackupError::Damaged(format!("{name} has another length")));
            }
            stage
        };
        self.read += member.size_bytes;
        match (self.tell)(Progress { stage, bytes: self.read }) {
            std::ops::ControlFlow::Continue(()) => Ok(()),
            std::ops::ControlFlow::Break(()) => Err(BackupError::Stopped),
        }
    }
}

impl Seen {
    fn rows(&mut self, table: &str, part: &str, chunk: &[u8]) -> Result<(), BackupError> {
        let wrong = || out_of_order(&format!("{ROWS}{table}/{part}"));
        if self.table.as_ref().is_none_or(|(name, ..)| name != table) {
            self.end_table();
            self.table = Some((table.to_owned(), 0, TableHash::default()));
        }
        let Some((_, next, hash)) = &mut self.table else { return Err(wrong()) };
        if part != next.to_string() {
            return Err(wrong());
        }
        *next += 1;
        let (mut rest, mut rows) = (chunk, 0);
        while let Some(row) = take_row(&mut rest) {
            row?;
            rows += 1;
        }
        hash.update(rows, chunk);
        Ok(())
    }

    fn end_table(&mut self) {
        if let Some((name, _, hash)) = self.table.take() {
            self.tables.push(hash.finish(&name));
        }
    }

    fn batch(&mut self, part: &str, sums: &[u8]) -> Result<(), BackupError> {
        if part != self.sums_read.to_string() {
            return Err(out_of_order(&format!("{SUMS}{part}")));
        }
        if sums != self.sums.as_bytes() {
            return Err(BackupError::Damaged("a blob or file differs from its sum".to_owned()));
        }
        self.sums_digest.update(sums);
        self.sums.clear();
        self.sums_read += 1;
        Ok(())
    }

    fn agree(mut self, said: Summary, manifest: &Manifest) -> Result<Summary, BackupError> {
        self.end_table();
        // A table without rows has no member.
        let empty = |table: &&TableSum| **table != TableHash::default().finish(&table.table);
        let full: Vec<&TableSum> = said.tables.iter().filter(empty).collect();
        if full != self.tables.iter().collect::<Vec<_>>() {
            return Err(BackupError::Damaged("a table differs from its sum".to_owned()));
        }
        let sums = hex(&self.sums_digest.finalize());
        let counted = (self.blobs, self.blob_bytes, self.files, self.sums.as_str(), sums.as_str());
        let expected = (said.blobs, said.blob_bytes, said.files, "", said.sums_sha256.as_str());
        if said.manifest != *manifest || counted != expected {
            return Err(BackupError::Damaged("its summary says something else".to_owned()));
        }
        Ok(said)
    }
}

/// One member: its name and its content.
struct Member<'a> {
    name: String,
    size_bytes: u64,
    content: Box<dyn Read + 'a>,
}

impl<'a> Member<'a> {
    fn of<R: Read>(entry: &'a mut tar::Entry<'_, R>, path: &Path) -> Result<Self, BackupError> {
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err(out_of_order(&name));
        }
        let size_bytes = entry.header().size().map_err(BackupError::decoding(path))?;
        Ok(Self { name, size_bytes, content: Box::new(entry) })
    }

    /// All of it, in memory.
    fn content(&mut self, path: &Path) -> Result<Vec<u8>, BackupError> {
        if self.size_bytes > MEMBER_BYTES_MAX {
            return Err(BackupError::Damaged(format!("{} is too long", self.name)));
        }
        let mut content = Vec::with_capacity(self.size_bytes as usize);
        self.content.read_to_end(&mut content).map_err(BackupError::decoding(path))?;
        if content.len() as u64 != self.size_bytes {
            return Err(BackupError::Damaged(format!("{} is cut off", self.name)));
        }
        Ok(content)
    }

    fn json<T: serde::de::DeserializeOwned>(&mut self, path: &Path) -> Result<T, BackupError> {
        let content = self.content(path)?;
        serde_json::from_slice(&content)
            .map_err(|error| BackupError::Damaged(format!("{}: {error}", self.name)))
    }
}

fn manifest(member: &mut Member<'_>, path: &Path) -> Result<Manifest, BackupError> {
    if member.name != MANIFEST {
        return Err(out_of_order(&member.name));
    }
    let manifest: Manifest = member.json(path)?;
    if manifest.format > FORMAT {
        return Err(BackupError::Format(manifest.format));
    }
    Ok(manifest)
}

/// `models/NAME/FILE`, where neither part can leave its folder.
fn is_model_file(name: &str) -> bool {
    let parts: Vec<&str> = name.strip_prefix(MODELS).unwrap_or_default().split('/').collect();
    parts.len() == 2 && parts.iter().all(|part| !part.is_empty() && !part.starts_with('.'))
}

fn out_of_order(member: &str) -> BackupError {
    BackupError::Damaged(format!("{member} is not expected where it is"))
}
