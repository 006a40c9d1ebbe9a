//! Windows of lists: which one is asked for, and how the answer says what follows.

use super::answer::{insert, json};
use super::failure::{Answer, Failure};
use super::query::decode;
use crate::base::page::{PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX, PAGE_OFFSET_MAX};
use crate::base::{Page, PageRequest};
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::{FromRequest, HttpRequest};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use std::future::{Ready, ready};

/// Header that tells how many rows the whole list has.
const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// The window a client asks for: `limit` with `offset` or `cursor`.
///
/// A cursor is opaque to clients. It is the base64url of the next offset, so a row that is added
/// or removed in front of it moves the window by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging(PageRequest);

impl Paging {
    /// The window.
    pub fn request(&self) -> PageRequest {
        self.0
    }

    fn parse(query: &str) -> Result<Self, Failure> {
        let asked: Asked = decode(query)?;
        let limit = asked.limit.unwrap_or(PAGE_LIMIT_DEFAULT);
        if !(1..=PAGE_LIMIT_MAX).contains(&limit) {
            let message = format!("must be between 1 and {PAGE_LIMIT_MAX}");
            return Err(Failure::invalid("invalid_query", "limit", message));
        }
        let offset = match (asked.cursor, asked.offset) {
            (Some(_), Some(_)) => {
                let message = "give either a cursor or an offset";
                return Err(Failure::invalid("invalid_query", "cursor", message));
            }
            (Some(cursor), None) => offset_of(&cursor).ok_or_else(|| {
                Failure::invalid("invalid_query", "cursor", "is not one of this server's cursors")
            })?,
            (None, offset) => offset.unwrap_or(0),
        };
        if offset > PAGE_OFFSET_MAX && asked.offset.is_some() {
            let message = format!("must be at most {PAGE_OFFSET_MAX}; follow `next_cursor` beyond");
            return Err(Failure::invalid("invalid_query", "offset", message));
        }
        Ok(Self(PageRequest { limit, offset }))
    }
}

/// What a client may write.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Rows wanted; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// Rows skipped before the first.
    #[param(maximum = 100_000)]
    offset: Option<usize>,
    /// `next_cursor` of the answer before, instead of an offset.
    cursor: Option<String>,
}

impl utoipa::IntoParams for Paging {
    fn into_params(
        place: impl Fn() -> Option<utoipa::openapi::path::ParameterIn>,
    ) -> Vec<utoipa::openapi::path::Parameter> {
        Asked::into_params(place)
    }
}

/// Furthest offset a cursor may carry: far beyond any list, and safe to add to.
const CURSOR_OFFSET_MAX: u32 = u32::MAX / 2;

fn cursor_at(offset: usize) -> Option<String> {
    let offset = u32::try_from(offset).ok().filter(|offset| *offset <= CURSOR_OFFSET_MAX)?;
    Some(BASE64_URL_SAFE_NO_PAD.encode(offset.to_be_bytes()))
}

fn offset_of(cursor: &str) -> Option<usize> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let offset = u32::from_be_bytes(bytes.try_into().ok()?);
    (offset <= CURSOR_OFFSET_MAX).then_some(offset as usize)
}

impl FromRequest for Paging {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::parse(request.query_string()))
    }
}

/// The body of a list answer; the rows stand under the plural of what they are.
struct List<'a, T> {
    plural: &'a str,
    page: &'a Page<T>,
    next: Option<&'a str>,
}

impl<T: Serialize> Serialize for List<'_, T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(6))?;
        map.serialize_entry(self.plural, &self.page.items)?;
        map.serialize_entry("total_count", &self.page.total_count)?;
        map.serialize_entry("limit", &self.page.request.limit)?;
        map.serialize_entry("offset", &self.page.request.offset)?;
        map.serialize_entry("has_more", &self.page.has_more())?;
        map.serialize_entry("next_cursor", &self.next)?;
        map.end()
    }
}

/// One window of a list, `{<plural>: [..], total_count, limit, offset, has_more, next_cursor}`,
/// with `X-Total-Count` and `Link` (RFC 8288).
///
/// # Errors
/// As [`json`].
pub fn list<T: Serialize>(request: &HttpRequest, plural: &str, page: Page<T>) -> Answer {
    let PageRequest { limit, offset } = page.request;
    let next = page.has_more().then(|| cursor_at(offset + page.items.len())).flatten();
    let mut answer = json(StatusCode::OK, &List { plural, page: &page, next: next.as_deref() })?;
    insert(&mut answer, TOTAL_COUNT, &page.total_count.to_string());
    let mut links = Vec::new();
    if let Some(cursor) = &next {
        links.push(link(request, limit, cursor, "next"));
    }
    if offset > 0 {
        let before = [(offset.saturating_sub(limit), "prev"), (0, "first")];
        links.extend(
            before.iter().filter_map(|(at, rel)| Some(link(request, limit, &cursor_at(*at)?, rel))),
        );
    }
    if !links.is_empty() {
        insert(&mut answer, header::LINK, &links.join(", "));
    }
    Ok(answer)
}

/// The same address with another window.
fn link(request: &HttpRequest, limit: usize, cursor: &str, rel: &str) -> String {
    let window = ["limit", "offset", "cursor"];
    let kept = request
        .query_string()
        .split('&')
        .filter(|pair| !pair.is_empty() && !window.contains(&pair.split('=').next().unwrap_or("")))
        .fold(String::new(), |kept, pair| kept + pair + "&");
    format!("<{}?{kept}limit={limit}&cursor={cursor}>; rel=\"{rel}\"", request.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, expected: Result<(usize, usize), &str>) {
        let found = Paging::parse(query);
        let found = found.as_ref().map(|p| (p.0.limit, p.0.offset));
        let found = found.map_err(|f| f.fields().first().map_or("", |e| e.field.as_str()));
        assert_eq!(found, expected, "{query}");
    }

    #[test]
    fn a_window_has_bounds() {
        check("", Ok((20, 0)));
        check("limit=1&offset=100000&status=x", Ok((1, 100_000)));
        check("limit=100", Ok((100, 0)));
        check("limit=&offset=", Ok((20, 0)));
        check("limit=0", Err("limit"));
        check("limit=101", Err("limit"));
        check("limit=-1", Err("limit"));
        check("limit=99999999999999999999", Err("limit"));
        check("limit=1&limit=2", Err("limit"));
        check("offset=x", Err("offset"));
        check("offset=100001", Err("offset"));
        check("cursor=AAAAKA&offset=1", Err("cursor"));
        check("cursor=AAAAKA", Ok((20, 40)));
        check("cursor=!!!!", Err("cursor"));
        check("cursor=AAAA", Err("cursor"));
        check("cursor=_____w", Err("cursor"));
    }

    #[test]
    fn a_cursor_goes_where_it_was_made() {
        for offset in [0, 40, 100_020, CURSOR_OFFSET_MAX as usize] {
            assert_eq!(cursor_at(offset).as_deref().and_then(offset_of), Some(offset));
        }
        assert_eq!(cursor_at(usize::MAX), None);
    }
}
