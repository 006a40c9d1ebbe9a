//! Fields and their limits, titles, tags, messages, files, the full load, deleting.

use super::{Room, new_evidence, told, user_of, wrong_fields};
use crate::base::id::FileId;
use crate::base::{Class, Json, PageRequest};
use crate::cases::case::{self, CaseChange};
use crate::cases::evidence::{self, EvidenceFilter};
use crate::cases::file::{self, Added, Finished, NewFile};
use crate::cases::load::CONTENT_BYTES_MAX;
use crate::cases::message::{self, NewMessage};
use crate::cases::{
    CaseError, Category, EvidenceCategory, EvidenceForm, EvidenceSource, FileSource,
    HypothesisCategory, MessageRole, Milestone, ParticipantRole, Parts, ProcessingStatus, Stance,
    Status, access, hypothesis, load_full, solution, tag,
};
use crate::engine::db::DbError;

#[test]
fn a_field_that_is_too_long_or_blank_is_named() {
    let room = Room::new();
    let open = |title: &str, description: &str, tags: &[&str]| {
        let result = room.open_with(&room.ada, |new| {
            new.title = Some(title.into());
            new.description = Some(description.into());
            new.tags = tags.iter().map(|tag| (*tag).into()).collect();
        });
        result.map_err(|error| match error {
            CaseError::Fields(fields) => fields.into_iter().map(|f| f.field).collect::<Vec<_>>(),
            other => vec![other.to_string()],
        })
    };
    let long = |n| "ä".repeat(n);
    assert!(open(&long(200), &long(2000), &[&long(50)]).is_ok());
    assert_eq!(open(&long(201), "", &[]).unwrap_err(), ["title"]);
    assert_eq!(open("t", &long(2001), &[]).unwrap_err(), ["description"]);
    assert_eq!(open("t", "", &["ok", &long(51), " "]).unwrap_err(), ["tags[1]", "tags[2]"]);
    assert_eq!(open("t", "", &["x"; 51]).unwrap_err(), ["tags"]);
    let trimmed = open("  t  ", "  d ", &[" b ", "a", "b"]).unwrap();
    assert_eq!((trimmed.title.as_str(), trimmed.description.as_deref()), ("t", Some("d")));
    let tags = room.db.read(|tx| tag::all(tx, &access::reader(tx, &room.ada, trimmed.case_id)?));
    assert_eq!(tags.unwrap(), ["a", "b"]);
}

#[test]
fn a_case_without_a_title_is_numbered_by_day_and_person() {
    let room = Room::new();
    let untitled = |actor| room.open_with(actor, |new| new.title = Some(" ".into())).unwrap().title;
    assert_eq!(untitled(&room.ada), "Case-0304-1");
    assert_eq!(untitled(&room.ada), "Case-0304-2");
    assert_eq!(untitled(&room.bob), "Case-0304-1");
    room.ticks.fetch_add(86_400_000, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(untitled(&room.ada), "Case-0305-1");
}

#[test]
fn a_change_of_an_unknown_version_is_refused() {
    let room = Room::new();
    let row = room.open(&room.ada, "case");
    let rename = |expected| {
        let visit = room.visit();
        let change = CaseChange { title: Some("new".into()), ..CaseChange::default() };
        room.change(&room.ada, row.case_id, move |tx, may| {
            case::update(tx, may, expected, &change, &visit)
        })
    };
    assert_eq!(rename(Some(1)).unwrap().version, 2);
    match rename(Some(1)).unwrap_err() {
        CaseError::Version { expected: 1, actual: 2 } => {}
        other => panic!("{other}"),
    }
    room.add_evidence(row.case_id, "a child leaves the version alone");
    assert_eq!(rename(Some(2)).unwrap().version, 3);
    assert_eq!(rename(None).unwrap().version, 4);
}

#[test]
fn progress_and_modes_show_in_the_row() {
    let room = Room::new();
    let row = room.open(&room.ada, "case");
    let set = |progress: &str, escalation: Option<&str>| {
        let visit = room.visit();
        let mut change = CaseChange::default();
        change.context.investigation_progress = Some(Some(Json::parse(progress).unwrap()));
        change.context.escalation_state = Some(escalation.map(|text| Json::parse(text).unwrap()));
        room.change(&room.ada, row.case_id, move |tx, may| {
            case::update(tx, may, None, &change, &visit)
        })
    };
    let row = set(r#"{"symptom_verified": true}"#, Some(r#"{"to":"dba"}"#)).unwrap();
    assert_eq!(row.milestones.completed(), [Milestone::SymptomVerified]);
    assert!(row.escalated && !row.degraded_mode_active);
    assert!(!set("{}", None).unwrap().escalated);
    let wrong = wrong_fields(set(r#"{"solution_applied": true}"#, None));
    assert_eq!(wrong, ["investigation_progress.solution_applied"]);
}

#[test]
fn evidence_speaks_to_what_the_case_is_at() {
    let room = Room::new();
    let case_id = room.open(&room.ada, "case").case_id;
    let reached = |names: &[&str]| {
        let members: Vec<_> = names.iter().map(|name| format!("\"{name}\":true")).collect();
        let mut change = CaseChange::default();
        let json = Json::parse(&format!("{{{}}}", members.join(","))).unwrap();
        change.context.investigation_progress = Some(Some(json));
        let visit = room.visit();
        room.change(&room.ada, case_id, move |tx, may| {
            case::update(tx, may, None, &change, &visit)
        })
        .unwrap();
        room.add_evidence(case_id, "x").category
    };
    let verified =
        ["symptom_verified", "scope_assessed", "timeline_established", "changes_identified"];
    assert_eq!(reached(&["symptom_verified"]), EvidenceCategory::Symptom);
    assert_eq!(reached(&verified), EvidenceCategory::Causal);
    let proposed: Vec<_> = verified.into_iter().chain(["solution_proposed"]).collect();
    assert_eq!(reached(&proposed), EvidenceCategory::Resolution);
}

#[test]
fn evidence_is_found_by_any_combination_of_filters() {
    let room = Room::new();
    let case_id = room.open(&room.ada, "case").case_id;
    let other = room.open(&room.ada, "other").case_id;
    let add = |case_id, content: &str, source_type, form, data_type: Option<&str>| {
        let now = room.tick();
        let mut new = new_evidence(room.ids.next(now), content);
        (new.source_type, new.form, new.data_type) =
            (source_type, form, data_type.map(str::to_owned));
        room.change(&room.ada, case_id, move |tx, may| evidence::add(tx, may, &new, now)).unwrap();
    };
    use EvidenceForm::{Document, UserInput};
    use EvidenceSource::{LogFile, UserReport};
    add(case_id, "a", LogFile, Document, Some("logs_and_errors"));
    add(case_id, "b", LogFile, UserInput, None);
    add(case_id, "c", UserReport, UserInput, Some("logs_and_errors"));
    add(other, "d", LogFile, Document, Some("logs_and_errors"));
    let check = |source_type, form, data_type: Option<&str>, expected: &[&str]| {
        let filter = EvidenceFilter { source_type, form, data_type: data_type.map(str::to_owned) };
        let page = room
            .db
            .read(|tx| {
                let may = access::reader(tx, &room.ada, case_id)?;
                evidence::page(tx, &may, &filter, PageRequest::default())
            })
            .unwrap();
        assert_eq!(page.total_count, expected.len());
        let found: Vec<_> = page.items.iter().map(|row| row.content.as_str()).collect();
        assert_eq!(found, expected, "{filter:?}");
    };
    check(None, None, None, &["c", "b", "a"]);
    check(Some(LogFile), None, None, &["b", "a"]);
    check(None, Some(UserInput), None, &["c", "b"]);
    check(None, None, Some("logs_and_errors"), &["c", "a"]);
    check(Some(LogFile), Some(UserInput), None, &["b"]);
    check(Some(LogFile), None, Some("logs_and_errors"), &["a"]);
    check(Some(LogFile), Some(UserInput), Some("logs_and_errors"), &[]);
    check(None, None, Some("trace_data"), &[]);
}

#[test]
fn an_ended_case_takes_no_evidence_but_finishes_what_was_begun() {
    let room = Room::new();
    let case_id = room.open(&room.ada, "case").case_id;
    let visit = room.visit();
    room.change(&room.ada, case_id, move |tx, may| {
        let change = case::StatusChange {
            to: Status::Closed,
            closure_reason: Some(crate::cases::ClosureReason::Abandoned),
            reason: None,
        };
        case::change_status(tx, may, None, &change, &visit)
    })
    .unwrap();
    let now = room.tick();
    let new = new_evidence(room.ids.next(now), "late");
    let by_person = new.clone();
    let refused =
        room.change(&room.ada, case_id, move |tx, may| evidence::add(tx, may, &by_person, now));
    assert_eq!(told(refused), (Class::Conflict, "case_ended"));
    room.write(move |tx| {
        let may = access::Writer::system(tx, case_id, "uploads")?;
        evidence::add(tx, &may, &new, now)
    })
    .unwrap();
}

#[test]
fn links_name_evidence_of_the_same_case_once() {
    let room = Room::new();
    let case_id = room.open(&room.ada, "case").case_id;
    let other = room.open(&room.ada, "other").case_id;
    let (mine, foreign) =
        (room.add_evidence(case_id, "x").evidence_id, room.add_evidence(other, "y").evidence_id);
    let link = |ids: &[_]| {
        let links: Vec<_> = ids.iter().map(|id| (*id, Stance::Supports)).collect();
        room.add_hypothesis(case_id, &links)
    };
    assert!(link(&[mine]).is_ok());
    assert_eq!(wrong_fields(link(&[foreign])), ["evidence_links[0].evidence_id"]);
    assert_eq!(wrong_fields(link(&[mine, mine])), ["evidence_links[1].evidence_id"]);
}

#[test]
fn a_removed_thing_leaves_no_link_behind() {
    let room = Room::new();
    let case_id = room.open(&room.ada, "case").case_id;
    let evidence_id = room.add_evidence(case_id, "x").evidence_id;
    let hypothesis_id =
        room.add_hypothesis(case_id, &[(evidence_id, Stance::Supports)]).unwrap().hypothesis_id;
    let solution_id = room.add_solution(case_id).solution_id;
    let now = room.tick();
    room.change(&room.ada, case_id, move |tx, may| {
        let link = solution::SolutionChange {
            linked_hypothesis_id: Some(Some(hypothesis_id)),
            ..Default::default()
        };
        solution::update(tx, may, solution_id, None, &link, now)?;
        evidence::remove(tx, may, evidence_id, None, now)?;
        let row = hypothesis::get(tx, may, hypothesis_id)?;
        assert!(row.evidence_links.is_empty());
        hypothesis::remove(tx, may, hypothesis_id, None, now)?;
        assert_eq!(solution::get(tx, may, solution_id)?.linked_hypothesis_id, None);
        Ok(())
    })
    .unwrap();
    room.assert_sound();
}

#[test]
fn messages_keep_their_order_and_count_turns() {
    let room = Room::new();
    let case_id = room.open(&room.ada, "case").case_id;
    let say = |role, content: &str| {
        let now = room.tick();
        let new = NewMessage {
            message_id: room.ids.next(now),
            role,
            content: content.into(),
            message_type: None,
            turn_number: None,
            token_count: None,
            metadata: None,
        };
        room.change(&room.ada, case_id, move |tx, may| message::add(tx, may, &new, now))
    };
    use MessageRole::{Assistant, System, User};
    for (role, text) in [(User, "hi"), (Assistant, "hello"), (System, "note"), (User, "again")] {
        say(role, text).unwrap();
    }
    assert_eq!(wrong_fields(say(User, " \n")), ["content"]);
    let long = "x".repeat(message::MESSAGE_BYTES_MAX + 1);
    assert_eq!(wrong_fields(say(User, &long)), ["content"]);
    let page = room
        .db
        .read(|tx| {
            let may = access::reader(tx, &room.ada, case_id)?;
            assert_eq!(case::get(tx, &may)?.current_turn, 2);
            message::page(tx, &may, PageRequest::default())
        })
        .unwrap();
    let said: Vec<_> =
        page.items.iter().map(|row| (row.turn_number, row.content.as_str())).collect();
    assert_eq!(said, [(1, "hi"), (1, "hello"), (1, "note"), (2, "again")]);
    let authors: Vec<_> = page.items.iter().map(|row| row.author_id.is_some()).collect();
    assert_eq!(authors, [true, false, false, true]);
}

fn new_file(file_id: FileId, sha256: [u8; 32]) -> NewFile {
    NewFile {
        file_id,
        filename: "app.log".into(),
        size_bytes: 3,
        content_type: Some("text/plain".into()),
        sha256,
        data_type: None,
        description: None,
        storage_key: "artifacts/x".into(),
        source_type: FileSource::FileUpload,
    }
}

#[test]
fn the_same_content_is_one_file_of_a_case_until_it_fails() {
    let room = Room::new();
    let (case_id, other) =
        (room.open(&room.ada, "case").case_id, room.open(&room.ada, "other").case_id);
    let add = |case_id| {
        let now = room.tick();
        let new = new_file(room.ids.next(now), [7; 32]);
        room.change(&room.ada, case_id, move |tx, may| file::add(tx, may, &new, now)).unwrap()
    };
    let Added::New(first) = add(case_id) else { panic!("the first is new") };
    assert_eq!(add(case_id), Added::Duplicate(first.clone()));
    assert!(matches!(add(other), Added::New(_)), "another case has its own");
    let (file_id, now) = (first.file_id, room.tick());
    let failed = room
        .change(&room.ada, case_id, move |tx, may| {
            file::start(tx, may, file_id)?;
            file::fail(tx, may, file_id, "broken", now)
        })
        .unwrap();
    assert_eq!(failed.processing_status, ProcessingStatus::Failed);
    assert!(matches!(add(case_id), Added::New(_)), "a failed file may be sent again");
    let again = room.change(&room.ada, case_id, move |tx, may| file::start(tx, may, file_id));
    assert!(matches!(again, Err(CaseError::Storage(DbError::Unique { .. }))));
    room.assert_sound();
}

#[test]
fn a_processed_file_carries_its_analysis_and_goes_with_what_was_made_from_it() {
    let room = Room::new();
    let case_id = room.open(&room.ada, "case").case_id;
    let now = room.tick();
    let file_id: FileId = room.ids.next(now);
    let (new, evidence_id) = (new_file(file_id, [1; 32]), room.ids.next(now));
    let derived = evidence::NewEvidence {
        source_file_id: Some(file_id),
        key_insights: vec!["3 errors in lines 4-9".into()],
        pii_detected: true,
        ..new_evidence(evidence_id, "extracted")
    };
    let finish = |analysis: String| {
        let (new, derived) = (new.clone(), derived.clone());
        let found = Finished { data_type: "logs_and_errors".into(), summary: None, analysis };
        room.change(&room.ada, case_id, move |tx, may| {
            file::add(tx, may, &new, now)?;
            file::finish(tx, may, file_id, &found, now)?;
            evidence::add(tx, may, &derived, now)?;
            file::analysis(tx, may, file_id)
        })
    };
    assert_eq!(wrong_fields(finish("[]".into())), ["analysis"]);
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(file::ANALYSIS_BYTES_MAX));
    assert_eq!(wrong_fields(finish(large)), ["analysis"]);
    let body = r#"{"summary":"ok","findings":{}}"#;
    assert_eq!(finish(body.into()).unwrap().as_deref(), Some(body));
    let hypothesis_id =
        room.add_hypothesis(case_id, &[(evidence_id, Stance::Supports)]).unwrap().hypothesis_id;
    room.change(&room.ada, case_id, move |tx, may| {
        file::remove(tx, may, file_id, None, now)?;
        assert!(evidence::get(tx, may, evidence_id).is_err());
        assert!(hypothesis::get(tx, may, hypothesis_id)?.evidence_links.is_empty());
        Ok(())
    })
    .unwrap();
    room.assert_sound();
}

#[test]
fn evidence_is_made_from_files_of_the_same_case_only() {
    let room = Room::new();
    let (case_id, other) =
        (room.open(&room.ada, "case").case_id, room.open(&room.ada, "other").case_id);
    let now = room.tick();
    let file_id: FileId = room.ids.next(now);
    let new = new_file(file_id, [1; 32]);
    room.change(&room.ada, other, move |tx, may| file::add(tx, may, &new, now)).unwrap();
    let stolen = evidence::NewEvidence {
        source_file_id: Some(file_id),
        ..new_evidence(room.ids.next(now), "x")
    };
    let refused =
        room.change(&room.ada, case_id, move |tx, may| evidence::add(tx, may, &stolen, now));
    assert_eq!(told(refused), (Class::Missing, "file_missing"));
}

/// A case with something of everything in it.
fn furnish(room: &Room) -> crate::base::id::CaseId {
    let case_id = room.open(&room.ada, "case").case_id;
    let evidence_id = room.add_evidence(case_id, "x").evidence_id;
    room.add_hypothesis(case_id, &[(evidence_id, Stance::Neutral)]).unwrap();
    room.add_solution(case_id);
    let now = room.tick();
    let file_id = room.ids.next(now);
    let (new, visit) = (new_file(file_id, [1; 32]), room.visit());
    let said = NewMessage {
        message_id: room.ids.next(now),
        role: MessageRole::User,
        content: "hi".into(),
        message_type: None,
        turn_number: None,
        token_count: None,
        metadata: None,
    };
    let call = crate::cases::tool_call::NewToolCall {
        call_id: room.ids.next(now),
        tool_name: "t".into(),
        tool_input: Json::empty(),
        outcome: crate::cases::tool_call::Outcome {
            status: crate::cases::ToolCallStatus::Pending,
            tool_output: None,
            error_message: None,
            duration_ms: None,
        },
        metadata: None,
    };
    room.change(&room.ada, case_id, move |tx, may| {
        file::add(tx, may, &new, now)?;
        let found = Finished { data_type: "x".into(), summary: None, analysis: "{}".into() };
        file::finish(tx, may, file_id, &found, now)?;
        message::add(tx, may, &said, now)?;
        crate::cases::tool_call::add(tx, may, &call, now)?;
        let mut change = CaseChange::default();
        change.context.metadata = Some(Some(Json::parse(r#"{"k":1.0}"#).unwrap()));
        case::update(tx, may, None, &change, &visit)
    })
    .unwrap();
    room.enrol(case_id, &room.bob, ParticipantRole::Viewer);
    case_id
}

#[test]
fn the_full_load_has_everything_and_a_part_load_only_its_parts() {
    let room = Room::new();
    let case_id = furnish(&room);
    let load = |parts| {
        room.db.read(|tx| load_full(tx, &access::reader(tx, &room.bob, case_id)?, parts)).unwrap()
    };
    let full = load(Parts::ALL);
    assert_eq!(full.evidence.as_ref().map(|rows| rows[0].content.as_str()), Some("x"));
    assert_eq!(full.hypotheses.as_ref().map(|rows| rows[0].evidence_links.len()), Some(1));
    assert_eq!(full.solutions.as_ref().map(Vec::len), Some(1));
    assert_eq!(full.messages.as_ref().map(|rows| rows[0].content.as_str()), Some("hi"));
    assert_eq!(full.files.as_ref().map(|rows| rows[0].analysis_bytes), Some(Some(2)));
    assert_eq!(full.transitions.as_ref().map(|rows| rows[0].to_status), Some(Status::Consulting));
    assert_eq!(full.tool_calls.as_ref().map(Vec::len), Some(1));
    let people = full.participants.as_ref().unwrap();
    let roles: Vec<_> = people.iter().map(|row| (row.user_id, row.role)).collect();
    assert!(roles.contains(&(user_of(&room.ada), ParticipantRole::Owner)));
    assert!(roles.contains(&(user_of(&room.bob), ParticipantRole::Viewer)));
    assert_eq!(full.tags, ["prod"]);
    assert_eq!(full.context.metadata.as_ref().map(Json::as_str), Some(r#"{"k":1.0}"#));
    let bare = load(Parts::default());
    assert_eq!(bare.counts, full.counts);
    assert!(bare.evidence.is_none() && bare.messages.is_none() && bare.participants.is_none());
}

#[test]
fn a_full_load_leaves_out_contents_beyond_its_budget_and_says_so() {
    let room = Room::new();
    let case_id = room.open(&room.ada, "large").case_id;
    let load = || {
        let all = |tx: &_| load_full(tx, &access::reader(tx, &room.ada, case_id)?, Parts::ALL);
        room.db.read(all).unwrap()
    };
    let large = "x".repeat(evidence::CONTENT_BYTES_MAX);
    let fitting = CONTENT_BYTES_MAX / evidence::CONTENT_BYTES_MAX;
    let oldest = room.add_evidence(case_id, &large).evidence_id;
    for _ in 1..fitting {
        room.add_evidence(case_id, &large);
    }
    let full = load();
    assert!(!full.truncated, "exactly the budget");
    assert!(full.evidence.unwrap().iter().all(|row| row.content == large));

    let now = room.tick();
    let small = room.add_evidence(case_id, "small").evidence_id;
    let said = NewMessage {
        message_id: room.ids.next(now),
        role: MessageRole::User,
        content: "hi".into(),
        message_type: None,
        turn_number: None,
        token_count: None,
        metadata: None,
    };
    room.change(&room.ada, case_id, move |tx, may| message::add(tx, may, &said, now)).unwrap();
    let full = load();
    assert!(full.truncated);
    let rows = full.evidence.unwrap();
    assert_eq!((rows.len(), rows[0].evidence_id), (fitting + 1, small));
    let empty: Vec<_> = rows.iter().filter(|row| row.content.is_empty()).collect();
    assert_eq!(empty.iter().map(|row| row.evidence_id).collect::<Vec<_>>(), [oldest]);
    assert_eq!(full.messages.unwrap()[0].content, "hi", "what still fits is there");
    let alone =
        room.db.read(|tx| evidence::get(tx, &access::reader(tx, &room.ada, case_id)?, oldest));
    assert_eq!(alone.unwrap().content, large);
}

#[test]
fn a_refused_addition_writes_nothing_first() {
    let room = Room::new();
    let case_id = room.open(&room.ada, "t").case_id;
    let now = room.tick();
    let blank = new_evidence(room.ids.next(now), " ");
    let mut strange = new_evidence(room.ids.next(now), "x");
    strange.source_file_id = Some(room.ids.next(now));
    let believed = hypothesis::NewHypothesis {
        hypothesis_id: room.ids.next(now),
        description: " ".into(),
        category: HypothesisCategory::Config,
        confidence_level: None,
        likelihood: 0.5,
        reasoning: None,
        evidence_links: Vec::new(),
        metadata: None,
    };
    let proposed = solution::NewSolution {
        solution_id: room.ids.next(now),
        title: None,
        description: " ".into(),
        category: Category::Fix,
        linked_hypothesis_id: None,
        steps: None,
        verification_criteria: None,
        metadata: None,
    };
    let before = room.db.stats().commits;
    // The refusals are swallowed, so that anything written before them would be committed.
    room.change(&room.ada, case_id, move |tx, may| {
        let refused = (Class::Invalid, "case_invalid");
        assert_eq!(told(evidence::add(tx, may, &blank, now)), refused);
        assert_eq!(told(evidence::add(tx, may, &strange, now)), (Class::Missing, "file_missing"));
        assert_eq!(told(hypothesis::add(tx, may, &believed, now)), refused);
        assert_eq!(told(solution::add(tx, may, &proposed, now)), refused);
        Ok(())
    })
    .unwrap();
    assert_eq!(room.db.stats().commits, before);
}

#[test]
fn a_deleted_case_leaves_nothing() {
    let room = Room::new();
    let kept = furnish(&room);
    let case_id = furnish(&room);
    let rows = |room: &Room| {
        use crate::cases::tables::{
            CaseRow, ContextRow, EvidenceRow, FileAnalysisRow, FileRow, HypothesisRow, MessageRow,
            ParticipantRow, SolutionRow, TagRow, ToolCallRow, TransitionRow,
        };
        use crate::engine::db::{Read, Row, Span, View};
        fn count<R: Row>(tx: &Read) -> usize {
            let mut count = 0;
            tx.each_row::<R>(&Span::all(), |_| {
                count += 1;
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
            count
        }
        room.db
            .read(|tx| {
                Ok::<_, DbError>(
                    [
                        count::<CaseRow>(tx),
                        count::<ContextRow>(tx),
                        count::<EvidenceRow>(tx),
                        count::<HypothesisRow>(tx),
                        count::<SolutionRow>(tx),
                        count::<MessageRow>(tx),
                        count::<FileRow>(tx),
                        count::<FileAnalysisRow>(tx),
                        count::<TransitionRow>(tx),
                        count::<TagRow>(tx),
                        count::<ToolCallRow>(tx),
                    ]
                    .into_iter()
                    .chain([count::<ParticipantRow>(tx) / 2])
                    .collect::<Vec<_>>(),
                )
            })
            .unwrap()
    };
    assert_eq!(rows(&room), [2; 12]);
    let (visit, ada) = (room.visit(), room.ada.clone());
    let remove = move |tx: &crate::engine::db::Write<'_>| {
        case::remove(tx, &access::owner(tx, &ada, case_id)?, None, &visit)
    };
    room.write(remove.clone()).unwrap();
    assert_eq!(rows(&room), [1; 12]);
    assert_eq!(told(room.write(remove)), (Class::Missing, "case_missing"));
    room.assert_sound();
    room.db.read(|tx| access::reader(tx, &room.ada, kept)).unwrap();
}
