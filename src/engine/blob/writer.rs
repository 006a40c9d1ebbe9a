//! Writing a blob piece by piece: nobody sees it before it is whole and on disk.

use super::BlobError;
use bytes::{Bytes, BytesMut};
use object_store::{MultipartUpload, PutPayload};
use sha2::{Digest, Sha256};

/// Small writes are gathered to parts of this size in bytes: what one writer holds in memory.
const PART_BYTES: usize = 512 * 1024;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Length in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the content.
    pub sha256: [u8; 32],
}

/// A blob being written. Dropping it instead of finishing leaves nothing.
#[derive(Debug)]
pub struct BlobWriter {
    upload: Box<dyn MultipartUpload>,
    buffer: BytesMut,
    digest: Sha256,
    size_bytes: u64,
    /// A part failed, or its future was dropped half-way: the content has a hole.
    torn: bool,
}

impl BlobWriter {
    pub(super) fn new(upload: Box<dyn MultipartUpload>) -> Self {
        let (buffer, digest) = (BytesMut::new(), Sha256::new());
        Self { upload, buffer, digest, size_bytes: 0, torn: false }
    }

    /// Bytes taken so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Appends bytes; memory stays constant however much is written.
    ///
    /// # Errors
    /// [`BlobError::Full`] when the disk is full, [`BlobError::Storage`] when it fails,
    /// [`BlobError::Torn`] after a write that failed or was abandoned.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        if self.torn {
            return Err(BlobError::Torn);
        }
        self.digest.update(&bytes);
        self.size_bytes += bytes.len() as u64;
        if self.buffer.len() + bytes.len() < PART_BYTES {
            self.buffer.extend_from_slice(&bytes);
            return Ok(());
        }
        self.flush().await?;
        if bytes.len() < PART_BYTES {
            self.buffer.extend_from_slice(&bytes);
            return Ok(());
        }
        self.part(bytes).await
    }

    /// Makes the blob visible under its key, in place of what was there. When this returns, content
    /// and name are on disk.
    ///
    /// # Errors
    /// As [`BlobWriter::write`]; then the key is as it was before.
    pub async fn finish(mut self) -> Result<Written, BlobError> {
        if self.torn {
            return Err(BlobError::Torn);
        }
        self.flush().await?;
        self.upload.complete().await?;
        Ok(Written { size_bytes: self.size_bytes, sha256: self.digest.finalize().into() })
    }

    async fn flush(&mut self) -> Result<(), BlobError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let bytes = self.buffer.split().freeze();
        self.part(bytes).await
    }

    async fn part(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        self.torn = true;
        self.upload.put_part(PutPayload::from_bytes(bytes)).await?;
        self.torn = false;
        Ok(())
    }
}
