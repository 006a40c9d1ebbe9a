//! Parameters of the address: query and path.

use super::body::wrong_field;
use super::failure::Failure;
use crate::base::Class;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};
use std::ops::Deref;

/// The query read into `T`; a wrong parameter is 422 naming it.
///
/// A parameter without a value counts as absent, as forms send it. Parameters that `T` does not
/// know belong to somebody else ([`super::Paging`]), so `T` must not deny them.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T> Query<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Query<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(decode(request.query_string()).map(Self))
    }
}

/// Reads a query string into a struct.
pub(super) fn decode<T: DeserializeOwned>(query: &str) -> Result<T, Failure> {
    let given: String = query
        .split('&')
        .filter(|pair| pair.split_once('=').is_some_and(|(_, value)| !value.is_empty()))
        .collect::<Vec<_>>()
        .join("&");
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(given.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let path = error.path().to_string();
        wrong_field("invalid_query", &path, &error.into_inner().to_string())
    })
}

/// Parameters of the path read into `T`; one that does not fit is 404, as nothing is there.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T> Path<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Path<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned> FromRequest for Path<T> {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let found = actix_web::web::Path::<T>::from_request(request, payload).into_inner();
        ready(found.map(|path| Self(path.into_inner())).map_err(|_| {
            Failure::new(Class::Missing, "not_found", "there is nothing at this address")
        }))
    }
}
