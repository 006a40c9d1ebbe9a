//! Who may do what in a case, as values: an operation takes a proof, and proofs are made here.
//!
//! Access is the *highest* of what the sources give (ruling 7): ownership, the participant's role,
//! and the platform roles admin (everything) and analyst (reading). Access that only a platform
//! role gives is operator access: whoever uses it calls [`record_operator`] in the commit of the
//! change, or in a commit of its own after a read.

use super::error::CaseError;
use super::tables::words::ParticipantRole;
use super::tables::{CaseRow, ParticipantRow};
use crate::base::id::{CaseId, EventId, UserId};
use crate::base::{Actor, Json, Role, Time};
use crate::engine::db::{DbError, View, Write};
use crate::ops::{audit, event};
use serde::Serialize;

/// When, from where and under which event something is done; made once, outside the write.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The instant of the request or job.
    pub now: Time,
    /// Names the event in the audit trail and, for a change of status, the transition.
    pub event_id: EventId,
    /// Where the request comes from.
    pub address: Option<String>,
}

/// Proof that an actor may read this case. Made here, nowhere else.
#[derive(Debug, Clone)]
pub struct Reader {
    case_id: CaseId,
    role: ParticipantRole,
    operator: bool,
    by: String,
    user: Option<UserId>,
    system: bool,
}

/// Proof that an actor may change this case. Made here, nowhere else.
#[derive(Debug, Clone)]
pub struct Writer(Reader);

/// Proof that an actor may dispose of this case. Made here, nowhere else.
#[derive(Debug, Clone)]
pub struct Owner(Writer);

impl Reader {
    /// The case.
    pub fn case_id(&self) -> CaseId {
        self.case_id
    }

    /// What the actor is in this case.
    pub fn role(&self) -> ParticipantRole {
        self.role
    }

    /// Whether only a platform role gives this access, so that using it is recorded.
    pub fn is_operator(&self) -> bool {
        self.operator
    }

    /// How the actor is named in `created_by` and the audit trail.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// The person, if it is one.
    pub fn user(&self) -> Option<UserId> {
        self.user
    }

    /// Whether the actor may do what only the owner may.
    pub(super) fn owns(&self) -> bool {
        self.role == ParticipantRole::Owner
    }

    /// Whether the program itself acts.
    pub(super) fn is_system(&self) -> bool {
        self.system
    }
}

impl std::ops::Deref for Writer {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.0
    }
}

impl std::ops::Deref for Owner {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        &self.0
    }
}

impl Writer {
    /// The right of the program itself to change a case, for work that a person's request started;
    /// `reason` is shown in the audit trail as `system:{reason}`.
    ///
    /// # Errors
    /// [`CaseError::Missing`] when the case is gone.
    pub fn system(
        tx: &impl View,
        case_id: CaseId,
        reason: &'static str,
    ) -> Result<Self, CaseError> {
        if !tx.contains::<CaseRow>(&case_id)? {
            return Err(CaseError::Missing(case_id));
        }
        let (role, by) = (ParticipantRole::Collaborator, Actor::System(reason).label());
        Ok(Self(Reader { case_id, role, operator: false, by, user: None, system: true }))
    }
}

/// Proves that the actor may read the case.
///
/// # Errors
/// [`CaseError::Missing`] when the case does not exist or the actor may not know that it does.
pub fn reader(tx: &impl View, actor: &Actor, case_id: CaseId) -> Result<Reader, CaseError> {
    let missing = CaseError::Missing(case_id);
    let Some(user) = actor.user_id() else { return Err(missing) };
    let Some(case) = tx.get::<CaseRow>(&case_id)? else { return Err(missing) };
    let (role, operator) = match (member_role(tx, &case, user)?, platform_role(actor)) {
        (Some(own), platform) if Some(own) >= platform => (own, false),
        (_, Some(platform)) => (platform, true),
        (_, None) => return Err(missing),
    };
    Ok(Reader { case_id, role, operator, by: actor.label(), user: Some(user), system: false })
}

/// Proves that the actor may change the case.
///
/// # Errors
/// As [`reader`]; [`CaseError::ReadOnly`] when the actor may only read it.
pub fn writer(tx: &impl View, actor: &Actor, case_id: CaseId) -> Result<Writer, CaseError> {
    let reader = reader(tx, actor, case_id)?;
    if reader.role < ParticipantRole::Collaborator {
        return Err(CaseError::ReadOnly);
    }
    Ok(Writer(reader))
}

/// Proves that the actor may dispose of the case.
///
/// # Errors
/// As [`writer`]; [`CaseError::OwnerOnly`] when the actor may change but not dispose of it.
pub fn owner(tx: &impl View, actor: &Actor, case_id: CaseId) -> Result<Owner, CaseError> {
    let writer = writer(tx, actor, case_id)?;
    if !writer.owns() {
        return Err(CaseError::OwnerOnly);
    }
    Ok(Owner(writer))
}

/// What ownership and participation give.
fn member_role(
    tx: &impl View,
    case: &CaseRow,
    user: UserId,
) -> Result<Option<ParticipantRole>, DbError> {
    if case.user_id == user {
        return Ok(Some(ParticipantRole::Owner));
    }
    Ok(tx.get::<ParticipantRow>(&(case.case_id, user))?.map(|row| row.role))
}

/// What the platform roles give on every case.
pub(super) fn platform_role(actor: &Actor) -> Option<ParticipantRole> {
    if actor.has(Role::Admin) {
        Some(ParticipantRole::Owner)
    } else if actor.has(Role::Analyst) {
        Some(ParticipantRole::Viewer)
    } else {
        None
    }
}

/// Records that somebody used operator access; does nothing for other access. `event_type` is
/// one of [`crate::ops::event`], `action` says what was done in a word or two.
///
/// # Errors
/// [`CaseError::Storage`] when the store fails.
pub fn record_operator(
    tx: &Write<'_>,
    may: &Reader,
    visit: &Visit,
    event_type: &'static str,
    action: &str,
) -> Result<(), CaseError> {
    #[derive(Serialize)]
    struct Details<'a> {
        action: &'a str,
        operator: bool,
    }
    if !may.operator {
        return Ok(());
    }
    let what = Recorded { event_type, case_id: may.case_id };
    record(tx, &may.by, visit, what, &Details { action, operator: true })
}

/// Records that somebody listed cases by operator access.
///
/// # Errors
/// [`CaseError::Storage`] when the store fails.
pub fn record_operator_list(
    tx: &Write<'_>,
    actor: &Actor,
    visit: &Visit,
    cases: usize,
) -> Result<(), CaseError> {
    #[derive(Serialize)]
    struct Details {
        action: &'static str,
        operator: bool,
        cases: usize,
    }
    let details = Details { action: "listed", operator: true, cases };
    Ok(audit::record(tx, entry(&actor.label(), visit, event::CASE_VIEWED, "*".into(), &details))?)
}

/// What an audit entry is about.
pub(super) struct Recorded {
    pub(super) event_type: &'static str,
    pub(super) case_id: CaseId,
}

/// Writes an audit entry about a case.
pub(super) fn record(
    tx: &Write<'_>,
    by: &str,
    visit: &Visit,
    what: Recorded,
    details: &impl Serialize,
) -> Result<(), CaseError> {
    let resource = what.case_id.to_string();
    Ok(audit::record(tx, entry(by, visit, what.event_type, resource, details))?)
}

fn entry(
    by: &str,
    visit: &Visit,
    event_type: &'static str,
    resource_id: String,
    details: &impl Serialize,
) -> audit::Entry {
    audit::Entry {
        event_id: visit.event_id,
        at: visit.now,
        actor: by.to_owned(),
        event_type,
        category: audit::Category::DataAccess,
        resource_type: "case",
        resource_id,
        details: Json::from_value(details).unwrap_or_default(),
        address: visit.address.clone(),
        success: true,
    }
}
