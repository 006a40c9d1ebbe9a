//! Routes of reports and their shapes on the wire.

use super::error::ReportError;
use super::jobs::address;
use super::report::{self, Filter, Listed, Order, Planned, ReportChange};
use super::words::{ReportStatus, ReportType};
use crate::base::id::{CaseId, EventId, JobId, ReportId};
use crate::base::{Json, Page, Time};
use crate::cases::access::{self, Reader, Visit, Writer};
use crate::cases::http::{reading, visit};
use crate::cases::{ParticipantRole, Status};
use crate::engine::db::Write;
use crate::ops::{audit, event};
use crate::web::{
    self, Answer, Body, Ctx, Failure, Once, Paging, Path, Query, Reply, etag, if_match, no_content,
    once, version_mismatch, versioned,
};
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use serde::{Deserialize, Serialize};

/// How soon a poller should ask for the job: reports take milliseconds.
const POLL_AGAIN_SECONDS: u32 = 1;

/// Routes under the API's base path.
pub fn routes(config: &mut actix_web::web::ServiceConfig) {
    config
        .service(generate_reports)
        .service(list_reports)
        .service(read_report)
        .service(patch_report)
        .service(delete_report)
        .service(download_report);
}

/// This room's part of the API description.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    generate_reports,
    list_reports,
    read_report,
    patch_report,
    delete_report,
    download_report
))]
pub struct Doc;

/// A report without its text.
#[derive(Serialize, utoipa::ToSchema)]
struct ReportBody {
    /// The report.
    report_id: ReportId,
    /// The case.
    case_id: CaseId,
    /// What it is.
    report_type: ReportType,
    /// Number within case and type, from 1.
    version: u64,
    /// Whether it is the version that counts.
    is_current: bool,
    /// Where it stands.
    status: ReportStatus,
    /// Where the caller may move it.
    valid_next_states: Vec<ReportStatus>,
    /// `completed`: what is listed is written.
    generation_status: &'static str,
    /// Title.
    title: String,
    /// The report in at most 500 characters.
    summary: String,
    /// What the text is written in: `markdown`.
    format: &'static str,
    /// Size of the text, in bytes.
    content_bytes: u64,
    /// Whether the case had not ended when it was written.
    preliminary: bool,
    /// Where a runbook comes from: `generated`, from the case's records.
    runbook_source: Option<&'static str>,
    /// Whether it is searchable as a document of a knowledge base.
    auto_indexed: bool,
    /// The job that generated it.
    job_id: JobId,
    /// Who asked for it.
    created_by: String,
    /// When it was generated.
    created_at: Time,
    /// When it was generated, in the words of older clients.
    generated_at: Time,
    /// When it last changed.
    updated_at: Time,
    /// When it ends, once the case has.
    expires_at: Option<Time>,
    /// Counts changes, as in `ETag`.
    revision: u64,
}

impl ReportBody {
    /// A report as its reader sees it.
    fn of(report: Listed, may: &Reader) -> Self {
        let Listed { row, is_current, expires_at } = report;
        let next: &[ReportStatus] = match may.role() {
            ParticipantRole::Viewer => &[],
            _ => row.status.next(),
        };
        let runbook = row.report_type == ReportType::Runbook;
        Self {
            report_id: row.report_id,
            case_id: row.case_id,
            report_type: row.report_type,
            version: row.version,
            is_current,
            status: row.status,
            valid_next_states: next.to_vec(),
            generation_status: "completed",
            title: row.title,
            summary: row.summary,
            format: "markdown",
            content_bytes: row.content_bytes,
            preliminary: !row.case_status.is_terminal(),
            runbook_source: runbook.then_some("generated"),
            auto_indexed: false,
            job_id: row.job_id,
            created_by: row.created_by,
            created_at: row.created_at,
            generated_at: row.created_at,
            updated_at: row.updated_at,
            expires_at,
            revision: row.revision,
        }
    }
}

/// A report with its text.
#[derive(Serialize, utoipa::ToSchema)]
struct ReportDetail {
    #[serde(flatten)]
    report: ReportBody,
    /// Markdown.
    content: String,
}

/// Which reports are wanted.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GenerateReports {
    /// One to three types.
    report_types: Vec<ReportType>,
    /// Title; at most 200 characters, follows from type and case when absent.
    title: Option<String>,
}

/// A job that will write reports.
#[derive(Serialize, utoipa::ToSchema)]
struct Accepted {
    /// The job.
    job_id: JobId,
    /// The case.
    case_id: CaseId,
    /// `pending`.
    status: &'static str,
    /// The reports it will write, in the order asked for.
    report_ids: Vec<ReportId>,
    /// The same with their types.
    reports: Vec<AcceptedReport>,
    /// Whether the reports will be preliminary, because the case has not ended.
    preliminary: bool,
}

/// A report that a job will write.
#[derive(Serialize, utoipa::ToSchema)]
struct AcceptedReport {
    /// Its id.
    report_id: ReportId,
    /// What it is to be.
    report_type: ReportType,
    /// Where it can be read once it is written.
    location: String,
}

/// Has reports written from the case's own records by a job.
#[utoipa::path(tag = "reports", params(("id" = CaseId, Path)), request_body = GenerateReports,
    responses((status = 202, body = Accepted), (status = 403), (status = 404), (status = 409),
        (status = 422)))]
#[post("/cases/{id}/reports")]
pub(super) async fn generate_reports(
    ctx: Ctx,
    keyed: Once,
    id: Path<CaseId>,
    body: Body<GenerateReports>,
) -> Answer {
    let (owner, case_id, fingerprint) = (ctx.user()?, *id, body.fingerprint());
    let (actor, visit, now) = (ctx.actor.clone(), visit(&ctx), ctx.now);
    let body = body.into_inner();
    let planned = |report_type| Planned { report_id: ctx.ids.next(now), report_type };
    let order = Order {
        job_id: ctx.ids.next(now),
        // One more than allowed tells that there are too many.
        reports: body
            .report_types
            .into_iter()
            .take(report::TYPES_PER_REQUEST_MAX + 1)
            .map(planned)
            .collect(),
        title: body.title,
    };
    let effect = move |tx: &Write<'_>| {
        let may = access::writer(tx, &actor, case_id)?;
        let ended = report::order(tx, &may, owner, &order, now)?;
        access::record_operator(tx, &may, &visit, event::CASE_UPDATED, "reports ordered")?;
        let location = format!("/api/v1/jobs/{}", order.job_id);
        let accepted = Accepted::of(&order, case_id, !ended);
        Ok::<_, ReportError>(Reply::accepted(location, POLL_AGAIN_SECONDS, &accepted)?)
    };
    once(&ctx, &keyed, &fingerprint, effect).await
}

impl Accepted {
    fn of(order: &Order, case_id: CaseId, preliminary: bool) -> Self {
        let report = |planned: &Planned| AcceptedReport {
            report_id: planned.report_id,
            report_type: planned.report_type,
            location: address(case_id, planned.report_id),
        };
        Self {
            job_id: order.job_id,
            case_id,
            status: "pending",
            report_ids: order.reports.iter().map(|planned| planned.report_id).collect(),
            reports: order.reports.iter().map(report).collect(),
            preliminary,
        }
    }
}

/// What a list of reports is narrowed by.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ReportsQuery {
    /// Their type.
    #[serde(rename = "type", alias = "report_type")]
    report_type: Option<ReportType>,
    /// Also the versions that are not current; `false` when absent.
    include_history: Option<bool>,
}

/// Lists the reports of a case, newest first: the current version of each type, or all versions.
#[utoipa::path(tag = "reports", params(("id" = CaseId, Path), ReportsQuery),
    responses((status = 200, body = [ReportBody]), (status = 404), (status = 422)))]
#[get("/cases/{id}/reports")]
pub(super) async fn list_reports(
    ctx: Ctx,
    request: HttpRequest,
    id: Path<CaseId>,
    query: Query<ReportsQuery>,
    paging: Paging,
) -> Answer {
    let filter = Filter {
        report_type: query.report_type,
        include_history: query.include_history.unwrap_or(false),
    };
    let (window, now) = (paging.request(), ctx.now);
    let page = reading(&ctx, *id, "reports listed", |tx, may| {
        let reports = report::list(tx, may, filter, now)?;
        let total_count = reports.len();
        let shown = reports.into_iter().skip(window.offset).take(window.limit);
        let items = shown.map(|report| ReportBody::of(report, may)).collect();
        Ok::<_, ReportError>(Page { items, total_count, request: window })
    })
    .await?;
    web::list(&request, "reports", page)
}

/// Reads a report with its text.
#[utoipa::path(tag = "reports", params(("id" = CaseId, Path), ("report_id" = ReportId, Path)),
    responses((status = 200, body = ReportDetail), (status = 404)))]
#[get("/cases/{id}/reports/{report_id}")]
pub(super) async fn read_report(ctx: Ctx, path: Path<(CaseId, ReportId)>) -> Answer {
    let (detail, revision) = detail(&ctx, *path, "report read").await?;
    versioned(StatusCode::OK, &detail, revision)
}

async fn detail(
    ctx: &Ctx,
    (case_id, report_id): (CaseId, ReportId),
    action: &'static str,
) -> Result<(ReportDetail, u64), Failure> {
    let now = ctx.now;
    reading(ctx, case_id, action, |tx, may| {
        let (report, content) = report::content(tx, may, report_id, now)?;
        let revision = report.row.revision;
        Ok::<_, ReportError>((
            ReportDetail { report: ReportBody::of(report, may), content },
            revision,
        ))
    })
    .await
}

/// Changes to a report; an absent member leaves its field alone.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeReport {
    /// Title; the text keeps its heading.
    title: Option<String>,
    /// Where it is to stand: draft, then published, then archived.
    status: Option<ReportStatus>,
}

/// Changes the title of a report or moves it on: draft, published, archived.
#[utoipa::path(tag = "reports", params(("id" = CaseId, Path), ("report_id" = ReportId, Path)),
    request_body = ChangeReport,
    responses((status = 200, body = ReportBody), (status = 403), (status = 404), (status = 409),
        (status = 412), (status = 422)))]
#[patch("/cases/{id}/reports/{report_id}")]
pub(super) async fn patch_report(
    ctx: Ctx,
    request: HttpRequest,
    path: Path<(CaseId, ReportId)>,
    body: Body<ChangeReport>,
) -> Answer {
    let ((case_id, report_id), expected, now) = (*path, if_match(&request)?, ctx.now);
    let body = body.into_inner();
    let change = ReportChange { title: body.title, status: body.status };
    let (view, revision) = changing(&ctx, case_id, "report changed", move |tx, may, _| {
        let report = report::change(tx, may, report_id, expected, &change, now)?;
        let revision = report.row.revision;
        Ok((ReportBody::of(report, may), revision))
    })
    .await?;
    versioned(StatusCode::OK, &view, revision)
}

/// What the audit trail says of a deleted report.
#[derive(Serialize)]
struct Deleted {
    case_id: CaseId,
    report_type: ReportType,
    version: u64,
    status: ReportStatus,
    case_status: Status,
}

/// Deletes a report; its version number is not given again.
#[utoipa::path(tag = "reports", params(("id" = CaseId, Path), ("report_id" = ReportId, Path)),
    responses((status = 204), (status = 403), (status = 404), (status = 412)))]
#[delete("/cases/{id}/reports/{report_id}")]
pub(super) async fn delete_report(
    ctx: Ctx,
    request: HttpRequest,
    path: Path<(CaseId, ReportId)>,
) -> Answer {
    let ((case_id, report_id), expected, now) = (*path, if_match(&request)?, ctx.now);
    let event_id: EventId = ctx.ids.next(now);
    changing(&ctx, case_id, "report deleted", move |tx, may, visit| {
        let row = report::remove(tx, may, report_id, expected, now)?;
        let details = Deleted {
            case_id,
            report_type: row.report_type,
            version: row.version,
            status: row.status,
            case_status: row.case_status,
        };
        let entry = audit::Entry {
            event_id,
            at: now,
            actor: may.by().to_owned(),
            event_type: event::REPORT_DELETED,
            category: audit::Category::DataAccess,
            resource_type: "report",
            resource_id: report_id.to_string(),
            details: Json::from_value(&details).unwrap_or_default(),
            address: visit.address.clone(),
            success: true,
        };
        Ok(audit::record(tx, entry)?)
    })
    .await?;
    no_content()
}

/// Formats that a client may ask for.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// The text as it is.
    #[serde(alias = "markdown")]
    Md,
    /// The report with its text.
    Json,
    /// Not available.
    Html,
    /// Not available.
    Pdf,
}

/// How a report is downloaded.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DownloadQuery {
    /// `md` (when absent) or `json`.
    format: Option<Format>,
}

/// Downloads a report as a file.
#[utoipa::path(tag = "reports",
    params(("id" = CaseId, Path), ("report_id" = ReportId, Path), DownloadQuery),
    responses((status = 200, content_type = "text/markdown", body = String), (status = 404),
        (status = 422)))]
#[get("/cases/{id}/reports/{report_id}/download")]
pub(super) async fn download_report(
    ctx: Ctx,
    path: Path<(CaseId, ReportId)>,
    query: Query<DownloadQuery>,
) -> Answer {
    let format = query.format.unwrap_or(Format::Md);
    let (detail, revision) = detail(&ctx, *path, "report downloaded").await?;
    let (extension, answer) = match format {
        Format::Md => {
            let mut answer = HttpResponse::Ok();
            answer.content_type("text/markdown; charset=utf-8").insert_header(etag(revision));
            ("md", answer.body(detail.content.clone()))
        }
        Format::Json => ("json", versioned(StatusCode::OK, &detail, revision)?),
        Format::Html => return Err(ReportError::FormatUnavailable("html").into()),
        Format::Pdf => return Err(ReportError::FormatUnavailable("pdf").into()),
    };
    Ok(attached(answer, &detail.report, extension))
}

/// Makes an answer a file: nothing in it is shown in place by a browser.
fn attached(mut answer: HttpResponse, report: &ReportBody, extension: &str) -> HttpResponse {
    let ReportBody { report_type, version, case_id, .. } = report;
    let name = format!("attachment; filename=\"{report_type}-v{version}-{case_id}.{extension}\"");
    if let Ok(name) = header::HeaderValue::from_str(&name) {
        answer.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    answer
}

/// What a caller is told; a version mismatch carries both versions in headers.
fn refuse(error: ReportError) -> Failure {
    match error {
        ReportError::Version { expected, actual } => version_mismatch(expected, actual),
        other => other.into(),
    }
}

/// Changes what a writer of the case may change; operator access is recorded in the same commit.
async fn changing<T: Send + 'static>(
    ctx: &Ctx,
    case_id: CaseId,
    action: &'static str,
    change: impl Fn(&Write<'_>, &Writer, &Visit) -> Result<T, ReportError> + Send + 'static,
) -> Result<T, Failure> {
    ctx.user()?;
    let (actor, visit) = (ctx.actor.clone(), visit(ctx));
    let done = ctx.db.write(move |tx| {
        let may = access::writer(tx, &actor, case_id)?;
        let value = change(tx, &may, &visit)?;
        access::record_operator(tx, &may, &visit, event::CASE_UPDATED, action)?;
        Ok(value)
    });
    done.await.map_err(refuse)
}
