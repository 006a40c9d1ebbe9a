//! The outermost layer: ids, one log line a request, containment of panics, one error shape.

use super::answer::insert;
use super::body;
use super::ctx::{CORRELATION_ID, REQUEST_ID, RequestInfo, Shell};
use super::failure::Failure;
use super::headers;
use crate::base::Class;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};
use bytes::Bytes;
use futures_util::FutureExt;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use tracing::Instrument;

/// Wraps the whole program; `app` installs it last, so that it sees a request first.
///
/// Every answer leaves with `X-Request-Id`, `X-Correlation-ID` and the protective headers, every
/// error as problem details. `HEAD` is answered as `GET` without a body. A panic becomes a 500 and
/// the server lives on.
///
/// # Errors
/// After a panic, and when a layer below answers with an error instead of a response: the error is
/// then complete and needs no further care.
pub async fn shell<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(shell) = request.app_data::<web::Data<Shell>>().cloned() else {
        return Err(Failure::broken("no shell is registered").into());
    };
    let info = RequestInfo::of(request.request(), &shell);
    let (method, path) = (request.method().clone(), request.path().to_owned());
    request.extensions_mut().insert(info.clone());
    let span = tracing::info_span!(
        "request",
        request_id = %info.request_id,
        trace_id = info.trace_id.as_deref(),
    );
    async move {
        let is_head = method == Method::HEAD;
        if is_head {
            request.head_mut().method = Method::GET;
        }
        // A panic takes the request with it, so what the log says of one is read before.
        let matched = request.match_pattern();
        let refused = oversize(&request, &shell)
            .or_else(|| body::encoded(request.headers()))
            .or_else(|| full(request.method(), matched.as_deref(), &shell));
        let outcome = match refused {
            Some(failure) => Ok(request.error_response(failure)),
            None => contained(request, next, matched.as_deref()).await,
        };
        let answer = match outcome {
            Ok(answer) => finish(answer, &info, &path, is_head),
            Err(failure) => {
                tell_cause(&failure);
                Err(bare(failure, &info, &path))
            }
        };
        let (status, route) = match &answer {
            Ok(answer) => (answer.status(), answer.request().match_pattern()),
            Err(error) => (error.as_response_error().status_code(), matched),
        };
        log(&method, route.as_deref(), status, shell.clock.now().unix_us() - info.at.unix_us());
        answer
    }
    .instrument(span)
    .await
}

/// Refuses heads that are larger than the limits.
fn oversize(request: &ServiceRequest, shell: &Shell) -> Option<Failure> {
    let limits = &shell.limits;
    let uri = request.uri().path_and_query().map_or(0, |uri| uri.as_str().len());
    if uri > limits.uri_bytes_max {
        let detail = format!("the address is longer than {} bytes", limits.uri_bytes_max);
        return Some(Failure::with_status(StatusCode::URI_TOO_LONG, "uri_too_long", detail));
    }
    let bytes: usize = request.headers().iter().map(|(n, v)| n.as_str().len() + v.len()).sum();
    if bytes > limits.header_bytes_max {
        let detail = format!("the headers are larger than {} bytes", limits.header_bytes_max);
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Some(Failure::with_status(status, "headers_too_large", detail));
    }
    None
}

/// Refuses what would grow the store while there is no room for it. Deletes go on, and so does
/// what only reads.
fn full(method: &Method, route: Option<&str>, shell: &Shell) -> Option<Failure> {
    let grows = [Method::POST, Method::PUT, Method::PATCH].contains(method);
    // Where no route is, 404 and 405 are the better answers.
    let route = route.filter(|_| grows && shell.db.is_full())?;
    if shell.open_when_full.contains(route) {
        return None;
    }
    let detail = "the disk is too full for writes; reads and deletes go on";
    Some(Failure::new(Class::Full, "disk_full", detail))
}

/// Runs the layers below; a panic of theirs ends here. Its words may quote what a person sent, so
/// they are not kept; the route and the request id of the log line lead to the place.
async fn contained<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
    route: Option<&str>,
) -> Result<ServiceResponse<BoxBody>, Failure> {
    let run = AssertUnwindSafe(async move { next.call(request).await });
    match run.catch_unwind().await {
        Ok(Ok(answer)) => Ok(answer.map_into_boxed_body()),
        Ok(Err(error)) => Err(owned(&error)),
        Err(_) => {
            let route = route.unwrap_or(UNMATCHED);
            Err(Failure::broken(format!("a handler of {route} panicked")))
        }
    }
}

/// A failure of the same content as an error of any origin.
fn owned(error: &Error) -> Failure {
    match error.as_error::<Failure>() {
        Some(failure) => failure.duplicate(),
        None => foreign(error.as_response_error().status_code(), error),
    }
}

/// An error of the HTTP library as a failure of ours.
fn foreign(status: StatusCode, error: &Error) -> Failure {
    let code = match status {
        StatusCode::BAD_REQUEST => "malformed",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::REQUEST_TIMEOUT => "request_timeout",
        StatusCode::PAYLOAD_TOO_LARGE => "body_too_large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "media_type",
        _ if status.is_client_error() => "refused",
        _ => return Failure::broken(error.to_string()),
    };
    Failure::with_status(status, code, error.to_string())
}

/// Gives an answer its last shape.
fn finish(
    answer: ServiceResponse<BoxBody>,
    info: &RequestInfo,
    path: &str,
    is_head: bool,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let failure = answer.response().error().map(owned);
    let mut answer = match failure {
        Some(failure) => {
            tell_cause(&failure);
            rewrite(answer, &failure, &info.request_id)
        }
        None => answer,
    };
    insert(answer.response_mut(), REQUEST_ID, &info.request_id);
    insert(answer.response_mut(), CORRELATION_ID, &info.correlation_id);
    headers::protect(path, answer.headers_mut());
    if is_head {
        answer = answer.map_body(|_, body| BoxBody::new(Bodiless(body.size())));
    }
    Ok(answer)
}

/// Replaces the body of an error answer and keeps the headers that other layers set on it.
fn rewrite(
    answer: ServiceResponse<BoxBody>,
    failure: &Failure,
    request_id: &str,
) -> ServiceResponse<BoxBody> {
    let (request, old) = answer.into_parts();
    let mut new = HttpResponse::build(failure.status()).body(failure.body(Some(request_id)));
    for (name, value) in old.headers() {
        if *name != header::CONTENT_ENCODING && *name != header::CONTENT_LENGTH {
            new.headers_mut().append(name.clone(), value.clone());
        }
    }
    for (name, value) in failure.marks() {
        new.headers_mut().insert(name, value);
    }
    ServiceResponse::new(request, new)
}

/// An error without a response to put headers on carries all of them itself.
fn bare(failure: Failure, info: &RequestInfo, path: &str) -> Error {
    let mut protective = header::HeaderMap::new();
    headers::protect(path, &mut protective);
    let failure = failure
        .of_request(&info.request_id)
        .with_header(REQUEST_ID, info.request_id.as_str())
        .with_header(CORRELATION_ID, info.correlation_id.as_str());
    protective
        .into_iter()
        .fold(failure, |failure, (name, value)| failure.with_header(name, value))
        .into()
}

/// Logs the cause of a failure of ours, once, here.
fn tell_cause(failure: &Failure) {
    if let Some(cause) = failure.cause() {
        tracing::error!(code = failure.code(), cause, "request failed");
    }
}

/// The one line a request leaves. The query and the headers may hold secrets and are not in it.
fn log(method: &Method, route: Option<&str>, status: StatusCode, took_us: i64) {
    let (route, status) = (route.unwrap_or(UNMATCHED), status.as_u16());
    // A clock that was set back in between must not show a negative time.
    let ms = took_us.max(0) as f64 / 1000.0;
    if PROBES.contains(&route) {
        tracing::debug!(%method, route, status, ms, "answered");
    } else {
        tracing::info!(%method, route, status, ms, "answered");
    }
}

/// Stands for the route of a request that no route takes.
const UNMATCHED: &str = "unmatched";
/// Routes that monitors ask every few seconds; their lines would bury the others.
const PROBES: [&str; 6] = ["/livez", "/readyz", "/healthz", "/health", "/readiness", "/metrics"];

/// The length of a body without the body.
struct Bodiless(BodySize);

impl MessageBody for Bodiless {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}
