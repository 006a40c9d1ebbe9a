//! Settings in YAML, TOML, INI, properties, environment files, HCL, XML and server dialects.

mod blocks;
mod pairs;
mod yaml;

use super::super::DataType::{StructuredConfig, UnstructuredText, VisualEvidence};
use super::Guess;
use super::sample::{Sample, share};
use blocks::blocks;
use pairs::pairs;
use yaml::yaml;

/// Most lines looked at.
const LINES_MAX: usize = 500;

/// Directives and sections of the Apache server.
const APACHE_WORDS: &[&str] = &[
    "<VirtualHost",
    "<Directory",
    "<Location",
    "<IfModule",
    "<Files",
    "<Limit",
    "<Proxy",
    "RewriteCond",
    "RewriteRule",
    "RewriteEngine",
    "ServerName",
    "ServerSignature",
    "DocumentRoot",
    "LoadModule",
    "AllowOverride",
    "ErrorLog",
    "CustomLog",
    "Listen",
    "Header",
    "Options",
    "AddType",
    "ServerAdmin",
    "ServerAlias",
    "Require",
    "ErrorDocument",
    "Order",
    "Deny",
    "Allow",
];
/// Sections and directives of HAProxy and of SSH.
const PLAIN_WORDS: &[&str] = &[
    "global",
    "defaults",
    "frontend",
    "backend",
    "listen",
    "bind",
    "mode",
    "timeout",
    "server",
    "Host",
    "HostName",
    "IdentityFile",
    "Port",
    "PermitRootLogin",
    "PasswordAuthentication",
    "UsePAM",
    "Subsystem",
    "nameserver",
    "search",
    "maxmemory",
    "appendonly",
    "daemonize",
];

/// Settings that the text may be.
pub(super) fn guess(sample: &Sample<'_>) -> Option<Guess> {
    if let Some(markup) = markup(sample) {
        return Some(markup);
    }
    let lines = sample.lines.get(..LINES_MAX).unwrap_or(&sample.lines);
    let candidates = [yaml(lines), pairs(lines), blocks(lines), directives(lines)];
    let (format, score) = candidates.into_iter().flatten().max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(Guess::new(StructuredConfig, format, score))
}

/// XML and what is written in it.
fn markup(sample: &Sample<'_>) -> Option<Guess> {
    let start = sample.text.trim_start();
    let head = start.get(..start.len().min(16)).unwrap_or_default().to_ascii_lowercase();
    if head.starts_with("<!doctype html") || head.starts_with("<html") {
        return Some(Guess::new(UnstructuredText, "html", 0.9));
    }
    let declared = start.starts_with("<?xml");
    if !declared && !start.starts_with('<') {
        return None;
    }
    if sample.start(2048).contains("<svg") {
        return Some(Guess::new(VisualEvidence, "svg", 0.95));
    }
    let tagged = sample.filled().filter(|line| line.starts_with('<') || line.ends_with('>'));
    let ratio = share(tagged.count(), sample.filled().count());
    let closed = sample.text.contains("</") || sample.text.contains("/>");
    match () {
        () if declared => Some(Guess::new(StructuredConfig, "xml", 0.93)),
        () if closed && ratio >= 0.6 && !start.starts_with("<?") => {
            Some(Guess::new(StructuredConfig, "xml", 0.75))
        }
        () => None,
    }
}

/// Apache, HAProxy, SSH and others: a directive and its arguments in every line.
fn directives(lines: &[&str]) -> Option<(&'static str, f64)> {
    let (mut seen, mut apache, mut plain, mut short) = (0, 0, 0, 0);
    for line in lines.iter().map(|line| line.trim()) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        seen += 1;
        let word = line.split([' ', '\t']).next().unwrap_or_default();
        apache += usize::from(APACHE_WORDS.contains(&word));
        plain += usize::from(PLAIN_WORDS.contains(&word));
        let arguments = line.split_ascii_whitespace().count();
        let named = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        short +=
            usize::from(named && (2..=4).contains(&arguments) && !line.ends_with(['.', ':', ',']));
    }
    Some(match () {
        () if apache >= 2 && share(apache, seen) >= 0.3 => ("apache", 0.92),
        () if plain >= 3 && share(plain, seen) >= 0.3 => ("conf", 0.75),
        () if seen > 2 && share(short, seen) >= 0.9 => ("conf", 0.42),
        () => return None,
    })
}
