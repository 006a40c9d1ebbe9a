//! Where the master key comes from: the environment, a file, or the output of a command.

use super::config::Config;
use crate::engine::key::{KeyError, MasterKey};
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Longest text that may hold a key, in bytes: a wrong path must not fill memory.
const TEXT_BYTES_MAX: u64 = 4096;
/// How long a key command may take; a vault asks a network first.
const COMMAND_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks at a command that closed its output but has not ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A master key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file cannot be read.
    #[error("key_file {path} cannot be read: {cause}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The command cannot be run, failed or took too long.
    #[error("key_command {0}")]
    Command(String),
    /// What was read is no key.
    #[error("{origin} gave no key: {cause}")]
    Malformed {
        /// Where it was read.
        origin: String,
        /// What a key looks like.
        cause: KeyError,
    },
}

/// A master key and the setting it came from, for messages.
pub(super) struct Sourced {
    pub(super) key: MasterKey,
    pub(super) origin: String,
}

/// Reads the configured master key; `None` when none is configured.
///
/// # Errors
/// [`MasterKeyError`] naming the source and never what was read.
pub(super) fn read(config: &Config) -> Result<Option<Sourced>, MasterKeyError> {
    let (text, origin) = if let Some(secret) = &config.master_key {
        (Zeroizing::new(secret.reveal().to_owned()), "FAULTMAVEN_MASTER_KEY".to_owned())
    } else if !config.key_file.as_os_str().is_empty() {
        let path = config.key_file.display().to_string();
        let origin = format!("key_file {path}");
        let text =
            read_file(&config.key_file).map_err(|cause| MasterKeyError::File { path, cause })?;
        (text, origin)
    } else if !config.key_command.is_empty() {
        (output_of(&config.key_command, COMMAND_WITHIN)?, "key_command".to_owned())
    } else {
        return Ok(None);
    };
    match MasterKey::parse(&text) {
        Ok(key) => Ok(Some(Sourced { key, origin })),
        Err(cause) => Err(MasterKeyError::Malformed { origin, cause }),
    }
}

/// Reads the key in one file.
///
/// # Errors
/// [`MasterKeyError`] naming the file.
pub(super) fn read_key_file(path: &Path) -> Result<MasterKey, MasterKeyError> {
    let shown = path.display().to_string();
    let text =
        read_file(path).map_err(|cause| MasterKeyError::File { path: shown.clone(), cause })?;
    MasterKey::parse(&text)
        .map_err(|cause| MasterKeyError::Malformed { origin: format!("key_file {shown}"), cause })
}

fn read_file(path: &Path) -> io::Result<Zeroizing<String>> {
    let file = std::fs::File::open(path)?;
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&file.metadata()?);
        if mode & 0o077 != 0 {
            let mode = format!("{:o}", mode & 0o7777);
            tracing::warn!(path = %path.display(), mode, "others may read the master key");
        }
    }
    bounded(file)
}

fn bounded(from: impl Read) -> io::Result<Zeroizing<String>> {
    // Room for all of it at once: a string that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(TEXT_BYTES_MAX as usize));
    from.take(TEXT_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// What a command prints, when it ends well within the time. Its standard error is ours, so that a
/// vault can say why it refuses.
fn output_of(command: &str, within: Duration) -> Result<Zeroizing<String>, MasterKeyError> {
    let failed = |what: String| MasterKeyError::Command(what);
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| failed(format!("cannot be run: {e}")))?;
    let Some(output) = child.stdout.take() else {
        return Err(failed("has no output".into()));
    };
    let (tell, told) = channel();
    // The thread ends with the command's output; nobody listens any more after the time is over.
    std::thread::spawn(move || tell.send(bounded(output)));
    let deadline = Instant::now() + within;
    let text = told.recv_timeout(within);
    let ended = if text.is_ok() { wait(&mut child, deadline) } else { None };
    let Some(status) = ended else {
        // It may have ended by itself just now.
        let _ = child.kill();
        let _ = child.wait();
        return Err(failed(format!("did not end within {} seconds", within.as_secs_f64())));
    };
    match text {
        Ok(Ok(text)) if status.success() => Ok(text),
        Ok(Err(error)) => Err(failed(format!("gave no text: {error}"))),
        _ => Err(failed(format!("failed: {status}"))),
    }
}

fn wait(child: &mut Child, deadline: Instant) -> Option<std::process::ExitStatus> {
    while Instant::now() < deadline {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::sleep(LOOK_EVERY);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::config::Secret;

    fn with_command(command: &str) -> Config {
        Config { key_command: command.into(), ..Config::default() }
    }

    fn refusal(config: &Config) -> String {
        read(config).err().expect("it is refused").to_string()
    }

    #[test]
    fn a_key_comes_from_the_environment_a_file_or_a_command() {
        let key = MasterKey::generate();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, format!("{}\n", key.to_text())).unwrap();
        let text = Some(Secret::new(key.to_text()));
        let configs = [
            Config { master_key: text, ..Config::default() },
            Config { key_file: path.clone(), ..Config::default() },
            with_command(&format!("cat '{}'", path.display())),
        ];
        for config in configs {
            let read = read(&config).unwrap().unwrap();
            assert_eq!(read.key.to_text(), key.to_text(), "{}", read.origin);
        }
        assert!(read(&Config::default()).unwrap().is_none());
    }

    #[test]
    fn a_refusal_names_the_source_and_not_what_was_read() {
        let secret = "correct-horse";
        let config = Config { master_key: Some(Secret::new(secret.into())), ..Config::default() };
        let said = [
            refusal(&config),
            refusal(&with_command(&format!("echo {secret}"))),
            refusal(&with_command(&format!("echo {secret}; exit 3"))),
            refusal(&with_command("printf '\\377'")),
            refusal(&Config { key_file: "no/such/file".into(), ..Config::default() }),
        ];
        assert!(said[0].starts_with("FAULTMAVEN_MASTER_KEY gave no key"), "{}", said[0]);
        assert!(said[1].starts_with("key_command gave no key"), "{}", said[1]);
        assert_eq!(said[2], "key_command failed: exit status: 3");
        assert!(said[4].starts_with("key_file no/such/file cannot be read"), "{}", said[4]);
        assert!(said.iter().all(|line| !line.contains(secret) && !line.contains('\n')));
    }

    #[test]
    fn a_command_that_does_not_end_is_ended() {
        let short = Duration::from_millis(50);
        for command in ["exec sleep 600", "exec >&-; exec sleep 600"] {
            let error = output_of(command, short).unwrap_err().to_string();
            assert!(error.contains("did not end within 0.05 seconds"), "{error}");
        }
    }
}
