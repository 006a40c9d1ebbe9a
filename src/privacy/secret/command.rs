//! Passwords on command lines and in SQL.

use super::value;
use crate::privacy::mark::{at, before, has, is_blank, is_stand_in, is_word, run};
use crate::privacy::{Kind, spans::Span};

/// Longest command looked through, in bytes.
const COMMAND_BYTES_MAX: usize = 512;

/// `curl -u user:password`, `sshpass -p password`, `mysql -ppassword`, `redis-cli -a password`.
pub(crate) fn command_password(text: &[u8], start: usize, end: usize, out: &mut Vec<Span>) {
    if is_word(before(text, start)) {
        return;
    }
    let stop = run(text, end, COMMAND_BYTES_MAX, |b| b != b'\n');
    let mut word = end;
    while word < stop {
        word = run(text, word, stop - word, is_blank);
        let word_end = run(text, word, stop - word, |b| !is_blank(b));
        let next = run(text, word_end, 8, is_blank);
        let flag = text.get(word..word_end).unwrap_or_default();
        if has(text, start, "curl") && (flag == b"-u" || flag == b"--user") {
            login(text, next, stop, out);
        } else if has(text, start, "sshpass") && flag == b"-p"
            || has(text, start, "redis-cli") && flag == b"-a"
        {
            push(text, next, stop, out);
        } else if has(text, start, "mysql") && flag.starts_with(b"-p") && flag.len() > 4 {
            push(text, word + 2, stop, out);
        }
        word = word_end.max(word + 1);
    }
}

/// `IDENTIFIED BY 'password'`; `end` is behind `by`.
pub(crate) fn identified_by(text: &[u8], end: usize, out: &mut Vec<Span>) {
    let start = run(text, end, 8, is_blank);
    let start = if has(text, start, "password ") { start + 9 } else { start };
    push(text, start, text.len(), out);
}

/// The part of `user:password` behind the colon.
fn login(text: &[u8], start: usize, stop: usize, out: &mut Vec<Span>) {
    let found = value::quoted_or_word(text, start);
    let Some(value) = text.get(found.start..found.end.min(stop)) else { return };
    if let Some(colon) = value.iter().position(|b| *b == b':') {
        push(text, found.start + colon + 1, stop, out);
    }
}

fn push(text: &[u8], start: usize, stop: usize, out: &mut Vec<Span>) {
    let found = value::quoted_or_word(text, start);
    let end = found.end.min(stop);
    let Some(value) = text.get(found.start..end) else { return };
    if !value.is_empty() && !is_stand_in(value) && at(text, found.start) != b'-' {
        out.push(Span::new(found.start, end, Kind::Password));
    }
}
