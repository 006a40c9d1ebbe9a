//! One pass over a text: trigger words and digits are found first, detectors look around them.

use super::mark::{LOOK_MAX, at, before, is_word, run, run_back};
use super::personal;
use super::placeholders::Placeholders;
use super::secret::{self, TOKENS};
use super::spans::{self, Span};
use super::{Kind, Policy};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::LazyLock;

/// Most times the lines around replaced secrets are looked at again.
const ROUNDS_MAX: usize = 4;

/// What a trigger word calls for.
#[derive(Clone, Copy)]
enum Trigger {
    Assignment,
    Token(usize),
    Jwt,
    PrivateKey,
    Userinfo,
    OracleLogin,
    Signature,
    Authorization,
    Bearer,
    Cookie,
    Command,
    IdentifiedBy,
    PasswordHash,
    SlackWebhook,
    Atlas,
    AzureClientSecret,
    Telegram,
    KubernetesSecret,
    Email,
    Phone,
    Document,
}

/// Trigger words in lower case, with what they call for.
const WORDS: &[(&str, Trigger)] = &[
    ("passw", Trigger::Assignment),
    ("pass", Trigger::Assignment),
    ("pwd", Trigger::Assignment),
    ("_pw", Trigger::Assignment),
    ("psk", Trigger::Assignment),
    ("masterauth", Trigger::Assignment),
    ("secret", Trigger::Assignment),
    ("token", Trigger::Assignment),
    ("key", Trigger::Assignment),
    ("credential", Trigger::Assignment),
    ("creds", Trigger::Assignment),
    ("auth", Trigger::Assignment),
    ("sourcegraph", Trigger::Assignment),
    ("messagebird", Trigger::Assignment),
    ("eyj", Trigger::Jwt),
    ("-----begin", Trigger::PrivateKey),
    ("putty-user-key-file", Trigger::PrivateKey),
    ("://", Trigger::Userinfo),
    ("jdbc:oracle:thin:", Trigger::OracleLogin),
    ("sig=", Trigger::Signature),
    ("signature=", Trigger::Signature),
    ("key=", Trigger::Signature),
    ("authorization", Trigger::Authorization),
    ("bearer ", Trigger::Bearer),
    ("basic ", Trigger::Bearer),
    ("cookie", Trigger::Cookie),
    ("curl ", Trigger::Command),
    ("sshpass ", Trigger::Command),
    ("mysql ", Trigger::Command),
    ("mysqldump ", Trigger::Command),
    ("redis-cli ", Trigger::Command),
    ("identified by ", Trigger::IdentifiedBy),
    ("$apr1$", Trigger::PasswordHash),
    ("$2a$", Trigger::PasswordHash),
    ("$2b$", Trigger::PasswordHash),
    ("$2y$", Trigger::PasswordHash),
    ("$1$", Trigger::PasswordHash),
    ("$5$", Trigger::PasswordHash),
    ("$6$", Trigger::PasswordHash),
    ("$y$", Trigger::PasswordHash),
    ("$argon2", Trigger::PasswordHash),
    ("$pbkdf2", Trigger::PasswordHash),
    ("{sha}", Trigger::PasswordHash),
    ("{ssha}", Trigger::PasswordHash),
    ("hooks.slack.com/services/", Trigger::SlackWebhook),
    ("hooks.slack.com/workflows/", Trigger::SlackWebhook),
    (".atlasv1.", Trigger::Atlas),
    ("q~", Trigger::AzureClientSecret),
    (":aa", Trigger::Telegram),
    ("kind: secret", Trigger::KubernetesSecret),
    ("kind\":\"secret\"", Trigger::KubernetesSecret),
    ("kind\": \"secret\"", Trigger::KubernetesSecret),
    ("@", Trigger::Email),
    ("%40", Trigger::Email),
    ("phone", Trigger::Phone),
    ("mobile", Trigger::Phone),
    ("tel:", Trigger::Phone),
    ("tel.", Trigger::Phone),
    ("fax", Trigger::Phone),
    ("msisdn", Trigger::Phone),
    ("whatsapp", Trigger::Phone),
    ("desk:", Trigger::Phone),
    ("cell:", Trigger::Phone),
    ("call me", Trigger::Phone),
    ("call us", Trigger::Phone),
    ("reach me", Trigger::Phone),
    ("text me", Trigger::Phone),
    ("license", Trigger::Document),
    ("licence", Trigger::Document),
    ("passport", Trigger::Document),
];

/// The automaton over all trigger words, in any case of letters, and their meanings by index.
static TRIGGERS: LazyLock<Option<(AhoCorasick, Vec<Trigger>)>> = LazyLock::new(|| {
    let tokens = TOKENS.iter().enumerate().map(|(i, t)| (t.prefix, Trigger::Token(i)));
    let (words, meanings): (Vec<&str>, Vec<Trigger>) = WORDS.iter().copied().chain(tokens).unzip();
    let automaton = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::Standard)
        .kind(Some(AhoCorasickKind::DFA))
        .build(words);
    automaton.ok().map(|automaton| (automaton, meanings))
});

/// A text without its secrets, and what was replaced how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted<'t> {
    /// The text; borrowed when nothing was replaced.
    pub text: Cow<'t, str>,
    /// Replacements by kind.
    pub counts: BTreeMap<Kind, u64>,
}

impl Redacted<'_> {
    /// Whether a secret was replaced.
    pub fn has_secrets(&self) -> bool {
        self.counts.keys().any(|kind| kind.is_secret())
    }

    /// Whether personal data was replaced.
    pub fn has_personal(&self) -> bool {
        self.counts.keys().any(|kind| !kind.is_secret())
    }
}

/// Replaces secrets and personal data by placeholders.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    policy: Policy,
}

impl Redactor {
    /// Makes a redactor that follows `policy`.
    pub fn new(policy: &Policy) -> Self {
        Self { policy: policy.clone() }
    }

    /// Redacts a text; equal values get equal placeholders, here and in every other text that is
    /// redacted with the same `placeholders`.
    pub fn redact<'t>(&self, text: &'t str, placeholders: &mut Placeholders) -> Redacted<'t> {
        let found = self.find(text.as_bytes());
        let mut counts = BTreeMap::new();
        if found.is_empty() {
            return Redacted { text: Cow::Borrowed(text), counts };
        }
        let (mut out, mut touched) = replace(text, &found, placeholders, &mut counts);
        for _ in 0..ROUNDS_MAX {
            let again = self.find_near(&out, &touched);
            if again.is_empty() {
                break;
            }
            (out, touched) = replace(&out, &again, placeholders, &mut counts);
        }
        Redacted { text: Cow::Owned(out), counts }
    }

    /// What the replacement of a secret uncovered on its line: a neighbour that the secret's own
    /// characters had hidden.
    fn find_near(&self, text: &str, touched: &[usize]) -> Vec<Span> {
        let bytes = text.as_bytes();
        let mut out = Vec::new();
        let mut done = 0;
        for place in touched.iter().filter(|p| **p < bytes.len()) {
            if *place < done {
                continue;
            }
            let head = bytes.get(done..*place).unwrap_or_default();
            let start = memchr::memrchr(b'\n', head).map_or(done, |i| done + i + 1);
            let tail = bytes.get(*place..).unwrap_or_default();
            done = memchr::memchr(b'\n', tail).map_or(bytes.len(), |i| place + i);
            let line = bytes.get(start..done).unwrap_or_default();
            let moved = |s: Span| Span::new(s.start + start, s.end + start, s.kind);
            out.extend(self.find(line).into_iter().map(moved));
        }
        out
    }

    /// The stretches to replace, in order and disjoint.
    fn find(&self, text: &[u8]) -> Vec<Span> {
        let mut out = Vec::new();
        triggered(text, &mut out);
        self.numbers(text, &mut out);
        out.retain(|span| self.policy.covers(span.kind) && span.start < span.end);
        spans::settle(&mut out);
        out
    }

    /// Everything that starts with a digit, and the addresses with colons.
    fn numbers(&self, text: &[u8], out: &mut Vec<Span>) {
        let mut next = 0;
        // A number is read as a phone or card from its first group only.
        let mut free_from = 0;
        while let Some(byte) = text.get(next) {
            match CLASS[usize::from(*byte)] {
                Class::Plain => next += 1,
                Class::Colon => {
                    let previous = before(text, next);
                    if previous.is_ascii_hexdigit() || previous == b':' {
                        let (addresses, mac) = (self.policy.addresses, self.policy.mac);
                        next =
                            personal::colon_address(text, next, addresses, mac, out).max(next + 1);
                    } else {
                        next += 1;
                    }
                }
                Class::Equals => {
                    secret::bare_aws_secret(text, next, out);
                    next += 1;
                }
                Class::Opening => {
                    if next >= free_from && at(text, next + 1).is_ascii_digit() {
                        let before_phone = out.len();
                        if personal::phone(text, next, out) {
                            free_from = out.get(before_phone).map_or(next, |s| s.end);
                        }
                    }
                    next += 1;
                }
                Class::Digit => {
                    let length = run(text, next, usize::MAX, |b| b.is_ascii_digit()) - next;
                    if next >= free_from {
                        let count = out.len();
                        self.number(text, next, length, out);
                        free_from = out.get(count..).map_or(free_from, |new| {
                            new.iter().map(|s| s.end).fold(free_from, usize::max)
                        });
                    }
                    next += length;
                }
            }
        }
    }

    /// The number of `length` digits at `start`.
    fn number(&self, text: &[u8], start: usize, length: usize, out: &mut Vec<Span>) {
        let previous = before(text, start);
        if previous.is_ascii_uppercase() && length >= 2 && personal::iban(text, start, out) {
            return;
        }
        if is_word(previous) {
            return;
        }
        let follows = at(text, start + length);
        if follows == b'.' && length <= 3 {
            let address = personal::ipv4(text, start, self.policy.addresses, out);
            if address.is_some() {
                return;
            }
        }
        let joined = matches!(follows, b'-' | b' ' | b'.' | b'/')
            && matches!(at(text, start + length + 1), b'0'..=b'9' | b'(');
        let taken = (length >= 12 || length == 4 && joined) && personal::card(text, start, out)
            || (length == 9 || length == 3 && joined) && personal::ssn(text, start, out);
        if !taken && length <= 4 && joined {
            personal::phone(text, start, out);
        }
    }
}

/// Runs the detectors that trigger words call for.
fn triggered(text: &[u8], out: &mut Vec<Span>) {
    let Some((automaton, meanings)) = TRIGGERS.as_ref() else { return };
    let (mut name_done, mut document_done, mut cookie_done) = (0, 0, 0);
    for found in automaton.find_overlapping_iter(text) {
        let (start, end) = (found.start(), found.end());
        let Some(trigger) = meanings.get(found.pattern().as_usize()) else { continue };
        match *trigger {
            Trigger::Assignment => secret::assignment(text, (start, end), &mut name_done, out),
            Trigger::Token(i) => {
                if let Some(rule) = TOKENS.get(i) {
                    secret::vendor_token(text, start, rule, out);
                }
            }
            Trigger::Jwt => secret::jwt(text, start, out),
            Trigger::PrivateKey => secret::private_key(text, start, out),
            Trigger::Userinfo => secret::userinfo(text, end, out),
            Trigger::OracleLogin => secret::oracle_login(text, end, out),
            Trigger::Signature => secret::signature(text, start, end, out),
            Trigger::Authorization => secret::authorization(text, end, out),
            Trigger::Bearer => secret::bearer(text, start, end, out),
            Trigger::Cookie => secret::cookie(text, (start, end), &mut cookie_done, out),
            Trigger::Command => secret::command_password(text, start, end, out),
            Trigger::IdentifiedBy => secret::identified_by(text, end, out),
            Trigger::PasswordHash => secret::password_hash(text, start, end, out),
            Trigger::SlackWebhook => secret::slack_webhook(text, end, out),
            Trigger::Atlas => secret::atlas(text, start, end, out),
            Trigger::AzureClientSecret => secret::azure_client_secret(text, start, end, out),
            Trigger::Telegram => secret::telegram(text, start, end, out),
            Trigger::KubernetesSecret => {
                secret::kubernetes_secret(text, start, &mut document_done, out);
            }
            Trigger::Email => personal::email(text, start, end, out),
            Trigger::Phone => personal::phone_by_word(text, start, end, out),
            Trigger::Document => personal::document_number(text, start, end, out),
        }
    }
}

/// What a byte means to [`Redactor::numbers`].
#[derive(Clone, Copy)]
enum Class {
    Plain,
    Digit,
    Colon,
    Equals,
    Opening,
}

static CLASS: [Class; 256] = {
    let mut table = [Class::Plain; 256];
    let mut digit = b'0';
    while digit <= b'9' {
        table[digit as usize] = Class::Digit;
        digit += 1;
    }
    table[b':' as usize] = Class::Colon;
    table[b'=' as usize] = Class::Equals;
    table[b'+' as usize] = Class::Opening;
    table[b'(' as usize] = Class::Opening;
    table
};

/// Copies the text with the spans replaced; also returns where the placeholders of secrets stand.
fn replace(
    text: &str,
    found: &[Span],
    placeholders: &mut Placeholders,
    counts: &mut BTreeMap<Kind, u64>,
) -> (String, Vec<usize>) {
    let mut out = String::with_capacity(text.len() + found.len() * 8);
    let mut touched = Vec::new();
    let mut names = HashMap::new();
    let mut copied = 0;
    for span in found {
        let (start, end) = whole_characters(text, *span);
        let (Some(kept), Some(value)) = (text.get(copied..start), text.get(start..end)) else {
            continue;
        };
        out.push_str(kept);
        let place = out.len();
        let number = *names
            .entry((span.kind, value))
            .or_insert_with(|| placeholders.number(span.kind, &normal_form(span.kind, value)));
        put(&mut out, span.kind, number, value, is_bare_json(text.as_bytes(), start, value));
        if span.kind.is_secret() {
            touched.extend([place, out.len()]);
        }
        *counts.entry(span.kind).or_insert(0) += 1;
        copied = end;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    (out, touched)
}

/// Widens a span so that it cuts no character.
fn whole_characters(text: &str, span: Span) -> (usize, usize) {
    let (mut start, mut end) = (span.start, span.end.min(text.len()));
    while start > 0 && !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    (start, end)
}

/// The form in which two spellings of one value are equal.
fn normal_form(kind: Kind, value: &str) -> Vec<u8> {
    match kind {
        Kind::Email | Kind::Mac | Kind::Ip => value.to_ascii_lowercase().into_bytes(),
        Kind::Phone | Kind::CreditCard | Kind::Iban | Kind::Ssn => {
            value.bytes().filter(u8::is_ascii_alphanumeric).collect()
        }
        _ => value.as_bytes().to_vec(),
    }
}

/// Whether the value is a bare number behind a JSON name or between the commas of a JSON array: its
/// placeholder then needs quotes to leave the document valid. In CSV they do no harm.
fn is_bare_json(text: &[u8], start: usize, value: &str) -> bool {
    if !value.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-')) {
        return false;
    }
    let head = run_back(text, start, LOOK_MAX, |b| b.is_ascii_whitespace());
    match before(text, head) {
        b':' => before(text, head - 1) == b'"',
        b'[' | b',' => {
            let tail = run(text, start + value.len(), LOOK_MAX, |b| b.is_ascii_whitespace());
            matches!(at(text, tail), b',' | b']')
        }
        _ => false,
    }
}

/// Writes a placeholder and the line breaks of the value, so that line numbers stay.
fn put(out: &mut String, kind: Kind, number: Option<u32>, value: &str, quoted: bool) {
    let quote = if quoted { "\"" } else { "" };
    // Writing to a string cannot fail.
    let _ = match number {
        Some(number) => write!(out, "{quote}<{}_{number}>{quote}", kind.label()),
        None => write!(out, "{quote}<{}>{quote}", kind.label()),
    };
    for (at_break, _) in value.match_indices('\n') {
        let carriage = value.get(..at_break).is_some_and(|head| head.ends_with('\r'));
        out.push_str(if carriage { "\r\n" } else { "\n" });
    }
}
