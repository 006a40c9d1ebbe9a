//! Requests that no route takes: 404, or 405 naming the methods there are.

use super::failure::{Answer, Failure};
use crate::base::Class;
use actix_web::http::header;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use std::collections::HashMap;
use utoipa::openapi::OpenApi;

/// The methods of every route, by the shape of its path.
///
/// A route's guard turns a request with another method away as if the path did not exist; this
/// table, read from the API description, tells the two apart.
#[derive(Debug, Clone, Default)]
pub struct Methods(HashMap<String, Vec<&'static str>>);

impl Methods {
    /// Reads the methods of every path; `mounts` are the prefixes under which the paths stand.
    pub fn of(api: &OpenApi, mounts: &[&str]) -> Self {
        let mut table: HashMap<String, Vec<&'static str>> = HashMap::new();
        for (path, item) in &api.paths.paths {
            let methods = [
                ("GET", item.get.is_some()),
                ("HEAD", item.get.is_some()),
                ("POST", item.post.is_some()),
                ("PUT", item.put.is_some()),
                ("PATCH", item.patch.is_some()),
                ("DELETE", item.delete.is_some()),
            ];
            for mount in mounts {
                let known = table.entry(shape(&format!("{mount}{path}"))).or_default();
                let given = methods.iter().filter(|(_, given)| *given).map(|(name, _)| *name);
                known.extend(given);
                known.sort_unstable();
                known.dedup();
            }
        }
        Self(table)
    }

    fn allowed(&self, pattern: &str) -> Option<String> {
        self.0.get(&shape(pattern)).map(|methods| methods.join(", "))
    }
}

/// A path pattern without the names in it: `/cases/{id}` and `/cases/{case_id:.*}` are one shape.
fn shape(pattern: &str) -> String {
    let mut shape = String::with_capacity(pattern.len());
    let mut depth = 0usize;
    for c in pattern.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ if depth > 0 => continue,
            _ => {}
        }
        if depth <= 1 {
            shape.push(c);
        }
    }
    shape
}

/// The default service of the program.
///
/// # Errors
/// Always, except for `OPTIONS` on a path that exists: 405 `method_not_allowed` with `Allow`, or
/// 404 `not_found`.
pub async fn unmatched(request: HttpRequest) -> Answer {
    let allowed = request
        .app_data::<web::Data<Methods>>()
        .zip(request.match_pattern())
        .and_then(|(methods, pattern)| methods.allowed(&pattern));
    match allowed {
        Some(methods) if request.method() == Method::OPTIONS => {
            Ok(HttpResponse::NoContent().insert_header((header::ALLOW, methods)).finish())
        }
        Some(methods) => {
            let detail = format!("only {methods} may be used here");
            Err(Failure::with_status(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
                .with_header(header::ALLOW, methods))
        }
        None => Err(Failure::new(Class::Missing, "not_found", "there is nothing at this address")),
    }
}
