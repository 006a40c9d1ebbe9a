//! Rows and indexes of documents.

use crate::base::id::{DocumentId, UserId};
use crate::base::{Json, Time};
use crate::engine::db::{Index, Row, Schema, key};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What kind of document it is: the kinds of the reference's table, of its server's uploads and of
/// its dashboard (reference facts 1.7, 8.1, 8.2), each kept under its own name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DocumentType {
    /// Steps to take when something is wrong.
    Runbook,
    /// Steps of a routine.
    Procedure,
    /// A description.
    Documentation,
    /// How to find a fault.
    TroubleshootingGuide,
    /// What has proved itself.
    BestPractices,
    /// What happened, and why.
    IncidentPostmortem,
    /// How things hang together.
    ArchitectureDiagram,
    /// As a troubleshooting guide, in the dashboard's words.
    Troubleshooting,
    /// Settings and what they do.
    Configuration,
    /// As a runbook, in the reference server's words.
    Playbook,
    /// A table to look things up in.
    Reference,
    /// How to do one thing.
    HowTo,
    /// A longer text, in the dashboard's words.
    Guide,
    /// A shorter one.
    Article,
    /// Questions and answers.
    Faq,
    /// None of these.
    #[default]
    Other,
}

/// Every kind with its name on the wire.
const NAMES: [(DocumentType, &str); 16] = [
    (DocumentType::Runbook, "runbook"),
    (DocumentType::Procedure, "procedure"),
    (DocumentType::Documentation, "documentation"),
    (DocumentType::TroubleshootingGuide, "troubleshooting_guide"),
    (DocumentType::BestPractices, "best_practices"),
    (DocumentType::IncidentPostmortem, "incident_postmortem"),
    (DocumentType::ArchitectureDiagram, "architecture_diagram"),
    (DocumentType::Troubleshooting, "troubleshooting"),
    (DocumentType::Configuration, "configuration"),
    (DocumentType::Playbook, "playbook"),
    (DocumentType::Reference, "reference"),
    (DocumentType::HowTo, "how_to"),
    (DocumentType::Guide, "guide"),
    (DocumentType::Article, "article"),
    (DocumentType::Faq, "faq"),
    (DocumentType::Other, "other"),
];

impl DocumentType {
    /// The kind on the wire.
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(kind, _)| *kind == self).map_or("other", |(_, name)| *name)
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }

    /// All names, for a message.
    pub(super) fn names() -> String {
        NAMES.map(|(_, name)| name).join(", ")
    }
}

/// Who may see a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Its owner.
    #[default]
    Private,
}

/// A document without its text. About 400 bytes; as many as people write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentRow {
    /// The document.
    pub document_id: DocumentId,
    /// Who wrote or uploaded it.
    pub owner: UserId,
    /// Its title, as given.
    pub title: String,
    /// What it is about.
    pub description: Option<String>,
    /// What kind it is.
    pub document_type: DocumentType,
    /// Who may see it.
    pub visibility: Visibility,
    /// Its tags, without doubles.
    pub tags: Vec<String>,
    /// Whatever else the owner keeps with it (seed 5.3: author, version, difficulty ...).
    pub metadata: Json,
    /// Name of the uploaded file.
    pub original_filename: Option<String>,
    /// Media type of the text.
    pub content_type: String,
    /// Length of the text in bytes.
    pub content_bytes: u64,
    /// Number of its passages.
    pub passages: u32,
    /// Counts the changes, from 1.
    pub version: u64,
    /// When it was added.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
}

/// A person's documents, newest first.
pub(super) const BY_OWNER: Index<DocumentRow> =
    Index::many("kb_documents_by_owner", |d| Some(key().id(&d.owner).time_desc(d.created_at)));

impl Row for DocumentRow {
    type Key = DocumentId;
    const TABLE: &'static str = "kb_documents";
    const INDEXES: &'static [Index<Self>] = &[BY_OWNER];

    fn key(&self) -> DocumentId {
        self.document_id
    }
}

/// Longest start of a text shown in lists, in bytes: enough to know a document by, and a page of
/// 100 stays near 200 KiB.
pub(super) const PREVIEW_BYTES_MAX: usize = 2 << 10;

/// The start of a text: at most [`PREVIEW_BYTES_MAX`] of it, in whole characters.
pub(super) fn preview(content: &str) -> &str {
    content.get(..content.floor_char_boundary(PREVIEW_BYTES_MAX)).unwrap_or_default()
}

/// The start of a document's text, apart so that a list reads neither the whole text for it nor it
/// for documents that are not on the page. Up to 2 KiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PreviewRow {
    pub(super) document_id: DocumentId,
    pub(super) preview: String,
}

impl Row for PreviewRow {
    type Key = DocumentId;
    const TABLE: &'static str = "kb_previews";

    fn key(&self) -> DocumentId {
        self.document_id
    }
}

/// The text of a document, apart so that lists do not read it. Up to 2 MiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ContentRow {
    pub(super) document_id: DocumentId,
    pub(super) content: String,
}

impl Row for ContentRow {
    type Key = DocumentId;
    const TABLE: &'static str = "kb_contents";

    fn key(&self) -> DocumentId {
        self.document_id
    }
}

/// Adds this room's tables.
pub fn schema(schema: Schema) -> Schema {
    schema.with::<DocumentRow>().with::<ContentRow>().with::<PreviewRow>()
}
