//! Size of images and version of PDF files, from their headers alone.

use super::BasicFindings;

/// Most segments of a JPEG walked in search of its frame header.
const SEGMENTS_MAX: usize = 500;

/// Fills in what the header of `content` says and tells it in sentences.
pub(super) fn describe(
    format: &str,
    content: &[u8],
    findings: &mut BasicFindings,
    insights: &mut Vec<String>,
) {
    insights.push(format!("{format} file of {} bytes", content.len()));
    if let Some(version) = pdf_version(content) {
        insights.push(format!("the header names PDF version {version}"));
        findings.pdf_version = Some(version);
        let closed = memchr::memmem::rfind(content, b"%%EOF").is_some();
        let end = if closed { "the end mark is there" } else { "the end mark is missing" };
        insights.push(format!("{end} (%%EOF)"));
    } else if let Some((width, height)) = size(content) {
        insights.push(format!("the header names a size of {width} x {height} pixels"));
        insights.push(format!("{} pixels in all", u64::from(width) * u64::from(height)));
        (findings.width, findings.height) = (Some(width), Some(height));
    } else {
        // No byte of unknown content is shown: it may be part of a secret.
        let zeros = memchr::memchr_iter(0, content).count();
        insights.push(format!("{zeros} of its bytes are zero"));
    }
    insights.push("no text was read from this file".to_owned());
}

/// `%PDF-1.7` within the first KiB (ISO 32000-1, 7.5.2 and appendix H.3.4.1).
fn pdf_version(content: &[u8]) -> Option<String> {
    let start = content.get(..1024).unwrap_or(content);
    let at = memchr::memmem::find(start, b"%PDF-")?;
    let version = content.get(at + 5..)?.iter().take(4);
    let version: Vec<u8> =
        version.copied().take_while(|b| b.is_ascii_digit() || *b == b'.').collect();
    String::from_utf8(version).ok().filter(|version| !version.is_empty())
}

/// Width and height in pixels.
fn size(content: &[u8]) -> Option<(u32, u32)> {
    let size = match content {
        [0x89, b'P', b'N', b'G', ..] => (big(content, 16, 4)?, big(content, 20, 4)?),
        [b'G', b'I', b'F', b'8', ..] => (little(content, 6, 2)?, little(content, 8, 2)?),
        [b'B', b'M', ..] => bmp(content)?,
        [b'R', b'I', b'F', b'F', ..] => webp(content)?,
        [0xff, 0xd8, ..] => jpeg(content)?,
        [b'I', b'I', 0x2a, 0, ..] => tiff(content, little)?,
        [b'M', b'M', 0, 0x2a, ..] => tiff(content, big)?,
        _ => return None,
    };
    (size.0 > 0 && size.1 > 0).then_some(size)
}

fn big(content: &[u8], at: usize, count: usize) -> Option<u32> {
    let bytes = content.get(at..at.checked_add(count)?)?;
    Some(bytes.iter().fold(0, |value, byte| (value << 8) | u32::from(*byte)))
}

fn little(content: &[u8], at: usize, count: usize) -> Option<u32> {
    let bytes = content.get(at..at.checked_add(count)?)?;
    Some(bytes.iter().rev().fold(0, |value, byte| (value << 8) | u32::from(*byte)))
}

/// The height is negative when the rows run from the top.
fn bmp(content: &[u8]) -> Option<(u32, u32)> {
    if little(content, 14, 4)? == 12 {
        return Some((little(content, 18, 2)?, little(content, 20, 2)?));
    }
    let height = little(content, 22, 4)?.cast_signed().unsigned_abs();
    Some((little(content, 18, 4)?, height))
}

/// Lossy, lossless and extended files (RFC 9649, 2.5 to 2.7).
fn webp(content: &[u8]) -> Option<(u32, u32)> {
    match content.get(12..16)? {
        b"VP8 " => Some((little(content, 26, 2)? & 0x3fff, little(content, 28, 2)? & 0x3fff)),
        b"VP8L" => {
            let bits = little(content, 21, 4)?;
            Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
        }
        b"VP8X" => Some((little(content, 24, 3)? + 1, little(content, 27, 3)? + 1)),
        _ => None,
    }
}

/// The frame header (ITU-T T.81, B.2.2), found by walking the segments before it.
fn jpeg(content: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2usize;
    for _ in 0..SEGMENTS_MAX {
        while big(content, at, 2)? == 0xffff {
            at += 1;
        }
        match big(content, at, 2)? {
            0xffc4 | 0xffc8 | 0xffcc => {}
            0xffc0..=0xffcf => return Some((big(content, at + 7, 2)?, big(content, at + 5, 2)?)),
            0xff01 | 0xffd0..=0xffd8 => {
                at += 2;
                continue;
            }
            0xff02..=0xfffe => {}
            _ => return None,
        }
        at = at.checked_add(2 + big(content, at + 2, 2)? as usize)?;
    }
    None
}

/// The first directory (TIFF 6.0, section 2): tag 256 is the width, 257 the height.
fn tiff(content: &[u8], read: fn(&[u8], usize, usize) -> Option<u32>) -> Option<(u32, u32)> {
    let directory = read(content, 4, 4)? as usize;
    let count = read(content, directory, 2)? as usize;
    let value = |tag: u32| {
        let entries = (0..count).map(|n| directory + 2 + n * 12);
        let entry = entries.take(SEGMENTS_MAX).find(|at| read(content, *at, 2) == Some(tag))?;
        let wide = read(content, entry + 2, 2)? == 4;
        read(content, entry + 8, if wide { 4 } else { 2 })
    };
    Some((value(256)?, value(257)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(content: &[u8], width: u32, height: u32) {
        assert_eq!(size(content), Some((width, height)));
    }

    #[test]
    fn headers_give_the_size() {
        check(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0", 640, 480);
        check(b"GIF89a\x40\x01\xf0\0", 320, 240);
        let bmp = [&b"BM"[..], &[0; 12], &[40, 0, 0, 0, 3, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff]];
        check(&bmp.concat(), 3, 2);
        check(b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x10\0\x20\0", 16, 32);
        check(b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\x0f\xc0\x07\0", 16, 32);
        check(b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x0f\0\0\x1f\0\0", 16, 32);
        check(b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc0\0\x11\x08\0\x20\0\x10", 16, 32);
        let width = b"II\x2a\0\x08\0\0\0\x02\0\0\x01\x03\0\x01\0\0\0\x10\0\0\0";
        let height = b"\x01\x01\x04\0\x01\0\0\0\x20\0\0\0";
        check(&[&width[..], height].concat(), 16, 32);
    }

    #[test]
    fn a_pdf_names_its_version() {
        assert_eq!(pdf_version(b"%PDF-1.7\n..."), Some("1.7".to_owned()));
        assert_eq!(pdf_version(b"no pdf"), None);
    }

    proptest! {
        #[test]
        fn broken_headers_never_panic(
            magic in prop::sample::select(vec![
                &b"\x89PNG\r\n\x1a\n"[..], b"\xff\xd8\xff", b"II\x2a\0", b"MM\0\x2a", b"BM",
                b"RIFF....WEBPVP8X",
            ]),
            rest in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = size(&[magic, &rest].concat());
        }
    }
}
