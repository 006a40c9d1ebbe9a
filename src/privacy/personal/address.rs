//! IP and hardware addresses.

use crate::privacy::mark::{at, before, is_blank, is_word, run, run_back};
use crate::privacy::{Addresses, Kind, spans::Span};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest text form of an IPv6 address, in bytes.
const IPV6_BYTES_MAX: usize = 45;

/// The IPv4 address whose first digit is at `start`; returns the end of what was read.
pub(crate) fn ipv4(
    text: &[u8],
    start: usize,
    policy: Addresses,
    out: &mut Vec<Span>,
) -> Option<usize> {
    let mut octets = [0u8; 4];
    let mut next = start;
    for (i, octet) in octets.iter_mut().enumerate() {
        if i > 0 {
            if at(text, next) != b'.' {
                return None;
            }
            next += 1;
        }
        let end = run(text, next, 4, |b| b.is_ascii_digit());
        *octet = std::str::from_utf8(text.get(next..end)?).ok()?.parse().ok()?;
        next = end;
    }
    let longer = is_word(at(text, next))
        || at(text, next) == b'_'
        || at(text, next) == b'.' && at(text, next + 1).is_ascii_digit();
    let inside = is_word(before(text, start)) || matches!(before(text, start), b'.' | b'_');
    let address = Ipv4Addr::from(octets);
    if !longer && !inside && is_personal_v4(address, policy) && !is_version(text, start, next) {
        out.push(Span::new(start, next, Kind::Ip));
    }
    Some(next)
}

fn is_personal_v4(address: Ipv4Addr, policy: Addresses) -> bool {
    let [a, b, ..] = address.octets();
    match policy {
        Addresses::None => false,
        Addresses::All => true,
        Addresses::Public => {
            let shared = a == 100 && (64..128).contains(&b);
            a != 0
                && a < 224
                && !shared
                && !address.is_private()
                && !address.is_loopback()
                && !address.is_link_local()
        }
    }
}

/// Whether four numbers are a version: `version 1.2.3.4`, `Product/5.0.1.2` without a port.
fn is_version(text: &[u8], start: usize, end: usize) -> bool {
    let gap = run_back(text, start, 4, |b| {
        is_blank(b) || matches!(b, b'=' | b':' | b'"' | b'\'' | b'-' | b'/')
    });
    let word = run_back(text, gap, 16, |b| b.is_ascii_alphabetic());
    let name = text.get(word..gap).unwrap_or_default();
    let named = [&b"version"[..], b"ver", b"v", b"release", b"rev", b"build"]
        .iter()
        .any(|w| name.eq_ignore_ascii_case(w))
        || name.len() > 7
            && name.get(name.len() - 7..).is_some_and(|t| t.eq_ignore_ascii_case(b"version"));
    let product = before(text, start) == b'/'
        && !name.is_empty()
        && at(text, end) != b':'
        && text.get(start..end).is_some_and(|t| t.windows(3).any(|w| w == b".0."));
    named || product
}

/// The IPv6 or hardware address around the colon at `colon`; returns the end of what was read.
pub(crate) fn colon_address(
    text: &[u8],
    colon: usize,
    addresses: Addresses,
    mac: bool,
    out: &mut Vec<Span>,
) -> usize {
    let class = |b: u8| b.is_ascii_hexdigit() || b == b':';
    let start = run_back(text, colon, 5, class);
    let end = run(text, colon, IPV6_BYTES_MAX, class);
    if is_word(before(text, start)) || is_word(at(text, end)) {
        return end;
    }
    let Some(found) = text.get(start..end) else { return end };
    // A port or a full stop's worth of punctuation does not belong to the address.
    let trimmed = found.strip_suffix(b":").filter(|f| !f.ends_with(b":")).unwrap_or(found);
    let colons = trimmed.iter().filter(|b| **b == b':').count();
    if matches!(colons, 5 | 13) && trimmed.split(|b| *b == b':').all(|g| g.len() == 2) {
        if mac {
            hardware(start, trimmed, out);
        }
        return end;
    }
    if colons < 2 || colons < 7 && !trimmed.windows(2).any(|w| w == b"::") {
        return end;
    }
    let parsed = std::str::from_utf8(trimmed).ok().and_then(|t| t.parse::<Ipv6Addr>().ok());
    if parsed.is_some_and(|a| is_personal_v6(a, addresses)) {
        out.push(Span::new(start, start + trimmed.len(), Kind::Ip));
    }
    end
}

/// One address of six bytes, or the two at the front of an Ethernet header of fourteen
/// (netfilter's `MAC=`). All zeros and all ones name nobody.
fn hardware(start: usize, found: &[u8], out: &mut Vec<Span>) {
    const BYTES: usize = 17;
    for offset in [0, BYTES + 1] {
        let Some(part) = found.get(offset..offset + BYTES) else { return };
        let nobody = part.iter().all(|b| matches!(b, b'0' | b':'))
            || part.iter().all(|b| matches!(b, b'f' | b'F' | b':'));
        if !nobody {
            out.push(Span::new(start + offset, start + offset + BYTES, Kind::Mac));
        }
    }
}

fn is_personal_v6(address: Ipv6Addr, policy: Addresses) -> bool {
    match policy {
        Addresses::None => false,
        Addresses::All => !address.is_unspecified(),
        // Global unicast (RFC 4291): everything else is local to a link, a site or the machine.
        Addresses::Public => (0x2000..0x4000).contains(&address.segments()[0]),
    }
}
