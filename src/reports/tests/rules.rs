//! Rules.

use super::*;

fn order_of(bed: &Bed, types: &[ReportType], title: Option<&str>) -> Order {
    let planned = |report_type: &ReportType| Planned {
        report_id: bed.ids.next(START),
        report_type: *report_type,
    };
    Order {
        job_id: bed.ids.next(START),
        reports: types.iter().map(planned).collect(),
        title: title.map(str::to_owned),
    }
}

fn check_order(bed: &Bed, types: &[ReportType], title: Option<&str>, now: Time, expected: &str) {
    let (order, owner) = (order_of(bed, types, title), bed.ada);
    let done = bed.write(move |tx, may| super::super::order(tx, may, owner, &order, now));
    let told = match done {
        Ok(ended) => format!("ended: {ended}"),
        Err(error) => error.class().1.to_owned(),
    };
    assert_eq!(told, expected, "{types:?}");
}

#[test]
fn only_what_can_be_written_is_ordered() {
    use ReportType::{Analytics, PostMortem, Runbook, Summary, Trend};
    let bed = Bed::new("Checkout fails", "Payments time out.");
    check_order(&bed, &[PostMortem], None, START, "case_state");
    bed.go(Status::Investigating, None, bed.at(1));
    check_order(
        &bed,
        &[PostMortem, Runbook, Summary],
        Some(" A title "),
        bed.at(2),
        "ended: false",
    );
    check_order(&bed, &[], None, bed.at(2), "report_invalid");
    check_order(&bed, &[PostMortem, PostMortem], None, bed.at(2), "report_invalid");
    check_order(
        &bed,
        &[PostMortem, Runbook, Summary, PostMortem],
        None,
        bed.at(2),
        "report_invalid",
    );
    check_order(&bed, &[Analytics], None, bed.at(2), "report_type_unavailable");
    check_order(&bed, &[PostMortem, Trend], None, bed.at(2), "report_type_unavailable");
    check_order(&bed, &[Summary], Some(&"x".repeat(201)), bed.at(2), "report_invalid");
    bed.go(Status::Resolved, Some(ClosureReason::Resolved), bed.at(3));
    check_order(&bed, &[PostMortem], Some(""), bed.at(4), "ended: true");
    let late = bed.at(3).plus_ms(KEPT_MS);
    check_order(&bed, &[PostMortem], None, late, "case_state");
    check_order(&bed, &[Runbook], None, late, "ended: true");
}

#[test]
fn names_of_other_clients_are_understood() {
    for (name, expected) in [
        ("post_mortem", ReportType::PostMortem),
        ("incident_report", ReportType::PostMortem),
        ("resolution_summary", ReportType::Summary),
        ("closure_summary", ReportType::Summary),
        ("analytics", ReportType::Analytics),
    ] {
        let found: ReportType = serde_json::from_str(&format!("\"{name}\"")).unwrap();
        assert_eq!(found, expected);
    }
    for report_type in ReportType::ALL {
        assert_eq!(serde_json::to_string(&report_type).unwrap(), format!("\"{report_type}\""));
    }
}

#[test]
fn seven_versions_leave_five_and_numbers_are_never_given_twice() {
    let bed = Bed::investigated();
    let made: Vec<ReportRow> =
        (2..9).map(|minute| bed.generate(ReportType::PostMortem, bed.at(minute))).collect();
    let versions: Vec<u64> = made.iter().map(|row| row.version).collect();
    assert_eq!(versions, [1, 2, 3, 4, 5, 6, 7]);
    let now = bed.at(10);
    let left = [(7, true), (6, false), (5, false), (4, false), (3, false)];
    assert_eq!(bed.listed(ALL, now), left);
    assert_eq!(bed.listed(Filter::default(), now), [(7, true)]);

    let newest = made[6].report_id;
    let gone = bed.write(move |tx, may| super::super::remove(tx, may, newest, None, now));
    assert_eq!(gone.unwrap().version, 7);
    assert_eq!(bed.listed(Filter::default(), now), [(6, true)]);
    assert_eq!(bed.generate(ReportType::PostMortem, now).version, 8);
    assert_eq!(bed.generate(ReportType::Runbook, now).version, 1);
    assert_eq!(bed.db.check().unwrap(), vec![]);
}

#[test]
fn a_job_that_runs_again_writes_nothing_twice() {
    let bed = Bed::investigated();
    let now = bed.at(2);
    let stored = |written: &Written| Stored {
        case_id: bed.case_id,
        work: (bed.ids.next(now), "ada".into()),
        reports: vec![(bed.ids.next::<crate::base::id::Event>(now), written.clone())],
        now,
    };
    let written = bed.composed(ReportType::PostMortem, now);
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        let stored = stored(&written);
        let done: Result<_, ReportError> = bed.commit(move |tx| stored.store(tx));
        outcomes.push(done.unwrap());
    }
    assert_eq!(outcomes[0].location, outcomes[1].location);
    assert_eq!(outcomes[0].result, outcomes[1].result);
    assert_eq!(bed.listed(ALL, now), [(1, true)]);
    assert_eq!(bed.generate(ReportType::PostMortem, now).version, 2);
    let entries = |tx: &crate::engine::db::Read| {
        let report = written.planned.report_id.to_string();
        crate::ops::audit::of_resource(tx, "report", &report, Default::default())
    };
    let entries = bed.db.read(entries).unwrap();
    let told: Vec<_> = entries.items.iter().map(|entry| entry.event_type.as_str()).collect();
    assert_eq!(told, ["report_generated"]);
}

#[test]
fn a_report_moves_from_draft_to_published_to_archived() {
    let bed = Bed::investigated();
    let report_id = bed.generate(ReportType::Summary, bed.at(2)).report_id;
    let now = bed.at(3);
    let change = |status, title: Option<&str>, expected| {
        let change = ReportChange { status, title: title.map(str::to_owned) };
        let done = bed
            .write(move |tx, may| super::super::change(tx, may, report_id, expected, &change, now));
        match done {
            Ok(report) => format!("{} {}", report.row.status.as_str(), report.row.revision),
            Err(error) => error.to_string(),
        }
    };
    use ReportStatus::{Archived, Draft, Published};
    assert_eq!(change(Some(Draft), None, None), "draft 1");
    assert_eq!(
        change(Some(Archived), None, None),
        "a report may not go from draft to archived; valid_next_states: published"
    );
    assert_eq!(change(Some(Published), Some("For the board"), Some(1)), "published 2");
    assert_eq!(
        change(Some(Archived), None, Some(1)),
        "version 1 was expected and version 2 was found"
    );
    assert_eq!(change(Some(Archived), None, Some(2)), "archived 3");
    assert_eq!(
        change(Some(Draft), None, None),
        "a report may not go from archived to draft; valid_next_states: none"
    );
    assert_eq!(change(None, Some(" "), None), "title: must not be blank");
}

#[test]
fn reports_end_90_days_after_the_case_and_runbooks_do_not() {
    let bed = Bed::investigated();
    bed.generate(ReportType::PostMortem, bed.at(2));
    bed.generate(ReportType::Runbook, bed.at(2));
    let sweep = |now| {
        let swept: Result<_, ReportError> =
            bed.commit(move |tx| Ok(super::super::sweep(tx, now, 100)?));
        swept.unwrap()
    };
    let long_after = bed.at(2).plus_ms(3 * KEPT_MS);
    assert_eq!(sweep(long_after), 0, "the case is still open");
    assert_eq!(bed.listed(ALL, long_after).len(), 2);

    bed.go(Status::Resolved, Some(ClosureReason::Resolved), bed.at(10));
    let end = bed.at(10).plus_ms(KEPT_MS);
    assert_eq!(bed.listed(ALL, end.plus_ms(-1)).len(), 2);
    let kept = Filter { report_type: Some(ReportType::PostMortem), ..ALL };
    assert_eq!(
        (bed.listed(ALL, end).len(), bed.listed(kept, end).len()),
        (1, 0),
        "before any sweep"
    );

    bed.go(Status::Investigating, None, bed.at(20));
    assert_eq!(bed.listed(ALL, end).len(), 2, "taken up again");
    bed.go(Status::Resolved, Some(ClosureReason::Resolved), bed.at(30));
    // The sweep of an open case put the next look off, so look when that time has come.
    assert_eq!(sweep(long_after.plus_ms(KEPT_MS)), 1);
    assert_eq!(bed.listed(ALL, long_after.plus_ms(KEPT_MS)), [(1, true)]);
    assert_eq!(bed.db.check().unwrap(), vec![]);
}

#[test]
fn a_deleted_case_takes_its_reports_along() {
    let bed = Bed::investigated();
    let row = bed.generate(ReportType::Runbook, bed.at(2));
    let (actor, case_id, visit) = (bed.actor(), bed.case_id, bed.visit(bed.at(3)));
    let gone: Result<_, CaseError> =
        bed.commit(move |tx| case::remove(tx, &access::owner(tx, &actor, case_id)?, None, &visit));
    gone.unwrap();
    let left: Result<_, ReportError> = bed.db.read(|tx| Ok(tx.get::<ReportRow>(&row.report_id)?));
    assert_eq!(left.unwrap(), None);
    assert_eq!(bed.db.check().unwrap(), vec![]);
}

#[test]
fn a_report_of_another_case_is_missing() {
    let bed = Bed::investigated();
    let report_id: ReportId = bed.generate(ReportType::Summary, bed.at(2)).report_id;
    let other: CaseId = bed.ids.next(START);
    let new = NewCase {
        case_id: other,
        title: None,
        description: None,
        priority: Priority::Low,
        tags: vec![],
        metadata: None,
    };
    let (actor, visit) = (bed.actor(), bed.visit(START));
    let opened: Result<_, CaseError> = bed.commit(move |tx| case::create(tx, &actor, &new, &visit));
    opened.unwrap();
    let (actor, now) = (bed.actor(), bed.at(3));
    let found = bed
        .db
        .read(|tx| super::super::get(tx, &access::reader(tx, &actor, other)?, report_id, now));
    assert_eq!(found.unwrap_err().class(), (Class::Missing, "report_missing"));
}
