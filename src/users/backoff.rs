//! Back-off after failed sign-ins: guesses at one name get slower, nobody is locked out for good.

use crate::base::Time;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Failures in a row before the first wait: a person mistypes, a program guesses.
const FREE_FAILURES: u32 = 5;
/// First wait; doubles with each further failure.
const WAIT_FIRST_MS: i64 = 1_000;
/// Longest wait: still 288 guesses a day, against 10^14 for the weakest password allowed.
const WAIT_MAX_MS: i64 = 5 * 60 * 1_000;
/// Failures are forgotten this long after the last one.
const MEMORY_MS: i64 = 60 * 60 * 1_000;
/// Names remembered, about 60 bytes each. Pushing one out takes as many password hashes.
const NAMES_MAX: usize = 10_000;

/// What a name is remembered by: a hash, because people type passwords into the name field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Guessed([u8; 32]);

impl Guessed {
    /// Of the name as typed, folded by the caller. Unknown names are counted like known ones, so
    /// that waiting tells nothing about existence.
    pub(super) fn name(folded: &str) -> Self {
        Self(Sha256::digest(folded).into())
    }
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Time,
    free_at: Time,
}

/// Failed sign-ins in memory; a restart forgets them.
#[derive(Debug, Default)]
pub(super) struct BackOff {
    names: Mutex<HashMap<Guessed, Failures>>,
}

impl BackOff {
    /// Whether a guess is allowed now.
    ///
    /// # Errors
    /// Seconds to wait, at least 1.
    pub(super) fn check(&self, name: Guessed, now: Time) -> Result<(), u64> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let wait_ms = names.get(&name).map_or(0, |failures| failures.free_at.since_ms(now));
        match u64::try_from(wait_ms) {
            Ok(ms) if ms > 0 => Err(ms.div_ceil(1000)),
            _ => Ok(()),
        }
    }

    /// Notes a wrong guess.
    pub(super) fn failed(&self, name: Guessed, now: Time) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let before = names.get(&name).filter(|f| now.since_ms(f.last) < MEMORY_MS);
        let count = before.map_or(0, |f| f.count).saturating_add(1);
        if before.is_none() && names.len() >= NAMES_MAX {
            make_room(&mut names, now);
        }
        let wait_ms = match count.checked_sub(FREE_FAILURES) {
            Some(over) => WAIT_FIRST_MS.saturating_mul(1 << over.min(20)).min(WAIT_MAX_MS),
            None => 0,
        };
        names.insert(name, Failures { count, last: now, free_at: now.plus_ms(wait_ms) });
    }

    /// Forgets a name after a right password.
    pub(super) fn succeeded(&self, name: Guessed) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
    }
}

/// Drops what is forgotten anyway, or else the name that failed longest ago.
fn make_room(names: &mut HashMap<Guessed, Failures>, now: Time) {
    names.retain(|_, failures| now.since_ms(failures.last) < MEMORY_MS);
    if names.len() >= NAMES_MAX
        && let Some(oldest) = names.iter().min_by_key(|(_, f)| f.last).map(|(name, _)| *name)
    {
        names.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time::from_unix_us(1_700_000_000_000_000);

    #[test]
    fn the_wait_doubles_to_a_bound_and_ends() {
        let (back_off, ada) = (BackOff::default(), Guessed::name("ada"));
        let mut now = START;
        let mut waits = Vec::new();
        for _ in 0..16 {
            back_off.failed(ada, now);
            let wait = back_off.check(ada, now).err().unwrap_or(0);
            waits.push(wait);
            now = now.plus_ms(i64::try_from(wait).unwrap() * 1000);
            assert_eq!(back_off.check(ada, now), Ok(()), "free again after {wait} s");
        }
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(back_off.check(Guessed::name("bob"), now), Ok(()));
    }

    #[test]
    fn success_and_time_forget_failures() {
        let (back_off, ada) = (BackOff::default(), Guessed::name("ada"));
        for _ in 0..FREE_FAILURES {
            back_off.failed(ada, START);
        }
        assert_eq!(back_off.check(ada, START), Err(1));
        back_off.succeeded(ada);
        assert_eq!(back_off.check(ada, START), Ok(()));
        for _ in 0..FREE_FAILURES {
            back_off.failed(ada, START);
        }
        let later = START.plus_ms(MEMORY_MS);
        back_off.failed(ada, later);
        assert_eq!(back_off.check(ada, later), Ok(()), "an hour later counting starts again");
    }

    #[test]
    fn memory_is_bounded_and_loses_the_oldest_name_first() {
        let back_off = BackOff::default();
        let name = |i: usize| Guessed::name(&i.to_string());
        for i in 0..=NAMES_MAX {
            back_off.failed(name(i), START.plus_ms(i64::try_from(i).unwrap()));
        }
        let names = back_off.names.lock().unwrap();
        assert_eq!(names.len(), NAMES_MAX);
        assert!(!names.contains_key(&name(0)) && names.contains_key(&name(NAMES_MAX)));
    }
}
