//! Frames of stack traces as each language writes them.

use super::exception::{self, Thrown};
use crate::uploads::analyse::logs::findings::Frame;
use crate::uploads::analyse::logs::text::quote;

/// Longest function or file name kept, in characters.
const NAME_CHARS_MAX: usize = 200;

/// Languages by the shape of their traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Language {
    /// Java, Kotlin, Scala and others on that machine.
    #[default]
    Java,
    /// C# and others on that runtime.
    DotNet,
    /// Browsers and Node.js.
    JavaScript,
    /// Python.
    Python,
    /// Go.
    Go,
    /// Rust.
    Rust,
    /// PHP.
    Php,
    /// Dart and Flutter.
    Dart,
    /// Ruby.
    Ruby,
    /// Debuggers, C++ failure handlers, the Linux kernel.
    Native,
}

impl Language {
    /// The name on the wire.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Java => "java",
            Self::DotNet => "dotnet",
            Self::JavaScript => "javascript",
            Self::Python => "python",
            Self::Go => "go",
            Self::Rust => "rust",
            Self::Php => "php",
            Self::Dart => "dart",
            Self::Ruby => "ruby",
            Self::Native => "native",
        }
    }
}

/// What a line says that announces a trace.
pub(super) struct Opening<'a> {
    pub(super) language: Language,
    /// The exception, when the line itself names it.
    pub(super) thrown: Option<Thrown<'a>>,
    /// The exception stands on the line before.
    pub(super) names_before: bool,
    /// The next line is a message.
    pub(super) expect_text: bool,
}

/// Reads a line that announces a trace.
pub(super) fn opening(text: &str) -> Option<Opening<'_>> {
    let of = |language, thrown, names_before, expect_text| {
        Some(Opening { language, thrown, names_before, expect_text })
    };
    let is = |start: &str| text.starts_with(start);
    match text.as_bytes().first()? {
        b'T' | b'(' | b'E'
            if memchr::memmem::find(text.as_bytes(), b"Traceback (most recent call last)")
                .is_some() =>
        {
            of(Language::Python, None, false, false)
        }
        b'p' if is("panic: ") => {
            let message = text.get(7..).unwrap_or_default();
            of(Language::Go, Some(Thrown { exception: "panic", message }), false, false)
        }
        b'f' if is("fatal error: ") => {
            let message = text.get(13..).unwrap_or_default();
            of(Language::Go, Some(Thrown { exception: "fatal error", message }), false, false)
        }
        b'g' if is("goroutine ") && text.ends_with("]:") => of(Language::Go, None, true, false),
        b't' if is("thread '") => rust_panic(text),
        b'P' if is("PHP Fatal error:") || is("PHP Stack trace:") => {
            of(Language::Php, Some(exception::thrown(text)), false, false)
        }
        b'F' if is("Fatal error: Uncaught") => {
            of(Language::Php, Some(exception::thrown(text)), false, false)
        }
        b'S' if is("Stack trace:") && text.trim_end().len() == 12 => {
            of(Language::Php, None, true, false)
        }
        b'[' if is("[stacktrace]") => of(Language::Php, None, true, false),
        b'U' if is("Unhandled exception. ") || is("Unhandled Exception: ") => of(
            Language::DotNet,
            Some(exception::thrown(text.get(21..).unwrap_or_default())),
            false,
            false,
        ),
        b'U' if text.trim_end() == "Unhandled exception:" => of(Language::Dart, None, false, true),
        b'C' if is("Call Trace:") => of(Language::Native, None, true, false),
        b's' if is("stack backtrace:") => of(Language::Rust, None, true, false),
        b'*' if is("*** SIG") || is("*** Aborted") || is("*** Check failure stack trace") => {
            let message = text.trim_matches(['*', ' ']);
            of(Language::Native, Some(Thrown { exception: "signal", message }), false, false)
        }
        _ => None,
    }
}

/// `thread 'main' panicked at src/main.rs:2:5:` or `... panicked at 'message', src/main.rs:2:5`.
fn rust_panic(text: &str) -> Option<Opening<'_>> {
    let (_, rest) =
        text.split_once("' panicked at ").or_else(|| text.split_once(") panicked at "))?;
    let old = rest.strip_prefix('\'').and_then(|rest| rest.rsplit_once("', "));
    let message = old.map_or("", |(message, _)| message);
    Some(Opening {
        language: Language::Rust,
        thrown: Some(Thrown { exception: "panic", message }),
        names_before: false,
        expect_text: old.is_none(),
    })
}

/// A frame that may be the first line of a trace.
pub(super) fn first_frame(text: &str) -> Option<(Language, Frame)> {
    match text.as_bytes().first()? {
        b'a' | b'e' => at_frame(text),
        b'#' | b'f' | b'@' => {
            numbered_frame(text).or_else(|| php_frame(text).map(|f| (Language::Php, f)))
        }
        _ => None,
    }
}

fn frame(function: &str, file: Option<&str>, line: Option<u64>) -> Frame {
    let file = file.map(|file| file.trim()).filter(|file| !file.is_empty());
    Frame {
        function: quote(function, NAME_CHARS_MAX),
        file: file.map(|file| quote(file, NAME_CHARS_MAX)),
        line,
    }
}

/// `path:12:5` and `path:12` into path and line.
pub(super) fn file_line(place: &str) -> (&str, Option<u64>) {
    let place = place.trim();
    let number = |text: &str| text.parse::<u64>().ok();
    let Some((left, last)) = place.rsplit_once(':') else { return (place, None) };
    let Some(last) = number(last) else { return (place, None) };
    match left.rsplit_once(':') {
        Some((file, line)) if number(line).is_some() => (file, number(line)),
        _ => (left, Some(last)),
    }
}

/// `at function (place)` of Java, .NET and JavaScript, told apart by the place.
pub(super) fn at_frame(text: &str) -> Option<(Language, Frame)> {
    let body = text.strip_prefix("at ").or_else(|| text.starts_with("eval at ").then_some(text))?;
    let body = body.trim_end().trim_end_matches(" {");
    dot_net(body)
        .or_else(|| java(body))
        .or_else(|| java_script(body))
        .or_else(|| dot_net_bare(body))
}

/// `N.C.M(args) in file:line 36` and Mono's `N.C.M (args) [0x00007] in file:9`.
fn dot_net(body: &str) -> Option<(Language, Frame)> {
    let (function, place) = body.rsplit_once(" in ")?;
    let mono = function.ends_with(']') && function.contains(" [0x");
    let (file, line) = match place.rsplit_once(":line ") {
        Some((file, line)) => (file, line.trim().parse().ok()),
        None if mono => file_line(place),
        None => return None,
    };
    let function = function.split(" [0x").next().unwrap_or_default();
    let function = function.split('(').next().unwrap_or_default();
    let file = (!file.contains("<filename unknown>")).then_some(file);
    let line = line.filter(|_| file.is_some());
    Some((Language::DotNet, frame(function, file, line)))
}

/// `a.b.C.m(File.java:12)`, also with a module before it and a jar behind it.
fn java(body: &str) -> Option<(Language, Frame)> {
    let (function, rest) = body.split_once('(')?;
    let (place, tail) = rest.split_once(')')?;
    let tail = tail.trim();
    let plain = !function.is_empty() && !function.contains(' ') && function.contains('.');
    if !plain || !(tail.is_empty() || tail.starts_with(['[', '~'])) {
        return None;
    }
    let function = function.rsplit('/').next().unwrap_or(function);
    if matches!(place, "Native Method" | "Unknown Source" | "<generated>" | "<unknown>") {
        return Some((Language::Java, frame(function, None, None)));
    }
    let (file, line) = file_line(place);
    let extension = file.rsplit_once('.').map(|(_, extension)| extension);
    let source = matches!(extension, Some("java" | "kt" | "scala" | "groovy" | "clj" | "kts"));
    source.then(|| (Language::Java, frame(function, Some(file), line)))
}

/// `f (file:12:5)`, `async f (file:12:5)`, `file:12:5`, `f (native)`.
fn java_script(body: &str) -> Option<(Language, Frame)> {
    let body = body.strip_prefix("async ").unwrap_or(body);
    if let Some((function, place)) = body.split_once(" (")
        && let Some(place) = place.strip_suffix(')')
    {
        if matches!(place, "native" | "<anonymous>" | "unknown location" | "index 0") {
            return Some((Language::JavaScript, frame(function, None, None)));
        }
        let (file, line) = file_line(place.trim_end_matches(')'));
        let evaluated = place.starts_with("eval at ");
        return (line.is_some() || evaluated)
            .then(|| (Language::JavaScript, frame(function, Some(file), line)));
    }
    let (file, line) = file_line(body);
    let two_numbers =
        body.rsplit(':').take(2).all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    (line.is_some() && two_numbers && !body.contains(' ') && file.contains(['/', '.', '\\', '<']))
        .then(|| (Language::JavaScript, frame("", Some(file), line)))
}

/// `N.C.M(String a, Int32 b)`: .NET without debug symbols.
fn dot_net_bare(body: &str) -> Option<(Language, Frame)> {
    let open = body.find('(')?;
    let function = body[..open].trim_end();
    let shape = body.ends_with(')') && function.contains('.') && !function.contains(' ');
    let capital = function.starts_with(|c: char| c.is_ascii_uppercase());
    (shape && capital).then(|| (Language::DotNet, frame(function, None, None)))
}

/// `File "path", line 12, in f`.
pub(super) fn python_frame(text: &str) -> Option<Frame> {
    let rest = text.strip_prefix("File \"")?;
    let (file, rest) = rest.split_once('"')?;
    let rest = rest.strip_prefix(", line ")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let function = rest.split_once(", in ").map_or("", |(_, function)| function);
    Some(frame(function.trim(), Some(file), rest.get(..digits)?.parse().ok()))
}

/// `/path/file.go:12 +0x1d`.
pub(super) fn go_place(text: &str) -> Option<(String, Option<u64>)> {
    let place = text.split(' ').next()?;
    let (file, line) = file_line(place);
    let source = file.ends_with(".go") || file.ends_with(".s") || file.ends_with(".c");
    (source && line.is_some()).then(|| (quote(file, NAME_CHARS_MAX), line))
}

/// `main.(*Server).handle(0xc000, 0x1)` and `created by main.main in goroutine 1`.
pub(super) fn go_function(text: &str) -> Option<Frame> {
    if let Some(creator) = text.strip_prefix("created by ") {
        let function = creator.split(" in goroutine").next().unwrap_or_default();
        return Some(frame(function, None, None));
    }
    let text = text.trim_end();
    let body = text.strip_suffix(')')?;
    let open = body.rfind('(')?;
    let function = body.get(..open)?;
    let shape = !function.is_empty() && !function.contains(' ');
    (shape && (function.contains('.') || function == "panic")).then(|| frame(function, None, None))
}

/// `   3: core::panicking::panic` of a Rust backtrace.
pub(super) fn rust_frame(text: &str) -> Option<Frame> {
    let (number, function) = text.split_once(": ")?;
    let shape = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let function = function.trim();
    let function = match function.split_once(" - ") {
        Some((address, function)) if address.starts_with("0x") => function,
        _ => function,
    };
    shape.then(|| frame(function, None, None))
}

/// `#1 /path/file.php(20): f()`, `#0 [internal function]: f()`, `#4 {main}`.
pub(super) fn php_frame(text: &str) -> Option<Frame> {
    let rest = text.strip_prefix('#')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let body = rest.get(digits..)?.strip_prefix(' ').filter(|_| digits > 0)?.trim();
    if body == "{main}" {
        return Some(frame("{main}", None, None));
    }
    let (place, call) = body.split_once(": ")?;
    let function = call.split('(').next().unwrap_or_default();
    if place == "[internal function]" {
        return Some(frame(function, None, None));
    }
    let (file, line) = place.strip_suffix(')')?.rsplit_once('(')?;
    Some(frame(function, Some(file), Some(line.parse().ok()?)))
}

/// One frame a line: Dart, debuggers, Ruby, C++ failure handlers, the kernel.
pub(super) fn numbered_frame(text: &str) -> Option<(Language, Frame)> {
    match text.as_bytes().first()? {
        b'#' => dart_frame(text).or_else(|| debugger_frame(text)),
        b'f' => ruby_frame(text),
        b'@' => {
            // glog: `@     0x7f8a function`
            let mut words = text[1..].split_whitespace();
            let address = words.next()?;
            let function = words.next()?;
            address.starts_with("0x").then(|| (Language::Native, frame(function, None, None)))
        }
        _ => kernel_frame(text),
    }
}

/// `#0      main.<anonymous closure> (file:///a.dart:15:20)`.
fn dart_frame(text: &str) -> Option<(Language, Frame)> {
    let rest = text.strip_prefix('#')?.trim_start_matches(|c: char| c.is_ascii_digit());
    let (function, place) = rest.trim().rsplit_once(" (")?;
    let place = place.strip_suffix(')')?;
    let (file, line) = file_line(place);
    let uri =
        place.starts_with("file:") || place.starts_with("dart:") || place.starts_with("package:");
    uri.then(|| (Language::Dart, frame(function, Some(file), line)))
}

/// `#1  0x00007f in f (a=1) at file.c:12`.
fn debugger_frame(text: &str) -> Option<(Language, Frame)> {
    let rest =
        text.strip_prefix('#')?.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
    let body = match rest.strip_prefix("0x") {
        Some(address) => address.split_once(" in ")?.1,
        None if rest.contains(" at ") => rest,
        None => return None,
    };
    let function = body.split(" (").next().unwrap_or_default();
    let (file, line) = match body.rsplit_once(" at ") {
        Some((_, place)) => file_line(place),
        None => (body.rsplit_once(" from ").map_or("", |(_, library)| library), None),
    };
    (!function.contains(' ')).then(|| (Language::Native, frame(function, Some(file), line)))
}

/// `from file.rb:12:in 'method'`.
fn ruby_frame(text: &str) -> Option<(Language, Frame)> {
    let (place, function) = text.strip_prefix("from ")?.split_once(":in ")?;
    let (file, line) = file_line(place);
    line?;
    Some((Language::Ruby, frame(function.trim_matches(['`', '\'']), Some(file), line)))
}

/// ` [<ffffffff8100>] schedule+0x12/0x34` and ` schedule+0x12/0x34`.
fn kernel_frame(text: &str) -> Option<(Language, Frame)> {
    let body = match text.strip_prefix("[<") {
        Some(rest) => rest.split_once(">]")?.1.trim_start(),
        None => text,
    };
    let body = body.strip_prefix("? ").unwrap_or(body);
    let (function, offset) = body.split_once("+0x")?;
    let shape = !function.is_empty()
        && function.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
        && offset.contains("/0x");
    shape.then(|| (Language::Native, frame(function, None, None)))
}
