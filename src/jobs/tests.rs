//! The life of a job, with a standing clock and real workers.

use super::queue::{self, ATTEMPTS_MAX, KEPT_MS, LEASE_MS, OPEN_JOBS_MAX};
use super::*;
use crate::base::id::{JobId, UserId};
use crate::base::{Actor, Clock, Ids, Json, Time};
use crate::engine::db::{Db, DbError, Schema, View, Write};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const START: Time = Time::from_unix_us(1_700_000_000_000_000);

struct Bed {
    db: Db,
    ids: Ids,
    ada: UserId,
}

fn bed() -> Bed {
    let ids = Ids::seeded(3);
    let ada = ids.next(START);
    Bed { db: Db::in_memory(schema(Schema::new())).unwrap(), ids, ada }
}

fn lease(job_id: JobId, run: u64) -> Lease {
    Lease { job_id, run }
}

impl Bed {
    fn job(&self, owner: UserId) -> NewJob {
        NewJob {
            job_id: self.ids.next(START),
            job_type: "echo",
            owner,
            case_id: None,
            payload: Json::empty(),
            now: START,
        }
    }

    fn submit(&self) -> JobId {
        let job = self.job(self.ada);
        let id = job.job_id;
        self.write(move |tx| submit(tx, job.clone())).unwrap();
        id
    }

    fn write<T: Send + 'static>(
        &self,
        body: impl Fn(&Write<'_>) -> Result<T, JobsError> + Send + 'static,
    ) -> Result<T, JobsError> {
        self.db.write_blocking(body)
    }

    fn row(&self, id: JobId) -> JobRow {
        self.db.read(|tx| tx.get::<JobRow>(&id)).unwrap().unwrap()
    }

    fn actor(&self) -> Actor {
        Actor::User { user_id: self.ada, roles: vec![], session_id: None }
    }
}

#[test]
fn jobs_run_in_order_and_one_worker_gets_each() {
    let bed = bed();
    let (first, second) = (bed.submit(), bed.submit());
    let claim = || bed.write(|tx| queue::claim(tx, START)).unwrap().map(|row| row.job_id);
    assert_eq!((claim(), claim(), claim()), (Some(first), Some(second), None));
    assert_eq!(bed.row(first).status, JobStatus::Running);
}

#[test]
fn a_lost_lease_gives_the_job_to_another_worker() {
    let bed = bed();
    let id = bed.submit();
    bed.write(|tx| queue::claim(tx, START)).unwrap();
    let before = START.plus_ms(LEASE_MS - 1);
    assert!(bed.write(move |tx| queue::claim(tx, before)).unwrap().is_none());
    let after = START.plus_ms(LEASE_MS);
    let row = bed.write(move |tx| queue::claim(tx, after)).unwrap().unwrap();
    assert_eq!((row.job_id, row.attempts), (id, 2));
}

#[test]
fn a_passing_fault_is_retried_with_growing_waits_and_then_given_up() {
    let bed = bed();
    let id = bed.submit();
    let mut now = START;
    let mut waits = Vec::new();
    for _ in 0..ATTEMPTS_MAX {
        let run = bed.write(move |tx| queue::claim(tx, now)).unwrap().unwrap().run;
        let fault = JobFailure::retry("busy", "try later");
        bed.write(move |tx| queue::fail(tx, lease(id, run), &fault, &Bodies::default(), now))
            .unwrap();
        waits.push(bed.row(id).run_after.since_ms(now));
        now = bed.row(id).run_after.max(now);
    }
    assert_eq!(waits[..4], [1_000, 4_000, 16_000, 64_000]);
    let row = bed.row(id);
    assert_eq!((row.status, row.error.unwrap().code.as_str()), (JobStatus::Failed, "busy"));
    assert_eq!(queue::backoff_ms(60), 300_000);
}

#[test]
fn a_job_is_visible_to_its_owner_for_24_hours() {
    let bed = bed();
    let id = bed.submit();
    let see = |actor: &Actor, now| bed.db.read(|tx| visible(tx, actor, id, now)).is_ok();
    let bob = Actor::User { user_id: bed.ids.next(START), roles: vec![], session_id: None };
    assert!(see(&bed.actor(), START) && !see(&bob, START) && !see(&Actor::Anonymous, START));
    bed.write(|tx| queue::claim(tx, START)).unwrap();
    bed.write(move |tx| complete(tx, lease(id, 1), Outcome::default(), START)).unwrap();
    assert!(see(&bed.actor(), START.plus_ms(KEPT_MS)));
    let late = START.plus_ms(KEPT_MS + 1);
    assert!(!see(&bed.actor(), late), "gone before any sweep");
    assert_eq!(bed.write(move |tx| sweep(tx, late, 10)).unwrap(), 1);
    assert_eq!(bed.db.check().unwrap(), vec![]);
}

#[test]
fn a_cancelled_job_cannot_complete() {
    let bed = bed();
    let (waiting, actor) = (bed.submit(), bed.actor());
    let by = actor.clone();
    bed.write(move |tx| queue::cancel(tx, &by, waiting, &Bodies::default(), START)).unwrap();
    assert_eq!(bed.row(waiting).status, JobStatus::Cancelled);
    let by = actor.clone();
    let again = bed
        .write(move |tx| queue::cancel(tx, &by, waiting, &Bodies::default(), START))
        .unwrap_err();
    assert_eq!(again.to_string(), "the job already ended as cancelled");

    let running = bed.submit();
    bed.write(|tx| queue::claim(tx, START)).unwrap();
    bed.write(move |tx| queue::cancel(tx, &actor, running, &Bodies::default(), START)).unwrap();
    let done = bed.write(move |tx| complete(tx, lease(running, 1), Outcome::default(), START));
    assert!(matches!(done, Err(JobsError::Cancelled)));
    let fault = JobFailure::retry("x", "y");
    bed.write(move |tx| queue::fail(tx, lease(running, 1), &fault, &Bodies::default(), START))
        .unwrap();
    assert_eq!(bed.row(running).status, JobStatus::Cancelled);
}

#[test]
fn a_failed_job_can_be_run_again_by_hand() {
    let bed = bed();
    let (id, actor) = (bed.submit(), bed.actor());
    let by = actor.clone();
    let early = bed.write(move |tx| queue::retry(tx, &by, id, START)).unwrap_err();
    assert_eq!(
        early.to_string(),
        "the job is pending; only a failed or cancelled job can be retried"
    );
    bed.write(|tx| queue::claim(tx, START)).unwrap();
    let fault = JobFailure::permanent("bad", "no");
    bed.write(move |tx| queue::fail(tx, lease(id, 1), &fault, &Bodies::default(), START)).unwrap();
    bed.write(move |tx| queue::retry(tx, &actor, id, START)).unwrap();
    let row = bed.row(id);
    assert_eq!((row.status, row.finished_at, row.error), (JobStatus::Pending, None, None));
}

#[test]
fn a_restart_returns_running_jobs_without_counting_the_attempt() {
    let bed = bed();
    let id = bed.submit();
    bed.write(|tx| queue::claim(tx, START)).unwrap();
    assert_eq!(bed.write(|tx| recover(tx, &Bodies::default(), START)).unwrap(), 1);
    let row = bed.write(|tx| queue::claim(tx, START)).unwrap().unwrap();
    assert_eq!((row.job_id, row.attempts), (id, 1));
}

#[test]
fn a_job_that_keeps_crashing_the_server_is_given_up_and_its_room_hears_of_it() {
    let bed = bed();
    let id = bed.submit();
    let heard = Arc::new(Echo(AtomicU32::new(0)));
    let bodies = Bodies::new(vec![Arc::clone(&heard) as Arc<dyn Job>]);
    let mut now = START;
    for _ in 0..queue::CRASHES_MAX {
        now = now.max(bed.row(id).run_after);
        bed.write(move |tx| queue::claim(tx, now)).unwrap().unwrap();
        let bodies = bodies.clone();
        bed.write(move |tx| recover(tx, &bodies, now)).unwrap();
    }
    let row = bed.row(id);
    assert_eq!((row.status, row.error.unwrap().code.as_str()), (JobStatus::Failed, "job_crashed"));
    assert_eq!(heard.0.load(Ordering::SeqCst), 1_000, "told once");
}

#[test]
fn a_stop_in_good_order_is_not_held_against_a_job() {
    let bed = bed();
    let id = bed.submit();
    for _ in 0..10 {
        bed.write(|tx| queue::claim(tx, START)).unwrap().unwrap();
        bed.write(|tx| queue::release(tx, START)).unwrap();
    }
    let row = bed.row(id);
    assert_eq!((row.status, row.attempts, row.crashes), (JobStatus::Pending, 0, 0));
}

#[test]
fn an_old_run_cannot_speak_for_a_newer_one() {
    let bed = bed();
    let id = bed.submit();
    bed.write(|tx| queue::claim(tx, START)).unwrap();
    let later = START.plus_ms(LEASE_MS);
    assert_eq!(bed.write(move |tx| queue::claim(tx, later)).unwrap().unwrap().run, 2);
    let old = lease(id, 1);
    let fault = JobFailure::permanent("late", "from the first run");
    let failed = bed.write(move |tx| queue::fail(tx, old, &fault, &Bodies::default(), later));
    assert!(matches!(failed, Err(JobsError::Cancelled)));
    let done = bed.write(move |tx| complete(tx, old, Outcome::default(), later));
    assert!(matches!(done, Err(JobsError::Cancelled)));
    assert!(bed.write(move |tx| queue::renew(tx, old, None, later)).is_err());
    bed.write(move |tx| complete(tx, lease(id, 2), Outcome::default(), later)).unwrap();
}

#[test]
fn waiting_uses_up_no_attempt() {
    let bed = bed();
    let id = bed.submit();
    let mut now = START;
    for _ in 0..3 * ATTEMPTS_MAX {
        let run = bed.write(move |tx| queue::claim(tx, now)).unwrap().unwrap().run;
        let not_yet = JobFailure::wait(500, "not there yet");
        let put_back = move |tx: &Write<'_>| {
            queue::fail(tx, lease(id, run), &not_yet, &Bodies::default(), now)
        };
        assert_eq!(bed.write(put_back).unwrap(), JobStatus::Pending);
        now = now.plus_ms(500);
    }
    assert_eq!((bed.row(id).attempts, bed.row(id).error), (0, None));
}

#[test]
fn a_runaway_owner_is_stopped_and_others_are_not() {
    let bed = bed();
    let (ada, ids) = (bed.ada, bed.ids.clone());
    bed.write(move |tx| {
        (0..OPEN_JOBS_MAX).try_for_each(|_| {
            let job_id = ids.next(START);
            let (owner, payload) = (ada, Json::empty());
            submit(
                tx,
                NewJob { job_id, job_type: "echo", owner, case_id: None, payload, now: START },
            )
        })
    })
    .unwrap();
    let one_more = bed.job(bed.ada);
    let refused = bed.write(move |tx| submit(tx, one_more.clone())).unwrap_err();
    assert_eq!(refused.to_string(), "1000 jobs are waiting already");
    let bobs = bed.job(bed.ids.next(START));
    bed.write(move |tx| submit(tx, bobs.clone())).unwrap();
}

/// Fails its first attempt, panics when asked to, completes otherwise.
struct Echo(AtomicU32);

impl Job for Echo {
    fn job_type(&self) -> &'static str {
        "echo"
    }

    fn given_up(&self, _tx: &Write<'_>, _job: &JobRow, _now: Time) -> Result<(), DbError> {
        self.0.fetch_add(1_000, Ordering::SeqCst);
        Ok(())
    }

    fn run<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<(), JobFailure>> {
        async move {
            if work.payload.as_str().contains("panic") {
                panic!("asked to");
            }
            if work.payload.as_str().contains("forget") {
                return Ok(());
            }
            work.progress(50, "half way").await?;
            self.0.fetch_add(1, Ordering::SeqCst);
            let (lease, now) = (work.lease, work.clock.now());
            let outcome = Outcome { result: work.payload.clone(), location: Some("/there".into()) };
            work.db
                .write(move |tx| complete(tx, lease, outcome.clone(), now))
                .await
                .map_err(|e| JobFailure::from_error(&e))
        }
        .boxed()
    }
}

async fn until_ended(db: &Db, id: JobId) -> JobRow {
    let mut committed = db.committed();
    loop {
        let row = db.read(|tx| tx.get::<JobRow>(&id)).unwrap().unwrap();
        if row.status.is_final() {
            return row;
        }
        committed.changed().await.unwrap();
    }
}

#[tokio::test]
async fn workers_run_what_is_submitted_and_contain_panics() {
    let bed = bed();
    let body = Arc::new(Echo(AtomicU32::new(0)));
    let bodies = Bodies::new(vec![Arc::clone(&body) as Arc<dyn Job>]);
    let runner = Runner::start(bed.db.clone(), Clock::system(), bed.ids.clone(), bodies, 2);
    let mut ids = Vec::new();
    for payload in [r#"{"n":1}"#, r#"{"panic":true}"#, r#"{"forget":true}"#, r#"{"n":2}"#] {
        let mut job = bed.job(bed.ada);
        job.payload = Json::parse(payload).unwrap();
        ids.push(job.job_id);
        bed.db.write(move |tx| submit(tx, job.clone())).await.unwrap();
    }
    let mut ends = Vec::new();
    for id in ids {
        let row = until_ended(&bed.db, id).await;
        ends.push((row.status.as_str(), row.error.map(|e| e.code), row.location));
    }
    let there = Some("/there".to_owned());
    let failed = |code: &str| ("failed", Some(code.to_owned()), None);
    assert_eq!(
        ends,
        [
            ("completed", None, there.clone()),
            failed("job_panicked"),
            failed("job_incomplete"),
            ("completed", None, there),
        ]
    );
    runner.stop(Duration::from_secs(5)).await;
    assert_eq!(body.0.load(Ordering::SeqCst), 2_002, "two ran, two were given up");
    assert!(bed.db.read(|tx| Ok::<_, DbError>(counts(tx).is_ok())).unwrap());
}
