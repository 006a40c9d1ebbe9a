//! Checks of the fields a caller gives: trimmed, present, not too long.

use super::error::CaseError;
use crate::base::FieldError;

/// Collects what is wrong with the fields of one request, so that all of it is told at once.
#[derive(Default)]
pub(super) struct Fields(Vec<FieldError>);

impl Fields {
    /// Text that must say something: trimmed, at most `chars_max` characters.
    pub(super) fn text(&mut self, field: &str, value: &str, chars_max: usize) -> String {
        let value = value.trim();
        if value.is_empty() {
            self.wrong(field, "must not be blank");
        }
        self.length(field, value, chars_max);
        value.to_owned()
    }

    /// Text that may be absent; blank counts as absent.
    pub(super) fn optional(
        &mut self,
        field: &str,
        value: Option<&str>,
        chars_max: usize,
    ) -> Option<String> {
        let value = value.map(str::trim).filter(|value| !value.is_empty())?;
        self.length(field, value, chars_max);
        Some(value.to_owned())
    }

    /// Text that is kept as it is, leading spaces and all: at least one visible character, at most
    /// `bytes_max` bytes.
    pub(super) fn content(&mut self, field: &str, value: &str, bytes_max: usize) -> String {
        if value.trim().is_empty() {
            self.wrong(field, "must not be blank");
        }
        if value.len() > bytes_max {
            self.wrong(field, format!("must be at most {bytes_max} bytes"));
        }
        value.to_owned()
    }

    /// A share of one.
    pub(super) fn fraction(&mut self, field: &str, value: f64) -> f64 {
        if !(0.0..=1.0).contains(&value) {
            self.wrong(field, "must be between 0 and 1");
        }
        value
    }

    /// At most `max` entries.
    pub(super) fn entries(&mut self, field: &str, count: usize, max: usize) {
        if count > max {
            self.wrong(field, format!("must have at most {max} entries"));
        }
    }

    /// Notes a wrong field.
    pub(super) fn wrong(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldError::new(field, message));
    }

    /// Ends the checks.
    pub(super) fn done(self) -> Result<(), CaseError> {
        if self.0.is_empty() { Ok(()) } else { Err(CaseError::Fields(self.0)) }
    }

    fn length(&mut self, field: &str, value: &str, chars_max: usize) {
        // Bytes bound characters from above: short text needs no counting.
        if value.len() > chars_max && value.chars().count() > chars_max {
            self.wrong(field, format!("must be at most {chars_max} characters"));
        }
    }
}

/// Takes a change where there is one.
pub(super) fn set<T>(field: &mut T, change: Option<T>) {
    if let Some(value) = change {
        *field = value;
    }
}

/// Refuses a change of a version that the caller does not know.
pub(super) fn same_version(expected: Option<u64>, actual: u64) -> Result<(), CaseError> {
    match expected {
        Some(expected) if expected != actual => Err(CaseError::Version { expected, actual }),
        _ => Ok(()),
    }
}
