//! One trace of each language, written for these tests.

use super::Scanner;
use crate::uploads::analyse::logs::findings::StackTrace;

fn scan(text: &str) -> Vec<StackTrace> {
    let mut scanner = Scanner::default();
    for (number, line) in text.lines().enumerate() {
        scanner.push(number as u64 + 1, line);
    }
    scanner.finish().0
}

/// Language, exception, message, lines, and the first frame as `function file:line`.
fn check(text: &str, name: (&str, &str, &str), lines: (u64, u64), first: &str) -> StackTrace {
    let traces = scan(text);
    assert_eq!(traces.len(), 1, "{traces:#?}");
    let trace = traces.into_iter().next().unwrap();
    let (language, exception, message) = name;
    assert_eq!(
        (&*trace.language, &*trace.exception, &*trace.message),
        (language, exception, message)
    );
    assert_eq!((trace.line_start, trace.line_end), lines);
    let frame = &trace.frames[0];
    let file = frame.file.as_deref().unwrap_or("-");
    assert_eq!(format!("{} {file}:{}", frame.function, frame.line.unwrap_or(0)), first);
    trace
}

#[test]
fn java_with_causes_and_suppressed() {
    let trace = check(
        "starting\n\
         Exception in thread \"main\" java.lang.IllegalStateException: no pool\n\
         \tat com.acme.Pool.get(Pool.java:42)\n\
         \tat java.base/java.lang.Thread.run(Thread.java:833)\n\
         \tSuppressed: java.io.IOException: close\n\
         \t\tat com.acme.Pool.close(Pool.java:9)\n\
         Caused by: java.sql.SQLException: refused\n\
         \tat com.acme.Db.open(Db.java:7) ~[db.jar:1.2]\n\
         \t... 12 more\n\
         Caused by: java.net.ConnectException: Connection refused\n\
         \tat sun.nio.Net.connect(Native Method)\n\
         next message",
        ("java", "java.lang.IllegalStateException", "no pool"),
        (2, 11),
        "com.acme.Pool.get Pool.java:42",
    );
    assert_eq!(
        trace.caused_by,
        ["java.sql.SQLException: refused", "java.net.ConnectException: Connection refused"]
    );
    assert_eq!(trace.frames[1].function, "java.lang.Thread.run");
}

#[test]
fn python_with_a_chained_cause_lists_the_innermost_call_first() {
    let trace = check(
        "Traceback (most recent call last):\n\
         \x20 File \"/srv/a.py\", line 3, in load\n    return data[key]\n           ~~~~^^^^^\n\
         KeyError: 'host'\n\
         \n\
         During handling of the above exception, another exception occurred:\n\
         \n\
         Traceback (most recent call last):\n\
         \x20 File \"/srv/main.py\", line 9, in <module>\n    main()\n\
         \x20 File \"/srv/main.py\", line 5, in main\n    raise ConfigError(\"x\")\n\
         app.errors.ConfigError: bad config\n\
         done",
        ("python", "app.errors.ConfigError", "bad config"),
        (1, 14),
        "main /srv/main.py:5",
    );
    assert_eq!(trace.caused_by, ["KeyError: 'host'"]);
}

#[test]
fn go_keeps_the_goroutine_that_crashed() {
    let trace = check(
        "panic: runtime error: index out of range\n\n\
         goroutine 7 [running]:\n\
         main.(*Server).handle(0xc000, 0x1)\n\t/srv/main.go:58 +0x12a\n\
         created by main.run in goroutine 1\n\t/srv/main.go:20 +0x33\n\n\
         goroutine 1 [chan receive]:\n\
         main.main()\n\t/srv/main.go:10 +0x1\n\
         exit status 2",
        ("go", "panic", "runtime error: index out of range"),
        (1, 12),
        "main.(*Server).handle /srv/main.go:58",
    );
    assert_eq!(trace.frames.len(), 2);
}

#[test]
fn javascript_with_bare_and_async_frames() {
    let trace = check(
        "TypeError: x is not a function\n\
         \x20   at next (/app/router.js:256:14)\n\
         \x20   at /app/app.js:52:3\n\
         \x20   at async Promise.all (index 0)\n\
         \x20   at async run (file:///app/main.mjs:9:1)\n\
         \x20 [cause]: Error: inner\n\
         \x20     at f (/app/a.js:1:1)",
        ("javascript", "TypeError", "x is not a function"),
        (1, 7),
        "next /app/router.js:256",
    );
    assert_eq!(trace.frames[1].file.as_deref(), Some("/app/app.js"));
    assert_eq!(trace.caused_by, ["Error: inner"]);
}

#[test]
fn dot_net_with_an_inner_exception() {
    let trace = check(
        "Unhandled exception. System.InvalidOperationException: bad state\n\
         \x20---> System.IO.FileNotFoundException: no file\n\
         \x20  at Acme.Files.Open(String path) in /src/Files.cs:line 12\n\
         \x20  --- End of inner exception stack trace ---\n\
         \x20  at Acme.Program.Main(String[] args) in /src/Program.cs:line 36",
        ("dotnet", "System.InvalidOperationException", "bad state"),
        (1, 5),
        "Acme.Files.Open /src/Files.cs:12",
    );
    assert_eq!(trace.caused_by, ["System.IO.FileNotFoundException: no file"]);
}

#[test]
fn ruby_php_rust_dart_and_native_traces() {
    check(
        "app.rb:12:in 'load': no such file (Errno::ENOENT)\n\tfrom app.rb:30:in 'run'\n\tfrom \
         app.rb:40:in '<main>'",
        ("ruby", "", "app.rb:12:in 'load': no such file (Errno::ENOENT)"),
        (1, 3),
        "run app.rb:30",
    );
    check(
        "PHP Fatal error:  Uncaught Exception: gone in /srv/a.php:60\nStack trace:\n#0 \
         /srv/a.php(20): load('x')\n#1 {main}\n  thrown in /srv/a.php on line 60",
        ("php", "Exception", "gone in /srv/a.php:60"),
        (1, 5),
        "load /srv/a.php:20",
    );
    check(
        "thread 'main' panicked at src/main.rs:2:5:\nindex out of bounds\nstack backtrace:\n   \
         0: core::panicking::panic\n             at /rustc/x/panicking.rs:9:5\n\
         1: app::main\n             at ./src/main.rs:2:5\nnote: run with more",
        ("rust", "panic", "index out of bounds"),
        (1, 8),
        "core::panicking::panic /rustc/x/panicking.rs:9",
    );
    check(
        "Unhandled exception:\nBad state: oops\n#0      load (package:app/a.dart:16:3)\n\
         <asynchronous suspension>\n#1      main (file:///app/main.dart:24:5)",
        ("dart", "", "Bad state: oops"),
        (1, 5),
        "load package:app/a.dart:16",
    );
    check(
        "Program received signal SIGSEGV\n#0  0x00007f in crash (p=0x0) at crash.c:12\n#1  \
         0x00007e in main () at main.c:3",
        ("native", "", "Program received signal SIGSEGV"),
        (1, 3),
        "crash crash.c:12",
    );
    check(
        "BUG: unable to handle page fault\nCall Trace:\n <TASK>\n schedule+0x12/0x34\n \
         [<ffffffff8100>] worker_thread+0x1/0x2\n </TASK>",
        ("native", "", "BUG: unable to handle page fault"),
        (1, 6),
        "schedule -:0",
    );
}

#[test]
fn equal_traces_are_counted_and_others_are_kept_apart() {
    let one = "Error: boom\n    at f (/a.js:1:1)\nok\n";
    let other = "Error: boom\n    at g (/b.js:1:1)\nok\n";
    let traces = scan(&[one, other, one, one].concat());
    let counts: Vec<(u64, u64)> = traces.iter().map(|t| (t.count, t.line_start)).collect();
    assert_eq!(counts, [(3, 1), (1, 4)]);
}

#[test]
fn ordinary_messages_are_no_traces() {
    for text in [
        "at 10:30 the server (node1) was up",
        "panic: at the disco",
        "fatal error: stdio.h: No such file",
        "from a to b",
        "#1 in the charts",
        "goroutine pool resized",
        "stack size 3",
    ] {
        assert_eq!(scan(text), [], "{text}");
    }
}

#[test]
fn the_number_of_distinct_traces_is_bounded() {
    let mut scanner = Scanner::default();
    for n in 0..200 {
        scanner.push_block(
            n + 1,
            "Error: boom",
            &format!("Error: boom\n    at f{n} (/a{n}.js:1:1)"),
        );
    }
    let (traces, total, dropped) = scanner.finish();
    assert_eq!((traces.len(), total, dropped), (super::STACK_TRACES_MAX, 200, 150));
}
