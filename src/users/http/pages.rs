//! The page of the first start. Its files are compiled in; it loads nothing from elsewhere.

use crate::users::account;
use crate::web::{Answer, Ctx};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, get, web};

const PAGE: &str = include_str!("../../../assets/ui/setup.html");
const SCRIPT: &str = include_str!("../../../assets/ui/setup.js");
const STYLE: &str = include_str!("../../../assets/ui/setup.css");
const DONE: &str = include_str!("../../../assets/ui/setup-done.html");

/// Adds the page at the root, beside the API.
pub fn pages(cfg: &mut web::ServiceConfig) {
    cfg.service(setup).service(script).service(style);
}

/// Serves the form that makes the first administrator; 404 once there is one.
#[get("/setup")]
async fn setup(ctx: Ctx) -> Answer {
    let done = ctx.db.read(account::admin_exists)?;
    let (status, page) = if done { (StatusCode::NOT_FOUND, DONE) } else { (StatusCode::OK, PAGE) };
    Ok(file(status, "text/html; charset=utf-8", page))
}

#[get("/setup.js")]
async fn script() -> HttpResponse {
    file(StatusCode::OK, "text/javascript; charset=utf-8", SCRIPT)
}

#[get("/setup.css")]
async fn style() -> HttpResponse {
    file(StatusCode::OK, "text/css; charset=utf-8", STYLE)
}

/// A compiled-in file; not cached, because the next version of the server brings its own.
fn file(status: StatusCode, media_type: &'static str, content: &'static str) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, media_type))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_SECURITY_POLICY, CSP))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(content)
}

/// Nothing but our own files, nobody may frame the form, and it submits nowhere by itself.
const CSP: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; \
                   frame-ancestors 'none'; object-src 'none'";
