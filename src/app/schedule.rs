//! What happens without being asked: sweeps of what has outlived its time, and readiness.

use crate::base::Clock;
use crate::engine::blob::Blobs;
use crate::engine::db::{Db, DbError};
use crate::jobs::{self, JobsError};
use crate::ops::health::{Readiness, State};
use crate::reports;
use crate::search::Search;
use crate::{uploads, users, web};
use std::time::Duration;
use tokio::sync::watch;

/// Between two sweeps. Everything with a time limit enforces it on read; sweeps return space.
const SWEEP_EVERY: Duration = Duration::from_secs(10 * 60);
/// Rows removed in one commit, so that a sweep never holds the writer for long.
const SWEEP_ROWS: usize = 500;
/// Between two looks at the indexer for `/readyz`.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Name of the disk among the components.
const DISK: &str = "disk";

/// Sweeps until told to stop.
pub(super) async fn sweep(db: Db, blobs: Blobs, clock: Clock, mut halted: watch::Receiver<bool>) {
    while !*halted.borrow() {
        if let Err(error) = sweep_once(&db, &clock).await {
            tracing::warn!(%error, "a sweep failed and will be tried again");
        }
        match uploads::sweep_orphans(&db, &blobs, clock.now()).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "blobs without a row were removed"),
            Err(error) => tracing::warn!(%error, "the sweep of blobs failed"),
        }
        tokio::select! {
            // Without a sender nobody could ever say stop.
            told = halted.changed() => if told.is_err() { return },
            () = tokio::time::sleep(SWEEP_EVERY) => {}
        }
    }
}

async fn sweep_once(db: &Db, clock: &Clock) -> Result<(), DbError> {
    let now = clock.now();
    drain(db, move |tx| {
        jobs::sweep(tx, now, SWEEP_ROWS).map_err(|error| match error {
            JobsError::Storage(error) => error,
            _ => DbError::Closed,
        })
    })
    .await?;
    drain(db, move |tx| web::idempotency::sweep(tx, now, SWEEP_ROWS)).await?;
    drain(db, move |tx| users::sweep(tx, now)).await?;
    drain(db, move |tx| reports::sweep(tx, now, SWEEP_ROWS)).await
}

/// Repeats one bounded sweep until it finds nothing more.
async fn drain(
    db: &Db,
    sweep: impl Fn(&crate::engine::db::Write<'_>) -> Result<usize, DbError> + Clone + Send + 'static,
) -> Result<(), DbError> {
    while db.write(sweep.clone()).await? > 0 {}
    Ok(())
}

/// Keeps the readiness of search up to date until told to stop.
pub(super) async fn watch_search(
    search: Search,
    readiness: Readiness,
    mut halted: watch::Receiver<bool>,
) {
    while !*halted.borrow() {
        let state = search.ready();
        let (word, message) = if let Some(trouble) = &state.trouble {
            (State::Degraded, format!("indexing is in trouble: {trouble}"))
        } else if state.rebuilding {
            (State::Degraded, "the word index is being rebuilt; answers may be incomplete".into())
        } else {
            let lag = state.lag;
            let behind = format!("{} changes and {} vectors behind", lag.changes, lag.vectors);
            (State::Ok, format!("{} passages, {behind}", state.passages))
        };
        readiness.set("search", word, message);
        tokio::select! {
            // Without a sender nobody could ever say stop.
            told = halted.changed() => if told.is_err() { return },
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Keeps the store from filling the disk until told to stop.
pub(super) async fn watch_disk(
    db: Db,
    floor_bytes: u64,
    readiness: Readiness,
    mut halted: watch::Receiver<bool>,
) {
    while !*halted.borrow() {
        look_at_disk(&db, floor_bytes, &readiness);
        tokio::select! {
            // Without a sender nobody could ever say stop.
            told = halted.changed() => if told.is_err() { return },
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Refuses writes below the floor, and takes them again a tenth above it.
pub(super) fn look_at_disk(db: &Db, floor_bytes: u64, readiness: &Readiness) {
    let free_bytes = match db.space() {
        Ok(space) => space.free_bytes,
        Err(error) => return readiness.set(DISK, State::Degraded, error.to_string()),
    };
    let (was, full) = (db.is_full(), is_full(db.is_full(), free_bytes, floor_bytes));
    let (free_mib, floor_mib) = (free_bytes >> 20, floor_bytes >> 20);
    if full != was {
        db.set_full(full);
        if full {
            tracing::warn!(free_mib, floor_mib, "the disk is too full: writes are refused");
        } else {
            tracing::info!(free_mib, floor_mib, "there is room again: writes are taken");
        }
    }
    if full {
        let message = format!(
            "writes are refused: {free_mib} MiB are free, the floor is {floor_mib} MiB; reads and \
             deletes go on"
        );
        readiness.set(DISK, State::Degraded, message);
    } else {
        readiness.set(DISK, State::Ok, format!("{free_mib} MiB free"));
    }
}

/// Whether the disk counts as full; between the floor and a tenth above it, it counts as before.
fn is_full(was: bool, free_bytes: u64, floor_bytes: u64) -> bool {
    let ceiling = floor_bytes.saturating_add(floor_bytes / 10);
    free_bytes < floor_bytes || (was && free_bytes < ceiling)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_needs_a_tenth_more_than_the_floor_to_count_as_free() {
        assert!(is_full(false, 99, 100) && is_full(true, 99, 100));
        assert!(!is_full(false, 100, 100) && is_full(true, 109, 100));
        assert!(!is_full(true, 110, 100));
        assert!(!is_full(true, 0, 0), "without a floor nothing is full");
    }
    use crate::app::store;

    #[tokio::test]
    async fn loops_end_when_nobody_is_left_to_stop_them() {
        let directory = tempfile::tempdir().unwrap();
        let config = crate::app::Config {
            data_dir: directory.path().to_owned(),
            ..crate::app::Config::default()
        };
        let ids = crate::base::Ids::system();
        let store::Store { db, blobs, search, .. } =
            store::open(&config, &Clock::system(), &ids).unwrap();
        let (halt, halted) = watch::channel(false);
        let loops = [
            tokio::spawn(watch_disk(db.clone(), 0, Readiness::new(), halted.clone())),
            tokio::spawn(sweep(db.clone(), blobs, Clock::system(), halted.clone())),
            tokio::spawn(watch_search(search.clone(), Readiness::new(), halted.clone())),
            tokio::spawn(search.run(db, halted)),
        ];
        drop(halt);
        for task in loops {
            let ended = tokio::time::timeout(Duration::from_secs(10), task).await;
            ended.expect("the loop ends").unwrap();
        }
    }
}
