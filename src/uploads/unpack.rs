//! Unpacking gzip and zstd before a file is looked at.
//!
//! Output is bounded by an absolute limit and by a ratio to the packed size, so that a bomb costs
//! little. A stream that ends early yields what could be read, with a warning: half a log is worth
//! more than an error. A zip archive holds several files and stays as it is.

use crate::base::{Class, Classify};
use flate2::bufread::MultiGzDecoder;
use std::borrow::Cow;
use std::io::{self, Read};

/// Layers of compression removed at most; more is no log but a puzzle.
const LAYERS_MAX: usize = 2;
/// Largest allowed ratio of unpacked to packed size; repetitive logs reach about 100.
const RATIO_MAX: u64 = 200;
/// Output up to this size is never taken for a bomb.
const RATIO_FREE_BYTES: u64 = 1024 * 1024;
/// Bytes read at one time.
const CHUNK_BYTES: usize = 64 * 1024;
/// Largest window a zstd frame may ask for, as a power of two: 64 MiB of memory.
const ZSTD_WINDOW_LOG_MAX: u32 = 26;

/// A file without its compression.
#[derive(Debug)]
pub(super) struct Unpacked<'a> {
    /// The name without the suffix of the compression.
    pub(super) name: String,
    /// The content.
    pub(super) content: Cow<'a, [u8]>,
    /// What was damaged or left packed.
    pub(super) warnings: Vec<String>,
}

/// A file that is not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The content is larger than the limit.
    #[error("the unpacked content is larger than the limit of {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// The content is implausibly larger than the file: a decompression bomb.
    #[error("the file unpacks to more than {RATIO_MAX} times its size")]
    Bomb,
}

impl Classify for UnpackError {
    fn class(&self) -> (Class, &'static str) {
        match self {
            Self::TooLarge { .. } => (Class::TooLarge, "unpacked_too_large"),
            Self::Bomb => (Class::TooLarge, "compression_bomb"),
        }
    }
}

/// Unpacks `bytes`, at most to `bytes_max` bytes; what is not packed is lent out as it is.
///
/// # Errors
/// [`UnpackError`] when the content is larger than `bytes_max` or than the ratio allows.
pub(super) fn unpack<'a>(
    name: &str,
    bytes: &'a [u8],
    bytes_max: u64,
) -> Result<Unpacked<'a>, UnpackError> {
    let mut unpacked =
        Unpacked { name: name.to_owned(), content: Cow::Borrowed(bytes), warnings: Vec::new() };
    let plausible = (bytes.len() as u64).saturating_mul(RATIO_MAX).max(RATIO_FREE_BYTES);
    let limit = Limit { bytes: bytes_max.min(plausible), absolute: bytes_max <= plausible };
    for _ in 0..LAYERS_MAX {
        let Some(kind) = kind(&unpacked.content) else { return Ok(unpacked) };
        let (content, damage) = decode(kind, &unpacked.content, &limit)?;
        if let Some(damage) = damage {
            if content.is_empty() {
                let warning =
                    format!("the {} stream is damaged and was left packed: {damage}", kind.name());
                unpacked.warnings.push(warning);
                return Ok(unpacked);
            }
            let bytes = content.len();
            unpacked.warnings.push(format!(
                "the {} stream is damaged; the first {bytes} bytes of content were read: {damage}",
                kind.name()
            ));
        }
        unpacked.name = kind.without_suffix(&unpacked.name).to_owned();
        unpacked.content = Cow::Owned(content);
    }
    if kind(&unpacked.content).is_some() {
        unpacked.warnings.push(format!(
            "the file is packed more than {LAYERS_MAX} times; the rest stays packed"
        ));
    }
    Ok(unpacked)
}

/// How much may come out, and whether the absolute limit is the tighter one.
struct Limit {
    bytes: u64,
    absolute: bool,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Gzip,
    Zstd,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    fn without_suffix(self, name: &str) -> &str {
        let suffixes: &[&str] = match self {
            Self::Gzip => &[".gz", ".gzip"],
            Self::Zstd => &[".zst", ".zstd"],
        };
        let cut = |suffix: &&str| {
            let at = name.len().checked_sub(suffix.len())?;
            name.get(at..)?.eq_ignore_ascii_case(suffix).then_some(at)
        };
        let end = suffixes.iter().find_map(cut).filter(|at| *at > 0);
        end.and_then(|end| name.get(..end)).unwrap_or(name)
    }
}

/// The compression by its magic number (RFC 1952, 2.3.1; RFC 8878, 3.1.1).
fn kind(bytes: &[u8]) -> Option<Kind> {
    match bytes {
        [0x1f, 0x8b, 8, ..] => Some(Kind::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Kind::Zstd),
        _ => None,
    }
}

/// What could be read, and what stopped the reading early.
fn decode(
    kind: Kind,
    bytes: &[u8],
    limit: &Limit,
) -> Result<(Vec<u8>, Option<io::Error>), UnpackError> {
    match kind {
        Kind::Gzip => drain(MultiGzDecoder::new(bytes), limit),
        Kind::Zstd => {
            let decoder =
                zstd::stream::read::Decoder::with_buffer(bytes).and_then(|mut decoder| {
                    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                    Ok(decoder)
                });
            match decoder {
                Ok(decoder) => drain(decoder, limit),
                Err(error) => Ok((Vec::new(), Some(error))),
            }
        }
    }
}

fn drain(
    mut reader: impl Read,
    limit: &Limit,
) -> Result<(Vec<u8>, Option<io::Error>), UnpackError> {
    let mut content = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = match reader.read(&mut chunk) {
            Ok(0) => return Ok((content, None)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Ok((content, Some(error))),
        };
        content.extend_from_slice(chunk.get(..count).unwrap_or_default());
        if content.len() as u64 > limit.bytes {
            return Err(match limit.absolute {
                true => UnpackError::TooLarge { limit_bytes: limit.bytes },
                false => UnpackError::Bomb,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use std::io::Write;

    const LIMIT: u64 = 64 * 1024 * 1024;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(content: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(content, 3).unwrap()
    }

    fn log(lines: usize) -> Vec<u8> {
        let line =
            |n| format!("2026-11-23T10:00:00Z INFO request {n} took {} ms\n", n * 7919 % 1009);
        (0..lines).map(line).collect::<String>().into_bytes()
    }

    fn check(name: &str, bytes: &[u8], expected: (&str, &[u8])) {
        let unpacked = unpack(name, bytes, LIMIT).unwrap();
        let found = (unpacked.name.as_str(), &*unpacked.content);
        assert_eq!(found, expected);
        assert_eq!(unpacked.warnings, Vec::<String>::new());
    }

    #[test]
    fn packed_files_lose_their_packing_and_its_suffix() {
        let log = log(500);
        check("app.log", &log, ("app.log", &log));
        check("app.log.gz", &gzip(&log), ("app.log", &log));
        check("app.log.ZST", &zstd(&log), ("app.log", &log));
        check("upload.bin", &gzip(&log), ("upload.bin", &log));
        check(".gz", &gzip(b""), (".gz", b""));
        check("a.gz.zst", &zstd(&gzip(&log)), ("a", &log));
    }

    #[test]
    fn members_and_frames_are_joined() {
        let mut members = gzip(b"one ");
        members.extend(gzip(b"two"));
        check("x.gz", &members, ("x", b"one two"));
        let mut frames = zstd(b"one ");
        frames.extend(zstd(b"two"));
        check("x.zst", &frames, ("x", b"one two"));
    }

    #[test]
    fn a_third_layer_stays_packed() {
        let twice = gzip(b"inside");
        let packed = gzip(&gzip(&twice));
        let unpacked = unpack("x.gz", &packed, LIMIT).unwrap();
        assert_eq!(&*unpacked.content, twice.as_slice());
        assert!(unpacked.warnings[0].contains("more than 2 times"));
    }

    #[test]
    fn a_stream_that_ends_early_yields_what_was_read() {
        let log = log(20_000);
        for packed in [gzip(&log), zstd(&log)] {
            let unpacked = unpack("app.log.gz", &packed[..packed.len() / 2], LIMIT).unwrap();
            assert!(unpacked.content.len() > 10_000);
            assert!(log.starts_with(&unpacked.content));
            assert!(unpacked.warnings[0].contains("is damaged; the first"));
        }
    }

    #[test]
    fn a_stream_damaged_from_its_start_is_left_as_it_is() {
        let packed = [0x1f, 0x8b, 8, 0, 1];
        let unpacked = unpack("x.gz", &packed, LIMIT).unwrap();
        assert_eq!((unpacked.name.as_str(), &*unpacked.content), ("x.gz", &packed[..]));
        assert!(unpacked.warnings[0].contains("left packed"));
    }

    #[test]
    fn bombs_are_refused() {
        let zeros = vec![0; 20 * 1024 * 1024];
        for packed in [gzip(&zeros), zstd(&zeros), gzip(&gzip(&zeros))] {
            let error = unpack("x.gz", &packed, LIMIT).unwrap_err();
            assert_eq!(error.class(), (Class::TooLarge, "compression_bomb"));
        }
        // Small content may be as repetitive as it likes.
        assert!(unpack("x.gz", &gzip(&zeros[..1024 * 1024]), LIMIT).is_ok());
    }

    #[test]
    fn content_beyond_the_limit_is_refused() {
        let error = unpack("x.gz", &gzip(&log(5000)), 1000).unwrap_err();
        assert_eq!(error.class(), (Class::TooLarge, "unpacked_too_large"));
        assert!(error.to_string().contains("1000 bytes"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(
            magic in prop::sample::select(vec![&b"\x1f\x8b\x08"[..], b"\x28\xb5\x2f\xfd", b""]),
            rest in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let bytes = [magic, &rest].concat();
            let _ = unpack("x", &bytes, 1 << 20);
        }
    }
}
