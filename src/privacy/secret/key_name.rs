//! Whether a name announces a secret: `DB_PASSWORD`, `clientSecret`, `x-api-key`; not
//! `secret_name`, `publicKey`, `keyword`.

use crate::privacy::Kind;

/// How sure a name is, and so what its value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announced {
    /// A password: whatever stands there.
    Password,
    /// A secret or passphrase: anything but a plain word.
    Secret,
    /// A token, key, credential: only what looks random and is at least so long.
    Random(Kind, usize),
}

/// Most words of a name that are looked at, from its end.
const WORDS_MAX: usize = 6;

/// Names that mean a password wherever they end a name.
const PASSWORDS: [&str; 12] = [
    "password",
    "passwd",
    "passwort",
    "passphrase",
    "pwd",
    "userpass",
    "dbpass",
    "passcode",
    "pgpassword",
    "psk",
    "requirepass",
    "masterauth",
];
/// What makes `pass` a password and not a verdict.
const PASS_OWNERS: [&str; 16] = [
    "db", "database", "user", "admin", "root", "smtp", "mail", "mysql", "pg", "redis", "rabbitmq",
    "ldap", "ftp", "proxy", "login", "auth",
];
/// What makes a `key` a secret one.
const KEY_OWNERS: [&str; 27] = [
    "api",
    "access",
    "secret",
    "private",
    "account",
    "signing",
    "encryption",
    "master",
    "auth",
    "shared",
    "storage",
    "app",
    "application",
    "service",
    "client",
    "consumer",
    "hmac",
    "jwt",
    "session",
    "ssh",
    "deploy",
    "webhook",
    "integration",
    "write",
    "admin",
    "snyk",
    "license",
];
/// What makes a `token` or `key` one that everybody may see.
const PUBLIC_OWNERS: [&str; 18] = [
    "public",
    "csrf",
    "xsrf",
    "next",
    "page",
    "continuation",
    "pagination",
    "sync",
    "cancel",
    "cancellation",
    "unexpected",
    "expected",
    "sort",
    "partition",
    "primary",
    "foreign",
    "cache",
    "idempotency",
];
/// Vendors whose keys have no shape of their own: the name tells, a UUID or hexadecimal follows.
const VENDORS: [&str; 8] = [
    "sourcegraph",
    "snyk",
    "messagebird",
    "datadog",
    "newrelic",
    "heroku",
    "mailchimp",
    "cloudflare",
];

/// Reads a name.
pub(super) fn announced(name: &[u8]) -> Option<Announced> {
    let words = words(name);
    let mut from_end = words.iter().rev().map(String::as_str).filter(|w| !w.is_empty());
    let last = from_end.next()?;
    let owner = from_end.next().unwrap_or_default();
    let public = words.iter().any(|w| PUBLIC_OWNERS.contains(&w.as_str()));
    let aws = words.iter().any(|w| w == "aws");
    let ends = |tail: &[&str]| tail.iter().any(|t| last.ends_with(t));
    if ends(&PASSWORDS) || last == "pw" && !owner.is_empty() {
        return Some(Announced::Password);
    }
    if last == "pass"
        && (PASS_OWNERS.contains(&owner) || name.ends_with(b"PASS") && !owner.is_empty())
    {
        return Some(Announced::Password);
    }
    if public {
        return None;
    }
    if ends(&["secret"]) || last == "secrets" && owner.is_empty() {
        return Some(Announced::Secret);
    }
    if ends(&["token"]) || last == "tok" && owner == "access" {
        return Some(Announced::Random(Kind::Token, 10));
    }
    let compound =
        ends(&["apikey", "accesskey", "secretkey", "authkey", "privatekey", "accountkey"]);
    if compound || last == "key" && KEY_OWNERS.contains(&owner) {
        let secret_of_aws = aws && words.iter().any(|w| w == "secret" || w == "secretkey");
        let kind = match owner {
            _ if secret_of_aws => Kind::AwsSecretKey,
            "account" | "storage" => Kind::AzureKey,
            _ => Kind::ApiKey,
        };
        return Some(Announced::Random(kind, 10));
    }
    if matches!(last, "credential" | "credentials" | "creds") {
        return Some(Announced::Random(Kind::Secret, 16));
    }
    if last == "auth" && !owner.is_empty() {
        return Some(Announced::Random(Kind::Secret, 20));
    }
    let joined = words.concat();
    let vendor = VENDORS.iter().any(|v| joined.contains(v));
    (vendor && (matches!(last, "key" | "id" | "clientid") || VENDORS.contains(&last)))
        .then_some(Announced::Random(Kind::ApiKey, 32))
}

/// The last words of a name in lower case, cut at `_`, `-`, `.` and where camel case starts a new
/// one; trailing digits do not count (`token2`).
fn words(name: &[u8]) -> Vec<String> {
    let mut words = vec![String::new()];
    for (i, byte) in name.iter().enumerate() {
        let previous = i.checked_sub(1).and_then(|p| name.get(p)).copied().unwrap_or(b'_');
        let next = name.get(i + 1).copied().unwrap_or(b'_');
        let hump = byte.is_ascii_uppercase()
            && (previous.is_ascii_lowercase()
                || previous.is_ascii_digit()
                || previous.is_ascii_uppercase() && next.is_ascii_lowercase());
        if matches!(byte, b'_' | b'-' | b'.') || hump {
            words.push(String::new());
        }
        if byte.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
    }
    for word in &mut words {
        let kept = word.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        word.truncate(kept);
    }
    words.retain(|w| !w.is_empty());
    let first = words.len().saturating_sub(WORDS_MAX);
    words.split_off(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: Option<Announced>) {
        assert_eq!(announced(name.as_bytes()), expected, "{name}");
    }

    #[test]
    fn names_are_read_from_their_end() {
        for name in
            ["password", "DB_PASSWORD", "spring.datasource.password", "dbPassword", "PGPASSWORD"]
        {
            check(name, Some(Announced::Password));
        }
        for name in ["clientSecret", "client_secret", "SECRET"] {
            check(name, Some(Announced::Secret));
        }
        for name in ["access_token", "bot_token1", "authToken"] {
            check(name, Some(Announced::Random(Kind::Token, 10)));
        }
        for name in ["x-api-key", "apiKey", "SUMOLOGIC_ACCESSKEY", "APIKey"] {
            check(name, Some(Announced::Random(Kind::ApiKey, 10)));
        }
        check("AWS_SECRET_ACCESS_KEY", Some(Announced::Random(Kind::AwsSecretKey, 10)));
        for name in [
            "secret_name",
            "publicKey",
            "keyword",
            "csrf-token",
            "UserSecretsId",
            "access_token_url",
            "key_name",
            "bucket_key",
            "passthrough",
            "author",
            "password_hash_rounds",
            "schemaKey",
        ] {
            check(name, None);
        }
    }
}
