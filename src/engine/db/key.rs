//! One order-preserving key encoding for primary keys and indexes.
//!
//! Numbers are big-endian, instants are shifted into unsigned order, text ends with two zero bytes
//! (a zero inside becomes `00 FF`), so that every component is prefix-free and byte order is value
//! order.

use crate::base::id::{Id, Kind};
use crate::base::time::Time;

/// A key under construction; components are appended in order of significance.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyBuf(Vec<u8>);

/// An empty key to append to.
pub fn key() -> KeyBuf {
    KeyBuf(Vec::with_capacity(40))
}

impl KeyBuf {
    /// Appends an id: 16 bytes.
    pub fn id<K: Kind>(mut self, id: &Id<K>) -> Self {
        self.0.extend_from_slice(id.as_bytes());
        self
    }

    /// Appends text.
    pub fn str(mut self, text: &str) -> Self {
        for byte in text.bytes() {
            self.0.push(byte);
            if byte == 0 {
                self.0.push(0xFF);
            }
        }
        self.0.extend_from_slice(&[0, 0]);
        self
    }

    /// Appends fixed-length bytes, such as a hash.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Appends an unsigned number.
    pub fn u64(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// Appends a small number, such as the position of a status.
    pub fn u8(mut self, number: u8) -> Self {
        self.0.push(number);
        self
    }

    /// Appends an instant, oldest first.
    pub fn time(self, time: Time) -> Self {
        self.u64(ordered(time))
    }

    /// Appends an instant, newest first.
    pub fn time_desc(self, time: Time) -> Self {
        self.u64(!ordered(time))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The smallest key that is larger than every key starting with this one, if there is one.
    pub(super) fn after_prefix(&self) -> Option<Vec<u8>> {
        let mut end = self.0.clone();
        while let Some(last) = end.pop() {
            if last < 0xFF {
                end.push(last + 1);
                return Some(end);
            }
        }
        None
    }
}

/// An instant as an unsigned number in the same order.
fn ordered(time: Time) -> u64 {
    time.unix_us().cast_unsigned() ^ (1 << 63)
}

/// A primary key.
pub trait Key {
    /// Appends the key's components.
    fn append(&self, to: KeyBuf) -> KeyBuf;
}

impl<K: Kind> Key for Id<K> {
    fn append(&self, to: KeyBuf) -> KeyBuf {
        to.id(self)
    }
}

impl Key for String {
    fn append(&self, to: KeyBuf) -> KeyBuf {
        to.str(self)
    }
}

impl Key for u64 {
    fn append(&self, to: KeyBuf) -> KeyBuf {
        to.u64(*self)
    }
}

impl<const N: usize> Key for [u8; N] {
    fn append(&self, to: KeyBuf) -> KeyBuf {
        to.raw(self)
    }
}

impl<A: Key, B: Key> Key for (A, B) {
    fn append(&self, to: KeyBuf) -> KeyBuf {
        self.1.append(self.0.append(to))
    }
}

impl<A: Key, B: Key, C: Key> Key for (A, B, C) {
    fn append(&self, to: KeyBuf) -> KeyBuf {
        self.2.append(self.1.append(self.0.append(to)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn byte_order_is_value_order(
            a in (any::<i64>(), ".{0,8}", any::<u64>()),
            b in (any::<i64>(), ".{0,8}", any::<u64>()),
        ) {
            let encode = |v: &(i64, String, u64)| {
                key().time(Time::from_unix_us(v.0)).str(&v.1).u64(v.2)
            };
            let value = |v: &(i64, String, u64)| (Time::from_unix_us(v.0), v.1.clone(), v.2);
            prop_assert_eq!(encode(&a).cmp(&encode(&b)), value(&a).cmp(&value(&b)));
        }

        #[test]
        fn newest_first_reverses(a in any::<i64>(), b in any::<i64>()) {
            let (a, b) = (Time::from_unix_us(a), Time::from_unix_us(b));
            prop_assert_eq!(key().time_desc(a).cmp(&key().time_desc(b)), b.cmp(&a));
        }
    }

    #[test]
    fn the_end_of_a_prefix_skips_full_bytes() {
        assert_eq!(key().raw(&[1, 0xFF]).after_prefix(), Some(vec![2]));
        assert_eq!(key().raw(&[0xFF]).after_prefix(), None);
    }
}
