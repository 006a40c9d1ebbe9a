//! Routes of the knowledge base, and the shapes on the wire.

use super::Knowledge;
use super::error::KnowledgeError;
use super::jobs::{KB_INDEX, Payload};
use super::tables::{DocumentRow, DocumentType, Visibility, preview};
use super::upload;
use super::user::{self, Change, Draft, Filter, Totals};
use crate::base::id::{ChunkId, DocumentId, EventId, JobId, UserId};
use crate::base::{Json, Page, Time};
use crate::engine::db::{DbError, Write};
use crate::jobs::{self, NewJob};
use crate::ops::audit::{self, Category, Entry, Who};
use crate::ops::event;
use crate::search::{self, Answer as Found, K_MAX, Mode, Scores};
use crate::web::{
    self, Answer, Body, Ctx, Failure, Once, Paging, Path, Query, Reply, Shell, if_match,
    no_content, once, version_mismatch, versioned,
};
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{FromRequest, HttpRequest, delete, get, post, put};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use utoipa::ToSchema;

/// Hits of a search that does not say how many.
const K_DEFAULT: usize = 5;
/// Documents that a filter may name.
const FILTER_DOCUMENTS_MAX: usize = 1000;

/// Routes under the API's base path.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(add_document)
        .service(list_documents)
        .service(read_document)
        .service(put_document)
        .service(delete_document)
        .service(search_documents)
        .service(read_stats)
        .service(list_own_documents)
        .service(upload_document)
        .service(delete_own_document);
}

/// The description of these routes.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    add_document,
    list_documents,
    read_document,
    put_document,
    delete_document,
    search_documents,
    read_stats,
    list_own_documents,
    upload_document,
    delete_own_document
))]
pub struct Doc;

/// A document without anything its owner wrote at length.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Head {
    /// The document.
    document_id: DocumentId,
    /// Who owns it.
    user_id: UserId,
    /// The same, in the seed's words.
    owner_user_id: UserId,
    /// Its title.
    title: String,
    /// Length of the whole text in bytes.
    file_size: u64,
    /// What kind it is.
    document_type: DocumentType,
    /// Who may see it.
    visibility: Visibility,
    /// What the caller may do with it.
    permission: &'static str,
    /// Its tags.
    tags: Vec<String>,
    /// Name of the uploaded file.
    original_filename: Option<String>,
    /// Media type of the text.
    content_type: String,
    /// The collection it is found in.
    collection: String,
    /// The same, in the seed's words.
    chromadb_collection: String,
    /// Number of its passages.
    chunk_count: u32,
    /// The same, in the seed's words.
    chromadb_doc_count: u32,
    /// Version, as in `ETag`.
    version: u64,
    /// When it was added.
    created_at: Time,
    /// When it was last changed.
    updated_at: Time,
}

/// A document.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DocumentBody {
    #[serde(flatten)]
    head: Head,
    /// What it is about.
    description: Option<String>,
    /// Its text; in lists and answers to a change at most 2 KiB of it.
    content: String,
    /// Whether there is more text than `content` has.
    content_truncated: bool,
    /// Whatever else is kept with it.
    metadata: Json,
}

impl DocumentBody {
    /// With the whole text, or the start of it.
    fn new(mut row: DocumentRow, content: String) -> Self {
        Self {
            description: row.description.take(),
            content_truncated: (content.len() as u64) < row.content_bytes,
            content,
            metadata: std::mem::take(&mut row.metadata),
            head: Head::new(row),
        }
    }
}

impl Head {
    fn new(row: DocumentRow) -> Self {
        let collection = user::collection(row.owner);
        Self {
            document_id: row.document_id,
            user_id: row.owner,
            owner_user_id: row.owner,
            title: row.title,
            file_size: row.content_bytes,
            document_type: row.document_type,
            visibility: row.visibility,
            permission: "write",
            tags: row.tags,
            original_filename: row.original_filename,
            content_type: row.content_type,
            chromadb_collection: collection.clone(),
            collection,
            chunk_count: row.passages,
            chromadb_doc_count: row.passages,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A document that was just added. The answer to a repeated request is kept for a day, also when
/// the document is deleted meanwhile, and therefore has nothing of its text.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Added {
    #[serde(flatten)]
    head: Head,
    /// The job that ends when the document can be found.
    job_id: JobId,
    /// `processing` until then.
    status: &'static str,
}

/// A document that was just changed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Stored {
    #[serde(flatten)]
    document: DocumentBody,
    /// The job that ends when the document can be found; absent when a change left title and text
    /// as they were.
    job_id: Option<JobId>,
    /// `processing` until then.
    status: &'static str,
}

/// A document to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddDocument {
    /// Its title, at most 500 characters.
    title: String,
    /// Its text, plain or Markdown.
    content: String,
    /// What it is about.
    description: Option<String>,
    /// What kind it is.
    #[serde(default)]
    document_type: DocumentType,
    /// Its tags.
    #[serde(default)]
    tags: Vec<String>,
    /// Whatever else is to be kept with it: a JSON object.
    metadata: Option<Json>,
    /// Who may see it.
    #[serde(default)]
    #[allow(dead_code, reason = "checked by its type: there is one value yet")]
    visibility: Visibility,
}

/// What to change; absent members stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutDocument {
    /// Another title.
    title: Option<String>,
    /// Another text.
    content: Option<String>,
    /// Another description; blank takes it away.
    description: Option<String>,
    /// Another kind.
    document_type: Option<DocumentType>,
    /// Other tags.
    tags: Option<Vec<String>>,
    /// Other metadata: a JSON object.
    metadata: Option<Json>,
    /// Who may see it.
    #[serde(default)]
    #[allow(dead_code, reason = "checked by its type: there is one value yet")]
    visibility: Visibility,
}

/// Whose documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Reach {
    /// One's own.
    Mine,
    /// Of others who share them.
    Shared,
    /// Of the server.
    Global,
    /// All of these.
    #[default]
    All,
}

impl Reach {
    /// Whether one's own documents are among them.
    fn has_own(self) -> bool {
        matches!(self, Self::Mine | Self::All)
    }
}

/// Conditions of a list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
pub(super) struct ListQuery {
    /// Whose documents.
    #[serde(default)]
    scope: Reach,
    /// Only this kind.
    document_type: Option<DocumentType>,
    /// Only with this tag.
    tag: Option<String>,
    /// Only with one of these tags, separated by commas.
    tags: Option<String>,
    /// Only with this in title, description or a tag.
    q: Option<String>,
}

impl ListQuery {
    fn filter(&self) -> Filter {
        let listed = self.tags.iter().flat_map(|tags| tags.split(','));
        let tags = listed.chain(self.tag.as_deref()).map(|tag| tag.trim().to_owned());
        Filter {
            document_types: self.document_type.into_iter().collect(),
            tags: tags.filter(|tag| !tag.is_empty()).collect(),
            words: self.q.clone(),
            documents: None,
        }
    }
}

/// A question to the documents.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchDocuments {
    /// The question, in plain words.
    query: String,
    /// Most hits wanted, 1 to 100.
    #[serde(alias = "limit")]
    k: Option<usize>,
    /// Which rankings answer.
    #[serde(default)]
    mode: Mode,
    /// Whose documents.
    #[serde(default)]
    scope: Reach,
    /// Which of them.
    #[serde(default)]
    filters: Filters,
    /// Whether to order the best once more by a finer model, where there is one.
    #[serde(default)]
    #[allow(dead_code, reason = "answered honestly by `reranked`")]
    rerank: bool,
}

/// Conditions of a search; each that is given must hold.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Filters {
    /// Only this kind.
    document_type: Option<DocumentType>,
    /// Only these kinds.
    #[serde(default)]
    document_types: Vec<DocumentType>,
    /// Only with at least one of these tags.
    #[serde(default)]
    tags: Vec<String>,
    /// Only these documents.
    document_ids: Option<Vec<DocumentId>>,
}

/// A passage that answers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SearchResult {
    /// The document it is part of.
    document_id: DocumentId,
    /// The passage.
    chunk_id: ChunkId,
    /// Title of the document, redacted.
    title: String,
    /// The headings above the passage.
    heading: String,
    /// The passage, redacted.
    text: String,
    /// First byte in the document's `content`.
    offset_start: u64,
    /// Byte after the last one.
    offset_end: u64,
    /// 0 to 1, higher is better; comparable within one answer.
    score: f32,
    /// What each ranking says.
    scores: Scores,
    /// The collection it was found in.
    collection: String,
    /// What the caller may do with the document.
    permission: &'static str,
}

/// The answer to a question: the best passages of `k` different documents where there are as many,
/// otherwise further passages of the same ones.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SearchAnswer {
    /// The question.
    query: String,
    /// Best first.
    results: Vec<SearchResult>,
    /// Number of results.
    total_results: usize,
    /// Whether these are proven to be the best.
    exact: bool,
    /// Why, or why not.
    reason: String,
    /// The model that answered, or `lexical`.
    model: String,
    /// The rankings that answered: fewer than asked for while there is no model.
    mode: Mode,
    /// Whether a finer model ordered the best once more.
    reranked: bool,
    /// Time it took on the server.
    took_ms: f64,
}

/// Size of a knowledge base, and the state of its index.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Stats {
    /// Documents.
    total_documents: u64,
    /// Passages of all of them.
    total_chunks: u64,
    /// Bytes of text.
    total_bytes: u64,
    /// Documents by kind.
    documents_by_type: BTreeMap<&'static str, u64>,
    /// Documents by tag.
    documents_by_tag: BTreeMap<String, u64>,
    /// When one was last added or changed.
    last_updated: Option<Time>,
    /// How search stands.
    index: search::State,
}

/// Adds a document, as JSON or as a form with a `file`.
#[utoipa::path(tag = "knowledge", request_body = AddDocument,
    responses((status = 201, body = Added), (status = 413), (status = 415), (status = 422)))]
#[post("/knowledge/documents")]
pub(super) async fn add_document(
    ctx: Ctx,
    knowledge: Data<Knowledge>,
    keyed: Once,
    request: HttpRequest,
    payload: actix_web::web::Payload,
) -> Answer {
    ctx.user()?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_form = kind.is_some_and(|kind| kind.trim_start().starts_with("multipart/"));
    let draft = if is_form {
        upload::read(&request, payload).await?
    } else {
        let mut payload = payload.into_inner();
        let body = Body::<AddDocument>::from_request(&request, &mut payload).await?.into_inner();
        Draft {
            title: body.title,
            content: body.content,
            description: body.description,
            document_type: body.document_type,
            tags: body.tags,
            metadata: body.metadata.unwrap_or_default(),
            original_filename: None,
            content_type: "text/markdown".to_owned(),
        }
    };
    store(&ctx, &knowledge, &keyed, draft).await
}

/// Lists documents, newest first.
#[utoipa::path(tag = "knowledge", params(ListQuery),
    responses((status = 200, body = Vec<DocumentBody>), (status = 422)))]
#[get("/knowledge/documents")]
pub(super) async fn list_documents(
    ctx: Ctx,
    request: HttpRequest,
    query: Query<ListQuery>,
    paging: Paging,
) -> Answer {
    list(&ctx, &request, &query, &paging)
}

/// Reads a document with its whole text.
#[utoipa::path(tag = "knowledge", params(("id" = DocumentId, Path)),
    responses((status = 200, body = DocumentBody), (status = 404)))]
#[get("/knowledge/documents/{id}")]
pub(super) async fn read_document(ctx: Ctx, id: Path<DocumentId>) -> Answer {
    let owner = ctx.user()?;
    let (row, content) = ctx.db.read(|tx| user::read(tx, owner, *id))?;
    let version = row.version;
    versioned(StatusCode::OK, &DocumentBody::new(row, content), version)
}

/// Changes a document; what is absent in the body stays.
#[utoipa::path(tag = "knowledge", params(("id" = DocumentId, Path)), request_body = PutDocument,
    responses((status = 200, body = Stored), (status = 404), (status = 412), (status = 422)))]
#[put("/knowledge/documents/{id}")]
pub(super) async fn put_document(
    ctx: Ctx,
    knowledge: Data<Knowledge>,
    id: Path<DocumentId>,
    request: HttpRequest,
    body: Body<PutDocument>,
) -> Answer {
    let owner = ctx.user()?;
    let (document_id, expected, body) = (*id, if_match(&request)?, body.into_inner());
    let (row, content) = ctx.db.read(|tx| user::read(tx, owner, document_id))?;
    if let Some(expected) = expected.filter(|version| *version != row.version) {
        return Err(version_mismatch(expected, row.version));
    }
    let change = Change {
        title: body.title,
        content: body.content,
        description: body.description,
        document_type: body.document_type,
        tags: body.tags,
        metadata: body.metadata,
    };
    let before = content.clone();
    let draft = user::changed(&row, content, change)?;
    let same = draft.title == row.title && draft.content == before;
    let prepared = match same {
        true => None,
        false => Some(prepare(&ctx, &knowledge, document_id, owner, &draft).await?),
    };
    let trail = Trail::new(&ctx, event::KB_DOCUMENT_UPDATED);
    let (knowledge, now) = (knowledge.into_inner(), ctx.now);
    let job_id = prepared.as_ref().map(|_| ctx.ids.next(now));
    let version = row.version;
    let change = move |tx: &Write<'_>| -> Result<(DocumentRow, String), KnowledgeError> {
        // What may refuse comes before the first write.
        let which = (owner, document_id, version);
        user::unchanged(tx, which)?;
        if let Some(job_id) = job_id {
            follow(tx, job_id, (owner, document_id), now)?;
        }
        let row = user::put(tx, &knowledge, which, &draft, prepared.as_ref(), now)?;
        trail.record(tx, &row)?;
        Ok((row, preview(&draft.content).to_owned()))
    };
    let (row, content) = ctx.db.write(change).await.map_err(refuse)?;
    let (version, status) = (row.version, status(job_id));
    let stored = Stored { document: DocumentBody::new(row, content), job_id, status };
    versioned(StatusCode::OK, &stored, version)
}

/// Deletes a document, with everything made from it.
#[utoipa::path(tag = "knowledge", params(("id" = DocumentId, Path)),
    responses((status = 204), (status = 404), (status = 412)))]
#[delete("/knowledge/documents/{id}")]
pub(super) async fn delete_document(
    ctx: Ctx,
    knowledge: Data<Knowledge>,
    id: Path<DocumentId>,
    request: HttpRequest,
) -> Answer {
    remove(&ctx, &knowledge, *id, &request).await
}

/// Finds passages by meaning and words.
#[utoipa::path(tag = "knowledge", request_body = SearchDocuments,
    responses((status = 200, body = SearchAnswer), (status = 422), (status = 503)))]
#[post("/knowledge/search")]
pub(super) async fn search_documents(
    ctx: Ctx,
    knowledge: Data<Knowledge>,
    shell: Data<Shell>,
    body: Body<SearchDocuments>,
) -> Answer {
    let owner = ctx.user()?;
    let start = shell.clock.now();
    let body = body.into_inner();
    let k = body.k.unwrap_or(K_DEFAULT);
    if !(1..=K_MAX).contains(&k) {
        let message = format!("must be between 1 and {K_MAX}");
        return Err(Failure::invalid("invalid_body", "k", message));
    }
    if body.query.trim().is_empty() {
        return Err(Failure::invalid("invalid_body", "query", "must not be blank"));
    }
    let mut filter = filter(body.filters)?;
    if !body.scope.has_own() {
        filter.documents = Some(HashSet::new());
    }
    let asked = knowledge.search.ask(&body.query, body.mode).await?;
    let found = ctx.db.read(|tx| user::find(tx, &knowledge, owner, &asked, k, &filter))?;
    let took_us = shell.clock.now().unix_us() - start.unix_us();
    web::json(StatusCode::OK, &answer(body.query, found, took_us as f64 / 1000.0))
}

/// Adds up the caller's documents.
#[utoipa::path(tag = "knowledge", responses((status = 200, body = Stats)))]
#[get("/knowledge/stats")]
pub(super) async fn read_stats(ctx: Ctx, knowledge: Data<Knowledge>) -> Answer {
    let owner = ctx.user()?;
    let totals = ctx.db.read(|tx| user::totals(tx, owner))?;
    let Totals { documents, passages, bytes, by_type, by_tag, last_updated } = totals;
    let stats = Stats {
        total_documents: documents,
        total_chunks: passages,
        total_bytes: bytes,
        documents_by_type: by_type,
        documents_by_tag: by_tag,
        last_updated,
        index: knowledge.search.ready(),
    };
    web::json(StatusCode::OK, &stats)
}

/// Lists the caller's documents, as the dashboard asks for them.
#[utoipa::path(tag = "knowledge", params(ListQuery),
    responses((status = 200, body = Vec<DocumentBody>), (status = 422)))]
#[get("/documents")]
pub(super) async fn list_own_documents(
    ctx: Ctx,
    request: HttpRequest,
    query: Query<ListQuery>,
    paging: Paging,
) -> Answer {
    list(&ctx, &request, &query, &paging)
}

/// Adds a file, as the dashboard sends it.
#[utoipa::path(tag = "knowledge",
    responses((status = 201, body = Added), (status = 413), (status = 415), (status = 422)))]
#[post("/documents/upload")]
pub(super) async fn upload_document(
    ctx: Ctx,
    knowledge: Data<Knowledge>,
    keyed: Once,
    request: HttpRequest,
    payload: actix_web::web::Payload,
) -> Answer {
    ctx.user()?;
    let draft = upload::read(&request, payload).await?;
    store(&ctx, &knowledge, &keyed, draft).await
}

/// Deletes a document, as the dashboard asks for it.
#[utoipa::path(tag = "knowledge", params(("id" = DocumentId, Path)),
    responses((status = 204), (status = 404), (status = 412)))]
#[delete("/documents/{id}")]
pub(super) async fn delete_own_document(
    ctx: Ctx,
    knowledge: Data<Knowledge>,
    id: Path<DocumentId>,
    request: HttpRequest,
) -> Answer {
    remove(&ctx, &knowledge, *id, &request).await
}

async fn store(ctx: &Ctx, knowledge: &Data<Knowledge>, keyed: &Once, draft: Draft) -> Answer {
    let owner = ctx.user()?;
    let draft = draft.checked()?;
    let document_id = ctx.ids.next(ctx.now);
    let prepared = prepare(ctx, knowledge, document_id, owner, &draft).await?;
    let fingerprint = draft.fingerprint()?;
    let trail = Trail::new(ctx, event::KB_DOCUMENT_UPLOADED);
    let (knowledge, now) = (Data::clone(knowledge), ctx.now);
    let job_id: JobId = ctx.ids.next(now);
    let add = move |tx: &Write<'_>| -> Result<Reply, KnowledgeError> {
        // What may refuse comes before the first write.
        user::has_room(tx, owner)?;
        follow(tx, job_id, (owner, document_id), now)?;
        let row = user::add(tx, &knowledge, owner, &draft, &prepared, now)?;
        trail.record(tx, &row)?;
        let (location, version) = (address(document_id), row.version);
        let added = Added { head: Head::new(row), job_id, status: status(Some(job_id)) };
        Ok(Reply::created(location, &added)?.with_version(version))
    };
    once(ctx, keyed, &fingerprint, add).await
}

async fn prepare(
    ctx: &Ctx,
    knowledge: &Knowledge,
    document_id: DocumentId,
    owner: UserId,
    draft: &Draft,
) -> Result<search::Document, KnowledgeError> {
    let text = (draft.title.as_str(), draft.content.as_str());
    user::prepare(knowledge, document_id, owner, text, &ctx.ids, ctx.now).await
}

fn list(ctx: &Ctx, request: &HttpRequest, query: &ListQuery, paging: &Paging) -> Answer {
    let owner = ctx.user()?;
    let page = ctx.db.read(|tx| -> Result<Page<DocumentBody>, KnowledgeError> {
        let mut filter = query.filter();
        if !query.scope.has_own() {
            filter.documents = Some(HashSet::new());
        }
        let page = user::list(tx, owner, &filter, paging.request())?;
        let mut items = Vec::with_capacity(page.items.len());
        for row in page.items {
            let start = user::start(tx, &row)?;
            items.push(DocumentBody::new(row, start));
        }
        Ok(Page { items, total_count: page.total_count, request: page.request })
    })?;
    web::list(request, "documents", page)
}

async fn remove(
    ctx: &Ctx,
    knowledge: &Data<Knowledge>,
    document_id: DocumentId,
    request: &HttpRequest,
) -> Answer {
    let (owner, version) = (ctx.user()?, if_match(request)?);
    let trail = Trail::new(ctx, event::KB_DOCUMENT_DELETED);
    let knowledge = Data::clone(knowledge);
    let delete = move |tx: &Write<'_>| -> Result<(), KnowledgeError> {
        let row = user::delete(tx, &knowledge, owner, document_id, version)?;
        Ok(trail.record(tx, &row)?)
    };
    ctx.db.write(delete).await.map_err(refuse)?;
    no_content()
}

fn filter(filters: Filters) -> Result<Filter, Failure> {
    let Filters { document_type, mut document_types, tags, document_ids } = filters;
    document_types.extend(document_type);
    if document_ids.as_ref().is_some_and(|ids| ids.len() > FILTER_DOCUMENTS_MAX) {
        let message = format!("must have at most {FILTER_DOCUMENTS_MAX} entries");
        return Err(Failure::invalid("invalid_body", "filters.document_ids", message));
    }
    let documents = document_ids.map(HashSet::from_iter);
    Ok(Filter { document_types, tags, words: None, documents })
}

fn answer(query: String, found: Found, took_ms: f64) -> SearchAnswer {
    let result = |hit: search::Hit| SearchResult {
        document_id: DocumentId::from_bytes(hit.document),
        chunk_id: hit.chunk_id,
        title: hit.title,
        heading: hit.heading,
        text: hit.text,
        offset_start: hit.offset_start,
        offset_end: hit.offset_end,
        score: hit.score,
        scores: hit.scores,
        collection: hit.collection,
        permission: "write",
    };
    let results: Vec<_> = found.hits.into_iter().map(result).collect();
    SearchAnswer {
        query,
        total_results: results.len(),
        results,
        exact: found.exact,
        reason: found.reason,
        model: found.model,
        mode: found.mode,
        reranked: false,
        took_ms,
    }
}

fn address(document_id: DocumentId) -> String {
    format!("/api/v1/knowledge/documents/{document_id}")
}

fn status(job_id: Option<JobId>) -> &'static str {
    if job_id.is_some() { "processing" } else { "indexed" }
}

/// Queues the job by which the owner learns that the document can be found.
fn follow(
    tx: &Write<'_>,
    job_id: JobId,
    (owner, document_id): (UserId, DocumentId),
    now: Time,
) -> Result<(), KnowledgeError> {
    let payload = Json::from_value(&Payload { document_id }).unwrap_or_default();
    let job = NewJob { job_id, job_type: KB_INDEX, owner, case_id: None, payload, now };
    Ok(jobs::submit(tx, job)?)
}

/// What a caller is told; a version mismatch carries both versions in headers.
fn refuse(error: KnowledgeError) -> Failure {
    match error {
        KnowledgeError::Version { expected, actual } => version_mismatch(expected, actual),
        other => other.into(),
    }
}

/// The audit entry of a request; made outside the write.
struct Trail {
    event_id: EventId,
    at: Time,
    who: Who,
    event_type: &'static str,
}

impl Trail {
    fn new(ctx: &Ctx, event_type: &'static str) -> Self {
        let who = Who::from(&ctx.actor, ctx.request.address);
        Self { event_id: ctx.ids.next(ctx.now), at: ctx.now, who, event_type }
    }

    fn record(&self, tx: &Write<'_>, row: &DocumentRow) -> Result<(), DbError> {
        let details = serde_json::json!({
            "document_type": row.document_type,
            "content_bytes": row.content_bytes,
            "passages": row.passages,
            "version": row.version,
        });
        let entry = Entry {
            event_id: self.event_id,
            at: self.at,
            actor: self.who.actor.clone(),
            event_type: self.event_type,
            category: Category::DataAccess,
            resource_type: "kb_document",
            resource_id: row.document_id.to_string(),
            details: Json::from_value(&details).unwrap_or_default(),
            address: self.who.address.clone(),
            success: true,
        };
        audit::record(tx, entry)
    }
}
