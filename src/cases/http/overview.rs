//! A case at a glance: what happened in which order, and where it stands.

use super::evidence::EvidenceBody;
use super::hypothesis::HypothesisBody;
use super::reading;
use super::view::CaseDetail;
use crate::base::id::CaseId;
use crate::base::{Page, PageRequest, Time};
use crate::cases::access::Reader;
use crate::cases::evidence::{self, EvidenceFilter};
use crate::cases::{
    CaseError, EvidenceRow, FullCase, HypothesisStatus, Parts, hypothesis, load_full,
};
use crate::engine::db::View;
use crate::web::{self, Answer, Ctx, Paging, Path, versioned};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, get};
use serde::Serialize;

/// Characters of an entry's text.
const TEXT_CHARS_MAX: usize = 200;
/// Hypotheses and pieces of evidence that an overview shows.
const SHOWN_MAX: usize = 10;

/// Something that happened in a case.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct TimelineEntry {
    /// When.
    time: Time,
    /// `status`, `evidence`, `hypothesis`, `solution`, `message`, `file` or `tool_call`.
    kind: &'static str,
    /// What it happened to.
    id: String,
    /// What happened, in at most 200 characters.
    text: String,
}

fn entry(time: Time, kind: &'static str, id: impl ToString, text: &str) -> TimelineEntry {
    let text = text.chars().take(TEXT_CHARS_MAX).collect();
    TimelineEntry { time, kind, id: id.to_string(), text }
}

fn entries(full: FullCase) -> Vec<TimelineEntry> {
    let FullCase {
        evidence, hypotheses, solutions, messages, files, transitions, tool_calls, ..
    } = full;
    let mut entries = Vec::new();
    entries.extend(transitions.unwrap_or_default().iter().map(|row| {
        let from = row.from_status.map_or("new", |status| status.as_str());
        let text = format!("{from} -> {}", row.to_status);
        entry(row.transitioned_at, "status", row.transition_id, &text)
    }));
    entries.extend(
        evidence
            .unwrap_or_default()
            .iter()
            .map(|row| entry(row.created_at, "evidence", row.evidence_id, evidence_text(row))),
    );
    for row in hypotheses.unwrap_or_default() {
        entries.push(entry(row.created_at, "hypothesis", row.hypothesis_id, &row.description));
        if let Some(at) = row.concluded_at {
            entries.push(entry(at, "hypothesis", row.hypothesis_id, row.status.as_str()));
        }
    }
    for row in solutions.unwrap_or_default() {
        entries.push(entry(row.created_at, "solution", row.solution_id, &row.description));
        if let Some(at) = row.applied_at {
            entries.push(entry(at, "solution", row.solution_id, "applied"));
        }
    }
    let messages = messages.unwrap_or_default();
    entries.extend(
        messages.iter().map(|row| entry(row.created_at, "message", row.message_id, &row.content)),
    );
    let files = files.unwrap_or_default();
    entries
        .extend(files.iter().map(|row| entry(row.uploaded_at, "file", row.file_id, &row.filename)));
    let calls = tool_calls.unwrap_or_default();
    entries.extend(
        calls.iter().map(|row| entry(row.started_at, "tool_call", row.call_id, &row.tool_name)),
    );
    // Stable, so that what happened at one instant stays in the order of the tables.
    entries.sort_by_key(|entry| entry.time);
    entries
}

fn evidence_text(row: &EvidenceRow) -> &str {
    row.preprocessed_summary.as_deref().unwrap_or(&row.content)
}

/// Lists what happened in a case, oldest first; of each kind at most 1000 events.
#[utoipa::path(tag = "cases", params(("id" = CaseId, Path)),
    responses((status = 200, body = [TimelineEntry]), (status = 404)))]
#[get("/cases/{id}/timeline")]
pub(super) async fn case_timeline(
    ctx: Ctx,
    request: HttpRequest,
    id: Path<CaseId>,
    paging: Paging,
) -> Answer {
    let parts = Parts { participants: false, ..Parts::ALL };
    let full = reading(&ctx, *id, "timeline read", |tx, may| load_full(tx, may, parts)).await?;
    let (all, window) = (entries(full), paging.request());
    let total_count = all.len();
    let items = all.into_iter().skip(window.offset).take(window.limit).collect();
    web::list(&request, "events", Page { items, total_count, request: window })
}

/// Where a case stands.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct CaseOverview {
    #[serde(flatten)]
    case: CaseDetail,
    /// Hypotheses that are explored or tested, likeliest first.
    active_hypotheses: Vec<HypothesisBody>,
    /// The newest evidence.
    latest_evidence: Vec<EvidenceBody>,
}

/// Tells where a case stands: counts, open hypotheses, newest evidence.
#[utoipa::path(tag = "cases", params(("id" = CaseId, Path)),
    responses((status = 200, body = CaseOverview), (status = 404)))]
#[get("/cases/{id}/overview")]
pub(super) async fn case_overview(ctx: Ctx, id: Path<CaseId>) -> Answer {
    let (view, version) = reading(&ctx, *id, "overview read", overview).await?;
    versioned(StatusCode::OK, &view, version)
}

fn overview(tx: &impl View, may: &Reader) -> Result<(CaseOverview, u64), CaseError> {
    let (row, case) = super::case::detail(tx, may)?;
    let newest = PageRequest { limit: SHOWN_MAX, offset: 0 };
    let mut active = Vec::new();
    for status in [HypothesisStatus::Exploring, HypothesisStatus::Testing] {
        // Oldest first in the index; a window of the largest page bounds the work.
        let window = PageRequest { limit: crate::base::page::PAGE_LIMIT_MAX, offset: 0 };
        let page = hypothesis::page(tx, may, Some(status), window)?;
        active.extend(page.items.into_iter().map(|row| HypothesisBody::of(row, may)));
    }
    active.sort_by(|a, b| b.likelihood.total_cmp(&a.likelihood));
    active.truncate(SHOWN_MAX);
    let evidence = evidence::page(tx, may, &EvidenceFilter::default(), newest)?;
    let overview = CaseOverview {
        case,
        active_hypotheses: active,
        latest_evidence: evidence.items.into_iter().map(EvidenceBody::of).collect(),
    };
    Ok((overview, row.version))
}
