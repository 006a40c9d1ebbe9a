//! JSON columns as a report reads them: any shape, members in the order they were written.

use super::markdown::{ENTRY_CHARS_MAX, inline};
use crate::base::Json;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Entries taken from one list or object; what is longer is a document of its own.
const ENTRIES_MAX: usize = 50;
/// Members under which a described thing tells what it is, best first.
const SAYING: [&str; 11] = [
    "description",
    "text",
    "title",
    "action",
    "step",
    "criterion",
    "statement",
    "summary",
    "check",
    "item",
    "name",
];
/// Members that hold the command of a step.
const COMMANDS: [&str; 3] = ["command", "cmd", "commands"];
/// Members under which an object keeps its list.
const LISTS: [&str; 6] = ["steps", "items", "criteria", "checks", "actions", "entries"];

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// `null`.
    Nothing,
    /// A text, or a number or boolean in its spelling.
    Text(String),
    /// An array.
    List(Vec<Node>),
    /// An object.
    Members(Vec<(String, Node)>),
}

impl Node {
    /// Reads a column; nothing for an absent one.
    pub(super) fn of(column: Option<&Json>) -> Self {
        column.and_then(|json| json.to().ok()).unwrap_or(Self::Nothing)
    }

    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Text(text) => text.trim().is_empty(),
            Self::List(nodes) => nodes.iter().all(Self::is_empty),
            Self::Members(members) => members.iter().all(|(_, node)| node.is_empty()),
        }
    }

    /// The first of these members that says something, with its name.
    pub(super) fn member(&self, names: &[&'static str]) -> Option<(&'static str, &Self)> {
        let Self::Members(members) = self else { return None };
        names.iter().find_map(|name| {
            let found = members.iter().find(|(key, node)| key == name && !node.is_empty());
            found.map(|(_, node)| (*name, node))
        })
    }

    /// Everything it says, in one line of plain text.
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Text(text) => text.clone(),
            Self::List(nodes) => joined(nodes.iter().map(Self::sentence), ", "),
            Self::Members(members) => {
                let said = self.member(&SAYING);
                let rest = members.iter().filter(|(key, node)| {
                    !node.is_empty() && said.is_none_or(|(name, _)| name != key.as_str())
                });
                let rest = rest.map(|(key, node)| format!("{}: {}", words(key), node.sentence()));
                match (said.map(|(_, node)| node.sentence()), joined(rest, "; ")) {
                    (Some(said), rest) if rest.is_empty() => said,
                    (Some(said), rest) => format!("{said} ({rest})"),
                    (None, rest) => rest,
                }
            }
        }
    }

    /// The members as escaped entries `**Name:** value`, without those named in `but`; the entries
    /// of a list one by one.
    pub(super) fn entries(&self, but: &[&str]) -> Vec<String> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Text(text) => vec![inline(text, ENTRY_CHARS_MAX)],
            Self::List(nodes) => nodes
                .iter()
                .filter(|node| !node.is_empty())
                .take(ENTRIES_MAX)
                .map(|node| inline(&node.sentence(), ENTRY_CHARS_MAX))
                .collect(),
            Self::Members(members) => members
                .iter()
                .filter(|(key, node)| !node.is_empty() && !but.contains(&key.as_str()))
                .take(ENTRIES_MAX)
                .map(|(key, node)| {
                    let name = inline(&words(key), ENTRY_CHARS_MAX);
                    format!("**{name}:** {}", inline(&node.sentence(), ENTRY_CHARS_MAX))
                })
                .collect(),
        }
    }

    /// The things it lists: steps, criteria, tasks.
    pub(super) fn items(&self) -> Vec<Item> {
        let nodes = match self {
            Self::List(nodes) => nodes.as_slice(),
            Self::Members(members) => match self.member(&LISTS) {
                Some((_, Self::List(nodes))) => nodes.as_slice(),
                _ if self.member(&SAYING).is_some() => std::slice::from_ref(self),
                _ => return members.iter().filter_map(Item::named).take(ENTRIES_MAX).collect(),
            },
            Self::Text(_) => std::slice::from_ref(self),
            Self::Nothing => &[],
        };
        nodes.iter().filter_map(Item::of).take(ENTRIES_MAX).collect()
    }
}

/// A step, criterion or task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// What it is.
    pub(super) text: String,
    /// What to type, where it says so.
    pub(super) command: Option<String>,
}

impl Item {
    fn of(node: &Node) -> Option<Self> {
        if node.is_empty() {
            return None;
        }
        let command = node.member(&COMMANDS);
        let text = match (node, command) {
            (Node::Members(members), Some((name, _))) => {
                let rest = members.iter().filter(|(key, _)| key != name).cloned().collect();
                Node::Members(rest).sentence()
            }
            _ => node.sentence(),
        };
        let command = command.map(|(_, node)| match node {
            Node::List(lines) => joined(lines.iter().map(Node::sentence), "\n"),
            other => other.sentence(),
        });
        Some(Self { text, command })
    }

    fn named((key, node): &(String, Node)) -> Option<Self> {
        let text = format!("{}: {}", words(key), node.sentence());
        (!node.is_empty()).then_some(Self { text, command: None })
    }
}

/// A member's name in words: `user_impact` becomes `User impact`.
fn words(key: &str) -> String {
    let text = key.replace('_', " ");
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => text,
    }
}

fn joined(parts: impl Iterator<Item = String>, between: &str) -> String {
    let parts: Vec<String> = parts.filter(|part| !part.is_empty()).take(ENTRIES_MAX).collect();
    parts.join(between)
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Text(if value { "yes" } else { "no" }.to_owned()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = seq.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Node::Members(members))
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reading)
    }
}
