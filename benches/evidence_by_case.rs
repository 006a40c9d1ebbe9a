//! Target: evidence by case < 10 ms (seed 17.2), a page of 100 of one case among many.

use criterion::{Criterion, criterion_group, criterion_main};
use faultmaven::base::id::{CaseId, EvidenceId};
use faultmaven::base::{Actor, Ids, PageRequest, Time};
use faultmaven::cases::access::{self, Visit};
use faultmaven::cases::case::{self, NewCase};
use faultmaven::cases::evidence::{self, EvidenceFilter, NewEvidence};
use faultmaven::cases::{CaseError, EvidenceForm, EvidenceSource, Priority};
use faultmaven::engine::db::{Db, Schema, Write};
use std::hint::black_box;

/// Cases in the store.
const CASES: usize = 50;
/// Pieces of evidence in each, half of them from log files.
const EVIDENCE: usize = 200;
/// The largest page.
const PAGE: PageRequest = PageRequest { limit: 100, offset: 0 };

const NOW: Time = Time::from_unix_us(1_772_600_767_000_000);

fn furnish(tx: &Write<'_>, actor: &Actor, ids: &Ids) -> Result<CaseId, CaseError> {
    let visit = Visit { now: NOW, event_id: ids.next(NOW), address: None };
    let new = NewCase {
        case_id: ids.next(NOW),
        title: Some("Checkout answers 502".into()),
        description: None,
        priority: Priority::High,
        tags: Vec::new(),
        metadata: None,
    };
    let case_id = case::create(tx, actor, &new, &visit)?.case_id;
    let may = access::writer(tx, actor, case_id)?;
    for n in 0..EVIDENCE {
        let logs = n % 2 == 0;
        let source_type = if logs { EvidenceSource::LogFile } else { EvidenceSource::UserReport };
        evidence::add(tx, &may, &new_evidence(ids.next(NOW), source_type), NOW)?;
    }
    Ok(case_id)
}

fn new_evidence(evidence_id: EvidenceId, source_type: EvidenceSource) -> NewEvidence {
    NewEvidence {
        evidence_id,
        content: "2026-03-04 05:06:07 ERROR pool exhausted\n".repeat(50),
        source_type,
        form: EvidenceForm::Document,
        category: None,
        raw_artifact_s3_key: None,
        preprocessed_summary: Some("50 errors".into()),
        classification_dimensions: None,
        data_type: Some("logs_and_errors".into()),
        source_file_id: None,
        key_insights: Vec::new(),
        pii_detected: false,
        secrets_detected: false,
        metadata: None,
    }
}

fn evidence_by_case(c: &mut Criterion) {
    let ids = Ids::seeded(1);
    let actor = Actor::User { user_id: ids.next(NOW), roles: Vec::new(), session_id: None };
    let schema = faultmaven::cases::schema(faultmaven::ops::schema(Schema::new()));
    let db = Db::in_memory(schema).expect("a store in memory opens");
    let mut case_id = None;
    for _ in 0..CASES {
        let (person, ids) = (actor.clone(), ids.clone());
        let made = db.write_blocking(move |tx| furnish(tx, &person, &ids));
        case_id = Some(made.expect("the case is furnished"));
    }
    let case_id = case_id.expect("there is a case");
    let logs =
        EvidenceFilter { source_type: Some(EvidenceSource::LogFile), ..EvidenceFilter::default() };
    let filters =
        [("evidence by case", EvidenceFilter::default()), ("evidence by case and source", logs)];
    for (name, filter) in filters {
        c.bench_function(name, |b| {
            b.iter(|| {
                let page = db.read(|tx| {
                    let may = access::reader(tx, &actor, black_box(case_id))?;
                    evidence::page(tx, &may, &filter, PAGE)
                });
                black_box(page.expect("the page loads"))
            });
        });
    }
}

criterion_group!(benches, evidence_by_case);
criterion_main!(benches);
