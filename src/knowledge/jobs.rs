//! The job that a person follows until a document can be found.

use super::tables::DocumentRow;
use crate::base::Json;
use crate::base::id::DocumentId;
use crate::engine::db::{View, Write};
use crate::jobs::{self, Job, JobFailure, JobsError, Outcome, Work};
use crate::search::Search;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Kind of the job.
pub(super) const KB_INDEX: &str = "kb_index";
/// How long the first run keeps its worker: a single document is indexed within this.
const FIRST_WAIT: Duration = Duration::from_millis(150);
/// How long later runs keep it: only to look.
const LOOK: Duration = Duration::from_millis(1);
/// Between two looks of a job; it holds no worker meanwhile.
const LOOK_AGAIN_MS: i64 = 500;
/// After this long the indexer is in trouble, which `/readyz` tells, and the job gives up.
const PATIENCE_MS: i64 = 60 * 60 * 1000;

/// What the job needs to know.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Payload {
    pub(super) document_id: DocumentId,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Indexed {
    document_id: DocumentId,
    /// Absent when the document was deleted meanwhile.
    passages: Option<u32>,
}

/// Waits until the indexer has taken a document in. The indexer itself needs no job: it goes by
/// the outbox that was committed with the document.
pub struct IndexJob {
    search: Search,
}

impl IndexJob {
    /// A body that asks this search.
    pub fn new(search: Search) -> Self {
        Self { search }
    }

    async fn wait(&self, work: &Work) -> Result<(), JobFailure> {
        let payload = work.payload.to::<Payload>();
        let payload = payload.map_err(|e| JobFailure::permanent("job_payload", e.to_string()))?;
        let document_id = payload.document_id;
        let indexed = self.search.indexed(&work.db, document_id.as_bytes());
        let (lease, now) = (work.lease, work.clock.now());
        let wait = if lease.run == 1 { FIRST_WAIT } else { LOOK };
        match tokio::time::timeout(wait, indexed).await {
            Ok(done) => done.map_err(|error| JobFailure::from_error(&error))?,
            Err(_) if now.since_ms(work.created_at) > PATIENCE_MS => {
                return Err(JobFailure::permanent("index_behind", "the index is too far behind"));
            }
            Err(_) => return Err(JobFailure::wait(LOOK_AGAIN_MS, "waiting for the indexer")),
        }
        let complete = move |tx: &Write<'_>| -> Result<(), JobsError> {
            let passages = tx.get::<DocumentRow>(&document_id)?.map(|row| row.passages);
            let location = passages.map(|_| format!("/api/v1/knowledge/documents/{document_id}"));
            let result = Json::from_value(&Indexed { document_id, passages }).unwrap_or_default();
            jobs::complete(tx, lease, Outcome { result, location }, now)
        };
        work.db.write(complete).await.map_err(|error| JobFailure::from_error(&error))
    }
}

impl Job for IndexJob {
    fn job_type(&self) -> &'static str {
        KB_INDEX
    }

    fn run<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<(), JobFailure>> {
        self.wait(work).boxed()
    }
}
