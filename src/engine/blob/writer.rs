//! Writing a blob piece by piece: nobody sees it before it is whole and on disk.

use super::ledger::Ledger;
use super::{BlobError, BlobKey};
use crate::engine::key::Encoder;
use bytes::Bytes;
use object_store::{MultipartUpload, PutPayload};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Small writes are gathered to parts of this size in bytes: what one writer holds in memory.
const PART_BYTES: usize = 512 * 1024;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Length of the content in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the content.
    pub sha256: [u8; 32],
}

/// A blob being written. Dropping it instead of finishing leaves nothing.
#[derive(Debug)]
pub struct BlobWriter {
    key: BlobKey,
    upload: Box<dyn MultipartUpload>,
    encoder: Encoder,
    ledger: Arc<Ledger>,
    /// Sealed bytes of the next part.
    buffer: Vec<u8>,
    digest: Sha256,
    size_bytes: u64,
    /// A part failed, or its future was dropped half-way: the content has a hole.
    torn: bool,
}

impl BlobWriter {
    pub(super) fn new(
        key: BlobKey,
        upload: Box<dyn MultipartUpload>,
        encoder: Encoder,
        ledger: Arc<Ledger>,
    ) -> Self {
        let (buffer, digest) = (Vec::new(), Sha256::new());
        Self { key, upload, encoder, ledger, buffer, digest, size_bytes: 0, torn: false }
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
        // A future that is dropped between two pieces leaves a hole as well.
        self.torn = true;
        for piece in bytes.chunks(PART_BYTES) {
            self.encoder.push(piece, &mut self.buffer);
            if self.buffer.len() >= PART_BYTES {
                self.part().await?;
            }
        }
        self.torn = false;
        Ok(())
    }

    /// Makes the blob visible under its key, in place of what was there. When this returns, content
    /// and name are on disk.
    ///
    /// # Errors
    /// As [`BlobWriter::write`]; then the key is as it was before.
    pub async fn finish(self) -> Result<Written, BlobError> {
        if self.torn {
            return Err(BlobError::Torn);
        }
        let Self { encoder, mut buffer, mut upload, key, ledger, .. } = self;
        encoder.finish(&mut buffer);
        upload.put_part(PutPayload::from_bytes(buffer.into())).await?;
        ledger.forget_delete(&key);
        upload.complete().await?;
        ledger.finish(key);
        Ok(Written { size_bytes: self.size_bytes, sha256: self.digest.finalize().into() })
    }

    async fn part(&mut self) -> Result<(), BlobError> {
        let sealed = std::mem::take(&mut self.buffer);
        self.upload.put_part(PutPayload::from_bytes(sealed.into())).await?;
        Ok(())
    }
}
