//! Containers through `Read` and `Write`.

use super::seal::SEALED_CHUNK_BYTES;
use super::{Decoder, Encoder, Seal, SealError};
use std::fmt;
use std::io::{self, Read, Write};

/// Seals what is written through it. Only [`SealedWriter::finish`] makes the container whole.
pub struct SealedWriter<W: Write> {
    inner: W,
    encoder: Encoder,
    /// Sealed bytes on their way.
    sealed: Vec<u8>,
}

impl<W: Write> SealedWriter<W> {
    /// Starts a container in `inner`.
    pub fn new(inner: W, seal: &Seal) -> Self {
        Self { inner, encoder: seal.encoder(), sealed: Vec::new() }
    }

    /// Writes the end of the container and flushes.
    ///
    /// # Errors
    /// Those of `inner`.
    pub fn finish(mut self) -> io::Result<W> {
        self.encoder.finish(&mut self.sealed);
        self.inner.write_all(&self.sealed)?;
        self.inner.flush()?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for SealedWriter<W> {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        // One chunk a call keeps the memory constant.
        let taken = &content[..content.len().min(super::CHUNK_BYTES)];
        self.encoder.push(taken, &mut self.sealed);
        let written = self.inner.write_all(&self.sealed);
        self.sealed.clear();
        written.map(|()| taken.len())
    }

    /// Flushes what is sealed; up to one chunk waits for its end.
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Write + fmt::Debug> fmt::Debug for SealedWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedWriter").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// Opens a container while it is read. Damage is an error of the kind `InvalidData` with a
/// [`SealError`] inside; the end is reported only when it is the end of the whole.
pub struct SealedReader<R: Read> {
    inner: R,
    /// None after the end.
    decoder: Option<Decoder>,
    /// What the end said.
    ended: Result<(), SealError>,
    sealed: Vec<u8>,
    content: Vec<u8>,
    /// Bytes of `content` that were handed out.
    given: usize,
}

impl<R: Read> SealedReader<R> {
    /// Starts reading a container from `inner`.
    pub fn new(inner: R, seal: &Seal) -> Self {
        let (sealed, content) = (vec![0; SEALED_CHUNK_BYTES], Vec::new());
        Self { inner, decoder: Some(seal.decoder()), ended: Ok(()), sealed, content, given: 0 }
    }
}

impl<R: Read> Read for SealedReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        while self.given == self.content.len() {
            self.content.clear();
            self.given = 0;
            let Some(mut decoder) = self.decoder.take() else {
                self.ended?;
                return Ok(0);
            };
            match self.inner.read(&mut self.sealed) {
                Ok(0) => self.ended = decoder.finish(&mut self.content),
                Ok(count) => match decoder.push(&self.sealed[..count], &mut self.content) {
                    Ok(()) => self.decoder = Some(decoder),
                    Err(error) => self.ended = Err(error),
                },
                Err(error) => {
                    self.decoder = Some(decoder);
                    return Err(error);
                }
            }
        }
        let count = into.len().min(self.content.len() - self.given);
        into[..count].copy_from_slice(&self.content[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

impl<R: Read + fmt::Debug> fmt::Debug for SealedReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedReader").field("inner", &self.inner).finish_non_exhaustive()
    }
}
