//! The server: opened, started, drained, closed.

use super::backups::{ArchiveError, Safety, StoreParts};
use super::changes::Feed;
use super::config::{Config, Registration};
use super::data_dir::{DataDir, Lock};
use super::maintenance::Maintenance;
use super::migrate::{self, MigrateError, Progress};
use super::operator::{NewAdmin, Operator};
use super::router::{Parts, methods, open_when_full};
use super::schedule;
use super::starting::Starting;
use super::store::{self, OpenError, Store};
use crate::backup::{self, BackupJob, Backups};
use crate::base::{Actor, Clock, Ids};
use crate::engine::db::Db;
use crate::engine::embed::{self, Embed, Pool};
use crate::jobs::{self, Bodies, JobsError, Runner};
use crate::knowledge::{IndexJob, Knowledge};
use crate::ops::health::{Readiness, State};
use crate::ops::metrics::Metrics;
use crate::privacy::Policy;
use crate::reports;
use crate::search::Search;
use crate::uploads::{self, Preprocess, Uploads};
use crate::users::{self, Lifetimes, SignIn, UsersError};
use crate::web::{self, Shell};
use actix_web::dev::ServerHandle;
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{Data, to};
use actix_web::{App, HttpServer};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// Name of a migration among the components of a server that starts.
const MIGRATION: &str = "migration";
/// Open connections per worker thread.
const CONNECTIONS_MAX: usize = 10_000;
/// A client must send its request head within this time.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long a stop waits at least for the last handle of the store.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// An idle connection is kept this long.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// The server cannot start or broke.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The address cannot be served on.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address as configured.
        address: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Sign-in cannot be prepared, or the first admin is refused.
    #[error(transparent)]
    Users(#[from] UsersError),
    /// Interrupted jobs cannot be returned to the queue.
    #[error(transparent)]
    Jobs(#[from] JobsError),
    /// The store of an earlier version cannot be brought to this one's format.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The archive cannot be written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Something of the operating system failed.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    handle: ServerHandle,
    serving: JoinHandle<std::io::Result<()>>,
    runner: Runner,
    /// Ends event streams, at the beginning of a stop.
    hush: watch::Sender<bool>,
    /// Ends the background tasks, after the jobs: these wait for the indexer.
    halt: watch::Sender<bool>,
    background: Vec<JoinHandle<()>>,
    readiness: Readiness,
    dir: DataDir,
    drain: Duration,
    db: Db,
    /// Goes after the store.
    lock: Lock,
}

impl Server {
    /// Opens the store and serves on the current tokio runtime; answers as soon as requests are.
    /// The model is loaded in the background.
    ///
    /// # Errors
    /// [`ServeError`] naming what cannot be had; nothing keeps running then.
    pub async fn start(config: &Config, clock: Clock, ids: Ids) -> Result<Self, ServeError> {
        let listener = listen(&config.listen)?;
        let address = listener.local_addr()?;
        // Named first, so that it goes last should a step below fail.
        let Store { lock, db, blobs, search, format, keys, consumers } =
            open(config, &clock, &ids, &listener).await?;
        let sign_in = sign_in(config, address, &ids)?;
        let readiness = Readiness::new();
        readiness.set("search", State::Ok, "opened");
        readiness.register("model", false);
        let limits = uploads::Limits {
            file_bytes_max: config.uploads.file_bytes_max.into(),
            unpacked_bytes_max: config.uploads.unpacked_bytes_max.into(),
        };
        let dir = DataDir::new(&config.data_dir);
        let parts =
            StoreParts { dir: &dir, format: &format, keys: keys.as_ref(), db: &db, blobs: &blobs };
        let backups = parts.with_archive(config, clock.now())?;
        let safety = Safety::new(backups.clone(), format.store_id.clone());
        let bodies = Bodies::new(vec![
            Arc::new(Preprocess::new(blobs.clone(), limits)),
            Arc::new(IndexJob::new(search.clone())),
            Arc::new(reports::Generate::new(Policy::default())),
            Arc::new(BackupJob::new(backups.clone())),
        ]);
        make_room(&db, &backups, u64::from(config.database.log_mib) << 20, &clock).await;
        let recovered = recover(&db, &bodies, &clock).await?;
        if recovered > 0 {
            tracing::info!(recovered, "jobs that a crash interrupted will run again");
        }
        let operator = Operator::new(&ids);
        if let Err(error) = operator.publish(&dir, address) {
            // On a full disk the server must still be there for deletes.
            tracing::warn!(%error, "the command line cannot find this server");
        }
        let maintenance = Maintenance {
            config: config.clone(),
            dir: dir.clone(),
            format,
            blobs: blobs.clone(),
            search: search.clone(),
            consumers,
            backups: backups.clone(),
            safety: safety.clone(),
            turn: Arc::default(),
        };
        let floor_bytes = config.disk.floor_bytes();
        schedule::look_at_disk(&db, floor_bytes, &readiness);
        let metrics = metrics(&clock, &db, &search, safety.clone());
        let shell = shell(config, &db, &clock, &ids);
        let (hush, hushed) = watch::channel(false);
        let parts = Parts {
            shell: Data::new(shell),
            methods: Data::new(methods()),
            metrics: Data::new(metrics),
            readiness: Data::new(readiness.clone()),
            sign_in: Data::new(sign_in),
            knowledge: Data::new(Knowledge { search: search.clone(), policy: Policy::default() }),
            uploads: Data::new(Uploads::new(blobs.clone(), limits)),
            backups: Data::new(backups.clone()),
            operator: Data::new(operator),
            maintenance: Data::new(maintenance),
            feed: Data::new(Feed::new(store::schema().tables())),
            bodies: Data::new(bodies.clone()),
            halted: Data::new(jobs::Halted(hushed)),
        };
        let drain = Duration::from_secs(config.http.drain_seconds.into());
        // The last step that can fail comes before the first task that would keep running.
        let server =
            http(config, parts.clone(), listener, drain).inspect_err(|_| forget_operator(&dir))?;
        let handle = server.handle();
        let serving = tokio::spawn(server);
        let workers = usize::from(config.jobs.workers.max(1));
        let runner = Runner::start(db.clone(), clock.clone(), ids.clone(), bodies, workers);
        let (halt, halted) = watch::channel(false);
        let mut background = vec![
            tokio::spawn(search.clone().run(db.clone(), halted.clone())),
            tokio::spawn(schedule::sweep(db.clone(), blobs, clock.clone(), halted.clone())),
            tokio::spawn(schedule::watch_search(search.clone(), readiness.clone(), halted.clone())),
            tokio::spawn(schedule::watch_disk(
                db.clone(),
                floor_bytes,
                readiness.clone(),
                halted.clone(),
            )),
            tokio::spawn(safety.watch(halted.clone())),
            tokio::spawn(backup::schedule(
                backups.clone(),
                clock.clone(),
                ids.clone(),
                halted.clone(),
            )),
            tokio::task::spawn_blocking({
                let (config, readiness) = (config.clone(), readiness.clone());
                move || load_model(&config, &search, &readiness, &parts.metrics)
            }),
        ];
        if let Some(archiver) = backups.archiver() {
            background.push(tokio::spawn(Arc::clone(archiver).run(clock, halted)));
        }
        Ok(Self {
            address,
            handle,
            serving,
            runner,
            hush,
            halt,
            background,
            readiness,
            dir,
            drain,
            db,
            lock,
        })
    }

    /// Where the server listens; the port is the real one also when 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The store, for checks at the end of a test.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Takes no more work, finishes what was begun within the drain time, and closes the store.
    /// One deadline holds for all steps. Every acknowledged write is on disk already; what was not
    /// finished runs again.
    pub async fn stop(self) {
        let deadline = Instant::now() + self.drain;
        self.readiness.drain();
        // Nobody listens when no stream is open.
        let _ = self.hush.send(true);
        let (mut serving, handle) = (self.serving, self.handle);
        let http = async {
            let stopped = timeout_at(deadline, async {
                handle.stop(true).await;
                // The serving task ends with the handle; its own failure was logged by it.
                let _ = (&mut serving).await;
            });
            if stopped.await.is_err() {
                tracing::warn!("requests were still running at the end of the drain time");
                serving.abort();
            }
        };
        tokio::join!(http, self.runner.stop(self.drain));
        let _ = self.halt.send(true);
        for mut task in self.background {
            match timeout_at(deadline, &mut task).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "a background task broke"),
                Err(_) => {
                    tracing::warn!(
                        "a background task was still running at the end of the drain time"
                    );
                    task.abort();
                }
            }
        }
        // HTTP threads let their handles go a moment after they have stopped.
        let patience = deadline.max(Instant::now() + CLOSE_WITHIN);
        if timeout_at(patience, self.db.closed()).await.is_err() {
            tracing::warn!("something still holds the store; it is closed with the process");
            // Nobody else may open it before.
            std::mem::forget(self.lock);
        }
        forget_operator(&self.dir);
    }
}

/// Opens the store; one of an earlier version is brought to this one's format first, while probes
/// hear how far that is.
async fn open(
    config: &Config,
    clock: &Clock,
    ids: &Ids,
    listener: &TcpListener,
) -> Result<Store, ServeError> {
    match store::open(config, clock, ids) {
        Err(OpenError::Older { .. }) => {}
        opened => return Ok(opened?),
    }
    let readiness = Readiness::new();
    readiness.register(MIGRATION, true);
    let starting = Starting::begin(listener, &readiness)?;
    tracing::info!("the store was made by an earlier version and is brought to this one's format");
    let tell = Arc::new(move |progress: Progress| {
        readiness.set(MIGRATION, State::Starting, progress.to_string());
    });
    let migrated = migrate::run(config, clock, ids, tell).await;
    starting.end().await;
    if let Some(done) = migrated? {
        let before = done.before.unwrap_or_default();
        tracing::info!(
            from = done.from,
            to = done.to,
            entries = done.entries,
            files = done.blobs,
            before = %before.display(),
            "the store was migrated; the old one is kept"
        );
    }
    Ok(store::open(config, clock, ids)?)
}

fn forget_operator(dir: &DataDir) {
    if let Err(error) = std::fs::remove_file(dir.operator()) {
        tracing::warn!(%error, "the operator's credential could not be removed");
    }
}

fn listen(address: &str) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|cause| ServeError::Listen { address: address.to_owned(), cause })
}

/// Archives what the log holds when that is much: a log at its limit would refuse the first write.
async fn make_room(db: &Db, backups: &Backups, log_bytes_max: u64, clock: &Clock) {
    let much = db.space().is_ok_and(|space| space.log_bytes > log_bytes_max / 2);
    if let (true, Some(archiver)) = (much, backups.archiver())
        && let Err(error) = archiver.step(clock.now()).await
    {
        tracing::warn!(%error, "the archive cannot be written");
    }
}

async fn recover(db: &Db, bodies: &Bodies, clock: &Clock) -> Result<usize, JobsError> {
    let (bodies, now) = (bodies.clone(), clock.now());
    db.write(move |tx| jobs::recover(tx, &bodies, now)).await
}

fn sign_in(config: &Config, address: SocketAddr, ids: &Ids) -> Result<SignIn, UsersError> {
    let registration = match config.auth.registration {
        Registration::On => true,
        Registration::Off => false,
        Registration::Loopback => address.ip().is_loopback(),
    };
    let rules = users::Config {
        registration,
        dev_login: config.auth.dev_login,
        lifetimes: Lifetimes {
            access_s: config.auth.access_ttl_seconds,
            refresh_s: config.auth.refresh_ttl_seconds,
        },
        ..users::Config::default()
    };
    SignIn::new(rules, ids)
}

fn shell(config: &Config, db: &Db, clock: &Clock, ids: &Ids) -> Shell {
    let mut shell = Shell::new(db.clone(), clock.clone(), ids.clone());
    shell.open_when_full = open_when_full();
    shell.limits.json_bytes_max = usize::try_from(config.http.json_bytes_max).unwrap_or(usize::MAX);
    shell
}

fn metrics(clock: &Clock, db: &Db, search: &Search, safety: Safety) -> Metrics {
    let mut metrics = Metrics::new(env!("CARGO_PKG_VERSION"), clock.now());
    let (db, search, clock) = (db.clone(), search.clone(), clock.clone());
    metrics.on_scrape(move |metrics| {
        if let Ok((waiting, running)) = db.read(jobs::counts) {
            metrics.set_jobs("pending", waiting);
            metrics.set_jobs("running", running);
        }
        if let Ok(space) = db.space() {
            metrics.set_space(space, db.is_full());
        }
        let now = clock.now();
        if let Some(ms) = safety.archive_lag_ms(now) {
            metrics.set_archive_lag(ms as f64 / 1000.0);
            metrics.set_archive_skipped(safety.archive_skipped(now));
        }
        if let Some(at) = safety.newest_backup() {
            metrics.set_backup_age(now.since_ms(at).max(0) as f64 / 1000.0);
        }
        let state = search.ready();
        let size = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        metrics.set_index(size(state.passages), size(state.lag.changes));
    });
    metrics
}

fn load_model(config: &Config, search: &Search, readiness: &Readiness, metrics: &Metrics) {
    let name = &config.search.model;
    let lexical = |why: String| {
        tracing::warn!(reason = %why, "search is lexical: no embedding model");
        readiness.set("model", State::Degraded, format!("lexical search only: {why}"));
    };
    if name == "none" {
        return lexical("switched off by search.model".into());
    }
    let path = config.search.models_dir.join(name);
    let loaded = embed::load(&path).and_then(|encoder| {
        let encoder: Arc<dyn Embed> = Arc::new(encoder);
        Pool::new(encoder)
    });
    match loaded {
        Ok(pool) => {
            let id = pool.model().model_id().to_owned();
            tracing::info!(model = %id, "the embedding model is loaded");
            metrics.set_model(&id, true);
            readiness.set("model", State::Ok, id);
            search.adopt(pool);
        }
        Err(error) => lexical(format!("{error}; `make model` fetches the default one")),
    }
}

fn http(
    config: &Config,
    parts: Parts,
    listener: TcpListener,
    drain: Duration,
) -> std::io::Result<actix_web::dev::Server> {
    let origins = config.http.cors_origins.clone();
    let server = HttpServer::new(move || {
        App::new()
            .configure(|config| parts.configure(config))
            .default_service(to(web::unmatched))
            .wrap(from_fn(users::authenticate))
            .wrap(web::cors(&origins))
            .wrap(Compress::default())
            .wrap(from_fn(web::shell))
            .wrap(from_fn(crate::ops::http::measure))
    })
    .listen(listener)?
    .max_connections(CONNECTIONS_MAX)
    .client_request_timeout(HEAD_WITHIN)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(drain.as_secs())
    .disable_signals();
    let workers = usize::from(config.http.workers);
    Ok(if workers == 0 { server.run() } else { server.workers(workers).run() })
}

/// Makes the administrator that `FAULTMAVEN_ADMIN_*` names, once; otherwise, while there is none,
/// answers the link that makes the first.
///
/// # Errors
/// [`ServeError::Users`] when the variables name an account that cannot be made.
pub(super) async fn first_admin(
    server: &Server,
    named: Option<NewAdmin>,
    clock: &Clock,
    ids: &Ids,
) -> Result<Option<String>, ServeError> {
    let db = server.db.clone();
    let exists = db.read(users::account::admin_exists).map_err(UsersError::from)?;
    if let (Some(admin), false) = (named, exists) {
        let (ids, now) = (ids.clone(), clock.now());
        let made = tokio::task::spawn_blocking(move || {
            let hasher = users::Hasher::new(users::HashCost::default(), &ids)?;
            let actor = Actor::System("environment");
            users::create_admin(&db, &hasher, &ids, now, &actor, &admin.application())
        });
        let user_id = made.await.map_err(std::io::Error::other)??;
        tracing::info!(%user_id, "the administrator named by FAULTMAVEN_ADMIN_* was created");
        return Ok(None);
    }
    let token = users::setup::begin(&server.db, ids).await.map_err(UsersError::from)?;
    Ok(token.map(|token| format!("http://{}/setup?token={token}", server.address)))
}
