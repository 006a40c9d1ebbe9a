//! Detectors of personal data. Checksums and context decide, so that ids, times and versions stay.

mod address;
mod email;
mod named;
mod number;
mod phone;

pub(super) use address::{colon_address, ipv4};
pub(super) use email::email;
pub(super) use named::document_number;
pub(super) use number::{card, iban, ssn};
pub(super) use phone::{phone, phone_by_word};
