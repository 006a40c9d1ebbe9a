//! Care of the store over HTTP, for administrators; every act is audited.

use super::maintenance::{
    Checked, CompactedBody, Maintenance, Storage, check_details, compact_details, entry, recorded,
};
use crate::base::Role;
use crate::ops::event;
use crate::web::{self, Answer, Ctx};
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{get, post};

/// The routes for the API description.
#[derive(utoipa::OpenApi)]
#[openapi(paths(show_storage, check_store, compact_store))]
pub(super) struct Doc;

/// Mounts the routes.
pub(super) fn routes(config: &mut actix_web::web::ServiceConfig) {
    config.service(show_storage).service(check_store).service(compact_store);
}

/// Says where the space is and how safe the store is. For administrators.
#[utoipa::path(tag = "admin", responses((status = 200, body = Storage)))]
#[get("/admin/storage")]
async fn show_storage(ctx: Ctx, maintenance: Data<Maintenance>) -> Answer {
    ctx.require(Role::Admin)?;
    web::json(StatusCode::OK, &maintenance.storage(&ctx.db, ctx.now)?)
}

/// Verifies everything: rows, indexes, chunks, blobs and their hashes, the audit chain. Answers
/// when it is done, which takes as long as reading the whole store. For administrators.
#[utoipa::path(tag = "admin", responses(
    (status = 200, body = Checked),
    (status = 409, description = "the store is being checked, compacted or re-keyed"),
))]
#[post("/admin/check")]
async fn check_store(ctx: Ctx, maintenance: Data<Maintenance>) -> Answer {
    ctx.require(Role::Admin)?;
    let checked = maintenance.check(&ctx.db).await?;
    let done = entry(&ctx, event::STORE_CHECKED, "store", "all", &check_details(&checked))?;
    recorded(&ctx.db, done).await;
    web::json(StatusCode::OK, &checked)
}

/// Returns the space of deleted rows to the disk while the store serves. Answers when it is done.
/// For administrators.
#[utoipa::path(tag = "admin", responses(
    (status = 200, body = CompactedBody),
    (status = 409, description = "the store is being checked, compacted or re-keyed"),
    (status = 507, description = "there is no room for the copy that takes the place"),
))]
#[post("/admin/compact")]
async fn compact_store(ctx: Ctx, maintenance: Data<Maintenance>) -> Answer {
    ctx.require(Role::Admin)?;
    let compacted = maintenance.compact(&ctx.db).await?;
    let done = entry(&ctx, event::STORE_COMPACTED, "store", "all", &compact_details(&compacted))?;
    recorded(&ctx.db, done).await;
    web::json(StatusCode::OK, &compacted)
}
