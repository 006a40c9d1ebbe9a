//! First start: a one-time token, shown in the log, makes the first administrator (ruling 24).

use super::account::{self, Application};
use super::error::UsersError;
use super::signin::{Admission, SignIn, SignedIn};
use super::trail::Trail;
use crate::base::{Ids, Role};
use crate::engine::db::{Db, DbError, View};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Name of the mark that holds the SHA-256 of the setup token.
const MARK: &str = "users_setup_token";

/// Makes a setup token when no administrator exists, replacing that of the last start. Answers
/// its text, which is stored nowhere, or `None` when there is nothing to set up.
///
/// # Errors
/// [`DbError`] when the store fails.
pub async fn begin(db: &Db, ids: &Ids) -> Result<Option<String>, DbError> {
    if db.read(account::admin_exists)? {
        return Ok(None);
    }
    let token = BASE64_URL_SAFE_NO_PAD.encode(ids.secret::<32>());
    let hash = Sha256::digest(&token);
    db.write(move |tx| tx.set_mark(MARK, &hash)).await?;
    Ok(Some(token))
}

/// Refuses anything but the newest token while no administrator exists.
fn check(tx: &impl View, token: &str) -> Result<(), UsersError> {
    if account::admin_exists(tx)? {
        return Err(UsersError::SetupDone);
    }
    let expected = tx.mark(MARK)?.ok_or(UsersError::SetupToken)?;
    let given = Sha256::digest(token);
    if bool::from(expected.ct_eq(&given)) { Ok(()) } else { Err(UsersError::SetupToken) }
}

/// Makes the first administrator, voids the token and signs the person in, in one commit.
///
/// # Errors
/// [`UsersError::SetupDone`], [`UsersError::SetupToken`], [`UsersError::Invalid`] or a taken name.
pub(super) async fn finish(
    sign_in: &SignIn,
    db: &Db,
    ids: &Ids,
    trail: &Trail,
    token: String,
    application: &Application,
) -> Result<SignedIn, UsersError> {
    db.read(|tx| check(tx, &token))?;
    let new = application.check(ids.next(trail.at), vec![Role::User, Role::Admin])?;
    let new = sign_in.hashed(ids, new, application.password.clone()).await?;
    let admission = Admission::new(ids, trail.at, None, "setup");
    let created = trail.by(new.user_id);
    let entered = created.another(ids);
    let lifetimes = sign_in.config().lifetimes;
    db.write(move |tx| {
        check(tx, &token)?;
        let user = account::create(tx, &new, &created)?;
        tx.clear_mark(MARK)?;
        admission.admit(tx, user, lifetimes, &entered)
    })
    .await
}
