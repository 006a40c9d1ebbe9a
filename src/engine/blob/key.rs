//! Names of blobs: paths that cannot leave their directory.

use std::fmt;
use std::str::FromStr;

/// Longest key in bytes: keeps a file name and its staging suffix below what file systems take.
const KEY_BYTES_MAX: usize = 512;
/// Longest segment in bytes; file systems take 255.
const SEGMENT_BYTES_MAX: usize = 128;

/// A checked name such as `artifacts/case_01/file_02`: segments of `a-z A-Z 0-9 _ - .`, joined by
/// `/`; no segment is empty or starts with a dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey(String);

/// The text is not a blob key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a blob key")]
pub struct BlobKeyError;

impl BlobKey {
    /// Joins segments into a key.
    ///
    /// # Errors
    /// [`BlobKeyError`] when a segment is not allowed, also when it contains a `/`.
    pub fn new(segments: &[&str]) -> Result<Self, BlobKeyError> {
        if segments.iter().any(|segment| segment.contains('/')) {
            return Err(BlobKeyError);
        }
        segments.join("/").parse()
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BlobKey {
    type Err = BlobKeyError;

    fn from_str(text: &str) -> Result<Self, BlobKeyError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        let good = text.len() <= KEY_BYTES_MAX
            && text.split('/').all(|segment| {
                (1..=SEGMENT_BYTES_MAX).contains(&segment.len())
                    && !segment.starts_with('.')
                    && segment.bytes().all(allowed)
            });
        if good { Ok(Self(text.to_owned())) } else { Err(BlobKeyError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stays_inside_its_directory() {
        for good in ["a", "artifacts/case_01/file_02", "x/report-1.md", "A.b_c-9"] {
            assert_eq!(good.parse::<BlobKey>().unwrap().as_str(), good);
        }
        let long = "a".repeat(SEGMENT_BYTES_MAX + 1);
        let deep = vec!["abcdefg"; 65].join("/");
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "a/",
            "a//b",
            "..",
            "a/../b",
            ".hidden",
            "a/.b",
            "a b",
            "a#1",
            "a\\b",
            "a%2e",
            "\u{e4}",
            "a\0",
            "C:x",
            &long,
            &deep,
        ] {
            assert_eq!(bad.parse::<BlobKey>(), Err(BlobKeyError), "{bad:?}");
        }
        assert_eq!(BlobKey::new(&["a", "b"]), "a/b".parse());
        assert_eq!(BlobKey::new(&["a", "b/c"]), Err(BlobKeyError));
        assert_eq!(BlobKey::new(&[]), Err(BlobKeyError));
    }
}
