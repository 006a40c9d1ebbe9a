//! From the command line to an exit code.

use super::care;
use super::cli::{Admin, Cli, Command, ConfigCommand, Format, Model};
use super::config::{Config, Resolved, resolve};
use super::data_dir::DataDir;
use super::operator::{self, COMMAND_LINE, NewAdmin};
use super::serve::{Server, first_admin};
use super::store::{self, OpenError};
use super::terminal::{note, password, say, say_json};
use super::{offline, openapi};
use crate::base::{Classify, Clock, Ids};
use crate::engine::embed;
use crate::ops::logs;
use crate::users::{self, HashCost, Hasher};
use clap::{CommandFactory, Parser};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Read when `--config` names no file and this one exists.
const CONFIG_FILE: &str = "faultmaven.toml";
/// Threads of the async runtime besides the HTTP workers: jobs, indexing, schedules.
const RUNTIME_THREADS: usize = 2;
/// After the drain time, work on blocking threads is given this long to notice.
const STRAGGLERS_WITHIN: Duration = Duration::from_secs(1);

/// Runs one command line; answers 0 done, 1 failed, 2 wrong usage.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(report_panic));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed standard output is no reason to fail differently.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            note(format!("faultmaven: {why}"));
            ExitCode::from(1)
        }
    }
}

/// Says where a panic was, never with which words: they may quote what somebody uploaded.
fn report_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let at = panic.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
    if tracing::dispatcher::has_been_set() {
        tracing::error!(thread, at, "a thread panicked");
    } else {
        note(format!("faultmaven: thread {thread} panicked at {at}"));
    }
}

fn run(cli: Cli) -> Result<(), String> {
    let mut flags: Vec<(&str, String)> = Vec::new();
    flags.extend(cli.shared.data_dir.map(|dir| ("data_dir", dir)));
    if let Command::Serve { listen: Some(listen) } = &cli.command {
        flags.push(("listen", listen.clone()));
    }
    let file = cli.shared.config.or_else(|| {
        let default = PathBuf::from(CONFIG_FILE);
        default.exists().then_some(default)
    });
    let resolve = || settings(file.as_deref(), &flags);
    match cli.command {
        Command::Serve { .. } => serve(&resolve()?.config),
        Command::Init { encrypt, new_key_file } => {
            care::init(&resolve()?.config, encrypt, new_key_file)
        }
        Command::Key(command) => care::key(command, || resolve().map(|found| found.config)),
        Command::Backup(command) => care::backup(command, &resolve()?.config),
        Command::Compact { output } => care::compact(&resolve()?.config, output.format),
        Command::Migrate { dry_run, output } => {
            care::migrate(&resolve()?.config, dry_run, output.format)
        }
        Command::Admin(Admin::Create { username, email, password_stdin }) => {
            let password = password(password_stdin)?;
            create_admin(&resolve()?.config, NewAdmin { username, email, password })
        }
        Command::Analyze { files, data_type, lines, output } => {
            offline::analyze(&resolve()?.config, &files, data_type, lines, output.format)
        }
        Command::Classify { files, output } => offline::classify_files(&files, output.format),
        Command::Check { output } => care::check(&resolve()?.config, output.format),
        Command::Reindex => care::reindex(&resolve()?.config),
        Command::Config(ConfigCommand::Print { origin }) => {
            print_config(&resolve()?, origin);
            Ok(())
        }
        Command::Config(ConfigCommand::Check) => {
            resolve()?;
            say("the configuration is valid");
            Ok(())
        }
        Command::Model(Model::List { output }) => list_models(&resolve()?.config, output.format),
        Command::Model(Model::Verify) => verify_model(&resolve()?.config),
        Command::Openapi => say_json(&openapi::document()),
        Command::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "faultmaven", &mut out);
            say(String::from_utf8_lossy(&out));
            Ok(())
        }
        Command::Version { output } => version(output.format),
    }
}

fn settings(file: Option<&Path>, flags: &[(&str, String)]) -> Result<Resolved, String> {
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    resolve(file, environment, flags).map_err(|e| e.to_string())
}

fn start_log(config: &Config) -> Result<logs::Style, String> {
    let terminal = std::io::stderr().is_terminal();
    let text = match config.log.format.as_str() {
        "text" => true,
        "json" => false,
        "auto" => terminal,
        other => return Err(format!("log.format is `{other}`; expected auto, text or json")),
    };
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let style = logs::Style::of(text, no_color || !terminal);
    logs::init(&config.log.level, style).map_err(|e| e.to_string())?;
    Ok(style)
}

fn serve(config: &Config) -> Result<(), String> {
    let style = start_log(config)?;
    let named = admin_from_environment()?;
    let runtime = runtime()?;
    let served = runtime.block_on(serve_until_told(config, named, style));
    // What still computes on a blocking thread is as safe to cut as at a crash.
    runtime.shutdown_timeout(STRAGGLERS_WITHIN);
    served
}

async fn serve_until_told(
    config: &Config,
    named: Option<NewAdmin>,
    style: logs::Style,
) -> Result<(), String> {
    let (clock, ids) = (Clock::system(), Ids::system());
    let server = Server::start(config, clock.clone(), ids.clone());
    let server = server.await.map_err(|e| e.to_string())?;
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            server.stop().await;
            return Err(error.to_string());
        }
    };
    let address = server.address();
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "serving without TLS beyond this machine");
    }
    tracing::info!(%address, data_dir = %config.data_dir.display(), "serving");
    let asked_for = named.is_some();
    let first = match first_admin(&server, named, &clock, &ids).await {
        // A link can wait for the next start: on a full disk, what is stored can still be read.
        Err(error) if !asked_for => {
            tracing::warn!(%error, "no setup link for an administrator could be made");
            Ok(None)
        }
        other => other,
    };
    let result = match first {
        Ok(link) => {
            if let Some(link) = link {
                offer_setup(&link, style);
            }
            let cause = signals.next().await;
            tracing::info!(cause, "stopping");
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    };
    tokio::select! {
        () = server.stop() => tracing::info!("stopped"),
        cause = signals.next() => {
            tracing::error!(cause, "told a second time: leaving at once");
            std::process::exit(1);
        }
    }
    result
}

/// Shows the link that makes the first administrator; a log of JSON lines stays one.
fn offer_setup(link: &str, style: logs::Style) {
    if style.json {
        tracing::warn!(setup_url = link, "no administrator yet");
    } else {
        note(format!("No administrator yet. Create the first one (once) at:\n  {link}"));
    }
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(RUNTIME_THREADS)
        .enable_all()
        .build()
        .map_err(|e| e.to_string())
}

/// The signals that end the server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one; answers its name.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// `FAULTMAVEN_ADMIN_USERNAME`, `_EMAIL` and `_PASSWORD` or `_PASSWORD_FILE`, for automation.
fn admin_from_environment() -> Result<Option<NewAdmin>, String> {
    let variable = |name: &str| std::env::var(format!("FAULTMAVEN_ADMIN_{name}")).ok();
    let Some(username) = variable("USERNAME") else { return Ok(None) };
    let email = variable("EMAIL").ok_or("FAULTMAVEN_ADMIN_EMAIL is missing")?;
    let password = match (variable("PASSWORD"), variable("PASSWORD_FILE")) {
        (Some(password), None) => password,
        (None, Some(path)) => std::fs::read_to_string(&path)
            .map_err(|e| format!("cannot read FAULTMAVEN_ADMIN_PASSWORD_FILE {path}: {e}"))?
            .trim_end_matches(['\r', '\n'])
            .to_owned(),
        (Some(_), Some(_)) => {
            return Err("give FAULTMAVEN_ADMIN_PASSWORD or _PASSWORD_FILE, not both".into());
        }
        (None, None) => return Err("FAULTMAVEN_ADMIN_PASSWORD is missing".into()),
    };
    Ok(Some(NewAdmin { username, email, password }))
}

fn create_admin(config: &Config, admin: NewAdmin) -> Result<(), String> {
    let username = admin.username.clone();
    let ids = Ids::system();
    let opened = store::enter(config, &ids)
        .and_then(|entered| Ok((store::open_db(&entered, config, &Clock::system())?.0, entered)));
    match opened {
        Ok((db, _entered)) => {
            let hasher = Hasher::new(HashCost::default(), &ids).map_err(|e| e.to_string())?;
            let now = Clock::system().now();
            let made = admin.application();
            users::create_admin(&db, &hasher, &ids, now, &COMMAND_LINE, &made).map_err(|e| {
                let fields: Vec<_> =
                    e.fields().iter().map(|f| format!("{}: {}", f.field, f.message)).collect();
                if fields.is_empty() { e.to_string() } else { fields.join("; ") }
            })?;
        }
        Err(OpenError::InUse { .. }) => {
            let dir = DataDir::new(&config.data_dir);
            operator::ask::<serde_json::Value>(&dir, "/operator/admins", &admin, operator::SOON)?;
        }
        Err(error) => return Err(error.to_string()),
    }
    say(format!("administrator {username} created"));
    Ok(())
}

fn print_config(resolved: &Resolved, with_origin: bool) {
    let mut section = String::new();
    // Keys without a section come first, as TOML demands.
    let (top, rest): (Vec<_>, Vec<_>) =
        resolved.settings.iter().partition(|(key, _)| !key.contains('.'));
    for (key, (value, origin)) in top.into_iter().chain(rest) {
        let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
        if table != section {
            section = table.to_owned();
            say(format!("\n[{section}]"));
        }
        let line = format!("{name} = {value}");
        say(if with_origin { format!("{line:<44} # {origin}") } else { line });
    }
}

fn list_models(config: &Config, format: Format) -> Result<(), String> {
    let directory = &config.search.models_dir;
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            let state = embed::load(&entry.path()).map(|_| "complete".to_owned());
            let name = entry.file_name().to_string_lossy().into_owned();
            found.push((name, state.unwrap_or_else(|e| e.to_string())));
        }
    }
    found.sort();
    if format == Format::Json {
        let rows = found.iter().map(|(name, state)| {
            serde_json::json!({ "model": name, "state": state, "configured": *name == config.search.model })
        });
        return say_json(&rows.collect::<Vec<_>>());
    }
    if found.is_empty() {
        say(format!("no models in {}; `make model` fetches the default one", directory.display()));
    }
    for (name, state) in found {
        let mark = if name == config.search.model { "*" } else { " " };
        say(format!("{mark} {name}: {state}"));
    }
    Ok(())
}

fn verify_model(config: &Config) -> Result<(), String> {
    let path = config.search.models_dir.join(&config.search.model);
    embed::load(&path).map_err(|e| e.to_string())?;
    say(format!("{} is complete and its hashes match", path.display()));
    Ok(())
}

fn version(format: Format) -> Result<(), String> {
    let version = env!("CARGO_PKG_VERSION");
    if format == Format::Json {
        return say_json(&serde_json::json!({ "name": "faultmaven", "version": version }));
    }
    say(format!("faultmaven {version}"));
    Ok(())
}
