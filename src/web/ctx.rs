//! Who asks, when, and with what: the context of one request.

use super::failure::Failure;
use crate::base::id::UserId;
use crate::base::{Actor, Class, Clock, Ids, Role, Time};
use crate::engine::db::Db;
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use std::collections::HashSet;
use std::future::{Ready, ready};
use std::net::IpAddr;

/// Longest `User-Agent` kept, in bytes: sessions and audit entries store it.
const USER_AGENT_BYTES_MAX: usize = 256;
/// Longest request or correlation id accepted from a client, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Header of the request's id.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Header of the id a client gives several requests of one action.
pub(super) const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
/// Header that says for whom a proxy asks.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Header of W3C trace context.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What the shell needs of the program; `app` registers it as `web::Data<Shell>`.
#[derive(Clone)]
pub struct Shell {
    /// The store.
    pub db: Db,
    /// Where `now` comes from.
    pub clock: Clock,
    /// Where ids come from.
    pub ids: Ids,
    /// How large a request may be.
    pub limits: Limits,
    /// Addresses whose `X-Forwarded-For` is believed (ruling 21).
    pub proxies: Vec<IpAddr>,
    /// Patterns of the routes whose POST, PUT or PATCH is served while the disk is too full for
    /// writes: those that read, and those that people need to make room.
    pub open_when_full: HashSet<String>,
}

impl Shell {
    /// A shell with the default limits that believes no proxy.
    pub fn new(db: Db, clock: Clock, ids: Ids) -> Self {
        Self {
            db,
            clock,
            ids,
            limits: Limits::default(),
            proxies: Vec::new(),
            open_when_full: HashSet::new(),
        }
    }
}

/// How large a request may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest JSON body, in bytes.
    pub json_bytes_max: usize,
    /// Largest sum of header names and values, in bytes.
    pub header_bytes_max: usize,
    /// Longest path with query, in bytes.
    pub uri_bytes_max: usize,
}

impl Default for Limits {
    /// 1 MiB of JSON holds four full JSON columns; 16 KiB of headers and 8 KiB of address are
    /// what common proxies let through.
    fn default() -> Self {
        Self { json_bytes_max: 1 << 20, header_bytes_max: 16 << 10, uri_bytes_max: 8 << 10 }
    }
}

/// Says that a request carried a token that is not valid; the text is the code of the 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadToken(pub &'static str);

/// What is known of a request besides its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestInfo {
    /// The client's `X-Request-Id` where it is a fit id, otherwise a new one.
    pub request_id: String,
    /// The client's `X-Correlation-ID` where it is a fit id, otherwise the request id.
    pub correlation_id: String,
    /// The trace this request belongs to (W3C `traceparent`).
    pub trace_id: Option<String>,
    /// Where the request comes from.
    pub address: Option<IpAddr>,
    /// The client program, cut to 256 bytes.
    pub user_agent: Option<String>,
    /// The instant at which the request arrived; all its work happens at this instant.
    pub at: Time,
}

impl RequestInfo {
    /// Reads what the shell wants to know; the request's extensions keep it.
    pub(super) fn of(request: &HttpRequest, shell: &Shell) -> Self {
        let headers = request.headers();
        let request_id =
            fit_id(headers, &REQUEST_ID).map_or_else(|| fresh_id(&shell.ids), str::to_owned);
        Self {
            correlation_id: fit_id(headers, &CORRELATION_ID).unwrap_or(&request_id).to_owned(),
            request_id,
            trace_id: text(headers, &TRACEPARENT).and_then(trace_id).map(str::to_owned),
            address: address(request, &shell.proxies),
            // Readable header values are ASCII, so any length is a character boundary.
            user_agent: text(headers, &header::USER_AGENT)
                .map(|agent| agent.get(..USER_AGENT_BYTES_MAX).unwrap_or(agent).to_owned()),
            at: shell.clock.now(),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A client's id, if it is safe to write into a log and a header.
fn fit_id<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    text(headers, name).filter(|id| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
    })
}

/// 32 hexadecimal digits, the form of a W3C trace id.
fn fresh_id(ids: &Ids) -> String {
    format!("{:032x}", u128::from_be_bytes(ids.secret()))
}

/// The trace id of a `traceparent` (W3C trace context, 3.2): `00-<32 hex>-<16 hex>-<2 hex>`.
fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let mut part = |len: usize| {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        parts.next().filter(|part| part.len() == len && part.bytes().all(hex))
    };
    let (version, trace, span, _flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
    let set = |id: &str| id.bytes().any(|b| b != b'0');
    (version != "ff" && set(trace) && set(span)).then_some(trace)
}

/// The nearest address that is not one of our proxies.
fn address(request: &HttpRequest, proxies: &[IpAddr]) -> Option<IpAddr> {
    let mut nearest = request.peer_addr()?.ip().to_canonical();
    let forwarded = request.headers().get_all(FORWARDED_FOR);
    let hops: Vec<&str> =
        forwarded.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(',')).collect();
    for hop in hops.iter().rev() {
        if !proxies.contains(&nearest) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(address) => nearest = address.to_canonical(),
            Err(_) => break,
        }
    }
    Some(nearest)
}

/// One request: the store, its instant, who asks, and where ids come from.
#[derive(Clone)]
pub struct Ctx {
    /// The store.
    pub db: Db,
    /// The instant of the request.
    pub now: Time,
    /// Who asks; [`Actor::Anonymous`] unless sign-in put somebody there.
    pub actor: Actor,
    /// Where ids come from.
    pub ids: Ids,
    /// What is known of the request.
    pub request: RequestInfo,
    bad_token: Option<BadToken>,
}

impl Ctx {
    /// The context of a request; middleware reads it as handlers do.
    ///
    /// # Errors
    /// 500 when the program registered no [`Shell`].
    pub fn of(request: &HttpRequest) -> Result<Self, Failure> {
        let shell = request
            .app_data::<web::Data<Shell>>()
            .ok_or_else(|| Failure::broken("no shell is registered"))?;
        let info = request.extensions().get::<RequestInfo>().cloned();
        let info = info.unwrap_or_else(|| RequestInfo::of(request, shell));
        Ok(Self {
            db: shell.db.clone(),
            now: info.at,
            actor: request.extensions().get::<Actor>().cloned().unwrap_or(Actor::Anonymous),
            ids: shell.ids.clone(),
            request: info,
            bad_token: request.extensions().get::<BadToken>().copied(),
        })
    }

    /// The signed-in user.
    ///
    /// # Errors
    /// 401 `unauthenticated`, or the code of the token that was not valid.
    pub fn user(&self) -> Result<UserId, Failure> {
        self.actor.user_id().ok_or_else(|| match self.bad_token {
            Some(BadToken(code)) => {
                Failure::new(Class::Unauthenticated, code, "the token is not valid")
            }
            None => Failure::new(
                Class::Unauthenticated,
                "unauthenticated",
                "sign in and send the token as `Authorization: Bearer`",
            ),
        })
    }

    /// The signed-in user, who must hold `role`; an admin holds every role.
    ///
    /// # Errors
    /// 401 as [`Ctx::user`], 403 `role_required`.
    pub fn require(&self, role: Role) -> Result<UserId, Failure> {
        let user = self.user()?;
        if self.actor.has(role) || self.actor.has(Role::Admin) {
            return Ok(user);
        }
        let detail = format!("only accounts with the role {} may do this", role.as_str());
        Err(Failure::new(Class::Denied, "role_required", detail))
    }
}

impl FromRequest for Ctx {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn check_address(peer: &str, forwarded: &str, expected: &str) {
        let request = TestRequest::default()
            .peer_addr(peer.parse().unwrap())
            .insert_header((FORWARDED_FOR, forwarded))
            .to_http_request();
        let proxies = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        assert_eq!(address(&request, &proxies), expected.parse().ok(), "{peer} for {forwarded}");
    }

    #[test]
    fn a_forwarded_address_is_believed_from_our_proxies_only() {
        check_address("192.0.2.7:1", "198.51.100.1", "192.0.2.7");
        check_address("10.0.0.1:1", "198.51.100.1", "198.51.100.1");
        check_address("10.0.0.1:1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1");
        check_address("10.0.0.1:1", "198.51.100.1, rubbish", "10.0.0.1");
        check_address("10.0.0.1:1", "", "10.0.0.1");
        check_address("[::ffff:10.0.0.1]:1", "::ffff:198.51.100.1", "198.51.100.1");
    }

    #[test]
    fn only_a_whole_traceparent_names_a_trace() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(&format!("00-{trace}-00f067aa0ba902b7-01")), Some(trace));
        assert_eq!(trace_id(&format!("ff-{trace}-00f067aa0ba902b7-01")), None);
        assert_eq!(trace_id(&format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32))), None);
        assert_eq!(trace_id(&format!("00-{}-00f067aa0ba902b7-01", trace.to_uppercase())), None);
        assert_eq!(trace_id(trace), None);
    }
}
