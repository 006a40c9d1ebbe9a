//! Words in one index, searched by BM25.
//!
//! Keeps: for each ordinal the terms of a title and a text, and which document it belongs to; not
//! the text itself. One index serves every collection, because each open writer costs threads. In
//! an encrypted store every file is sealed.
//! How long: until deleted. Everything here is derived: the commit payload names the last applied
//! sequence, a damaged directory starts empty and is filled again; damage that is found later makes
//! searches fail until [`TextIndex::clear`].
//! Who may: any thread may search; permission comes in as the set of allowed ordinals and is asked
//! of a document before it can take a place among the top `k`.
//! Never: an error for what somebody typed; a document in an answer after its deletion was applied.

mod directory;
mod query;
#[cfg(test)]
mod tests;
mod words;

pub use query::QUERY_BYTES_MAX;

use crate::base::{Class, Classify};
use crate::engine::key::Seal;
use directory::{SealedDirectory, SizedFile, is_damage, segment_files};
use roaring::RoaringBitmap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tantivy::directory::error::OpenReadError;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{Stemmer, TextAnalyzer};
use tantivy::{
    Index, IndexReader, IndexSettings, IndexWriter, ReloadPolicy, TantivyDocument, TantivyError,
    Term,
};
use words::{ANALYSER, Words};

/// Share of deleted documents at which a segment is rewritten, so that their terms leave the disk.
const DELETED_SHARE_MAX: f32 = 0.2;
/// Bytes whose checksums are verified at open, in about a tenth of a second; the files beyond, the
/// largest, are left to [`TextIndex::verify`].
const VERIFY_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The index could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// The directory cannot be made or emptied.
    #[error("text index directory")]
    Directory(#[from] io::Error),
    /// A file of the index is not as it was written; [`TextIndex::clear`] mends it.
    #[error("text index is damaged")]
    Damaged,
    /// Reading or writing the index failed.
    #[error("text index")]
    Index(#[from] TantivyError),
}

impl Classify for TextError {
    fn class(&self) -> (Class, &'static str) {
        let io = match self {
            Self::Directory(error) => Some(error),
            Self::Index(TantivyError::IoError(error)) => Some(error.as_ref()),
            Self::Damaged | Self::Index(_) => None,
        };
        match io.map(io::Error::kind) {
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                (Class::Full, "disk_full")
            }
            _ => (Class::Broken, "text_index"),
        }
    }
}

/// What opening found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// Sequence of the last applied batch; none when nothing was applied yet.
    pub applied: Option<u64>,
    /// The index was missing, damaged or made by other rules, and starts empty.
    pub rebuilt: bool,
}

/// One change of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Index a text under an ordinal, in place of what is there.
    Put {
        /// The number it is found under.
        ordinal: u32,
        /// The document it belongs to, for [`Change::DeleteDocument`].
        document: [u8; 16],
        /// Weighs more than the text.
        title: String,
        /// The text.
        text: String,
    },
    /// Take one ordinal out.
    Delete {
        /// The number it was put under.
        ordinal: u32,
    },
    /// Take out every ordinal of a document.
    DeleteDocument {
        /// The document.
        document: [u8; 16],
    },
}

/// One text of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TextHit {
    /// The number it was put under.
    pub ordinal: u32,
    /// BM25, above zero; comparable within one answer only.
    pub score: f32,
}

/// The index. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct TextIndex {
    inner: Arc<Inner>,
}

struct Inner {
    index: Index,
    reader: IndexReader,
    fields: Fields,
    query_analyser: TextAnalyzer,
    writer: Mutex<Option<IndexWriter>>,
    /// Files that were there at open and not verified yet.
    unverified: Mutex<Vec<SizedFile>>,
    damaged: AtomicBool,
}

/// The fields of the schema, in the order of their declaration.
#[derive(Debug, Clone, Copy)]
struct Fields {
    ordinal: Field,
    document: Field,
    title: Field,
    text: Field,
}

impl Fields {
    fn new() -> (Schema, Self) {
        let mut schema = Schema::builder();
        let indexing = TextFieldIndexing::default()
            .set_tokenizer(ANALYSER)
            .set_index_option(IndexRecordOption::WithFreqsAndPositions);
        let text = TextOptions::default().set_indexing_options(indexing);
        let fields = Self {
            ordinal: schema.add_u64_field(ORDINAL, FAST | INDEXED),
            document: schema.add_bytes_field("document", INDEXED),
            title: schema.add_text_field("title", text.clone()),
            text: schema.add_text_field("text", text),
        };
        (schema.build(), fields)
    }

    fn ordinal_name(self) -> &'static str {
        ORDINAL
    }
}

/// Name of the ordinal field: fast fields are asked for by name.
const ORDINAL: &str = "ordinal";

/// The analyser of documents (`singles`) or of queries.
fn analyser(singles: bool) -> TextAnalyzer {
    TextAnalyzer::builder(Words::new(singles)).filter(Stemmer::default()).build()
}

impl TextIndex {
    /// Opens the index in `dir`, which belongs to it alone. What is missing, damaged (checksums are
    /// verified, up to 256 MiB now and the rest by [`TextIndex::verify`]), sealed otherwise or made
    /// by other rules is replaced by an empty index.
    ///
    /// # Errors
    /// [`TextError`] when not even an empty index can be made there.
    pub fn open(dir: &Path, seal: &Seal) -> Result<(Self, Opened), TextError> {
        Self::open_and_verify(dir, seal, VERIFY_BYTES_MAX)
    }

    fn open_and_verify(
        dir: &Path,
        seal: &Seal,
        bytes_max: u64,
    ) -> Result<(Self, Opened), TextError> {
        let existed = dir.exists();
        // Damage that passes the checksum may still trip an assertion inside tantivy.
        match catch_unwind(AssertUnwindSafe(|| Self::load(dir, seal, bytes_max))) {
            Ok(Ok((text, applied))) => return Ok((text, Opened { applied, rebuilt: false })),
            // A store that is made now has no index yet, which is nothing to warn of.
            Ok(Err(_)) if !existed => {}
            Ok(Err(error)) => tracing::warn!(%error, "text index starts empty"),
            Err(_) => tracing::warn!("text index starts empty: reading it panicked"),
        }
        if dir.exists() {
            std::fs::remove_dir_all(dir)?;
        }
        std::fs::create_dir_all(dir)?;
        let directory = SealedDirectory::open(dir, seal)?;
        let index = Index::create(directory, Fields::new().0, IndexSettings::default())?;
        Ok((Self::with_index(index, Vec::new())?, Opened { applied: None, rebuilt: true }))
    }

    /// An empty index in memory, for tests.
    ///
    /// # Errors
    /// [`TextError`] when the reader cannot be made.
    pub fn in_memory() -> Result<Self, TextError> {
        Ok(Self::with_index(Index::create_in_ram(Fields::new().0), Vec::new())?)
    }

    fn load(dir: &Path, seal: &Seal, bytes_max: u64) -> tantivy::Result<(Self, Option<u64>)> {
        let damaged = |what: &str| Err(TantivyError::InternalError(what.to_owned()));
        let index = Index::open(SealedDirectory::open(dir, seal)?)?;
        if index.schema() != Fields::new().0 {
            return damaged("made by another version");
        }
        let (mut unverified, mut bytes) = (Vec::new(), 0);
        for file in segment_files(&index, dir)? {
            bytes += file.size_bytes;
            if bytes > bytes_max {
                unverified.push(file);
            } else if !is_sound(&index, &file.path)? {
                return damaged("a checksum does not match");
            }
        }
        let payload = index.load_metas()?.payload.unwrap_or_default();
        let applied = match payload.parse() {
            Ok(sequence) => Some(sequence),
            Err(_) if payload.is_empty() => None,
            Err(_) => return damaged("the applied sequence is not a number"),
        };
        Ok((Self::with_index(index, unverified)?, applied))
    }

    fn with_index(index: Index, unverified: Vec<SizedFile>) -> tantivy::Result<Self> {
        index.tokenizers().register(ANALYSER, analyser(true));
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let (_, fields) = Fields::new();
        let inner = Inner {
            index,
            reader,
            fields,
            query_analyser: analyser(false),
            writer: Mutex::default(),
            unverified: Mutex::new(unverified),
            damaged: AtomicBool::new(false),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Applies a batch in one commit that also records `sequence`; a search that begins afterwards
    /// sees it. All of the batch is applied or nothing. Takes milliseconds: not for a request.
    ///
    /// # Errors
    /// [`TextError`] when the commit fails.
    pub fn apply(&self, changes: &[Change], sequence: u64) -> Result<(), TextError> {
        let fields = self.inner.fields;
        self.commit(&sequence.to_string(), |writer| {
            for change in changes {
                match change {
                    Change::Put { ordinal, document, title, text } => {
                        writer.delete_term(ordinal_term(fields, *ordinal));
                        let mut put = TantivyDocument::default();
                        put.add_u64(fields.ordinal, u64::from(*ordinal));
                        put.add_bytes(fields.document, document);
                        put.add_text(fields.title, title);
                        put.add_text(fields.text, text);
                        writer.add_document(put)?;
                    }
                    Change::Delete { ordinal } => {
                        writer.delete_term(ordinal_term(fields, *ordinal));
                    }
                    Change::DeleteDocument { document } => {
                        writer.delete_term(Term::from_field_bytes(fields.document, document));
                    }
                }
            }
            Ok(())
        })
    }

    /// Forgets everything, also the applied sequence and that the index was damaged.
    ///
    /// # Errors
    /// [`TextError`] when the commit fails.
    pub fn clear(&self) -> Result<(), TextError> {
        lock(&self.inner.unverified).clear();
        if self.is_damaged() {
            // A writer may be busy with what cannot be read.
            lock(&self.inner.writer).take();
        }
        self.change("", |writer| writer.delete_all_documents().map(drop))?;
        self.inner.damaged.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Verifies the checksums that opening left out, as long as that takes, and answers whether all
    /// files of the index are sound. To be called once, in the background, before anybody relies on
    /// answers from a large index.
    ///
    /// # Errors
    /// [`TextError`] when a file cannot be read for another reason than damage.
    pub fn verify(&self) -> Result<bool, TextError> {
        loop {
            let next = lock(&self.inner.unverified).pop();
            let Some(file) = next else { break };
            let sound = match is_sound(&self.inner.index, &file.path) {
                Err(error) if is_damage(&error) => false,
                sound => sound?,
            };
            if !sound {
                tracing::warn!(file = %file.path.display(), "text index is damaged");
                self.inner.damaged.store(true, Ordering::SeqCst);
            }
        }
        Ok(!self.is_damaged())
    }

    /// Whether a file of the index was found damaged since it was opened: the index answers nothing
    /// until it is cleared, and then has to be filled again.
    pub fn is_damaged(&self) -> bool {
        self.inner.damaged.load(Ordering::SeqCst)
    }

    /// As if a file had been found damaged.
    #[cfg(test)]
    pub(crate) fn mark_damaged(&self) {
        self.inner.damaged.store(true, Ordering::SeqCst);
    }

    /// Remembers damage.
    fn noted<T>(&self, done: tantivy::Result<T>) -> Result<T, TextError> {
        done.map_err(|error| {
            if !is_damage(&error) {
                return error.into();
            }
            tracing::warn!(%error, "text index is damaged");
            self.inner.damaged.store(true, Ordering::SeqCst);
            TextError::Damaged
        })
    }

    /// Ends the writer: its merges finish, its threads and memory are given back until the next
    /// [`TextIndex::apply`]. For an indexer that has nothing to do, and before the process ends.
    ///
    /// # Errors
    /// [`TextError`] when a merge failed; the index is as it was before the merge.
    pub fn rest(&self) -> Result<(), TextError> {
        let mut guard = lock(&self.inner.writer);
        if let Some(writer) = guard.take() {
            self.noted(writer.wait_merging_threads())?;
            self.noted(self.inner.reader.reload())?;
        }
        Ok(())
    }

    /// Number of texts that a search can find.
    pub fn len(&self) -> u64 {
        self.inner.reader.searcher().num_docs()
    }

    /// Whether there is nothing to find.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The `k` texts that match `query` best, among `allowed` ordinals; equal scores by ordinal.
    /// Fewer only when fewer match. Any text is a query: words are alternatives, a phrase in double
    /// quotes must occur; what goes beyond [`QUERY_BYTES_MAX`] is not read.
    ///
    /// # Errors
    /// [`TextError::Damaged`] from the time damage is found until the index is cleared;
    /// [`TextError`] when the index cannot be read.
    pub fn search(
        &self,
        query: &str,
        k: usize,
        allowed: &RoaringBitmap,
    ) -> Result<Vec<TextHit>, TextError> {
        self.refuse_damaged()?;
        let Inner { reader, fields, query_analyser, .. } = &*self.inner;
        self.noted(query::search(&reader.searcher(), *fields, query_analyser, query, k, allowed))
    }

    fn refuse_damaged(&self) -> Result<(), TextError> {
        if self.is_damaged() { Err(TextError::Damaged) } else { Ok(()) }
    }

    /// As [`TextIndex::change`], unless the index is damaged.
    fn commit(
        &self,
        payload: &str,
        change: impl Fn(&IndexWriter) -> tantivy::Result<()>,
    ) -> Result<(), TextError> {
        self.refuse_damaged()?;
        self.change(payload, change)
    }

    /// Runs `change` and commits with `payload`. A writer that failed is dropped with what it had
    /// not committed, and the next call begins with a new one.
    fn change(
        &self,
        payload: &str,
        change: impl Fn(&IndexWriter) -> tantivy::Result<()>,
    ) -> Result<(), TextError> {
        let mut guard = lock(&self.inner.writer);
        let kept = guard.take();
        let committed = || -> tantivy::Result<IndexWriter> {
            let mut writer = kept.map_or_else(|| self.writer(), Ok)?;
            change(&writer)?;
            let mut commit = writer.prepare_commit()?;
            commit.set_payload(payload);
            commit.commit()?;
            Ok(writer)
        };
        *guard = Some(self.noted(committed())?);
        self.noted(self.inner.reader.reload())
    }

    /// One indexing and one merging thread, with the smallest memory tantivy takes (15 MB, used
    /// while indexing only).
    fn writer(&self) -> tantivy::Result<IndexWriter> {
        let options =
            IndexWriterOptions::builder().num_worker_threads(1).num_merge_threads(1).build();
        let writer = self.inner.index.writer_with_options(options)?;
        let mut merging = LogMergePolicy::default();
        merging.set_del_docs_ratio_before_merge(DELETED_SHARE_MAX);
        writer.set_merge_policy(Box::new(merging));
        Ok(writer)
    }
}

fn ordinal_term(fields: Fields, ordinal: u32) -> Term {
    Term::from_field_u64(fields.ordinal, u64::from(ordinal))
}

/// Whether a segment file is as it was written. One that a merge removed meanwhile is.
fn is_sound(index: &Index, path: &Path) -> tantivy::Result<bool> {
    match index.directory().validate_checksum(path) {
        Err(OpenReadError::FileDoesNotExist(_)) => Ok(true),
        verified => Ok(verified?),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
