//! What one client was told, and the comparison with what the store says afterwards.

use super::Dice;
use super::client::Client;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Living cases of a client; with more, old ones are deleted.
const CASES_MAX: usize = 12;

/// Everything that has a life of its own in the drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Case,
    Message,
    Hypothesis,
    File,
}

impl Kind {
    /// Where the things of a case are listed: path, field of the list, of the id and of the mark.
    const fn listed(self) -> [&'static str; 4] {
        match self {
            Self::Case => ["", "cases", "case_id", "title"],
            Self::Message => ["/messages", "messages", "message_id", "content"],
            Self::Hypothesis => ["/hypotheses", "hypotheses", "hypothesis_id", "description"],
            Self::File => ["/files", "files", "file_id", "filename"],
        }
    }
}

const IN_A_CASE: [Kind; 3] = [Kind::Message, Kind::Hypothesis, Kind::File];

/// What is known of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Its creation was acknowledged.
    There,
    /// Its creation or its deletion got no answer, or one that does not say.
    Unknown,
    /// Its creation was refused, or its deletion acknowledged.
    Gone,
}

#[derive(Debug)]
struct Thing {
    kind: Kind,
    /// The mark of the case it is in; its own for a case.
    case: String,
    id: Option<String>,
    fate: Fate,
    /// Descriptions that a case may have: the last that was acknowledged, and one without answer.
    texts: Vec<String>,
    /// Touched since it was last compared.
    touched: bool,
}

/// Figures of a client.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Figures {
    /// Operations sent.
    pub(super) sent: u64,
    /// Operations acknowledged.
    pub(super) acknowledged: u64,
    /// Operations without an answer, or with one that does not say whether they happened.
    pub(super) unknown: u64,
    /// Of those, the ones that had happened.
    pub(super) happened: u64,
    /// Answers by status, apart from success.
    pub(super) refusals: BTreeMap<u16, u64>,
    /// Things compared with the store.
    pub(super) compared: u64,
    /// What was acknowledged and is not there, in words.
    pub(super) lost: Vec<String>,
    /// What is there and was never acknowledged nor left open, in words.
    pub(super) phantoms: Vec<String>,
}

impl Figures {
    /// Adds those of another client.
    pub(super) fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.acknowledged += other.acknowledged;
        self.unknown += other.unknown;
        self.happened += other.happened;
        self.compared += other.compared;
        for (status, count) in &other.refusals {
            *self.refusals.entry(*status).or_default() += count;
        }
        self.lost.extend(other.lost.iter().cloned());
        self.phantoms.extend(other.phantoms.iter().cloned());
    }
}

/// What became of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It succeeded.
    Done,
    /// It was refused with this status.
    Refused(u16),
    /// The server is gone.
    Nothing,
}

/// One client's book: everything it asked for, by the mark that each thing carries.
pub(super) struct Ledger {
    name: String,
    things: BTreeMap<String, Thing>,
    next: u64,
    dice: Dice,
    /// Its figures so far.
    pub(super) figures: Figures,
}

impl Ledger {
    /// An empty book.
    pub(super) fn new(name: &str, seed: u64) -> Self {
        let (things, figures) = (BTreeMap::new(), Figures::default());
        Self { name: name.to_owned(), things, next: 0, dice: Dice(seed), figures }
    }

    fn alive(&self, kind: Kind) -> Vec<String> {
        let alive = self.things.iter().filter(|(_, thing)| {
            thing.kind == kind
                && thing.fate == Fate::There
                && self.things[&thing.case].fate == Fate::There
        });
        alive.map(|(mark, _)| mark.clone()).collect()
    }

    /// One operation, chosen by the dice; answers what the server said.
    pub(super) fn operate(&mut self, client: &Client) -> Told {
        let cases = self.alive(Kind::Case);
        let roll = if cases.len() < 2 { 0 } else { self.dice.below(100) };
        if cases.len() > CASES_MAX {
            return self.delete(client, Kind::Case);
        }
        match roll {
            0..12 => self.create(client, Kind::Case),
            12..40 => self.create(client, Kind::Message),
            40..58 => self.create(client, Kind::Hypothesis),
            58..72 => self.create(client, Kind::File),
            72..82 => self.change(client),
            82..90 => self.delete(client, Kind::Hypothesis),
            90..96 => self.delete(client, Kind::File),
            _ => self.delete(client, Kind::Case),
        }
    }

    /// One deletion of a file or a hypothesis.
    pub(super) fn shrink(&mut self, client: &Client) -> Told {
        match self.alive(Kind::File).is_empty() {
            true => self.delete(client, Kind::Hypothesis),
            false => self.delete(client, Kind::File),
        }
    }

    fn create(&mut self, client: &Client, kind: Kind) -> Told {
        self.next += 1;
        let mark = format!("{}-{}", self.name, self.next);
        let case = match kind {
            Kind::Case => mark.clone(),
            _ => match self.dice.pick(&self.alive(Kind::Case)) {
                Some(case) => case.clone(),
                None => return Told::Done,
            },
        };
        let texts = if kind == Kind::Case { vec![mark.clone()] } else { Vec::new() };
        let thing = Thing { kind, case, id: None, fate: Fate::Unknown, texts, touched: true };
        let at = match kind {
            Kind::Case => String::new(),
            _ => self.touch(&thing.case),
        };
        self.things.insert(mark.clone(), thing);
        let path = format!("/cases/{at}{}", kind.listed()[0]);
        let answer = match kind {
            Kind::Case => {
                let body = json!({ "title": mark, "description": mark });
                client.send("POST", "/cases", Some(&body))
            }
            Kind::Message => client.send("POST", &path, Some(&json!({ "content": mark }))),
            Kind::Hypothesis => client.send("POST", &path, Some(&json!({ "description": mark }))),
            Kind::File => client.upload(&at, &mark, &content(&mark)),
        };
        let told = self.count(answer.as_ref().map(|(status, _)| *status));
        let thing = self.things.get_mut(&mark).unwrap();
        match told {
            Told::Done => {
                let body = answer.map(|(_, body)| body).unwrap_or_default();
                thing.fate = Fate::There;
                thing.id = body[kind.listed()[2]].as_str().map(str::to_owned);
                assert!(thing.id.is_some(), "{body}");
            }
            Told::Refused(status) if definite(status) => thing.fate = Fate::Gone,
            _ => {}
        }
        told
    }

    fn change(&mut self, client: &Client) -> Told {
        let Some(mark) = self.dice.pick(&self.alive(Kind::Case)).cloned() else {
            return Told::Done;
        };
        self.next += 1;
        let text = format!("{mark} as of {}", self.next);
        let id = self.touch(&mark);
        self.things.get_mut(&mark).unwrap().texts.push(text.clone());
        let body = json!({ "description": text });
        let answer = client.send("PATCH", &format!("/cases/{id}"), Some(&body));
        let told = self.count(answer.map(|(status, _)| status));
        let texts = &mut self.things.get_mut(&mark).unwrap().texts;
        match told {
            Told::Done => *texts = vec![text],
            Told::Refused(status) if definite(status) => texts.retain(|other| *other != text),
            _ => {}
        }
        told
    }

    fn delete(&mut self, client: &Client, kind: Kind) -> Told {
        let Some(mark) = self.dice.pick(&self.alive(kind)).cloned() else {
            return Told::Done;
        };
        let case = self.things[&mark].case.clone();
        let (at, id) = (self.touch(&case), self.touch(&mark));
        self.things.get_mut(&mark).unwrap().fate = Fate::Unknown;
        let path = match kind {
            Kind::Case => format!("/cases/{id}"),
            _ => format!("/cases/{at}{}/{id}", kind.listed()[0]),
        };
        let told = self.count(client.send("DELETE", &path, None).map(|(status, _)| status));
        let thing = self.things.get_mut(&mark).unwrap();
        match told {
            Told::Done => thing.fate = Fate::Gone,
            Told::Refused(status) if definite(status) => thing.fate = Fate::There,
            _ => {}
        }
        told
    }

    /// Marks a thing as in need of a comparison; answers its id.
    fn touch(&mut self, mark: &str) -> String {
        let thing = self.things.get_mut(mark).unwrap();
        thing.touched = true;
        thing.id.clone().unwrap_or_default()
    }

    fn count(&mut self, status: Option<u16>) -> Told {
        self.figures.sent += 1;
        let told = match status {
            Some(status) if (200..300).contains(&status) => Told::Done,
            Some(status) => Told::Refused(status),
            None => Told::Nothing,
        };
        match told {
            Told::Done => self.figures.acknowledged += 1,
            Told::Refused(status) => {
                *self.figures.refusals.entry(status).or_default() += 1;
                self.figures.unknown += u64::from(!definite(status));
            }
            Told::Nothing => self.figures.unknown += 1,
        }
        told
    }

    /// Compares the book with the store: every case, and what lies in those touched since the last
    /// time, or in all of them. What was open is settled by what is found.
    pub(super) fn compare(&mut self, client: &Client, everything: bool) {
        let found = client.list("/cases", "cases");
        self.settle(Kind::Case, None, &found);
        for mark in self.alive(Kind::Case) {
            if !everything && !self.things[&mark].touched {
                continue;
            }
            let id = self.touch(&mark);
            self.compare_text(client, &mark, &id);
            for kind in IN_A_CASE {
                let [path, field, ..] = kind.listed();
                let found = client.list(&format!("/cases/{id}{path}"), field);
                self.settle(kind, Some(&mark), &found);
            }
            self.compare_content(client, &mark, &id, everything);
            self.things.get_mut(&mark).unwrap().touched = false;
        }
        self.things.retain(|_, thing| thing.kind == Kind::Case || thing.fate == Fate::There);
    }

    /// Compares one list with the book.
    fn settle(&mut self, kind: Kind, case: Option<&str>, found: &[Value]) {
        let [_, _, id_field, mark_field] = kind.listed();
        let mut seen = BTreeSet::new();
        for item in found {
            let mark = item[mark_field].as_str().unwrap_or_default();
            let id = item[id_field].as_str().map(str::to_owned);
            let own = self.things.get_mut(mark).filter(|thing| {
                thing.kind == kind
                    && case.is_none_or(|case| thing.case == case)
                    && thing.fate != Fate::Gone
                    && (thing.id.is_none() || thing.id == id)
            });
            match own {
                Some(thing) if seen.insert(mark.to_owned()) => {
                    self.figures.happened +=
                        u64::from(thing.fate == Fate::Unknown && thing.id.is_none());
                    (thing.fate, thing.id) = (Fate::There, id);
                }
                _ => self.figures.phantoms.push(format!("{kind:?} {mark:?} {id:?} in {case:?}")),
            }
        }
        let own = self
            .things
            .iter_mut()
            .filter(|(_, thing)| thing.kind == kind && case.is_none_or(|case| thing.case == case));
        for (mark, thing) in own {
            if thing.fate == Fate::There {
                self.figures.compared += 1;
                if !seen.contains(mark) {
                    self.figures.lost.push(format!("{kind:?} {mark} {:?} in {case:?}", thing.id));
                }
            }
            if !seen.contains(mark) {
                // A deletion without an answer that happened all the same.
                let deleted = thing.fate == Fate::Unknown && thing.id.is_some();
                self.figures.happened += u64::from(deleted);
                thing.fate = Fate::Gone;
            }
        }
    }

    fn compare_text(&mut self, client: &Client, mark: &str, id: &str) {
        let (status, case) = client.send("GET", &format!("/cases/{id}"), None).expect("an answer");
        assert_eq!(status, 200, "{case}");
        let text = case["description"].as_str().unwrap_or_default();
        let texts = &mut self.things.get_mut(mark).unwrap().texts;
        if !texts.iter().any(|allowed| allowed == text) {
            self.figures.lost.push(format!("{mark} says {text:?}, not one of {texts:?}"));
        }
        *texts = vec![text.to_owned()];
    }

    fn compare_content(&mut self, client: &Client, case: &str, case_id: &str, everything: bool) {
        for (mark, thing) in &mut self.things {
            let due = everything || thing.touched;
            if thing.kind != Kind::File || thing.case != case || thing.fate != Fate::There || !due {
                continue;
            }
            thing.touched = false;
            let id = thing.id.as_deref().unwrap_or_default();
            let bytes = client.bytes(&format!("/cases/{case_id}/files/{id}/content"));
            if bytes != content(mark).as_bytes() {
                self.figures.lost.push(format!("the content of {mark} is another"));
            }
        }
    }
}

/// Whether a status says that nothing happened. A failure of the server may come after the fact.
fn definite(status: u16) -> bool {
    (400..500).contains(&status) || status == 507
}

/// The content of a file: follows from its mark, a few KiB.
fn content(mark: &str) -> String {
    let lines = 20 + mark.len() * 3;
    let line = |at| format!("2026-11-23 10:00:{:02} ERROR [{mark}] order {at} failed\n", at % 60);
    (0..lines).map(line).collect()
}
