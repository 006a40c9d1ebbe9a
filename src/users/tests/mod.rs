//! The room's rules against an in-memory store, and its HTTP answers.

mod accounts;
mod http;
mod sessions;
mod sign_in;

use super::account::{self, Application};
use super::password::Password;
use super::signin::{Credentials, SignIn, SignedIn};
use super::{Config, HashCost, Trail, UsersError, setup};
use crate::base::id::{SessionId, UserId};
use crate::base::{Actor, Clock, Ids, Role, Time};
use crate::engine::db::{Db, Schema, Span, View};
use crate::ops::audit::AuditRow;
use std::ops::ControlFlow;

/// 2026-01-01T00:00:00Z.
const START: Time = Time::from_unix_us(1_767_225_600_000_000);
/// Cheap enough for a debug build; only tests hash like this.
const CHEAP: HashCost = HashCost { memory_kib: 64, passes: 1, lanes: 1 };
const PASSWORD: &str = "correct horse battery";

/// A server without HTTP, whose clock stands still.
struct World {
    db: Db,
    ids: Ids,
    clock: Clock,
    sign_in: SignIn,
}

impl World {
    fn new() -> Self {
        Self::with(Config { hash: CHEAP, ..Config::default() })
    }

    fn with(config: Config) -> Self {
        let schema = super::schema(crate::ops::schema(crate::web::schema(Schema::new())));
        let ids = Ids::seeded(1);
        Self {
            db: Db::in_memory(schema).unwrap(),
            sign_in: SignIn::new(config, &ids).unwrap(),
            clock: Clock::standing_at(START),
            ids,
        }
    }

    fn now(&self) -> Time {
        self.clock.now()
    }

    fn trail(&self) -> Trail {
        Trail::new(&self.ids, self.now(), &Actor::Anonymous, "192.0.2.7".parse().ok())
    }

    fn application(name: &str) -> Application {
        Application {
            username: name.into(),
            email: format!("{name}@example.org"),
            display_name: None,
            password: Some(Password::new(PASSWORD.into())),
        }
    }

    async fn register(&self, name: &str) -> SignedIn {
        let application = Self::application(name);
        let trail = self.trail();
        self.sign_in.register(&self.db, &self.ids, &trail, &application, None).await.unwrap()
    }

    async fn admin(&self, name: &str) -> SignedIn {
        let signed = self.register(name).await;
        self.set_roles(signed.user_id(), &[Role::User, Role::Admin]).await.unwrap();
        signed
    }

    async fn set_roles(&self, user_id: UserId, roles: &[Role]) -> Result<(), UsersError> {
        let (roles, trail) = (roles.to_vec(), self.trail());
        let write = self
            .db
            .write(move |tx| account::set_roles(tx, user_id, &roles, None, &trail).map(|_| ()));
        write.await
    }

    async fn delete(&self, user_id: UserId) -> Result<(), UsersError> {
        let trail = self.trail();
        self.db.write(move |tx| account::delete(tx, user_id, None, &trail)).await
    }

    async fn login(&self, name: &str, password: &str) -> Result<SignedIn, UsersError> {
        self.login_from(name, password, None).await
    }

    async fn login_from(
        &self,
        name: &str,
        password: &str,
        session_id: Option<SessionId>,
    ) -> Result<SignedIn, UsersError> {
        let password = Password::new(password.into());
        let credentials = Credentials { name: name.into(), password, session_id };
        self.sign_in.with_password(&self.db, &self.ids, &self.trail(), credentials).await
    }

    async fn refresh(&self, token: &str) -> Result<SignedIn, UsersError> {
        self.sign_in.refresh(&self.db, &self.ids, &self.trail(), token.into()).await
    }

    fn actor(&self, token: &str) -> Result<Actor, UsersError> {
        self.db.read(|tx| super::actor_of(tx, token, self.now()))
    }

    /// The event types in the audit trail, oldest first, with `!` before what failed.
    fn events(&self) -> Vec<String> {
        let mut events = Vec::new();
        self.each_audit(|row| {
            events.push(format!("{}{}", if row.success { "" } else { "!" }, row.event_type));
        });
        events
    }

    fn each_audit(&self, mut visit: impl FnMut(AuditRow)) {
        let all = self.db.read(|tx| {
            tx.each_row::<AuditRow>(&Span::all(), |row| {
                visit(row);
                ControlFlow::Continue(())
            })
        });
        all.unwrap();
    }

    /// Ends a test: the store is sane and the audit chain holds.
    fn check(self) {
        assert_eq!(self.db.check().unwrap(), []);
        self.db.read(crate::ops::audit::verify).unwrap();
    }
}
