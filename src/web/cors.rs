//! Which other sites' pages may call this server.

use actix_cors::Cors;
use actix_web::http::Method;

/// How long a browser may remember the answer to a preflight, in seconds: it saves most
/// round trips, and a changed configuration is seen within ten minutes.
const MAX_AGE_S: usize = 600;

/// Request headers that pages may send; those of the existing clients and our own.
const ALLOWED: [&str; 11] = [
    "Accept",
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "Last-Event-ID",
    "X-Correlation-ID",
    "X-Request-Id",
    "X-Session-Id",
    "X-User-ID",
    "X-User-Roles",
];

/// Answer headers that pages may read.
const EXPOSED: [&str; 17] = [
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Correlation-ID",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-Id",
    "X-Total-Count",
    "x-actual-version",
    "x-error-code",
    "x-expected-version",
    "x-title-source",
];

/// Lets pages of exactly these origins call with credentials; an empty list lets none. The single
/// entry `*` lets all, without credentials.
pub fn cors(origins: &[String]) -> Cors {
    let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let cors = Cors::default()
        .allowed_methods(methods)
        .allowed_headers(ALLOWED)
        .expose_headers(EXPOSED)
        .max_age(MAX_AGE_S);
    if origins == ["*"] {
        return cors.allow_any_origin().send_wildcard();
    }
    origins.iter().fold(cors.supports_credentials(), |cors, origin| cors.allowed_origin(origin))
}
