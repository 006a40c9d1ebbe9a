//! Which exception a line names.

/// Type and message of an exception; the type is empty when the line names none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Thrown<'a> {
    /// Type as the line spells it.
    pub(super) exception: &'a str,
    /// What follows it, or the whole line.
    pub(super) message: &'a str,
}

impl Thrown<'_> {
    /// `type: message`, or the one that is there.
    pub(super) fn joined(&self) -> String {
        match (self.exception, self.message) {
            ("", message) => message.to_owned(),
            (exception, "") => exception.to_owned(),
            (exception, message) => format!("{exception}: {message}"),
        }
    }
}

/// Finds the first word that names an exception, and the message behind it.
pub(super) fn thrown(text: &str) -> Thrown<'_> {
    let text = text.trim();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let start = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_').unwrap_or(rest.len());
        let word = &rest[start..];
        let len = word
            .find(|c: char| {
                !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '$' | '\\' | '`' | ':'))
            })
            .unwrap_or(word.len());
        let name = word[..len].trim_end_matches([':', '.']).trim_end_matches("::");
        let after = &word[name.len()..];
        if is_exception(name) && !after.starts_with(" in thread ") {
            return Thrown { exception: name, message: message(after) };
        }
        at += start + len.max(1);
        while at < text.len() && !text.is_char_boundary(at) {
            at += 1;
        }
    }
    // Ruby writes `file:line:in 'method': message (Type)`.
    Thrown { exception: "", message: text }
}

fn message(after: &str) -> &str {
    let after = after.strip_prefix('\'').unwrap_or(after);
    let after = after.trim_start_matches("(code: 0)").trim_start_matches([':', ' ', ')']);
    match after.strip_prefix("with message '") {
        Some(quoted) => quoted.split_once("' in ").map_or(quoted, |(message, _)| message),
        None => after.trim(),
    }
}

/// Whether a name is that of an exception, by the endings that languages use.
fn is_exception(name: &str) -> bool {
    let last = name.rsplit(['.', '\\', '$', ':']).next().unwrap_or_default();
    let last = last.split('`').next().unwrap_or_default();
    let ending = [
        "Exception",
        "Error",
        "Throwable",
        "Failure",
        "Interrupt",
        "StopIteration",
        "SystemExit",
        "Warning",
        "Errno",
    ]
    .iter()
    .any(|ending| last.ends_with(ending));
    ending
        && last.starts_with(|c: char| c.is_ascii_uppercase())
        && (last.len() > 7 || name == "Error")
}

#[cfg(test)]
mod tests {
    use super::thrown;

    fn check(text: &str, exception: &str, message: &str) {
        let found = thrown(text);
        assert_eq!((found.exception, found.message), (exception, message), "{text}");
    }

    #[test]
    fn exceptions_are_found_wherever_the_line_names_them() {
        check(
            "Exception in thread \"main\" java.lang.RuntimeException: gone",
            "java.lang.RuntimeException",
            "gone",
        );
        check("TypeError: x is not a function", "TypeError", "x is not a function");
        check(
            "System.Collections.Generic.KeyNotFoundException: no key",
            "System.Collections.Generic.KeyNotFoundException",
            "no key",
        );
        check(
            "PHP Fatal error:  Uncaught exception 'LogicException' with message 'm' in f",
            "LogicException",
            "m",
        );
        check(
            "Uncaught App\\Errors\\PaymentException: declined",
            "App\\Errors\\PaymentException",
            "declined",
        );
        check("request failed: Error: boom", "Error", "boom");
        check("something went wrong", "", "something went wrong");
        check("", "", "");
    }
}
