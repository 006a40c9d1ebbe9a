//! Target: user authentication < 50 ms (seed 17.2).
//!
//! A sign-in by password at the default cost (Argon2id, 19 MiB, two passes) with its durable commit
//! of session, tokens and audit entry on a file; the same for a name nobody has, which must take as
//! long; a token look-up as every request makes it; and a
//! refresh of the tokens.

use criterion::{Criterion, criterion_group, criterion_main};
use faultmaven::base::{Actor, Clock, Ids};
use faultmaven::engine::db::{Db, Options, Schema};
use faultmaven::users::{
    self, Application, Config, Credentials, Password, SignIn, SignedIn, Trail, UsersError,
};
use faultmaven::{ops, web};
use std::hint::black_box;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Page cache of the store, in bytes: more than it grows to.
const CACHE_BYTES: usize = 64 << 20;
const PASSWORD: &str = "correct horse battery";

struct Server {
    db: Db,
    ids: Ids,
    clock: Clock,
    sign_in: SignIn,
    runtime: Runtime,
    _dir: TempDir,
}

impl Server {
    fn start() -> Self {
        let dir = TempDir::new().expect("a directory");
        let schema = users::schema(ops::schema(web::schema(Schema::new())));
        let db =
            Db::open_in(&dir.path().join("db"), Options::default().with_cache(CACHE_BYTES), schema)
                .expect("a store");
        let (ids, clock) = (Ids::seeded(1), Clock::system());
        let sign_in = SignIn::new(Config::default(), &ids).expect("sign-in");
        let application = Application {
            username: "ada".into(),
            email: "ada@example.org".into(),
            display_name: None,
            password: Some(Password::new(PASSWORD.into())),
        };
        let actor = Actor::System("bench");
        let now = clock.now();
        users::create_admin(&db, sign_in.hasher(), &ids, now, &actor, &application)
            .expect("an account");
        let runtime = Runtime::new().expect("a runtime");
        Self { db, ids, clock, sign_in, runtime, _dir: dir }
    }

    fn trail(&self) -> Trail {
        Trail::new(&self.ids, self.clock.now(), &Actor::Anonymous, None)
    }

    fn login(&self, name: &str) -> Result<SignedIn, UsersError> {
        let credentials = Credentials {
            name: name.into(),
            password: Password::new(PASSWORD.into()),
            session_id: None,
        };
        let trail = self.trail();
        let signed = self.sign_in.with_password(&self.db, &self.ids, &trail, credentials);
        self.runtime.block_on(signed)
    }
}

fn login(c: &mut Criterion) {
    let server = Server::start();
    c.bench_function("login/password", |b| b.iter(|| server.login("ada").expect("signed in")));
    let mut names = 0;
    c.bench_function("login/unknown name", |b| {
        b.iter(|| {
            // Another name each time: guesses at one are slowed.
            names += 1;
            server.login(&format!("user{names}")).expect_err("a refusal")
        });
    });
    let signed = server.login("ada").expect("signed in");
    let now = server.clock.now();
    c.bench_function("login/token", |b| {
        b.iter(|| {
            let token = black_box(signed.access_token());
            server.db.read(|tx| users::actor_of(tx, token, now)).expect("a person")
        });
    });
    let mut token = signed.refresh_token().to_owned();
    c.bench_function("login/refresh", |b| {
        b.iter(|| {
            let trail = server.trail();
            let next = server.sign_in.refresh(&server.db, &server.ids, &trail, token.clone());
            token = server.runtime.block_on(next).expect("refreshed").refresh_token().to_owned();
        });
    });
}

criterion_group!(benches, login);
criterion_main!(benches);
