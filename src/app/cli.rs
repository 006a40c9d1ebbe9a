//! The command line: what can be typed, as data.

use crate::base::Time;
use crate::uploads::analyse::DataType;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Examples come first: most readers of a help text want one.
const EXAMPLES: &str = "\
Examples:
  faultmaven serve                                   serve on 127.0.0.1:8090, data in ./faultmaven-data
  faultmaven admin create --username ada --email ada@example.org --password-stdin < secret
  faultmaven analyze app.log                         what is in a log, without any server
  faultmaven analyze app.log -o json | jq .checks
  faultmaven config print --origin                   every setting and where it came from
  faultmaven check                                   verify the store: rows, indexes, files, chain
  faultmaven init --encrypt                          a new store, encrypted, and its key
  faultmaven backup create                           one verified file, while the server serves
  faultmaven backup restore FILE --at 2026-11-24T01:45:00Z

Exit codes: 0 done, 1 failed, 2 wrong usage.
Settings: flag > FAULTMAVEN_* environment > TOML file > default.";

/// The troubleshooting store in one binary.
#[derive(Debug, Parser)]
#[command(name = "faultmaven", version, about, after_help = EXAMPLES, max_term_width = 100)]
pub(super) struct Cli {
    /// Settings that every command understands.
    #[command(flatten)]
    pub(super) shared: Shared,
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Flags that every command understands.
#[derive(Debug, Args)]
pub(super) struct Shared {
    /// TOML file; ./faultmaven.toml is read when it exists
    #[arg(long, global = true, env = "FAULTMAVEN_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Where everything is kept
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data_dir: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve the API
    Serve {
        /// Address and port
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<String>,
    },
    /// Make a store without starting a server
    Init {
        /// Encrypt everything; a new master key is written to a file outside the data directory
        #[arg(long)]
        encrypt: bool,
        /// Where to write the new master key [default: the data directory's name with `.key`]
        #[arg(long, value_name = "FILE", requires = "encrypt")]
        new_key_file: Option<PathBuf>,
    },
    /// Manage administrators
    #[command(subcommand)]
    Admin(Admin),
    /// Make and change master keys
    #[command(subcommand)]
    Key(Key),
    /// Make, verify and restore backups
    #[command(subcommand)]
    Backup(Backup),
    /// Analyse files without a server
    Analyze {
        /// Files to analyse
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Take the files as this type instead of classifying them
        #[arg(long = "type", value_name = "TYPE", value_parser = data_type)]
        data_type: Option<DataType>,
        /// Also name the template of every log line
        #[arg(long)]
        lines: bool,
        /// How to answer
        #[command(flatten)]
        output: Output,
    },
    /// Say which of the eight types files are
    Classify {
        /// Files to classify
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// How to answer
        #[command(flatten)]
        output: Output,
    },
    /// Verify the store: rows, indexes, blobs, chunks, audit chain
    Check {
        /// How to answer
        #[command(flatten)]
        output: Output,
    },
    /// Rebuild the search indexes from the stored chunks; nothing is embedded again
    Reindex,
    /// Return the space of deleted rows to the disk; a server goes on serving
    Compact {
        /// How to answer
        #[command(flatten)]
        output: Output,
    },
    /// Bring a store of an earlier version to this one's format; the old one is kept
    Migrate {
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
        /// How to answer
        #[command(flatten)]
        output: Output,
    },
    /// Show or test the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Show or verify embedding models
    #[command(subcommand)]
    Model(Model),
    /// Print the OpenAPI document
    Openapi,
    /// Print a completion script
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the version
    Version {
        /// How to answer
        #[command(flatten)]
        output: Output,
    },
}

/// Manage administrators.
#[derive(Debug, Subcommand)]
pub(super) enum Admin {
    /// Create an administrator
    Create {
        /// Sign-in name
        #[arg(long)]
        username: String,
        /// E-mail address
        #[arg(long)]
        email: String,
        /// Read the password from standard input instead of asking for it
        #[arg(long)]
        password_stdin: bool,
    },
}

/// Make and change master keys.
#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// Print a new master key
    Generate {
        /// Write it to this new file, for its owner only, instead
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Give the store another master key; nothing else is rewritten, and a server goes on serving
    Rotate {
        /// File with the new master key; it is made when there is none
        #[arg(long, value_name = "FILE")]
        new_key_file: PathBuf,
    },
    /// Say whether the store is encrypted and whether the configured key opens it
    Status {
        /// How to answer
        #[command(flatten)]
        output: Output,
    },
}

/// Make, verify and restore backups.
#[derive(Debug, Subcommand)]
pub(super) enum Backup {
    /// Write one consistent backup to one file; a server goes on serving
    Create {
        /// The file [default: a name with the time, where backups are kept]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// How to answer
        #[arg(short = 'o', value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Prove that a backup can be restored, without restoring it
    Verify {
        /// The backup
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// How to answer
        #[command(flatten)]
        output: Output,
    },
    /// List the backups that are kept
    List {
        /// How to answer
        #[command(flatten)]
        output: Output,
    },
    /// Put a backup in the place of the store, which is kept; needs a stopped server
    Restore {
        /// The backup
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Go on from the backup to this instant, with the archive (RFC 3339)
        #[arg(long, value_name = "TIME", value_parser = instant)]
        at: Option<Time>,
        /// How to answer
        #[command(flatten)]
        output: Output,
    },
}

/// Show or test the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print every setting as TOML
    Print {
        /// Add where each value came from
        #[arg(long)]
        origin: bool,
    },
    /// Say whether the configuration is valid
    Check,
}

/// Show or verify embedding models.
#[derive(Debug, Subcommand)]
pub(super) enum Model {
    /// List the models found and whether they are complete
    List {
        /// How to answer
        #[command(flatten)]
        output: Output,
    },
    /// Verify the configured model against its hashes
    Verify,
}

/// How to answer.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Output {
    /// Output format; json is stable
    #[arg(short = 'o', long = "output", value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

/// Output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

fn data_type(name: &str) -> Result<DataType, String> {
    DataType::parse(name).ok_or_else(|| {
        let known: Vec<_> = DataType::ALL.iter().map(|each| each.as_str()).collect();
        format!("expected one of {}", known.join(", "))
    })
}

fn instant(text: &str) -> Result<Time, String> {
    Time::parse(text).ok_or_else(|| "expected a time like 2026-11-24T01:45:00Z".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_unknown_type_names_the_known_ones() {
        let error = Cli::try_parse_from(["faultmaven", "analyze", "x", "--type", "log"]);
        assert!(error.unwrap_err().to_string().contains("logs_and_errors"));
    }
}
