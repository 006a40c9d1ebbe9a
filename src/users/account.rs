//! Accounts: made, read, changed, given roles, deleted softly.

use super::error::UsersError;
use super::hash::Hasher;
use super::name::{self, Name};
use super::password::Password;
use super::session;
use super::tables::{ADMINS, BY_EMAIL, BY_USERNAME, PRESENT, UserRow};
use super::trail::{Event, Trail};
use crate::base::id::{SessionId, UserId};
use crate::base::{Actor, FieldError, Ids, Page, PageRequest, Role, Time};
use crate::engine::db::{Db, DbError, Span, View, Write, key};
use serde_json::json;
use std::ops::ControlFlow;

/// Longest display name in characters (reference-facts 1.2).
const DISPLAY_NAME_CHARS_MAX: usize = 200;
/// Longest avatar address in bytes (reference-facts 1.2).
const AVATAR_URL_BYTES_MAX: usize = 500;
/// Longest time zone name in bytes (reference-facts 1.2).
const TIMEZONE_BYTES_MAX: usize = 50;
/// Longest locale in bytes (reference-facts 1.2).
const LOCALE_BYTES_MAX: usize = 10;

/// What other rooms may know of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The account.
    pub user_id: UserId,
    /// Its username as its owner spells it.
    pub username: String,
    /// Its e-mail as its owner spells it.
    pub email: String,
    /// How the person wants to be called.
    pub display_name: String,
}

/// The profile of an account that can be acted with; `None` for unknown, deleted and inactive ones.
///
/// # Errors
/// [`DbError`] when the store fails.
pub fn profile(tx: &impl View, user_id: UserId) -> Result<Option<Profile>, DbError> {
    Ok(tx.get::<UserRow>(&user_id)?.filter(UserRow::is_live).map(|row| Profile {
        user_id,
        username: row.username,
        email: row.email,
        display_name: row.display_name,
    }))
}

/// How a person is called, also after the account was deleted: old cases name their people.
///
/// # Errors
/// [`DbError`] when the store fails.
pub fn display_name(tx: &impl View, user_id: UserId) -> Result<Option<String>, DbError> {
    Ok(tx.get::<UserRow>(&user_id)?.map(|row| row.display_name))
}

/// Whether an administrator exists who can sign in.
///
/// # Errors
/// [`DbError`] when the store fails.
pub fn admin_exists(tx: &impl View) -> Result<bool, DbError> {
    Ok(!tx.list::<UserRow>(&ADMINS, &Span::all(), 0, 1)?.is_empty())
}

/// What somebody asks for who wants an account.
#[derive(Debug, Clone)]
pub struct Application {
    /// The username as typed.
    pub username: String,
    /// The e-mail as typed.
    pub email: String,
    /// The display name; the username when absent.
    pub display_name: Option<String>,
    /// The password; `None` only for development accounts.
    pub password: Option<Password>,
}

/// An application that satisfies every rule that needs no store.
pub(super) struct NewAccount {
    pub(super) user_id: UserId,
    username: Name,
    email: Name,
    display_name: String,
    pub(super) hashed_password: Option<String>,
    roles: Vec<Role>,
}

impl Application {
    /// Checks every field and names all that are wrong.
    ///
    /// # Errors
    /// [`UsersError::Invalid`].
    pub(super) fn check(
        &self,
        user_id: UserId,
        roles: Vec<Role>,
    ) -> Result<NewAccount, UsersError> {
        let mut wrong = Wrong::default();
        let username = wrong.note("username", name::username(&self.username));
        let email = wrong.note("email", name::email(&self.email));
        let shown = self.display_name.as_deref().unwrap_or(&self.username);
        let display_name = wrong.note("display_name", check_display_name(shown));
        if let Some(password) = &self.password {
            wrong.note("password", password.check_new(&[&self.username, &self.email]));
        }
        let (Some(username), Some(email), Some(display_name)) = (username, email, display_name)
        else {
            return Err(UsersError::Invalid(wrong.0));
        };
        wrong.none()?;
        Ok(NewAccount { user_id, username, email, display_name, hashed_password: None, roles })
    }
}

impl NewAccount {
    /// Refuses names that are taken, before the password is hashed.
    ///
    /// # Errors
    /// [`UsersError::UsernameTaken`] or [`UsersError::EmailTaken`].
    pub(super) fn check_free(&self, tx: &impl View) -> Result<(), UsersError> {
        if tx.find(&BY_USERNAME, &key().str(&self.username.folded))?.is_some() {
            return Err(UsersError::UsernameTaken);
        }
        if tx.find(&BY_EMAIL, &key().str(&self.email.folded))?.is_some() {
            return Err(UsersError::EmailTaken);
        }
        Ok(())
    }
}

/// Collects wrong fields, so that a client learns of all at once.
#[derive(Default)]
struct Wrong(Vec<FieldError>);

impl Wrong {
    fn note<T>(&mut self, field: &str, checked: Result<T, &'static str>) -> Option<T> {
        checked.map_err(|message| self.0.push(FieldError::new(field, message))).ok()
    }

    fn none(self) -> Result<(), UsersError> {
        if self.0.is_empty() { Ok(()) } else { Err(UsersError::Invalid(self.0)) }
    }
}

fn check_display_name(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("must not be empty");
    }
    if text.chars().count() > DISPLAY_NAME_CHARS_MAX {
        return Err("longer than 200 characters");
    }
    if text.chars().any(char::is_control) {
        return Err("must not contain control characters");
    }
    Ok(text.to_owned())
}

/// Stores a new account.
///
/// # Errors
/// [`UsersError::UsernameTaken`] or [`UsersError::EmailTaken`].
pub(super) fn create(
    tx: &Write<'_>,
    new: &NewAccount,
    trail: &Trail,
) -> Result<UserRow, UsersError> {
    new.check_free(tx)?;
    let row = UserRow {
        user_id: new.user_id,
        username: new.username.shown.clone(),
        username_folded: new.username.folded.clone(),
        email: new.email.shown.clone(),
        email_folded: new.email.folded.clone(),
        is_dev_user: new.hashed_password.is_none(),
        hashed_password: new.hashed_password.clone(),
        is_active: true,
        display_name: new.display_name.clone(),
        avatar_url: None,
        timezone: "UTC".into(),
        locale: "en-US".into(),
        is_email_verified: false,
        email_verified_at: None,
        sso_provider: None,
        sso_provider_id: None,
        created_at: trail.at,
        updated_at: trail.at,
        last_login_at: None,
        last_password_change_at: None,
        deleted_at: None,
        roles: new.roles.clone(),
        version: 1,
    };
    tx.insert(&row)?;
    let details = json!({ "username": row.username, "roles": row.roles });
    trail.record(tx, Event::AccountCreated, row.user_id, &details)?;
    Ok(row)
}

/// Makes an administrator from the command line or the environment; blocks while hashing.
///
/// # Errors
/// [`UsersError::Invalid`] naming every wrong field, [`UsersError::UsernameTaken`] or
/// [`UsersError::EmailTaken`].
pub fn create_admin(
    db: &Db,
    hasher: &Hasher,
    ids: &Ids,
    now: Time,
    actor: &Actor,
    application: &Application,
) -> Result<UserId, UsersError> {
    let Some(password) = &application.password else {
        return Err(UsersError::field("password", "an administrator needs a password"));
    };
    let mut new = application.check(ids.next(now), vec![Role::User, Role::Admin])?;
    db.read(|tx| new.check_free(tx))?;
    new.hashed_password = Some(hasher.hash(password, ids)?);
    let trail = Trail::new(ids, now, actor, None);
    db.write_blocking(move |tx| create(tx, &new, &trail).map(|row| row.user_id))
}

/// The account, unless it is deleted.
///
/// # Errors
/// [`UsersError::UserMissing`].
pub(super) fn load(tx: &impl View, user_id: UserId) -> Result<UserRow, UsersError> {
    let row = tx.get::<UserRow>(&user_id)?.filter(|row| row.deleted_at.is_none());
    row.ok_or(UsersError::UserMissing)
}

/// The account somebody means who signs in: by e-mail when there is an `@`, else by username.
pub(super) fn by_name(tx: &impl View, folded: &str) -> Result<Option<UserRow>, DbError> {
    let index = if folded.contains('@') { &BY_EMAIL } else { &BY_USERNAME };
    tx.find(index, &key().str(folded))
}

/// Which accounts a list shows.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// Part of the username, e-mail or display name, in any case.
    pub(super) text: Option<String>,
    pub(super) role: Option<Role>,
    pub(super) active: Option<bool>,
}

impl Filter {
    fn is_empty(&self) -> bool {
        self.text.is_none() && self.role.is_none() && self.active.is_none()
    }

    fn matches(&self, row: &UserRow) -> bool {
        let text_matches = self.text.as_ref().is_none_or(|text| {
            row.username_folded.contains(text)
                || row.email_folded.contains(text)
                || name::fold(&row.display_name).contains(text)
        });
        text_matches
            && self.role.is_none_or(|role| row.roles.contains(&role))
            && self.active.is_none_or(|active| row.is_active == active)
    }
}

/// Accounts that are not deleted, newest first.
pub(super) fn list(
    tx: &impl View,
    filter: &Filter,
    request: PageRequest,
) -> Result<Page<UserRow>, DbError> {
    if filter.is_empty() {
        return tx.page(&PRESENT, &Span::all(), request);
    }
    let mut page = Page { items: Vec::new(), total_count: 0, request };
    tx.each(&PRESENT, &Span::all(), |row| {
        if filter.matches(&row) {
            if page.total_count >= request.offset && page.items.len() < request.limit {
                page.items.push(row);
            }
            page.total_count += 1;
        }
        ControlFlow::Continue(())
    })?;
    Ok(page)
}

/// A wanted change of a profile; absent fields stay as they are.
#[derive(Debug, Clone, Default)]
pub(super) struct Change {
    pub(super) display_name: Option<String>,
    /// `Some(None)` removes the picture.
    pub(super) avatar_url: Option<Option<String>>,
    pub(super) timezone: Option<String>,
    pub(super) locale: Option<String>,
    pub(super) email: Option<String>,
    /// Only an administrator may set it.
    pub(super) is_active: Option<bool>,
}

impl Change {
    /// The names of the fields it would change, for the audit trail.
    fn names(&self) -> Vec<&'static str> {
        let named = [
            (self.display_name.is_some(), "display_name"),
            (self.avatar_url.is_some(), "avatar_url"),
            (self.timezone.is_some(), "timezone"),
            (self.locale.is_some(), "locale"),
            (self.email.is_some(), "email"),
            (self.is_active.is_some(), "is_active"),
        ];
        named.iter().filter(|(given, _)| *given).map(|(_, name)| *name).collect()
    }

    /// Writes the change into a row.
    fn apply(&self, row: &mut UserRow) -> Result<(), UsersError> {
        let mut wrong = Wrong::default();
        if let Some(text) = &self.display_name {
            wrong.note("display_name", check_display_name(text).map(|t| row.display_name = t));
        }
        if let Some(url) = &self.avatar_url {
            wrong.note("avatar_url", check_avatar(url.as_deref()));
            row.avatar_url.clone_from(url);
        }
        if let Some(zone) = &self.timezone {
            wrong.note("timezone", check_plain(zone, TIMEZONE_BYTES_MAX, b"/_+-"));
            row.timezone.clone_from(zone);
        }
        if let Some(locale) = &self.locale {
            wrong.note("locale", check_plain(locale, LOCALE_BYTES_MAX, b"_-"));
            row.locale.clone_from(locale);
        }
        if let Some(email) = &self.email
            && let Some(email) = wrong.note("email", name::email(email))
        {
            if email.folded != row.email_folded {
                row.is_email_verified = false;
                row.email_verified_at = None;
            }
            (row.email, row.email_folded) = (email.shown, email.folded);
        }
        row.is_active = self.is_active.unwrap_or(row.is_active);
        wrong.none()
    }
}

fn check_avatar(url: Option<&str>) -> Result<(), &'static str> {
    match url {
        Some(url) if url.len() > AVATAR_URL_BYTES_MAX => Err("longer than 500 bytes"),
        Some(url) if !url.starts_with("https://") && !url.starts_with("http://") => {
            Err("expected an address that starts with https:// or http://")
        }
        Some(url) if url.contains(|c: char| c.is_control() || c.is_whitespace()) => {
            Err("must not contain spaces or control characters")
        }
        _ => Ok(()),
    }
}

fn check_plain(text: &str, bytes_max: usize, also: &[u8]) -> Result<(), &'static str> {
    let fits = (1..=bytes_max).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || also.contains(&b));
    if fits { Ok(()) } else { Err("not a name of this kind") }
}

/// Changes a profile; taking `is_active` away ends the person's sessions.
///
/// # Errors
/// [`UsersError::Invalid`], [`UsersError::EmailTaken`], [`UsersError::LastAdmin`],
/// [`UsersError::Version`] or [`UsersError::UserMissing`].
pub(super) fn change(
    tx: &Write<'_>,
    user_id: UserId,
    change: &Change,
    expected: Option<u64>,
    trail: &Trail,
) -> Result<UserRow, UsersError> {
    let mut row = load_version(tx, user_id, expected)?;
    change.apply(&mut row)?;
    keep_an_admin(tx, &row)?;
    if let Some(other) = tx.find(&BY_EMAIL, &key().str(&row.email_folded))?
        && other.user_id != user_id
    {
        return Err(UsersError::EmailTaken);
    }
    store(tx, &mut row, trail)?;
    if !row.is_active {
        session::end_all(tx, user_id, None)?;
    }
    trail.record(tx, Event::AccountUpdated, user_id, &json!({ "fields": change.names() }))?;
    Ok(row)
}

/// Replaces the roles of an account.
///
/// # Errors
/// [`UsersError::Invalid`] without a role, [`UsersError::LastAdmin`], [`UsersError::Version`] or
/// [`UsersError::UserMissing`].
pub(super) fn set_roles(
    tx: &Write<'_>,
    user_id: UserId,
    roles: &[Role],
    expected: Option<u64>,
    trail: &Trail,
) -> Result<UserRow, UsersError> {
    let mut row = load_version(tx, user_id, expected)?;
    let wanted = distinct(roles)?;
    let only_in = |a: &[Role], b: &[Role]| -> Vec<Role> {
        a.iter().filter(|role| !b.contains(role)).copied().collect()
    };
    let (added, removed) = (only_in(&wanted, &row.roles), only_in(&row.roles, &wanted));
    row.roles = wanted;
    keep_an_admin(tx, &row)?;
    store(tx, &mut row, trail)?;
    let event = if added.is_empty() { Event::RoleRemoved } else { Event::RoleAssigned };
    trail.record(tx, event, user_id, &json!({ "added": added, "removed": removed }))?;
    Ok(row)
}

/// Roles in order and once each.
///
/// # Errors
/// [`UsersError::Invalid`] without any.
pub(super) fn distinct(roles: &[Role]) -> Result<Vec<Role>, UsersError> {
    let roles: std::collections::BTreeSet<Role> = roles.iter().copied().collect();
    if roles.is_empty() {
        return Err(UsersError::field("roles", "at least one role is needed"));
    }
    Ok(roles.into_iter().collect())
}

/// Deletes an account softly: it can no longer act or be seen, and keeps its names (ruling 6).
///
/// # Errors
/// [`UsersError::LastAdmin`], [`UsersError::Version`] or [`UsersError::UserMissing`].
pub(super) fn delete(
    tx: &Write<'_>,
    user_id: UserId,
    expected: Option<u64>,
    trail: &Trail,
) -> Result<(), UsersError> {
    let mut row = load_version(tx, user_id, expected)?;
    row.deleted_at = Some(trail.at);
    row.is_active = false;
    keep_an_admin(tx, &row)?;
    store(tx, &mut row, trail)?;
    session::end_all(tx, user_id, None)?;
    trail.record(tx, Event::AccountDeleted, user_id, &json!({}))?;
    Ok(())
}

/// Gives an account a new password and ends its other sessions; answers how many.
///
/// # Errors
/// [`UsersError::WrongPassword`] when the password was changed since `verified` was read.
pub(super) fn set_password(
    tx: &Write<'_>,
    user_id: UserId,
    verified: Option<&str>,
    hashed: &str,
    keep: Option<SessionId>,
    trail: &Trail,
) -> Result<usize, UsersError> {
    let mut row = load(tx, user_id)?;
    if row.hashed_password.as_deref() != verified {
        return Err(UsersError::WrongPassword);
    }
    row.hashed_password = Some(hashed.to_owned());
    row.last_password_change_at = Some(trail.at);
    store(tx, &mut row, trail)?;
    let ended = session::end_all(tx, user_id, keep)?;
    trail.record(tx, Event::PasswordChanged, user_id, &json!({ "ended_sessions": ended }))?;
    Ok(ended)
}

fn load_version(
    tx: &impl View,
    user_id: UserId,
    expected: Option<u64>,
) -> Result<UserRow, UsersError> {
    let row = load(tx, user_id)?;
    match expected {
        Some(expected) if expected != row.version => {
            Err(UsersError::Version { expected, actual: row.version })
        }
        _ => Ok(row),
    }
}

/// Refuses a row that would be stored in place of the last administrator.
fn keep_an_admin(tx: &impl View, changed: &UserRow) -> Result<(), UsersError> {
    if changed.is_live() && changed.roles.contains(&Role::Admin) {
        return Ok(());
    }
    let two = tx.list::<UserRow>(&ADMINS, &Span::all(), 0, 2)?;
    match two.as_slice() {
        [only] if only.user_id == changed.user_id => Err(UsersError::LastAdmin),
        _ => Ok(()),
    }
}

fn store(tx: &Write<'_>, row: &mut UserRow, trail: &Trail) -> Result<(), DbError> {
    row.version += 1;
    row.updated_at = trail.at;
    tx.put(row)
}
