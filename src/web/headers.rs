//! Headers that every answer carries for the safety of the browser that reads it.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Nothing but our own files; nobody may frame us.
const CSP: &str = "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'";
/// As [`CSP`], with the inline styles and data images that the embedded API browser uses.
const CSP_DOCS: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
                        img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; \
                        object-src 'none'";
/// Keeps an answer out of every cache, also a browser's: it carries a person's data.
const NO_STORE: &str = "no-store";

/// What is set unless the handler set it.
const ALWAYS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Adds the headers; what a handler set stays.
pub(super) fn protect(path: &str, headers: &mut HeaderMap) {
    let mut add = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    for (name, value) in ALWAYS {
        add(name, value);
    }
    let docs = path == "/docs" || path.starts_with("/docs/");
    add(header::CONTENT_SECURITY_POLICY, if docs { CSP_DOCS } else { CSP });
    if path.starts_with("/api/") {
        add(header::CACHE_CONTROL, NO_STORE);
    }
}
