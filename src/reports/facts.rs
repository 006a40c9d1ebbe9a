//! What a report is composed of: one snapshot of a case, and the same without secrets.

use crate::base::Json;
use crate::base::Time;
use crate::base::id::FileId;
use crate::cases::access::Reader;
use crate::cases::{
    CaseError, ContextRow, EvidenceRow, FileRow, FullCase, HypothesisRow, MessageRow, Parts,
    SolutionRow, TransitionRow, file, load_full,
};
use crate::engine::db::View;
use crate::privacy::{Placeholders, Policy, Redactor, Salt};
use serde::Deserialize;

/// Files whose analysis is read, the newest: up to 4 MiB of JSON each.
const FILES_READ_MAX: usize = 20;

/// Everything a composer may tell.
pub(super) struct Facts {
    /// The case.
    pub(super) case: FullCase,
    /// What the analyses of its files found.
    pub(super) findings: Vec<Findings>,
    /// When the report is composed.
    pub(super) now: Time,
}

/// What the analysis of a file found that has a place in a report.
pub(super) struct Findings {
    /// The file.
    pub(super) file_id: FileId,
    /// Events with the times that the file gives them.
    pub(super) events: Vec<FileEvent>,
    /// Where to look in the file.
    pub(super) places: Vec<Place>,
}

/// Something that happened according to a file.
pub(super) struct FileEvent {
    /// When.
    pub(super) time: Time,
    /// What.
    pub(super) text: String,
    /// Line of the file.
    pub(super) line: u64,
}

/// A stretch of lines worth reading.
#[derive(Deserialize)]
pub(super) struct Place {
    /// First line.
    pub(super) line_start: u64,
    /// Last line.
    pub(super) line_end: u64,
    /// Why.
    #[serde(default)]
    pub(super) reason: String,
}

/// The part of an analysis that is read here; the whole is described with the analysers.
#[derive(Deserialize)]
struct Analysis {
    findings: Told,
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    timeline: Vec<Happened>,
    #[serde(default)]
    crime_scene: Vec<Place>,
}

#[derive(Deserialize)]
struct Happened {
    time: Option<String>,
    event: String,
    #[serde(default)]
    line: u64,
}

impl Facts {
    /// Reads a case.
    ///
    /// # Errors
    /// [`CaseError::Missing`] when it is gone.
    pub(super) fn gather(tx: &impl View, may: &Reader, now: Time) -> Result<Self, CaseError> {
        let parts = Parts { tool_calls: false, participants: false, ..Parts::ALL };
        let case = load_full(tx, may, parts)?;
        let analysed = case.files.iter().flatten().filter(|file| file.analysis_bytes.is_some());
        let mut findings = Vec::new();
        for file in analysed.take(FILES_READ_MAX) {
            if let Some(body) = file::analysis(tx, may, file.file_id)? {
                findings.extend(Findings::read(file.file_id, &body));
            }
        }
        Ok(Self { case, findings, now })
    }

    /// Replaces secrets and personal data in everything that people entered (ruling 14). What came
    /// out of files is redacted already; redacting it again changes nothing.
    pub(super) fn redact(&mut self, policy: &Policy) {
        let mut veil = Veil::new(policy);
        let case = &mut self.case;
        veil.text(&mut case.case.title);
        veil.optional(&mut case.case.description);
        veil.each(&mut case.tags);
        veil.context(&mut case.context);
        case.evidence.iter_mut().flatten().for_each(|row| veil.evidence(row));
        case.hypotheses.iter_mut().flatten().for_each(|row| veil.hypothesis(row));
        case.solutions.iter_mut().flatten().for_each(|row| veil.solution(row));
        let messages = case.messages.iter_mut().flatten();
        messages.for_each(|MessageRow { content, .. }| veil.text(content));
        let transitions = case.transitions.iter_mut().flatten();
        transitions.for_each(|TransitionRow { reason, .. }| veil.optional(reason));
        for FileRow { filename, description, summary, processing_error, .. } in
            case.files.iter_mut().flatten()
        {
            veil.text(filename);
            for text in [description, summary, processing_error] {
                veil.optional(text);
            }
        }
    }

    /// What is known of a file.
    pub(super) fn file(&self, file_id: FileId) -> Option<&FileRow> {
        self.case.files.iter().flatten().find(|file| file.file_id == file_id)
    }

    /// Where to look in a file.
    pub(super) fn places(&self, file_id: FileId) -> &[Place] {
        let found = self.findings.iter().find(|findings| findings.file_id == file_id);
        found.map_or(&[], |findings| &findings.places)
    }

    /// Evidence, oldest first.
    pub(super) fn evidence(&self) -> impl DoubleEndedIterator<Item = &EvidenceRow> {
        self.case.evidence.iter().flatten().rev()
    }

    /// Hypotheses, oldest first.
    pub(super) fn hypotheses(&self) -> impl DoubleEndedIterator<Item = &HypothesisRow> {
        self.case.hypotheses.iter().flatten()
    }

    /// Solutions, oldest first.
    pub(super) fn solutions(&self) -> impl DoubleEndedIterator<Item = &SolutionRow> {
        self.case.solutions.iter().flatten()
    }

    /// Files, oldest first.
    pub(super) fn files(&self) -> impl DoubleEndedIterator<Item = &FileRow> {
        self.case.files.iter().flatten().rev()
    }

    /// Status transitions, oldest first.
    pub(super) fn transitions(&self) -> impl DoubleEndedIterator<Item = &TransitionRow> {
        self.case.transitions.iter().flatten()
    }
}

impl Findings {
    /// Reads an analysis; one that has neither events nor places says nothing here.
    fn read(file_id: FileId, body: &str) -> Option<Self> {
        let told = serde_json::from_str::<Analysis>(body).ok()?.findings;
        let timed = told.timeline.into_iter().filter_map(|happened| {
            let time = Time::parse(&happened.time?)?;
            Some(FileEvent { time, text: happened.event, line: happened.line })
        });
        let (events, places) = (timed.collect::<Vec<_>>(), told.crime_scene);
        (!events.is_empty() || !places.is_empty()).then_some(Self { file_id, events, places })
    }
}

/// Takes secrets and personal data out of texts.
pub(super) struct Veil {
    redactor: Redactor,
    placeholders: Placeholders,
}

impl Veil {
    /// A veil that follows `policy`.
    pub(super) fn new(policy: &Policy) -> Self {
        // The numbers are dropped, so their salt keeps nothing secret.
        let placeholders = Placeholders::new(Salt::new([0; 32]));
        Self { redactor: Redactor::new(policy), placeholders }
    }

    /// Redacts a text. Placeholders that it has already keep their numbers, which are the case's;
    /// new ones get none, because a number of ours could be another value's in the case.
    pub(super) fn text(&mut self, text: &mut String) {
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some((before, placeholder, after)) = next_placeholder(rest) {
            self.append(&mut out, before);
            out.push_str(placeholder);
            rest = after;
        }
        self.append(&mut out, rest);
        *text = out;
    }

    fn append(&mut self, out: &mut String, text: &str) {
        let redacted = self.redactor.redact(text, &mut self.placeholders).text;
        let mut rest = &*redacted;
        while let Some((before, placeholder, after)) = next_placeholder(rest) {
            out.push_str(before);
            let kind = placeholder.trim_end_matches(|c: char| c == '>' || c.is_ascii_digit());
            out.push_str(kind.strip_suffix('_').unwrap_or(kind));
            out.push('>');
            rest = after;
        }
        out.push_str(rest);
    }

    fn optional(&mut self, text: &mut Option<String>) {
        if let Some(text) = text {
            self.text(text);
        }
    }

    fn each(&mut self, texts: &mut [String]) {
        texts.iter_mut().for_each(|text| self.text(text));
    }

    /// Redacts a column as a whole, so that a member's name tells what its value is; a column that
    /// is no JSON afterwards is left out.
    fn json(&mut self, column: &mut Option<Json>) {
        *column = column.take().and_then(|json| {
            let mut text = json.as_str().to_owned();
            self.text(&mut text);
            Json::parse(&text).ok()
        });
    }

    fn context(&mut self, row: &mut ContextRow) {
        let ContextRow {
            problem_verification,
            working_conclusion,
            root_cause_conclusion,
            documentation_data,
            ..
        } = row;
        let columns =
            [problem_verification, working_conclusion, root_cause_conclusion, documentation_data];
        for column in columns {
            self.json(column);
        }
    }

    fn evidence(&mut self, row: &mut EvidenceRow) {
        self.text(&mut row.content);
        self.optional(&mut row.preprocessed_summary);
        self.each(&mut row.key_insights);
    }

    fn hypothesis(&mut self, row: &mut HypothesisRow) {
        self.text(&mut row.description);
        self.optional(&mut row.reasoning);
        row.evidence_links.iter_mut().for_each(|link| self.optional(&mut link.reasoning));
    }

    fn solution(&mut self, row: &mut SolutionRow) {
        self.optional(&mut row.title);
        self.text(&mut row.description);
        self.optional(&mut row.result_summary);
        for column in [&mut row.steps, &mut row.verification_criteria, &mut row.metadata] {
            self.json(column);
        }
    }
}

/// Splits a text at its first placeholder, such as `<EMAIL_1>`: before, it, after.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(found) = text.get(from..)?.find('<') {
        let start = from + found;
        let inside = text.get(start + 1..)?;
        let letters = inside.bytes().take_while(|b| b.is_ascii_uppercase() || *b == b'_').count();
        let digits = inside.bytes().skip(letters).take_while(u8::is_ascii_digit).count();
        let end = start + 1 + letters + digits;
        if letters > 1 && text.as_bytes().get(end) == Some(&b'>') {
            return Some((text.get(..start)?, text.get(start..=end)?, text.get(end + 1..)?));
        }
        from = start + 1;
    }
    None
}
