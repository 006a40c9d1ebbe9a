//! Instants in microseconds and the one door to the wall clock.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// An instant: microseconds since 1970-01-01T00:00:00Z. RFC 3339 with `Z` in JSON, 8 bytes in rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

/// Last instant that RFC 3339 can spell: 9999-12-31T23:59:59Z.
const LAST_UNIX_US: i64 = 253_402_300_799_000_000;

impl Time {
    /// From microseconds since the epoch, clamped to the years 0 to 9999.
    pub const fn from_unix_us(us: i64) -> Self {
        if us > LAST_UNIX_US {
            Self(LAST_UNIX_US)
        } else if us < -62_167_219_200_000_000 {
            Self(-62_167_219_200_000_000)
        } else {
            Self(us)
        }
    }

    /// Microseconds since the epoch.
    pub const fn unix_us(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded down.
    pub const fn unix_ms(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The instant `ms` milliseconds later (earlier when negative).
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self::from_unix_us(self.0.saturating_add(ms.saturating_mul(1000)))
    }

    /// Milliseconds from `earlier` to this instant; negative when `earlier` is later.
    pub const fn since_ms(self, earlier: Self) -> i64 {
        (self.0 - earlier.0) / 1000
    }

    /// Parses RFC 3339 with any offset.
    pub fn parse(text: &str) -> Option<Self> {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(at.unix_timestamp_nanos() / 1000).ok().map(Self::from_unix_us)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1000)
            .map_err(|_| fmt::Error)?;
        f.write_str(&at.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.collect_str(self) } else { to.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            let text = String::deserialize(from)?;
            Self::parse(&text).ok_or_else(|| de::Error::custom("expected an RFC 3339 time"))
        } else {
            i64::deserialize(from).map(Self)
        }
    }
}

impl utoipa::PartialSchema for Time {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(
                utoipa::openapi::KnownFormat::DateTime,
            )))
            .into()
    }
}

impl utoipa::ToSchema for Time {}

/// Where `now` comes from: the system, or a hand that a test moves.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// Microseconds since the epoch; `None` reads the system's clock.
    hand: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self { hand: None }
    }

    /// A clock that stands still until [`Clock::advance_ms`] moves it.
    pub fn standing_at(time: Time) -> Self {
        Self { hand: Some(Arc::new(AtomicI64::new(time.unix_us()))) }
    }

    /// The current instant.
    pub fn now(&self) -> Time {
        match &self.hand {
            Some(hand) => Time::from_unix_us(hand.load(Ordering::SeqCst)),
            None => {
                let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1000;
                Time::from_unix_us(i64::try_from(now).unwrap_or(LAST_UNIX_US))
            }
        }
    }

    /// Moves a standing clock forward; the system's clock is left alone.
    pub fn advance_ms(&self, ms: i64) {
        if let Some(hand) = &self.hand {
            hand.fetch_add(ms.saturating_mul(1000), Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_survives_its_text() {
        for us in [0, 1, -1, 1_700_000_000_123_456, LAST_UNIX_US] {
            let time = Time::from_unix_us(us);
            assert_eq!(Time::parse(&time.to_string()), Some(time), "{time}");
        }
    }

    #[test]
    fn offsets_are_folded_into_utc() {
        assert_eq!(
            Time::parse("2026-01-02T03:04:05+02:00").map(|t| t.to_string()).as_deref(),
            Some("2026-01-02T01:04:05Z")
        );
        assert_eq!(Time::parse("yesterday"), None);
    }
}
