//! A person's documents: adding, changing, listing, deleting, searching.

use super::Knowledge;
use super::error::KnowledgeError;
use super::field::Fields;
use super::redact::clear;
use super::tables::{
    BY_OWNER, ContentRow, DocumentRow, DocumentType, PreviewRow, Visibility, preview,
};
use crate::base::id::{DocumentId, UserId};
use crate::base::{Ids, Json, Page, PageRequest, Time};
use crate::engine::db::{DbError, Fault, Row, Span, View, Write, key};
use crate::search::{self, Answer, Asked, Scope};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

/// Documents one person may have: a list without filters stays fast, a script that runs away ends.
const DOCUMENTS_MAX: usize = 10_000;
/// Passages read back at most when a fault is looked for; the rest of a list says nothing new.
const FAULTS_MAX: usize = 100;

/// A document as somebody gives it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Draft {
    /// Its title.
    pub title: String,
    /// Its text.
    pub content: String,
    /// What it is about.
    pub description: Option<String>,
    /// What kind it is.
    pub document_type: DocumentType,
    /// Its tags.
    pub tags: Vec<String>,
    /// Whatever else is kept with it.
    pub metadata: Json,
    /// Name of the uploaded file.
    pub original_filename: Option<String>,
    /// Media type of the text.
    pub content_type: String,
}

impl Draft {
    /// Trims and checks every field.
    ///
    /// # Errors
    /// [`KnowledgeError::Invalid`] naming each field that is wrong.
    pub fn checked(self) -> Result<Self, KnowledgeError> {
        let mut fields = Fields::default();
        let checked = Self {
            title: fields.title(&self.title),
            content: fields.content(self.content),
            description: fields.description(self.description),
            tags: fields.tags(self.tags),
            metadata: fields.metadata(self.metadata),
            ..self
        };
        fields.done()?;
        Ok(checked)
    }

    /// Bytes that are equal for equal drafts, to tell a repeated request from another one.
    ///
    /// # Errors
    /// [`KnowledgeError::Storage`] when it cannot be encoded.
    pub(super) fn fingerprint(&self) -> Result<Vec<u8>, KnowledgeError> {
        let broken = |e: serde_json::Error| DbError::Decode {
            table: DocumentRow::TABLE,
            detail: e.to_string(),
        };
        Ok(serde_json::to_vec(self).map_err(broken)?)
    }

    /// What is stored, given the document's place in the world.
    fn row(&self, document_id: DocumentId, owner: UserId, now: Time) -> DocumentRow {
        DocumentRow {
            document_id,
            owner,
            title: self.title.clone(),
            description: self.description.clone(),
            document_type: self.document_type,
            visibility: Visibility::Private,
            tags: self.tags.clone(),
            metadata: self.metadata.clone(),
            original_filename: self.original_filename.clone(),
            content_type: self.content_type.clone(),
            content_bytes: self.content.len() as u64,
            passages: 0,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }
}

/// What is to change; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Another title.
    pub title: Option<String>,
    /// Another text.
    pub content: Option<String>,
    /// Another description; blank takes it away.
    pub description: Option<String>,
    /// Another kind.
    pub document_type: Option<DocumentType>,
    /// Other tags.
    pub tags: Option<Vec<String>>,
    /// Other metadata.
    pub metadata: Option<Json>,
}

/// Which documents to list or search; absent conditions hold for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these kinds.
    pub document_types: Vec<DocumentType>,
    /// Only with at least one of these tags.
    pub tags: Vec<String>,
    /// Only with this in title, description or a tag, whatever the case of letters.
    pub words: Option<String>,
    /// Only these documents.
    pub documents: Option<HashSet<DocumentId>>,
}

impl Filter {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn takes(&self, row: &DocumentRow) -> bool {
        let kind = &self.document_types;
        (kind.is_empty() || kind.contains(&row.document_type))
            && (self.tags.is_empty() || self.tags.iter().any(|tag| row.tags.contains(tag)))
            && self.documents.as_ref().is_none_or(|some| some.contains(&row.document_id))
            && self.words.as_ref().is_none_or(|words| {
                let words = words.to_lowercase();
                let says = |text: &String| text.to_lowercase().contains(&words);
                says(&row.title)
                    || row.description.as_ref().is_some_and(says)
                    || row.tags.iter().any(says)
            })
    }
}

/// Name of the collection that a person's documents are found in (seed 5.5.8).
pub fn collection(owner: UserId) -> String {
    format!("kb_private_{owner}")
}

/// Redacts and cuts a document, ready to be stored for search; on a blocking thread if it is long.
/// Passages know their place in the text as given.
///
/// # Errors
/// [`KnowledgeError::Search`] when it is too long, the tokenizer fails or the server is stopping.
pub async fn prepare(
    knowledge: &Knowledge,
    document_id: DocumentId,
    owner: UserId,
    (title, content): (&str, &str),
    ids: &Ids,
    now: Time,
) -> Result<search::Document, KnowledgeError> {
    let cleared = clear(&knowledge.policy, ids.secret(), title, content).await?;
    let mut chunks = knowledge.search.prepare(&cleared.content, ids, now).await?;
    for chunk in &mut chunks {
        chunk.offset_start = cleared.places.start(chunk.offset_start as usize) as u64;
        chunk.offset_end = cleared.places.end(chunk.offset_end as usize) as u64;
    }
    Ok(search::Document {
        document: *document_id.as_bytes(),
        collection: collection(owner),
        title: cleared.title,
        chunks,
    })
}

/// Whether the person may have one document more; to be asked before the first write.
///
/// # Errors
/// [`KnowledgeError::TooMany`] otherwise.
pub fn has_room(tx: &impl View, owner: UserId) -> Result<(), KnowledgeError> {
    match tx.count(&BY_OWNER, &Span::prefix(&key().id(&owner)))? {
        0..DOCUMENTS_MAX => Ok(()),
        _ => Err(KnowledgeError::TooMany(DOCUMENTS_MAX)),
    }
}

/// Stores a new document: row, text and passages in the caller's transaction, which asked
/// [`has_room`].
///
/// # Errors
/// What search refuses.
pub fn add(
    tx: &Write<'_>,
    knowledge: &Knowledge,
    owner: UserId,
    draft: &Draft,
    prepared: &search::Document,
    now: Time,
) -> Result<DocumentRow, KnowledgeError> {
    let document_id = DocumentId::from_bytes(prepared.document);
    let mut row = draft.row(document_id, owner, now);
    row.passages = prepared.chunks.len() as u32;
    tx.insert(&row)?;
    put_content(tx, document_id, &draft.content)?;
    knowledge.search.put(tx, prepared)?;
    Ok(row)
}

/// Stores a text and the start of it that lists show.
fn put_content(
    tx: &Write<'_>,
    document_id: DocumentId,
    content: &str,
) -> Result<(), KnowledgeError> {
    tx.put(&ContentRow { document_id, content: content.to_owned() })?;
    Ok(tx.put(&PreviewRow { document_id, preview: preview(content).to_owned() })?)
}

/// The document and its text, if it is the caller's.
///
/// # Errors
/// [`KnowledgeError::Missing`] otherwise.
pub fn read(
    tx: &impl View,
    owner: UserId,
    document_id: DocumentId,
) -> Result<(DocumentRow, String), KnowledgeError> {
    let row = own(tx, owner, document_id)?;
    let content = tx.get::<ContentRow>(&document_id)?.ok_or(KnowledgeError::Missing)?.content;
    Ok((row, content))
}

/// The document, if it is the caller's.
///
/// # Errors
/// [`KnowledgeError::Missing`] otherwise.
pub fn own(
    tx: &impl View,
    owner: UserId,
    document_id: DocumentId,
) -> Result<DocumentRow, KnowledgeError> {
    let row = tx.get::<DocumentRow>(&document_id)?;
    row.filter(|row| row.owner == owner).ok_or(KnowledgeError::Missing)
}

/// The document, if it is the caller's and still of this version.
///
/// # Errors
/// [`KnowledgeError::Missing`], or [`KnowledgeError::Version`] when it is no longer `version`.
pub fn unchanged(
    tx: &impl View,
    (owner, document_id, version): (UserId, DocumentId, u64),
) -> Result<DocumentRow, KnowledgeError> {
    let row = own(tx, owner, document_id)?;
    if row.version != version {
        return Err(KnowledgeError::Version { expected: version, actual: row.version });
    }
    Ok(row)
}

/// Applies a change to a document that was read before, and checks the result.
///
/// # Errors
/// [`KnowledgeError::Invalid`] naming each field that is wrong.
pub fn changed(
    row: &DocumentRow,
    content: String,
    change: Change,
) -> Result<Draft, KnowledgeError> {
    let draft = Draft {
        title: change.title.unwrap_or_else(|| row.title.clone()),
        content: change.content.unwrap_or(content),
        description: change.description.or_else(|| row.description.clone()),
        document_type: change.document_type.unwrap_or(row.document_type),
        tags: change.tags.unwrap_or_else(|| row.tags.clone()),
        metadata: change.metadata.unwrap_or_else(|| row.metadata.clone()),
        original_filename: row.original_filename.clone(),
        content_type: row.content_type.clone(),
    };
    draft.checked()
}

/// Stores a changed document. `prepared` is absent when title and text stayed, and the index with
/// them.
///
/// # Errors
/// [`KnowledgeError::Missing`], or [`KnowledgeError::Version`] when it is no longer `version`.
pub fn put(
    tx: &Write<'_>,
    knowledge: &Knowledge,
    which: (UserId, DocumentId, u64),
    draft: &Draft,
    prepared: Option<&search::Document>,
    now: Time,
) -> Result<DocumentRow, KnowledgeError> {
    let old = unchanged(tx, which)?;
    let (owner, document_id, version) = which;
    let mut row = draft.row(document_id, owner, old.created_at);
    row.updated_at = now;
    row.version = version + 1;
    row.passages = old.passages;
    if let Some(prepared) = prepared {
        row.passages = prepared.chunks.len() as u32;
        put_content(tx, document_id, &draft.content)?;
        knowledge.search.put(tx, prepared)?;
    }
    tx.put(&row)?;
    Ok(row)
}

/// Deletes a document with its text, passages and vectors; it is unfindable at the next read.
///
/// # Errors
/// [`KnowledgeError::Missing`], or [`KnowledgeError::Version`] when it is no longer `version`.
pub fn delete(
    tx: &Write<'_>,
    knowledge: &Knowledge,
    owner: UserId,
    document_id: DocumentId,
    version: Option<u64>,
) -> Result<DocumentRow, KnowledgeError> {
    let row = own(tx, owner, document_id)?;
    if let Some(expected) = version.filter(|version| *version != row.version) {
        return Err(KnowledgeError::Version { expected, actual: row.version });
    }
    knowledge.search.remove(tx, document_id.as_bytes())?;
    tx.delete::<ContentRow>(&document_id)?;
    tx.delete::<PreviewRow>(&document_id)?;
    tx.delete::<DocumentRow>(&document_id)?;
    Ok(row)
}

/// A person's documents, newest first.
///
/// # Errors
/// [`KnowledgeError::Storage`] when the store fails.
pub fn list(
    tx: &impl View,
    owner: UserId,
    filter: &Filter,
    request: PageRequest,
) -> Result<Page<DocumentRow>, KnowledgeError> {
    let span = Span::prefix(&key().id(&owner));
    if filter.is_empty() {
        return Ok(tx.page(&BY_OWNER, &span, request)?);
    }
    let mut page = Page { items: Vec::new(), total_count: 0, request };
    tx.each(&BY_OWNER, &span, |row| {
        if filter.takes(&row) {
            if page.total_count >= request.offset && page.items.len() < request.limit {
                page.items.push(row);
            }
            page.total_count += 1;
        }
        ControlFlow::Continue(())
    })?;
    Ok(page)
}

/// The start of the text of a document that was just listed, at most 2 KiB; empty when it is gone.
///
/// # Errors
/// [`KnowledgeError::Storage`] when the store fails.
pub fn start(tx: &impl View, row: &DocumentRow) -> Result<String, KnowledgeError> {
    let stored = tx.get::<PreviewRow>(&row.document_id)?;
    Ok(stored.map(|row| row.preview).unwrap_or_default())
}

/// Answers a query from a person's documents that pass the filter.
///
/// # Errors
/// [`KnowledgeError::Search`] when `k` is out of range or an engine fails.
pub fn find(
    tx: &impl View,
    knowledge: &Knowledge,
    owner: UserId,
    asked: &Asked,
    k: usize,
    filter: &Filter,
) -> Result<Answer, KnowledgeError> {
    let mut scope = Scope { collections: vec![collection(owner)], documents: None };
    if !filter.is_empty() {
        let mut documents = Vec::new();
        tx.each(&BY_OWNER, &Span::prefix(&key().id(&owner)), |row| {
            if filter.takes(&row) {
                documents.push(*row.document_id.as_bytes());
            }
            ControlFlow::Continue(())
        })?;
        scope.documents = Some(documents);
    }
    Ok(knowledge.search.find(tx, asked, k, &scope)?)
}

/// Size of a person's knowledge base.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Documents.
    pub documents: u64,
    /// Passages of all of them.
    pub passages: u64,
    /// Bytes of text.
    pub bytes: u64,
    /// Documents by kind.
    pub by_type: BTreeMap<&'static str, u64>,
    /// Documents by tag.
    pub by_tag: BTreeMap<String, u64>,
    /// When one was last added or changed.
    pub last_updated: Option<Time>,
}

/// Adds up a person's documents.
///
/// # Errors
/// [`KnowledgeError::Storage`] when the store fails.
pub fn totals(tx: &impl View, owner: UserId) -> Result<Totals, KnowledgeError> {
    let mut totals = Totals::default();
    tx.each(&BY_OWNER, &Span::prefix(&key().id(&owner)), |row: DocumentRow| {
        totals.documents += 1;
        totals.passages += u64::from(row.passages);
        totals.bytes += row.content_bytes;
        *totals.by_type.entry(row.document_type.as_str()).or_default() += 1;
        for tag in row.tags {
            *totals.by_tag.entry(tag).or_default() += 1;
        }
        totals.last_updated = totals.last_updated.max(Some(row.updated_at));
        ControlFlow::Continue(())
    })?;
    Ok(totals)
}

/// Checks that every document has its text and its passages. Empty when all is well.
///
/// # Errors
/// [`KnowledgeError`] when the store fails.
pub fn check(tx: &impl View, knowledge: &Knowledge) -> Result<Vec<Fault>, KnowledgeError> {
    let mut rows = Vec::new();
    tx.each_row(&Span::all(), |row: DocumentRow| {
        rows.push((row.document_id, row.passages));
        ControlFlow::Continue(())
    })?;
    let mut faults = Vec::new();
    for (document_id, passages) in rows {
        let indexed = knowledge.search.passages(tx, document_id.as_bytes())?;
        if indexed != Some(passages) && faults.len() < FAULTS_MAX {
            let detail = format!("{document_id} has {passages} passages, search has {indexed:?}");
            faults.push(Fault { place: DocumentRow::TABLE, detail });
        }
        let text = tx.contains::<ContentRow>(&document_id)?;
        if !(text && tx.contains::<PreviewRow>(&document_id)?) && faults.len() < FAULTS_MAX {
            let place = if text { PreviewRow::TABLE } else { ContentRow::TABLE };
            faults.push(Fault { place, detail: format!("{document_id} has no text") });
        }
    }
    Ok(faults)
}
