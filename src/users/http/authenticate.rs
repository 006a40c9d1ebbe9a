//! The layer that finds out who sends a request.

use crate::base::Classify;
use crate::users::error::UsersError;
use crate::users::signin;
use crate::web::{BadToken, Ctx};
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};

/// Reads `Authorization: Bearer` and puts the [`crate::base::Actor`] into the request's extensions,
/// or a [`BadToken`] when the token is not valid. Nothing is refused here: the handler knows
/// whether it needs somebody. The look-up is two point reads, inline.
///
/// # Errors
/// 500 when the store fails or the program registered no shell; otherwise those of the layers
/// below.
pub async fn authenticate<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    if let Some(value) = request.headers().get(AUTHORIZATION) {
        let token = value.to_str().ok().and_then(bearer).unwrap_or_default();
        let ctx = Ctx::of(request.request())?;
        match ctx.db.read(|tx| signin::actor_of(tx, token, ctx.now)) {
            Ok(actor) => {
                request.extensions_mut().insert(actor);
            }
            Err(error @ (UsersError::TokenInvalid | UsersError::TokenExpired)) => {
                let (_, code) = error.class();
                request.extensions_mut().insert(BadToken(code));
            }
            Err(error) => return Err(super::refuse(error).into()),
        }
    }
    next.call(request).await
}

/// The token of a bearer header; the scheme's case does not matter (RFC 9110, 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
