//! Cases: opening, listing, reading, changing, deleting.

use super::part::CaseFull;
use super::view::{CaseDetail, CaseSummary};
use super::{address, changing, disposing, given, reading, visit};
use crate::base::id::{CaseId, MessageId};
use crate::base::{Actor, Json, PageRequest};
use crate::cases::access::{self, Reader};
use crate::cases::case::{self, CaseChange, ContextChange, NewCase, StatusChange};
use crate::cases::message::{self, NewMessage};
use crate::cases::{
    CaseError, CaseFilter, CaseRow, ClosureReason, MessageRole, Parts, Priority, Scope, Sort,
    Status, Strategy, list, load_full, tag,
};
use crate::engine::db::{View, Write};
use crate::web::{
    self, Answer, Body, Ctx, Failure, Once, Paging, Path, Query, Reply, if_match, no_content, once,
    versioned,
};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, delete, get, patch, post, put};
use serde::{Deserialize, Serialize};

/// A case to be opened.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateCase {
    /// At most 200 characters; without one the case is called `Case-MMDD-N`.
    title: Option<String>,
    /// What is wrong; at most 2000 characters.
    description: Option<String>,
    /// How urgent it is; medium when absent.
    priority: Option<Priority>,
    /// The organisation it is to belong to.
    org_id: Option<String>,
    /// The team it is to be assigned to.
    team_id: Option<String>,
    /// At most 50 tags of at most 50 characters.
    tags: Option<Vec<String>>,
    /// The first thing to be said in it.
    initial_message: Option<String>,
    /// Anything to be kept with it.
    metadata: Option<Json>,
}

impl CreateCase {
    fn check(&self) -> Result<(), Failure> {
        for (field, value) in [("org_id", &self.org_id), ("team_id", &self.team_id)] {
            if value.is_some() {
                return Err(Failure::invalid("case_invalid", field, "does not exist"));
            }
        }
        Ok(())
    }
}

/// Opens a case.
#[utoipa::path(tag = "cases", request_body = CreateCase,
    responses((status = 201, body = CaseDetail), (status = 401), (status = 422)))]
#[post("/cases")]
pub(super) async fn create_case(ctx: Ctx, keyed: Once, body: Body<CreateCase>) -> Answer {
    ctx.user()?;
    let fingerprint = body.fingerprint();
    let body = body.into_inner();
    body.check()?;
    let new = NewCase {
        case_id: ctx.ids.next(ctx.now),
        title: body.title,
        description: body.description,
        priority: body.priority.unwrap_or(Priority::Medium),
        tags: body.tags.unwrap_or_default(),
        metadata: body.metadata,
    };
    let (actor, visit, message_id) = (ctx.actor.clone(), visit(&ctx), ctx.ids.next(ctx.now));
    let initial = body.initial_message;
    let effect = move |tx: &Write<'_>| {
        case::create(tx, &actor, &new, &visit)?;
        if let Some(text) = &initial {
            let may = access::writer(tx, &actor, new.case_id)?;
            message::add(tx, &may, &first_message(message_id, text), visit.now)?;
        }
        let (row, view) = detail(tx, &access::reader(tx, &actor, new.case_id)?)?;
        Ok::<_, CaseError>(Reply::created(address(row.case_id), &view)?.with_version(row.version))
    };
    once(&ctx, &keyed, &fingerprint, effect).await
}

fn first_message(message_id: MessageId, text: &str) -> NewMessage {
    NewMessage {
        message_id,
        role: MessageRole::User,
        content: text.to_owned(),
        message_type: None,
        turn_number: None,
        token_count: None,
        metadata: None,
    }
}

/// The case as its reader sees it, and its row.
pub(super) fn detail(tx: &impl View, may: &Reader) -> Result<(CaseRow, CaseDetail), CaseError> {
    let full = load_full(tx, may, Parts::default())?;
    let row = full.case.clone();
    Ok((row, CaseDetail::of(full.case, full.context, full.tags, full.counts, may)))
}

/// What a list of cases is narrowed and sorted by.
#[derive(Deserialize, utoipa::IntoParams)]
pub(super) struct CasesQuery {
    /// Where they stand; also spelled `state`.
    #[serde(alias = "state")]
    status: Option<Status>,
    /// A tag they have.
    tag: Option<String>,
    /// A part of the title, without regard to case.
    q: Option<String>,
    /// `last_activity_at`, `created_at`, `updated_at`, `title`, `priority` or `status`; a leading
    /// `-` puts the largest first. Default `-last_activity_at`.
    sort: Option<String>,
    /// Also those that were put away.
    include_archived: Option<bool>,
    /// Whose they are; default every case the caller may see.
    scope: Option<ScopeWord>,
}

/// Whose cases a list shows.
#[derive(Deserialize, Clone, Copy, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ScopeWord {
    /// The caller's own.
    Mine,
    /// Those of others in which the caller takes part.
    Shared,
    /// Those of the caller's teams.
    Team,
    /// Those of the caller's organisations.
    Org,
    /// Every case the caller may see.
    All,
}

impl CasesQuery {
    fn filter(&self) -> Result<CaseFilter, Failure> {
        let asked = self.sort.as_deref().unwrap_or("-last_activity_at");
        let (name, ascending) = match asked.strip_prefix('-') {
            Some(name) => (name, false),
            None => (asked, true),
        };
        let sort = match name {
            "last_activity_at" => Sort::Activity,
            "created_at" => Sort::Created,
            "updated_at" => Sort::Updated,
            "title" => Sort::Title,
            "priority" => Sort::Priority,
            "status" => Sort::Status,
            _ => {
                let message = "must be last_activity_at, created_at, updated_at, title, priority \
                               or status, with `-` in front for largest first";
                return Err(Failure::invalid("invalid_query", "sort", message));
            }
        };
        Ok(CaseFilter {
            scope: match self.scope.unwrap_or(ScopeWord::All) {
                ScopeWord::Mine => Scope::Mine,
                ScopeWord::Shared => Scope::Shared,
                ScopeWord::Team => Scope::Team,
                ScopeWord::Org => Scope::Org,
                ScopeWord::All => Scope::All,
            },
            status: self.status,
            tag: self.tag.clone(),
            q: self.q.clone(),
            include_archived: self.include_archived.unwrap_or(false),
            sort,
            ascending,
        })
    }
}

/// Lists the cases the caller may see.
#[utoipa::path(tag = "cases", params(CasesQuery),
    responses((status = 200, body = [CaseSummary]), (status = 401), (status = 422)))]
#[get("/cases")]
pub(super) async fn list_cases(
    ctx: Ctx,
    request: HttpRequest,
    query: Query<CasesQuery>,
    paging: Paging,
) -> Answer {
    ctx.user()?;
    let filter = query.filter()?;
    let (page, foreign) = ctx.db.read(|tx| window(tx, &ctx.actor, &filter, paging.request()))?;
    if foreign > 0 {
        let (actor, visit) = (ctx.actor.clone(), visit(&ctx));
        let recorded =
            ctx.db.write(move |tx| access::record_operator_list(tx, &actor, &visit, foreign));
        recorded.await?;
    }
    web::list(&request, "cases", page)
}

/// A window of summaries, and how many of them only operator access shows.
fn window(
    tx: &impl View,
    actor: &Actor,
    filter: &CaseFilter,
    request: PageRequest,
) -> Result<(crate::base::Page<CaseSummary>, usize), CaseError> {
    let page = list(tx, actor, filter, request)?;
    let (mut items, mut foreign) = (Vec::with_capacity(page.items.len()), 0);
    for row in page.items {
        let may = access::reader(tx, actor, row.case_id)?;
        foreign += usize::from(may.is_operator());
        items.push(CaseSummary::of(row, tag::all(tx, &may)?, &may));
    }
    let page = crate::base::Page { items, total_count: page.total_count, request: page.request };
    Ok((page, foreign))
}

/// What is wanted besides the case itself.
#[derive(Deserialize, utoipa::IntoParams)]
pub(super) struct IncludeQuery {
    /// Any of evidence, hypotheses, solutions, messages, files, transitions, tags, tool_calls and
    /// participants, separated by commas.
    include: Option<String>,
}

impl IncludeQuery {
    fn parts(&self) -> Result<Parts, Failure> {
        let mut parts = Parts::default();
        let names = self.include.as_deref().unwrap_or_default().split(',').map(str::trim);
        for name in names.filter(|name| !name.is_empty()) {
            match name {
                "evidence" => parts.evidence = true,
                "hypotheses" => parts.hypotheses = true,
                "solutions" => parts.solutions = true,
                "messages" => parts.messages = true,
                "files" => parts.files = true,
                "transitions" => parts.transitions = true,
                "tool_calls" => parts.tool_calls = true,
                "participants" => parts.participants = true,
                // A case always shows its tags.
                "tags" => {}
                other => {
                    let message = format!("`{other}` is not a part of a case");
                    return Err(Failure::invalid("invalid_query", "include", message));
                }
            }
        }
        Ok(parts)
    }
}

/// A case with the parts that `include` names.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct IncludedCase {
    #[serde(flatten)]
    case: CaseFull,
    /// With `include`, whether contents of evidence or messages were left out because together
    /// they exceed 8 MiB; those are empty here and whole where they are read alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<bool>,
}

/// Reads a case, with `include` also what is in it, all from one snapshot.
#[utoipa::path(tag = "cases", params(("id" = CaseId, Path), IncludeQuery),
    responses((status = 200, body = IncludedCase), (status = 404)))]
#[get("/cases/{id}")]
pub(super) async fn read_case(ctx: Ctx, id: Path<CaseId>, query: Query<IncludeQuery>) -> Answer {
    ctx.user()?;
    let parts = query.parts()?;
    let (view, version) = reading(&ctx, *id, "read", |tx, may| {
        let full = load_full(tx, may, parts)?;
        let version = full.case.version;
        let truncated = (parts != Parts::default()).then_some(full.truncated);
        Ok::<_, CaseError>((IncludedCase { case: CaseFull::of(full, may), truncated }, version))
    })
    .await?;
    versioned(StatusCode::OK, &view, version)
}

/// Changes to a case; an absent member leaves its field alone, `null` empties it.
#[derive(Deserialize, Default, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeCase {
    /// At most 200 characters, not blank.
    title: Option<String>,
    /// At most 2000 characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    /// How urgent it is.
    priority: Option<Priority>,
    /// Where it stands; also spelled `state`.
    #[serde(alias = "state")]
    status: Option<Status>,
    /// Why it ends.
    closure_reason: Option<ClosureReason>,
    /// Why it moves.
    reason: Option<String>,
    /// At most 100 characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    current_phase: Option<Option<String>>,
    /// How it is led.
    investigation_strategy: Option<Strategy>,
    /// Turns since something was learnt.
    turns_without_progress: Option<u32>,
    /// Milestones and their confidence.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Json>)]
    investigation_progress: Option<Option<Json>>,
    /// What was said before investigating.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Json>)]
    consulting_data: Option<Option<Json>>,
    /// Symptoms and scope.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Json>)]
    problem_verification: Option<Option<Json>>,
    /// What is thought now.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Json>)]
    working_conclusion: Option<Option<Json>>,
    /// What it was.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Json>)]
    root_cause_conclusion: Option<Option<Json>>,
    /// What does not work for the agent.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Json>)]
    degraded_mode: Option<Option<Json>>,
    /// To whom it was handed.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Json>)]
    escalation_state: Option<Option<Json>>,
    /// What was written for later.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Json>)]
    documentation_data: Option<Option<Json>>,
    /// Which way was taken and why.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Json>)]
    path_selection: Option<Option<Json>>,
    /// State of each turn.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Json>)]
    turn_progress: Option<Option<Json>>,
    /// Anything to be kept with it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Json>)]
    metadata: Option<Option<Json>>,
}

impl ChangeCase {
    fn change(self) -> Result<CaseChange, Failure> {
        let status = match self.status {
            Some(to) => {
                Some(StatusChange { to, closure_reason: self.closure_reason, reason: self.reason })
            }
            None if self.closure_reason.is_some() || self.reason.is_some() => {
                let message = "goes with a change of status";
                return Err(Failure::invalid("case_invalid", "closure_reason", message));
            }
            None => None,
        };
        Ok(CaseChange {
            title: self.title,
            description: self.description,
            priority: self.priority,
            current_phase: self.current_phase,
            investigation_strategy: self.investigation_strategy,
            turns_without_progress: self.turns_without_progress,
            status,
            context: ContextChange {
                investigation_progress: self.investigation_progress,
                consulting_data: self.consulting_data,
                problem_verification: self.problem_verification,
                working_conclusion: self.working_conclusion,
                root_cause_conclusion: self.root_cause_conclusion,
                degraded_mode: self.degraded_mode,
                escalation_state: self.escalation_state,
                documentation_data: self.documentation_data,
                path_selection: self.path_selection,
                turn_progress: self.turn_progress,
                metadata: self.metadata,
            },
        })
    }
}

/// Changes a case. Clients of contract 2.0 send only what changes, so this is the same as PATCH.
#[utoipa::path(tag = "cases", params(("id" = CaseId, Path)), request_body = ChangeCase,
    responses((status = 200, body = CaseDetail), (status = 403), (status = 404), (status = 409),
        (status = 412), (status = 422)))]
#[put("/cases/{id}")]
pub(super) async fn put_case(
    ctx: Ctx,
    request: HttpRequest,
    id: Path<CaseId>,
    body: Body<ChangeCase>,
) -> Answer {
    change_case(ctx, request, *id, body.into_inner()).await
}

/// Changes a case.
#[utoipa::path(tag = "cases", params(("id" = CaseId, Path)), request_body = ChangeCase,
    responses((status = 200, body = CaseDetail), (status = 403), (status = 404), (status = 409),
        (status = 412), (status = 422)))]
#[patch("/cases/{id}")]
pub(super) async fn patch_case(
    ctx: Ctx,
    request: HttpRequest,
    id: Path<CaseId>,
    body: Body<ChangeCase>,
) -> Answer {
    change_case(ctx, request, *id, body.into_inner()).await
}

async fn change_case(ctx: Ctx, request: HttpRequest, case_id: CaseId, body: ChangeCase) -> Answer {
    let (expected, visit) = (if_match(&request)?, visit(&ctx));
    let change = body.change()?;
    let (row, view) = changing(&ctx, case_id, "changed", move |tx, may| {
        case::update(tx, may, expected, &change, &visit)?;
        detail(tx, may)
    })
    .await?;
    versioned(StatusCode::OK, &view, row.version)
}

/// Deletes a case and everything in it.
#[utoipa::path(tag = "cases", params(("id" = CaseId, Path)),
    responses((status = 204), (status = 403), (status = 404), (status = 412)))]
#[delete("/cases/{id}")]
pub(super) async fn delete_case(ctx: Ctx, request: HttpRequest, id: Path<CaseId>) -> Answer {
    let (expected, visit) = (if_match(&request)?, visit(&ctx));
    disposing(&ctx, *id, "deleted", move |tx, may| case::remove(tx, may, expected, &visit)).await?;
    no_content()
}
