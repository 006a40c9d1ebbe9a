//! Times as logs write them, found without knowing which program wrote the log.
//!
//! The parser reads one time at the start of a byte slice and says how long it was and what it
//! lacked (a year, a date). [`Calendar`] fills in what lines of one file can tell each other.

/// Microseconds in a day.
const DAY_US: i64 = 86_400_000_000;
/// Year that stands in where a file names none; a leap year, so that every day exists in it.
pub(super) const STAND_IN_YEAR: i64 = 2000;

/// What a time lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing.
    Full,
    /// A plain number of seconds, milliseconds, microseconds or nanoseconds since 1970.
    Epoch,
    /// The year, which [`STAND_IN_YEAR`] stands in for.
    NoYear,
    /// The date; the time counts from the start of 1970.
    NoDate,
}

/// A time found at the start of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Bytes it took.
    pub(super) len: usize,
    /// Microseconds since 1970-01-01T00:00:00Z; a time without zone is taken as UTC.
    pub(super) us: i64,
    /// What it lacks.
    pub(super) kind: Kind,
}

/// Reads a time at the start of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Option<Stamp> {
    match bytes.first()? {
        b'0'..=b'9' => numeric(bytes),
        b'A'..=b'Z' if bytes.len() >= 12 => {
            if bytes[1].is_ascii_digit() {
                glog(bytes)
            } else {
                named(bytes)
            }
        }
        _ => None,
    }
}

/// Microseconds of an epoch number, its unit guessed from its size; `None` outside 2001 to 2040.
pub(super) fn epoch_us(number: f64) -> Option<i64> {
    let seconds = match number {
        n if (1e9..2.21e9).contains(&n) => n,
        n if (1e12..2.21e12).contains(&n) => n / 1e3,
        n if (1e15..2.21e15).contains(&n) => n / 1e6,
        n if (1e18..2.21e18).contains(&n) => n / 1e9,
        _ => return None,
    };
    Some((seconds * 1e6).round() as i64)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn eat_any(&mut self, set: &[u8]) -> Option<u8> {
        let byte = self.peek()?;
        set.contains(&byte).then(|| {
            self.at += 1;
            byte
        })
    }

    fn spaces(&mut self) -> usize {
        let start = self.at;
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
        self.at - start
    }

    /// Between `least` and `most` digits.
    fn number(&mut self, least: usize, most: usize) -> Option<i64> {
        let start = self.at;
        let mut value = 0i64;
        while self.at - start < most {
            match self.peek() {
                // Nineteen digits may be more than 64 bits hold; that is no time either way.
                Some(digit @ b'0'..=b'9') => {
                    value = value.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
                }
                _ => break,
            }
            self.at += 1;
        }
        (self.at - start >= least).then_some(value)
    }

    fn month(&mut self) -> Option<i64> {
        let name = self.bytes.get(self.at..self.at + 3)?;
        let lower = [name[0] | 0x20, name[1] | 0x20, name[2] | 0x20];
        let month = match &lower {
            b"jan" => 1,
            b"feb" => 2,
            b"mar" => 3,
            b"apr" => 4,
            b"may" => 5,
            b"jun" => 6,
            b"jul" => 7,
            b"aug" => 8,
            b"sep" => 9,
            b"oct" => 10,
            b"nov" => 11,
            b"dec" => 12,
            _ => return None,
        };
        self.at += 3;
        Some(month)
    }

    /// `HH:MM:SS`, one or two digits each, with fraction and half of the day.
    fn clock(&mut self, separator: u8) -> Option<i64> {
        let mut hour = self.number(1, 2)?;
        self.eat(separator)?;
        let minute = self.number(1, 2)?;
        self.eat(separator)?;
        let second = self.number(1, 2)?;
        let fraction = self.fraction();
        if self.peek() == Some(b' ') || self.peek().is_some_and(|b| b.is_ascii_alphabetic()) {
            let skip = usize::from(self.peek() == Some(b' '));
            let half = (self.peek_at(skip), self.peek_at(skip + 1), self.peek_at(skip + 2));
            if let (Some(half @ (b'A' | b'P' | b'a' | b'p')), Some(b'M' | b'm'), end) = half
                && end.is_none_or(|b| !b.is_ascii_alphanumeric())
            {
                hour = hour % 12 + if half | 0x20 == b'p' { 12 } else { 0 };
                self.at += skip + 2;
            }
        }
        time_of_day(hour, minute, second, fraction)
    }

    /// `HHMMSS` with fraction.
    fn compact_clock(&mut self) -> Option<i64> {
        let digits = self.number(6, 6)?;
        let fraction = self.fraction();
        time_of_day(digits / 10_000, digits / 100 % 100, digits % 100, fraction)
    }

    /// Microseconds after the second.
    fn fraction(&mut self) -> i64 {
        let most = match self.peek() {
            Some(b'.' | b',') => 9,
            Some(b':') => 3,
            _ => return 0,
        };
        if !self.peek_at(1).is_some_and(|b| b.is_ascii_digit()) {
            return 0;
        }
        self.at += 1;
        let start = self.at;
        let Some(value) = self.number(1, most) else { return 0 };
        match self.at - start {
            digits @ 0..=6 => value * 10i64.pow(6 - digits as u32),
            digits => value / 10i64.pow(digits as u32 - 6),
        }
    }

    /// Offset from UTC in microseconds; zero when none is named.
    fn zone(&mut self) -> i64 {
        let start = self.at;
        if let Some(b'Z' | b'z') = self.peek()
            && !self.peek_at(1).is_some_and(|b| b.is_ascii_alphanumeric())
        {
            self.at += 1;
            return 0;
        }
        let spaces = self.spaces();
        if spaces <= 1
            && let Some(sign @ (b'+' | b'-')) = self.peek()
        {
            self.at += 1;
            if let Some(offset) = self.offset(spaces == 1) {
                return if sign == b'-' { -offset } else { offset };
            }
        } else if spaces <= 1 && self.peek().is_some_and(|b| b.is_ascii_uppercase()) {
            let name = self.bytes.get(self.at..).unwrap_or_default();
            let len = name.iter().position(|b| !b.is_ascii_uppercase()).unwrap_or(name.len());
            let ends = !name.get(len).is_some_and(|b| b.is_ascii_alphanumeric());
            if let Some(minutes) = zone_minutes(&name[..len]).filter(|_| ends) {
                self.at += len;
                return minutes * 60_000_000;
            }
            // An unknown name glued to the time is a zone that nobody can resolve.
            if spaces == 0 && ends && (2..=5).contains(&len) {
                self.at += len;
                return 0;
            }
        }
        self.at = start;
        0
    }

    fn offset(&mut self, spaced: bool) -> Option<i64> {
        let hours = self.number(2, 2)?;
        let colon = self.eat(b':').is_some();
        let minutes = match self.number(2, 2) {
            Some(minutes) => minutes,
            None if colon || spaced => return None,
            None => 0,
        };
        let ends = !self.peek().is_some_and(|b| b.is_ascii_alphanumeric());
        (ends && hours <= 14 && minutes < 60).then_some((hours * 60 + minutes) * 60_000_000)
    }
}

/// Minutes east of UTC of the zone names that logs use; ambiguous ones mean North America.
fn zone_minutes(name: &[u8]) -> Option<i64> {
    Some(match name {
        b"UTC" | b"GMT" | b"WET" => 0,
        b"BST" | b"CET" | b"WEST" => 60,
        b"CEST" | b"EET" | b"SAST" => 120,
        b"EEST" | b"MSK" => 180,
        b"IST" => 330,
        b"SGT" | b"HKT" | b"AWST" => 480,
        b"JST" | b"KST" => 540,
        b"AEST" => 600,
        b"AEDT" => 660,
        b"EST" | b"CDT" => -300,
        b"EDT" => -240,
        b"CST" | b"MDT" => -360,
        b"MST" | b"PDT" => -420,
        b"PST" => -480,
        _ => return None,
    })
}

fn time_of_day(hour: i64, minute: i64, second: i64, us: i64) -> Option<i64> {
    (hour <= 24 && minute < 60 && second <= 60)
        .then_some(((hour * 60 + minute) * 60 + second) * 1_000_000 + us)
}

/// Days from 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(1970..=2199).contains(&year) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Year, month, day of a day counted from 1970-01-01 (same source).
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let of_400 = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * of_400 + of_400 / 4 - of_400 / 100);
    let mp = (5 * of_year + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = of_400 + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * mp + 2) / 5 + 1)
}

fn stamp(len: usize, days: i64, time_us: i64, zone_us: i64, kind: Kind) -> Option<Stamp> {
    Some(Stamp { len, us: days * DAY_US + time_us - zone_us, kind })
}

fn numeric(bytes: &[u8]) -> Option<Stamp> {
    let digits = bytes.iter().take(20).take_while(|b| b.is_ascii_digit()).count();
    let next = bytes.get(digits).copied();
    let cursor = Cursor { bytes, at: 0 };
    match (digits, next) {
        (4, Some(b'-' | b'/' | b'.')) => year_first(cursor),
        (8, Some(b'-' | b'T' | b' ' | b'_')) => compact(cursor),
        (14, _) if next.is_none_or(|b| !b.is_ascii_alphanumeric()) => {
            let mut cursor = cursor;
            let day = compact_date(&mut cursor)?;
            let time = cursor.compact_clock()?;
            let zone = cursor.zone();
            stamp(cursor.at, day, time, zone, Kind::Full)
        }
        (6, Some(b' ')) => short_compact(cursor),
        (1 | 2, Some(b':')) => {
            let mut cursor = cursor;
            let time = cursor.clock(b':')?;
            stamp(cursor.at, 0, time, 0, Kind::NoDate)
        }
        (1 | 2, Some(b'/' | b'-' | b'.' | b' ')) => day_or_month_first(cursor),
        (10 | 13 | 16 | 19, next) if next.is_none_or(|b| !b.is_ascii_alphanumeric()) => {
            epoch(cursor, digits)
        }
        _ => None,
    }
}

fn epoch(mut cursor: Cursor<'_>, digits: usize) -> Option<Stamp> {
    let value = cursor.number(digits, digits)?;
    let us = match digits {
        10 => {
            value.checked_mul(1_000_000)?
                + if cursor.peek() == Some(b'.') { cursor.fraction() } else { 0 }
        }
        13 => value.checked_mul(1000)?,
        16 => value,
        _ => value / 1000,
    };
    // 2001 to 2040: outside, a number of this length is more likely an identifier.
    (1_000_000_000_000_000..2_210_000_000_000_000).contains(&us).then_some(Stamp {
        len: cursor.at,
        us,
        kind: Kind::Epoch,
    })
}

/// `2005-06-03T15:42:50.675872+02:00` and its relatives with `/`, `.`, space, `_`, `-`.
fn year_first(mut cursor: Cursor<'_>) -> Option<Stamp> {
    let year = cursor.number(4, 4)?;
    let separator = cursor.eat_any(b"-/.")?;
    let month = cursor.number(1, 2)?;
    cursor.eat(separator)?;
    let day = cursor.number(1, 2)?;
    let day = days(year, month, day)?;
    let gap = cursor.eat_any(b"Tt _-:,")?;
    if gap == b',' || gap == b' ' {
        cursor.spaces();
    }
    let time = match cursor.peek_at(2) {
        Some(b'.') => cursor.clock(b'.')?,
        _ => cursor.clock(b':')?,
    };
    let zone = cursor.zone();
    stamp(cursor.at, day, time, zone, Kind::Full)
}

fn compact_date(cursor: &mut Cursor<'_>) -> Option<i64> {
    let digits = cursor.number(8, 8)?;
    days(digits / 10_000, digits / 100 % 100, digits % 100)
}

/// `20171223-22:15:29:606`, `20171223T221529Z`.
fn compact(mut cursor: Cursor<'_>) -> Option<Stamp> {
    let day = compact_date(&mut cursor)?;
    cursor.eat_any(b"-T _")?;
    let clock = cursor.bytes.get(cursor.at..)?.iter().take(3).any(|b| *b == b':');
    let time = if clock { cursor.clock(b':')? } else { cursor.compact_clock()? };
    let zone = cursor.zone();
    stamp(cursor.at, day, time, zone, Kind::Full)
}

/// `081109 203615` (HDFS) and `081109 20:36:15` (MySQL): year, month, day in two digits each.
fn short_compact(mut cursor: Cursor<'_>) -> Option<Stamp> {
    let date = cursor.number(6, 6)?;
    let day = days(century(date / 10_000), date / 100 % 100, date % 100)?;
    cursor.spaces();
    let clock = cursor.bytes.get(cursor.at..)?.iter().take(3).any(|b| *b == b':');
    let time = if clock { cursor.clock(b':')? } else { cursor.compact_clock()? };
    if cursor.peek().is_some_and(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    stamp(cursor.at, day, time, 0, Kind::Full)
}

const fn century(year: i64) -> i64 {
    if year < 70 { 2000 + year } else { 1900 + year }
}

/// Everything that starts with one or two digits and is not a clock.
fn day_or_month_first(mut cursor: Cursor<'_>) -> Option<Stamp> {
    let first = cursor.number(1, 2)?;
    let separator = cursor.eat_any(b"/-. ")?;
    if cursor.peek()?.is_ascii_alphabetic() {
        // 10/Oct/2000:13:55:36 -0700, 10-Oct-2000 13:55:36, 10 Oct 2000 13:55:36
        let month = cursor.month()?;
        cursor.eat(separator)?;
        let year = cursor.number(2, 4)?;
        let year = if year < 100 { century(year) } else { year };
        let day = days(year, month, first)?;
        cursor.eat_any(b": T")?;
        let time = cursor.clock(b':')?;
        let zone = cursor.zone();
        return stamp(cursor.at, day, time, zone, Kind::Full);
    }
    if separator == b' ' {
        return None;
    }
    let second = cursor.number(1, 2)?;
    if cursor.peek() == Some(b' ') && separator != b'/' {
        // 03-17 16:13:38.811 (logcat), [10.30 16:49:06] (Proxifier)
        let day = days(STAND_IN_YEAR, first, second)?;
        cursor.spaces();
        let time = cursor.clock(b':')?;
        return stamp(cursor.at, day, time, 0, Kind::NoYear);
    }
    cursor.eat(separator)?;
    let start = cursor.at;
    let third = cursor.number(2, 4)?;
    let day = match cursor.at - start {
        4 if separator == b'.' || first > 12 => days(third, second, first)?,
        4 => days(third, first, second)?,
        2 => days(century(first), second, third)
            .or_else(|| days(century(third), first, second))
            .or_else(|| days(century(third), second, first))?,
        _ => return None,
    };
    cursor.eat_any(b" ,T-")?;
    cursor.spaces();
    let time = cursor.clock(b':')?;
    let zone = cursor.zone();
    stamp(cursor.at, day, time, zone, Kind::Full)
}

/// `I1123 12:34:56.789` (glog): month and day behind the letter of the level.
fn glog(bytes: &[u8]) -> Option<Stamp> {
    if !matches!(bytes[0], b'I' | b'W' | b'E' | b'F' | b'D' | b'C') {
        return None;
    }
    let mut cursor = Cursor { bytes, at: 1 };
    let date = cursor.number(4, 4)?;
    cursor.eat(b' ')?;
    let day = days(STAND_IN_YEAR, date / 100, date % 100)?;
    let time = cursor.clock(b':')?;
    stamp(cursor.at, day, time, 0, Kind::NoYear)
}

/// Everything that starts with the name of a month or weekday.
fn named(bytes: &[u8]) -> Option<Stamp> {
    let mut cursor = Cursor { bytes, at: 0 };
    if matches!(&bytes[..3], b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun") {
        cursor.at = 3;
        cursor.eat(b',');
        if cursor.spaces() == 0 {
            return None;
        }
        if cursor.peek()?.is_ascii_digit() {
            let rest = day_or_month_first(Cursor { bytes: &bytes[cursor.at..], at: 0 })?;
            return Some(Stamp { len: rest.len + cursor.at, ..rest });
        }
    }
    let month = cursor.month()?;
    if cursor.spaces() == 0 {
        return None;
    }
    let day = cursor.number(1, 2)?;
    cursor.eat(b',');
    if cursor.spaces() == 0 {
        return None;
    }
    let mut year = None;
    let ahead = cursor.bytes.get(cursor.at..).unwrap_or_default();
    if ahead.iter().take_while(|b| b.is_ascii_digit()).count() == 4 {
        year = cursor.number(4, 4);
        if cursor.eat_any(b" ,").is_none() || cursor.spaces() > 2 {
            return None;
        }
    }
    let time = cursor.clock(b':')?;
    let zone = cursor.zone();
    if year.is_none() {
        // Sun Dec 04 04:47:44 2005 and Thu Jun 2 00:01:01 UTC 2022 end with the year.
        let back = cursor.at;
        let found = (cursor.spaces() == 1).then(|| cursor.number(4, 4)).flatten();
        let ends = !cursor.peek().is_some_and(|b| b.is_ascii_alphanumeric() || b == b':');
        match found {
            Some(found) if ends && (1970..2100).contains(&found) => year = Some(found),
            _ => cursor.at = back,
        }
    }
    let kind = if year.is_some() { Kind::Full } else { Kind::NoYear };
    let day = days(year.unwrap_or(STAND_IN_YEAR), month, day)?;
    stamp(cursor.at, day, time, zone, kind)
}

/// Fills in from neighbouring lines what a time lacks: counts years up when December turns into
/// January, and days up when the clock starts again.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    /// Years and days added to times without year and date.
    years: i64,
    days: i64,
    last_month: i64,
    last_us: i64,
    /// Latest time that was complete.
    latest_full_us: Option<i64>,
    /// Whether the last time lacked its year, whether any did, and whether any lacked its date.
    pub(super) just_yearless: bool,
    pub(super) yearless: bool,
    pub(super) dateless: bool,
}

impl Calendar {
    /// Microseconds since 1970 of a stamp, in the order of the file.
    pub(super) fn settle(&mut self, stamp: Stamp) -> i64 {
        self.just_yearless = stamp.kind == Kind::NoYear;
        match stamp.kind {
            Kind::Full | Kind::Epoch => {
                self.latest_full_us = self.latest_full_us.max(Some(stamp.us));
                stamp.us
            }
            Kind::NoYear => {
                self.yearless = true;
                let (_, month, _) = civil(stamp.us.div_euclid(DAY_US));
                match (self.last_month, month) {
                    (11 | 12, 1 | 2) => self.years += 1,
                    (1 | 2, 11 | 12) if self.years > 0 => self.years -= 1,
                    _ => {}
                }
                self.last_month = month;
                shift_years(stamp.us, self.years)
            }
            Kind::NoDate => {
                self.dateless = true;
                if self.last_us - stamp.us > DAY_US / 2 {
                    self.days += 1;
                }
                self.last_us = stamp.us;
                stamp.us + self.days * DAY_US
            }
        }
    }

    /// Whether something tells the year of times without one.
    pub(super) fn knows_year(&self, received_us: Option<i64>) -> bool {
        received_us.is_some() || self.latest_full_us.is_some()
    }

    /// Years to add to every time without a year, so that the last of them lies in the latest year
    /// that is not after `received_us`, or after the latest complete time of the file.
    pub(super) fn years_to_add(&self, last_us: i64, received_us: Option<i64>) -> i64 {
        let known = self.latest_full_us.or(received_us).filter(|_| self.yearless);
        let Some(received_us) = known else { return 0 };
        let (now, _, _) = civil(received_us.div_euclid(DAY_US));
        let (last, _, _) = civil(last_us.div_euclid(DAY_US));
        let years = now - last;
        // A day of grace for clocks and zones that run ahead.
        if shift_years(last_us, years) > received_us + DAY_US { years - 1 } else { years }
    }
}

/// The same day and time `years` later; 29 February becomes 1 March where it must.
pub(super) fn shift_years(us: i64, years: i64) -> i64 {
    if years == 0 {
        return us;
    }
    let (year, month, day) = civil(us.div_euclid(DAY_US));
    match days(year + years, month, day) {
        Some(days) => days * DAY_US + us.rem_euclid(DAY_US),
        None => us,
    }
}

#[cfg(test)]
mod tests {
    use super::{Calendar, Kind, parse};
    use crate::base::Time;

    fn check(text: &str, expected: &str, kind: Kind) {
        let found = parse(text.as_bytes()).unwrap_or_else(|| panic!("no time in {text}"));
        assert_eq!(Time::from_unix_us(found.us).to_string(), expected, "{text}");
        assert_eq!(found.kind, kind, "{text}");
        let rest = &text[found.len..];
        assert!(rest.is_empty() || rest.starts_with([' ', ']', ',', '|', ':']), "{text}: {rest}");
    }

    #[test]
    fn complete_times_are_read_in_every_common_spelling() {
        for (text, expected) in [
            ("2024-02-29T13:14:15Z", "2024-02-29T13:14:15Z"),
            ("2024-02-29T13:14:15.123456789+02:00 x", "2024-02-29T11:14:15.123456Z"),
            ("2024-02-29 13:14:15,123 INFO", "2024-02-29T13:14:15.123Z"),
            ("2024-02-29 13:14:15.5 -0330", "2024-02-29T16:44:15.5Z"),
            ("2024/02/29 13:14:15 [error]", "2024-02-29T13:14:15Z"),
            ("2024-02-29 13:14:15.095 CEST [7]", "2024-02-29T11:14:15.095Z"),
            ("2024-02-29T13:14:15.3FOO err", "2024-02-29T13:14:15.3Z"),
            ("2005-06-03-15.42.50.675872 R02", "2005-06-03T15:42:50.675872Z"),
            ("081109 203615 148 INFO", "2008-11-09T20:36:15Z"),
            ("17/06/09 20:10:40 INFO", "2017-06-09T20:10:40Z"),
            ("06/17/2009 08:10:40 PM x", "2009-06-17T20:10:40Z"),
            ("17.06.2009 20:10:40", "2009-06-17T20:10:40Z"),
            ("Sun Dec 04 04:47:44 2005] [notice]", "2005-12-04T04:47:44Z"),
            ("Sun Dec 04 04:47:44.250000 2005", "2005-12-04T04:47:44.25Z"),
            ("Thu Jun 2 00:01:01 UTC 2022", "2022-06-02T00:01:01Z"),
            ("Sun, 04 Dec 2005 04:47:44 GMT", "2005-12-04T04:47:44Z"),
            ("10/Oct/2000:13:55:36 -0700] x", "2000-10-10T20:55:36Z"),
            ("Jul 09, 2015 3:23:29 PM com.x", "2015-07-09T15:23:29Z"),
            ("20171223-22:15:29:606|x", "2017-12-23T22:15:29.606Z"),
            ("20171223-23:21:0:125|x", "2017-12-23T23:21:00.125Z"),
            ("20171223T221529Z", "2017-12-23T22:15:29Z"),
            ("20171223221529", "2017-12-23T22:15:29Z"),
        ] {
            check(text, expected, Kind::Full);
        }
    }

    #[test]
    fn numbers_since_1970_are_read_in_four_units() {
        for text in ["1700000000", "1700000000000", "1700000000000000", "1700000000000000000"] {
            check(text, "2023-11-14T22:13:20Z", Kind::Epoch);
        }
        check("1700000000.25 x", "2023-11-14T22:13:20.25Z", Kind::Epoch);
    }

    #[test]
    fn times_without_year_or_date_say_so() {
        check("Jun 14 15:16:01 combo", "2000-06-14T15:16:01Z", Kind::NoYear);
        check("Jun  4 15:16:01.5 combo", "2000-06-04T15:16:01.5Z", Kind::NoYear);
        check("03-17 16:13:38.811 1702", "2000-03-17T16:13:38.811Z", Kind::NoYear);
        check("10.30 16:49:06] chrome", "2000-10-30T16:49:06Z", Kind::NoYear);
        check("I1123 12:34:56.789012 1 x", "2000-11-23T12:34:56.789012Z", Kind::NoYear);
        check("16:13:38.811 x", "1970-01-01T16:13:38.811Z", Kind::NoDate);
    }

    #[test]
    fn other_numbers_and_names_are_no_times() {
        for text in [
            "10.250.19.102:50010 Served",
            "2024-13-01 10:00:00",
            "1234567",
            "9999999999999999999",
            "99999999999999999999",
            "May the force",
            "Sunday was fine",
            "12:34",
            "2024-02-29",
            "1.16 KB",
            "512",
            "9 x",
            "0000000000",
            "4294967295",
            "A1234 12",
            "",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_new_year_is_noticed_and_the_reception_gives_the_year() {
        let mut calendar = Calendar::default();
        let mut last = 0;
        for text in ["Dec 31 23:59:59 a", "Jan  1 00:00:01 a"] {
            last = calendar.settle(parse(text.as_bytes()).unwrap());
        }
        assert_eq!(Time::from_unix_us(last).to_string(), "2001-01-01T00:00:01Z");
        let received = Time::parse("2026-11-23T00:00:00Z").unwrap().unix_us();
        assert_eq!(calendar.years_to_add(last, Some(received)), 25);
        assert_eq!(calendar.years_to_add(last, None), 0);
    }
}
