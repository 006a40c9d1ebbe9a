//! JSON escapes of plain characters, spelled out before redaction: `ada\u0040example.org` is an
//! e-mail address to whoever reads the JSON, so it must be one to the redactor.

use std::borrow::Cow;

/// Writes `\u0020` to `\u007e` as the character it stands for (but for the quote and the backslash,
/// which must stay escaped) and `:\/\/` as `://`. The text means the same JSON as before, and lines
/// stay lines.
pub(super) fn spelled_out(text: &str) -> Cow<'_, str> {
    let slashes = text.contains(":\\/\\/");
    if !slashes && !text.contains("\\u00") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        if slashes && before.ends_with(':') && escape.starts_with("\\/\\/") {
            out.push_str("//");
            rest = escape.get(4..).unwrap_or_default();
        } else if let Some(plain) = plain(escape) {
            out.push(plain);
            rest = escape.get(6..).unwrap_or_default();
        } else {
            // The escaped character goes along, so that an escaped backslash starts nothing.
            let end = escape.chars().take(2).map(char::len_utf8).sum();
            let (kept, after) = escape.split_at(end);
            out.push_str(kept);
            rest = after;
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The printable ASCII character that an escape at the start of a text stands for.
fn plain(escape: &str) -> Option<char> {
    let digits = escape.strip_prefix("\\u00")?.get(..2)?;
    let byte = u8::from_str_radix(digits, 16).ok()?;
    let printable = (0x20..=0x7E).contains(&byte) && byte != b'"' && byte != b'\\';
    printable.then(|| char::from(byte))
}

#[cfg(test)]
mod tests {
    use super::spelled_out;
    use proptest::prelude::*;

    #[test]
    fn plain_characters_are_spelled_out_and_others_are_not() {
        let check = |given: &str, expected: &str| assert_eq!(spelled_out(given), expected);
        check(r#"{"m":"ada\u0040example.org"}"#, r#"{"m":"ada@example.org"}"#);
        check(r#"{"m":"p\u0061ssword\u003dhunter2"}"#, r#"{"m":"password=hunter2"}"#);
        check(r#"{"u":"https:\/\/ada:pw@host\/x"}"#, r#"{"u":"https://ada:pw@host\/x"}"#);
        check(r#"{"m":"a\u0022b\u005cc\u000ad\u00e9"}"#, r#"{"m":"a\u0022b\u005cc\u000ad\u00e9"}"#);
        check(r#"{"m":"a\\u0040b"}"#, r#"{"m":"a\\u0040b"}"#);
        check(r"tail \", r"tail \");
        check(r"\u00", r"\u00");
        check("plain", "plain");
    }

    proptest! {
        #[test]
        fn json_means_the_same(text in "[a-c@=:/\\\\\"é\\n]{0,12}", other in ".{0,8}") {
            let value = serde_json::json!({ "a": text, "b": other });
            let escaped: String = value
                .to_string()
                .chars()
                .map(|c| if c == '@' || c == '=' { format!("\\u00{:02x}", c as u32) } else { c.into() })
                .collect();
            let spelled = spelled_out(&escaped);
            let read: serde_json::Value = serde_json::from_str(&spelled).unwrap();
            prop_assert_eq!(read, value);
        }
    }
}
