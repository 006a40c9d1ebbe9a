//! Text to token ids and token ranges.

use std::path::Path;

use tokenizers::{PostProcessor, Tokenizer, TruncationDirection};

use super::EmbedError;

/// Largest text whose token ranges are computed, in bytes: above the largest accepted upload.
const TEXT_BYTES_MAX: usize = 16 << 20;

/// Bytes tokenized at once; the tokenizer needs about 100 bytes of memory per byte.
const SEGMENT_BYTES: usize = 16 << 10;

/// Bytes of a text looked at per token the model can take; real text has 3 to 5 bytes a token, so
/// only text of mostly blanks or of words longer than this is cut short by it.
const BYTES_PER_TOKEN_MAX: usize = 64;

/// A tokenizer that neither pads nor truncates by itself.
pub(super) struct Tokens {
    tokenizer: Tokenizer,
    /// Tokens of a text kept, special tokens not counted.
    content_max: usize,
}

impl Tokens {
    /// Reads a `tokenizer.json`; `sequence_max` counts special tokens.
    pub(super) fn new(bytes: &[u8], path: &Path, sequence_max: usize) -> Result<Self, EmbedError> {
        let malformed = |reason: String| EmbedError::Malformed { path: path.to_owned(), reason };
        let mut tokenizer =
            Tokenizer::from_bytes(bytes).map_err(|error| malformed(error.to_string()))?;
        // The file's own settings are those of its training export, not of the model.
        tokenizer.with_truncation(None).map_err(|error| malformed(error.to_string()))?;
        tokenizer.with_padding(None);
        let special = tokenizer.get_post_processor().map_or(0, |post| post.added_tokens(false));
        // Without a special token an empty text would be an empty sequence.
        let content_max = sequence_max
            .checked_sub(special)
            .filter(|&left| left > 0 && special > 0)
            .ok_or_else(|| malformed(format!("it adds {special} special tokens")))?;
        Ok(Self { tokenizer, content_max })
    }

    pub(super) fn content_max(&self) -> usize {
        self.content_max
    }

    /// Ids of a text with its special tokens, cut to what the model can take.
    pub(super) fn ids(&self, text: &str) -> Result<Vec<u32>, EmbedError> {
        let text = prefix(text, self.content_max * BYTES_PER_TOKEN_MAX);
        let mut encoding = self.tokenizer.encode_fast(text, false).map_err(tokenize)?;
        encoding.truncate(self.content_max, 0, TruncationDirection::Right);
        let encoding = self.tokenizer.post_process(encoding, None, true).map_err(tokenize)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Byte ranges of all tokens of a text, without special tokens.
    pub(super) fn offsets(&self, text: &str) -> Result<Vec<(usize, usize)>, EmbedError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(EmbedError::TooLong { bytes: text.len(), bytes_max: TEXT_BYTES_MAX });
        }
        let mut offsets = Vec::with_capacity(text.len() / 4);
        let (mut rest, mut base) = (text, 0);
        while !rest.is_empty() {
            let segment = segment(rest);
            let encoding = self.tokenizer.encode(segment, false).map_err(tokenize)?;
            offsets.extend(
                encoding.get_offsets().iter().map(|&(start, end)| (start + base, end + base)),
            );
            base += segment.len();
            rest = rest.get(segment.len()..).unwrap_or_default();
        }
        disjoin(&mut offsets);
        Ok(offsets)
    }
}

/// Ends each range where the next begins: a token that only marks the start of a word, or one of
/// several made from one character, claims text that the next token claims too.
fn disjoin(offsets: &mut [(usize, usize)]) {
    let mut next = usize::MAX;
    for (start, end) in offsets.iter_mut().rev() {
        *end = (*end).min(next);
        *start = (*start).min(*end);
        next = *start;
    }
}

/// The longest prefix of at most `bytes_max` bytes that ends between two characters.
fn prefix(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

/// The first part of a text, ended before white space where possible: there no token is torn, since
/// both families of tokenizers separate words at white space.
fn segment(text: &str) -> &str {
    let part = prefix(text, SEGMENT_BYTES);
    if part.len() == text.len() {
        return text;
    }
    let cut = part.rfind(char::is_whitespace).filter(|&cut| cut > 0);
    cut.and_then(|cut| part.get(..cut)).unwrap_or(part)
}

fn tokenize(error: tokenizers::Error) -> EmbedError {
    EmbedError::Tokenize(error.to_string())
}
