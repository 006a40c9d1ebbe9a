//! A container piece by piece: content in, sealed bytes out, and back.
//!
//! Both sides hold back one chunk, because only what follows tells whether it is the last.

use super::seal::{Chunks, Header, SEALED_CHUNK_BYTES};
use super::{CHUNK_BYTES, HEADER_BYTES, Seal, SealError};
use std::fmt;

/// Writes one container. Holds at most one chunk in memory.
pub struct Encoder {
    chunks: Chunks,
    /// Until it is written.
    header: Option<[u8; HEADER_BYTES]>,
    /// Content of the next chunk; a full chunk waits for what follows it.
    pending: Vec<u8>,
    chunk: u64,
}

impl Encoder {
    pub(super) fn new(header: [u8; HEADER_BYTES], chunks: Chunks) -> Self {
        Self { chunks, header: Some(header), pending: Vec::new(), chunk: 0 }
    }

    /// Takes content and appends what is sealed of it to `out`.
    pub fn push(&mut self, mut content: &[u8], out: &mut Vec<u8>) {
        self.begin(out);
        while self.pending.len() + content.len() > CHUNK_BYTES {
            let (now, later) = content.split_at(CHUNK_BYTES - self.pending.len());
            self.chunk(now, false, out);
            content = later;
        }
        self.pending.extend_from_slice(content);
    }

    /// Appends the rest to `out`.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        self.begin(out);
        self.chunk(&[], true, out);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if let Some(header) = self.header.take() {
            out.extend_from_slice(&header);
        }
    }

    /// Seals what is pending and `more` as one chunk.
    fn chunk(&mut self, more: &[u8], last: bool, out: &mut Vec<u8>) {
        let start = out.len();
        out.reserve(self.pending.len() + more.len() + super::TAG_BYTES);
        out.append(&mut self.pending);
        out.extend_from_slice(more);
        let tag = self.chunks.seal(self.chunk, last, &mut out[start..]);
        out.extend_from_slice(&tag);
        self.chunk += 1;
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("chunk", &self.chunk).finish_non_exhaustive()
    }
}

/// Reads one container. Holds at most one chunk in memory.
pub struct Decoder {
    seal: Seal,
    state: State,
    /// Sealed bytes that are not opened yet: of the header, or of one chunk.
    pending: Vec<u8>,
    chunk: u64,
}

enum State {
    Header,
    Chunks(Chunks),
    Failed(SealError),
}

impl Decoder {
    pub(super) fn new(seal: Seal) -> Self {
        Self { seal, state: State::Header, pending: Vec::new(), chunk: 0 }
    }

    /// Takes sealed bytes and appends what is verified of their content to `out`. That is content
    /// as it was written, but whether it is all of it tells only [`Decoder::finish`].
    ///
    /// # Errors
    /// [`SealError`], and the same again on each further call; nothing unverified is in `out`.
    pub fn push(&mut self, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        let done = self.advance(sealed, out);
        if let Err(error) = done {
            self.state = State::Failed(error);
        }
        done
    }

    fn advance(&mut self, mut sealed: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        if let State::Failed(error) = self.state {
            return Err(error);
        }
        if let State::Header = self.state {
            let missing = HEADER_BYTES - self.pending.len();
            let (now, later) = sealed.split_at(missing.min(sealed.len()));
            self.pending.extend_from_slice(now);
            sealed = later;
            let Ok(header) = self.pending.as_slice().try_into() else { return Ok(()) };
            self.state = State::Chunks(self.seal.chunks(&Header::decode(header)?)?);
            self.pending.clear();
        }
        while self.pending.len() + sealed.len() > SEALED_CHUNK_BYTES {
            let (now, later) = sealed.split_at(SEALED_CHUNK_BYTES - self.pending.len());
            self.open(now, false, out)?;
            sealed = later;
        }
        self.pending.extend_from_slice(sealed);
        Ok(())
    }

    /// Appends the rest of the content to `out`; only now is it known to be whole.
    ///
    /// # Errors
    /// [`SealError::Truncated`] when the end is missing, otherwise as [`Decoder::push`].
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), SealError> {
        match self.state {
            State::Failed(error) => return Err(error),
            State::Header => return Err(SealError::Truncated),
            State::Chunks(_) => {}
        }
        // Cut exactly between two chunks, what remains is sound but not the last.
        let full = self.pending.len() == SEALED_CHUNK_BYTES;
        let copy = if full { self.pending.clone() } else { Vec::new() };
        let Err(error) = self.open(&[], true, out) else { return Ok(()) };
        self.pending = copy;
        let cut = full && self.open(&[], false, &mut Vec::new()).is_ok();
        Err(if cut { SealError::Truncated } else { error })
    }

    /// Opens what is pending and `more` as one chunk.
    fn open(&mut self, more: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), SealError> {
        let State::Chunks(chunks) = &self.state else { return Err(SealError::NotSealed) };
        let start = out.len();
        out.reserve(self.pending.len() + more.len());
        out.append(&mut self.pending);
        out.extend_from_slice(more);
        let opened = chunks.open(self.chunk, last, &mut out[start..]);
        out.truncate(start + opened.unwrap_or(0));
        opened?;
        self.chunk += 1;
        Ok(())
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("chunk", &self.chunk).finish_non_exhaustive()
    }
}
