//! Everything that was found, gathered for those who write about it.

use super::digest::{self, Digest};
use super::findings::{Burst, Gap, LogFindings, StackTrace};
use super::read::{Entry, Survey};

/// The survey of a log and what was computed from it.
pub(super) struct Report<'t> {
    /// What was read.
    pub(super) survey: Survey<'t>,
    /// Kinds of messages.
    pub(super) digest: Digest,
    /// Rare kinds, the alarming ones first.
    pub(super) rare: Vec<usize>,
    /// Bursts, strongest first.
    pub(super) bursts: Vec<Burst>,
    /// Silences, longest first.
    pub(super) gaps: Vec<Gap>,
    /// Distinct stack traces, most frequent first.
    pub(super) traces: Vec<StackTrace>,
    /// Stack traces, equal ones included.
    pub(super) traces_total: u64,
    /// First and last time.
    pub(super) range_us: Option<(i64, i64)>,
    /// Jumps back in time and the first lines of them.
    pub(super) backwards: (u64, Vec<u64>),
    /// Records of level error or worse.
    pub(super) errors: u64,
}

/// Most lines named for jumps back in time.
const BACKWARDS_LINES_MAX: usize = super::super::CHECK_LOCATIONS_MAX;

impl<'t> Report<'t> {
    /// Computes everything from a survey.
    pub(super) fn new(mut survey: Survey<'t>) -> Self {
        let digest = digest::digest(&survey);
        let times = super::rhythm::by_time(&survey);
        let bursts = super::rhythm::bursts(&survey, &digest, &times);
        let gaps = super::rhythm::gaps(&survey, &times);
        let backwards = super::rhythm::backwards(&survey, BACKWARDS_LINES_MAX);
        let range_us = times.first().zip(times.last()).map(|(first, last)| (first.0, last.0));
        let (traces, traces_total, _) = std::mem::take(&mut survey.scanner).finish();
        let errors = survey.entries.iter().filter(|entry| entry.level.is_error()).count() as u64;
        let rare = digest.rare(survey.entries.len());
        Self {
            survey,
            digest,
            rare,
            bursts,
            gaps,
            traces,
            traces_total,
            range_us,
            backwards,
            errors,
        }
    }

    /// Number of lines.
    pub(super) fn lines(&self) -> u64 {
        self.survey.line_starts.len() as u64
    }

    /// Number of records.
    pub(super) fn records(&self) -> u64 {
        self.survey.entries.len() as u64
    }

    /// An entry by its index.
    pub(super) fn entry(&self, at: usize) -> Option<&Entry> {
        self.survey.entries.get(at)
    }

    /// Records of a level.
    pub(super) fn levels(&self) -> super::findings::Levels {
        use super::level::Level;
        let mut levels = super::findings::Levels::default();
        for entry in &self.survey.entries {
            *match entry.level {
                Level::Fatal => &mut levels.fatal,
                Level::Critical => &mut levels.critical,
                Level::Error => &mut levels.error,
                Level::Warn => &mut levels.warn,
                Level::Info => &mut levels.info,
                Level::Debug => &mut levels.debug,
                Level::Trace => &mut levels.trace,
                Level::Unknown => &mut levels.unknown,
            } += 1;
        }
        levels
    }

    /// Equal errors; one that is only the head of a stack trace says which.
    fn errors_named(&self) -> Vec<super::findings::ErrorGroup> {
        let mut errors = self.digest.errors(&self.survey);
        for error in &mut errors {
            let mut traces = self.traces.iter();
            let within = error.line_start..=error.line_end;
            if let Some(trace) = traces.find(|trace| within.contains(&trace.line_start))
                && !error.message.contains(&trace.exception)
            {
                error.message = format!("{} {}", error.message, super::scene::named(trace));
            }
        }
        errors
    }

    /// The findings; `lines` adds the template of every line.
    pub(super) fn findings(&self, lines: bool) -> LogFindings {
        let survey = &self.survey;
        let http = !survey.status.is_empty();
        LogFindings {
            lines: self.lines(),
            time_range: self.range_us.map(|(start, end)| super::findings::TimeRange {
                start: digest::rfc3339(start),
                end: digest::rfc3339(end),
            }),
            levels: self.levels(),
            templates: self.digest.templates(survey),
            rare_templates: self.rare.iter().map(|kind| digest::id(*kind)).collect(),
            errors: self.errors_named(),
            stack_traces: self.traces.clone(),
            bursts: self.bursts.clone(),
            gaps: self.gaps.clone(),
            crime_scene: super::scene::crime_scene(self),
            timeline: super::scene::timeline(self),
            sources: survey.names.sources(&survey.entries),
            http: http.then(|| super::findings::HttpFindings {
                status: survey.status.iter().map(|(status, n)| (status.to_string(), *n)).collect(),
                slowest: survey.slowest.clone(),
            }),
            trace_ids: survey.trace_ids.clone(),
            line_templates: lines.then(|| self.digest.line_templates(survey)),
        }
    }
}
