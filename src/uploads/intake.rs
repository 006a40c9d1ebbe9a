//! Taking a file in: the multipart body is streamed to a blob, then row and job commit together.

use super::analyse::DataType;
use super::error::UploadsError;
use crate::base::Time;
use crate::base::id::{CaseId, FileId, UserId};
use crate::cases::{FileRow, file};
use crate::engine::blob::{BlobError, BlobKey, BlobWriter, Blobs, Written};
use crate::engine::db::{Db, Span, View, key};
use actix_multipart::{Field, Multipart};
use bytes::{Bytes, BytesMut};
use futures_util::{TryStream, TryStreamExt};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Uploads in progress at one time; each holds a few buffers and one open file.
const UPLOADS_MAX: usize = 32;
/// Uploads of one user in progress at one time: four people may be busy before anybody waits.
const UPLOADS_PER_USER_MAX: usize = 8;
/// Longest silence within a body, and longest time for a whole one: 10 MiB in an hour is 3 KB/s.
const PATIENCE: Patience =
    Patience { piece: Duration::from_secs(30), whole: Duration::from_secs(60 * 60) };
/// Longest text field of the form, in bytes.
const TEXT_FIELD_BYTES_MAX: usize = 16 * 1024;
/// Parts of one form; we know five.
const PARTS_MAX: usize = 16;
/// A blob younger than this may belong to an upload whose row is about to commit: no body takes
/// longer than [`PATIENCE`] allows, and a commit behind it seconds.
const ORPHAN_AGE_MS: i64 = 24 * 60 * 60 * 1000;
/// Rows compared with their blobs in one step of the check.
const CHECK_PAGE: usize = 500;

/// How large a file may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest file as uploaded.
    pub file_bytes_max: u64,
    /// Largest content of a compressed file.
    pub unpacked_bytes_max: u64,
}

/// What the routes of this room work with.
#[derive(Clone)]
pub struct Uploads {
    pub(super) blobs: Blobs,
    pub(super) limits: Limits,
    running: Arc<Semaphore>,
    /// Uploads in progress by user; as many entries as uploads at most.
    by_user: Arc<Mutex<HashMap<UserId, usize>>>,
}

impl Uploads {
    /// Joins the blobs with the limits.
    pub fn new(blobs: Blobs, limits: Limits) -> Self {
        let running = Arc::new(Semaphore::new(UPLOADS_MAX));
        Self { blobs, limits, running, by_user: Arc::default() }
    }

    /// A place among the uploads in progress, until it is dropped.
    pub(super) fn place(&self, user_id: UserId) -> Result<Place, UploadsError> {
        let running = Arc::clone(&self.running);
        let permit = running.try_acquire_owned().map_err(|_| UploadsError::Busy)?;
        let mut by_user = self.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_user.entry(user_id).or_default();
        if *count >= UPLOADS_PER_USER_MAX {
            return Err(UploadsError::Busy);
        }
        *count += 1;
        Ok(Place { user_id, by_user: Arc::clone(&self.by_user), _permit: permit })
    }
}

/// A place among the uploads in progress.
pub(super) struct Place {
    user_id: UserId,
    by_user: Arc<Mutex<HashMap<UserId, usize>>>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_user = self.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_user.get_mut(&self.user_id) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                by_user.remove(&self.user_id);
            }
        }
    }
}

/// How long a body may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Longest wait for a next part or piece.
    pub(super) piece: Duration,
    /// Longest time from its first byte to its last.
    pub(super) whole: Duration,
}

/// What the form said, with the file already durable as a blob.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) file: Option<Received>,
    pub(super) case_id: Option<CaseId>,
    pub(super) description: Option<String>,
    pub(super) data_type: Option<DataType>,
}

/// A file that came in.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) name: String,
    pub(super) content_type: Option<String>,
    pub(super) content: Content,
}

/// Where the bytes went.
#[derive(Debug)]
pub(super) enum Content {
    /// To a blob.
    Stored {
        /// Its key.
        key: BlobKey,
        /// Its size and hash.
        written: Written,
    },
    /// To memory, for a look that stores nothing.
    Held(Bytes),
}

/// Where to put the bytes of the form's file.
pub(super) enum Sink<'a> {
    /// Into a blob.
    Store {
        /// The blobs.
        blobs: &'a Blobs,
        /// The blob's name.
        key: BlobKey,
    },
    /// Into memory.
    Hold,
}

/// Names the blob of a file (seed 4.4); a file whose case stands later in the form than its bytes
/// is kept under `unassigned`.
pub(super) fn blob_key(case_id: Option<CaseId>, file_id: FileId) -> Result<BlobKey, UploadsError> {
    let case = case_id.map_or_else(|| "unassigned".to_owned(), |id| id.to_string());
    BlobKey::new(&["artifacts", &case, &file_id.to_string()])
        .map_err(|error| UploadsError::Malformed(error.to_string()))
}

/// Reads the form to its end, for as long as it keeps coming. A failure leaves no blob.
pub(super) async fn receive(
    parts: Multipart,
    sink: Sink<'_>,
    limit_bytes: u64,
) -> Result<Form, UploadsError> {
    receive_within(parts, sink, limit_bytes, PATIENCE).await
}

/// As [`receive`], with another patience.
pub(super) async fn receive_within(
    mut parts: Multipart,
    sink: Sink<'_>,
    limit_bytes: u64,
    patience: Patience,
) -> Result<Form, UploadsError> {
    let mut form = Form { file: None, case_id: None, description: None, data_type: None };
    let wait = patience.piece;
    let reading = read_parts(&mut parts, &sink, limit_bytes, wait, &mut form);
    let read = tokio::time::timeout(patience.whole, reading).await;
    let read = read.unwrap_or(Err(UploadsError::Stalled));
    if read.is_err() {
        discard(&sink, &form).await;
    }
    read.map(|()| form)
}

async fn discard(sink: &Sink<'_>, form: &Form) {
    if let (Sink::Store { blobs, key }, Some(_)) = (sink, &form.file)
        && let Err(error) = blobs.delete(key).await
    {
        // The sweep takes it later.
        tracing::warn!(%error, "the blob of a refused upload could not be removed");
    }
}

async fn read_parts(
    parts: &mut Multipart,
    sink: &Sink<'_>,
    limit_bytes: u64,
    wait: Duration,
    form: &mut Form,
) -> Result<(), UploadsError> {
    let mut count = 0;
    while let Some(mut part) = next(parts, wait).await? {
        count += 1;
        if count > PARTS_MAX {
            return Err(UploadsError::Malformed(format!("more than {PARTS_MAX} parts")));
        }
        match part.name().unwrap_or_default() {
            "file" if form.file.is_some() => {
                return Err(wrong("file", "send one file per request"));
            }
            "file" => form.file = Some(read_file(&mut part, sink, limit_bytes, wait).await?),
            "case_id" => {
                let text = read_text(&mut part, "case_id", wait).await?;
                let id = text.parse().map_err(|_| wrong("case_id", "expected a case id"))?;
                form.case_id = Some(id);
            }
            "description" => {
                form.description = Some(read_text(&mut part, "description", wait).await?)
            }
            "data_type" => {
                let text = read_text(&mut part, "data_type", wait).await?;
                form.data_type = Some(data_type(&text)?);
            }
            // Clients of the reference send `session_id` and the like: read and ignored.
            _ => while next(&mut part, wait).await?.is_some() {},
        }
    }
    if form.file.is_none() {
        return Err(wrong("file", "the form has no part named `file`"));
    }
    Ok(())
}

fn data_type(text: &str) -> Result<DataType, UploadsError> {
    DataType::parse(text).ok_or_else(|| {
        let known: Vec<_> = DataType::ALL.iter().map(|each| each.as_str()).collect();
        wrong("data_type", &format!("expected one of {}", known.join(", ")))
    })
}

fn wrong(field: &'static str, message: &str) -> UploadsError {
    UploadsError::Field { field, message: message.to_owned() }
}

fn malformed(error: actix_multipart::MultipartError) -> UploadsError {
    UploadsError::Malformed(error.to_string())
}

/// The next part of a form or piece of a part, unless it keeps us waiting.
async fn next<S>(stream: &mut S, wait: Duration) -> Result<Option<S::Ok>, UploadsError>
where
    S: TryStream<Error = actix_multipart::MultipartError> + Unpin,
{
    let next = tokio::time::timeout(wait, stream.try_next()).await;
    next.map_err(|_| UploadsError::Stalled)?.map_err(malformed)
}

async fn read_text(
    part: &mut Field,
    name: &'static str,
    wait: Duration,
) -> Result<String, UploadsError> {
    let mut text = BytesMut::new();
    while let Some(piece) = next(part, wait).await? {
        if text.len() + piece.len() > TEXT_FIELD_BYTES_MAX {
            return Err(wrong(name, &format!("longer than {TEXT_FIELD_BYTES_MAX} bytes")));
        }
        text.extend_from_slice(&piece);
    }
    String::from_utf8(text.into()).map_err(|_| wrong(name, "not valid UTF-8"))
}

async fn read_file(
    part: &mut Field,
    sink: &Sink<'_>,
    limit_bytes: u64,
    wait: Duration,
) -> Result<Received, UploadsError> {
    let name = part
        .content_disposition()
        .and_then(|disposition| disposition.get_filename())
        .map_or_else(|| "upload".to_owned(), file_name);
    let content_type = part.content_type().map(ToString::to_string);
    let content = match sink {
        Sink::Store { blobs, key } => {
            let writer = blobs.begin(key).await?;
            let written = copy(part, writer, limit_bytes, wait).await?;
            Content::Stored { key: key.clone(), written }
        }
        Sink::Hold => Content::Held(hold(part, limit_bytes, wait).await?),
    };
    Ok(Received { name, content_type, content })
}

async fn copy(
    part: &mut Field,
    mut writer: BlobWriter,
    limit_bytes: u64,
    wait: Duration,
) -> Result<Written, UploadsError> {
    while let Some(piece) = next(part, wait).await? {
        if writer.size_bytes() + piece.len() as u64 > limit_bytes {
            // Dropping the writer aborts the blob.
            return Err(UploadsError::TooLarge { limit_bytes });
        }
        writer.write(piece).await?;
    }
    Ok(writer.finish().await?)
}

async fn hold(part: &mut Field, limit_bytes: u64, wait: Duration) -> Result<Bytes, UploadsError> {
    let mut held = BytesMut::new();
    while let Some(piece) = next(part, wait).await? {
        if (held.len() + piece.len()) as u64 > limit_bytes {
            return Err(UploadsError::TooLarge { limit_bytes });
        }
        held.extend_from_slice(&piece);
    }
    Ok(held.freeze())
}

/// The last component of what a client calls the file, cut to what the row takes. Browsers send
/// a name, some clients a path.
pub(super) fn file_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String =
        last.chars().filter(|c| !c.is_control()).take(file::NAME_CHARS_MAX).collect();
    if clean.trim().is_empty() { "upload".to_owned() } else { clean.trim().to_owned() }
}

/// Removes blobs that no row names, a day after their upload began: what a crash between blob and
/// row left, and what went with a deleted file or case. One walk over the blobs. Answers how many
/// went.
///
/// # Errors
/// [`UploadsError`] when the blobs or the store cannot be read.
pub async fn sweep_orphans(db: &Db, blobs: &Blobs, now: Time) -> Result<usize, UploadsError> {
    let artifacts = BlobKey::new(&["artifacts"]).ok();
    let mut found = blobs.walk(artifacts.as_ref());
    let mut removed = 0;
    while let Some(info) = found.try_next().await? {
        if is_orphan(db, &info.key, now)? {
            blobs.delete(&info.key).await?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Compares every file's row with its blob: it must exist and have the row's size and hash. Answers
/// one sentence per fault. Reads every blob.
///
/// # Errors
/// [`UploadsError`] when the blobs or the store cannot be read.
pub async fn check(db: &Db, blobs: &Blobs) -> Result<Vec<String>, UploadsError> {
    let mut faults = Vec::new();
    let mut span = Span::all();
    loop {
        let mut rows: Vec<FileRow> = Vec::with_capacity(CHECK_PAGE);
        db.read(|tx| {
            tx.each_row(&span, |row| {
                rows.push(row);
                let full = rows.len() == CHECK_PAGE;
                if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        })?;
        let Some(last) = rows.last() else { return Ok(faults) };
        span = Span::all().after(&key().id(&last.file_id));
        for row in rows {
            if let Some(fault) = content_fault(blobs, &row).await {
                faults.push(format!("uploaded_files: {} has {fault}", row.file_id));
            }
        }
    }
}

/// What is wrong with the blob of a row. A blob that cannot be read is a fault like any other: the
/// rest is still to be checked.
async fn content_fault(blobs: &Blobs, row: &FileRow) -> Option<String> {
    let expected = row.size_bytes;
    let stored = match row.storage_key.parse() {
        Ok(key) => blobs.stream(&key).await,
        Err(_) => Err(BlobError::Missing),
    };
    let mut stored = match stored {
        Ok(stored) => stored,
        Err(BlobError::Missing) => return Some(format!("no blob, {expected} bytes expected")),
        Err(error) => return Some(format!("a blob that cannot be read: {error}")),
    };
    if stored.size_bytes != expected {
        return Some(format!("{} bytes, {expected} bytes expected", stored.size_bytes));
    }
    let mut hash = Sha256::new();
    loop {
        match stored.pieces.try_next().await {
            Ok(Some(piece)) => hash.update(&piece),
            Ok(None) => break,
            Err(error) => return Some(format!("a blob that cannot be read: {error}")),
        }
    }
    (hash.finalize()[..] != row.sha256).then(|| "other content than was uploaded".to_owned())
}

fn is_orphan(db: &Db, blob: &BlobKey, now: Time) -> Result<bool, UploadsError> {
    let Some(Ok(file_id)) = blob.as_str().rsplit('/').next().map(str::parse::<FileId>) else {
        return Ok(false);
    };
    let row = db.read(|tx| tx.get::<FileRow>(&file_id))?;
    let named = row.is_some_and(|row| row.storage_key == blob.as_str());
    Ok(!named && now.since_ms(file_id.created_at()) > ORPHAN_AGE_MS)
}
