//! Words in one index, searched by BM25.
//!
//! Keeps: for each ordinal the terms of a title and a text, and which document it belongs to; not
//! the text itself. One index serves every collection, because each open writer costs threads.
//! How long: until deleted. Everything here is derived: the commit payload names the last applied
//! sequence, a damaged directory starts empty and is filled again.
//! Who may: any thread may search; permission comes in as the set of allowed ordinals and is asked
//! of a document before it can take a place among the top `k`.
//! Never: an error for what somebody typed; a document in an answer after its deletion was applied.

mod query;
#[cfg(test)]
mod tests;
mod words;

pub use query::QUERY_BYTES_MAX;

use crate::base::{Class, Classify};
use roaring::RoaringBitmap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{Stemmer, TextAnalyzer};
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, TantivyError, Term};
use words::{ANALYSER, Words};

/// Share of deleted documents at which a segment is rewritten, so that their terms leave the disk.
const DELETED_SHARE_MAX: f32 = 0.2;

/// The index could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// The directory cannot be made or emptied.
    #[error("text index directory")]
    Directory(#[from] io::Error),
    /// Reading or writing the index failed.
    #[error("text index")]
    Index(#[from] TantivyError),
}

impl Classify for TextError {
    fn class(&self) -> (Class, &'static str) {
        let io = match self {
            Self::Directory(error) => Some(error),
            Self::Index(TantivyError::IoError(error)) => Some(error.as_ref()),
            Self::Index(_) => None,
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
    /// Opens the index in `dir`, which belongs to it alone. What is missing, damaged (every file's
    /// checksum is verified) or made by other rules is replaced by an empty index.
    ///
    /// # Errors
    /// [`TextError`] when not even an empty index can be made there.
    pub fn open(dir: &Path) -> Result<(Self, Opened), TextError> {
        let existed = dir.exists();
        // Damage that passes the checksum may still trip an assertion inside tantivy.
        match catch_unwind(AssertUnwindSafe(|| Self::load(dir))) {
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
        let text = Self::with_index(Index::create_in_dir(dir, Fields::new().0)?)?;
        Ok((text, Opened { applied: None, rebuilt: true }))
    }

    /// An empty index in memory, for tests.
    ///
    /// # Errors
    /// [`TextError`] when the reader cannot be made.
    pub fn in_memory() -> Result<Self, TextError> {
        Ok(Self::with_index(Index::create_in_ram(Fields::new().0))?)
    }

    fn load(dir: &Path) -> tantivy::Result<(Self, Option<u64>)> {
        let damaged = |what: &str| Err(TantivyError::InternalError(what.to_owned()));
        let index = Index::open_in_dir(dir)?;
        if index.schema() != Fields::new().0 {
            return damaged("made by another version");
        }
        if !index.validate_checksum()?.is_empty() {
            return damaged("a checksum does not match");
        }
        let payload = index.load_metas()?.payload.unwrap_or_default();
        let applied = match payload.parse() {
            Ok(sequence) => Some(sequence),
            Err(_) if payload.is_empty() => None,
            Err(_) => return damaged("the applied sequence is not a number"),
        };
        Ok((Self::with_index(index)?, applied))
    }

    fn with_index(index: Index) -> tantivy::Result<Self> {
        index.tokenizers().register(ANALYSER, analyser(true));
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let (_, fields) = Fields::new();
        let inner = Inner {
            index,
            reader,
            fields,
            query_analyser: analyser(false),
            writer: Mutex::default(),
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

    /// Forgets everything, also the applied sequence.
    ///
    /// # Errors
    /// [`TextError`] when the commit fails.
    pub fn clear(&self) -> Result<(), TextError> {
        self.commit("", |writer| writer.delete_all_documents().map(drop))
    }

    /// Ends the writer: its merges finish, its threads and memory are given back until the next
    /// [`TextIndex::apply`]. For an indexer that has nothing to do, and before the process ends.
    ///
    /// # Errors
    /// [`TextError`] when a merge failed; the index is as it was before the merge.
    pub fn rest(&self) -> Result<(), TextError> {
        let mut guard = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = guard.take() {
            writer.wait_merging_threads()?;
            self.inner.reader.reload()?;
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
    /// [`TextError`] when the index cannot be read.
    pub fn search(
        &self,
        query: &str,
        k: usize,
        allowed: &RoaringBitmap,
    ) -> Result<Vec<TextHit>, TextError> {
        let Inner { reader, fields, query_analyser, .. } = &*self.inner;
        Ok(query::search(&reader.searcher(), *fields, query_analyser, query, k, allowed)?)
    }

    /// Runs `change` and commits with `payload`. A writer that failed is dropped with what it had
    /// not committed, and the next call begins with a new one.
    fn commit(
        &self,
        payload: &str,
        change: impl Fn(&IndexWriter) -> tantivy::Result<()>,
    ) -> Result<(), TextError> {
        let mut guard = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writer = match guard.take() {
            Some(writer) => writer,
            None => self.writer()?,
        };
        change(&writer)?;
        let mut commit = writer.prepare_commit()?;
        commit.set_payload(payload);
        commit.commit()?;
        *guard = Some(writer);
        Ok(self.inner.reader.reload()?)
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
