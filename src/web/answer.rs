//! Answers: JSON with the headers that belong to the status, and entity versions.

use super::failure::{Answer, Failure};
use crate::base::Class;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

/// Header that tells which version a failed `If-Match` named; existing clients read it.
const EXPECTED_VERSION: HeaderName = HeaderName::from_static("x-expected-version");
/// Header that tells the version there is.
const ACTUAL_VERSION: HeaderName = HeaderName::from_static("x-actual-version");

/// A value as JSON.
///
/// # Errors
/// 500 when the value does not serialise.
pub fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    Ok(HttpResponse::build(status).content_type(header::ContentType::json()).body(text(value)?))
}

/// A value as JSON text.
pub(super) fn text(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|e| Failure::broken(format!("an answer: {e}")))
}

/// A single resource with its version as `ETag`.
///
/// # Errors
/// As [`json`].
pub fn versioned(status: StatusCode, value: &impl Serialize, version: u64) -> Answer {
    let mut answer = json(status, value)?;
    let (name, tag) = etag(version);
    insert(&mut answer, name, &tag);
    Ok(answer)
}

/// 201 with the address of the new thing, a path such as `/api/v1/cases/case_...`.
///
/// # Errors
/// As [`json`].
pub fn created(location: &str, value: &impl Serialize) -> Answer {
    let mut answer = json(StatusCode::CREATED, value)?;
    insert(&mut answer, header::LOCATION, location);
    Ok(answer)
}

/// 202 with the address of the job and when to ask for it.
///
/// # Errors
/// As [`json`].
pub fn accepted(location: &str, retry_after_s: u32, value: &impl Serialize) -> Answer {
    let mut answer = json(StatusCode::ACCEPTED, value)?;
    insert(&mut answer, header::LOCATION, location);
    insert(&mut answer, header::RETRY_AFTER, &retry_after_s.to_string());
    Ok(answer)
}

/// 303 to where the result is.
///
/// # Errors
/// As [`json`].
pub fn see_other(location: &str, value: &impl Serialize) -> Answer {
    let mut answer = json(StatusCode::SEE_OTHER, value)?;
    insert(&mut answer, header::LOCATION, location);
    Ok(answer)
}

/// 204.
///
/// # Errors
/// Never; the type is that of a handler's answer.
pub fn no_content() -> Answer {
    Ok(HttpResponse::NoContent().finish())
}

/// Sets a header; a text that is no header value is left out.
pub(super) fn insert(answer: &mut HttpResponse, name: HeaderName, value: &str) {
    if let Ok(value) = header::HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// The `ETag` of a version (RFC 9110, 8.8.3), ready for `insert_header`.
pub fn etag(version: u64) -> (HeaderName, String) {
    (header::ETAG, format!("\"{version}\""))
}

/// The version a client wants to change: `None` when any will do (no header, or `*`).
///
/// # Errors
/// 400 `if_match_malformed` when the header is not one entity tag; 412 `version_mismatch` when it
/// is a tag that no version of ours has.
pub fn if_match(request: &HttpRequest) -> Result<Option<u64>, Failure> {
    let Some(value) = request.headers().get(header::IF_MATCH) else { return Ok(None) };
    let value = value.to_str().unwrap_or_default().trim();
    if value == "*" {
        return Ok(None);
    }
    // Compressing proxies weaken tags; ours are versions, so a weak one still names one.
    let tag = value.strip_prefix("W/").unwrap_or(value);
    let inner = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag);
    if inner.is_empty() || inner.contains(['"', ',', ' ']) {
        let detail = "`If-Match` must be one entity tag or `*`";
        return Err(Failure::new(Class::Malformed, "if_match_malformed", detail));
    }
    match inner.parse() {
        Ok(version) => Ok(Some(version)),
        Err(_) => Err(Failure::new(
            Class::Precondition,
            "version_mismatch",
            "`If-Match` names no version of this resource",
        )
        .with_header(EXPECTED_VERSION, inner)),
    }
}

/// 412: somebody changed the resource since the client read it.
pub fn version_mismatch(expected: u64, actual: u64) -> Failure {
    let detail = format!("version {expected} was expected and version {actual} was found");
    Failure::new(Class::Precondition, "version_mismatch", detail)
        .with_header(EXPECTED_VERSION, expected.to_string())
        .with_header(ACTUAL_VERSION, actual.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn check(header: Option<&str>, expected: Result<Option<u64>, &str>) {
        let mut request = TestRequest::default();
        if let Some(value) = header {
            request = request.insert_header((header::IF_MATCH, value));
        }
        let found = if_match(&request.to_http_request());
        assert_eq!(found.as_ref().map(|v| *v).map_err(Failure::code), expected, "{header:?}");
    }

    #[test]
    fn if_match_names_at_most_one_version() {
        check(None, Ok(None));
        check(Some("*"), Ok(None));
        check(Some("\"7\""), Ok(Some(7)));
        check(Some("W/\"7\""), Ok(Some(7)));
        check(Some("7"), Ok(Some(7)));
        check(Some("\"abc\""), Err("version_mismatch"));
        check(Some("\"7\", \"8\""), Err("if_match_malformed"));
        check(Some(""), Err("if_match_malformed"));
    }

    #[test]
    fn a_mismatch_tells_both_versions() {
        let failure = version_mismatch(3, 5);
        let told: Vec<_> =
            failure.headers().iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
        assert_eq!(told, [("x-expected-version", &b"3"[..]), ("x-actual-version", b"5")]);
        assert_eq!(failure.status(), StatusCode::PRECONDITION_FAILED);
    }
}
