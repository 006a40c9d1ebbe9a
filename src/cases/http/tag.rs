//! The tags of a case.

use super::{changing, reading};
use crate::base::id::CaseId;
use crate::cases::tag;
use crate::web::{self, Answer, Body, Ctx, Path};
use actix_web::http::StatusCode;
use actix_web::{get, put};
use serde::{Deserialize, Serialize};

/// All tags of a case.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct CaseTags {
    /// In alphabetical order.
    tags: Vec<String>,
    /// How many they are.
    total_count: usize,
}

impl CaseTags {
    fn of(tags: Vec<String>) -> Self {
        Self { total_count: tags.len(), tags }
    }
}

/// The tags a case is to have.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplaceTags {
    /// At most 50 tags of at most 50 characters; repeated ones count once.
    tags: Vec<String>,
}

/// Replaces the tags of a case.
#[utoipa::path(tag = "cases", params(("id" = CaseId, Path)), request_body = ReplaceTags,
    responses((status = 200, body = CaseTags), (status = 403), (status = 404), (status = 422)))]
#[put("/cases/{id}/tags")]
pub(super) async fn replace_tags(ctx: Ctx, id: Path<CaseId>, body: Body<ReplaceTags>) -> Answer {
    let (wanted, now) = (body.into_inner().tags, ctx.now);
    let done =
        changing(&ctx, *id, "tags replaced", move |tx, may| tag::replace(tx, may, &wanted, now));
    web::json(StatusCode::OK, &CaseTags::of(done.await?))
}

/// Lists the tags of a case.
#[utoipa::path(tag = "cases", params(("id" = CaseId, Path)),
    responses((status = 200, body = CaseTags), (status = 404)))]
#[get("/cases/{id}/tags")]
pub(super) async fn list_tags(ctx: Ctx, id: Path<CaseId>) -> Answer {
    let tags = reading(&ctx, *id, "tags listed", tag::all).await?;
    web::json(StatusCode::OK, &CaseTags::of(tags))
}
