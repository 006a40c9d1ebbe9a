//! Sessions: a client that is there, a sign-in, or both. TTLs slide and are enforced on read.

use super::error::UsersError;
use super::tables::{
    ANONYMOUS, BY_CLIENT, BY_NETWORK, BY_USER, SHELVES, SessionRow, client_key, network_key, shelf,
};
use crate::base::id::{SessionId, UserId};
use crate::base::{FieldError, Json, Page, PageRequest, Time};
use crate::engine::db::{Index, Span, View, Write, key};
use std::net::{IpAddr, Ipv6Addr};
use std::ops::ControlFlow;

/// Sliding life of a session for which none is asked, in minutes (ruling 22).
pub(super) const TTL_MINUTES_DEFAULT: u32 = 30;
/// Lives that can be asked for, in minutes (ruling 22).
const TTL_MINUTES: std::ops::RangeInclusive<u32> = 60..=480;
/// Longest client id in characters (reference-facts 7).
const CLIENT_ID_CHARS_MAX: usize = 255;
/// Longest session type in bytes.
const TYPE_BYTES_MAX: usize = 64;
/// Largest metadata in bytes: anybody can open a session, so it is no place to store things.
const METADATA_BYTES_MAX: usize = 4 * 1024;
/// Sessions of one person; the one idle longest makes room for the next.
const PER_USER_MAX: usize = 100;
/// Sessions of one network that nobody has signed in with; the one idle longest makes room for the
/// next. They last until sign-in, so a few for each browser behind an address are enough, and who
/// opens them in a loop pushes out none but their own.
const PER_NETWORK_MAX: usize = 20;
/// Sessions of one shelf that nobody has signed in with, 4,992 on all 64; the one idle longest makes
/// room for the next.
const PER_SHELF_MAX: usize = 4_992 / SHELVES as usize;
/// Type of a session for which none is given.
const TYPE_DEFAULT: &str = "troubleshooting";

/// What a client asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) client_id: Option<String>,
    pub(super) session_type: Option<String>,
    pub(super) timeout_minutes: Option<u32>,
    pub(super) metadata: Option<Json>,
}

impl Wanted {
    /// Checks every field and names all that are wrong.
    ///
    /// # Errors
    /// [`UsersError::Invalid`].
    pub(super) fn check(&self) -> Result<(), UsersError> {
        let mut wrong = Vec::new();
        let mut refuse = |field: &str, message: &str| wrong.push(FieldError::new(field, message));
        if self.timeout_minutes.is_some_and(|minutes| !TTL_MINUTES.contains(&minutes)) {
            refuse("timeout_minutes", "expected 60 to 480");
        }
        let client = self.client_id.as_deref().unwrap_or("-");
        if client.is_empty()
            || client.len() > CLIENT_ID_CHARS_MAX * 4
            || client.chars().count() > CLIENT_ID_CHARS_MAX
        {
            refuse("client_id", "expected 1 to 255 characters");
        }
        let kind = self.session_type.as_deref().unwrap_or(TYPE_DEFAULT);
        if kind.is_empty()
            || kind.len() > TYPE_BYTES_MAX
            || !kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        {
            refuse("session_type", "expected 1 to 64 letters, digits, dots, hyphens, underscores");
        }
        if let Some(metadata) = &self.metadata {
            if !metadata.as_str().starts_with('{') {
                refuse("metadata", "expected a JSON object");
            } else if metadata.as_str().len() > METADATA_BYTES_MAX {
                refuse("metadata", "larger than 4096 bytes");
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(UsersError::Invalid(wrong)) }
    }

    fn ttl_ms(&self) -> Option<i64> {
        self.timeout_minutes.map(minutes_ms)
    }
}

/// Minutes as milliseconds.
pub(super) fn minutes_ms(minutes: u32) -> i64 {
    i64::from(minutes) * 60_000
}

/// The network an address stands for: an IPv4 address, or the /64 of an IPv6 address, because one
/// customer has all of that (RFC 6177).
pub(super) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

/// Opens a session for who asks from `address`, or resumes the one the same user has with the same
/// client. Answers whether it was resumed.
pub(super) fn open(
    tx: &Write<'_>,
    session_id: SessionId,
    user_id: Option<UserId>,
    address: Option<IpAddr>,
    wanted: &Wanted,
    now: Time,
) -> Result<(SessionRow, bool), UsersError> {
    if let Some(client) = &wanted.client_id
        && let Some(mut row) = tx.find(&BY_CLIENT, &client_key(user_id, client))?
    {
        if row.ends_at() > now {
            row.last_activity_at = now;
            row.ttl_ms = wanted.ttl_ms().unwrap_or(row.ttl_ms);
            row.metadata = wanted.metadata.clone().unwrap_or(row.metadata);
            tx.put(&row)?;
            return Ok((row, true));
        }
        tx.delete::<SessionRow>(&row.session_id)?;
    }
    let network = address.filter(|_| user_id.is_none()).map(network_of);
    match user_id {
        Some(user) => make_room(tx, user)?,
        None => make_anonymous_room(tx, shelf(session_id), network)?,
    }
    let row = SessionRow {
        session_id,
        user_id,
        network,
        client_id: wanted.client_id.clone(),
        session_type: wanted.session_type.clone().unwrap_or_else(|| TYPE_DEFAULT.into()),
        metadata: wanted.metadata.clone().unwrap_or_default(),
        ttl_ms: wanted.ttl_ms().unwrap_or(minutes_ms(TTL_MINUTES_DEFAULT)),
        created_at: now,
        last_activity_at: now,
        signed_in_until: None,
    };
    tx.insert(&row)?;
    Ok((row, false))
}

/// The session a sign-in goes with: the anonymous one the client already has, bound to the user
/// now, or a new one.
pub(super) fn bind_or_open(
    tx: &Write<'_>,
    joined: Option<SessionId>,
    fresh: SessionId,
    user_id: UserId,
    now: Time,
) -> Result<SessionRow, UsersError> {
    let joined = match joined {
        Some(id) => tx.get::<SessionRow>(&id)?.filter(|r| r.user_id.is_none()),
        None => None,
    };
    let Some(mut row) = joined.filter(|row| row.expires_at() > now) else {
        return Ok(open(tx, fresh, Some(user_id), None, &Wanted::default(), now)?.0);
    };
    let known = match &row.client_id {
        Some(client) => tx.find(&BY_CLIENT, &client_key(Some(user_id), client))?,
        None => None,
    };
    if let Some(known) = known {
        // The person came back with a client that has a session of theirs: that one goes on.
        tx.delete::<SessionRow>(&row.session_id)?;
        return Ok(known);
    }
    make_room(tx, user_id)?;
    row.user_id = Some(user_id);
    row.network = None;
    tx.put(&row)?;
    Ok(row)
}

fn make_room(tx: &Write<'_>, user_id: UserId) -> Result<(), UsersError> {
    thin(tx, &BY_USER, &Span::prefix(&key().id(&user_id)), PER_USER_MAX)
}

fn make_anonymous_room(
    tx: &Write<'_>,
    shelf: u8,
    network: Option<IpAddr>,
) -> Result<(), UsersError> {
    if let Some(network) = network {
        thin(tx, &BY_NETWORK, &Span::prefix(&network_key(network)), PER_NETWORK_MAX)?;
    }
    thin(tx, &ANONYMOUS, &Span::prefix(&key().u8(shelf)), PER_SHELF_MAX)
}

/// Removes the first rows of a span until one more makes at most `max`. Every span that is thinned
/// before each insertion is at most `max` long, so this counts no further.
fn thin(
    tx: &Write<'_>,
    index: &Index<SessionRow>,
    span: &Span,
    max: usize,
) -> Result<(), UsersError> {
    let over = (tx.count(index, span)? + 1).saturating_sub(max);
    tx.delete_span(index, span, over)?;
    Ok(())
}

/// A session that is active, seen by its owner; one without an owner by whoever knows its id.
///
/// # Errors
/// [`UsersError::SessionMissing`] also when it is somebody else's or idle for too long.
pub(super) fn load(
    tx: &impl View,
    session_id: SessionId,
    user_id: Option<UserId>,
    now: Time,
) -> Result<SessionRow, UsersError> {
    tx.get::<SessionRow>(&session_id)?
        .filter(|row| row.expires_at() > now && (row.user_id.is_none() || row.user_id == user_id))
        .ok_or(UsersError::SessionMissing)
}

/// Slides a session along.
///
/// # Errors
/// As [`load`].
pub(super) fn touch(
    tx: &Write<'_>,
    session_id: SessionId,
    user_id: Option<UserId>,
    now: Time,
) -> Result<SessionRow, UsersError> {
    let mut row = load(tx, session_id, user_id, now)?;
    row.last_activity_at = now;
    tx.put(&row)?;
    Ok(row)
}

/// Ends a session and with it every token of its sign-in.
pub(super) fn end(tx: &Write<'_>, session_id: SessionId) -> Result<(), UsersError> {
    tx.delete::<SessionRow>(&session_id)?;
    Ok(())
}

/// Ends the sessions of a person but for `keep`; answers how many.
pub(super) fn end_all(
    tx: &Write<'_>,
    user_id: UserId,
    keep: Option<SessionId>,
) -> Result<usize, UsersError> {
    let mut ended = 0;
    for id in ids(tx, user_id)?.into_iter().filter(|id| Some(*id) != keep) {
        tx.delete::<SessionRow>(&id)?;
        ended += 1;
    }
    Ok(ended)
}

/// All sessions of a person, also idle ones.
pub(super) fn ids(tx: &impl View, user_id: UserId) -> Result<Vec<SessionId>, UsersError> {
    let span = Span::prefix(&key().id(&user_id));
    let rows: Vec<SessionRow> = tx.list(&BY_USER, &span, 0, PER_USER_MAX)?;
    Ok(rows.into_iter().map(|row| row.session_id).collect())
}

/// A person's active sessions, last active first.
pub(super) fn list(
    tx: &impl View,
    user_id: UserId,
    request: PageRequest,
    now: Time,
) -> Result<Page<SessionRow>, UsersError> {
    let mut page = Page { items: Vec::new(), total_count: 0, request };
    tx.each(&BY_USER, &Span::prefix(&key().id(&user_id)).reversed(), |row: SessionRow| {
        if row.expires_at() > now {
            if page.total_count >= request.offset && page.items.len() < request.limit {
                page.items.push(row);
            }
            page.total_count += 1;
        }
        ControlFlow::Continue(())
    })?;
    Ok(page)
}
