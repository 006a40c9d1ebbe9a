//! Target: full case load < 20 ms (seed 17.2), a case with 200 children read from one snapshot.

use criterion::{Criterion, criterion_group, criterion_main};
use faultmaven::base::id::{CaseId, EvidenceId};
use faultmaven::base::{Actor, Ids, Json, Time};
use faultmaven::cases::access::{self, Visit};
use faultmaven::cases::case::{self, NewCase};
use faultmaven::cases::evidence::{self, NewEvidence};
use faultmaven::cases::hypothesis::{self, NewHypothesis, NewLink};
use faultmaven::cases::message::{self, NewMessage};
use faultmaven::cases::solution::{self, NewSolution};
use faultmaven::cases::{
    CaseError, Category, EvidenceForm, EvidenceSource, HypothesisCategory, MessageRole, Parts,
    Priority, Stance, load_full,
};
use faultmaven::engine::db::{Db, Schema, Write};
use std::hint::black_box;

/// Pieces of evidence, each with a text of 8 KB as extracted from a file.
const EVIDENCE: usize = 100;
/// Hypotheses, each linked to all of ten pieces of evidence.
const HYPOTHESES: usize = 10;
/// Solutions.
const SOLUTIONS: usize = 10;
/// Messages of 500 bytes; with the rest 200 children.
const MESSAGES: usize = 80;
/// Bytes of an extracted text (ruling 16).
const CONTENT_BYTES: usize = 8000;

const NOW: Time = Time::from_unix_us(1_772_600_767_000_000);

fn furnish(tx: &Write<'_>, actor: &Actor, ids: &Ids, visit: &Visit) -> Result<CaseId, CaseError> {
    let new = NewCase {
        case_id: ids.next(NOW),
        title: Some("Checkout answers 502".into()),
        description: Some("since the last release".into()),
        priority: Priority::High,
        tags: vec!["prod".into(), "checkout".into()],
        metadata: None,
    };
    let case_id = case::create(tx, actor, &new, visit)?.case_id;
    let may = access::writer(tx, actor, case_id)?;
    let evidence: Vec<EvidenceId> = (0..EVIDENCE).map(|_| ids.next(NOW)).collect();
    for evidence_id in &evidence {
        evidence::add(tx, &may, &new_evidence(*evidence_id), NOW)?;
    }
    for _ in 0..HYPOTHESES {
        let links = evidence.iter().take(10).map(|evidence_id| NewLink {
            evidence_id: *evidence_id,
            stance: Stance::Supports,
            reasoning: None,
            completeness: None,
        });
        let new = NewHypothesis {
            hypothesis_id: ids.next(NOW),
            description: "the connection pool is exhausted".into(),
            category: HypothesisCategory::Config,
            confidence_level: None,
            likelihood: 0.5,
            reasoning: None,
            evidence_links: links.collect(),
            metadata: None,
        };
        hypothesis::add(tx, &may, &new, NOW)?;
    }
    for _ in 0..SOLUTIONS {
        let new = NewSolution {
            solution_id: ids.next(NOW),
            title: None,
            description: "raise the pool size".into(),
            category: Category::Fix,
            linked_hypothesis_id: None,
            steps: Json::parse(r#"["edit","restart"]"#).ok(),
            verification_criteria: None,
            metadata: None,
        };
        solution::add(tx, &may, &new, NOW)?;
    }
    for _ in 0..MESSAGES {
        let new = NewMessage {
            message_id: ids.next(NOW),
            role: MessageRole::User,
            content: "what changed before that? ".repeat(19),
            message_type: None,
            turn_number: None,
            token_count: None,
            metadata: None,
        };
        message::add(tx, &may, &new, NOW)?;
    }
    Ok(case_id)
}

fn new_evidence(evidence_id: EvidenceId) -> NewEvidence {
    NewEvidence {
        evidence_id,
        content: "2026-03-04 05:06:07 ERROR pool exhausted\n".repeat(CONTENT_BYTES / 41),
        source_type: EvidenceSource::LogFile,
        form: EvidenceForm::Document,
        category: None,
        raw_artifact_s3_key: None,
        preprocessed_summary: Some("195 errors, all of them about the pool".into()),
        classification_dimensions: None,
        data_type: Some("logs_and_errors".into()),
        source_file_id: None,
        key_insights: vec!["the pool is exhausted from line 1 on".into()],
        pii_detected: false,
        secrets_detected: false,
        metadata: None,
    }
}

fn full_case_load(c: &mut Criterion) {
    let ids = Ids::seeded(1);
    let actor = Actor::User { user_id: ids.next(NOW), roles: Vec::new(), session_id: None };
    let schema = faultmaven::cases::schema(faultmaven::ops::schema(Schema::new()));
    let db = Db::in_memory(schema).expect("a store in memory opens");
    let visit = Visit { now: NOW, event_id: ids.next(NOW), address: None };
    let person = actor.clone();
    let case_id = db
        .write_blocking(move |tx| furnish(tx, &person, &ids, &visit))
        .expect("the case is furnished");
    for (name, parts) in
        [("full case load, 200 children", Parts::ALL), ("case with counts", Parts::default())]
    {
        c.bench_function(name, |b| {
            b.iter(|| {
                let full = db.read(|tx| {
                    load_full(tx, &access::reader(tx, &actor, black_box(case_id))?, parts)
                });
                black_box(full.expect("the case loads"))
            });
        });
    }
}

criterion_group!(benches, full_case_load);
criterion_main!(benches);
