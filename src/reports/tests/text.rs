//! Texts.

use super::super::markdown::{Page, inline, spoken};
use super::super::node::Node;
use super::*;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// A case as an agent works it, from a log to a verified cure; answers its evidence.
fn worked(bed: &Bed) -> (crate::base::id::FileId, crate::base::id::EvidenceId) {
    let file_id = upload(bed);
    let evidence_id = from_file(bed, file_id);
    let hypothesis_id = bed.ids.next(START);
    let new = NewHypothesis {
        hypothesis_id,
        description: "The connection pool is too small.".into(),
        category: HypothesisCategory::Config,
        confidence_level: None,
        likelihood: 0.6,
        reasoning: Some("Every timeout waits for a connection.".into()),
        evidence_links: vec![NewLink {
            evidence_id,
            stance: Stance::Supports,
            reasoning: Some("pool exhausted".into()),
            completeness: None,
        }],
        metadata: None,
    };
    let (tested, verdict) = (bed.at(20), bed.at(30));
    bed.write(move |tx, may| {
        hypothesis::add(tx, may, &new, tested)?;
        for (status, now) in
            [(HypothesisStatus::Testing, tested), (HypothesisStatus::Validated, verdict)]
        {
            let change = HypothesisChange { status: Some(status), ..HypothesisChange::default() };
            hypothesis::update(tx, may, hypothesis_id, None, &change, now)?;
        }
        Ok::<_, CaseError>(())
    })
    .unwrap();
    cure(bed, hypothesis_id);
    bed.context(
        ContextChange {
            problem_verification: Some(Some(json(
                r#"{"severity":"HIGH","user_impact":"A third of payments fail",
                    "affected_services":["checkout","billing"]}"#,
            ))),
            documentation_data: Some(Some(json(
                r#"{"action_items":[{"title":"Alert on pool usage","owner":"platform"}],
                    "lessons_learned":["Load tests must use the production pool size"]}"#,
            ))),
            ..ContextChange::default()
        },
        bed.at(60),
    );
    (file_id, evidence_id)
}

fn upload(bed: &Bed) -> crate::base::id::FileId {
    let (file_id, now) = (bed.ids.next(START), bed.at(5));
    let new = NewFile {
        file_id,
        filename: "checkout.log".into(),
        size_bytes: 2048,
        content_type: None,
        sha256: [0xab; 32],
        data_type: None,
        description: None,
        storage_key: "raw/1".into(),
        source_type: FileSource::FileUpload,
    };
    let analysis = r#"{"findings":{"lines":90,
        "timeline":[{"time":"2026-11-23T09:52:07Z","event":"first error: pool exhausted","line":41},
                    {"time":null,"event":"no time","line":42}],
        "crime_scene":[{"line_start":31,"line_end":51,"reason":"first error record"}]}}"#;
    let finished = Finished {
        data_type: "logs_and_errors".into(),
        summary: Some("90 lines".into()),
        analysis: analysis.into(),
    };
    bed.write(move |tx, may| {
        file::add(tx, may, &new, now)?;
        file::finish(tx, may, file_id, &finished, now)
    })
    .unwrap();
    file_id
}

fn from_file(bed: &Bed, file_id: crate::base::id::FileId) -> crate::base::id::EvidenceId {
    let (evidence_id, now) = (bed.ids.next(START), bed.at(6));
    let new = NewEvidence {
        evidence_id,
        content: "the whole extraction".into(),
        source_type: EvidenceSource::LogFile,
        form: EvidenceForm::Document,
        category: Some(EvidenceCategory::Symptom),
        raw_artifact_s3_key: None,
        preprocessed_summary: Some("Timeouts on every third payment.".into()),
        classification_dimensions: None,
        data_type: Some("logs_and_errors".into()),
        source_file_id: Some(file_id),
        key_insights: vec!["40 of 90 records are errors (lines 41-90).".into()],
        pii_detected: false,
        secrets_detected: false,
        metadata: None,
    };
    let said = NewMessage {
        message_id: bed.ids.next(START),
        role: MessageRole::User,
        content: "Since the release. Ask ada@example.org, password=hunter2hunter2".into(),
        message_type: None,
        turn_number: None,
        token_count: None,
        metadata: None,
    };
    bed.write(move |tx, may| {
        evidence::add(tx, may, &new, now)?;
        message::add(tx, may, &said, now)
    })
    .unwrap();
    evidence_id
}

fn cure(bed: &Bed, hypothesis_id: crate::base::id::HypothesisId) {
    let solution_id = bed.ids.next(START);
    let new = NewSolution {
        solution_id,
        title: Some("Raise the pool size".into()),
        description: "Set max_connections to 200.".into(),
        category: Category::Fix,
        linked_hypothesis_id: Some(hypothesis_id),
        steps: Some(json(
            r#"["Edit pool.yaml",{"step":"Roll out","command":"kubectl rollout restart"}]"#,
        )),
        verification_criteria: Some(json(r#"["No timeout for 30 minutes"]"#)),
        metadata: Some(json(r#"{"rollback":["Set max_connections back to 50"]}"#)),
    };
    let (proposed, applied) = (bed.at(35), bed.at(50));
    bed.write(move |tx, may| {
        solution::add(tx, may, &new, proposed)?;
        for status in [SolutionStatus::Applying, SolutionStatus::Applied] {
            let change = SolutionChange {
                status: Some(status),
                result_summary: Some(Some("Timeouts stopped.".into())),
                ..SolutionChange::default()
            };
            solution::update(tx, may, solution_id, None, &change, applied)?;
        }
        Ok::<_, CaseError>(())
    })
    .unwrap();
}

#[test]
fn a_post_mortem_tells_the_case() {
    let bed = Bed::investigated();
    let (_, evidence_id) = worked(&bed);
    bed.go(Status::Resolved, Some(ClosureReason::Resolved), bed.at(126));
    let written = bed.composed(ReportType::PostMortem, bed.at(130));
    let named = written.body.replace(&bed.case_id.to_string(), "CASE");
    let named = named.replace(&evidence_id.to_string(), "EV");
    let named = named.replace(&"ab".repeat(32), "SHA256");
    assert_eq!(named, POST_MORTEM);
    assert_eq!(
        written.summary,
        "Checkout fails: Resolved 2 h 6 min after the case was opened. Root cause: The connection \
         pool is too small. 1 piece of evidence, 1 hypothesis, 1 solution, 1 message, 1 file."
    );
}

/// Whether the fragments stand in the text in this order.
fn check_order(text: &str, fragments: &[&str]) {
    let mut rest = text;
    for fragment in fragments {
        let at = rest.find(fragment).unwrap_or_else(|| panic!("{fragment:?} in {rest}"));
        rest = &rest[at + fragment.len()..];
    }
}

#[test]
fn a_runbook_tells_how_to_do_it_again() {
    let bed = Bed::investigated();
    worked(&bed);
    let written = bed.composed(ReportType::Runbook, bed.at(130));
    check_order(
        &written.body,
        &[
            "# Runbook: Checkout fails\n\n**Preliminary:** the case was still investigating",
            "## Problem Description\n\nPayments time out for a third of the users.\n",
            "It showed itself by:\n\n- 40 of 90 records are errors (lines 41-90).\n",
            "## Prerequisites\n\n- Access to the affected services: checkout, billing\n",
            "## Diagnosis Steps\n\n1. Check whether this holds: The connection pool is too small.\n\
             2. Look for this in the log file: Timeouts on every third payment.\n",
            "## Resolution Procedure\n\n### Fix 1: applied\n\n**Raise the pool size**\n",
            "**Step 2.** Roll out\n\n```\nkubectl rollout restart\n```\n",
            "## Validation Steps\n\n1. No timeout for 30 minutes\n",
            "## Rollback Procedure\n\n1. Set max_connections back to 50\n",
            "## Related Issues\n\n- Case `case_",
        ],
    );
}

#[test]
fn a_summary_tells_where_an_investigation_stands() {
    let bed = Bed::investigated();
    let empty = bed.composed(ReportType::Summary, bed.at(2));
    check_order(
        &empty.body,
        &[
            "# Investigation summary: Checkout fails\n\n**Preliminary:**",
            "## Root Cause\n\nNo root cause was recorded: the case has neither",
            "## Investigation Timeline\n\n| Time (UTC) | Source | Event |\n",
            "## Hypotheses\n\nNo hypotheses were recorded.\n",
            "## Solutions\n\nNo solutions were recorded.\n",
            "## Open Points\n\nNo open points were recorded.\n",
        ],
    );
    assert!(empty.summary.contains("Still investigating. No root cause is recorded."));
    let context = ContextChange {
        root_cause_conclusion: Some(Some(json(
            r#"{"confidence":0.95,"root_cause":"Pool of 50.","ruled_out":["network","disk"]}"#,
        ))),
        ..ContextChange::default()
    };
    worked(&bed);
    bed.context(context, bed.at(70));
    check_order(
        &bed.composed(ReportType::Summary, bed.at(130)).body,
        &[
            "## Root Cause\n\nPool of 50.\n\n- **Confidence:** 0.95\n\
             - **Ruled out:** network, disk\n",
            "## Hypotheses\n\n### Hypothesis 1: validated\n",
            "## Open Points\n\n- [ ] Alert on pool usage (Owner: platform)\n",
        ],
    );
}

/// Text that tries to be a heading, a list, a table, HTML, a link, a fence and a rule.
const HOSTILE: &str = "# Own heading\n\n## Appendix\n===\n---\n- item\n1. one\n| a | b |\n|---|---|\n\
    <script>alert(1)</script> <!-- x --> &lt; ![i](http://x/) [l](javascript:1) `code` ``` ~~~\n\
    ```\nfence\n```\n***bold*** __u__ \\# > quote \u{202E}txet\r\n\t    indented\n[a]: http://x";

/// Headings, and whether anything in the document is raw HTML, an image or a link that is not ours.
fn structure(markdown: &str) -> (Vec<String>, Vec<String>) {
    let (mut headings, mut foreign, mut inside) = (Vec::new(), Vec::new(), false);
    for event in Parser::new_ext(markdown, Options::all()) {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                inside = true;
                headings.push(format!("{level} "));
            }
            Event::End(TagEnd::Heading(_)) => inside = false,
            Event::Text(text) if inside => headings.last_mut().unwrap().push_str(&text),
            Event::Html(text) | Event::InlineHtml(text) => foreign.push(text.to_string()),
            Event::Start(Tag::Image { dest_url, .. }) => foreign.push(dest_url.to_string()),
            Event::Start(Tag::Link { dest_url, .. }) if !dest_url.starts_with("/api/v1/") => {
                foreign.push(dest_url.to_string());
            }
            Event::Rule => foreign.push("rule".into()),
            Event::Start(Tag::BlockQuote(_)) => foreign.push("quote".into()),
            _ => {}
        }
    }
    (headings, foreign)
}

/// A case whose every text is hostile.
fn hostile() -> Bed {
    let bed = Bed::new(&HOSTILE[..150], HOSTILE);
    bed.go(Status::Investigating, None, bed.at(1));
    let (evidence_id, now) = (bed.ids.next(START), bed.at(2));
    let column = serde_json::json!({ HOSTILE: HOSTILE, "root_cause": HOSTILE, "list": [HOSTILE] });
    let column = Json::from_value(&column).unwrap();
    let steps = serde_json::json!([HOSTILE, { "step": HOSTILE, "command": HOSTILE }]);
    let steps = Json::from_value(&steps).unwrap();
    let ids = (bed.ids.next(now), bed.ids.next(now), bed.ids.next(now));
    let text = || HOSTILE.to_owned();
    let piece = NewEvidence {
        evidence_id,
        content: text(),
        source_type: EvidenceSource::Other,
        form: EvidenceForm::UserInput,
        category: Some(EvidenceCategory::Symptom),
        raw_artifact_s3_key: None,
        preprocessed_summary: Some(text()),
        classification_dimensions: None,
        data_type: None,
        source_file_id: None,
        key_insights: vec![text()],
        pii_detected: false,
        secrets_detected: false,
        metadata: None,
    };
    let idea = NewHypothesis {
        hypothesis_id: ids.0,
        description: text(),
        category: HypothesisCategory::Other,
        confidence_level: Some("# level |".into()),
        likelihood: 0.5,
        reasoning: Some(text()),
        evidence_links: vec![NewLink {
            evidence_id,
            stance: Stance::Neutral,
            reasoning: Some(text()),
            completeness: None,
        }],
        metadata: None,
    };
    let way = NewSolution {
        solution_id: ids.1,
        title: Some(HOSTILE[..150].into()),
        description: text(),
        category: Category::Fix,
        linked_hypothesis_id: None,
        steps: Some(steps.clone()),
        verification_criteria: Some(steps),
        metadata: None,
    };
    let said = NewMessage {
        message_id: ids.2,
        role: MessageRole::User,
        content: text(),
        message_type: None,
        turn_number: None,
        token_count: None,
        metadata: None,
    };
    bed.write(move |tx, may| {
        evidence::add(tx, may, &piece, now)?;
        hypothesis::add(tx, may, &idea, now)?;
        message::add(tx, may, &said, now)?;
        solution::add(tx, may, &way, now)?;
        for status in [SolutionStatus::Applying, SolutionStatus::Applied] {
            let change = SolutionChange {
                status: Some(status),
                result_summary: Some(Some(HOSTILE.to_owned())),
                ..SolutionChange::default()
            };
            solution::update(tx, may, way.solution_id, None, &change, now)?;
        }
        Ok::<_, CaseError>(())
    })
    .unwrap();
    let context = ContextChange {
        problem_verification: Some(Some(column.clone())),
        root_cause_conclusion: Some(Some(column.clone())),
        documentation_data: Some(Some(column)),
        ..ContextChange::default()
    };
    bed.context(context, now);
    bed
}

#[test]
fn what_people_write_cannot_change_the_structure() {
    let (tame, wild) = (Bed::investigated(), hostile());
    worked(&tame);
    for report_type in [ReportType::PostMortem, ReportType::Runbook, ReportType::Summary] {
        let sections = |bed: &Bed| {
            let (headings, foreign) = structure(&bed.composed(report_type, bed.at(130)).body);
            let sections = headings.into_iter().filter(|text| text.starts_with("h2"));
            (sections.collect::<Vec<_>>(), foreign)
        };
        let (tame, wild) = (sections(&tame), sections(&wild));
        assert_eq!(wild.0, tame.0, "the sections are ours");
        assert!(wild.0.len() >= 6, "{wild:?}");
        assert_eq!(wild.1, Vec::<String>::new());
    }
}

fn check_inline(text: &str, expected: &str) {
    assert_eq!(inline(text, 40), expected, "{text:?}");
}

#[test]
fn text_loses_its_meaning_to_markdown_and_keeps_its_letters() {
    check_inline("plain text, user_name and 5 - 3", "plain text, user_name and 5 - 3");
    check_inline("# heading", "\\# heading");
    check_inline("12. item", "12\\. item");
    check_inline("- item", "\\- item");
    check_inline("---", "\\---");
    check_inline("0.95", "0.95");
    check_inline("-5 ms", "-5 ms");
    check_inline("#12 again", "#12 again");
    check_inline("a | b <EMAIL_1> & `c`", "a \\| b &lt;EMAIL_1&gt; &amp; \\`c\\`");
    check_inline("_u_ *b* [l](x) ~~s~~", "\\_u\\_ \\*b\\* \\[l\\](x) \\~\\~s\\~\\~");
    check_inline("two\n\nlines\u{202E}\u{7}", "two lines");
    check_inline(&"x".repeat(41), &("x".repeat(37) + "..."));
    check_inline("", "");
}

#[test]
fn durations_are_said_in_two_units() {
    for (seconds, expected) in [
        (0, "less than a second"),
        (45, "45 s"),
        (60, "1 min"),
        (150, "2 min 30 s"),
        (3600, "1 h"),
        (7530, "2 h 5 min"),
        (86_400, "1 day"),
        (273_600, "3 days 4 h"),
        (-5, "less than a second"),
    ] {
        assert_eq!(spoken(seconds * 1000), expected);
    }
}

#[test]
fn a_command_cannot_leave_its_fence() {
    let mut page = Page::default();
    page.code("echo ```\n````\n# not a heading");
    let page = page.finish();
    assert_eq!(page, "\n`````\necho ```\n````\n# not a heading\n`````\n");
    assert_eq!(structure(&page).0, Vec::<String>::new());
}

fn check_items(column: &str, expected: &[&str]) {
    let items = Node::of(Some(&json(column))).items();
    let texts: Vec<_> = items.iter().map(|item| item.text.as_str()).collect();
    assert_eq!(texts, expected, "{column}");
}

#[test]
fn lists_are_understood_in_the_shapes_people_give_them() {
    check_items(r#"["a","b",""]"#, &["a", "b"]);
    check_items(r#"{"steps":["a",{"action":"b","owner":"me"}]}"#, &["a", "b (Owner: me)"]);
    check_items(r#"[{"step":"a","command":"ls"}]"#, &["a"]);
    check_items(r#"{"first":"a","second_one":2}"#, &["First: a", "Second one: 2"]);
    check_items(r#"{"description":"a"}"#, &["a"]);
    check_items(r#"[]"#, &[]);
    check_items(r#"{}"#, &[]);
}

#[test]
fn secrets_of_people_do_not_reach_a_report() {
    let bed = Bed::investigated();
    worked(&bed);
    for report_type in [ReportType::PostMortem, ReportType::Runbook, ReportType::Summary] {
        let body = bed.composed(report_type, bed.at(130)).body;
        assert!(!body.contains("hunter2hunter2") && !body.contains("ada@example.org"), "{body}");
    }
    let mut veil = super::super::facts::Veil::new(&Policy::default());
    let mut text = "From <EMAIL_2> to bob@example.org.".to_owned();
    veil.text(&mut text);
    assert_eq!(text, "From <EMAIL_2> to <EMAIL>.", "numbers are the case's");
}

/// The post-mortem of [`worked`], with ids and hash named.
const POST_MORTEM: &str = r#"# Post-mortem: Checkout fails

## Incident Summary

Payments time out for a third of the users.

- **Case:** `CASE`
- **Status:** resolved
- **Priority:** high
- **Opened:** 2026-11-23 10:00:00 UTC
- **Ended:** 2026-11-23 12:06:00 UTC, 2 h 6 min after it was opened
- **Closure reason:** resolved
- **Recorded:** 1 piece of evidence, 1 hypothesis, 1 solution, 1 message, 1 file
- **Tags:** db, payments

## Impact

- **Severity:** HIGH
- **User impact:** A third of payments fail
- **Affected services:** checkout, billing

## Timeline

| Time (UTC) | Source | Event |
| --- | --- | --- |
| 2026-11-23 09:52:07 | log | checkout.log, line 41: first error: pool exhausted |
| 2026-11-23 10:00:00 | status | Opened as consulting |
| 2026-11-23 10:01:00 | status | From consulting to investigating |
| 2026-11-23 10:05:00 | file | Uploaded: checkout.log |
| 2026-11-23 10:06:00 | evidence | [EV](/api/v1/cases/CASE/evidence/EV): Timeouts on every third payment. |
| 2026-11-23 10:06:00 | message | User: Since the release. Ask &lt;EMAIL&gt;, password=&lt;PASSWORD&gt; |
| 2026-11-23 10:20:00 | hypothesis | Proposed: The connection pool is too small. |
| 2026-11-23 10:30:00 | hypothesis | Validated: The connection pool is too small. |
| 2026-11-23 10:35:00 | solution | Proposed: Raise the pool size |
| 2026-11-23 10:50:00 | solution | Applied: Raise the pool size |
| 2026-11-23 12:06:00 | status | From investigating to resolved |

## Root Cause Analysis

No conclusion was recorded; this hypothesis was validated:

The connection pool is too small.

- **Confidence:** 75 % (confident)
- **Why:** Every timeout waits for a connection.
- Supported by [EV](/api/v1/cases/CASE/evidence/EV): pool exhausted

## Evidence

### Evidence 1: log file

[EV](/api/v1/cases/CASE/evidence/EV), symptom, collected 2026-11-23 10:06:00 UTC, from checkout.log

Timeouts on every third payment.

- 40 of 90 records are errors (lines 41-90).
- See lines 31-51: first error record

## Hypotheses Considered

### Hypothesis 1: validated

The connection pool is too small.

- **Confidence:** 75 % (confident)
- **Kind of cause:** config
- **Why:** Every timeout waits for a connection.
- Supported by [EV](/api/v1/cases/CASE/evidence/EV): pool exhausted

## Resolution

### Fix 1: applied

**Raise the pool size**

Set max_connections to 200.

**Step 1.** Edit pool.yaml

**Step 2.** Roll out

```
kubectl rollout restart
```

- **Applied:** 2026-11-23 10:50:00 UTC
- **Result:** Timeouts stopped.

## What Went Well

- The first evidence was in the case 6 min after it was opened.
- The case was resolved 2 h 6 min after it was opened.
- A validated hypothesis is supported by 1 piece of evidence: The connection pool is too small.
- No solution that was tried failed.

## What Went Wrong

Nothing in the records speaks of it.

## Action Items

- [ ] Alert on pool usage (Owner: platform)
- [ ] Confirm: No timeout for 30 minutes

## Lessons Learned

- Load tests must use the production pool size

## Related Work

No related work was recorded.

## Appendix

| File | Bytes | Type | Processing | SHA-256 |
| --- | --- | --- | --- | --- |
| checkout.log | 2048 | logs_and_errors | completed | `SHA256` |

Generated 2026-11-23 12:10:00 UTC from the records of the case, without a language model. Times are UTC; secrets and personal data are replaced by placeholders.
"#;
