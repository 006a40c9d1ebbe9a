//! Redaction of personal data and secrets: pure functions from text to text.
//!
//! Keeps: nothing; a case keeps its own [`Numbers`] so that one value has one placeholder in it.
//! How long: as long as the call; [`Numbers`] live and die with the case that stores them.
//! Who may: any room above; there is no user, no clock and no disk in here.
//! Never: keeps a clear value, changes the number of lines, fails on content, or takes more than
//! linear time.
//!
//! A value becomes a typed placeholder such as `<EMAIL_1>`; the same value gets the same number
//! throughout a case, so correlations survive. Checksums and context decide what is personal:
//! commit hashes, UUIDs, trace ids, timestamps and version numbers stay. Redacting a text twice
//! changes nothing.

mod kind;
mod mark;
mod personal;
mod placeholders;
mod policy;
mod redactor;
mod secret;
mod spans;
#[cfg(test)]
mod tests;

pub use kind::Kind;
pub use placeholders::{Numbers, PLACEHOLDERS_MAX, Placeholders, Salt};
pub use policy::{Addresses, Policy};
pub use redactor::{Redacted, Redactor};
