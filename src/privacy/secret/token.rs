//! Tokens that can be told by their own shape. Shapes follow the vendors' documentation and the
//! public rules of gitleaks.

use crate::privacy::mark::{at, before, entropy, is_base64, is_stand_in, is_word, run, run_back};
use crate::privacy::mark::{is_ident, starts_word};
use crate::privacy::{Kind, spans::Span};

/// Bytes that may follow a token's prefix.
#[derive(Clone, Copy)]
enum Body {
    /// Letters and digits.
    Alnum,
    /// Hexadecimal digits.
    Hex,
    /// Letters, digits, `_` and `-`.
    Word,
    /// [`Body::Word`] and dots.
    Dotted,
    /// Base64 in either alphabet.
    Base64,
    /// Capitals and digits.
    Upper,
}

impl Body {
    const fn holds(self, byte: u8) -> bool {
        match self {
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Word => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => is_ident(byte),
            Self::Base64 => is_base64(byte),
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
        }
    }
}

/// A token known by its prefix: the prefix, what follows it, and how much of that at least and
/// at most.
pub(crate) struct Token {
    pub(crate) prefix: &'static str,
    body: Body,
    min: usize,
    max: usize,
    kind: Kind,
}

const fn token(prefix: &'static str, body: Body, min: usize, max: usize, kind: Kind) -> Token {
    Token { prefix, body, min, max, kind }
}

/// Longest token taken by a rule without an upper length of its own, in bytes.
const LONG: usize = 4096;

/// All tokens known by a prefix.
pub(crate) const TOKENS: &[Token] = &[
    token("AKIA", Body::Upper, 16, 16, Kind::AwsAccessKey),
    token("ASIA", Body::Upper, 16, 16, Kind::AwsAccessKey),
    token("ABIA", Body::Upper, 16, 16, Kind::AwsAccessKey),
    token("ACCA", Body::Upper, 16, 16, Kind::AwsAccessKey),
    token("A3T", Body::Upper, 17, 17, Kind::AwsAccessKey),
    token("ABSK", Body::Base64, 109, 269, Kind::ApiKey),
    token("bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t", Body::Base64, 20, LONG, Kind::ApiKey),
    token("ghp_", Body::Alnum, 36, LONG, Kind::GithubToken),
    token("gho_", Body::Alnum, 36, LONG, Kind::GithubToken),
    token("ghu_", Body::Alnum, 36, LONG, Kind::GithubToken),
    token("ghs_", Body::Alnum, 36, LONG, Kind::GithubToken),
    token("ghr_", Body::Alnum, 36, LONG, Kind::GithubToken),
    token("github_pat_", Body::Word, 50, LONG, Kind::GithubToken),
    token("glpat-", Body::Dotted, 20, 300, Kind::GitlabToken),
    token("glptt-", Body::Hex, 40, 40, Kind::GitlabToken),
    token("gldt-", Body::Word, 20, 64, Kind::GitlabToken),
    token("glrt-", Body::Dotted, 20, 300, Kind::GitlabToken),
    token("glcbt-", Body::Word, 20, 64, Kind::GitlabToken),
    token("glft-", Body::Word, 20, 64, Kind::GitlabToken),
    token("glffct-", Body::Word, 20, 64, Kind::GitlabToken),
    token("glagent-", Body::Word, 50, 64, Kind::GitlabToken),
    token("gloas-", Body::Word, 64, 64, Kind::GitlabToken),
    token("glimt-", Body::Word, 25, 64, Kind::GitlabToken),
    token("glsoat-", Body::Word, 20, 64, Kind::GitlabToken),
    token("GR1348941", Body::Word, 20, 20, Kind::GitlabToken),
    token("xoxb-", Body::Word, 18, 255, Kind::SlackToken),
    token("xoxp-", Body::Word, 18, 255, Kind::SlackToken),
    token("xoxa-", Body::Word, 18, 255, Kind::SlackToken),
    token("xoxr-", Body::Word, 18, 255, Kind::SlackToken),
    token("xoxs-", Body::Word, 18, 255, Kind::SlackToken),
    token("xoxo-", Body::Word, 18, 255, Kind::SlackToken),
    token("xoxe-", Body::Word, 18, 255, Kind::SlackToken),
    token("xoxe.", Body::Dotted, 18, 255, Kind::SlackToken),
    token("xapp-", Body::Word, 18, 255, Kind::SlackToken),
    token("sk_live_", Body::Alnum, 10, 200, Kind::StripeKey),
    token("sk_test_", Body::Alnum, 10, 200, Kind::StripeKey),
    token("sk_prod_", Body::Alnum, 10, 200, Kind::StripeKey),
    token("rk_live_", Body::Alnum, 10, 200, Kind::StripeKey),
    token("rk_test_", Body::Alnum, 10, 200, Kind::StripeKey),
    token("rk_prod_", Body::Alnum, 10, 200, Kind::StripeKey),
    token("whsec_", Body::Base64, 24, 100, Kind::StripeKey),
    token("AIza", Body::Word, 35, 35, Kind::GoogleKey),
    token("GOCSPX-", Body::Word, 28, 28, Kind::GoogleKey),
    token("ya29.", Body::Dotted, 30, LONG, Kind::GoogleKey),
    token("1//0", Body::Word, 40, 200, Kind::GoogleKey),
    token("npm_", Body::Alnum, 36, 36, Kind::NpmToken),
    token("pypi-AgE", Body::Word, 50, LONG, Kind::PypiToken),
    token("SG.", Body::Dotted, 60, 70, Kind::SendgridKey),
    token("SK", Body::Hex, 32, 32, Kind::TwilioKey),
    token("fm_", Body::Word, 20, 200, Kind::FaultmavenKey),
    token("sk-", Body::Word, 32, 300, Kind::ApiKey),
    token("pk-", Body::Word, 32, 300, Kind::ApiKey),
    token("gsk_", Body::Alnum, 40, 100, Kind::ApiKey),
    token("xai-", Body::Alnum, 70, 100, Kind::ApiKey),
    token("r8_", Body::Alnum, 37, 37, Kind::ApiKey),
    token("pplx-", Body::Alnum, 40, 64, Kind::ApiKey),
    token("hf_", Body::Alnum, 34, 40, Kind::ApiKey),
    token("api_org_", Body::Alnum, 34, 34, Kind::ApiKey),
    token("ops_eyJ", Body::Base64, 100, LONG, Kind::ApiKey),
    token("A3-", Body::Word, 30, 40, Kind::ApiKey),
    token("p8e-", Body::Alnum, 32, 32, Kind::ApiKey),
    token("AGE-SECRET-KEY-1", Body::Upper, 58, 58, Kind::PrivateKey),
    token("LTAI", Body::Alnum, 20, 26, Kind::ApiKey),
    token("AKCp", Body::Alnum, 60, 80, Kind::ApiKey),
    token("ATATT3", Body::Base64, 60, 250, Kind::ApiKey),
    token("ATCTT3", Body::Base64, 60, 250, Kind::ApiKey),
    token("ATBB", Body::Alnum, 28, 40, Kind::ApiKey),
    token("CLOJARS_", Body::Alnum, 60, 60, Kind::ApiKey),
    token("dapi", Body::Hex, 32, 32, Kind::ApiKey),
    token("dckr_pat_", Body::Word, 27, 40, Kind::ApiKey),
    token("dckr_oat_", Body::Word, 27, 40, Kind::ApiKey),
    token("dnkey-", Body::Word, 40, 100, Kind::ApiKey),
    token("dop_v1_", Body::Hex, 64, 64, Kind::ApiKey),
    token("doo_v1_", Body::Hex, 64, 64, Kind::ApiKey),
    token("dor_v1_", Body::Hex, 64, 64, Kind::ApiKey),
    token("dp.pt.", Body::Alnum, 40, 44, Kind::ApiKey),
    token("dp.st.", Body::Dotted, 40, 64, Kind::ApiKey),
    token("dt0c01.", Body::Dotted, 80, 100, Kind::ApiKey),
    token("duffel_test_", Body::Base64, 43, 43, Kind::ApiKey),
    token("duffel_live_", Body::Base64, 43, 43, Kind::ApiKey),
    token("EAAM", Body::Alnum, 100, 400, Kind::ApiKey),
    token("EAAC", Body::Alnum, 100, 400, Kind::ApiKey),
    token("EAAA", Body::Word, 60, 60, Kind::ApiKey),
    token("EZAK", Body::Alnum, 54, 54, Kind::ApiKey),
    token("EZTK", Body::Alnum, 54, 54, Kind::ApiKey),
    token("figd_", Body::Word, 38, 60, Kind::ApiKey),
    token("fio-u-", Body::Base64, 64, 64, Kind::ApiKey),
    token("FLWSECK", Body::Word, 20, 60, Kind::ApiKey),
    token("FLWPUBK", Body::Word, 20, 60, Kind::ApiKey),
    token("fo1_", Body::Word, 43, 43, Kind::ApiKey),
    token("fm1a_", Body::Base64, 100, LONG, Kind::ApiKey),
    token("fm1r_", Body::Base64, 100, LONG, Kind::ApiKey),
    token("fm2_", Body::Base64, 100, LONG, Kind::ApiKey),
    token("glc_", Body::Base64, 32, 400, Kind::ApiKey),
    token("glsa_", Body::Word, 41, 41, Kind::ApiKey),
    token("HRKU-AA", Body::Word, 58, 58, Kind::ApiKey),
    token("hvs.", Body::Word, 24, 200, Kind::ApiKey),
    token("hvb.", Body::Word, 100, 300, Kind::ApiKey),
    token("ico-", Body::Alnum, 32, 32, Kind::ApiKey),
    token("key-", Body::Hex, 32, 32, Kind::ApiKey),
    token("lin_api_", Body::Alnum, 40, 40, Kind::ApiKey),
    token("lin_oauth_", Body::Alnum, 32, 64, Kind::ApiKey),
    token("NRAK-", Body::Alnum, 27, 27, Kind::ApiKey),
    token("NRJS-", Body::Alnum, 19, 19, Kind::ApiKey),
    token("NRII-", Body::Word, 32, 32, Kind::ApiKey),
    token("ntn_", Body::Alnum, 40, 60, Kind::ApiKey),
    token("secret_", Body::Alnum, 43, 43, Kind::ApiKey),
    token("API-", Body::Upper, 26, 26, Kind::ApiKey),
    token("PMAK-", Body::Word, 59, 59, Kind::ApiKey),
    token("pnu_", Body::Alnum, 36, 36, Kind::ApiKey),
    token("pscale_tkn_", Body::Dotted, 32, 64, Kind::ApiKey),
    token("pscale_pw_", Body::Dotted, 32, 64, Kind::Password),
    token("pscale_oauth_", Body::Dotted, 32, 64, Kind::ApiKey),
    token("pul-", Body::Hex, 40, 40, Kind::ApiKey),
    token("rdme_", Body::Alnum, 70, 70, Kind::ApiKey),
    token("rubygems_", Body::Hex, 48, 48, Kind::ApiKey),
    token("s-s4t2ud-", Body::Hex, 64, 64, Kind::ApiKey),
    token("s-s4t2af-", Body::Hex, 64, 64, Kind::ApiKey),
    token("sgp_", Body::Word, 40, 60, Kind::ApiKey),
    token("sha256~", Body::Word, 43, 43, Kind::ApiKey),
    token("shippo_live_", Body::Hex, 40, 40, Kind::ApiKey),
    token("shippo_test_", Body::Hex, 40, 40, Kind::ApiKey),
    token("shpat_", Body::Hex, 32, 32, Kind::ApiKey),
    token("shpca_", Body::Hex, 32, 32, Kind::ApiKey),
    token("shppa_", Body::Hex, 32, 32, Kind::ApiKey),
    token("shpss_", Body::Hex, 32, 32, Kind::ApiKey),
    token("sl.", Body::Word, 130, 200, Kind::ApiKey),
    token("sm_aat_", Body::Alnum, 16, 16, Kind::ApiKey),
    token("sm_pat_", Body::Alnum, 16, 16, Kind::ApiKey),
    token("sm_sat_", Body::Alnum, 16, 16, Kind::ApiKey),
    token("sntrys_", Body::Base64, 60, 500, Kind::ApiKey),
    token("sntryu_", Body::Hex, 64, 64, Kind::ApiKey),
    token("sq0atp-", Body::Word, 22, 22, Kind::ApiKey),
    token("sq0csp-", Body::Word, 43, 43, Kind::ApiKey),
    token("sqp_", Body::Hex, 40, 40, Kind::ApiKey),
    token("squ_", Body::Hex, 40, 40, Kind::ApiKey),
    token("sqa_", Body::Hex, 40, 40, Kind::ApiKey),
    token("tfp_", Body::Dotted, 40, 100, Kind::ApiKey),
    token("tk-us-", Body::Word, 48, 48, Kind::ApiKey),
    token("xkeysib-", Body::Word, 64, 100, Kind::ApiKey),
];

/// Least entropy of a token's body of up to 30 bytes, and of a longer one, in bits for each byte:
/// random hexadecimal of that length has 3.2 and 3.7.
const ENTROPY_MIN: (f64, f64) = (2.5, 3.0);

/// A token known by its prefix.
pub(crate) fn vendor_token(text: &[u8], start: usize, rule: &Token, out: &mut Vec<Span>) {
    let body = start + rule.prefix.len();
    if text.get(start..body) != Some(rule.prefix.as_bytes()) || !starts_word(text, start) {
        return;
    }
    let mut end = run(text, body, rule.max + 1, |b| rule.body.holds(b));
    while matches!(before(text, end), b'.' | b'=') && end > body && at(text, end) != b'.' {
        // A full stop or the padding that belongs to `key=token=` ends the sentence, not the token.
        if before(text, end) == b'=' {
            break;
        }
        end -= 1;
    }
    let length = end - body;
    if length < rule.min || length > rule.max || is_word(at(text, end)) {
        return;
    }
    let value = text.get(body..end).unwrap_or_default();
    if is_stand_in(value) || !is_random_enough(rule, value) {
        return;
    }
    out.push(Span::new(start, end, rule.kind));
}

fn is_random_enough(rule: &Token, value: &[u8]) -> bool {
    if rule.kind == Kind::AwsAccessKey {
        return value.iter().all(|b| b.is_ascii_uppercase() || matches!(b, b'2'..=b'7'));
    }
    let digits = value.iter().any(u8::is_ascii_digit);
    let mixed =
        value.iter().any(u8::is_ascii_lowercase) && value.iter().any(u8::is_ascii_uppercase);
    // "API-", "sk-" and the like also begin names made of words.
    let enough = match (rule.prefix, rule.kind) {
        ("API-" | "sk-" | "pk-" | "fm_" | "A3-", _) => digits,
        ("sgp_", _) => is_sourcegraph(value),
        (_, Kind::SlackToken) => value.iter().filter(|b| b.is_ascii_digit()).count() >= 6,
        _ => digits || mixed,
    };
    // Slack's are made of team and user numbers.
    let short = value.len() <= 30 || rule.kind == Kind::SlackToken;
    let needed = if short { ENTROPY_MIN.0 } else { ENTROPY_MIN.1 };
    enough && entropy(value) >= needed
}

/// `sgp_` is followed by 40 hexadecimal digits, alone or after an instance name of 16 or `local`.
fn is_sourcegraph(value: &[u8]) -> bool {
    let hex = |part: &[u8]| part.len() == 40 && part.iter().all(u8::is_ascii_hexdigit);
    match value.iter().position(|b| *b == b'_') {
        None => hex(value),
        Some(cut) => {
            let (instance, rest) = value.split_at(cut);
            let known = instance == b"local"
                || instance.len() == 16 && instance.iter().all(u8::is_ascii_hexdigit);
            known && rest.get(1..).is_some_and(hex)
        }
    }
}

/// `header.payload.signature`, each base64url, the header a JSON object (RFC 7519, RFC 7516).
pub(crate) fn jwt(text: &[u8], start: usize, out: &mut Vec<Span>) {
    const PART_MAX: usize = 16 * 1024;
    if text.get(start..start + 3) != Some(b"eyJ") || !starts_word(text, start) {
        return;
    }
    let base64url = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'=');
    let mut end = run(text, start, PART_MAX, base64url);
    if end - start < 12 {
        return;
    }
    let mut parts = 1;
    while parts < 5 && at(text, end) == b'.' {
        let next = run(text, end + 1, PART_MAX, base64url);
        if next == end + 1 && parts < 2 {
            break;
        }
        end = next;
        parts += 1;
    }
    if parts >= 3 {
        out.push(Span::new(start, end, Kind::Jwt));
    }
}

/// Password hashes of crypt(3), Argon2 and LDAP (`$2y$...`, `$6$...`, `{SSHA}...`).
pub(crate) fn password_hash(text: &[u8], start: usize, end: usize, out: &mut Vec<Span>) {
    let body = |b: u8| is_base64(b) || matches!(b, b'$' | b'.' | b',');
    let mut stop = run(text, end, 512, body);
    while stop > end && before(text, stop) == b',' {
        stop -= 1;
    }
    let value = text.get(end..stop).unwrap_or_default();
    if value.len() >= 20 && entropy(value) >= 3.0 && starts_word(text, start) {
        out.push(Span::new(start, stop, Kind::PasswordHash));
    }
}

/// `https://hooks.slack.com/services/...`: who knows the path may post.
pub(crate) fn slack_webhook(text: &[u8], end: usize, out: &mut Vec<Span>) {
    let stop = run(text, end, 200, |b| is_base64(b) && b != b'=');
    if stop - end >= 20 {
        out.push(Span::new(end, stop, Kind::SlackToken));
    }
}

/// Terraform Cloud: 14 characters, `.atlasv1.`, 60 to 70 characters.
pub(crate) fn atlas(text: &[u8], start: usize, end: usize, out: &mut Vec<Span>) {
    let first = run_back(text, start, 15, |b| b.is_ascii_alphanumeric());
    let stop = run(text, end, 80, |b| Body::Word.holds(b) || b == b'=');
    let value = text.get(end..stop).unwrap_or_default();
    if start - first == 14 && value.len() >= 60 && !is_stand_in(value) {
        out.push(Span::new(first, stop, Kind::ApiKey));
    }
}

/// Azure client secret: three characters, a digit, `Q~`, 31 to 34 characters.
pub(crate) fn azure_client_secret(text: &[u8], start: usize, end: usize, out: &mut Vec<Span>) {
    let body = |b: u8| is_ident(b) || b == b'~';
    let first = run_back(text, start, 4, body);
    let stop = run(text, end, 36, body);
    let whole = start - first == 4 && starts_word(text, first);
    if whole && before(text, start).is_ascii_digit() && (31..=34).contains(&(stop - end)) {
        out.push(Span::new(first, stop, Kind::AzureKey));
    }
}

/// Telegram bot: eight to ten digits, `:AA`, 33 characters.
pub(crate) fn telegram(text: &[u8], start: usize, end: usize, out: &mut Vec<Span>) {
    let first = run_back(text, start, 11, |b| b.is_ascii_digit());
    let stop = run(text, end, 40, |b| Body::Word.holds(b));
    if (8..=10).contains(&(start - first)) && (32..=34).contains(&(stop - end)) {
        out.push(Span::new(first, stop, Kind::ApiKey));
    }
}

/// A bare AWS secret key: exactly 40 characters of base64 behind `=`, far too random for a path.
///
/// Called at every `=`, so it looks at the two decisive bytes first.
pub(crate) fn bare_aws_secret(text: &[u8], equals: usize, out: &mut Vec<Span>) {
    const LENGTH: usize = 40;
    let quoted = usize::from(matches!(at(text, equals + 1), b'"' | b'\''));
    let start = equals + 1 + quoted;
    let class = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    if !class(at(text, start + LENGTH - 1)) || is_base64(at(text, start + LENGTH)) {
        return;
    }
    let Some(value) = text.get(start..start + LENGTH) else { return };
    let count = |f: fn(&u8) -> bool| value.iter().filter(|b| f(b)).count();
    if value.iter().all(|b| class(*b))
        && count(u8::is_ascii_uppercase) >= 5
        && count(u8::is_ascii_lowercase) >= 5
        && count(u8::is_ascii_digit) >= 3
        && entropy(value) >= 4.3
    {
        out.push(Span::new(start, start + LENGTH, Kind::AwsSecretKey));
    }
}
