//! The API description: every room's part in one OpenAPI document.

use crate::{backup, cases, jobs, knowledge, ops, reports, uploads, users};
use utoipa::OpenApi;
use utoipa::openapi::path::Paths;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};

/// Where the API is mounted; the second is the seed's spelling of the first.
pub(super) const MOUNTS: [&str; 2] = ["/api/v1", "/api"];

#[derive(OpenApi)]
#[openapi(info(
    title = "FaultMaven",
    description = "The troubleshooting store: cases, evidence, knowledge, reports. Errors are \
                   `application/problem+json` (RFC 9457) with a stable `code`.",
    license(name = "MIT"),
))]
struct Head;

/// The document, with paths as they are served.
pub(super) fn document() -> utoipa::openapi::OpenApi {
    let mut whole = Head::openapi();
    let rooms = [
        users::Doc::openapi(),
        cases::http::Doc::openapi(),
        uploads::Doc::openapi(),
        knowledge::Doc::openapi(),
        reports::Doc::openapi(),
        backup::Doc::openapi(),
        jobs::Doc::openapi(),
    ];
    for mut room in rooms {
        let paths = std::mem::replace(&mut room.paths, Paths::new());
        for (path, item) in paths.paths {
            room.paths.paths.insert(format!("{}{path}", MOUNTS[0]), item);
        }
        whole.merge(room);
    }
    whole.merge(ops::http::Doc::openapi());
    let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    whole.components.get_or_insert_default().add_security_scheme("bearer", scheme);
    whole.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>("bearer", [])]);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_its_own_id_and_a_summary() {
        let document = document();
        let mut ids = std::collections::BTreeSet::new();
        let text = serde_json::to_value(&document).unwrap();
        let paths = text["paths"].as_object().unwrap();
        assert!(paths.len() > 50, "only {} paths", paths.len());
        for (path, item) in paths {
            for (method, operation) in item.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
                assert!(ids.insert(id.clone()), "{method} {path}: {id} is taken");
                assert!(operation["summary"].is_string(), "{method} {path} has no summary");
            }
        }
    }
}
