//! Routes of files: upload, list, findings, raw content, delete; classify without storing.

use super::analyse::{Classification, classify};
use super::error::UploadsError;
use super::intake::{Content, Form, Received, Sink, Uploads, blob_key, receive};
use super::jobs::{PREPROCESSING, Payload};
use crate::base::id::{CaseId, EventId, FileId, JobId};
use crate::base::{Json, Time};
use crate::cases::access;
use crate::cases::file::{self, Added, NewFile};
use crate::cases::http::reading;
use crate::cases::{CaseError, FileRow, FileSource, ProcessingStatus};
use crate::engine::blob::{BlobKey, Blobs};
use crate::engine::db::{Db, View, Write};
use crate::jobs::{NewJob, admits, submit};
use crate::ops::{audit, event};
use crate::web::{self, Answer, Ctx, Once, Paging, Path, Reply};
use actix_multipart::Multipart;
use actix_web::http::{StatusCode, header};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use serde::Serialize;
use utoipa::ToSchema;

/// How soon a poller should ask for the job of an upload.
const POLL_AFTER_SECONDS: u32 = 1;
/// What a form may be larger than its file: part headers and text fields.
const FORM_OVERHEAD_BYTES: u64 = 256 * 1024;

/// The form of an upload, for the API description.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form; the parts are read one by one")]
pub(super) struct UploadForm {
    /// The file.
    #[schema(value_type = String, format = Binary)]
    file: String,
    /// The case, where the path does not name it.
    case_id: Option<String>,
    /// What it is, in the uploader's words.
    description: Option<String>,
    /// One of the eight types, to override the classification.
    data_type: Option<String>,
}

/// An upload that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UploadBody {
    file_id: FileId,
    /// The same, as clients of the reference call it.
    data_id: FileId,
    case_id: CaseId,
    filename: String,
    size_bytes: u64,
    file_size: u64,
    sha256: String,
    data_type: Option<String>,
    processing_status: ProcessingStatus,
    uploaded_at: Time,
    /// The job that analyses the file; absent for a duplicate.
    job_id: Option<JobId>,
    /// The file of this case that has the same content already (ruling 15).
    duplicate_of: Option<FileId>,
}

impl UploadBody {
    fn of(row: &FileRow, job_id: Option<JobId>) -> Self {
        Self {
            file_id: row.file_id,
            data_id: row.file_id,
            case_id: row.case_id,
            filename: row.filename.clone(),
            size_bytes: row.size_bytes,
            file_size: row.size_bytes,
            sha256: hex(&row.sha256),
            data_type: row.data_type.clone(),
            processing_status: row.processing_status,
            uploaded_at: row.uploaded_at,
            job_id,
            duplicate_of: job_id.is_none().then_some(row.file_id),
        }
    }
}

/// A file in a list; with its findings when it is read alone.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FileBody {
    file_id: FileId,
    case_id: CaseId,
    filename: String,
    size_bytes: u64,
    /// The size in words, for example `1.4 MB`.
    size_display: String,
    sha256: String,
    content_type: Option<String>,
    description: Option<String>,
    s3_key: String,
    source_type: FileSource,
    uploaded_at: Time,
    uploaded_at_turn: u32,
    uploaded_by: String,
    processing_status: ProcessingStatus,
    /// The same, as clients of the reference call it.
    analysis_status: ProcessingStatus,
    processing_error: Option<String>,
    processed_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
}

impl From<FileRow> for FileBody {
    fn from(row: FileRow) -> Self {
        Self {
            file_id: row.file_id,
            case_id: row.case_id,
            filename: row.filename,
            size_bytes: row.size_bytes,
            size_display: size_display(row.size_bytes),
            sha256: hex(&row.sha256),
            content_type: row.content_type,
            description: row.description,
            s3_key: row.storage_key,
            source_type: row.source_type,
            uploaded_at: row.uploaded_at,
            uploaded_at_turn: row.uploaded_at_turn,
            uploaded_by: row.uploaded_by,
            processing_status: row.processing_status,
            analysis_status: row.processing_status,
            processing_error: row.processing_error,
            processed_at: row.processed_at,
            data_type: row.data_type,
            summary: row.summary,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Decimal units, as disks and browsers count.
pub(super) fn size_display(bytes: u64) -> String {
    let (value, unit) = match bytes {
        0..1_000 => return format!("{bytes} B"),
        1_000..1_000_000 => (bytes as f64 / 1e3, "KB"),
        1_000_000..1_000_000_000 => (bytes as f64 / 1e6, "MB"),
        _ => (bytes as f64 / 1e9, "GB"),
    };
    format!("{value:.1} {unit}")
}

fn prepare(request: &HttpRequest, uploads: &Uploads) -> Result<(), UploadsError> {
    let header = |name| request.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or("");
    let kind = header(header::CONTENT_TYPE).to_ascii_lowercase();
    if !kind.starts_with("multipart/form-data") {
        return Err(UploadsError::NotMultipart);
    }
    let limit_bytes = uploads.limits.file_bytes_max;
    match header(header::CONTENT_LENGTH).parse::<u64>() {
        Ok(length) if length > limit_bytes + FORM_OVERHEAD_BYTES => {
            Err(UploadsError::TooLarge { limit_bytes })
        }
        _ => Ok(()),
    }
}

/// Uploads a file into a case. The answer is 202 with the job that analyses it, or 200 when the case
/// has a file with this content already.
#[utoipa::path(post, path = "/cases/{id}/files", tag = "files", params(("id" = CaseId, Path)),
    request_body(content = UploadForm, content_type = "multipart/form-data"), responses(
    (status = 202, body = UploadBody),
    (status = 200, body = UploadBody, description = "`duplicate_of` names the file"),
    (status = 413, description = "the file is larger than the limit"),
))]
#[actix_web::routes]
#[post("/cases/{id}/files")]
#[post("/cases/{id}/data")]
pub(super) async fn upload_to_case(
    ctx: Ctx,
    request: HttpRequest,
    id: Path<CaseId>,
    once: Once,
    parts: Multipart,
    uploads: Data<Uploads>,
) -> Answer {
    ctx.user()?;
    // Before the body is read: who may not write the case need not send it.
    ctx.db.read(|tx| access::writer(tx, &ctx.actor, id.0)).map_err(UploadsError::from)?;
    take(&ctx, &request, Some(id.0), once, parts, &uploads).await
}

/// Uploads a file; the form names the case.
#[utoipa::path(tag = "files",
    request_body(content = UploadForm, content_type = "multipart/form-data"), responses(
    (status = 202, body = UploadBody),
    (status = 200, body = UploadBody, description = "`duplicate_of` names the file"),
    (status = 413, description = "the file is larger than the limit"),
))]
#[post("/data/upload")]
pub(super) async fn upload(
    ctx: Ctx,
    request: HttpRequest,
    once: Once,
    parts: Multipart,
    uploads: Data<Uploads>,
) -> Answer {
    ctx.user()?;
    take(&ctx, &request, None, once, parts, &uploads).await
}

async fn take(
    ctx: &Ctx,
    request: &HttpRequest,
    case_id: Option<CaseId>,
    once: Once,
    parts: Multipart,
    uploads: &Uploads,
) -> Answer {
    prepare(request, uploads)?;
    let _place = uploads.place(ctx.user()?)?;
    let file_id: FileId = ctx.ids.next(ctx.now);
    let key = blob_key(case_id, file_id)?;
    let sink = Sink::Store { blobs: &uploads.blobs, key: key.clone() };
    let form = receive(parts, sink, uploads.limits.file_bytes_max).await?;
    let answer = match Intake::of(ctx, file_id, case_id, form) {
        Ok((intake, fingerprint)) => {
            web::once(ctx, &once, &fingerprint, move |tx| intake.commit(tx)).await
        }
        Err(error) => Err(error.into()),
    };
    tidy(&ctx.db, &uploads.blobs, file_id, &key, &answer).await;
    answer
}

/// Removes the blob of an upload that left no row: of a refusal, a duplicate, a repeated request.
pub(super) async fn tidy(db: &Db, blobs: &Blobs, file_id: FileId, key: &BlobKey, answer: &Answer) {
    // After a failure of the store the row may be in the log already and appear later: it must find
    // its content. Should no row come, the sweep of orphans takes the blob a day later.
    let is_certain = answer.as_ref().err().is_none_or(|failure| {
        let status = failure.status();
        status.is_client_error() || status == StatusCode::INSUFFICIENT_STORAGE
    });
    let named = !is_certain || db.read(|tx| tx.contains::<FileRow>(&file_id)).unwrap_or(true);
    if !named && let Err(error) = blobs.delete(key).await {
        tracing::warn!(%error, "the blob of an upload that left no row could not be removed");
    }
}

/// Everything the commit of an upload needs.
struct Intake {
    ctx: Ctx,
    file: NewFile,
    payload: Payload,
    job_id: JobId,
    event_id: EventId,
}

impl Intake {
    fn of(
        ctx: &Ctx,
        file_id: FileId,
        case_id: Option<CaseId>,
        form: Form,
    ) -> Result<(Self, Vec<u8>), UploadsError> {
        let missing = |field, message: &str| UploadsError::Field { field, message: message.into() };
        let case_id = case_id
            .or(form.case_id)
            .ok_or_else(|| missing("case_id", "name the case the file belongs to"))?;
        let Some(Received { name, content_type, content: Content::Stored { key, written } }) =
            form.file
        else {
            return Err(missing("file", "the form has no part named `file`"));
        };
        let file = NewFile {
            file_id,
            filename: name,
            size_bytes: written.size_bytes,
            content_type: content_type.filter(|t| t.len() <= file::TYPE_CHARS_MAX),
            sha256: written.sha256,
            data_type: form.data_type.map(|t| t.as_str().to_owned()),
            description: form.description.filter(|text| !text.trim().is_empty()),
            storage_key: key.as_str().to_owned(),
            source_type: FileSource::FileUpload,
        };
        let fingerprint = fingerprint(case_id, &file);
        let evidence_id = ctx.ids.next(ctx.now);
        let payload = Payload { file_id, case_id, evidence_id, data_type: form.data_type };
        let (job_id, event_id) = (ctx.ids.next(ctx.now), ctx.ids.next(ctx.now));
        Ok((Self { ctx: ctx.clone(), file, payload, job_id, event_id }, fingerprint))
    }

    /// Row, job and audit entry in one commit.
    fn commit(&self, tx: &Write<'_>) -> Result<Reply, UploadsError> {
        let now = self.ctx.now;
        let case_id = self.payload.case_id;
        let may = access::writer(tx, &self.ctx.actor, case_id)?;
        let owner = may.user().ok_or(CaseError::Missing(case_id))?;
        // Before the first write: a full queue takes no file either.
        admits(tx, owner)?;
        let row = match file::add(tx, &may, &self.file, now)? {
            Added::Duplicate(row) => {
                return Ok(Reply::new(StatusCode::OK, &UploadBody::of(&row, None))?);
            }
            Added::New(row) => row,
        };
        submit(
            tx,
            NewJob {
                job_id: self.job_id,
                job_type: PREPROCESSING,
                owner,
                case_id: Some(case_id),
                payload: Json::from_value(&self.payload)
                    .map_err(|e| UploadsError::Malformed(e.to_string()))?,
                now,
            },
        )?;
        let details = serde_json::json!({
            "case_id": case_id, "size_bytes": row.size_bytes, "operator": may.is_operator(),
        });
        let entry = entry(&self.ctx, self.event_id, event::FILE_UPLOADED, row.file_id, &details);
        audit::record(tx, entry)?;
        let location = format!("/api/v1/jobs/{}", self.job_id);
        let body = UploadBody::of(&row, Some(self.job_id));
        Ok(Reply::accepted(location, POLL_AFTER_SECONDS, &body)?)
    }
}

/// What makes two uploads the same request: everything the form says. Each part is led by its
/// length, so that no two forms run together to the same bytes.
fn fingerprint(case_id: CaseId, file: &NewFile) -> Vec<u8> {
    let case_id = case_id.to_string();
    let text = |text: &'_ Option<String>| text.as_ref().map(|text| text.as_bytes().to_vec());
    let parts = [
        Some(case_id.into_bytes()),
        Some(file.filename.as_bytes().to_vec()),
        Some(file.sha256.to_vec()),
        text(&file.data_type),
        text(&file.description),
        text(&file.content_type),
    ];
    let mut joined = Vec::new();
    for part in parts {
        // One more than the length: an absent part is not an empty one.
        let length = part.as_ref().map_or(0, |part| part.len() as u64 + 1);
        joined.extend_from_slice(&length.to_be_bytes());
        joined.extend_from_slice(&part.unwrap_or_default());
    }
    joined
}

fn entry(
    ctx: &Ctx,
    event_id: EventId,
    event_type: &'static str,
    file_id: FileId,
    details: &serde_json::Value,
) -> audit::Entry {
    let who = audit::Who::from(&ctx.actor, ctx.request.address);
    audit::Entry {
        event_id,
        at: ctx.now,
        actor: who.actor,
        event_type,
        category: audit::Category::DataAccess,
        resource_type: "file",
        resource_id: file_id.to_string(),
        details: Json::from_value(details).unwrap_or_default(),
        address: who.address,
        success: true,
    }
}

/// Lists the files of a case, newest first.
#[utoipa::path(get, path = "/cases/{id}/files", tag = "files",
    params(("id" = CaseId, Path), Paging), responses((status = 200, body = [FileBody])))]
#[actix_web::routes]
#[get("/cases/{id}/files")]
#[get("/cases/{id}/uploaded-files")]
pub(super) async fn list_files(
    ctx: Ctx,
    request: HttpRequest,
    id: Path<CaseId>,
    paging: Paging,
) -> Answer {
    let page = reading(&ctx, id.0, "files read", |tx, may| {
        Ok::<_, UploadsError>(file::page(tx, may, paging.request())?)
    })
    .await?;
    web::list(&request, "files", page.map(FileBody::from))
}

/// Answers a file with the analysis of its content, once there is one.
#[utoipa::path(get, path = "/cases/{id}/files/{file_id}", tag = "files",
    params(("id" = CaseId, Path), ("file_id" = FileId, Path)),
    responses((status = 200, body = FileBody, description = "with the members of the analysis")))]
#[actix_web::routes]
#[get("/cases/{id}/files/{file_id}")]
#[get("/cases/{id}/uploaded-files/{file_id}")]
pub(super) async fn read_file(ctx: Ctx, ids: Path<(CaseId, FileId)>) -> Answer {
    let (case_id, file_id) = ids.0;
    let (row, analysis) = reading(&ctx, case_id, "file read", |tx, may| {
        Ok::<_, UploadsError>((file::get(tx, may, file_id)?, file::analysis(tx, may, file_id)?))
    })
    .await?;
    let version = row.version;
    let mut body = FileBody::from(row);
    let text = match analysis {
        Some(analysis) => {
            // The analysis has these two itself; its text is joined as it is, not parsed again.
            (body.data_type, body.summary) = (None, None);
            let file = json_text(&body)?;
            match (file.strip_suffix('}'), analysis.strip_prefix('{')) {
                (Some(file), Some(analysis)) => format!("{file},{analysis}"),
                _ => file,
            }
        }
        None => json_text(&body)?,
    };
    Ok(HttpResponse::Ok()
        .insert_header(web::etag(version))
        .content_type(header::ContentType::json())
        .body(text))
}

fn json_text(body: &FileBody) -> Result<String, UploadsError> {
    serde_json::to_string(body).map_err(|e| UploadsError::Malformed(e.to_string()))
}

/// Downloads the raw bytes of a file. Each download is audited (ruling 14).
#[utoipa::path(tag = "files", params(("id" = CaseId, Path), ("file_id" = FileId, Path)),
    responses((status = 200, content_type = "application/octet-stream")))]
#[get("/cases/{id}/files/{file_id}/content")]
pub(super) async fn read_content(
    ctx: Ctx,
    ids: Path<(CaseId, FileId)>,
    uploads: Data<Uploads>,
) -> Answer {
    ctx.user()?;
    let (case_id, file_id) = ids.0;
    let (context, event_id) = (ctx.clone(), ctx.ids.next(ctx.now));
    let row = ctx
        .db
        .write(move |tx| {
            let may = access::reader(tx, &context.actor, case_id)?;
            let row = file::get(tx, &may, file_id)?;
            let details = serde_json::json!({ "case_id": case_id, "operator": may.is_operator() });
            let entry = entry(&context, event_id, event::FILE_CONTENT_READ, file_id, &details);
            audit::record(tx, entry)?;
            Ok::<_, UploadsError>(row)
        })
        .await?;
    let key = row.storage_key.parse().map_err(|_| {
        UploadsError::Malformed("the storage key of this file is damaged".to_owned())
    })?;
    let blob = uploads.blobs.stream(&key).await.map_err(UploadsError::from)?;
    // Always a download and never a page: the bytes are whatever somebody uploaded.
    Ok(HttpResponse::Ok()
        .content_type("application/octet-stream")
        .insert_header(header::ContentDisposition::attachment(row.filename))
        .no_chunking(blob.size_bytes)
        .streaming(blob.pieces))
}

/// Deletes a file with its findings and the evidence made from it.
#[utoipa::path(tag = "files", params(("id" = CaseId, Path), ("file_id" = FileId, Path)),
    responses((status = 204), (status = 412, description = "the file changed meanwhile")))]
#[delete("/cases/{id}/files/{file_id}")]
pub(super) async fn delete_file(
    ctx: Ctx,
    request: HttpRequest,
    ids: Path<(CaseId, FileId)>,
    uploads: Data<Uploads>,
) -> Answer {
    ctx.user()?;
    let (case_id, file_id) = ids.0;
    let expected = web::if_match(&request)?;
    let (context, event_id) = (ctx.clone(), ctx.ids.next(ctx.now));
    let removed = ctx
        .db
        .write(move |tx| {
            let may = access::writer(tx, &context.actor, case_id)?;
            let row = file::remove(tx, &may, file_id, expected, context.now)?;
            let details = serde_json::json!({ "case_id": case_id, "operator": may.is_operator() });
            let entry = entry(&context, event_id, event::FILE_DELETED, file_id, &details);
            audit::record(tx, entry)?;
            Ok::<_, UploadsError>(row)
        })
        .await;
    let row = match removed {
        Err(UploadsError::Case(CaseError::Version { expected, actual })) => {
            return Err(web::version_mismatch(expected, actual));
        }
        removed => removed?,
    };
    if let Ok(key) = row.storage_key.parse()
        && let Err(error) = uploads.blobs.delete(&key).await
    {
        // The row is gone, so nobody reaches the bytes; the sweep removes them later.
        tracing::warn!(%error, "the blob of a deleted file could not be removed");
    }
    web::no_content()
}

/// A classification on the wire.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClassifyBody {
    filename: String,
    size_bytes: usize,
    #[serde(flatten)]
    classification: Classification,
}

/// Says which of the eight types a file is; nothing is stored.
#[utoipa::path(tag = "files",
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 200, body = ClassifyBody)))]
#[post("/data/classify")]
pub(super) async fn classify_file(
    ctx: Ctx,
    request: HttpRequest,
    parts: Multipart,
    uploads: Data<Uploads>,
) -> Answer {
    let user_id = ctx.user()?;
    prepare(&request, &uploads)?;
    let _place = uploads.place(user_id)?;
    let form = receive(parts, Sink::Hold, uploads.limits.file_bytes_max).await?;
    let Some(Received { name, content_type, content: Content::Held(bytes) }) = form.file else {
        let message = "the form has no part named `file`".to_owned();
        return Err(UploadsError::Field { field: "file", message }.into());
    };
    // A look at megabytes would hold up every other request of this worker.
    let looked = actix_web::web::block(move || {
        let classification = classify(&name, content_type.as_deref(), &bytes);
        ClassifyBody { filename: name, size_bytes: bytes.len(), classification }
    });
    let body = looked.await.map_err(|_| UploadsError::Busy)?;
    web::json(StatusCode::OK, &body)
}

/// Mounts the routes.
pub fn routes(config: &mut actix_web::web::ServiceConfig) {
    config
        .service(upload_to_case)
        .service(upload)
        .service(list_files)
        .service(read_file)
        .service(read_content)
        .service(delete_file)
        .service(classify_file);
}

/// This room's part of the API description.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    upload_to_case,
    upload,
    list_files,
    read_file,
    read_content,
    delete_file,
    classify_file
))]
pub struct Doc;
