//! From facts to documents: deterministic, nothing asked of a model, nothing said that is not in
//! the case.

mod parts;
mod post_mortem;
mod review;
mod runbook;
mod summary;
mod timeline;

use super::facts::Facts;
use super::markdown::{Page, plain, spoken};
use super::report::{Planned, TITLE_CHARS_MAX, Written};
use super::words::ReportType;
use crate::cases::Status;
use parts::Cause;

/// Longest summary, in characters (ruling 16 for files; the same for reports).
const SUMMARY_CHARS_MAX: usize = 500;

/// Composes a report; `title` is one that somebody asked for.
pub(super) fn compose(planned: Planned, facts: &Facts, title: Option<&str>) -> Written {
    let heading = planned.report_type.heading();
    let default = || format!("{heading}: {}", facts.case.case.title);
    let title = plain(&title.map_or_else(default, str::to_owned), TITLE_CHARS_MAX);
    let mut page = Page::titled(&title);
    notice(&mut page, facts);
    match planned.report_type {
        ReportType::Runbook => runbook::compose(&mut page, facts),
        ReportType::Summary => summary::compose(&mut page, facts),
        // Reports over many cases are refused where they are ordered.
        ReportType::PostMortem | ReportType::Analytics | ReportType::Trend => {
            post_mortem::compose(&mut page, facts);
        }
    }
    Written {
        planned,
        title,
        summary: plain(&gist(facts), SUMMARY_CHARS_MAX),
        body: page.finish(),
        case_status: facts.case.case.status,
    }
}

/// Says what the reader must know before anything else.
fn notice(page: &mut Page, facts: &Facts) {
    let status = facts.case.case.status;
    if !status.is_terminal() {
        page.say(&format!("**Preliminary:** the case was still {status} when this was written."));
    }
}

/// The case in a few sentences.
fn gist(facts: &Facts) -> String {
    let case = &facts.case.case;
    let after = case.closed_at.map(|at| spoken(at.since_ms(case.created_at)));
    let state = match (case.status, after) {
        (Status::Resolved, Some(after)) => format!("Resolved {after} after the case was opened."),
        (_, Some(after)) => {
            format!("Closed without a resolution {after} after the case was opened.")
        }
        (status, None) => format!("Still {status}."),
    };
    let cause = match parts::cause(facts) {
        Cause::Concluded(node) => format!("Root cause: {}.", parts::lead(&node)),
        Cause::Validated(row) => format!("Root cause: {}.", row.description.trim_end_matches('.')),
        Cause::Unknown => "No root cause is recorded.".to_owned(),
    };
    format!("{}: {state} {cause} {}.", case.title, parts::amounts(facts))
}
