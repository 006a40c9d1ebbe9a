//! The architecture as a test: rank order, engine homes, no drawers, room cards, doors mounted.
//! Pure text, milliseconds. Every failure says what to do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A source file below `src/`, with its path written with `/`.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The first component below `src/`.
    fn room(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// Whether the file holds tests only.
    fn is_test(&self) -> bool {
        self.path.ends_with("tests.rs") || self.path.contains("/tests/")
    }

    /// The lines that are code, numbered from 1.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines.map(|(at, line)| (at + 1, line)).filter(|(_, line)| !line.trim().starts_with("//"))
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn collect(directory: &Path, into: &mut Vec<Source>) {
    let mut entries: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let shown = path.strip_prefix(root().join("src")).unwrap();
            let path_text = shown.to_string_lossy().replace('\\', "/");
            into.push(Source { path: path_text, text: fs::read_to_string(&path).unwrap() });
        }
    }
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root().join("src"), &mut found);
    found
}

/// The rooms in rank order, from `src/lib.rs`.
fn ranks() -> Vec<String> {
    let lib = read("src/lib.rs");
    let modules = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    modules.map(str::to_owned).collect()
}

/// Modules named right after `crate::` in a line, groups included.
fn imports(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            found.extend(top_level(group));
        } else {
            found.push(word(rest));
        }
    }
    found
}

/// The first words of the members of a brace group.
fn top_level(group: &str) -> Vec<String> {
    let (mut depth, mut member, mut found) = (0, String::new(), Vec::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => found.push(word(std::mem::take(&mut member).trim())),
            c => member.push(c),
        }
    }
    found.push(word(member.trim()));
    found.retain(|word| !word.is_empty());
    found
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn a_room_imports_only_from_rooms_above_it() {
    let ranks = ranks();
    let rank = |name: &str| ranks.iter().position(|r| r == name);
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(own) = rank(source.room()) else { continue };
        let flat = source.code().map(|(_, line)| line).collect::<Vec<_>>().join("\n");
        // Groups may span lines: look at the joined text.
        for name in imports(&flat) {
            if rank(&name).is_some_and(|other| other > own) {
                wrong.push(format!("src/{} imports crate::{name}, which ranks below", source.path));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "move the shared fact down, let the higher room pull, or let them meet in app/:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_room_is_in_the_map() {
    let ranks = ranks();
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let room = name.trim_end_matches(".rs");
        assert!(
            ["lib", "main"].contains(&room) || ranks.iter().any(|r| r == room),
            "src/{name} is not in lib.rs: give it a rank or delete it"
        );
    }
}

#[test]
fn every_module_is_reachable() {
    for source in sources() {
        if ["lib.rs", "main.rs"].contains(&source.path.as_str()) {
            continue;
        }
        let path = Path::new(&source.path);
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let (name, folder) = if stem == "mod" {
            let folder = path.parent().unwrap();
            (folder.file_name().unwrap().to_string_lossy().into_owned(), folder.parent().unwrap())
        } else {
            (stem, path.parent().unwrap())
        };
        let parent = if folder.as_os_str().is_empty() {
            "src/lib.rs".to_owned()
        } else {
            format!("src/{}/mod.rs", folder.display())
        };
        let declared = read(&parent).contains(&format!("mod {name};"));
        assert!(declared, "src/{} is declared nowhere ({parent})", source.path);
    }
}

#[test]
fn an_engine_crate_is_named_only_in_its_home() {
    let homes: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("redb::", &["engine/db/"][..]),
        ("bincode::", &["engine/db/codec.rs"][..]),
        ("tantivy::", &["engine/text/"][..]),
        ("candle_core::", &["engine/embed/"][..]),
        ("tokenizers::", &["engine/embed/"][..]),
        ("gemm::", &["engine/embed/"][..]),
        ("object_store::", &["engine/blob/"][..]),
        ("actix_web::", &["web/", "app/", "/http", "http.rs", "knowledge/upload.rs"][..]),
        (
            "actix_multipart::",
            &["uploads/intake.rs", "uploads/http.rs", "knowledge/upload.rs", "knowledge/http"][..],
        ),
    ]);
    for source in sources().iter().filter(|source| !source.is_test()) {
        for (line_number, line) in source.code() {
            for (name, home) in &homes {
                let named = line.match_indices(name).any(|(at, _)| {
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
                });
                assert!(
                    !named || home.iter().any(|home| source.path.contains(home)),
                    "src/{}:{line_number} names {name}; only {home:?} may: go through the engine",
                    source.path
                );
            }
        }
    }
}

#[test]
fn the_wall_clock_is_read_in_one_place() {
    for source in sources().iter().filter(|source| source.path != "base/time.rs") {
        for (line_number, line) in source.code() {
            let read =
                ["SystemTime::now", "now_utc()", "Utc::now"].iter().any(|c| line.contains(c));
            assert!(!read, "src/{}:{line_number} reads the clock: take `now`", source.path);
        }
    }
}

#[test]
fn there_are_no_drawers() {
    const DRAWERS: [&str; 9] =
        ["util", "utils", "helper", "helpers", "common", "misc", "manager", "service", "types"];
    for source in sources() {
        for part in source.path.trim_end_matches(".rs").split('/') {
            assert!(!DRAWERS.contains(&part), "src/{}: name it after what it is", source.path);
        }
    }
}

#[test]
fn every_file_says_first_what_it_is() {
    for source in sources() {
        assert!(source.text.starts_with("//!"), "src/{}: begin with `//!`", source.path);
        for (line_number, line) in source.text.lines().enumerate() {
            let mark = ["TODO", "FIXME", "XXX"].iter().find(|mark| line.contains(*mark));
            assert!(
                mark.is_none() || source.is_test() || source.path.starts_with("uploads/analyse"),
                "src/{}:{} has a {mark:?}: do it or say it in the issue",
                source.path,
                line_number + 1
            );
        }
    }
}

#[test]
fn every_room_has_its_card() {
    for room in ranks().iter().filter(|room| !["base", "engine"].contains(&room.as_str())) {
        let path = format!("src/{room}/mod.rs");
        let text = read(&path).to_lowercase();
        let card: String =
            text.lines().take_while(|line| line.starts_with("//!") || line.is_empty()).collect();
        for line in ["keeps", "how long", "who may", "never"] {
            assert!(card.contains(line), "{path}: the room card lacks `{line}`");
        }
    }
}

#[test]
fn every_room_is_joined_in_app() {
    let (router, store, openapi) =
        (read("src/app/router.rs"), read("src/app/store.rs"), read("src/app/openapi.rs"));
    for source in sources() {
        let room = source.room().to_owned();
        let path = source.path.as_str();
        let own_http = path == format!("{room}/http.rs") || path == format!("{room}/http/mod.rs");
        if own_http && source.text.contains("fn routes(") {
            let mounted = [format!("{room}::routes"), format!("{room}::http::routes")];
            assert!(mounted.iter().any(|m| router.contains(m)), "{room} is not in app/router.rs");
            let described = [format!("{room}::Doc"), format!("{room}::http::Doc")];
            assert!(
                described.iter().any(|d| openapi.contains(d)),
                "{room} is not in app/openapi.rs"
            );
        }
        if source.text.contains("pub fn schema(schema: Schema)") && !path.starts_with("engine") {
            assert!(store.contains(&format!("{room}::schema")), "{room} is not in app/store.rs");
        }
    }
}

#[test]
fn an_error_code_belongs_to_one_room() {
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    for source in sources().iter().filter(|source| source.path.ends_with("error.rs")) {
        for (_, line) in source.code() {
            let Some((_, rest)) = line.split_once("(Class::") else { continue };
            let Some(code) = rest.split('"').nth(1) else { continue };
            let room = source.path.trim_end_matches("/error.rs").to_owned();
            let owner = owners.entry(code.to_owned()).or_insert_with(|| room.clone());
            let shared =
                ["storage", "invalid_field", "shutting_down", "version_mismatch"].contains(&code);
            assert!(
                shared || *owner == room,
                "`{code}` is used by {owner} and {room}: a code names one failure"
            );
        }
    }
    assert!(owners.len() > 10, "found only {owners:?}");
}
