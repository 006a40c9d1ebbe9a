//! A document that comes as a file in a form.

use super::error::KnowledgeError;
use super::tables::DocumentType;
use super::user::Draft;
use crate::base::{Class, FieldError, Json};
use crate::search::{DOCUMENT_BYTES_MAX, SearchError};
use crate::web::Failure;
use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::HttpRequest;
use actix_web::web::Payload;
use futures_util::StreamExt;
use serde_json::{Map, Value};

/// Most parts of a form; the documented fields are eight.
const PARTS_MAX: usize = 32;
/// Longest field that is no file, in bytes: metadata is the longest.
const FIELD_BYTES_MAX: usize = 256 << 10;
/// Longest file name kept, in characters.
const NAME_CHARS_MAX: usize = 255;
/// Files that are text by their nature but not by their bytes.
const PACKED: [(&[u8], &str); 3] =
    [(b"%PDF-", "PDF"), (b"PK\x03\x04", "Office or ZIP"), (b"\xd0\xcf\x11\xe0", "old Office")];

/// What a form said, before it is a document.
#[derive(Default)]
struct Form {
    file: Option<File>,
    title: Option<String>,
    description: Option<String>,
    document_type: Option<String>,
    tags: Vec<String>,
    metadata: Map<String, Value>,
    wrong: Vec<FieldError>,
}

struct File {
    name: String,
    content_type: Option<String>,
    bytes: Vec<u8>,
}

/// Reads a form into a document that still has to be checked.
///
/// # Errors
/// 400 for a broken form, 413 for a long file, 415 for one that is no text, 422 naming the fields
/// that are wrong.
pub(super) async fn read(request: &HttpRequest, payload: Payload) -> Result<Draft, Failure> {
    let mut parts = Multipart::new(request.headers(), payload);
    let mut form = Form::default();
    let mut count = 0;
    while let Some(part) = parts.next().await {
        count += 1;
        if count > PARTS_MAX {
            let detail = format!("a form has at most {PARTS_MAX} parts");
            return Err(Failure::new(Class::TooLarge, "too_many_parts", detail));
        }
        form.take(part.map_err(broken)?).await?;
    }
    Ok(form.draft()?)
}

fn broken(error: MultipartError) -> Failure {
    let (code, detail) = match error {
        MultipartError::Incomplete => {
            ("multipart_incomplete", "the form ends too early".to_owned())
        }
        error => ("multipart_malformed", format!("the form cannot be read: {error}")),
    };
    Failure::new(Class::Malformed, code, detail)
}

impl Form {
    async fn take(&mut self, mut part: Field) -> Result<(), Failure> {
        let name = part.name().unwrap_or_default().to_owned();
        let file_name = part.content_disposition().and_then(|about| about.get_filename());
        let file_name = file_name.map(|name| name.chars().take(NAME_CHARS_MAX).collect::<String>());
        if name == "file" {
            let content_type = part.content_type().map(ToString::to_string);
            let bytes = bytes(&mut part, DOCUMENT_BYTES_MAX).await?;
            self.file = Some(File { name: file_name.unwrap_or_default(), content_type, bytes });
            return Ok(());
        }
        let bytes = bytes(&mut part, FIELD_BYTES_MAX).await?;
        let Ok(text) = String::from_utf8(bytes) else {
            self.wrong(&name, "is not UTF-8");
            return Ok(());
        };
        if text.trim().is_empty() {
            return Ok(());
        }
        match name.as_str() {
            "title" => self.title = Some(text),
            "description" => self.description = Some(text),
            "document_type" => self.document_type = Some(text.trim().to_owned()),
            "tags" => self.take_tags(&text),
            "metadata" => match serde_json::from_str(&text) {
                Ok(Value::Object(members)) => self.metadata.extend(members),
                _ => self.wrong("metadata", "must be a JSON object"),
            },
            "category" | "source_url" => {
                self.metadata.insert(name, Value::String(text.trim().to_owned()));
            }
            "visibility" if text.trim() == "private" => {}
            "visibility" => self.wrong("visibility", "must be private: sharing is not available"),
            other => self.wrong(other, "is not a field of a document"),
        }
        Ok(())
    }

    /// Tags as the clients send them: separated by commas, a JSON list, or one part each.
    fn take_tags(&mut self, text: &str) {
        match serde_json::from_str::<Vec<String>>(text) {
            Ok(tags) => self.tags.extend(tags),
            Err(_) => self.tags.extend(text.split(',').map(str::to_owned)),
        }
    }

    fn wrong(&mut self, field: &str, message: &str) {
        self.wrong.push(FieldError::new(field, message));
    }

    fn draft(mut self) -> Result<Draft, KnowledgeError> {
        let Some(file) = self.file.take() else {
            self.wrong("file", "is missing");
            return Err(KnowledgeError::Invalid(self.wrong));
        };
        let document_type = match self.document_type.as_deref() {
            None => DocumentType::default(),
            Some(name) => DocumentType::named(name).unwrap_or_else(|| {
                let names = format!("must be one of {}", DocumentType::names());
                self.wrong.push(FieldError::new("document_type", names));
                DocumentType::Other
            }),
        };
        let metadata = Json::from_value(&self.metadata).unwrap_or_else(|error| {
            self.wrong.push(FieldError::new("metadata", error.to_string()));
            Json::empty()
        });
        if file.bytes.is_empty() {
            self.wrong("file", "is empty");
        }
        if !self.wrong.is_empty() {
            return Err(KnowledgeError::Invalid(self.wrong));
        }
        let content = text(&file)?;
        let title =
            self.title.or_else(|| first_heading(&content)).unwrap_or_else(|| stem(&file.name));
        Ok(Draft {
            title,
            content,
            description: self.description,
            document_type,
            tags: self.tags,
            metadata,
            content_type: media_type(&file),
            original_filename: Some(file.name).filter(|name| !name.is_empty()),
        })
    }
}

/// The bytes of a part.
async fn bytes(part: &mut Field, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some(chunk) = part.next().await {
        let chunk = chunk.map_err(broken)?;
        if bytes.len() + chunk.len() > bytes_max {
            let name = part.name().unwrap_or_default();
            let detail = format!("`{name}` is larger than the limit of {bytes_max} bytes");
            return Err(Failure::new(Class::TooLarge, "file_too_large", detail));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The text of a file, by its bytes and not by what it is called.
fn text(file: &File) -> Result<String, KnowledgeError> {
    if let Some((_, kind)) = PACKED.iter().find(|(magic, _)| file.bytes.starts_with(magic)) {
        let told = format!("this is a {kind} file; text, Markdown, JSON and CSV can be added");
        return Err(KnowledgeError::NotText(told));
    }
    if file.bytes.contains(&0) {
        return Err(KnowledgeError::NotText("this is a binary file, not a text".to_owned()));
    }
    let not_utf8 = |error: std::str::Utf8Error| {
        let at = error.valid_up_to();
        KnowledgeError::NotText(format!("the file is not UTF-8: byte {at} starts no character"))
    };
    if file.bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(SearchError::DocumentTooLong { bytes: file.bytes.len() }.into());
    }
    Ok(std::str::from_utf8(&file.bytes).map_err(not_utf8)?.to_owned())
}

/// The first heading of a Markdown text.
fn first_heading(content: &str) -> Option<String> {
    let line = content.lines().find(|line| line.starts_with("# "))?;
    Some(line.trim_matches(['#', ' ']).to_owned()).filter(|title| !title.is_empty())
}

/// A file name without folders and extension, as a title of last resort.
fn stem(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    if stem.trim().is_empty() { "Untitled".to_owned() } else { stem.to_owned() }
}

/// The media type by the name, then as the client says, then plain text.
fn media_type(file: &File) -> String {
    let extension = file.name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase());
    let by_name = match extension.as_deref() {
        Some("md" | "markdown") => Some("text/markdown"),
        Some("json") => Some("application/json"),
        Some("csv") => Some("text/csv"),
        Some("txt" | "log") => Some("text/plain"),
        _ => None,
    };
    let said = file.content_type.as_deref().filter(|said| said.starts_with("text/"));
    by_name.or(said).unwrap_or("text/plain").to_owned()
}
