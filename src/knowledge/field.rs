//! Checks of the fields a caller gives; everything that is wrong is told at once.

use super::error::KnowledgeError;
use crate::base::{FieldError, Json};
use crate::search::DOCUMENT_BYTES_MAX;

/// Longest title, in characters (seed 5.5.2).
const TITLE_CHARS_MAX: usize = 500;
/// Longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 4_000;
/// Most tags of a document.
const TAGS_MAX: usize = 50;
/// Longest tag, in characters.
const TAG_CHARS_MAX: usize = 64;

/// Collects what is wrong.
#[derive(Default)]
pub(super) struct Fields(Vec<FieldError>);

impl Fields {
    /// A title: one line that says something.
    pub(super) fn title(&mut self, title: &str) -> String {
        let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
        if title.is_empty() {
            self.wrong("title", "must not be blank");
        }
        self.length("title", &title, TITLE_CHARS_MAX);
        title
    }

    /// The text, kept as it is but for a byte order mark.
    pub(super) fn content(&mut self, content: String) -> String {
        let content = match content.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => content,
        };
        if content.trim().is_empty() {
            self.wrong("content", "must not be blank");
        }
        if content.len() > DOCUMENT_BYTES_MAX {
            self.wrong("content", format!("must be at most {DOCUMENT_BYTES_MAX} bytes"));
        }
        content
    }

    /// A description; blank counts as absent.
    pub(super) fn description(&mut self, description: Option<String>) -> Option<String> {
        let description = description.map(|text| text.trim().to_owned());
        let description = description.filter(|text| !text.is_empty())?;
        self.length("description", &description, DESCRIPTION_CHARS_MAX);
        Some(description)
    }

    /// Tags: trimmed, without blanks and doubles.
    pub(super) fn tags(&mut self, tags: Vec<String>) -> Vec<String> {
        let mut kept: Vec<String> = Vec::with_capacity(tags.len().min(TAGS_MAX));
        if tags.len() > TAGS_MAX {
            self.wrong("tags", format!("must have at most {TAGS_MAX} entries"));
            return kept;
        }
        for tag in tags {
            let tag = tag.trim();
            self.length("tags", tag, TAG_CHARS_MAX);
            if !tag.is_empty() && !kept.iter().any(|other| other == tag) {
                kept.push(tag.to_owned());
            }
        }
        kept
    }

    /// Metadata: a JSON object.
    pub(super) fn metadata(&mut self, metadata: Json) -> Json {
        if !metadata.as_str().starts_with('{') {
            self.wrong("metadata", "must be a JSON object");
        }
        metadata
    }

    fn length(&mut self, field: &str, value: &str, chars_max: usize) {
        if value.chars().count() > chars_max {
            self.wrong(field, format!("must be at most {chars_max} characters"));
        }
    }

    fn wrong(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(FieldError::new(field, message));
    }

    /// Ends the checks.
    ///
    /// # Errors
    /// [`KnowledgeError::Invalid`] when anything was wrong.
    pub(super) fn done(self) -> Result<(), KnowledgeError> {
        if self.0.is_empty() { Ok(()) } else { Err(KnowledgeError::Invalid(self.0)) }
    }
}
