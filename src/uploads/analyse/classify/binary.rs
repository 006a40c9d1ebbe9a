//! Formats known by their first bytes, and bytes that are no text.

use super::super::DataType::{
    LogsAndErrors, ProfilingData, StructuredConfig, UnstructuredText, VisualEvidence,
};
use super::Guess;

/// Score of a magic number.
const CERTAIN: f64 = 0.99;
/// How far into a file the mark of a PDF may stand (ISO 32000-1, appendix H.3.4.1).
const PDF_OFFSET_MAX: usize = 1024;
/// Bytes looked at to tell text from other bytes.
const TEXT_BYTES: usize = 8 * 1024;
/// Most fields of a protobuf message walked to recognise a profile; they are skipped, not read.
const FIELDS_MAX: usize = 200_000;

/// The format of `content` when it is not text.
pub(super) fn guess(content: &[u8]) -> Option<Guess> {
    if let Some(format) = image(content) {
        return Some(Guess::new(VisualEvidence, format, CERTAIN));
    }
    let start = content.get(..PDF_OFFSET_MAX).unwrap_or(content);
    if memchr::memmem::find(start, b"%PDF-").is_some_and(|at| at == 0 || !is_text(content)) {
        return Some(Guess::new(VisualEvidence, "pdf", CERTAIN));
    }
    let starts = |magic: &[u8]| content.starts_with(magic);
    let profile = match () {
        () if starts(b"FLR\0") => Some("jfr"),
        () if starts(b"JAVA PROFILE 1.0") => Some("hprof"),
        () if starts(b"PERFILE2") => Some("perf_data"),
        () if is_legacy_cpu(content) => Some("pprof_legacy"),
        () if is_pprof(content) => Some("pprof"),
        () => None,
    };
    if let Some(format) = profile {
        return Some(Guess::new(ProfilingData, format, CERTAIN));
    }
    match () {
        () if starts(b"ElfFile\0") => {
            return Some(Guess::new(LogsAndErrors, "windows_event", CERTAIN));
        }
        () if starts(b"LPKSHHRH") => return Some(Guess::new(LogsAndErrors, "journald", CERTAIN)),
        () if starts(b"bplist00") => return Some(Guess::new(StructuredConfig, "plist", 0.95)),
        () => {}
    }
    (!content.is_empty() && !is_text(content)).then_some(Guess::new(
        UnstructuredText,
        "binary",
        0.3,
    ))
}

fn image(content: &[u8]) -> Option<&'static str> {
    Some(match content {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "png",
        [0xff, 0xd8, 0xff, ..] => "jpeg",
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => "gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "webp",
        [b'I', b'I', 0x2a, 0, ..] | [b'M', b'M', 0, 0x2a, ..] => "tiff",
        [b'I', b'I', 0x2b, 0, ..] | [b'M', b'M', 0, 0x2b, ..] => "tiff",
        // The reserved words are zero, which keeps text that starts with BM out.
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => "bmp",
        [0, 0, 1, 0, count, 0, ..] if *count > 0 => "ico",
        [0, 0, 0, _, b'f', b't', b'y', b'p', brand @ ..] => match brand.get(..4)? {
            b"avif" | b"avis" => "avif",
            b"heic" | b"heix" | b"mif1" | b"msf1" => "heif",
            _ => return None,
        },
        [0, 0, 0, 0x0c, b'j', b'P', b' ', b' ', ..] => "jpeg2000",
        _ => return None,
    })
}

/// Whether the first bytes read like text in UTF-8, UTF-16 with its mark, or an 8-bit encoding.
pub(super) fn is_text(content: &[u8]) -> bool {
    let start = content.get(..TEXT_BYTES).unwrap_or(content);
    if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
        return true;
    }
    let odd = start.iter().filter(|b| matches!(b, 0..=6 | 14..=26 | 28..=31 | 127)).count();
    let nul = memchr::memchr_iter(0, start).count();
    // A log that a crash filled up with zeros is still a log; a few per mille is damage.
    nul * 50 <= start.len() && odd * 20 <= start.len()
}

/// The legacy CPU profile of gperftools and early Go: words 0, 3, 0, period, 0.
/// Format: gperftools, docs/cpuprofile-fileformat.html.
fn is_legacy_cpu(content: &[u8]) -> bool {
    let word = |size: usize, at: usize, big: bool| {
        let bytes = content.get(at * size..(at + 1) * size)?;
        let push = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
        Some(match big {
            true => bytes.iter().fold(0, push),
            false => bytes.iter().rev().fold(0, push),
        })
    };
    [(8, false), (4, false), (8, true), (4, true)].into_iter().any(|(size, big)| {
        let words: Vec<_> = (0..5).filter_map(|at| word(size, at, big)).collect();
        matches!(words.as_slice(), [0, 3, 0, period, 0] if (1..10_000_000).contains(period))
    })
}

/// Whether the fields on the first level of a protobuf message are those of a pprof profile.
/// Format: github.com/google/pprof, proto/profile.proto.
fn is_pprof(content: &[u8]) -> bool {
    let mut rest = content;
    let mut seen = [false; 16];
    for _ in 0..FIELDS_MAX {
        if rest.is_empty() {
            break;
        }
        let Some((tag, after)) = varint(rest) else { return false };
        let (field, wire) = ((tag >> 3) as usize, tag & 7);
        rest = match (field, wire) {
            (1..=6 | 11, 2) => {
                let Some((length, body)) = varint(after) else { return false };
                let Ok(length) = usize::try_from(length) else { return false };
                let first = body.first().copied();
                // A value type holds two indices into the strings, of which the first is empty.
                let sound = match field {
                    1 | 11 => length == 0 || matches!(first, Some(0x08 | 0x10)),
                    6 if !seen[6] => length == 0,
                    _ => true,
                };
                if !sound {
                    return false;
                }
                match body.get(length..) {
                    Some(next) => next,
                    // Cut off within a field.
                    None => break,
                }
            }
            // Packed comments, and the single numbers.
            (13, 2) => match varint(after)
                .and_then(|(length, body)| body.get(usize::try_from(length).ok()?..))
            {
                Some(next) => next,
                None => break,
            },
            (7..=10 | 12..=15, 0) => match varint(after) {
                Some((_, next)) => next,
                None => break,
            },
            _ => return false,
        };
        if let Some(known) = seen.get_mut(field) {
            *known = true;
        }
    }
    let parts = [1, 2, 3, 4, 5, 6].iter().filter(|field| seen[**field]).count();
    parts >= 3 && (seen[1] || seen[6])
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * at as u32)?;
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}
