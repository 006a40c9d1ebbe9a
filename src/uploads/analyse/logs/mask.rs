//! Turns a message into its signature: the words that stay, with a mark where values stood.
//!
//! This is the hot path: one pass over the bytes, no regular expressions, no allocation. Values are
//! recognised by shape alone (numbers, hex, addresses, hosts with a known ending, paths, dates,
//! redaction placeholders), because one configuration has to serve the logs of all systems.

use super::timestamp;

/// Stands for a value within a signature; control bytes of the message itself become spaces.
pub(super) const VALUE: u8 = 0x01;
/// Longest part of a message that takes part in its signature, in bytes.
const MESSAGE_BYTES_MAX: usize = 4096;
/// Most words in a signature; what follows is one more value.
const WORDS_MAX: usize = 128;
/// A longer word is data (base64, a dump), not a word, in bytes.
const WORD_BYTES_MAX: usize = 256;

const DIGIT: u8 = 1;
const LETTER: u8 = 2;
/// Punctuation that can start or hold a value: a word with none and no digit is copied as it is.
const SPECIAL: u8 = 4;
const SPACE: u8 = 8;

const CLASS: [u8; 256] = {
    let mut class = [0u8; 256];
    let mut byte = 0;
    while byte < 256 {
        class[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'z' | b'A'..=b'Z' => LETTER,
            b'/' | b'.' | b'<' | b'[' | b'\\' | b'(' => SPECIAL,
            0x00..=0x20 | 0x7f => SPACE,
            _ => 0,
        };
        byte += 1;
    }
    class
};

fn class(byte: u8) -> u8 {
    CLASS[byte as usize]
}

/// Writes the signature of `message` into `out`: words with one space between them.
pub(super) fn signature(message: &str, out: &mut Vec<u8>) {
    out.clear();
    let bytes = message.as_bytes();
    let bytes = &bytes[..bytes.len().min(MESSAGE_BYTES_MAX)];
    let mut words = 0;
    let mut previous = 0..0;
    let mut at = 0;
    while at < bytes.len() {
        if class(bytes[at]) == SPACE {
            at += 1;
            continue;
        }
        let mut end = at;
        let mut classes = 0;
        while end < bytes.len() {
            let class = class(bytes[end]);
            if class == SPACE {
                break;
            }
            classes |= class;
            end += 1;
        }
        if words == WORDS_MAX {
            out.extend_from_slice(&[b' ', VALUE]);
            return;
        }
        let begin = out.len() + usize::from(words > 0);
        if words > 0 {
            out.push(b' ');
        }
        if let Some(len) = date(&bytes[at..], classes) {
            end = at + len;
            push_value(out, begin);
            end += glued(&bytes[end..]);
        } else if end - at > WORD_BYTES_MAX && !bytes[at..at + 64].contains(&b',') {
            push_value(out, begin);
        } else if classes & (DIGIT | SPECIAL) == 0 {
            out.extend_from_slice(&bytes[at..end]);
        } else if let Some(skip) = repeated_size(&bytes[at..], &out[previous.clone()]) {
            out.truncate(begin - usize::from(words > 0));
            at += skip;
            continue;
        } else {
            word(&bytes[at..end], out, begin);
            end += unit(&bytes[end..], out, begin);
        }
        // Equal words around values are a list; its length does not make another kind of message.
        let repeats = out[previous.clone()] == out[begin..] && out[begin..].contains(&VALUE);
        if repeats && words > 0 {
            out.truncate(begin - 1);
        } else {
            previous = begin..out.len();
            words += 1;
        }
        at = end;
    }
}

/// Bytes up to the next space: what clings to a date, such as a bracket.
fn glued(rest: &[u8]) -> usize {
    rest.iter().position(|b| class(*b) == SPACE).unwrap_or(rest.len())
}

/// Length of a date with time at the start of a word.
fn date(rest: &[u8], classes: u8) -> Option<usize> {
    let candidate = match rest {
        [b'0'..=b'9', _, _, _, b'-' | b'/', ..] => true,
        [b'0'..=b'9', b'0'..=b'9', b'/', ..] => true,
        [first @ b'A'..=b'Z', second, third, b' ' | b',', ..] if classes & DIGIT == 0 => {
            matches!(
                &[*first, *second, *third],
                b"Mon"
                    | b"Tue"
                    | b"Wed"
                    | b"Thu"
                    | b"Fri"
                    | b"Sat"
                    | b"Sun"
                    | b"Jan"
                    | b"Feb"
                    | b"Mar"
                    | b"Apr"
                    | b"May"
                    | b"Jun"
                    | b"Jul"
                    | b"Aug"
                    | b"Sep"
                    | b"Oct"
                    | b"Nov"
                    | b"Dec"
            )
        }
        _ => false,
    };
    if candidate { timestamp::parse(rest).map(|stamp| stamp.len) } else { None }
}

/// `(1.16 KB)` behind `bytes` says the same number again; returns its length.
fn repeated_size(rest: &[u8], previous: &[u8]) -> Option<usize> {
    if rest.first() != Some(&b'(') || !previous.starts_with(b"byte") {
        return None;
    }
    let end = rest.iter().take(24).position(|b| *b == b')')?;
    let inside = rest.get(1..end)?;
    let space = inside.iter().position(|b| *b == b' ')?;
    let number = inside[..space].iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b','));
    let unit =
        matches!(&inside[space + 1..], b"KB" | b"MB" | b"GB" | b"TB" | b"KiB" | b"MiB" | b"GiB");
    (number && unit).then_some(end + 1)
}

/// A unit behind a number is part of the value (`<1 sec` and `00:01` are both a duration); returns
/// the bytes to skip. Punctuation behind the unit stays.
fn unit(rest: &[u8], out: &mut Vec<u8>, begin: usize) -> usize {
    let number = matches!(&out[begin..], [VALUE] | [b'<', VALUE]);
    if !number || rest.first() != Some(&b' ') {
        return 0;
    }
    let letters = rest[1..].iter().take(5).take_while(|b| b.is_ascii_alphabetic()).count();
    let known = matches!(
        &rest[1..=letters],
        b"sec" | b"secs" | b"ms" | b"us" | b"ns" | b"KB" | b"MB" | b"GB" | b"TB"
    );
    let end = 1 + letters + glued(&rest[1 + letters..]);
    let tail = &rest[1 + letters..end];
    if !known || tail.iter().any(|b| b.is_ascii_alphanumeric()) {
        return 0;
    }
    out.truncate(begin);
    out.push(VALUE);
    out.extend_from_slice(tail);
    end
}

/// Appends a value, melting it with a value before it: `1.2:3` is one value, not three.
fn push_value(out: &mut Vec<u8>, begin: usize) {
    let done = &out[begin..];
    match done {
        [.., VALUE] => return,
        [.., VALUE, b'.' | b':' | b'-' | b'_' | b'/' | b'+'] => {
            out.pop();
            return;
        }
        // A minus sign belongs to the number unless it joins two words.
        [b'-'] | [.., b'=' | b':' | b',' | b'(' | b'[' | b'_' | b'#', b'-'] => {
            out.pop();
        }
        _ => {}
    }
    out.push(VALUE);
}

/// Masks one word that has digits or punctuation.
fn word(word: &[u8], out: &mut Vec<u8>, begin: usize) {
    if word == b"()" {
        out.extend_from_slice(&[b'(', VALUE, b')']);
        return;
    }
    let mut at = 0;
    while at < word.len() {
        let rest = &word[at..];
        let opens = at == 0
            || matches!(word[at - 1], b'=' | b'"' | b'\'' | b'(' | b'[' | b'<' | b',' | b':');
        let value = match rest[0] {
            b'<' | b'[' => placeholder(rest),
            b'/' | b'\\' if opens => path(rest),
            byte if byte.is_ascii_alphanumeric()
                && (opens || !word[at - 1].is_ascii_alphanumeric()) =>
            {
                url(rest).or_else(|| host(rest)).or_else(|| groups(rest)).or_else(|| instant(rest))
            }
            _ => None,
        };
        if let Some(len) = value {
            let hidden = matches!(rest[0], b'<' | b'[');
            if hidden {
                drop_host_before(out, begin);
            }
            push_value(out, begin);
            at += len;
            if hidden {
                at += host_after(&word[at..]);
            }
        } else if rest[0].is_ascii_alphanumeric() {
            let len = rest.iter().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(rest.len());
            run(&rest[..len], out, begin);
            at += len;
        } else {
            out.push(rest[0]);
            at += 1;
        }
    }
}

/// `<EMAIL_1>`, `[API_KEY_REDACTED]`: what redaction left in place of a value.
fn placeholder(rest: &[u8]) -> Option<usize> {
    let close = if rest[0] == b'<' { b'>' } else { b']' };
    let end = rest.iter().take(48).position(|b| *b == close)?;
    let inside = &rest[1..end];
    let shape = inside.first()?.is_ascii_uppercase()
        && inside.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_');
    let known = rest[0] == b'<' || inside.ends_with(b"REDACTED");
    (shape && known && inside.len() > 1).then_some(end + 1)
}

/// Redaction may replace the address within a host name (`dsl-<IP_1>.isp.net`); what is left of the
/// name before it goes too.
fn drop_host_before(out: &mut Vec<u8>, begin: usize) {
    let in_name = |b: &&u8| b.is_ascii_alphanumeric() || matches!(**b, b'-' | b'.' | VALUE);
    let len = out[begin..].iter().rev().take_while(in_name).count();
    let name = &out[out.len() - len..];
    if name.last().is_some_and(|b| matches!(b, b'-' | b'.')) && len > 1 {
        out.truncate(out.len() - len);
    }
}

/// Length of what is left of a host name behind a placeholder.
fn host_after(rest: &[u8]) -> usize {
    let in_name = |b: &&u8| b.is_ascii_alphanumeric() || matches!(**b, b'-' | b'.');
    let len = rest.iter().take_while(in_name).count();
    let letters = rest[..len].iter().any(u8::is_ascii_alphabetic);
    if matches!(rest.first(), Some(b'-' | b'.')) && letters { len } else { 0 }
}

/// An absolute path with two slashes or a digit.
fn path(rest: &[u8]) -> Option<usize> {
    let len = value_end(rest);
    let body = &rest[..len];
    let slashes = body.iter().filter(|b| matches!(b, b'/' | b'\\')).count();
    let digits = body.iter().any(u8::is_ascii_digit);
    (len > 2 && (slashes > 1 || digits)).then_some(len)
}

/// `https://...` and `C:\...`.
fn url(rest: &[u8]) -> Option<usize> {
    let scheme = rest.iter().take(12).position(|b| !b.is_ascii_alphanumeric() && *b != b'+')?;
    let body = &rest[scheme..];
    let drive = scheme == 1 && body.starts_with(b":\\");
    (drive || body.starts_with(b"://")).then(|| scheme + value_end(body))
}

/// Where a path or address ends: before a closing mark or trailing punctuation.
fn value_end(rest: &[u8]) -> usize {
    let end = rest
        .iter()
        .position(|b| matches!(b, b'"' | b'\'' | b')' | b',' | b';' | b'>' | b']' | b'|' | b'}'))
        .unwrap_or(rest.len());
    end - rest[..end].iter().rev().take_while(|b| matches!(b, b'.' | b':')).count()
}

/// A dotted name that ends like a host, or dotted with digits (addresses, versions), with its port.
fn host(rest: &[u8]) -> Option<usize> {
    let mut end = 0;
    let mut dots = 0;
    let mut digits = false;
    while let Some(byte) = rest.get(end) {
        match byte {
            b'.' => dots += 1,
            b'0'..=b'9' => digits = true,
            b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'_' => {}
            _ => break,
        }
        end += 1;
    }
    while end > 0 && matches!(rest[end - 1], b'.' | b'-' | b'_') {
        dots -= i32::from(rest[end - 1] == b'.');
        end -= 1;
    }
    let name = &rest[..end];
    let port = match rest.get(end..) {
        Some([b':', port @ ..]) => port.iter().take(6).take_while(|b| b.is_ascii_digit()).count(),
        _ => 0,
    };
    let is_host = (dots >= 2 && digits)
        || (dots >= 1 && (port >= 2 || ends_like_host(name)))
        || (name == b"localhost");
    is_host.then(|| if port > 0 { end + 1 + port } else { end })
}

/// Hex digits in groups: MAC and IPv6 addresses, UUIDs.
fn groups(rest: &[u8]) -> Option<usize> {
    let len = rest
        .iter()
        .position(|b| !(b.is_ascii_hexdigit() || matches!(b, b':' | b'-')))
        .unwrap_or(rest.len());
    let body = &rest[..len];
    let colons = body.iter().filter(|b| **b == b':').count();
    let dashes = body.iter().filter(|b| **b == b'-').count();
    let digits = body.iter().filter(|b| b.is_ascii_digit()).count();
    let address = colons >= 2 && digits >= 2 && dashes == 0 && len >= 6;
    let uuid = dashes >= 4 && len >= 32 && colons == 0;
    let ends = !rest.get(len).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let tail = body.iter().rev().take_while(|b| matches!(b, b':' | b'-')).count();
    ((address || uuid) && ends).then_some(len - tail)
}

/// `2024-01-01T10:30:00Z` behind `=` or a quote.
fn instant(rest: &[u8]) -> Option<usize> {
    let shape = rest.len() >= 16 && rest[0].is_ascii_digit() && rest[4] == b'-';
    if shape { timestamp::parse(rest).map(|stamp| stamp.len) } else { None }
}

fn ends_like_host(name: &[u8]) -> bool {
    let mut labels = name.split(|b| *b == b'.');
    let first = labels.next().unwrap_or_default();
    let last = labels.next_back().unwrap_or_default();
    // Reversed domains (org.apache.Foo) are names of code, which tell messages apart.
    !matches!(first, b"com" | b"org" | b"net" | b"io" | b"java" | b"javax" | b"android" | b"de")
        && matches!(
            last,
            b"com"
                | b"net"
                | b"org"
                | b"edu"
                | b"gov"
                | b"mil"
                | b"io"
                | b"uk"
                | b"de"
                | b"fr"
                | b"jp"
                | b"cn"
                | b"ru"
                | b"br"
                | b"nl"
                | b"au"
                | b"ca"
                | b"es"
                | b"se"
                | b"pl"
                | b"tw"
                | b"hk"
                | b"kr"
                | b"local"
                | b"internal"
                | b"lan"
                | b"arpa"
        )
}

/// Masks a run of letters and digits.
fn run(run: &[u8], out: &mut Vec<u8>, begin: usize) {
    let digits = run.iter().filter(|b| b.is_ascii_digit()).count();
    if digits == 0 {
        out.extend_from_slice(run);
        return;
    }
    let hex = run.len() >= 6 && run.iter().all(u8::is_ascii_hexdigit);
    let prefixed = run.len() > 2 && run[0] == b'0' && run[1] | 0x20 == b'x';
    let opaque = run.len() >= 16 && digits >= 2;
    if digits == run.len() || hex || prefixed || opaque {
        push_value(out, begin);
        return;
    }
    let mut in_digits = false;
    for byte in run {
        if byte.is_ascii_digit() {
            if !in_digits {
                push_value(out, begin);
            }
            in_digits = true;
        } else {
            in_digits = false;
            out.push(*byte);
        }
    }
}

/// 64-bit hash of a signature, by folded multiplication over 8-byte blocks (the scheme of wyhash).
pub(super) fn hash(bytes: &[u8]) -> u64 {
    const A: u64 = 0xa076_1d64_78bd_642f;
    const B: u64 = 0xe703_7ed1_a0b4_28db;
    let mut state = A ^ bytes.len() as u64;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let block = chunk.iter().rev().fold(0u64, |sum, b| sum << 8 | u64::from(*b));
        state = fold(state ^ block, B);
    }
    let tail = chunks.remainder().iter().rev().fold(0u64, |sum, b| sum << 8 | u64::from(*b));
    fold(state ^ tail, A)
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

/// A signature as people read it: `<*>` where values stood.
pub(super) fn readable(signature: &[u8]) -> String {
    let mut text = Vec::with_capacity(signature.len() + 16);
    for byte in signature {
        match *byte {
            VALUE => text.extend_from_slice(b"<*>"),
            byte => text.push(byte),
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{hash, readable, signature};

    fn check(message: &str, expected: &str) {
        let mut out = Vec::new();
        signature(message, &mut out);
        assert_eq!(readable(&out), expected);
    }

    #[test]
    fn values_give_way_and_words_stay() {
        for (message, expected) in [
            ("user 42 logged in after 3.5 s", "user <*> logged in after <*> s"),
            ("from 10.0.0.1:8080 to /10.0.0.2:90", "from <*> to <*>"),
            ("id 0x1F2e and deadbeef01", "id <*> and <*>"),
            ("req 123e4567-e89b-12d3-a456-426614174000 done", "req <*> done"),
            ("open /var/log/syslog.1: denied", "open <*>: denied"),
            ("get https://a.example/x?y=1, then", "get <*>, then"),
            ("took 15ms, size=10KB", "took <*>ms, size=<*>KB"),
            ("job_-17 part-00012 at -3", "job_<*> part-<*> at <*>"),
            ("mail from <EMAIL_1> key [API_KEY_REDACTED]", "mail from <*> key <*>"),
            ("host db1.example.com:5432 is up", "host <*> is up"),
            ("org.apache.Foo failed", "org.apache.Foo failed"),
            ("at Wed Jun 29 14:44:35 2005", "at <*>"),
            ("ids 1 2 3 4 end", "ids <*> end"),
            ("sent 10 bytes (1.16 KB) ok", "sent <*> bytes ok"),
            ("lifetime <1 sec", "lifetime <*>"),
            ("peer () gone", "peer (<*>) gone"),
            ("host dsl-<IP_1>.isp.example, rhost=<IP_2>.a.b", "host <*>, rhost=<*>"),
            ("no values here", "no values here"),
            ("   ", ""),
        ] {
            check(message, expected);
        }
    }

    #[test]
    fn long_words_and_long_messages_are_cut() {
        check(&"x".repeat(300), "<*>");
        let many = "a b ".repeat(100);
        let mut out = Vec::new();
        signature(&many, &mut out);
        assert!(readable(&out).ends_with(" <*>"));
    }

    #[test]
    fn equal_signatures_hash_alike_and_others_do_not() {
        assert_eq!(hash(b"abc def ghi"), hash(b"abc def ghi"));
        assert_ne!(hash(b"abc def ghi"), hash(b"abc def ghj"));
        assert_ne!(hash(b""), hash(b"\0"));
    }
}
