//! JSON columns: validated text, stored and answered as it was given (ruling 5).

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::value::RawValue;
use std::fmt;

/// Largest JSON column, in bytes of text (ruling 5).
pub const JSON_BYTES_MAX: usize = 256 * 1024;
/// Deepest nesting accepted: enough for any document, far from exhausting a stack.
pub const JSON_DEPTH_MAX: usize = 64;

/// One JSON object as text; key order and number spelling are kept.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Box<str>);

/// Why a text is not accepted as a JSON column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text is not JSON.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// The text is JSON but not an object or array.
    #[error("expected a JSON object or array")]
    NotContainer,
    /// The text is longer than [`JSON_BYTES_MAX`].
    #[error("JSON of {0} bytes is over the limit of {JSON_BYTES_MAX}")]
    TooLarge(usize),
    /// The nesting is deeper than [`JSON_DEPTH_MAX`].
    #[error("JSON nested deeper than {JSON_DEPTH_MAX}")]
    TooDeep,
}

impl Json {
    /// Checks and takes a JSON object or array.
    ///
    /// # Errors
    /// [`JsonError`] when the text is not JSON, too long or nested too deep.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        if text.len() > JSON_BYTES_MAX {
            return Err(JsonError::TooLarge(text.len()));
        }
        if depth(text.as_bytes()) > JSON_DEPTH_MAX {
            return Err(JsonError::TooDeep);
        }
        let raw: &RawValue =
            serde_json::from_str(text).map_err(|e| JsonError::Syntax(e.to_string()))?;
        match raw.get().as_bytes().first() {
            Some(b'{' | b'[') => Ok(Self(raw.get().into())),
            _ => Err(JsonError::NotContainer),
        }
    }

    /// Serialises a value of our own; it must become an object or array within the limits.
    ///
    /// # Errors
    /// [`JsonError`] when it does not.
    pub fn from_value(value: &impl Serialize) -> Result<Self, JsonError> {
        let text = serde_json::to_string(value).map_err(|e| JsonError::Syntax(e.to_string()))?;
        Self::parse(&text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the text into a typed value.
    ///
    /// # Errors
    /// [`JsonError::Syntax`] when the shape differs.
    pub fn to<T: de::DeserializeOwned>(&self) -> Result<T, JsonError> {
        serde_json::from_str(&self.0).map_err(|e| JsonError::Syntax(e.to_string()))
    }

    /// `{}`.
    pub fn empty() -> Self {
        Self("{}".into())
    }
}

impl Default for Json {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Deepest nesting of brackets outside strings; a bound, so malformed text is fine.
pub fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0usize, false, false);
    for &byte in text {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() {
            let raw: &RawValue = serde_json::from_str(&self.0).map_err(ser::Error::custom)?;
            raw.serialize(to)
        } else {
            to.serialize_str(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            let raw = Box::<RawValue>::deserialize(from)?;
            Self::parse(raw.get()).map_err(de::Error::custom)
        } else {
            String::deserialize(from).map(|text| Self(text.into()))
        }
    }
}

impl utoipa::PartialSchema for Json {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .description(Some("any JSON object or array of at most 256 KiB"))
            .into()
    }
}

impl utoipa::ToSchema for Json {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_order_and_number_spelling_are_kept() {
        let text = r#"{"b":1.50,"a":1e3,"big":123456789012345678901234567890}"#;
        let json = Json::parse(text).unwrap();
        assert_eq!(serde_json::to_string(&json).unwrap(), text);
    }

    #[test]
    fn what_is_no_column_is_refused() {
        assert_eq!(Json::parse("1"), Err(JsonError::NotContainer));
        assert!(matches!(Json::parse("{"), Err(JsonError::Syntax(_))));
        assert_eq!(Json::parse(&"[".repeat(100_000)), Err(JsonError::TooDeep));
        let long = format!("[\"{}\"]", "x".repeat(JSON_BYTES_MAX));
        assert!(matches!(Json::parse(&long), Err(JsonError::TooLarge(_))));
        assert!(Json::parse(r#"{"brackets in text": "[[[[{{{{\"[["}"#).is_ok());
    }
}
