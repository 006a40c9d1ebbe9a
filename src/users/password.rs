//! Passwords: the policy for new ones (ruling 25) and a type that never prints.

use serde::{Deserialize, Deserializer};
use std::fmt;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// From this many characters on any password is accepted (ruling 25).
const CHARS_ENOUGH: usize = 12;
/// Fewest characters of a password that is not common (ruling 25).
const CHARS_MIN: usize = 8;
/// Longest password in bytes: bounds what one request can make the hash chew on.
const BYTES_MAX: usize = 256;

/// Common passwords and the stems people hang digits on, one a line, lower case.
const COMMON: &str = include_str!("../../assets/rules/common-passwords.txt");

/// A password as typed: wiped when dropped, never shown by `Debug`.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes a password as typed.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The bytes to hash: NFKC, so that one password typed on two keyboards is one
    /// (NIST SP 800-63B, 3.1.1.2). `None` when it is longer than any accepted one.
    pub(super) fn bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        (self.0.len() <= BYTES_MAX)
            .then(|| Zeroizing::new(self.0.nfkc().collect::<String>().into_bytes()))
    }

    /// Checks a new password against the policy; `own` are the names of its owner, which are the
    /// first guess at a short one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn check_new(&self, own: &[&str]) -> Result<(), &'static str> {
        if self.0.len() > BYTES_MAX {
            return Err("longer than 256 bytes");
        }
        let chars = self.0.chars().count();
        if chars >= CHARS_ENOUGH {
            return Ok(());
        }
        if chars < CHARS_MIN {
            return Err("expected 12 characters or more, or 8 that are not a common password");
        }
        if is_guessable(&self.0.to_lowercase(), own) {
            return Err("too easy to guess; 12 characters or more are always accepted");
        }
        Ok(())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::new)
    }
}

/// Whether a lower-case password is common, a common stem with digits and signs around it, the
/// owner's name, one repeated pair, or a run along the alphabet or the digits.
fn is_guessable(lower: &str, own: &[&str]) -> bool {
    fn stem(text: &str) -> &str {
        text.trim_matches(|c: char| !c.is_alphabetic())
    }
    let core = stem(lower);
    let listed = |text: &str| !text.is_empty() && COMMON.lines().any(|line| line == text);
    let is_own = own.iter().any(|name| {
        let name = name.to_lowercase();
        let local = name.split('@').next().unwrap_or_default();
        lower == local || (!core.is_empty() && core == stem(local))
    });
    let bytes = lower.as_bytes();
    let repeats = bytes.iter().zip(bytes.iter().skip(2)).all(|(a, b)| a == b);
    let runs = |step: u8| {
        bytes.windows(2).all(|pair| matches!(pair, [a, b] if b.wrapping_sub(*a) == step))
    };
    listed(lower) || listed(core) || is_own || repeats || runs(1) || runs(255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_twelve_characters_or_eight_uncommon_ones() {
        let check = |text: &str, ok: bool| {
            let verdict = Password::new(text.into()).check_new(&["Grace", "hopper9@example.org"]);
            assert_eq!(verdict.is_ok(), ok, "{text:?}: {verdict:?}");
        };
        check("correct horse battery", true);
        check("vK9#tr2q", true);
        check("\u{e9}t\u{e9}-47-ski", true);
        check("aaaaaaaaaaaa", true);
        check(&"x".repeat(256), true);
        check(&"x".repeat(257), false);
        check("", false);
        check("vK9#tr2", false);
        check("password", false);
        check("PassWord1!", false);
        check("dragon2024", false);
        check("qwertyuiop", false);
        check("1q2w3e4r", false);
        check("aaaaaaaa", false);
        check("ababababab", false);
        check("12345678", false);
        check("hgfedcba", false);
        check("grace1906", false);
        check("hopper9!", false);
        check("9hopper9hopper", true);
    }

    #[test]
    fn one_password_typed_on_two_keyboards_is_one() {
        let bytes = |text: &str| Password::new(text.into()).bytes();
        assert_eq!(bytes("caf\u{e9} 12345678"), bytes("cafe\u{301} 12345678"));
        assert_eq!(bytes(&"x".repeat(257)), None);
    }

    #[test]
    fn a_password_is_never_printed() {
        assert_eq!(format!("{:?}", Password::new("hunter22".into())), "Password(..)");
    }

    #[test]
    fn the_list_is_lower_case_and_without_repeats() {
        let lines: Vec<&str> = COMMON.lines().collect();
        let distinct: std::collections::BTreeSet<&str> = lines.iter().copied().collect();
        assert_eq!(distinct.len(), lines.len());
        assert!(lines.iter().all(|line| line.to_lowercase() == *line && !line.is_empty()));
    }
}
