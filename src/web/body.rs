//! JSON bodies: bounded, checked before they are parsed, and refused with the field's path.
//!
//! A body is taken as it was sent. The HTTP library inflates a whole chunk before anybody can count
//! it, so a few kilobytes could become gigabytes; [`encoded`] refuses such requests at the door.

use super::ctx::{Limits, Shell};
use super::failure::Failure;
use crate::base::json::{JSON_DEPTH_MAX, depth};
use crate::base::{Class, FieldError};
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use serde::de::{DeserializeOwned, IgnoredAny};
use sha2::{Digest, Sha256};
use std::ops::Deref;

/// A JSON object read into `T`.
///
/// Empty, not UTF-8, not JSON or nested deeper than 64 is 400; too large is 413; another media type
/// is 415, and so is a compressed body; an unknown field, a missing one or a wrong type is 422 naming the field's path.
#[derive(Debug)]
pub struct Body<T> {
    value: T,
    fingerprint: [u8; 32],
}

impl<T> Body<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// SHA-256 of the bytes as they came, for [`super::once`].
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }
}

impl<T> Deref for Body<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = read(request, payload);
        Box::pin(async move {
            let bytes = bytes.await?;
            if bytes.is_empty() {
                return Err(malformed("body_empty", "a JSON body is expected"));
            }
            Ok(Self { value: parse(&bytes)?, fingerprint: Sha256::digest(&bytes).into() })
        })
    }
}

/// As [`Body`], but an empty body is `T::default()`.
#[derive(Debug)]
pub struct OptionalBody<T>(Body<T>);

impl<T> OptionalBody<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        self.0.value
    }

    /// SHA-256 of the bytes as they came, for [`super::once`].
    pub fn fingerprint(&self) -> [u8; 32] {
        self.0.fingerprint
    }
}

impl<T> Deref for OptionalBody<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T: DeserializeOwned + Default + 'static> FromRequest for OptionalBody<T> {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = read(request, payload);
        Box::pin(async move {
            let bytes = bytes.await?;
            let value = if bytes.is_empty() { T::default() } else { parse(&bytes)? };
            Ok(Self(Body { value, fingerprint: Sha256::digest(&bytes).into() }))
        })
    }
}

fn malformed(code: &'static str, detail: impl Into<String>) -> Failure {
    Failure::new(Class::Malformed, code, detail)
}

fn too_large(limit: usize) -> Failure {
    let detail = format!("the body is larger than the limit of {limit} bytes");
    Failure::new(Class::TooLarge, "body_too_large", detail)
}

/// Refuses a request whose body is compressed, on every route: forms and foreign extractors of the
/// HTTP library would inflate it too.
pub(super) fn encoded(headers: &HeaderMap) -> Option<Failure> {
    let plain = |coding: &str| coding.is_empty() || coding.eq_ignore_ascii_case("identity");
    let all_plain = headers.get_all(header::CONTENT_ENCODING).all(|value| {
        value.to_str().is_ok_and(|codings| codings.split(',').map(str::trim).all(plain))
    });
    if all_plain {
        return None;
    }
    let detail = "a request body must be sent without `Content-Encoding`";
    let failure = Failure::new(Class::Unsupported, "content_encoding_unsupported", detail);
    // What a client may use instead (RFC 9110, 12.5.3).
    Some(failure.with_header(header::ACCEPT_ENCODING, "identity"))
}

/// Reads the whole body as it was sent, up to the limit.
fn read(
    request: &HttpRequest,
    payload: &mut Payload,
) -> impl Future<Output = Result<web::BytesMut, Failure>> + use<> {
    let limits = request.app_data::<web::Data<Shell>>().map_or_else(Limits::default, |s| s.limits);
    let limit = limits.json_bytes_max;
    let declared: Option<usize> = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let accepted = media_type(request);
    let mut chunks = payload.take();
    async move {
        accepted?;
        if declared.is_some_and(|length| length > limit) {
            return Err(too_large(limit));
        }
        let mut body = web::BytesMut::with_capacity(declared.unwrap_or_default());
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|e| malformed("body_incomplete", e.to_string()))?;
            if body.len() + chunk.len() > limit {
                return Err(too_large(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Takes `application/json`, any `+json`, and no type at all.
fn media_type(request: &HttpRequest) -> Result<(), Failure> {
    let Some(value) = request.headers().get(header::CONTENT_TYPE) else { return Ok(()) };
    let value = value.to_str().unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") {
        return Ok(());
    }
    Err(Failure::new(Class::Unsupported, "media_type", "the body must be `application/json`"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let text = std::str::from_utf8(bytes)
        .map_err(|e| malformed("body_not_utf8", format!("the body is not UTF-8: {e}")))?;
    if depth(bytes) > JSON_DEPTH_MAX {
        let detail = format!("the body is nested deeper than {JSON_DEPTH_MAX}");
        return Err(malformed("json_too_deep", detail));
    }
    // The decoder would also fill a struct from an array, by position.
    if !text.trim_ascii_start().starts_with('{') {
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| syntax(&error))?;
        return Err(wrong_field("invalid_body", ".", "expected an object"));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if error.is_data() {
            wrong_field("invalid_body", &path, &error.to_string())
        } else {
            syntax(&error)
        }
    })?;
    json.end().map_err(|error| syntax(&error))?;
    Ok(value)
}

fn syntax(error: &serde_json::Error) -> Failure {
    malformed("json_syntax", format!("the body is not JSON: {error}"))
}

/// A decoder's complaint as a wrong field. The decoder reports an unknown, missing or repeated
/// field at the object that has or lacks it; the path is completed from the message.
pub(super) fn wrong_field(code: &'static str, path: &str, message: &str) -> Failure {
    let message = message.rfind(" at line ").map_or(message, |end| &message[..end]);
    let mut path = if path == "." { String::new() } else { path.to_owned() };
    if let Some(name) = named(message)
        && path.rsplit('.').next() != Some(name)
    {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
    }
    let field = if path.is_empty() { "body".to_owned() } else { path };
    let detail = format!("{field}: {message}");
    Failure::new(Class::Invalid, code, detail).with_fields(vec![FieldError::new(field, message)])
}

fn named(message: &str) -> Option<&str> {
    let kinds = ["unknown field `", "missing field `", "duplicate field `"];
    let rest = kinds.iter().find_map(|kind| message.strip_prefix(kind))?;
    rest.split('`').next()
}
