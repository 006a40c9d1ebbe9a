//! Configuration: flag over environment over TOML file over default, each value with its origin.
//!
//! The defaults below are the list of known keys: a key that is not among them is refused, with
//! the nearest known one named.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::{Table, Value};
use zeroize::Zeroizing;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port to serve on.
    pub listen: String,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// File that holds the master key of an encrypted store; empty: none. The environment may name
    /// it as `FAULTMAVEN_MASTER_KEY_FILE`.
    pub key_file: PathBuf,
    /// Command whose output is the master key, run by `sh -c`; empty: none.
    pub key_command: String,
    /// The master key itself, from `FAULTMAVEN_MASTER_KEY`; no file can hold it and nothing prints
    /// it.
    #[serde(skip)]
    pub master_key: Option<Secret>,
    /// Sign-in.
    pub auth: Auth,
    /// The HTTP shell.
    pub http: Http,
    /// Uploaded files.
    pub uploads: Uploads,
    /// Search and the embedding model.
    pub search: Search,
    /// Background jobs.
    pub jobs: Jobs,
    /// The database.
    pub database: Database,
    /// The disk under the data directory.
    pub disk: Disk,
    /// Scheduled backups.
    pub backup: Backup,
    /// The point-in-time archive.
    pub archive: Archive,
    /// Logging.
    pub log: Log,
}

impl Config {
    /// Whether a master key is configured, so that a new store is encrypted.
    pub(super) fn names_key(&self) -> bool {
        self.master_key.is_some()
            || !self.key_file.as_os_str().is_empty()
            || !self.key_command.is_empty()
    }
}

impl Disk {
    /// The floor in bytes.
    pub(super) fn floor_bytes(&self) -> u64 {
        u64::from(self.floor_mib) << 20
    }
}

/// A text from the environment that is never shown; wiped when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text in.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one place that needs it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Sign-in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// Who may create an account without an admin: `on`, `off`, or `loopback` (only while the
    /// server listens on a loopback address).
    pub registration: Registration,
    /// Password-less sign-in for development; never on a shared machine.
    pub dev_login: bool,
    /// Life of an access token.
    pub access_ttl_seconds: u32,
    /// Life of a refresh token; each refresh starts a new one.
    pub refresh_ttl_seconds: u32,
}

/// Who may create an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Everybody who reaches the server.
    On,
    /// Nobody but admins.
    Off,
    /// Everybody while the server listens on loopback, otherwise nobody.
    Loopback,
}

/// The HTTP shell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Origins whose pages may call the API, reflected with credentials.
    pub cors_origins: Vec<String>,
    /// Largest JSON body.
    pub json_bytes_max: u32,
    /// Threads that serve requests; 0 takes one per core.
    pub workers: u16,
    /// How long a stopping server waits for requests and jobs in progress.
    pub drain_seconds: u16,
}

/// Uploaded files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Uploads {
    /// Largest file (ruling 13).
    pub file_bytes_max: u32,
    /// Largest content of a compressed file once unpacked.
    pub unpacked_bytes_max: u32,
}

/// Search and the embedding model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Search {
    /// Name of the model's folder, or `none` for lexical search only.
    pub model: String,
    /// Where the model folders are.
    pub models_dir: PathBuf,
}

/// Background jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Jobs {
    /// Jobs that run at the same time.
    pub workers: u16,
}

/// The database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// Bound of the page cache.
    pub cache_mib: u16,
    /// Bound of the change log that waits for the archive and for readers of changes.
    pub log_mib: u16,
}

/// The disk under the data directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Disk {
    /// With less free space than this, what would grow the store is refused; 0 never refuses.
    pub floor_mib: u32,
    /// Space kept back, so that deletes and a stop work on a full disk.
    pub reserve_mib: u16,
}

/// Scheduled backups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backup {
    /// Where backups are kept; empty: `backups` in the data directory.
    pub dir: PathBuf,
    /// Hours between two backups; 0 makes none by itself.
    pub every_hours: u16,
    /// Days a scheduled backup is kept.
    pub keep_days: u16,
}

/// The point-in-time archive: copies of the change log and of new blobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Archive {
    /// Where the archive is kept; empty: `archive` in the data directory.
    pub dir: PathBuf,
    /// Most seconds between a commit and its copy in the archive; 0 keeps no archive.
    pub every_seconds: u16,
    /// Changes of this size are archived at once.
    pub segment_mib: u16,
}

/// Logging.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`; also `target=level` pairs with commas.
    pub level: String,
    /// `text`, `json`, or `auto`: text on a terminal, JSON otherwise.
    pub format: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8090".into(),
            data_dir: "./faultmaven-data".into(),
            key_file: PathBuf::new(),
            key_command: String::new(),
            master_key: None,
            auth: Auth::default(),
            http: Http::default(),
            uploads: Uploads::default(),
            search: Search::default(),
            jobs: Jobs::default(),
            database: Database::default(),
            disk: Disk::default(),
            backup: Backup::default(),
            archive: Archive::default(),
            log: Log::default(),
        }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            registration: Registration::Loopback,
            dev_login: false,
            access_ttl_seconds: 15 * 60,
            refresh_ttl_seconds: 7 * 24 * 60 * 60,
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { cors_origins: Vec::new(), json_bytes_max: 1 << 20, workers: 0, drain_seconds: 30 }
    }
}

impl Default for Uploads {
    fn default() -> Self {
        Self { file_bytes_max: 10 << 20, unpacked_bytes_max: 64 << 20 }
    }
}

impl Default for Search {
    fn default() -> Self {
        Self { model: "all-minilm-l6-v2".into(), models_dir: "models".into() }
    }
}

impl Default for Jobs {
    fn default() -> Self {
        Self { workers: 4 }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self { cache_mib: 64, log_mib: 256 }
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self { floor_mib: 512, reserve_mib: 64 }
    }
}

impl Default for Backup {
    fn default() -> Self {
        Self { dir: PathBuf::new(), every_hours: 24, keep_days: 30 }
    }
}

impl Default for Archive {
    fn default() -> Self {
        Self { dir: PathBuf::new(), every_seconds: 60, segment_mib: 16 }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".into(), format: "auto".into() }
    }
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// A line of this TOML file.
    File(PathBuf),
    /// This environment variable.
    Environment(String),
    /// This command-line flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag --{name}"),
        }
    }
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path} is not valid TOML: {cause}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        cause: String,
    },
    /// The key is not known.
    #[error("unknown setting `{key}` ({origin}){}", nearest_hint(.nearest))]
    Unknown {
        /// The key as given.
        key: String,
        /// Where it stood.
        origin: Origin,
        /// The known key that looks most like it.
        nearest: Option<String>,
    },
    /// The value has the wrong type or is out of range.
    #[error("setting `{key}` ({origin}): {reason}")]
    Value {
        /// The key.
        key: String,
        /// Where the value stood.
        origin: Origin,
        /// What was expected.
        reason: String,
    },
    /// More than one place names the master key.
    #[error("the master key comes from one place, but {0} name it; keep one")]
    Keys(String),
}

fn nearest_hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|key| format!("; did you mean `{key}`?")).unwrap_or_default()
}

/// A configuration and where each of its values came from.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The values.
    pub config: Config,
    /// Every key with its value and origin, in key order.
    pub settings: BTreeMap<String, (Value, Origin)>,
}

/// Joins the four sources. `flags` are `(key, value)` pairs; `environment` is all variables.
///
/// # Errors
/// [`ConfigError`] naming the key and its origin.
pub(super) fn resolve(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[(&str, String)],
) -> Result<Resolved, ConfigError> {
    let mut settings = defaults();
    if let Some(path) = file {
        let mut given = BTreeMap::new();
        flatten("", &Value::Table(read_file(path)?), &mut given);
        for (key, value) in given {
            set(&mut settings, &key, Given::Typed(value), Origin::File(path.to_owned()))?;
        }
    }
    let mut master_key = None;
    for (name, value) in environment {
        if name == MASTER_KEY {
            master_key = Some(Secret::new(value)).filter(|key| !key.reveal().trim().is_empty());
            continue;
        }
        let Some(key) = environment_key(&name) else { continue };
        set(&mut settings, &key, Given::Text(value), Origin::Environment(name))?;
    }
    for (key, value) in flags {
        set(
            &mut settings,
            key,
            Given::Text(value.clone()),
            Origin::Flag((*key).replace('_', "-")),
        )?;
    }
    let config = Config { master_key, ..typed(&settings)? };
    one_key(&config, &settings)?;
    Ok(Resolved { config, settings })
}

/// Which key opens a store must not depend on an order of precedence that somebody has to know.
fn one_key(config: &Config, settings: &Settings) -> Result<(), ConfigError> {
    let named = |key: &str| match settings.get(key) {
        Some((Value::String(text), origin)) if !text.is_empty() => {
            Some(format!("`{key}` ({origin})"))
        }
        _ => None,
    };
    let text = config.master_key.as_ref().map(|_| format!("environment {MASTER_KEY}"));
    let named: Vec<_> =
        [named("key_file"), named("key_command"), text].into_iter().flatten().collect();
    if named.len() > 1 { Err(ConfigError::Keys(named.join(" and "))) } else { Ok(()) }
}

fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| ConfigError::Read { path: path.to_owned(), cause })?;
    text.parse::<Table>()
        .map_err(|e| ConfigError::Syntax { path: path.to_owned(), cause: e.to_string() })
}

type Settings = BTreeMap<String, (Value, Origin)>;

fn defaults() -> Settings {
    let mut flat = BTreeMap::new();
    if let Ok(value) = Value::try_from(Config::default()) {
        flatten("", &value, &mut flat);
    }
    flat.into_iter().map(|(key, value)| (key, (value, Origin::Default))).collect()
}

fn flatten(prefix: &str, value: &Value, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&path, value, into);
            }
        }
        value => {
            into.insert(prefix.to_owned(), value.clone());
        }
    }
}

/// Variables that name the first admin or a secret rather than a setting.
const NOT_SETTINGS: &[&str] = &["CONFIG", "ADMIN_"];

/// Holds the master key itself: no setting, so that nothing can print it.
const MASTER_KEY: &str = "FAULTMAVEN_MASTER_KEY";
/// Names `key_file`, as every secret can be named by a file.
const MASTER_KEY_FILE: &str = "FAULTMAVEN_MASTER_KEY_FILE";

/// `FAULTMAVEN_AUTH__DEV_LOGIN` sets `auth.dev_login`.
fn environment_key(name: &str) -> Option<String> {
    if name == MASTER_KEY_FILE {
        return Some("key_file".into());
    }
    let rest = name.strip_prefix("FAULTMAVEN_")?;
    if NOT_SETTINGS.iter().any(|prefix| rest.starts_with(prefix)) {
        return None;
    }
    Some(rest.to_lowercase().replace("__", "."))
}

enum Given {
    Typed(Value),
    Text(String),
}

fn set(
    settings: &mut Settings,
    key: &str,
    given: Given,
    origin: Origin,
) -> Result<(), ConfigError> {
    let Some((known, _)) = settings.get(key) else {
        let nearest = nearest(settings.keys(), key);
        return Err(ConfigError::Unknown { key: key.to_owned(), origin, nearest });
    };
    let value = match given {
        Given::Typed(value) if value.same_type(known) => value,
        Given::Typed(value) => {
            let reason = format!("expected {}, found {}", known.type_str(), value.type_str());
            return Err(ConfigError::Value { key: key.to_owned(), origin, reason });
        }
        Given::Text(text) => match like(known, &text) {
            Some(value) => value,
            None => {
                let reason = format!("expected {}, found `{text}`", known.type_str());
                return Err(ConfigError::Value { key: key.to_owned(), origin, reason });
            }
        },
    };
    settings.insert(key.to_owned(), (value, origin));
    Ok(())
}

/// Reads text as the type of a known value; lists are separated by commas.
fn like(known: &Value, text: &str) -> Option<Value> {
    match known {
        Value::Boolean(_) => match text {
            "true" | "1" | "yes" | "on" => Some(Value::Boolean(true)),
            "false" | "0" | "no" | "off" => Some(Value::Boolean(false)),
            _ => None,
        },
        Value::Integer(_) => text.trim().parse().ok().map(Value::Integer),
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        _ => Some(Value::String(text.to_owned())),
    }
}

/// The known key that looks most like `key`, if one is close.
fn nearest<'a>(known: impl Iterator<Item = &'a String>, key: &str) -> Option<String> {
    let score = |known: &str| {
        let last = known.rsplit('.').next().unwrap_or(known);
        strsim::jaro_winkler(known, key).max(strsim::jaro_winkler(last, key))
    };
    known
        .map(|known| (score(known), known))
        .filter(|(score, _)| *score > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known.clone())
}

fn typed(settings: &Settings) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    let mut root = Table::new();
    for (key, (value, origin)) in settings {
        insert(&mut root, key, value.clone());
        // One at a time, so that a refusal can name its key.
        config = root.clone().try_into().map_err(|e: toml::de::Error| ConfigError::Value {
            key: key.clone(),
            origin: origin.clone(),
            reason: e.message().to_owned(),
        })?;
    }
    Ok(config)
}

fn insert(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = table.entry(first).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve_with(
        file: &str,
        environment: &[(&str, &str)],
        flags: &[(&str, String)],
    ) -> Result<Resolved, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("faultmaven.toml");
        std::fs::write(&path, file).unwrap();
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let shown = path.display().to_string();
        resolve(Some(&path), environment, flags).map_err(|e| e.to_string().replace(&shown, "F"))
    }

    #[test]
    fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
        let file = "listen = 'a:1'\n[jobs]\nworkers = 3\n[log]\nlevel = 'warn'";
        let environment =
            [("FAULTMAVEN_LISTEN", "b:2"), ("FAULTMAVEN_LOG__LEVEL", "debug"), ("PATH", "/bin")];
        let resolved = resolve_with(file, &environment, &[("listen", "c:3".to_owned())]).unwrap();
        let config = &resolved.config;
        assert_eq!(config.listen, "c:3");
        assert_eq!((config.log.level.as_str(), config.jobs.workers), ("debug", 3));
        assert_eq!(config.database.cache_mib, Config::default().database.cache_mib);
        let origin = |key: &str| resolved.settings[key].1.to_string();
        assert_eq!(origin("listen"), "flag --listen");
        assert_eq!(origin("log.level"), "environment FAULTMAVEN_LOG__LEVEL");
        assert!(origin("jobs.workers").starts_with("file "));
        assert_eq!(origin("database.cache_mib"), "default");
    }

    #[test]
    fn a_wrong_setting_is_named_with_its_origin() {
        let refused = |file: &str, environment: &[(&str, &str)]| {
            resolve_with(file, environment, &[]).unwrap_err()
        };
        assert_eq!(
            refused("lisen = 'x'", &[]),
            "unknown setting `lisen` (file F); did you mean `listen`?"
        );
        assert_eq!(
            refused("", &[("FAULTMAVEN_AUTH__DEVLOGIN", "true")]),
            "unknown setting `auth.devlogin` (environment FAULTMAVEN_AUTH__DEVLOGIN); \
             did you mean `auth.dev_login`?"
        );
        assert_eq!(
            refused("[jobs]\nworkers = 'many'", &[]),
            "setting `jobs.workers` (file F): expected integer, found string"
        );
        assert!(
            refused("[jobs]\nworkers = -1", &[]).starts_with("setting `jobs.workers` (file F)")
        );
        assert!(
            refused("[auth]\nregistration = 'maybe'", &[])
                .starts_with("setting `auth.registration` (file F): unknown variant `maybe`")
        );
        assert!(refused("= 3", &[]).starts_with("F is not valid TOML"));
    }

    #[test]
    fn the_master_key_comes_from_one_place_and_is_never_shown() {
        let hex = "ab".repeat(32);
        let from = |file: &str, environment: &[(&str, &str)]| resolve_with(file, environment, &[]);
        let text = from("", &[("FAULTMAVEN_MASTER_KEY", &hex)]).unwrap();
        assert_eq!(text.config.master_key.as_ref().map(Secret::reveal), Some(hex.as_str()));
        assert!(!format!("{text:?}").contains(&hex), "{text:?}");
        let file = from("", &[("FAULTMAVEN_MASTER_KEY_FILE", "k")]).unwrap();
        assert_eq!(file.config.key_file, Path::new("k"));
        let origin = file.settings["key_file"].1.to_string();
        assert_eq!(origin, "environment FAULTMAVEN_MASTER_KEY_FILE");
        let both = from("key_command = 'cat k'", &[("FAULTMAVEN_MASTER_KEY", &hex)]).unwrap_err();
        assert_eq!(
            both,
            "the master key comes from one place, but `key_command` (file F) and environment \
             FAULTMAVEN_MASTER_KEY name it; keep one"
        );
        assert!(from("key_command = 'a'\nkey_file = 'b'", &[]).is_err());
        assert!(from("key_file = 'b'", &[("FAULTMAVEN_MASTER_KEY", "")]).is_ok());
    }

    #[test]
    fn lists_and_switches_come_from_the_environment_too() {
        let environment = [
            ("FAULTMAVEN_HTTP__CORS_ORIGINS", "https://a.example, https://b.example"),
            ("FAULTMAVEN_AUTH__DEV_LOGIN", "on"),
            ("FAULTMAVEN_ADMIN_PASSWORD", "not a setting"),
        ];
        let config = resolve_with("", &environment, &[]).unwrap().config;
        assert_eq!(config.http.cors_origins, ["https://a.example", "https://b.example"]);
        assert!(config.auth.dev_login);
    }
}
