//! A container with access to any place in it.

use super::seal::{Chunks, Header, SEALED_CHUNK_BYTES};
use super::{CHUNK_BYTES, HEADER_BYTES, Seal, SealError, content_size_bytes};
use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// A finished container in a file. Reading opens the chunks that cover the range.
pub struct SealedFile {
    file: File,
    chunks: Chunks,
    size_bytes: u64,
    sealed_bytes: u64,
}

impl SealedFile {
    /// Reads the header and verifies the end, so that a file that was cut is found now; the chunks
    /// between are verified when they are read.
    ///
    /// # Errors
    /// Those of the file; [`io::ErrorKind::InvalidData`] with a [`SealError`] inside.
    pub fn open(file: File, seal: &Seal) -> io::Result<Self> {
        let sealed_bytes = file.metadata()?.len();
        let mut header = [0; HEADER_BYTES];
        if sealed_bytes < HEADER_BYTES as u64 {
            return Err(SealError::Truncated.into());
        }
        file.read_exact_at(&mut header, 0)?;
        let chunks = seal.chunks(&Header::decode(&header)?)?;
        let size_bytes = content_size_bytes(sealed_bytes).ok_or(SealError::Truncated)?;
        let opened = Self { file, chunks, size_bytes, sealed_bytes };
        opened.chunk(opened.chunk_count() - 1)?;
        Ok(opened)
    }

    /// Length of the content in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Number of chunks; at least one, which may be empty.
    pub fn chunk_count(&self) -> u64 {
        self.size_bytes.div_ceil(CHUNK_BYTES as u64).max(1)
    }

    /// The content of one chunk: bytes `chunk * CHUNK_BYTES` and following, all of them verified.
    ///
    /// # Errors
    /// As [`SealedFile::open`]; [`io::ErrorKind::UnexpectedEof`] when there is no such chunk.
    pub fn chunk(&self, chunk: u64) -> io::Result<Vec<u8>> {
        if chunk >= self.chunk_count() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let place = sealed_place(chunk, self.sealed_bytes);
        let mut sealed = vec![0; (place.end - place.start) as usize];
        self.file.read_exact_at(&mut sealed, place.start)?;
        let last = chunk + 1 == self.chunk_count();
        let length = self.chunks.open(chunk, last, &mut sealed)?;
        sealed.truncate(length);
        Ok(sealed)
    }

    /// Fills `into` with the content from `offset` on.
    ///
    /// # Errors
    /// As [`SealedFile::open`]; [`io::ErrorKind::UnexpectedEof`] when the content is shorter.
    pub fn read_exact_at(&self, mut into: &mut [u8], mut offset: u64) -> io::Result<()> {
        let end = offset.checked_add(into.len() as u64);
        if end.is_none_or(|end| end > self.size_bytes) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        while !into.is_empty() {
            let chunk = self.chunk(offset / CHUNK_BYTES as u64)?;
            let from = &chunk[(offset % CHUNK_BYTES as u64) as usize..];
            let count = from.len().min(into.len());
            let (now, later) = into.split_at_mut(count);
            now.copy_from_slice(&from[..count]);
            (into, offset) = (later, offset + count as u64);
        }
        Ok(())
    }
}

/// Where a chunk lies in the file.
fn sealed_place(chunk: u64, sealed_bytes: u64) -> Range<u64> {
    let start = HEADER_BYTES as u64 + chunk * SEALED_CHUNK_BYTES as u64;
    start..sealed_bytes.min(start + SEALED_CHUNK_BYTES as u64)
}

impl fmt::Debug for SealedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedFile").field("size_bytes", &self.size_bytes).finish_non_exhaustive()
    }
}
