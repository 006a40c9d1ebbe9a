//! Usernames and e-mail addresses: what is allowed, and which spellings are one name (ruling 6).

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;

/// Username length in characters (ruling 6).
const USERNAME_CHARS: std::ops::RangeInclusive<usize> = 3..=64;
/// Longest e-mail address in bytes (RFC 5321, 4.5.3.1.3 less the angle brackets).
pub(super) const EMAIL_BYTES_MAX: usize = 254;
/// Longest local part in bytes (RFC 5321, 4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;
/// Longest domain label in bytes (RFC 1035, 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// The form under which two spellings are one name: NFKC and full case folding.
///
/// Folding can undo the normalisation and the other way round; twice is a fixed point (the
/// compatibility caseless match of the Unicode Standard, 3.13 D146).
pub(super) fn fold(text: &str) -> String {
    text.nfd().default_case_fold().nfkc().default_case_fold().nfkc().collect()
}

/// A username or e-mail as its owner spells it, with its folded form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) shown: String,
    pub(super) folded: String,
}

/// Reads a username; compatibility forms such as full-width letters are normalised first.
///
/// # Errors
/// What is wrong with it.
pub(super) fn username(text: &str) -> Result<Name, &'static str> {
    // NFKC can expand a character to 18: bound the input before the work.
    if text.len() > USERNAME_CHARS.end() * 4 {
        return Err("longer than 64 characters");
    }
    let shown: String = text.nfkc().collect();
    if !USERNAME_CHARS.contains(&shown.len()) {
        return Err("expected 3 to 64 characters");
    }
    if !shown.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
        return Err("only letters A to Z, digits, dot, underscore and hyphen are allowed");
    }
    let folded = fold(&shown);
    Ok(Name { shown, folded })
}

/// Reads an e-mail address: `local@domain`, unquoted, with a dot in the domain.
///
/// # Errors
/// What is wrong with it.
pub(super) fn email(text: &str) -> Result<Name, &'static str> {
    if text.len() > EMAIL_BYTES_MAX {
        return Err("longer than 254 bytes");
    }
    let (local, domain) = text.rsplit_once('@').ok_or("not an e-mail address")?;
    let dotted = |part: &str| !part.split('.').any(str::is_empty);
    let local_fits = local.len() <= LOCAL_BYTES_MAX && dotted(local) && local.chars().all(in_local);
    let domain_fits = domain.contains('.') && domain.split('.').all(is_label);
    if !local_fits || !domain_fits {
        return Err("not an e-mail address");
    }
    let shown: String = text.nfc().collect();
    let folded = fold(&shown);
    Ok(Name { shown, folded })
}

/// `atext` of RFC 5322 (3.2.3), the dot, and visible characters beyond ASCII (RFC 6531).
fn in_local(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c) || is_visible_beyond_ascii(c)
}

fn is_label(label: &str) -> bool {
    (1..=LABEL_BYTES_MAX).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || is_visible_beyond_ascii(c))
}

/// Excludes spaces, controls and the format characters with which two different addresses look
/// the same.
fn is_visible_beyond_ascii(c: char) -> bool {
    let invisible = matches!(c, '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}'
        | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFF}'
        | '\u{E0000}'..='\u{E0FFF}');
    !c.is_ascii() && !c.is_control() && !c.is_whitespace() && !invisible
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_username_is_plain_and_of_sensible_length() {
        let check = |text: &str, ok: bool| assert_eq!(username(text).is_ok(), ok, "{text:?}");
        check("ada", true);
        check("Ada.Lovelace_1815-x", true);
        check(&"x".repeat(64), true);
        check("\u{FF21}\u{FF24}\u{FF21}", true);
        check("ad", false);
        check(&"x".repeat(65), false);
        check(&"\u{FDFA}".repeat(100_000), false);
        check("ada lovelace", false);
        check("ada@example.org", false);
        check("\u{430}da", false);
        check("ada\0", false);
    }

    #[test]
    fn an_email_has_one_address_form() {
        let check = |text: &str, ok: bool| assert_eq!(email(text).is_ok(), ok, "{text:?}");
        check("ada@example.org", true);
        check("ada+fault@mail.example.co.uk", true);
        check("\u{fc}ser@b\u{fc}cher.example", true);
        check("ada", false);
        check("ada@localhost", false);
        check("@example.org", false);
        check("ada@", false);
        check("a..b@example.org", false);
        check("ada@exa mple.org", false);
        check("ada\u{200B}@example.org", false);
        check("ada@-example.org", false);
        check("a@b@example.org", false);
        check(&format!("{}@example.org", "x".repeat(65)), false);
        check(&format!("ada@{}.org", "x.".repeat(150)), false);
    }

    #[test]
    fn spellings_of_one_name_fold_together() {
        let check = |a: &str, b: &str| assert_eq!(fold(a), fold(b), "{a} and {b}");
        check("Ada", "aDA");
        check("\u{FF21}da", "ada");
        check("stra\u{DF}e@example.org", "STRASSE@example.org");
        check("\u{212A}ate", "kate");
        check("\u{3C3}\u{3C2}", "\u{3A3}\u{3A3}");
        check("e\u{301}", "\u{C9}");
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in any::<String>()) {
            prop_assert_eq!(fold(&fold(&text)), fold(&text));
        }

        #[test]
        fn the_case_of_a_username_does_not_matter(text in "[A-Za-z0-9._-]{3,64}") {
            let folded = |t: &str| username(t).map(|n| n.folded);
            prop_assert_eq!(folded(&text.to_uppercase()), folded(&text.to_lowercase()));
        }
    }
}
