//! What probes and scrapers ask, at the root and without a token; and the layer that measures.

use super::health::{Component, Overall, Readiness, State};
use super::metrics::{Answered, Metrics};
use crate::base::Time;
use crate::web::{self, Answer, Failure, Shell};
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{Error, HttpRequest, HttpResponse, get};
use serde::Serialize;

/// Media type of what [`Metrics::render`] writes (OpenMetrics 1.0).
pub(super) const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Name of the component that the store reports for itself.
const DATABASE: &str = "database";
/// Seconds after which a server that starts is worth asking again.
const RETRY_AFTER_S: &str = "1";

/// Routes at the root of the server.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(livez)
        .service(readyz)
        .service(readiness_probe)
        .service(healthz)
        .service(health_summary)
        .service(build_version)
        .service(scrape);
}

/// The routes for the API description.
#[derive(utoipa::OpenApi)]
#[openapi(paths(livez, readyz, readiness_probe, healthz, health_summary, build_version, scrape))]
pub struct Doc;

/// How the server is, for probes.
#[derive(Serialize, utoipa::ToSchema)]
struct Probe {
    /// One word.
    status: &'static str,
    /// Each component; only with `?verbose`.
    #[serde(skip_serializing_if = "Option::is_none")]
    components: Option<Vec<Component>>,
}

/// How the server is, for people and clients.
#[derive(Serialize, utoipa::ToSchema)]
struct Health {
    /// `healthy`, `degraded`, `starting`, `draining` or `unhealthy`.
    status: &'static str,
    /// `faultmaven`.
    service: &'static str,
    /// The running version.
    version: &'static str,
    /// The time of the answer.
    timestamp: Time,
    /// Seconds since the start.
    uptime_seconds: i64,
    /// Each component.
    components: Vec<Component>,
}

/// Which build this is.
#[derive(Serialize, utoipa::ToSchema)]
struct Version {
    /// `faultmaven`.
    name: &'static str,
    /// Semantic version.
    version: &'static str,
    /// Processor architecture.
    arch: &'static str,
    /// Operating system.
    os: &'static str,
}

/// The state of everything, the store included.
fn report(shell: &Shell, readiness: &Readiness) -> super::health::Report {
    if shell.db.stats().poisoned {
        let message = "a commit failed; writes are refused until the server is started again";
        readiness.set(DATABASE, State::Failed, message);
    }
    readiness.report()
}

/// Says that the process lives; asks nothing of its parts.
#[utoipa::path(tag = "meta", responses((status = 200, body = Probe)))]
#[get("/livez")]
async fn livez() -> Answer {
    web::json(StatusCode::OK, &Probe { status: "ok", components: None })
}

/// Says whether new requests are wanted; `?verbose` lists the components.
#[utoipa::path(
    tag = "meta",
    params(("verbose" = Option<String>, Query, description = "list the components")),
    responses((status = 200, body = Probe), (status = 503, body = Probe))
)]
#[get("/readyz")]
async fn readyz(request: HttpRequest, shell: Data<Shell>, readiness: Data<Readiness>) -> Answer {
    ready(&request, &shell, &readiness)
}

/// The same under the name that existing clients use.
#[utoipa::path(tag = "meta", responses((status = 200, body = Probe), (status = 503, body = Probe)))]
#[get("/readiness")]
async fn readiness_probe(
    request: HttpRequest,
    shell: Data<Shell>,
    readiness: Data<Readiness>,
) -> Answer {
    ready(&request, &shell, &readiness)
}

fn ready(request: &HttpRequest, shell: &Shell, readiness: &Readiness) -> Answer {
    let report = report(shell, readiness);
    let names = request.query_string().split('&').map(|pair| pair.split('=').next());
    let verbose = names.flatten().any(|name| name == "verbose");
    let status = match report.status {
        Overall::Ready => "ready",
        Overall::Degraded => "degraded",
        Overall::Starting => "starting",
        Overall::Failed => "failed",
        Overall::Draining => "draining",
    };
    let probe = Probe { status, components: verbose.then_some(report.components) };
    if report.status.serves() {
        return web::json(StatusCode::OK, &probe);
    }
    let mut answer = web::json(StatusCode::SERVICE_UNAVAILABLE, &probe)?;
    let seconds = header::HeaderValue::from_static(RETRY_AFTER_S);
    answer.headers_mut().insert(header::RETRY_AFTER, seconds);
    Ok(answer)
}

/// Says how the server and its components are; 503 when a required one failed.
#[utoipa::path(
    tag = "meta",
    responses((status = 200, body = Health), (status = 503, body = Health))
)]
#[get("/healthz")]
async fn healthz(shell: Data<Shell>, readiness: Data<Readiness>, metrics: Data<Metrics>) -> Answer {
    healthy(&shell, &readiness, &metrics)
}

/// The same under the name that existing clients use.
#[utoipa::path(
    tag = "meta",
    responses((status = 200, body = Health), (status = 503, body = Health))
)]
#[get("/health")]
async fn health_summary(
    shell: Data<Shell>,
    readiness: Data<Readiness>,
    metrics: Data<Metrics>,
) -> Answer {
    healthy(&shell, &readiness, &metrics)
}

fn healthy(shell: &Shell, readiness: &Readiness, metrics: &Metrics) -> Answer {
    let report = report(shell, readiness);
    let (code, status) = match report.status {
        Overall::Ready => (StatusCode::OK, "healthy"),
        Overall::Degraded => (StatusCode::OK, "degraded"),
        Overall::Starting => (StatusCode::OK, "starting"),
        Overall::Draining => (StatusCode::OK, "draining"),
        Overall::Failed => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
    };
    let now = shell.clock.now();
    let health = Health {
        status,
        service: "faultmaven",
        version: env!("CARGO_PKG_VERSION"),
        timestamp: now,
        uptime_seconds: metrics.uptime_ms(now) / 1000,
        components: report.components,
    };
    web::json(code, &health)
}

/// Says which build this is.
#[utoipa::path(tag = "meta", responses((status = 200, body = Version)))]
#[get("/version")]
async fn build_version() -> Answer {
    let version = Version {
        name: "faultmaven",
        version: env!("CARGO_PKG_VERSION"),
        arch: std::env::consts::ARCH,
        os: std::env::consts::OS,
    };
    web::json(StatusCode::OK, &version)
}

/// Gives the figures of the server to Prometheus.
#[utoipa::path(
    tag = "meta",
    responses((status = 200, body = String, content_type = "application/openmetrics-text"))
)]
#[get("/metrics")]
async fn scrape(shell: Data<Shell>, metrics: Data<Metrics>) -> Answer {
    let text = metrics.render(shell.clock.now(), shell.db.stats()).map_err(Failure::from)?;
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, OPENMETRICS)).body(text))
}

/// Counts and times every request by route; `app` installs it outside the shell, so that it also
/// sees what the shell answers for a panic.
///
/// # Errors
/// What the layers below answer.
pub async fn measure<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let (Some(metrics), Some(shell)) =
        (request.app_data::<Data<Metrics>>().cloned(), request.app_data::<Data<Shell>>().cloned())
    else {
        return next.call(request).await;
    };
    let method = request.method().clone();
    let arrived = shell.clock.now();
    let in_flight = metrics.begin();
    let outcome = next.call(request).await;
    drop(in_flight);
    let took_us = shell.clock.now().unix_us() - arrived.unix_us();
    let (status, route) = match &outcome {
        Ok(answer) => (answer.status(), answer.request().match_pattern()),
        Err(error) => (error.as_response_error().status_code(), None),
    };
    metrics.answered(Answered {
        method: method.as_str(),
        route: route.as_deref(),
        status: status.as_u16(),
        // A clock that was set back in between must not show a negative time.
        took_us: u64::try_from(took_us).unwrap_or(0),
    });
    outcome
}
