//! Talking to the person at the terminal: output, questions, exit codes.

use serde::Serialize;
use std::io::{self, BufRead, IsTerminal, Read, Write};

/// Longest password read from standard input, so that a wrong redirect cannot fill memory.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// Prints one line of an answer. A reader that went away (`| head`) is not our failure.
pub(super) fn say(text: impl AsRef<str>) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{}", text.as_ref());
}

/// Prints one line about the work itself: not part of the answer.
pub(super) fn note(text: impl AsRef<str>) {
    let mut out = io::stderr().lock();
    let _ = writeln!(out, "{}", text.as_ref());
}

/// Prints an answer as indented JSON.
pub(super) fn say_json(value: &impl Serialize) -> Result<(), String> {
    let text = serde_json::to_string_pretty(value).map_err(|e| e.to_string())?;
    say(text);
    Ok(())
}

/// Reads a password: from standard input, or by asking twice on a terminal.
pub(super) fn password(from_stdin: bool) -> Result<String, String> {
    if !from_stdin && io::stdin().is_terminal() {
        note("The password is shown while you type; use --password-stdin to avoid that.");
        let first = ask("Password: ")?;
        return if first == ask("Again: ")? { Ok(first) } else { Err("they differ".into()) };
    }
    if !from_stdin {
        return Err("no terminal to ask for a password; use --password-stdin".into());
    }
    let mut text = String::new();
    io::stdin()
        .lock()
        .take(PASSWORD_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|e| format!("cannot read the password: {e}"))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() { Err("the password is empty".into()) } else { Ok(text.to_owned()) }
}

fn ask(question: &str) -> Result<String, String> {
    let mut err = io::stderr().lock();
    write!(err, "{question}").and_then(|()| err.flush()).map_err(|e| e.to_string())?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|e| e.to_string())?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
