//! Workers: claim a job, run its body under a lease, contain its panics.

use super::error::{JobFailure, JobsError};
use super::queue::{self, LEASE_MS, Lease};
use super::tables::{JobRow, JobStatus};
use crate::base::id::{CaseId, JobId, UserId};
use crate::base::{Clock, Ids, Json, Time};
use crate::engine::db::{Db, DbError, View, Write};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Longest a worker sleeps without looking, so that a clock change cannot strand a job.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Pause after the store refused a claim, and between two looks at a full disk.
const TROUBLE_PAUSE: Duration = Duration::from_secs(1);

/// The body of one kind of job. It runs again after a crash: effects and
/// [`complete`](super::complete) must share one write.
pub trait Job: Send + Sync {
    /// The kind, as in `NewJob::job_type`.
    fn job_type(&self) -> &'static str;

    /// Does the work. Anything heavy belongs on a blocking thread.
    fn run<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<(), JobFailure>>;

    /// Hears, in the same write, that a job failed for good or was cancelled, so that what waits
    /// for it can say so. The row carries the reason.
    ///
    /// # Errors
    /// [`DbError`] when the store fails.
    fn given_up(&self, _tx: &Write<'_>, _job: &JobRow, _now: Time) -> Result<(), DbError> {
        Ok(())
    }
}

/// The bodies of all kinds of job; cheap to clone.
#[derive(Clone, Default)]
pub struct Bodies(Arc<HashMap<&'static str, Arc<dyn Job>>>);

impl Bodies {
    /// Joins bodies, one for each kind.
    pub fn new(bodies: Vec<Arc<dyn Job>>) -> Self {
        Self(Arc::new(bodies.into_iter().map(|body| (body.job_type(), body)).collect()))
    }

    /// The body of a kind.
    pub(super) fn get(&self, job_type: &str) -> Option<&Arc<dyn Job>> {
        self.0.get(job_type)
    }
}

/// Tells event streams that the server is stopping.
#[derive(Debug, Clone)]
pub struct Halted(pub watch::Receiver<bool>);

/// What a body gets to work with.
pub struct Work {
    /// The job.
    pub job_id: JobId,
    /// Who asked for it.
    pub owner: UserId,
    /// The case it works on.
    pub case_id: Option<CaseId>,
    /// What was asked for.
    pub payload: Json,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// This run, for [`complete`](super::complete).
    pub lease: Lease,
    /// When the job was asked for.
    pub created_at: Time,
    /// The store.
    pub db: Db,
    /// Where the body gets its instants.
    pub clock: Clock,
    /// Where the body gets its ids.
    pub ids: Ids,
    stop: Arc<AtomicBool>,
}

impl Work {
    /// Stores how far the job is (0 to 99) and renews its lease.
    ///
    /// # Errors
    /// A [`JobFailure`] when the owner asked for a stop or the lease is lost: the body should
    /// pass it on.
    pub async fn progress(&self, percent: u8, note: &str) -> Result<(), JobFailure> {
        let (lease, now, note) = (self.lease, self.clock.now(), note.to_owned());
        let step = self.db.write(move |tx| queue::renew(tx, lease, Some((percent, &note)), now));
        match step.await {
            Ok(false) => Ok(()),
            Ok(true) => {
                self.stop.store(true, Ordering::SeqCst);
                Err(JobFailure::permanent("job_cancelled", "cancelled by its owner"))
            }
            Err(error) => Err(JobFailure::from_error(&error)),
        }
    }

    /// Whether the owner asked for a stop; cheap enough for inner loops.
    pub fn cancelled(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

struct Bench {
    db: Db,
    clock: Clock,
    ids: Ids,
    bodies: Bodies,
}

/// The running workers.
pub struct Runner {
    bench: Arc<Bench>,
    halt: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
}

impl Runner {
    /// Starts `workers` workers on the current async runtime.
    pub fn start(db: Db, clock: Clock, ids: Ids, bodies: Bodies, workers: usize) -> Self {
        let bench = Arc::new(Bench { db, clock, ids, bodies });
        let (halt, halted) = watch::channel(false);
        let spawn = |_| tokio::spawn(serve(Arc::clone(&bench), halted.clone()));
        Self { workers: (0..workers).map(spawn).collect(), halt, bench }
    }

    /// Takes no further job and waits at most `patience` for the running ones; what is still
    /// running then waits in the store and runs again at the next start.
    pub async fn stop(self, patience: Duration) {
        // Without a receiver every worker has ended already.
        let _ = self.halt.send(true);
        let deadline = tokio::time::Instant::now() + patience;
        for mut worker in self.workers {
            if tokio::time::timeout_at(deadline, &mut worker).await.is_err() {
                worker.abort();
            }
        }
        let now = self.bench.clock.now();
        if let Err(error) = self.bench.db.write(move |tx| queue::release(tx, now)).await {
            tracing::error!(%error, "running jobs could not be given back; they count as crashed");
        }
    }
}

async fn serve(bench: Arc<Bench>, mut halted: watch::Receiver<bool>) {
    let mut committed = bench.db.committed();
    while !*halted.borrow() {
        committed.mark_unchanged();
        let wait = match next_job(&bench).await {
            Ok(Next::Job(row)) => {
                attempt(&bench, *row).await;
                continue;
            }
            Ok(Next::After(wait)) => wait,
            Err(error) => {
                tracing::error!(%error, "no job could be claimed");
                TROUBLE_PAUSE
            }
        };
        tokio::select! {
            // A runner that is gone stops its workers too.
            told = halted.changed() => {
                if told.is_err() {
                    return;
                }
            }
            changed = committed.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = tokio::time::sleep(wait) => {}
        }
    }
}

enum Next {
    Job(Box<JobRow>),
    After(Duration),
}

/// Looks before it claims: a look costs microseconds, a claim occupies the writer.
async fn next_job(bench: &Bench) -> Result<Next, JobsError> {
    if bench.db.is_full() {
        // Whatever a job makes would grow the store; it waits until there is room.
        return Ok(Next::After(TROUBLE_PAUSE));
    }
    let now = bench.clock.now();
    let wait = match bench.db.read(queue::next_due)? {
        Some(due) if due <= now => {
            match bench.db.write(move |tx| queue::claim(tx, now)).await? {
                Some(row) => return Ok(Next::Job(Box::new(row))),
                // Another worker was faster.
                None => Duration::from_millis(1),
            }
        }
        Some(due) => Duration::from_millis(u64::try_from(due.since_ms(now)).unwrap_or(0) + 1),
        None => LOOK_EVERY,
    };
    Ok(Next::After(wait.min(LOOK_EVERY)))
}

async fn attempt(bench: &Bench, row: JobRow) {
    let job_id = row.job_id;
    let lease = Lease { job_id, run: row.run };
    let stop = Arc::new(AtomicBool::new(row.cancel_requested));
    let work = Work {
        job_id,
        owner: row.owner,
        case_id: row.case_id,
        payload: row.payload,
        attempt: row.attempts,
        lease,
        created_at: row.created_at,
        db: bench.db.clone(),
        clock: bench.clock.clone(),
        ids: bench.ids.clone(),
        stop: Arc::clone(&stop),
    };
    let result = match bench.bodies.get(&row.job_type) {
        Some(body) => {
            let running = AssertUnwindSafe(body.run(&work)).catch_unwind();
            tokio::select! {
                result = running => result.unwrap_or_else(|_| {
                    tracing::error!(%job_id, "a job body panicked");
                    Err(JobFailure::permanent("job_panicked", "the job broke on its input"))
                }),
                () = keep_lease(bench, lease, &stop) => {
                    Err(JobFailure::retry("lease_lost", "the job lost its lease"))
                }
            }
        }
        None => Err(JobFailure::permanent("unknown_job_type", "no body for this job type")),
    };
    let Err(failure) = result.and_then(|()| ended(bench, lease)) else { return };
    let (now, bodies) = (bench.clock.now(), bench.bodies.clone());
    match bench.db.write(move |tx| queue::fail(tx, lease, &failure, &bodies, now)).await {
        Ok(JobStatus::Pending) => {}
        Ok(status) => tracing::info!(%job_id, status = status.as_str(), "a job did not finish"),
        Err(JobsError::Cancelled) => {}
        Err(error) => tracing::error!(%job_id, %error, "a job's failure could not be stored"),
    }
}

/// A body that answers `Ok` has completed its job in its own write; anything else is a defect.
fn ended(bench: &Bench, lease: Lease) -> Result<(), JobFailure> {
    match bench.db.read(|tx| tx.get::<JobRow>(&lease.job_id)) {
        Ok(Some(row)) if row.status == JobStatus::Running && row.run == lease.run => {
            tracing::error!(job_id = %lease.job_id, "a job body ended without completing its job");
            Err(JobFailure::permanent("job_incomplete", "the job ended without a result"))
        }
        _ => Ok(()),
    }
}

/// Renews the lease while the body runs; returns only when the lease is lost.
async fn keep_lease(bench: &Bench, lease: Lease, stop: &AtomicBool) {
    let job_id = lease.job_id;
    let every = Duration::from_millis(LEASE_MS.unsigned_abs() / 3);
    loop {
        tokio::time::sleep(every).await;
        let now = bench.clock.now();
        match bench.db.write(move |tx| queue::renew(tx, lease, None, now)).await {
            Ok(asked) => stop.store(asked, Ordering::SeqCst),
            Err(JobsError::Cancelled) => return,
            Err(error) => tracing::warn!(%job_id, %error, "a lease could not be renewed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Time;
    use crate::engine::db::Schema;
    use crate::jobs::{NewJob, schema, submit};

    #[tokio::test]
    async fn no_job_is_claimed_while_the_disk_is_full() {
        let (clock, ids) = (Clock::standing_at(Time::from_unix_us(0)), Ids::seeded(1));
        let db = Db::in_memory(schema(Schema::new())).unwrap();
        let (job_id, owner, now) = (ids.next(clock.now()), ids.next(clock.now()), clock.now());
        let submitted = db.write(move |tx| {
            let payload = Json::empty();
            submit(tx, NewJob { job_id, job_type: "any", owner, case_id: None, payload, now })
        });
        submitted.await.unwrap();
        let bench = Bench { db: db.clone(), clock, ids, bodies: Bodies::default() };
        db.set_full(true);
        assert!(matches!(next_job(&bench).await, Ok(Next::After(TROUBLE_PAUSE))));
        db.set_full(false);
        assert!(matches!(next_job(&bench).await, Ok(Next::Job(row)) if row.job_id == job_id));
    }
}
