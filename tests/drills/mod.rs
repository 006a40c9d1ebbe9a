//! Drills: the store is hurt on purpose, for long, and must have lost nothing. They are ignored by
//! an ordinary run; `make drills` runs them and prints their figures.

#![allow(clippy::print_stdout, reason = "a drill reports its figures")]

mod client;
mod disk_full;
mod kill;
mod ledger;

use std::str::FromStr;

/// A figure that the environment may change.
fn setting<T: FromStr>(name: &str, default: T) -> T {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.parse().ok().unwrap_or_else(|| panic!("{name}={text}")))
}

/// Pseudo-random numbers (splitmix64): the same seed, the same drill.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// One of them; none of none.
    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let count = from.len() as u64;
        (count > 0).then(|| &from[usize::try_from(self.below(count)).unwrap()])
    }
}
