//! What a file's name and its MIME type say about it.

use super::super::DataType;
use DataType::{
    LogsAndErrors as Log, MetricsAndPerformance as Metrics, ProfilingData as Profile,
    SourceCode as Code, StructuredConfig as Config, TraceData as Trace, UnstructuredText as Text,
    VisualEvidence as Visual,
};

/// Type and format that a name suggests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hint {
    /// The type.
    pub(super) data_type: DataType,
    /// The format.
    pub(super) format: &'static str,
    /// How much the name is worth, 0 to 1.
    pub(super) strength: f64,
    /// Whether the name tells formats of this type apart better than the content does.
    pub(super) spells_format: bool,
}

/// Suffixes of names, without the dot, that name a type and format with full strength.
const SUFFIXES: &[(&str, DataType, &str)] = &[
    ("log", Log, "text_log"),
    ("err", Log, "text_log"),
    ("out", Log, "text_log"),
    ("evtx", Log, "windows_event"),
    ("jaeger", Trace, "jaeger"),
    ("otlp", Trace, "otlp"),
    ("cpuprofile", Profile, "cpuprofile"),
    ("heapprofile", Profile, "heapprofile"),
    ("heapsnapshot", Profile, "heapsnapshot"),
    ("prof", Profile, "pprof"),
    ("pprof", Profile, "pprof"),
    ("pb", Profile, "pprof"),
    ("folded", Profile, "collapsed"),
    ("collapsed", Profile, "collapsed"),
    ("jfr", Profile, "jfr"),
    ("hprof", Profile, "hprof"),
    ("perf", Profile, "perf_script"),
    ("prom", Metrics, "prometheus"),
    ("metrics", Metrics, "prometheus"),
    ("csv", Metrics, "csv"),
    ("tsv", Metrics, "csv"),
    ("yaml", Config, "yaml"),
    ("yml", Config, "yaml"),
    ("json", Config, "json"),
    ("jsonc", Config, "json5"),
    ("json5", Config, "json5"),
    ("toml", Config, "toml"),
    ("ini", Config, "ini"),
    ("cfg", Config, "ini"),
    ("cnf", Config, "ini"),
    ("service", Config, "ini"),
    ("conf", Config, "conf"),
    ("config", Config, "conf"),
    ("htaccess", Config, "apache"),
    ("properties", Config, "properties"),
    ("env", Config, "env"),
    ("xml", Config, "xml"),
    ("plist", Config, "xml"),
    ("tf", Config, "hcl"),
    ("tfvars", Config, "hcl"),
    ("hcl", Config, "hcl"),
    ("nomad", Config, "hcl"),
    ("py", Code, "python"),
    ("pyi", Code, "python"),
    ("ipynb", Code, "jupyter"),
    ("js", Code, "javascript"),
    ("mjs", Code, "javascript"),
    ("cjs", Code, "javascript"),
    ("jsx", Code, "javascript"),
    ("ts", Code, "typescript"),
    ("tsx", Code, "typescript"),
    ("java", Code, "java"),
    ("go", Code, "go"),
    ("rs", Code, "rust"),
    ("c", Code, "c"),
    ("h", Code, "c"),
    ("cc", Code, "cpp"),
    ("cpp", Code, "cpp"),
    ("cxx", Code, "cpp"),
    ("hpp", Code, "cpp"),
    ("hh", Code, "cpp"),
    ("cs", Code, "csharp"),
    ("rb", Code, "ruby"),
    ("php", Code, "php"),
    ("swift", Code, "swift"),
    ("kt", Code, "kotlin"),
    ("kts", Code, "kotlin"),
    ("scala", Code, "scala"),
    ("sh", Code, "shell"),
    ("bash", Code, "shell"),
    ("zsh", Code, "shell"),
    ("ps1", Code, "powershell"),
    ("bat", Code, "batch"),
    ("cmd", Code, "batch"),
    ("sql", Code, "sql"),
    ("pl", Code, "perl"),
    ("pm", Code, "perl"),
    ("lua", Code, "lua"),
    ("r", Code, "r"),
    ("jl", Code, "julia"),
    ("hs", Code, "haskell"),
    ("ex", Code, "elixir"),
    ("exs", Code, "elixir"),
    ("erl", Code, "erlang"),
    ("clj", Code, "clojure"),
    ("lisp", Code, "lisp"),
    ("el", Code, "lisp"),
    ("scm", Code, "lisp"),
    ("ml", Code, "ocaml"),
    ("dart", Code, "dart"),
    ("groovy", Code, "groovy"),
    ("gradle", Code, "groovy"),
    ("proto", Code, "protobuf"),
    ("graphql", Code, "graphql"),
    ("css", Code, "css"),
    ("scss", Code, "css"),
    ("vue", Code, "javascript"),
    ("m", Code, "objective_c"),
    ("s", Code, "assembly"),
    ("asm", Code, "assembly"),
    ("zig", Code, "zig"),
    ("pas", Code, "pascal"),
    ("f90", Code, "fortran"),
    ("vb", Code, "visual_basic"),
    ("sol", Code, "solidity"),
    ("v", Code, "verilog"),
    ("vhd", Code, "vhdl"),
    ("tcl", Code, "tcl"),
    ("vim", Code, "vim"),
    ("cmake", Code, "cmake"),
    ("mk", Code, "makefile"),
    ("dockerfile", Code, "dockerfile"),
    ("diff", Code, "diff"),
    ("patch", Code, "diff"),
    ("md", Text, "markdown"),
    ("markdown", Text, "markdown"),
    ("mdown", Text, "markdown"),
    ("mdx", Text, "markdown"),
    ("rst", Text, "restructuredtext"),
    ("adoc", Text, "asciidoc"),
    ("asciidoc", Text, "asciidoc"),
    ("asc", Text, "asciidoc"),
    ("eml", Text, "email"),
    ("html", Text, "html"),
    ("htm", Text, "html"),
    ("txt", Text, "text"),
    ("text", Text, "text"),
    ("png", Visual, "png"),
    ("jpg", Visual, "jpeg"),
    ("jpeg", Visual, "jpeg"),
    ("gif", Visual, "gif"),
    ("webp", Visual, "webp"),
    ("bmp", Visual, "bmp"),
    ("tif", Visual, "tiff"),
    ("tiff", Visual, "tiff"),
    ("svg", Visual, "svg"),
    ("pdf", Visual, "pdf"),
];

/// Whole names, in lower case, that need no suffix.
const NAMES: &[(&str, DataType, &str)] = &[
    ("dockerfile", Code, "dockerfile"),
    ("containerfile", Code, "dockerfile"),
    ("makefile", Code, "makefile"),
    ("gnumakefile", Code, "makefile"),
    ("jenkinsfile", Code, "groovy"),
    ("rakefile", Code, "ruby"),
    ("gemfile", Code, "ruby"),
    ("vagrantfile", Code, "ruby"),
    ("cmakelists.txt", Code, "cmake"),
    ("syslog", Log, "syslog"),
    ("messages", Log, "syslog"),
    ("dmesg", Log, "text_log"),
    ("catalina.out", Log, "text_log"),
    ("readme", Text, "text"),
    ("license", Text, "text"),
    ("changelog", Text, "text"),
    (".gitconfig", Config, "ini"),
    (".editorconfig", Config, "ini"),
];

/// Suffixes that many kinds of files share, with what they are worth.
const VAGUE: &[(&str, f64)] = &[
    ("txt", 0.3),
    ("text", 0.3),
    ("json", 0.5),
    ("csv", 0.6),
    ("tsv", 0.6),
    ("out", 0.5),
    ("pb", 0.5),
    ("prof", 0.9),
    ("conf", 0.9),
    ("xml", 0.7),
    ("m", 0.7),
    ("v", 0.7),
    ("s", 0.7),
    ("r", 0.8),
    ("html", 0.8),
    ("htm", 0.8),
];

/// What `name` says; compression suffixes, rotation numbers and folders are left aside.
pub(super) fn from_name(name: &str) -> Option<Hint> {
    let name = name.rsplit(['/', '\\']).next()?.to_ascii_lowercase();
    let mut name = name.as_str();
    for packed in [".gz", ".zst", ".zstd"] {
        name = name.strip_suffix(packed).unwrap_or(name);
    }
    // `app.log.1`, `app.log.2026-11-23`.
    let rotated = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    while let Some((rest, last)) = name.rsplit_once('.')
        && rotated(last)
        && rest.contains('.')
    {
        name = rest;
    }
    if let Some((_, data_type, format)) = NAMES.iter().find(|each| each.0 == name) {
        return Some(hint(*data_type, format, 1.0));
    }
    if name.starts_with(".env") {
        return Some(hint(Config, "env", 1.0));
    }
    if name.starts_with("dockerfile.") {
        return Some(hint(Code, "dockerfile", 1.0));
    }
    let (_, suffix) = name.rsplit_once('.')?;
    let (_, data_type, format) = SUFFIXES.iter().find(|each| each.0 == suffix)?;
    let strength = VAGUE.iter().find(|each| each.0 == suffix).map_or(1.0, |each| each.1);
    Some(hint(*data_type, format, strength))
}

fn hint(data_type: DataType, format: &'static str, strength: f64) -> Hint {
    let spells_format = match data_type {
        Code => strength >= 1.0 && format != "c",
        Text => format != "text",
        _ => false,
    };
    Hint { data_type, format, strength, spells_format }
}

/// MIME types, by their beginning, that say something.
const MIME_TYPES: &[(&str, DataType, &str)] = &[
    ("image/svg", Visual, "svg"),
    ("image/", Visual, "image"),
    ("application/pdf", Visual, "pdf"),
    ("text/csv", Metrics, "csv"),
    ("text/tab-separated", Metrics, "csv"),
    ("application/openmetrics", Metrics, "openmetrics"),
    ("text/markdown", Text, "markdown"),
    ("text/html", Text, "html"),
    ("message/rfc822", Text, "email"),
    ("application/json", Config, "json"),
    ("application/yaml", Config, "yaml"),
    ("application/x-yaml", Config, "yaml"),
    ("text/yaml", Config, "yaml"),
    ("text/x-yaml", Config, "yaml"),
    ("application/toml", Config, "toml"),
    ("application/xml", Config, "xml"),
    ("text/xml", Config, "xml"),
    ("text/x-python", Code, "python"),
    ("text/javascript", Code, "javascript"),
    ("application/javascript", Code, "javascript"),
    ("application/sql", Code, "sql"),
    ("application/x-sh", Code, "shell"),
    ("text/x-", Code, "source"),
];

/// What a MIME type says; `text/plain` and `application/octet-stream` say nothing.
pub(super) fn from_mime(mime: &str) -> Option<Hint> {
    let mime = mime.trim().to_ascii_lowercase();
    let (_, data_type, format) = MIME_TYPES.iter().find(|each| mime.starts_with(each.0))?;
    Some(Hint { data_type: *data_type, format, strength: 1.0, spells_format: false })
}
