//! Braces around settings: HCL, nginx and what resembles them.

use super::super::sample::share;
use super::pairs::pair;

/// Block names that make braces HCL.
const HCL_BLOCKS: &[&str] = &[
    "resource",
    "variable",
    "provider",
    "module",
    "output",
    "data",
    "locals",
    "terraform",
    "job",
    "group",
    "task",
    "backend",
    "listener",
    "storage",
    "moved",
    "import",
    "check",
    "path",
    "seal",
];
/// Directives of nginx.
const NGINX_WORDS: &[&str] = &[
    "server",
    "location",
    "listen",
    "proxy_pass",
    "worker_processes",
    "upstream",
    "http",
    "events",
    "root",
    "index",
    "error_log",
    "server_name",
    "include",
    "access_log",
    "ssl_certificate",
    "fastcgi_pass",
    "worker_connections",
    "proxy_set_header",
    "return",
    "rewrite",
];
/// Directives of nginx that open a block.
const NGINX_BLOCKS: &[&str] = &["server", "location", "http", "events", "upstream", "stream"];

/// Blocks that the lines may be.
pub(super) fn blocks(lines: &[&str]) -> Option<(&'static str, f64)> {
    let (mut seen, mut fits, mut opened, mut known, mut ended, mut called) = (0, 0, 0, 0, 0, 0);
    let (mut nginx, mut sited, mut assigned) = (0, 0, 0);
    let mut until: Option<&str> = None;
    for line in lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
        if let Some(mark) = until {
            until = (line != mark).then_some(mark);
            continue;
        }
        if line.starts_with('#') || line.starts_with("//") || line.starts_with(['/', '*']) {
            continue;
        }
        seen += 1;
        until = line.split_once("<<").map(|(_, mark)| mark.trim_start_matches(['-', '~', '"']));
        let word = line.split([' ', '{', ';', '\t']).next().unwrap_or_default();
        let bare = !word.is_empty()
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.\"".contains(&b));
        nginx += usize::from(NGINX_WORDS.contains(&word) && line.ends_with([';', '{']));
        assigned += usize::from(line.contains(" = "));
        sited += usize::from(NGINX_BLOCKS.contains(&word) && line.ends_with('{'));
        if line.ends_with('{') && bare && !line.contains(['(', ')']) {
            opened += 1;
            fits += 1;
            known += usize::from(HCL_BLOCKS.contains(&word));
        } else if line.ends_with(';') && bare {
            ended += 1;
            fits += 1;
            called += usize::from(line.contains(['(', '=']));
        } else if line.starts_with(['}', ']', ')'])
            || pair(line).is_some()
            || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '))
            || line.ends_with(',')
            || (opened > 0 && is_argument(line))
        {
            fits += 1;
        }
    }
    if opened == 0 || share(fits, seen) < 0.8 {
        return None;
    }
    Some(match () {
        () if known > 0 && ended == 0 => ("hcl", 0.95),
        () if nginx >= 2 && sited > 0 => ("nginx", 0.95),
        () if ended == 0 && share(assigned, seen) >= 0.3 => ("hcl", 0.65),
        () if ended == 0 && share(fits, seen) >= 0.95 => ("conf", 0.6),
        () if called * 5 <= ended && ended > 0 => ("conf", 0.55),
        () => return None,
    })
}

/// `Name "value"`, `Name 5`: a directive of few words without the signs of a program.
fn is_argument(line: &str) -> bool {
    let words = line.split_ascii_whitespace().count();
    (2..=4).contains(&words) && !line.contains(['(', ')', '=', '$', '`'])
        || line
            .split_once(' ')
            .is_some_and(|(_, rest)| rest.starts_with('"') && rest.ends_with('"'))
}
