//! Lists of cases: what a person may see, filtered, sorted and in windows.

use super::access::platform_role;
use super::error::CaseError;
use super::participant;
use super::tables::words::Status;
use super::tables::{CaseRow, LATEST, LATEST_BY_STATUS, OWNED, OWNED_BY_STATUS, TagRow};
use crate::base::id::{CaseId, UserId};
use crate::base::{Actor, Page, PageRequest};
use crate::engine::db::{Index, KeyBuf, Span, View, key};
use std::ops::ControlFlow;

/// What a list is sorted by; ties are in the order of opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Last activity.
    #[default]
    Activity,
    /// Opening.
    Created,
    /// Last change of the case's own fields.
    Updated,
    /// Title, without regard to case.
    Title,
    /// Urgency.
    Priority,
    /// Status.
    Status,
}

/// Whose cases are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// Every case the actor may see.
    #[default]
    All,
    /// Cases the actor owns.
    Mine,
    /// Cases of others in which the actor takes part.
    Shared,
    /// Cases of the actor's teams.
    Team,
    /// Cases of the actor's organisations.
    Org,
}

/// Which cases are wanted; every field that is given must match.
#[derive(Debug, Clone, Default)]
pub struct CaseFilter {
    /// Whose they are.
    pub scope: Scope,
    /// Where they stand.
    pub status: Option<Status>,
    /// A tag they have.
    pub tag: Option<String>,
    /// A part of the title, without regard to case.
    pub q: Option<String>,
    /// Also those that were put away.
    pub include_archived: bool,
    /// What the list is sorted by.
    pub sort: Sort,
    /// Smallest first; largest first otherwise.
    pub ascending: bool,
}

/// One window of the cases the actor may see and the filter lets through.
///
/// The default order of a person's own cases reads nothing but its window. Other orders and
/// filters read the rows of every case the actor may see, each about 400 bytes. No case can be
/// assigned to a team or organisation yet, so those scopes are empty.
///
/// # Errors
/// [`CaseError::Anonymous`] when nobody is signed in.
pub fn list(
    tx: &impl View,
    actor: &Actor,
    filter: &CaseFilter,
    request: PageRequest,
) -> Result<Page<CaseRow>, CaseError> {
    let user = actor.user_id().ok_or(CaseError::Anonymous)?;
    let operator = platform_role(actor).is_some() && filter.scope == Scope::All;
    let shared = match filter.scope {
        Scope::All if !operator => participant::shared_with(tx, user)?,
        Scope::Shared => participant::shared_with(tx, user)?,
        _ => Vec::new(),
    };
    let in_order = filter.sort == Sort::Activity && !filter.ascending;
    let as_stored = in_order && shared.is_empty() && filter.tag.is_none() && filter.q.is_none();
    match sources(user, operator, filter).as_slice() {
        [(index, span)] if as_stored => Ok(tx.page(index, span, request)?),
        sources => sorted(tx, sources, &shared, filter, request),
    }
}

/// The index ranges that hold what the scope offers, apart from shared cases.
fn sources(
    user: UserId,
    operator: bool,
    filter: &CaseFilter,
) -> Vec<(&'static Index<CaseRow>, Span)> {
    let (index, prefix): (&'static Index<CaseRow>, _) = match (filter.scope, filter.status) {
        (Scope::Shared | Scope::Team | Scope::Org, _) => return Vec::new(),
        (_, Some(status)) if operator => (&LATEST_BY_STATUS, key().u8(status.place())),
        (_, Some(status)) => (&OWNED_BY_STATUS, key().id(&user).u8(status.place())),
        (_, None) if operator => (&LATEST, key()),
        (_, None) => (&OWNED, key().id(&user)),
    };
    let archived: &[u8] = if filter.include_archived { &[0, 1] } else { &[0] };
    archived.iter().map(|bit| (index, Span::prefix(&prefix.clone().u8(*bit)))).collect()
}

/// Sifts all candidates, sorts what they are sorted by, and reads the rows of the window.
fn sorted(
    tx: &impl View,
    sources: &[(&'static Index<CaseRow>, Span)],
    shared: &[CaseId],
    filter: &CaseFilter,
    request: PageRequest,
) -> Result<Page<CaseRow>, CaseError> {
    let needle = filter.q.as_ref().map(|q| q.to_lowercase());
    let mut candidates: Vec<(KeyBuf, CaseId)> = Vec::new();
    let mut take = |row: &CaseRow| {
        if fits(row, filter, needle.as_deref()) {
            candidates.push((sort_key(row, filter.sort), row.case_id));
        }
    };
    for (index, span) in sources {
        tx.each(index, span, |row| {
            take(&row);
            ControlFlow::Continue(())
        })?;
    }
    for case_id in shared {
        if let Some(row) = tx.get::<CaseRow>(case_id)? {
            take(&row);
        }
    }
    if let Some(tag) = &filter.tag {
        let mut tagged = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            if tx.contains::<TagRow>(&(candidate.1, tag.clone()))? {
                tagged.push(candidate);
            }
        }
        candidates = tagged;
    }
    candidates.sort_unstable();
    if !filter.ascending {
        candidates.reverse();
    }
    let mut items = Vec::with_capacity(request.limit);
    for (_, case_id) in candidates.iter().skip(request.offset).take(request.limit) {
        items.extend(tx.get::<CaseRow>(case_id)?);
    }
    Ok(Page { items, total_count: candidates.len(), request })
}

fn fits(row: &CaseRow, filter: &CaseFilter, needle: Option<&str>) -> bool {
    (filter.include_archived || row.archived_at.is_none())
        && filter.status.is_none_or(|status| status == row.status)
        && needle.is_none_or(|needle| row.title.to_lowercase().contains(needle))
}

fn sort_key(row: &CaseRow, sort: Sort) -> KeyBuf {
    match sort {
        Sort::Activity => key().time(row.last_activity_at),
        Sort::Created => key().time(row.created_at),
        Sort::Updated => key().time(row.updated_at),
        Sort::Title => key().str(&row.title.to_lowercase()),
        Sort::Priority => key().u8(row.priority.place()),
        Sort::Status => key().u8(row.status.place()),
    }
}
