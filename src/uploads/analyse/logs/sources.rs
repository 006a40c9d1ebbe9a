//! Who wrote the log: hosts, services and processes, each as a small number.

use super::findings::{SOURCES_MAX, Source};
use super::read::Entry;
use std::collections::HashMap;

/// Most names of one kind that are told apart; further ones are not counted.
const NAMES_MAX: usize = 2000;
/// Longest name, in bytes; longer ones are no names.
const NAME_BYTES_MAX: usize = 120;
/// Most processes listed: on a busy host there is one for each request.
const PIDS_LISTED_MAX: usize = 10;

/// Names of one kind; number 0 is no name.
#[derive(Default)]
struct Kind {
    numbers: HashMap<String, u16>,
    names: Vec<String>,
    last: u16,
}

impl Kind {
    fn number(&mut self, name: &str) -> u16 {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return 0;
        }
        // Neighbouring lines mostly come from the same place.
        if self.last > 0 && self.names[usize::from(self.last) - 1] == name {
            return self.last;
        }
        self.last = match self.numbers.get(name) {
            Some(number) => *number,
            None if self.names.len() >= NAMES_MAX => return 0,
            None => {
                self.names.push(name.to_owned());
                let number = u16::try_from(self.names.len()).unwrap_or(0);
                self.numbers.insert(name.to_owned(), number);
                number
            }
        };
        self.last
    }
}

/// Names of hosts, services and processes.
#[derive(Default)]
pub(super) struct Names {
    hosts: Kind,
    services: Kind,
    pids: Kind,
}

impl Names {
    /// Number of a host.
    pub(super) fn host(&mut self, name: &str) -> u16 {
        self.hosts.number(name)
    }

    /// Number of a service.
    pub(super) fn service(&mut self, name: &str) -> u16 {
        self.services.number(name)
    }

    /// Number of a process.
    pub(super) fn pid(&mut self, name: &str) -> u16 {
        self.pids.number(name)
    }

    /// The sources of all records, busiest first.
    pub(super) fn sources(&self, entries: &[Entry]) -> Vec<Source> {
        let mut sources = Vec::new();
        let numbers = |entry: &Entry| [entry.host, entry.service, entry.pid];
        let kinds = [("host", &self.hosts), ("service", &self.services), ("pid", &self.pids)];
        for (which, (kind, names)) in kinds.into_iter().enumerate() {
            let mut counts = vec![(0u64, 0u64); names.names.len() + 1];
            for entry in entries {
                let count = &mut counts[usize::from(numbers(entry)[which])];
                count.0 += 1;
                count.1 += u64::from(entry.level.is_error());
            }
            let counted = names.names.iter().zip(&counts[1..]).map(|(name, (count, errors))| {
                Source { kind: kind.to_owned(), name: name.clone(), count: *count, errors: *errors }
            });
            let mut counted: Vec<Source> = counted.filter(|source| source.count > 0).collect();
            counted.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
            counted.truncate(if kind == "pid" { PIDS_LISTED_MAX } else { SOURCES_MAX });
            sources.append(&mut counted);
        }
        sources.truncate(SOURCES_MAX);
        sources
    }
}
