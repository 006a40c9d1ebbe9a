//! The audit chain: rows that are added in the commit they describe and never changed.
//!
//! Entry `n` carries the hash of entry `n - 1` and its own, SHA-256 over that hash and the entry's
//! canonical bytes. The number and hash of the last entry stand in a mark beside the table, so that
//! removing entries from the end is seen too. Somebody who can rewrite the whole file can rewrite
//! the chain; compare the head with one noted elsewhere ([`Verified`]) to see that as well.

use super::error::OpsError;
use crate::base::id::EventId;
use crate::base::{Actor, Json, Page, PageRequest, Time};
use crate::engine::db::{DbError, Index, Row, Span, View, Write, key};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::ops::ControlFlow;

pub use super::event::Category;

/// Mark that holds the number and hash of the last entry.
const HEAD: &str = "audit_head";
/// Starts the hashed bytes; a change of the canonical form needs another.
const DOMAIN: &[u8] = b"faultmaven-audit-1";

/// Who did something, as the chain spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// A user id, `anonymous`, or `system:` and the part of the program.
    pub actor: String,
    /// Where the request came from.
    pub address: Option<String>,
}

impl Who {
    /// Spells an actor and an address.
    pub fn from(actor: &Actor, address: Option<IpAddr>) -> Self {
        Self { actor: actor.label(), address: address.map(|address| address.to_string()) }
    }
}

/// What is to be recorded.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Id of the event.
    pub event_id: EventId,
    /// When it happened.
    pub at: Time,
    /// Who did it, as [`Who`] spells it.
    pub actor: String,
    /// One of [`super::event`].
    pub event_type: &'static str,
    /// What it is about.
    pub category: Category,
    /// Kind of the thing it was done to, for example `case`.
    pub resource_type: &'static str,
    /// Id of the thing.
    pub resource_id: String,
    /// What else is worth knowing; never a secret or a content.
    pub details: Json,
    /// Where the request came from, as [`Who`] spells it.
    pub address: Option<String>,
    /// Whether it was done; `false` for an attempt that was refused.
    pub success: bool,
}

/// An entry in its place in the chain. About 400 bytes; one for every act worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Place in the chain, from 1.
    pub sequence: u64,
    /// Hash of the entry before; zeros for the first.
    pub prev_hash: [u8; 32],
    /// SHA-256 over the domain, `prev_hash` and the canonical bytes of the rest.
    pub hash: [u8; 32],
    /// Id of the event.
    pub event_id: EventId,
    /// When it happened.
    pub at: Time,
    /// Who did it.
    pub actor: String,
    /// One of [`super::event`].
    pub event_type: String,
    /// What it is about.
    pub category: Category,
    /// Kind of the thing it was done to.
    pub resource_type: String,
    /// Id of the thing.
    pub resource_id: String,
    /// What else is worth knowing.
    pub details: Json,
    /// Where the request came from.
    pub address: Option<String>,
    /// Whether it was done.
    pub success: bool,
}

/// Newest first.
const BY_TIME: Index<AuditRow> = Index::many("audit_by_time", |row| Some(key().time_desc(row.at)));
/// What one actor did, newest first.
const BY_ACTOR: Index<AuditRow> =
    Index::many("audit_by_actor", |row| Some(key().str(&row.actor).time_desc(row.at)));
/// What was done to one thing, newest first.
const BY_RESOURCE: Index<AuditRow> = Index::many("audit_by_resource", |row| {
    Some(key().str(&row.resource_type).str(&row.resource_id).time_desc(row.at))
});

impl Row for AuditRow {
    type Key = u64;
    const TABLE: &'static str = "audit";
    const INDEXES: &'static [Index<Self>] = &[BY_TIME, BY_ACTOR, BY_RESOURCE];

    fn key(&self) -> u64 {
        self.sequence
    }
}

impl AuditRow {
    /// The hash this entry must have. Every field is taken apart here, so that a new one cannot be
    /// forgotten; text is preceded by its length, so that no two entries share their bytes.
    fn expected_hash(&self) -> [u8; 32] {
        let Self {
            sequence,
            prev_hash,
            hash: _,
            event_id,
            at,
            actor,
            event_type,
            category,
            resource_type,
            resource_id,
            details,
            address,
            success,
        } = self;
        let mut hasher = Sha256::new_with_prefix(DOMAIN);
        hasher.update(prev_hash);
        hasher.update(sequence.to_be_bytes());
        hasher.update(event_id.as_bytes());
        hasher.update(at.unix_us().to_be_bytes());
        let address_text = address.as_deref().unwrap_or_default();
        let texts = [
            actor,
            event_type,
            category.as_str(),
            resource_type,
            resource_id,
            details.as_str(),
            address_text,
        ];
        for text in texts {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text);
        }
        hasher.update([u8::from(address.is_some()), u8::from(*success)]);
        hasher.finalize().into()
    }
}

/// The end of the chain: how many entries there are and the hash of the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Head {
    entries: u64,
    hash: [u8; 32],
}

impl Head {
    fn load(tx: &impl View) -> Result<Self, DbError> {
        let Some(bytes) = tx.mark(HEAD)? else { return Ok(Self::default()) };
        let decode = || {
            let (entries, hash) = bytes.split_first_chunk::<8>()?;
            Some(Self { entries: u64::from_be_bytes(*entries), hash: hash.try_into().ok()? })
        };
        decode().ok_or_else(|| DbError::Decode {
            table: AuditRow::TABLE,
            detail: format!("a head of {} bytes", bytes.len()),
        })
    }

    fn store(self, tx: &Write<'_>) -> Result<(), DbError> {
        let mut bytes = self.entries.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.hash);
        tx.set_mark(HEAD, &bytes)
    }
}

/// Adds an entry at the end of the chain, in the commit it describes.
///
/// # Errors
/// [`DbError`] when the store fails; the act then fails with its record.
pub fn record(tx: &Write<'_>, entry: Entry) -> Result<(), DbError> {
    let head = Head::load(tx)?;
    let mut row = AuditRow {
        sequence: head.entries + 1,
        prev_hash: head.hash,
        hash: [0; 32],
        event_id: entry.event_id,
        at: entry.at,
        actor: entry.actor,
        event_type: entry.event_type.into(),
        category: entry.category,
        resource_type: entry.resource_type.into(),
        resource_id: entry.resource_id,
        details: entry.details,
        address: entry.address,
        success: entry.success,
    };
    row.hash = row.expected_hash();
    tx.insert(&row)?;
    Head { entries: row.sequence, hash: row.hash }.store(tx)
}

/// A chain that holds, and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Number of entries.
    pub entries: u64,
    /// Hash of the last entry in hexadecimal; zeros for an empty chain.
    pub head: String,
}

/// Recomputes the whole chain.
///
/// # Errors
/// [`OpsError::Chain`] naming the first entry that was edited, removed or moved;
/// [`OpsError::Storage`] when the store fails.
pub fn verify(tx: &impl View) -> Result<Verified, OpsError> {
    let mut last = Head::default();
    let mut broken = None;
    let walked = tx.each_row::<AuditRow>(&Span::all(), |row| {
        broken = fault(&row, &last);
        last = Head { entries: row.sequence, hash: row.hash };
        if broken.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let chain = |first_bad, why| Err(OpsError::Chain { first_bad, why });
    match walked {
        Err(DbError::Decode { .. }) => return chain(last.entries + 1, "it does not decode"),
        other => other?,
    }
    if let Some((first_bad, why)) = broken {
        return chain(first_bad, why);
    }
    let head = match Head::load(tx) {
        Err(DbError::Decode { .. }) => return chain(last.entries, "the head does not decode"),
        head => head?,
    };
    if head.entries > last.entries {
        return chain(last.entries + 1, "entries are missing at the end");
    }
    if head != last {
        return chain(last.entries, "the head is of another entry");
    }
    let head = last.hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Verified { entries: last.entries, head })
}

/// What is wrong with an entry that follows `last`.
fn fault(row: &AuditRow, last: &Head) -> Option<(u64, &'static str)> {
    let expected = last.entries + 1;
    if row.sequence != expected {
        return Some((expected, "it is missing"));
    }
    if row.prev_hash != last.hash {
        return Some((expected, "it does not follow the entry before"));
    }
    (row.hash != row.expected_hash()).then_some((expected, "it was edited"))
}

/// The newest entries.
///
/// # Errors
/// [`DbError`] when the store fails.
pub fn recent(tx: &impl View, request: PageRequest) -> Result<Page<AuditRow>, DbError> {
    tx.page(&BY_TIME, &Span::all(), request)
}

/// The newest entries from `since` (included) to `until` (excluded).
///
/// # Errors
/// [`DbError`] when the store fails.
pub fn between(
    tx: &impl View,
    since: Time,
    until: Time,
    request: PageRequest,
) -> Result<Page<AuditRow>, DbError> {
    let span = Span::all().after(&key().time_desc(until));
    // The index runs backwards in time, so the span ends just behind the keys of `since`.
    let span = span.before(&key().time_desc(Time::from_unix_us(since.unix_us() - 1)));
    tx.page(&BY_TIME, &span, request)
}

/// What one actor did, newest first.
///
/// # Errors
/// [`DbError`] when the store fails.
pub fn of_actor(
    tx: &impl View,
    actor: &str,
    request: PageRequest,
) -> Result<Page<AuditRow>, DbError> {
    tx.page(&BY_ACTOR, &Span::prefix(&key().str(actor)), request)
}

/// What was done to one thing, newest first.
///
/// # Errors
/// [`DbError`] when the store fails.
pub fn of_resource(
    tx: &impl View,
    resource_type: &str,
    resource_id: &str,
    request: PageRequest,
) -> Result<Page<AuditRow>, DbError> {
    tx.page(&BY_RESOURCE, &Span::prefix(&key().str(resource_type).str(resource_id)), request)
}
